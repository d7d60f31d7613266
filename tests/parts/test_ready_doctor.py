"""The command by a fork says what the console script says."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.parts import ready_doctor

ENVIRON = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The runs that were real starts."""
    runs: list[tuple[str, ...]] = []
    real = ready_doctor.script

    def noting(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
        runs.append(arguments)
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ready_doctor, "script", noting)
    return runs


@pytest.mark.parametrize("arguments", [("explain", "disk-full"), ("--version",), ("--frobnicate",), ("--dir", "nowhere")])
def test_it_says_the_same(arguments: tuple[str, ...], tmp_path: Path) -> None:
    environ = ENVIRON | {"HOME": str(tmp_path), "COLUMNS": "70"}
    by_script = ready_doctor.script(*arguments, cwd=tmp_path, env=environ)
    by_fork = ready_doctor.run(*arguments, cwd=tmp_path, env=environ)
    assert (by_fork.returncode, by_fork.stdout, by_fork.stderr) == (by_script.returncode, by_script.stdout, by_script.stderr)


def test_each_run_has_its_own_folder_environment_and_input(tmp_path: Path, started: list[tuple[str, ...]]) -> None:
    read = ready_doctor.run("--logs", "-", cwd=tmp_path, env=ENVIRON | {"OT_DOCTOR_FORMAT": "json"}, input="a line\n")
    assert read.returncode == 3 and read.stdout.startswith("{")
    ran = ready_doctor.run("--logs", "x.log", cwd=tmp_path, env=ENVIRON)
    assert ran.returncode == 2 and f"{tmp_path}/x.log" in ran.stderr and ran.stdout == ""
    assert not started


def test_what_the_interpreter_or_the_hub_client_reads_at_its_start_is_a_real_start(
    tmp_path: Path, started: list[tuple[str, ...]]
) -> None:
    for name, value in {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "LANG": "C", "HF_HUB_OFFLINE": "1"}.items():
        assert ready_doctor.run("--version", cwd=tmp_path, env=ENVIRON | {name: value}).returncode == 0
    assert len(started) == 4


def test_a_run_that_does_not_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "slow.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(subprocess.TimeoutExpired):
        ready_doctor.run("list", "--checks-dir", "checks", cwd=tmp_path, env=ENVIRON, timeout=0.5)
    assert ready_doctor.run("--version", cwd=tmp_path, env=ENVIRON).returncode == 0


def test_a_run_that_goes_on_has_a_number_and_its_own_streams_and_is_watched(tmp_path: Path) -> None:
    readable, writable = os.pipe()
    environ = ENVIRON | {"OT_DOCTOR_FORMAT": "json"}
    started = ready_doctor.Started("--logs", "-", cwd=tmp_path, env=environ, streams=(readable, None, None))
    os.close(readable)
    assert started.poll() is None and Path(f"/proc/{started.pid}").exists()
    with pytest.raises(subprocess.TimeoutExpired):
        started.wait(0.1)
    assert ready_doctor.run("--version", cwd=tmp_path, env=ENVIRON).returncode == 0, "meanwhile"
    os.write(writable, b"a line\n")
    os.close(writable)
    out, err = started.communicate(60)
    assert started.returncode == 3 and out.startswith("{") and "a line" not in err
    assert 20_000 < started.peak < 300_000


def test_it_is_ended_by_a_signal_or_by_what_is_run_before(tmp_path: Path) -> None:
    started = ready_doctor.Started("list", cwd=tmp_path, env=ENVIRON, before="import time; time.sleep(60)")
    started.kill()
    assert started.wait(10) == -signal.SIGKILL == started.poll()
    started = ready_doctor.Started("list", cwd=tmp_path, env=ENVIRON, before="import os; print('so', flush=True); os._exit(7)")
    assert started.communicate(10) == ("so\n", "") and started.returncode == 7


def test_one_in_a_terminal_is_controlled_by_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    before = f"{ready_doctor.IN_ITS_TERMINAL}; print(os.getsid(0) == os.getpid() == os.tcgetpgrp(0), end='.\\n'); input()"
    started = ready_doctor.Started("--version", cwd=tmp_path, env=ENVIRON, streams=(theirs, theirs, theirs), before=before)
    os.close(theirs)
    assert select.select([ours], [], [], 30)[0] and os.read(ours, 100) == b"True.\r\n", "what is printed comes line by line"
    os.write(ours, b"\n")
    assert started.wait(10) == 0
    os.close(ours)
