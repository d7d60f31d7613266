"""Remedies whose steps are commands: run exactly as printed, from another folder, twice, and the next run is healthy.

The second paste changes no file, and neither touches another container: not even one that has old values of ``.env`` as well
and that the worker depends on, as Postgres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.parts import hub
from tests.scenarios import logs
from tests.scenarios.scenario import BringUp, Scenario, World

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


@pytest.mark.parametrize(
    "scenario, cause",
    [
        (Scenario(env="HUGGINGFACE_TOKEN={token}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\n"), "speakers-config"),
        (Scenario(env="HUGGINGFACE_TOKEN={token}\nMAX_SPEAKERS=20\t# Can be increased\n"), "speakers-config"),
        (_token("“{token}”"), "token-malformed"),
        (_token("{token}\u200b"), "token-malformed"),
        (_token("HUGGINGFACE_TOKEN={token}"), "token-malformed"),
        (_token("{token}\t# mine"), "token-malformed"),
        (Scenario(env="HF_TOKEN={token}\n", cache="absent", log=FAILED_401), "token-missing"),
        (Scenario(environment="      - HUGGINGFACE_TOKEN=\n", cache="absent", log=FAILED_401), "env-shadowed"),
        (Scenario(environment="      HUGGINGFACE_TOKEN: ''\n      A: b\n", cache="absent", log=FAILED_401), "env-shadowed"),
        (Scenario(env="HUGGINGFACE_TOKEN={token}\nVITE_HF_TOKEN={token}\n"), "token-exposed"),
        (Scenario(prepare=_in_git), "token-exposed"),
        (Scenario(after=_in_utf16), "env-unreadable"),
        (Scenario(after=_as_a_folder), "env-unreadable"),
    ],
    ids=[
        "MIN above MAX", "comment in MAX", "curly quotes", "zero-width space", "pasted twice", "tab before a comment",
        "HF_TOKEN", "the only environment entry", "an environment entry", "VITE_HF_TOKEN", "tracked by git", "UTF-16", "a folder",
    ],
)  # fmt: skip
def test_obeyed_as_printed(bring_up: BringUp, scenario: Scenario, cause: str) -> None:
    world = bring_up(replace(scenario, extra=EXTRA, services=POSTGRES, up=("up", "-d", "--pull", "never")))
    report = world.report()
    assert report.causes == [cause], report.summary()
    (world.folder / "recorded.log").write_text("")
    others = containers(world, "postgres")
    assert world.obey(report), "the remedy has no command"
    assert containers(world, "postgres") == others
    files = dict(contents(world))
    world.obey(report)
    assert dict(contents(world)) == files, "a second paste changes a file"
    assert containers(world, "postgres") == others
    again = world.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


def containers(world: World, service: str) -> str:
    """Ids, and when they were started."""
    ids = world.engine.docker("ps", "-aq", f"--filter=label=com.docker.compose.service={service}").split()
    assert ids
    return world.engine.docker("inspect", "--format={{.Id}} {{.State.StartedAt}}", *ids)


def contents(world: World) -> Iterator[tuple[str, bytes]]:
    for path in sorted(world.folder.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            yield str(path), path.read_bytes()
