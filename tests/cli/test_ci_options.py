"""Files of options, suppressions, ``--require`` and ``--wait``, as somebody meets them who runs the program."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.parts import ready_doctor
from tests.parts.models import v04_cache

pytestmark = pytest.mark.slow

TOKEN = "hf_" + "CiOpTiOnToKeN12345678" + "CiOpTiOnToKeN"
COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n    env_file: .env\n"
LOCAL = "offline = true\nno-docker = true\n"
SUPPRESS = '[[suppress]]\ncheck = "token-exposure"\nsubject = "*/.env"\nreason = "nobody else is here"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation whose ``.env`` others can read, which is a warning."""
    installed = tmp_path / "ot"
    installed.mkdir()
    (installed / "docker-compose.yml").write_text(COMPOSE)
    (installed / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nMIN_SPEAKERS=1\nMAX_SPEAKERS=20\n")
    (installed / ".env").chmod(0o644)
    v04_cache(installed / "models")
    (installed / ".ot-doctor.toml").write_text(LOCAL)
    return installed


def environ(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "DOCKER_HOST": f"unix://{folder}/none.sock"}


def doctor(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    done = ready_doctor.run(*arguments, cwd=folder, env={**environ(folder), **more}, timeout=90)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return done


def report(folder: Path, *arguments: str) -> dict[str, Any]:
    done = doctor(folder, "--format", "json", *arguments)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode
    return document


def check(document: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((found for found in document["checks"] if found["name"] == name), None)


def test_a_suppressed_warning_does_not_count(folder: Path) -> None:
    assert report(folder, "--strict")["exit_code"] == 1
    (folder / ".ot-doctor.toml").write_text(LOCAL + SUPPRESS)
    document = report(folder, "--strict")
    assert document["exit_code"] == 0
    found = check(document, "token-exposure")
    assert found and found["status"] == "skip"
    assert found["findings"][0]["message"].startswith("suppressed: nobody else is here (was: warn, token-exposed: ")
    judged = check(document, "suppressions")
    assert judged and judged["status"] == "pass"


def test_an_expired_suppression_counts_as_a_warning_and_so_does_what_it_hid(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_text(f"{LOCAL}{SUPPRESS}until = 2026-01-31\n")
    document = report(folder, "--strict")
    assert (document["exit_code"], document["summary"]["warn"]) == (1, 2)
    assert "ended on 2026-01-31" in " ".join(doctor(folder).stdout.split())


def test_a_suppression_of_what_is_gone_is_a_warning(folder: Path) -> None:
    (folder / ".env").chmod(0o600)
    (folder / ".ot-doctor.toml").write_text(LOCAL + SUPPRESS)
    judged = check(report(folder), "suppressions")
    assert judged and judged["status"] == "warn"


def test_without_suppressions_nothing_is_said_of_them(folder: Path) -> None:
    document = report(folder)
    assert check(document, "suppressions") is None and check(document, "required-families") is None


def test_a_suppressed_failure_is_no_diagnosis(folder: Path) -> None:
    (folder / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nMIN_SPEAKERS=9\nMAX_SPEAKERS=2\n")
    assert report(folder)["diagnosis"][0]["cause"] == "speakers-config"
    (folder / ".ot-doctor.toml").write_text(f'{LOCAL}[[suppress]]\ncheck = "speaker-limits"\nreason = "a test"\n')
    document = report(folder)
    assert (document["exit_code"], document["diagnosis"]) == (0, [])


@pytest.mark.parametrize("how", ["the command line", "the file"])
def test_a_required_family_that_was_switched_off_is_a_failure(folder: Path, how: str) -> None:
    assert report(folder)["exit_code"] == 0
    if how == "the file":
        (folder / ".ot-doctor.toml").write_text(f'{LOCAL}require = ["access", "env"]\n')
    document = report(folder, *(["--require", "access", "--require", "env"] if how == "the command line" else []))
    assert document["exit_code"] == 1 and document["diagnosis"] == []
    verdict = check(document, "required-families")
    assert verdict and [finding["status"] for finding in verdict["findings"]] == ["unknown", "pass"]
    shown = doctor(folder, "--require", "access").stdout
    assert "access is required (--require), and none of its checks looked at anything" in " ".join(shown.split())


def test_a_required_family_that_was_checked_is_fine(folder: Path) -> None:
    assert report(folder, "--require", "env", "--require", "speakers")["exit_code"] == 0


def test_an_engine_that_does_not_answer_is_a_failure_where_the_worker_is_required(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_text("offline = true\n")
    assert report(folder)["exit_code"] == 3
    assert report(folder, "--require", "worker")["exit_code"] == 1
    assert report(folder, "--require", "speakers")["exit_code"] == 3
    assert report(folder, "--require", "worker", "--fail-on", "never")["exit_code"] == 3


@pytest.mark.parametrize("text", ["ofline = true", "[[suppress]]", "timeout = 0", 'ignore = ["token-rol"]', "= ="])
def test_a_file_that_is_wrong_is_wrong_usage_in_one_sentence(folder: Path, text: str) -> None:
    (folder / ".ot-doctor.toml").write_text(text)
    done = doctor(folder)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("ot-doctor: ") and ".ot-doctor.toml" in done.stderr
    assert report(folder)["error"] is not None


def test_the_file_may_choose_the_format_also_of_an_error(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_text(f'{LOCAL}format = "json"\n')
    assert json.loads(doctor(folder).stdout)["exit_code"] == 0
    wrong = doctor(folder, "--select", "no-such-check")
    assert (json.loads(wrong.stdout)["exit_code"], wrong.returncode) == (2, 2)
    assert doctor(folder, "--format", "text").stdout.startswith("ot-doctor ")


def test_a_file_writes_reports_beside_itself_wherever_the_user_stands(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_text(f'{LOCAL}output = ["doctor.json"]\n')
    (folder / "below").mkdir()
    done = doctor(folder / "below", HOME=str(folder))
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "doctor.json").read_text())["exit_code"] == 0
    assert not list((folder / "below").iterdir())


def test_code_beside_an_installation_is_not_run(folder: Path) -> None:
    (folder / "evil").mkdir()
    (folder / "evil" / "evil.py").write_text(f"open({str(folder / 'it-ran')!r}, 'w')")
    (folder / ".ot-doctor.toml").write_text('checks-dir = ["evil"]\n')
    for arguments in ([], ["--config", ".ot-doctor.toml"], ["explain", "token-role"], ["list"]):
        doctor(folder, *arguments)
    assert not (folder / "it-ran").exists()


def test_a_wait_that_is_over_ends_with_the_last_report(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_text("offline = true\n")
    began = time.monotonic()
    document = report(folder, "--wait", "8s")
    assert document["exit_code"] == 3
    assert time.monotonic() - began >= 1  # a second run was made, after a pause


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wait", "soon"), "'soon' is not a duration: use 5m, 90s, 1h or 1h30m."),
        (("--wait", "5m", "--logs", "-"), "--wait cannot read standard input again and again"),
        (("--wait", "5m", "--select", "no-such-check"), "There is no check or family 'no-such-check'"),
        (("--require", "tokens"), "There is no family 'tokens'. Did you mean token?"),
    ],
)
def test_wrong_usage_is_not_waited_for(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    done = doctor(folder, *arguments)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def test_an_interrupted_wait_prints_nothing_half(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_text("offline = true\n")
    running = ready_doctor.Started("--wait", "10m", "--format", "json", cwd=folder, env=environ(folder))
    time.sleep(3)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(30)
    *waited, said = err.strip().splitlines()
    assert (running.returncode, out, said) == (130, "", "ot-doctor: interrupted")
    assert waited and all(line.startswith("Waiting: ") and line.endswith(" s.") for line in waited if line)


def test_a_terminal_shows_what_is_waited_for(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_text("offline = true\n")
    ours, theirs = pty.openpty()
    running = ready_doctor.Started("--wait", "8s", cwd=folder, env=environ(folder), streams=(None, None, theirs))
    os.close(theirs)
    out, _ = running.communicate(60)
    shown = ""
    while select.select([ours], [], [], 0.5)[0]:
        try:
            shown += os.read(ours, 65536).decode()
        except OSError:  # the other side is closed
            break
    os.close(ours)
    assert "Waiting: " in shown and "could not be checked and " in shown and "Next try in 1 s." in shown
    told = re.split(r"\r\n|\x1b\[K", shown)  # a line each, which stays; what a run waits for is taken away again
    assert told[-1] == "" and "waiting" not in out.lower()
