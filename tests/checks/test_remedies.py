"""Commands that edit a file, as they are printed: with several makes of sed, on links and odd paths, pasted twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.check import Risk
from ot_doctor.evidence import CacheAccess, ComposeLabels, Denied, EnvFile, EnvProblem, Unavailable
from ot_doctor.evidence.deployment import ComposeProgram
from ot_doctor.testing import problems_of_command, risk_of_command
from ot_doctor_checks import _cache_remedies, env_readable, token_exposure
from ot_doctor_checks._cache_remedies import copy_from_elsewhere, remove_model
from ot_doctor_checks._remedies import ALONE, comment_out, edited, own_cache, recreate, without_characters
from ot_doctor_checks._worker_remedies import start_again
from tests.checks.evidence import ENGINE, cache, cached_model, deployment, env_file, worker, workers
from tests.scenarios.forms import forms_of

BUSYBOX = Path(__file__).parents[2] / ".parts" / "root" / "busybox"
TEXT = "A=1\nHUGGINGFACE_TOKEN=x\n\tHUGGINGFACE_TOKEN =\nüß=\xa0\n"


def tools(make: str, folder: Path) -> dict[str, str]:
    """The variables of a shell that finds these tools first."""
    if make == "busybox":
        program = BUSYBOX if BUSYBOX.exists() else shutil.which("busybox")
        if not program:
            pytest.skip("busybox is one of the parts of the test engine, which are not here")
        folder.mkdir()
        for name in ("sed", "tr", "mktemp", "cat", "rm", "cmp", "cp", "mv", "rmdir", "mkdir", "chmod", "chown", "tar"):
            (folder / name).symlink_to(program)
    folder.mkdir(exist_ok=True)
    (folder / "sudo").write_text('#!/bin/sh\nexec "$@"\n')  # whoever runs the test may do it
    (folder / "sudo").chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder.parent)}


def _env(folder: Path, **changes: Any) -> EnvFile:
    """With what is beside it; the file is there unless the test says otherwise."""
    path = folder / "a b's" / ".env"
    path.parent.mkdir()
    path.write_text(TEXT)
    path.chmod(0o644)
    path.with_name(".env.example").write_text("A=2\n")
    return env_file(TEXT, **{"path": path, "template": str(path.with_name(".env.example")), **changes})


def _of_no_file(folder: Path, problem: EnvProblem, **changes: Any) -> str:
    env = _env(folder, problem=problem, **changes)
    if problem in (EnvProblem.MISSING, EnvProblem.FOLDER):
        env.path.unlink()
    if problem is EnvProblem.FOLDER:
        env.path.mkdir()
    return str(env_readable._remedy(env)[0].command)


def _chmod(folder: Path) -> str:
    env = env_file(path=_env(folder).path, mode=0o644)
    return str(next(token_exposure._file(env, workers(), deployment())).remedy[0].command)


def _chown(folder: Path) -> str:
    (folder / "models").mkdir()
    os.utime(folder / "models", (1, 1))
    uid = 1234 if os.geteuid() == 0 else os.getuid()
    return str(own_cache(deployment(), None, replace(cache().access, uid=uid), str(folder / "models")).command)


def _rm(folder: Path) -> str:
    (model := folder / "models--a--b").mkdir()
    return str(remove_model(deployment(), None, cache(), cached_model("a/b", [], path=str(model))).command)


def _unpack(folder: Path) -> str:
    """What was packed on a connected machine."""
    packed = folder / "connected"
    (packed / "models--a--b").mkdir(parents=True)
    subprocess.run(["tar", "-C", packed, "-czf", f"{packed}.tar.gz", "models--a--b"], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cache_remedies, "_CONNECTED", str(packed))
        root = replace(cache().root, path=str(folder / "hub"))
        return str(copy_from_elsewhere(cache(root=root), [cached_model("a/b", [])])[1].command)


PASTED: Mapping[str, Callable[[Path], str]] = {
    "chmod": _chmod,
    "tr": lambda folder: str(without_characters(_env(folder), "Delete.", "\\011").command),
    "cp": lambda folder: _of_no_file(folder, EnvProblem.MISSING),
    "rmdir, cp": lambda folder: _of_no_file(folder, EnvProblem.FOLDER),
    "mv, cp": lambda folder: _of_no_file(folder, EnvProblem.TOO_LARGE),
    "rmdir": lambda folder: _of_no_file(folder, EnvProblem.FOLDER, template=""),
    "mv": lambda folder: _of_no_file(folder, EnvProblem.TOO_LARGE, template=""),
    "sudo sed, comment out": lambda folder: str(comment_out(_env(folder, editable=False), {1: "A"}, "").command),
    "sudo chown": _chown,
    "sudo rm": _rm,
    "sudo mkdir, tar": _unpack,
}


def _tree(folder: Path) -> object:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_uid, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("make", ["the system's", "busybox"])
@pytest.mark.parametrize("form", PASTED)
def test_a_command_that_no_scenario_prints_is_pasted_twice(tmp_path: Path, form: str, make: str) -> None:
    environ, here = tools(make, tmp_path / "tools"), tmp_path / "here"
    here.mkdir()
    command = PASTED[form](here)
    assert forms_of(command) == [form]
    before = _tree(here)
    subprocess.run(["sh", "-c", command], check=True, env=environ, cwd="/")
    after = _tree(here)
    assert after != before or (form == "sudo chown" and os.geteuid() != 0)
    subprocess.run(["sh", "-c", command], check=True, env=environ, cwd="/")
    assert _tree(here) == after


@pytest.mark.parametrize("make", ["the system's", "busybox"])
@pytest.mark.parametrize("name", [".env", 'a b\'s $(x) "q"/.env'])
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
