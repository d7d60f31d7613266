"""What ``make run`` shows where there is an installation, where there is none, and where an option is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "docs" / "sample" / "run.sh"
SCRIPT = Path(sys.executable).with_name("ot-doctor")
LAST = "This was the sample. For your own installation: make run DIR=/path/to/opentranscribe"

MakeRun = Callable[..., tuple[list[str], str]]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Runs the script in a folder with nothing in it, where no engine is."""

    def run(*arguments: str, directory: str = "", cwd: Path = tmp_path) -> tuple[list[str], str]:
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "LANG": "C.UTF-8"}
        environ["DOCKER_HOST"] = f"unix://{tmp_path}/none.sock"
        done = subprocess.run(
            ["sh", str(RUN), str(SCRIPT), directory, *arguments], cwd=cwd, env=environ, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.stderr

    return run


def test_without_an_installation_the_sample_is_examined_and_named(make_run: MakeRun, tmp_path: Path) -> None:
    bare = subprocess.run(
        [str(SCRIPT)], cwd=tmp_path, env={"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    lines, _ = make_run("-q")
    assert lines[0] == bare.stderr.splitlines()[0].removesuffix(" One of these helps:"), "the doctor's own sentence is passed on"
    assert any("env-shadowed" in line for line in lines)
    assert lines[-2:] == ["ot-doctor's exit code: 1", LAST]


def test_a_wrong_option_is_no_missing_installation(make_run: MakeRun) -> None:
    lines, said = make_run("--frobnicate")
    assert lines == ["ot-doctor's exit code: 2"] and "--frobnicate" in said


def test_an_installation_is_examined_itself(make_run: MakeRun, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / ".env").write_text("MIN_SPEAKERS=1\n")
    (folder / "docker-compose.yml").write_text("services:\n  celery-worker:\n    image: opentranscribe-backend:v0.4.1\n")
    for lines, _ in (make_run("--offline", directory=str(folder)), make_run("--offline", cwd=folder)):
        assert lines[-1].startswith("ot-doctor's exit code: ") and not any("sample" in line for line in lines)
