"""Commands that edit a file, as they are printed: with several makes of sed, on links and odd paths, pasted twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ot_doctor.evidence import ComposeLabels, Unavailable
from ot_doctor_checks._remedies import comment_out, edited, recreate, without_characters
from tests.checks.evidence import deployment, env_file, worker, workers

BUSYBOX = Path(__file__).parents[2] / ".parts" / "root" / "busybox"
TEXT = "A=1\nHUGGINGFACE_TOKEN=x\n\tHUGGINGFACE_TOKEN =\nüß=\xa0\n"


def tools(make: str, folder: Path) -> dict[str, str]:
    """The variables of a shell that finds these tools first."""
    if make == "busybox":
        program = BUSYBOX if BUSYBOX.exists() else shutil.which("busybox")
        if not program:
            pytest.skip("busybox is one of the parts of the test engine, which are not here")
        folder.mkdir()
        for name in ("sed", "tr", "mktemp", "cat", "rm", "cmp"):
            (folder / name).symlink_to(program)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder.parent)}


@pytest.mark.parametrize("make", ["the system's", "busybox"])
@pytest.mark.parametrize("name", [".env", "a b's $(x) \"q\"/.env"])
def test_an_edit_is_pasted_twice(tmp_path: Path, make: str, name: str) -> None:
    environ = tools(make, tmp_path / "tools")
    path, link = tmp_path / "real" / name, tmp_path / ".env"
    path.parent.mkdir(parents=True)
    path.write_text(TEXT)
    path.chmod(0o640)
    os.link(path, tmp_path / "hard")
    link.symlink_to(path)
    file = env_file(TEXT, path=link, target=path)
    for step in (
        comment_out(file, {3: "HUGGINGFACE_TOKEN", 2: "OTHER", 1: ""}, "Comment out."),
        edited(file, "Write.", ["2s/^[^#]*(HUGGINGFACE_TOKEN).*/\\1=y/"]),
        without_characters(file, "Delete.", "\\011"),
    ):
        for _ in range(2):
            subprocess.run(["sh", "-c", step.command or ""], check=True, env=environ, cwd="/")
    assert path.read_text() == "# A=1\nHUGGINGFACE_TOKEN=y\n# HUGGINGFACE_TOKEN =\nüß=\xa0\n"
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640 and path.samefile(tmp_path / "hard")
    assert not list(tmp_path.glob("tmp.*")) and len(list(path.parent.iterdir())) == 1, "no copy stays"


def test_a_file_that_cannot_be_written_keeps_its_text(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    step = edited(env_file(TEXT, path=path), "Write.", ["2s/x("])
    assert subprocess.run(["sh", "-c", step.command or ""], capture_output=True).returncode
    assert path.read_text() == TEXT


def test_a_swarms_worker_is_deployed_again_and_not_recreated_by_compose() -> None:
    swarm = worker("ot_celery-worker.1.x", compose=ComposeLabels(stack="ot"))
    step = recreate(deployment(), workers(swarm))
    assert step.command == "docker stack deploy -c /srv/ot/docker-compose.yml ot" and step.action is None
    assert "docker stack deploy -c FILE ot" in recreate(Unavailable("gone"), workers(swarm)).text
    assert "stack deploy" not in (recreate(deployment(), workers()).command or "")
