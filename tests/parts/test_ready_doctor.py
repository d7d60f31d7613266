"""The command by a fork says what the console script says."""

from __future__ import annotations

import os
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
