"""What tests of ``ot-doctor fix`` share: the command, and a database beside the worker that must be left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from tests.parts import ready_doctor
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, Scenario, World

WORKER = "opentranscribe-celery-worker"
# The policy of OpenTranscribe's own file; nothing can be pulled here, so that what tries fails.
EXTRA = "    pull_policy: always\n    depends_on: [postgres]\n"
POSTGRES = """\
  postgres:
    image: busybox
    env_file: .env
    network_mode: host
    stop_grace_period: 0s
    command: [sleep, "9999"]
"""
UP = ("up", "-d", "--pull", "never")
_SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "fix.schema.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Fault:
    """What is wrong, the cause that is found, and what ``fix`` does about it, action by action; nothing: it is for a person."""

    scenario: Scenario
    cause: str
    actions: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # of fix
    forms: tuple[str, ...] = ()  # of the commands that are printed and change something


def rebuilt(world: World, scenario: Scenario) -> None:
    """The scenario in the place of the one before: only the worker, and what it reads, is made anew."""
    for path in (world.models, world.env_path, world.folder / ".git", world.folder / ".env.example"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    world.environ = dict(scenario.environ)
    scenario.write(world)
    if scenario.prepare:
        scenario.prepare(world)
    world.engine.remove(WORKER)
    world.compose(*UP, "--no-deps", "celery-worker")
    if scenario.after:
        scenario.after(world)
    world.examined = False


def fix(world: World, *arguments: str) -> dict[str, Any]:
    """The document of one run; no token is in it, nor in what was said beside it."""
    done = ready_doctor.run("fix", "--format", "json", *arguments, cwd=world.folder, env=world.shell())
    assert done.stdout.startswith("{"), done.stderr
    assert not [value for value in (TOKEN, UNKNOWN_TOKEN) if value[3:] in done.stdout + done.stderr]
    told: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(told, _SCHEMA)
    assert told["exit_code"] == done.returncode and "Traceback" not in done.stderr
    return told


def undo(world: World, run: str) -> None:
    """Take back all of a run."""
    done = ready_doctor.run("undo", run, "--yes", cwd=world.folder, env=world.shell())
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [value for value in (TOKEN, UNKNOWN_TOKEN) if value[3:] in done.stdout + done.stderr]


def outcomes(told: dict[str, Any]) -> dict[str, list[str]]:
    return {one["cause"]: [action["outcome"] for action in one["actions"]] for one in told["causes"]}


def actions(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Each cause with the name of each of its actions, in their order."""
    return [(one["cause"], action["name"]) for one in told["causes"] for action in one["actions"]]


def containers(world: World, service: str) -> str:
    """Ids, and when they were started."""
    ids = world.engine.containers(f"com.docker.compose.service={service}")
    assert ids
    return "\n".join(f"{one} {world.engine.inspect(one)['State']['StartedAt']}" for one in ids)


def contents(world: World) -> Iterator[tuple[str, bytes]]:
    for path in sorted(world.folder.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            yield str(path), path.read_bytes()


def holding_a_token(world: World) -> list[str]:
    """Names of files in the journal, and in whatever else the doctor keeps, that hold a token: copies of the ``.env`` may."""
    state = [path for path in (world.home / ".local" / "state").rglob("*") if path.is_file()]
    tokens = (TOKEN.encode(), UNKNOWN_TOKEN.encode())
    return [path.name for path in state if path.name != "env" and any(token in path.read_bytes() for token in tokens)]
