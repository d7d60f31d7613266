"""``ot-doctor fleet`` and ``--host`` at the command line: inventories, bounds, formats and exit codes. No machine is reached."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import html5lib
import jsonschema
import pytest

from tests.cli.test_commands import SCHEMA as REPORT
from tests.cli.test_commands import Doctor, doctor

__all__ = ["doctor"]

FLEET = json.loads((Path(__file__).parents[2] / "docs" / "fleet.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def dead() -> Iterator[str]:
    """An address at which every connection is refused."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield f"ssh://127.0.0.1:{one.getsockname()[1]}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[host]", "hosts.toml"),
        ("", "must have a table [[host]] for each machine"),
        ("[[host]]\n", "needs an address"),
        ('[[host]]\naddress = "ssh://a"\npassword = "x"\n', "host 1 may have an address and a name"),
        ('retries = 3\n[[host]]\naddress = "ssh://a"\n', "and nothing else"),
        ('[[host]]\naddress = "srv-a"\n', "'srv-a' does not begin with ssh://"),
        ('[[host]]\naddress = "ssh://me:secret@a"\n', "holds a password"),
        ('[[host]]\naddress = "ssh://a"\n[[host]]\naddress = "ssh://a"\nname = "b"\n', "ssh://a is named twice"),
        ('[[host]]\naddress = "ssh://a"\nname = "x"\n[[host]]\naddress = "ssh://b"\nname = "x"\n', "called 'x'"),
        ("\x00", "hosts.toml"),
    ],
)
def test_an_inventory_that_is_wrong(doctor: Doctor, content: str, said: str) -> None:
    (doctor.cwd / "hosts.toml").write_text(content)
    done = doctor("fleet", "-i", "hosts.toml")
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "No machine is named"),
        (("-i", "nowhere.toml"), "does not exist"),
        (("--jobs", "0", "--host", "ssh://a"), "--jobs"),
        (("--jobs", "65", "--host", "ssh://a"), "--jobs"),
        (("--jobs", "many", "--host", "ssh://a"), "--jobs"),
        (("--timeout", "0", "--host", "ssh://a"), "--timeout"),
        (("--format", "table", "--host", "ssh://a"), "--format"),
        (("--host", "ssh://-oProxyCommand=x"), "names no machine"),
    ],
)
def test_a_command_line_that_is_wrong(doctor: Doctor, arguments: tuple[str, ...], said: str) -> None:
    done = doctor("fleet", *arguments)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "html"])
def test_a_machine_that_is_not_reached_has_a_row_in_each_format(doctor: Doctor, dead: str, format_: str) -> None:
    (doctor.cwd / "hosts.toml").write_text(f'[[host]]\naddress = "{dead}"\nname = "srv-a"\n')
    done = doctor("fleet", "-i", "hosts.toml", "--format", format_)
    assert (done.returncode, done.stderr) == (3, "")
    for word in ("srv-a", "Connection refused", "0 of 1 hosts passed, 1 not reached") if format_ != "json" else ("srv-a",):
        assert word in " ".join(done.stdout.split())
    if format_ == "json":
        document = json.loads(done.stdout)
        jsonschema.Draft202012Validator(FLEET).validate(document)
        assert [(host["reached"], host["exit_code"]) for host in document["hosts"]] == [(False, 3)]
    elif format_ == "html":
        page = html5lib.HTMLParser(strict=True).parse(done.stdout)
        spoken = "".join(page.itertext())
        assert "srv-a" in spoken and "Try it by hand" in spoken


def test_one_machine_that_is_not_reached_is_a_document_all_the_same(doctor: Doctor, dead: str) -> None:
    done = doctor("--host", dead, "--format", "json")
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(REPORT).validate(document)
    assert done.returncode == document["exit_code"] == 3
    assert any("Connection refused" in notice for notice in document["notices"])
    assert doctor("--host", dead, "--format", "nagios").returncode == 3
    as_text = doctor("--host", dead)
    assert (as_text.returncode, as_text.stdout) == (3, "") and "Connection refused" in as_text.stderr


def test_several_machines_of_run_are_a_fleet(doctor: Doctor, dead: str) -> None:
    hosts = ("--host", f"{dead}/srv/one", "--host", f"{dead}/srv/two")
    document = json.loads(doctor(*hosts, "--format", "json").stdout)
    assert document["schema"] == "ot-doctor/fleet/1" and len({host["name"] for host in document["hosts"]}) == 2
    assert "--format of several machines must be" in doctor(*hosts, "--format", "junit").stdout
    assert "is named twice" in doctor("--host", dead, "--host", dead).stderr
    assert "--output and --host do not go together" in doctor("--host", dead, "--output", "x.json").stderr
