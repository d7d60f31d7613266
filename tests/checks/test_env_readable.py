from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import ComposeConfig, ComposeService, EnvFile, EnvProblem, Refusal, Unavailable
from ot_doctor_checks.env_readable import env_readable
from tests.checks.evidence import COMPOSE_PATH, compose, deployment, env_file, everything_said, only, worker, workers


def judge(env: EnvFile, *, files: ComposeConfig | None = None) -> Finding:
    return only(env_readable, env, deployment(), workers(), files or Unavailable("none"))


def broken(problem: EnvProblem, text: str = "", line: int | None = None, **changes: Any) -> EnvFile:
    changes |= {"encoding": "UTF-16"} if problem is EnvProblem.UTF16 else {}
    return env_file("", problem=problem, problem_text=text, problem_line=line, **changes)


def test_it_can_be_read() -> None:
    finding = judge(env_file("A=1\nB=2\n"))
    assert finding.status is Status.PASS and "2 settings" in finding.message


@pytest.mark.parametrize(
    "problem, said, command",
    [
        (EnvProblem.MISSING, "There is no /srv/ot/.env", "(umask 077; cp /srv/ot/.env.example /srv/ot/.env)"),
        (EnvProblem.FOLDER, "is a folder. Docker creates one", "rmdir /srv/ot/.env && (umask 077; cp"),
        (EnvProblem.UTF16, "is written in UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (EnvProblem.TOO_LARGE, "is too large", "mv /srv/ot/.env /srv/ot/.env.broken && (umask 077; cp"),
    ],
)
def test_problems(problem: EnvProblem, said: str, command: str) -> None:
    finding = judge(replace(broken(problem), template="/srv/ot/.env.example"))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.ENV_UNREADABLE)
    assert said in finding.message and command in (finding.remedy[0].command or "")


@pytest.mark.parametrize("problem", [EnvProblem.MISSING, EnvProblem.FOLDER, EnvProblem.TOO_LARGE])
def test_no_template_is_named_where_there_is_none(problem: EnvProblem) -> None:
    step = judge(broken(problem)).remedy[0]
    assert ".env.example" not in (step.command or "") and "backup" in step.text


@pytest.mark.parametrize(
    "text, refusal, said",
    [
        ("unterminated quoted value", Refusal.QUOTE, "Close the quote on line 3"),
        ("key cannot contain a space", Refusal.SPACE, "remove a leading 'set'"),
        ('unexpected character "%" in variable name', Refusal.OTHER, "write line 3"),
        ("setenv: invalid argument (a NUL byte)", Refusal.NUL, "Delete the NUL bytes"),
    ],
)
def test_refused_names_the_line_and_the_words(text: str, refusal: Refusal, said: str) -> None:
    finding = judge(broken(EnvProblem.REFUSED, text, 3, refusal=refusal))
    assert finding.status is Status.FAIL and text in finding.message
    assert "line 3" in finding.message and finding.evidence[0].where == "/srv/ot/.env:3"
    assert said in finding.remedy[0].text


def test_refused_without_a_line() -> None:
    assert "because of its content" in judge(broken(EnvProblem.REFUSED, "odd")).message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16le", "utf-16be"])
def test_the_conversion_leaves_a_utf8_file_also_when_it_is_pasted_twice(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "my .env"
    path.write_bytes("HUGGINGFACE_TOKEN=x\n".encode(encoding))
    path.chmod(0o640)
    command = judge(replace(broken(EnvProblem.UTF16, path=path), encoding=encoding.upper())).remedy[0].command or ""
    for _ in range(2):
        subprocess.run(command, shell=True, check=True)
        assert path.read_bytes() == b"HUGGINGFACE_TOKEN=x\n" and path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path], "no copy stays"


@pytest.mark.parametrize("text, refusal, before, after", [
    ("setenv: invalid argument (a NUL byte)", Refusal.NUL, b"A=1\0\nB=2\n", b"A=1\nB=2\n"),
    ("key cannot contain a space", Refusal.SPACE, b"set A=1\nB=2\n", b"A=1\nB=2\n"),
])  # fmt: skip
def test_the_commands_fix_the_line_also_when_they_are_pasted_twice(
    tmp_path: Path, text: str, refusal: Refusal, before: bytes, after: bytes
) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before)
    for _ in range(2):
        finding = judge(broken(EnvProblem.REFUSED, text, 1, path=path, refusal=refusal))
        subprocess.run(finding.remedy[0].command or "", shell=True, check=True)
        assert path.read_bytes() == after


def test_unreadable_for_this_user() -> None:
    env = broken(EnvProblem.UNREADABLE, "/srv/ot/.env: Permission denied", owner=0)
    finding = judge(env)
    assert (finding.status, finding.cause) == (Status.UNKNOWN, Cause.ENV_UNREADABLE)
    assert finding.message == "You are not allowed to read /srv/ot/.env."
    assert [step.command for step in finding.remedy] == ['sudo "$(command -v ot-doctor)" --dir /srv/ot']


def test_missing_and_not_asked_for() -> None:
    services = {"celery-worker": ComposeService("celery-worker", COMPOSE_PATH, 10)}
    by_none = replace(compose(), services=services)
    assert judge(broken(EnvProblem.MISSING), files=by_none).status is Status.SKIP
    assert judge(broken(EnvProblem.MISSING), files=compose()).status is Status.FAIL
    assert judge(broken(EnvProblem.MISSING), files=replace(by_none, problems=("x.yml: not there",))).status is Status.FAIL


def test_without_workers_a_missing_file_fails() -> None:
    finding = only(env_readable, broken(EnvProblem.MISSING), Unavailable("x"), Unavailable("x"), compose())
    assert finding.status is Status.FAIL and worker().name not in everything_said(finding)
