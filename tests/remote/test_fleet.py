"""One row a host: what a machine sends is checked and made printable, and one that is silent is no pass."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ot_doctor.check import Cause
from ot_doctor.diagnosis.causes import title
from ot_doctor.remote.fleet import Fleet, Machine, Row, host_of, hosts_of, row_of
from ot_doctor.remote.fleet_formats import FORMATS
from ot_doctor.report.formats import json as json_report
from ot_doctor.sources.ssh import RemoteAnswer, address_of
from tests.report.reports import healthy, one_root_cause

HERE = host_of("ssh://me@srv-a/srv/ot")


def answer(document: Any, code: int = 0, said: str = "") -> RemoteAnswer:
    return RemoteAnswer(document if isinstance(document, bytes) else json.dumps(document).encode(), said, code)


def test_a_report_makes_a_row() -> None:
    row = row_of(HERE, answer(json_report.render(one_root_cause()).encode()))
    assert (row.exit_code, row.release, row.causes) == (1, "v0.4.1", ("env-shadowed",))
    assert row.verdict == title(Cause.ENV_SHADOWED)
    assert row_of(HERE, answer(json_report.render(healthy()).encode())).exit_code == 0


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"Welcome to srv-a!\n",
        b"[1]",
        b"{}",
        {"schema": "other", "exit_code": 0},
        {"schema": "ot-doctor/report/1"},
        {"schema": "ot-doctor/report/1", "exit_code": "0"},
        {"schema": "ot-doctor/report/1", "exit_code": 7},
        b"[" * 100_000,
    ],
)
def test_what_is_no_report_is_no_pass(document: Any) -> None:
    row = row_of(HERE, answer(document, said="bash: oops\n"))
    assert (row.exit_code, row.report) == (3, None)
    assert "bash: oops" in row.verdict


def test_what_a_machine_sends_steers_no_terminal_and_makes_no_markup() -> None:
    evil = {
        "schema": "ot-doctor/report/1",
        "exit_code": 1,
        "deployment": {"version": "\x1b[31mv1|<b>"},
        "diagnosis": [{"cause": "a\x1b]52;c;x\x07b", "title": "<script>alert(1)</script> [x](http://e)\x1b[2J"}, "no object", 7],
        "summary": "none",
    }
    fleet = Fleet(datetime.now(timezone.utc), 1.0, (row_of(HERE, answer(evil)),))
    for name, render in FORMATS.items():
        page = render(fleet, 80)
        assert "\x1b" not in page and "\x07" not in page, name
        assert name not in ("html", "markdown") or "<script>" not in page
    assert json.loads(FORMATS["json"](fleet, 80))["hosts"][0]["exit_code"] == 1


def test_the_json_is_as_its_schema_says() -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs" / "fleet.schema.json").read_text(encoding="utf-8"))
    rows = (
        row_of(HERE, answer(json_report.render(one_root_cause()).encode())),
        row_of(HERE, answer(b"", said="Permission denied")),
        Row(HERE, 3, "It could not be reached.", "Name its port."),
    )
    document = json.loads(FORMATS["json"](Fleet(datetime.now(timezone.utc), 1.0, rows), 80))
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(document)
    assert [host["reached"] for host in document["hosts"]] == [True, False, False]
    assert not validator.is_valid({**document, "exit_code": 7}) and not validator.is_valid({**document, "hosts": [{}]})


def test_the_worst_comes_first_and_decides() -> None:
    def row(name: str, code: int) -> Row:
        return Row(Machine(name, address_of(f"ssh://{name}")), code, "x")

    codes = [0, 3, 1]
    fleet = Fleet(datetime.now(timezone.utc), 1.0, tuple(row(f"h{code}", code) for code in codes))
    assert fleet.exit_code == 1
    assert Fleet(fleet.started_at, 1.0, fleet.rows[:2]).exit_code == 3
    assert Fleet(fleet.started_at, 1.0).exit_code == 3, "nothing was looked at"


@pytest.mark.parametrize(
    "text",
    [
        "http://a",
        "ssh://",
        "ssh://a:b@c",
        "ssh://-oProxyCommand=x",
        "ssh://-l@a",
        "ssh://a/x?y",
        "ssh://a b",
        "ssh://a/x%1b[2J",
        "ssh://a:port",
    ],
)
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        address_of(text)


def test_an_address() -> None:
    found = address_of("ssh://me@srv-a:2222/srv/open%20transcribe")
    assert (found.user, found.host, found.port, found.folder) == ("me", "srv-a", 2222, "/srv/open transcribe")
    assert (address_of("ssh://srv-a").port, address_of("ssh://srv-a/").folder) == (0, "")


def test_an_inventory() -> None:
    path = Path("hosts.toml")
    hosts = hosts_of(path, {"host": [{"address": "ssh://a/srv/ot", "name": "first"}, {"address": "ssh://me@b"}]})
    assert [host.name for host in hosts] == ["first", "me@b"]
    cases: tuple[dict[str, Any], ...] = (
        {},
        {"host": []},
        {"host": [{}]},
        {"host": ["a"]},
        {"host": [{"address": 1}]},
        {"host": [], "x": 1},
        {"host": [{"address": "ssh://a", "password": "x"}]},
    )
    for wrong in cases:
        with pytest.raises(ValueError, match=r"hosts\.toml"):
            hosts_of(path, wrong)
