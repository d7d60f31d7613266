from __future__ import annotations

from pathlib import Path

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import AskedEnvFile, Deployment, EnvProblem, Unavailable
from ot_doctor_checks.env_folder import env_folder
from tests.checks.evidence import deployment, env_file, everything_said, only, workers

CLONE = Path("/home/ana/clone two")
ELSEWHERE = deployment(directory=CLONE)


def judge(asked: AskedEnvFile | Unavailable, where: Deployment = ELSEWHERE) -> Finding:
    return only(env_folder, asked, where, workers())


def test_the_same_folder() -> None:
    assert judge(AskedEnvFile(None), deployment()).status is Status.PASS


def test_no_running_stack() -> None:
    assert judge(AskedEnvFile(None), deployment(running_dir=None)).status is Status.SKIP


def test_another_folder_whose_env_differs() -> None:
    keys = tuple(f"KEY_{n}" for n in range(10))
    finding = judge(AskedEnvFile(env_file(), ("HUGGINGFACE_TOKEN", *keys)))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.WRONG_FOLDER)
    assert "/srv/ot" in finding.message and str(CLONE) in finding.message
    assert "HUGGINGFACE_TOKEN, KEY_0" in finding.message and "KEY_9" not in finding.message
    assert "/srv/ot/.env, not in /home/ana/clone two/.env" in finding.remedy[0].text
    assert "--project-directory /srv/ot" in (finding.remedy[1].command or "")
    assert finding.remedy[-1].command == "ot-doctor --dir /srv/ot"


def test_another_folder_without_an_env() -> None:
    finding = judge(AskedEnvFile(env_file("", problem=EnvProblem.MISSING)))
    assert finding.status is Status.FAIL and "its .env is missing" in finding.message


def test_another_folder_where_nothing_differs() -> None:
    finding = judge(AskedEnvFile(env_file()))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.WRONG_FOLDER)
    assert "the settings in both .env files are the same" in finding.message and finding.remedy


def test_another_folder_with_a_link_to_the_same_env() -> None:
    assert "the same .env" in judge(AskedEnvFile(None)).message
    assert judge(Unavailable("not read")).status is Status.WARN


def test_names_with_spaces_are_quoted() -> None:
    finding = judge(AskedEnvFile(env_file()), deployment(running_dir=CLONE))
    assert "ot-doctor --dir '/home/ana/clone two'" in everything_said(finding)
