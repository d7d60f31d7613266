"""``ot-doctor facts`` as a user starts it: formats, exit codes, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.cli.test_commands import TOKEN, Doctor, broken, doctor, installed, refused  # noqa: F401

pytestmark = pytest.mark.slow

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "facts.schema.json").read_text(encoding="utf-8"))


def test_all_formats_say_the_same_and_no_secret(installed: Doctor) -> None:  # noqa: F811
    with (installed.cwd / ".env").open("a") as env:
        env.write("REDIS_PASSWORD=Tr0ub4dor&3xyz\nHTTPS_PROXY=http://ana:Gheim7nis@proxy:3128\n")
    environ = {"HTTPS_PROXY": "http://ana:Gheim7nis@proxy:3128"}
    done = {name: installed("facts", "--format", name, **environ) for name in ("text", "json", "markdown")}
    document = json.loads(done["json"].stdout)
    jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(document)
    titles = [section["title"] for section in document["sections"]]
    assert titles[0] == "Versions" and "Model cache" in titles
    for name, one in done.items():
        assert one.returncode == 0 and one.stderr == "", (name, one.stderr)
        assert all(title in one.stdout for title in titles), name
        assert "pyannote/speaker-diarization-community-1" in one.stdout and "proxy:3128" in one.stdout
        assert not [secret for secret in (TOKEN[3:], "Tr0ub4dor", "Gheim7nis") if secret in one.stdout], name
    assert done["markdown"].stdout.startswith("## Facts\n") and "| What | What is so |" in done["markdown"].stdout


def test_it_judges_nothing_and_says_why_something_is_not_known(installed: Doctor) -> None:  # noqa: F811
    broken(installed)
    done = installed("facts", "--format", "json")
    sections = {section["title"]: section for section in json.loads(done.stdout)["sections"]}
    assert done.returncode == 0
    assert (sections["Engine"]["facts"], sections["Engine"]["missing"]) == ([], "Docker checks are off (--no-docker).")
    assert sections["Hub"]["facts"] or sections["Hub"]["missing"]


def test_wrong_usage_is_exit_code_2(installed: Doctor, doctor: Doctor) -> None:  # noqa: F811
    assert "'yaml' is not one of" in refused(installed("facts", "--format", "yaml"))
    assert "no-such-folder" in refused(installed("facts", "--dir", "no-such-folder"))


def test_where_there_is_no_installation_it_is_said_in_one_document(doctor: Doctor) -> None:  # noqa: F811
    environ = {"OT_DOCTOR_OFFLINE": "1", "OT_DOCTOR_NO_DOCKER": "1"}
    done = doctor("facts", **environ)
    assert (done.returncode, done.stdout) == (2, "") and "No OpenTranscribe installation was found." in done.stderr
    done = doctor("facts", "--format", "json", **environ)
    assert done.returncode == 2 and json.loads(done.stdout)["error"]


def test_strict_hides_places_and_ascii_is_ascii(installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / "docker-compose.yml").write_text((installed.cwd / "docker-compose.yml").read_text() + "# é\n")
    strict = installed("facts", "--redact", "strict").stdout
    installed("--redact", "strict", "--output", "strict.html")
    for shown in (strict, (installed.cwd / "strict.html").read_text()):
        assert str(installed.cwd) not in shown and installed.cwd.parent.name not in shown
    plain = installed("facts", "--ascii").stdout
    assert plain.isascii() and str(installed.cwd) in plain
