"""Who has no Docker engine is told at the end how much was not tried, in one sentence, also where several processes ran it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_end_says_how_many_tests_had_no_engine(processes: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", processes, "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'run'}"]
    environ = {name: value for name, value in os.environ.items() if name not in ("OT_DOCTOR_REQUIRE_ENGINE", "PYTEST_ADDOPTS")}
    environ = {name: value for name, value in environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [*command, "tests/test_readme.py"], cwd=ROOT, env={**environ, "OT_DOCTOR_PARTS": str(tmp_path)}, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    *_, said, result = done.stdout.splitlines()
    assert said == "1 test with a real Docker engine skipped. On Debian or Ubuntu, this brings one: sudo tests/parts/install.sh"
    assert result.startswith("2 passed, 1 skipped in")
