"""Commands that edit a file, as they are printed: with several makes of sed, on links and odd paths, pasted twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ot_doctor.check import Risk
from ot_doctor.evidence import CacheAccess, ComposeLabels, Denied, Unavailable
from ot_doctor.evidence.deployment import ComposeProgram
from ot_doctor.testing import problems_of_command, risk_of_command
from ot_doctor_checks._remedies import ALONE, comment_out, edited, own_cache, recreate, without_characters
from ot_doctor_checks._worker_remedies import start_again
from tests.checks.evidence import ENGINE, deployment, env_file, worker, workers

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

NO_PULL = "--no-deps --no-build"


@pytest.mark.parametrize(
    ("by", "begins", "ends"),
    [
        (ComposeProgram.PODMAN, "podman --url unix:///p.sock compose -p opentranscribe --project-directory /srv/ot ", ALONE),
        (ComposeProgram.STANDALONE, "DOCKER_HOST=unix:///p.sock docker-compose -p opentranscribe --project-directory ", ALONE),
        (ComposeProgram.PODMAN_COMPOSE, "CONTAINER_HOST=unix:///p.sock podman-compose -p opentranscribe -f ", NO_PULL),
    ],
)
def test_the_program_that_made_a_stack_of_podmans_recreates_it(by: ComposeProgram, begins: str, ends: str) -> None:
    made = deployment(podman=True, compose_by=by, endpoint="unix:///p.sock", docker_host="unix:///p.sock")
    command = recreate(made, workers()).command or ""
    assert command.startswith(begins) and command.endswith(f"up -d --force-recreate {ends} celery-worker"), command
    assert problems_of_command(command) == () and risk_of_command(command) is Risk.RESTARTS


def test_podmans_own_socket_needs_no_address() -> None:
    own = deployment(podman=True, compose_by=ComposeProgram.PODMAN_COMPOSE, endpoint="unix:///p.sock")
    assert (recreate(own, workers()).command or "").startswith("podman-compose -p opentranscribe -f ")
    assert own.docker("logs x") == "podman logs x"


@pytest.mark.parametrize(("owner", "shown"), [("1001:1001", "1001:1001"), ("", "$(id -u):$(id -g)")])
def test_a_folder_of_nobodys_is_given_to_the_rootless_engines_user_first(owner: str, shown: str) -> None:
    denied = Denied("/srv/ot/m", "/m", "write", "65534", "drwxr-xr-x", unmapped=True)
    access = CacheAccess("asked in the container", "appuser (1000)", 1000, True, False, (denied,))
    rootless = worker(engine=replace(ENGINE, rootless=True, owner=owner))
    step = own_cache(deployment(), rootless, access, "/srv/ot/m")
    assert (step.command or "").startswith(f"sudo chown -hR {shown} /srv/ot/m && docker run --rm ")
    assert step.action is None, "fix has no sudo"
    mapped = replace(access, denied=(replace(denied, unmapped=False),))
    assert (own_cache(deployment(), rootless, mapped, "/srv/ot/m").command or "").startswith("docker run --rm ")


def test_a_swarms_task_is_started_again_by_the_swarm() -> None:
    task = worker("ot.1.x", status="exited", compose=ComposeLabels(stack="ot", swarm_service="ot_celery-worker"))
    steps = start_again(task, deployment())
    assert [step.command for step in steps] == [
        "docker service ps --no-trunc ot_celery-worker", "docker service update --force --detach ot_celery-worker",
        "docker service logs --tail 50 ot_celery-worker",
    ]  # fmt: skip
    assert not any(step.action for step in steps)


def test_a_container_beside_one_with_user_ids_of_its_own_has_the_same() -> None:
    access = CacheAccess("asked in the container", "appuser (1000)", 1000, True, False)
    step = own_cache(deployment(podman=True), worker(own_users=True), access, "/srv/ot/m")
    assert f" --userns container:{worker().name} --user 0:0 " in (step.command or "")
