from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Finding, Seen, Step, failed
from ot_doctor.evidence import Location, Record
from ot_doctor.report.file_locations import Place, places, workspace
from ot_doctor_checks._log_finding import seen_record


def found(message: str, *where: str) -> Finding:
    return failed(Cause.ENV_SHADOWED, message, evidence=[Seen(".env", place, "s") for place in where], remedy=[Step("s")])


@pytest.mark.parametrize(("message", "lines"), [
    ("line 9 of it wins over the one on line 2", [9, 2, 5, None]),
    ("line 29 is no line of these", [2, 5, 9, None]),
    ("something is wrong", [2, 5, 9, None]),
])  # fmt: skip
def test_the_lines_that_the_message_names_come_first(message: str, lines: list[int | None]) -> None:
    told = found(message, "/o/.env", "/o/.env:2", "/o/.env:5", "/o/.env:9", "/o/.env:9")
    assert places(told, ("/o",)) == [Place(".env", line) for line in lines]


def test_the_workspace_is_found_however_the_home_folder_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/ana/work/")
    assert places(found("m", "~/work/.env:2", "/home/ana/work/a/.env", "/home/ana/.env:7"), workspace()) == [
        Place(".env", 2), Place("a/.env", None),
    ]  # fmt: skip
    monkeypatch.delenv("GITHUB_WORKSPACE")
    assert workspace() == ()


def test_a_record_of_a_log_file_is_at_its_first_line_and_one_of_a_container_in_no_file() -> None:
    file = seen_record("/o/worker.log", Record((12, 14), None, "ERROR", "CUDA error"))
    container = seen_record("worker", Record((12, 14), None, "ERROR", "CUDA error"))
    assert (file.where, container.where) == ("/o/worker.log lines 12-14", "worker lines 12-14")
    told = failed(Cause.GPU_UNAVAILABLE, "m", evidence=[file, container], remedy=[Step("s")])
    assert places(told, ("/o",)) == [Place("worker.log", 12)]
    assert container.location == Location(container="worker", line=12, last_line=14)


@pytest.mark.parametrize(
    ("where", "location"),
    [
        ("/srv/ot/.env:5", Location("/srv/ot/.env", line=5)), ("~/ot/.env", Location("~/ot/.env")),
        ("the environment of worker", None),
        ("/srv/odd:0", Location("/srv/odd:0")), ("/srv/a:b:7", Location("/srv/a:b", line=7)),
        ("/srv/x:" + "9" * 40, Location("/srv/x:" + "9" * 40)),
        (Location("/srv/odd:5"), Location("/srv/odd:5")), (Location(container="worker"), Location(container="worker")),
    ],
)  # fmt: skip
def test_where_something_was_seen_is_a_text_or_a_location(where: str | Location, location: Location | None) -> None:
    seen = Seen("host", where, "t")
    assert (seen.where, seen.location) == (str(where), location)
    assert replace(seen, text="other").location == location
