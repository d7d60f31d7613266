from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Finding, Seen, Step, failed
from ot_doctor.report.file_locations import Place, places, workspace


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
