"""A stack that Podman runs, as root and as an ordinary user: found, examined, and fixed by the commands that are printed.

Root's is made by Docker's Compose at Podman's socket, the ordinary user's by podman-compose.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.parts import models, ready_doctor
from tests.parts.podman import USER, Podman, why_no_podman

from .scenario import APPUSER, DOCTOR, TOKEN, Report, Scenario, World, hub_for

pytestmark = pytest.mark.engine

WORKER = "opentranscribe-celery-worker"


class Stack(World):
    """The world of one Podman."""

    @property
    def podman(self) -> Podman:
        assert isinstance(self.engine, Podman)
        return self.engine

    def own(self, user: int, group: int) -> None:
        """Give the models to a user of the containers."""
        models.own(self.models, (self.podman.on_host(user), self.podman.on_host(group)))

    def up(self) -> None:
        """The worker, made again from the files as they are."""
        program = "podman-compose" if self.podman.rootless else "docker-compose"
        self.engine.run(program, "up", "-d", "--force-recreate", cwd=self.folder, env=self.shell())

    def fixed(self, *allowed: str) -> str:
        """What ``fix`` says when it asks nothing."""
        allow = ("--allow", ",".join(allowed))
        return ready_doctor.run("fix", "--yes", *allow, cwd=self.folder, env=self.shell()).stdout

    def healthy_after(self, report: Report) -> list[str]:
        """After the printed commands, each of which may be pasted twice."""
        commands = [*self.obey(report), *self.obey(report)]
        again = self.report()
        assert again.causes == [], again.summary()
        return commands


@pytest.fixture(scope="module", params=["root", "rootless"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """One Podman, one image and one healthy stack for all tests of a kind; each leaves it healthy."""
    if reason := why_no_podman():
        if os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") == "1":
            pytest.fail(f"OT_DOCTOR_REQUIRE_ENGINE=1, but {reason}")
        pytest.skip(reason)
    with Podman(rootless=request.param == "rootless") as podman, hub_for(None) as hub:
        podman.import_backend("v0.4.1")
        world = Scenario(up=()).build(podman, hub, podman.user_home)
        stack = Stack(podman, hub, world.folder, world.home)
        stack.examined = not podman.rootless  # a bundle and a dry run of one of them are enough
        if podman.rootless:
            models.own(podman.user_home, (USER, USER))
        stack.own(*APPUSER)
        stack.up()
        yield stack


as_root = pytest.mark.parametrize("stack", ["root"], indirect=True)
rootless = pytest.mark.parametrize("stack", ["rootless"], indirect=True)


@pytest.fixture
def empty(stack: Stack) -> Iterator[Stack]:
    """The same without its models, which must be downloaded."""
    shutil.rmtree(stack.models / "huggingface/hub")
    (stack.models / "huggingface/hub").mkdir()
    stack.own(*APPUSER)
    yield stack
    models.v04_cache(stack.models)
    stack.own(*APPUSER)


def test_a_healthy_stack_is_seen_whole(stack: Stack) -> None:
    report = stack.report()
    assert (report.exit_code, report.causes) == (0, []), report.summary()
    assert "Podman 4." in report.text_of("docker-engine")
    assert report.status("last-attempt") == "pass", "the log of the present run has whole seconds"
    assert "seen by the worker itself" in report.text_of("cache-complete")
    told = ready_doctor.run("facts", "--offline", cwd=stack.folder, env=stack.shell()).stdout
    assert ("Podman, rootless" if stack.podman.rootless else "Podman\n") in told, told


@rootless
def test_every_way_in_which_podman_is_named(stack: Stack) -> None:
    """Where the service runs, there is no Docker; its user's own socket is where Podman has it."""
    podman = stack.podman
    podman.podman("system", "connection", "add", "lab", podman.host)
    for environ, found_by in (
        ({"CONTAINER_HOST": podman.host}, "CONTAINER_HOST"),
        ({"CONTAINER_CONNECTION": "lab"}, "the Podman connection 'lab'"),
        ({"XDG_RUNTIME_DIR": str(podman.runtime)}, "Podman's socket"),
    ):
        given = {"HOME": str(podman.user_home), "PATH": os.defpath, "PYTHONUTF8": "1", **environ}
        doctor = [str(DOCTOR), "--dir", str(stack.folder), "--offline", "--select", "docker-engine", "--format", "json"]
        command = podman.inside("env", "-i", *(f"{name}={value}" for name, value in given.items()), *doctor)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        report = Report(json.loads(done.stdout), stack)
        assert f"({found_by})" in report.text_of("docker-engine"), environ
        assert report.document["deployment"]["workers"] == [WORKER]


@rootless
def test_a_worker_that_was_stopped(stack: Stack) -> None:
    stack.podman.podman("stop", "--time", "0", WORKER)
    report = stack.report()
    assert report.causes == ["worker-down"], report.summary()
    assert report.status("cache-complete") == "pass", "Podman follows the links in its archive: none of them dangles"
    assert report.status("cache-permissions") == "unknown", "the owners on the disk are not those that the worker sees"
    commands = stack.healthy_after(report)
    assert any(command.startswith("podman --url") for command in commands), commands


@rootless
def test_a_cache_that_the_worker_cannot_write(empty: Stack) -> None:
    models.own(empty.models, (0, 0))  # the machine's root, whom the user's containers do not have
    report = empty.report()
    assert report.causes == ["cache-permission"], report.summary()
    first = empty.healthy_after(report)[0]
    assert first.startswith(f"sudo chown -hR {USER}:{USER} ") and "podman --url" in first, first
    empty.own(0, 0)
    said = empty.fixed("changes-files")
    assert "Fixed: cache-permission." in said, said


@rootless
def test_a_worker_with_user_ids_of_its_own(empty: Stack) -> None:
    """With 'keep-id' the numbers in it are other users than those in a container beside it."""
    file = empty.folder / "docker-compose.yml"
    text = file.read_text()
    file.write_text(text.replace("network_mode: host", "network_mode: none\n    userns_mode: keep-id"))
    empty.podman.podman("rm", "--force", "--time", "0", WORKER)
    empty.engine.run("docker-compose", "up", "-d", cwd=empty.folder, env=empty.shell())
    report = empty.report()
    assert report.causes == ["cache-permission"], report.summary()
    command = empty.healthy_after(report)[0]
    assert f"--userns container:{WORKER} " in command, command
    file.write_text(text)
    empty.podman.podman("rm", "--force", "--time", "0", WORKER)
    empty.own(*APPUSER)
    empty.up()


@rootless
def test_what_podman_compose_made_is_made_again_by_it(stack: Stack) -> None:
    stack.env_path.write_text(stack.env_path.read_text().replace("MAX_SPEAKERS=20", "MAX_SPEAKERS=10"))
    report = stack.report()
    assert report.causes == ["stale-worker-env"], report.summary()
    said = stack.fixed("restarts")
    assert "podman-compose does not say beforehand what it would change" in said, said
    commands = stack.healthy_after(report)
    assert all(" podman-compose -p opentranscribe -f " in command and command in said for command in commands), (commands, said)


@as_root
def test_a_token_that_the_worker_does_not_have(empty: Stack) -> None:
    text = empty.env_path.read_text()
    empty.env_path.write_text(text.replace(TOKEN, ""))
    empty.up()
    missing = empty.report()
    empty.env_path.write_text(text)
    assert (missing.exit_code, missing.causes) == (1, ["token-missing"]), missing.summary()
    stale = empty.report()
    assert stale.causes == ["stale-worker-env"], stale.summary()
    said = empty.fixed("restarts")
    assert "Fixed: stale-worker-env." in said, said
    commands = empty.obey(stale)  # once more, as it is printed
    assert all(f"DOCKER_HOST={empty.engine.host} docker-compose " in command for command in commands), commands
