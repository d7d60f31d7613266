"""Remedies whose steps are commands: run exactly as printed, from another folder, twice, and the next run is healthy.

The second paste changes no file, and neither touches another container: not even one that has old values of ``.env`` as well
and that the worker depends on, as Postgres. ``ot-doctor fix`` comes to the same end.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts import hub, ready_doctor
from tests.parts.engine import Engine
from tests.scenarios import logs
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, Scenario, World, hub_for

pytestmark = pytest.mark.engine

FAILED_401 = logs.v04_failure(*logs.gated_401(hub.COMMUNITY_1))


# The policy of OpenTranscribe's own file; nothing can be pulled here, so that a remedy that tries fails.
EXTRA = "    pull_policy: always\n    depends_on: [postgres]\n"
POSTGRES = """\
  postgres:
    image: busybox
    env_file: .env
    stop_grace_period: 0s
    command: [sleep, "9999"]
"""


def _token(value: str) -> Scenario:
    return Scenario(env=f"HUGGINGFACE_TOKEN={value}\nMAX_SPEAKERS=20\n", cache="absent", log=FAILED_401)


def _in_utf16(world: World) -> None:
    world.env_path.write_bytes(world.env_path.read_text().encode("utf-16"))


def _as_a_folder(world: World) -> None:
    (world.folder / ".env.example").write_text(world.env_path.read_text())
    world.env_path.unlink()
    world.env_path.mkdir()


def _in_git(world: World) -> None:
    world.engine.run("git", "init", "-q", cwd=world.folder)
    world.engine.run("git", "add", "-f", ".env", cwd=world.folder)


def _edited(world: World) -> None:
    world.env_path.write_text(world.env_path.read_text() + "MAX_SPEAKERS=9\n")


REMEDIES = {
    "MIN above MAX": (Scenario(env="HUGGINGFACE_TOKEN={token}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\n"), "speakers-config"),
    "comment in MAX": (Scenario(env="HUGGINGFACE_TOKEN={token}\nMAX_SPEAKERS=20\t# Can be increased\n"), "speakers-config"),
    "curly quotes": (_token("“{token}”"), "token-malformed"),
    "zero-width space": (_token("{token}\u200b"), "token-malformed"),
    "pasted twice": (_token("HUGGINGFACE_TOKEN={token}"), "token-malformed"),
    "tab before a comment": (_token("{token}\t# mine"), "token-malformed"),
    "HF_TOKEN": (Scenario(env="HF_TOKEN={token}\n", cache="absent", log=FAILED_401), "token-missing"),
    "the only environment entry": (
        Scenario(environment="      - HUGGINGFACE_TOKEN=\n", cache="absent", log=FAILED_401), "env-shadowed",
    ),
    "an environment entry": (
        Scenario(environment="      HUGGINGFACE_TOKEN: ''\n      A: b\n", cache="absent", log=FAILED_401), "env-shadowed",
    ),
    "VITE_HF_TOKEN": (Scenario(env="HUGGINGFACE_TOKEN={token}\nVITE_HF_TOKEN={token}\n"), "token-exposed"),
    "tracked by git": (Scenario(prepare=_in_git), "token-exposed"),
    "UTF-16": (Scenario(after=_in_utf16), "env-unreadable"),
    "a folder": (Scenario(after=_as_a_folder), "env-unreadable"),
}  # fmt: skip
FIXED = {
    "edited after the start": (Scenario(after=_edited), "stale-worker-env"),
    "an empty duplicate": (_token("{token}\nHUGGINGFACE_TOKEN="), "env-shadowed"),
    "no token": (Scenario(env="MAX_SPEAKERS=20\n", cache="absent", log=FAILED_401), "token-missing"),
    "a placeholder": (_token("your_token_here"), "token-placeholder"),
    "a token that is revoked": (_token(UNKNOWN_TOKEN), "token-invalid"),
    "a cache elsewhere": (
        Scenario(env="HUGGINGFACE_TOKEN={token}\nHF_HOME=/elsewhere\n", cache="absent", log=FAILED_401), "cache-not-mounted",
    ),
    "a GPU in a broken state": (
        Scenario(log=logs.v04_failure(["RuntimeError: CUDA error: unspecified launch failure"], "CUDA error")),
        "gpu-library",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One database for all: only the worker, and what it reads, is made anew for each."""
    with hub_for(None) as hub_:
        first = Scenario(extra=EXTRA, services=POSTGRES, up=("up", "-d", "--pull", "never"))
        yield first.build(engine, hub_, tmp_path_factory.mktemp("stack"))
    engine.clear()


@pytest.fixture
def new_token(tmp_path: Path) -> Sequence[str]:
    """Where a token is that the Hub knows, for what asks for one."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return "--token-file", str(tmp_path / "token")


def broken(world: World, scenario: Scenario) -> None:
    """The scenario in the place of the one before."""
    for path in (world.models, world.env_path, world.folder / ".git"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    replace(scenario, extra=EXTRA, services=POSTGRES).write(world)
    if scenario.prepare:
        scenario.prepare(world)
    world.compose("up", "-d", "--pull", "never", "--no-deps", "--force-recreate", "celery-worker")
    if scenario.after:
        scenario.after(world)
    world.examined = False


def gone_after_fix(world: World, cause: str, *more: str) -> None:
    """What was found is gone by ``fix --yes --allow``, nothing else is there, and the database is the same."""
    (world.folder / "recorded.log").write_text("")
    database = containers(world, "postgres")
    command = ("fix", "--yes", "--allow", "changes-files,restarts", "--format", "json", *more)
    told = json.loads(ready_doctor.run(*command, cwd=world.folder, env=world.shell()).stdout)
    assert cause in [one["cause"] for one in told["causes"]] and {one["state"] for one in told["causes"]} == {"gone"}, told
    outcomes = [(action["name"], action["outcome"], action["reason"]) for one in told["causes"] for action in one["actions"]]
    assert (told["left"], told["exit_code"]) == ([], 0), outcomes
    assert containers(world, "postgres") == database


WORDS_ONLY = ("the only environment entry", "an environment entry", "a folder")  # a Compose file, and what nobody else knows


@pytest.mark.parametrize("name", REMEDIES)
def test_obeyed_as_printed_and_fixed(stack: World, name: str, new_token: Sequence[str]) -> None:
    scenario, cause = REMEDIES[name]
    broken(stack, scenario)
    report = stack.report()
    assert report.causes == [cause], report.summary()
    (stack.folder / "recorded.log").write_text("")
    others = containers(stack, "postgres")
    assert stack.obey(report), "the remedy has no command"
    assert containers(stack, "postgres") == others
    files = dict(contents(stack))
    stack.obey(report)
    assert dict(contents(stack)) == files, "a second paste changes a file"
    assert containers(stack, "postgres") == others
    again = stack.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()
    if name in WORDS_ONLY:
        return
    broken(stack, scenario)
    gone_after_fix(stack, cause, *new_token)


@pytest.mark.parametrize("name", FIXED)
def test_fixed(stack: World, name: str, new_token: Sequence[str]) -> None:
    """What has no command that could be pasted, or has its test elsewhere."""
    scenario, cause = FIXED[name]
    broken(stack, scenario)
    gone_after_fix(stack, cause, *new_token)


def containers(world: World, service: str) -> str:
    """Ids, and when they were started."""
    ids = world.engine.docker("ps", "-aq", f"--filter=label=com.docker.compose.service={service}").split()
    assert ids
    return world.engine.docker("inspect", "--format={{.Id}} {{.State.StartedAt}}", *ids)


def contents(world: World) -> Iterator[tuple[str, bytes]]:
    for path in sorted(world.folder.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            yield str(path), path.read_bytes()
