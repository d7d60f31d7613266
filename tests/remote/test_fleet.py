"""One row a host: what a machine sends is checked and made printable, and one that is silent is no pass."""

from __future__ import annotations

import json
import socket
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ot_doctor.check import Cause
from ot_doctor.diagnosis.causes import title
from ot_doctor.remote.fleet import Fleet, Machine, Row, host_of, hosts_of, row_of, told_apart
from ot_doctor.remote.fleet_formats import FORMATS
from ot_doctor.report.formats import json as json_report
from ot_doctor.sources.sent_file import RemoteAnswer
from ot_doctor.sources.ssh import address_of
from tests.remote.sshd import Sshd, free_port
from tests.report.reports import healthy, one_root_cause

SCHEMA = Path(__file__).parents[2] / "docs" / "fleet.schema.json"
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
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
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


def test_machines_are_told_apart() -> None:
    two = [host_of("ssh://me@b/srv/one"), host_of("ssh://me@b/srv/two"), host_of("ssh://a", "first")]
    assert [host.name for host in told_apart(two)] == ["me@b/srv/one", "me@b/srv/two", "first"]
    with pytest.raises(ValueError, match="ssh://a is named twice"):
        told_apart([host_of("ssh://a"), host_of("ssh://b"), host_of("ssh://a", "again")])
    with pytest.raises(ValueError, match="two machines are called 'x'"):
        told_apart([host_of("ssh://a", "x"), host_of("ssh://b", "x")])


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


# -- over a real ssh ---------------------------------------------------------------------------------------------------------


@pytest.mark.engine  # sshd comes with the engine's parts
def test_ten_hosts_of_which_two_are_dead_within_one_deadline(sshd: Sshd, tmp_path: Path) -> None:
    """On the eight others, what stands in for a Python says that all is well: eight doctors would take this machine long."""
    sshd.answer.write_text(json_report.render(healthy()))
    usual = sshd.config.read_text()
    aliases = f"Host srv-*\n HostName 127.0.0.1\n Port {sshd.ports['quick']}\n{usual}"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        addresses = {f"srv-{number}": f"ssh://srv-{number}/srv/ot" for number in range(1, 9)}
        addresses |= {"refuses": f"ssh://127.0.0.1:{free_port()}", "is silent": f"ssh://127.0.0.1:{silent.getsockname()[1]}"}
        inventory = tmp_path / "hosts.toml"
        hosts = [f'[[host]]\nname = "{name}"\naddress = "{address}"\n' for name, address in addresses.items()]
        inventory.write_text("\n".join(hosts))
        sshd.config.write_text(aliases)
        began = time.monotonic()
        try:
            done = sshd.doctor("fleet", "-i", str(inventory), "--jobs", "8", "--timeout", "10", "--format", "json")
        finally:
            sshd.config.write_text(usual)
    took = time.monotonic() - began
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
    assert done.returncode == document["exit_code"] == 3, "neither a pass nor a failure"
    dead = {host["name"]: host["verdict"] for host in document["hosts"] if not host["reached"]}
    assert list(dead) == [host["name"] for host in document["hosts"]][:2], "the worst come first"
    assert "Connection refused" in dead["refuses"] and "timed out" in dead["is silent"]
    assert [host["exit_code"] for host in document["hosts"]] == [3, 3, *[0] * 8]
    # ssh gives the silent one up after 10 s; the run's own deadline is a minute.
    assert took < 10 + 8


@pytest.mark.engine
def test_a_fleet_says_of_a_machine_what_the_machine_says(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services:\n  celery-worker:\n    image: x\n    env_file: .env\n")
    (tmp_path / ".env").write_text("HUGGINGFACE_TOKEN=\n")
    hosts = [word for kind in ("plain", "bare") for word in ("--host", sshd.address(kind, tmp_path))]
    done = sshd.doctor("fleet", *hosts, "--offline", "--probe", "off", "--format", "json")
    document = json.loads(done.stdout)
    whole, engine = document["hosts"]
    assert done.returncode == document["exit_code"] == whole["exit_code"] == 1, "a broken machine is worse than what is not known"
    assert whole["causes"] == ["token-missing"] and whole["report"]["deployment"]["dir"] == str(tmp_path)
    assert engine["exit_code"] == 3, "there is nothing that can run the doctor, and no engine"
    assert "Only its Docker engine was examined" in engine["hint"] and whole["hint"] is None
