"""A worker that a Swarm of two nodes runs: it is recognised, what is advised about it is a Swarm's, and its node is named."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts import images, ready_doctor
from tests.parts.engine import Engine

from .scenario import TOKEN

pytestmark = pytest.mark.engine

SERVICE, NODE = "ot_celery-worker", "node-3"
COMPOSE = """\
version: "3.8"
services:
  celery-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    env_file: .env
    command: ["sleep", "600"]
    init: true
    networks: [host]
    deploy: {placement: {constraints: ["node.role == manager"]}}
networks:
  host: {external: true, name: host}
"""
#: What the files of the folder tell, and that the engine answers.
_SEEN_HERE = {
    "env-readable", "env-lines", "env-shadowed", "ignored-settings", "weak-passwords", "token-exposure", "release-line",
    "docker-engine",
}  # fmt: skip


class Swarm:
    """A manager, on which the stack is deployed, and one more node."""

    def __init__(self, manager: Engine, node: Engine, folder: Path) -> None:
        self.manager, self.node, self.folder = manager, node, folder

    def report(self, engine: Engine) -> dict[str, Any]:
        environ = {**engine.environment(), "PYTHONUTF8": "1", "HOME": str(self.folder / "home")}
        command = ("--dir", str(self.folder), "--offline", "--format", "json")
        done = ready_doctor.run(*command, cwd=self.folder, env=environ)
        assert "Traceback" not in done.stderr and done.stdout.startswith("{"), done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        assert document["exit_code"] == done.returncode
        return document

    def wait(self, what: str, found: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not found():
            assert time.monotonic() < until, f"{what}: {self.manager.docker('service', 'ps', '--no-trunc', SERVICE)}"
            time.sleep(0.1)

    def place(self, constraint: str) -> None:
        """Let the Swarm run the task elsewhere."""
        look = ("service", "inspect", "--format", "{{index .Spec.TaskTemplate.Placement.Constraints 0}}", SERVICE)
        change = ("--constraint-rm", self.manager.docker(*look), "--constraint-add", constraint)
        self.manager.docker("service", "update", "--detach", *change, SERVICE)


@pytest.fixture
def swarm(clean_engine: Engine, tmp_path: Path) -> Iterator[Swarm]:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\n")
    (tmp_path / ".env").chmod(0o600)
    with Engine(hostname=NODE) as node:
        env = images.backend_image_env("v0.4")
        for engine in (clean_engine, node):
            engine.import_image(f"{images.BACKEND}:v0.4.1", env=env)
        here, there = clean_engine.cable(node)
        clean_engine.docker("swarm", "init", "--advertise-addr", here)
        try:
            token = clean_engine.docker("swarm", "join-token", "--quiet", "worker")
            node.docker("swarm", "join", "--token", token, "--advertise-addr", there, f"{here}:2377")
            file = str(tmp_path / "docker-compose.yml")
            clean_engine.docker("stack", "deploy", "--resolve-image", "never", "-c", file, "ot")
            yield Swarm(clean_engine, node, tmp_path)
        finally:
            clean_engine.run("docker", "swarm", "leave", "--force", check=False)


def _check(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(check for check in document["checks"] if check["name"] == name)


def test_a_stack_and_where_its_task_is(swarm: Swarm) -> None:
    _on_this_node(swarm)
    _on_another_node(swarm)
    _on_no_node(swarm)


def _on_this_node(swarm: Swarm) -> None:
    swarm.wait("no task was started", lambda: bool(swarm.manager.docker("ps", "--quiet")))
    env = swarm.folder / ".env"
    env.write_text(f"HUGGINGFACE_TOKEN={TOKEN[:-1]}x\n")
    document = swarm.report(swarm.manager)
    env.write_text(f"HUGGINGFACE_TOKEN={TOKEN}\n")
    assert document["deployment"]["workers"] == swarm.manager.docker("ps", "--format", "{{.Names}}").split()
    assert _check(document, "worker-running")["status"] == "pass"
    (stale,) = [cause for cause in document["diagnosis"] if cause["cause"] == "stale-worker-env"]
    said = json.dumps(stale)
    assert f"stack deploy -c {swarm.folder / 'docker-compose.yml'} ot" in said and "docker compose" not in said


def _on_another_node(swarm: Swarm) -> None:
    """Its container on this node has ended, and is no sign of anything."""
    swarm.place(f"node.hostname == {NODE}")
    swarm.wait("it was not moved", lambda: bool(swarm.node.docker("ps", "--quiet")) and not swarm.manager.docker("ps", "--quiet"))
    assert swarm.manager.docker("ps", "--all", "--quiet"), "the manager keeps the container of the task that was here"
    document = swarm.report(swarm.manager)
    assert (document["exit_code"], document["diagnosis"]) == (3, []), document["diagnosis"]
    running = _check(document, "worker-running")
    said = json.dumps(running)
    assert running["status"] == "unknown" and f"running on {NODE}" in said and f"ot-doctor --host ssh://{NODE}" in said, said
    assert {check["name"] for check in document["checks"] if check["status"] == "pass"} == _SEEN_HERE
    there = swarm.report(swarm.node)
    assert _check(there, "worker-running")["status"] == "pass" and _check(there, "token-present")["status"] == "pass"


def _on_no_node(swarm: Swarm) -> None:
    swarm.place("node.labels.gpu == none")
    swarm.wait("it goes on", lambda: "no suitable node" in swarm.manager.docker("service", "ps", "--no-trunc", SERVICE))
    document = swarm.report(swarm.manager)
    (down,) = document["diagnosis"]
    said = json.dumps(down)
    assert (document["exit_code"], down["cause"], down["subject"]) == (1, "worker-down", SERVICE), said
    assert "pending, on no node: no suitable node" in said and "docker compose" not in said
    commands = [step["command"] for step in down["remedy"]["steps"] if step["command"]]
    assert commands[-1] == f"docker service update --force --detach {SERVICE}"
    assert _check(document, "cache-complete")["status"] == "unknown"
    for command in commands * 2:
        environ = swarm.manager.environment()
        assert subprocess.run(["sh", "-c", command], cwd="/", env=environ, capture_output=True).returncode == 0, command
