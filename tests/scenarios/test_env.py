"""The .env: unreadable, shadowed, older or newer than the container, in another folder."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parts import hub
from tests.scenarios import logs
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, BringUp, Scenario, World

pytestmark = pytest.mark.engine

FAILED_401 = logs.v04_failure(*logs.gated_401(hub.COMMUNITY_1))


def _correct_token(world: World) -> None:
    text = world.env_path.read_text()
    world.env_path.write_text(text.replace("HUGGINGFACE_TOKEN=\n", f"HUGGINGFACE_TOKEN={TOKEN}\n"))


def _edited_after_up(restart: bool) -> Scenario:
    def after(world: World) -> None:
        _correct_token(world)
        if restart:
            world.compose("restart")

    return Scenario(env="HUGGINGFACE_TOKEN=\nMAX_SPEAKERS=20\n", cache="absent", log=FAILED_401, after=after)


@pytest.mark.parametrize("restart", [False, True], ids=["edited", "edited and restarted"])
def test_edited_after_the_container_was_created(bring_up: BringUp, restart: bool) -> None:
    world = bring_up(_edited_after_up(restart))
    report = world.report()
    assert report.causes == ["stale-worker-env"] and report.exit_code == 1, report.summary()
    assert "token-present" in report.diagnosis[0]["explains"]
    assert "--force-recreate" in report.remedy_text()

    (world.folder / "recorded.log").write_text("")
    world.obey(report)
    again = world.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


def test_later_empty_duplicate(bring_up: BringUp) -> None:
    env = "HUGGINGFACE_TOKEN={token}\nMAX_SPEAKERS=20\nHUGGINGFACE_TOKEN=\n"
    world = bring_up(Scenario(env=env, cache="absent", log=FAILED_401))
    report = world.report()
    assert report.causes == ["env-shadowed"] and report.exit_code == 1, report.summary()
    assert f"{world.env_path}:4" in str(report.diagnosis[0])

    (world.folder / "recorded.log").write_text("")
    world.obey(report)
    again = world.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


@pytest.mark.parametrize(
    "environment",
    [
        f"      HUGGINGFACE_TOKEN: {UNKNOWN_TOKEN}\n",
        "      - HUGGINGFACE_TOKEN=\n",
        "      HUGGINGFACE_TOKEN: ${HF_TOKEN:-}\n",
    ],
    ids=["another value", "empty in a list", "empty interpolation"],
)
def test_environment_entry_shadows_env(bring_up: BringUp, environment: str) -> None:
    world = bring_up(Scenario(environment=environment, cache="absent", log=FAILED_401))
    report = world.report()
    assert report.causes == ["env-shadowed"] and report.exit_code == 1, report.summary()
    assert "docker-compose.yml" in str(report.diagnosis[0])


def test_two_celery_containers_with_different_tokens(bring_up: BringUp) -> None:
    other = f"""\
  celery-download-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    network_mode: host
    env_file: .env
    environment:
      HUGGINGFACE_TOKEN: {UNKNOWN_TOKEN}
"""
    report = bring_up(Scenario(services=other)).report()
    assert "stale-worker-env" in report.causes or "env-shadowed" in report.causes, report.summary()
    assert report.exit_code == 1
    assert report.status("env-workers-agree") == "fail"
    assert "celery-download-worker" in report.text_of("env-workers-agree")


def test_the_user_stands_in_another_clone(bring_up: BringUp, tmp_path: Path) -> None:
    world = bring_up(Scenario(env="HUGGINGFACE_TOKEN=\n", cache="absent", log=FAILED_401))
    clone = tmp_path / "clone"
    shutil.copytree(world.folder, clone)
    (clone / ".env").write_text((clone / ".env").read_text().replace("HUGGINGFACE_TOKEN=", f"HUGGINGFACE_TOKEN={TOKEN}"))
    report = world.report(cwd=clone)
    assert report.causes[0] == "wrong-folder" and report.exit_code == 1, report.summary()
    assert str(world.folder) in str(report.diagnosis[0]) and str(clone) in str(report.diagnosis[0])


def test_another_clone_with_nothing_different_only_warns(bring_up: BringUp, tmp_path: Path) -> None:
    world = bring_up(Scenario())
    clone = tmp_path / "clone"
    shutil.copytree(world.folder, clone)
    report = world.report(cwd=clone)
    assert report.causes == [] and "wrong-folder" in report.warned_causes(), report.summary()


def _spoil(how: str) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        path = world.env_path
        if how in ("missing", "folder"):
            path.unlink()
        if how == "folder":
            path.mkdir()
        if how == "UTF-16":
            path.write_bytes(path.read_text().encode("utf-16"))
        if how == "unterminated quote":
            path.write_text(f'HUGGINGFACE_TOKEN="{TOKEN}\nMAX_SPEAKERS=20\n')
        if how == "random bytes":
            path.write_bytes(random.Random(7).randbytes(5_000_000))

    return spoil


@pytest.mark.parametrize("how", ["missing", "folder", "UTF-16", "unterminated quote", "random bytes"])
def test_unreadable(bring_up: BringUp, how: str) -> None:
    """The stack still runs with what it got; the next `up` will not."""
    world = bring_up(Scenario(after=_spoil(how)))
    report = world.report()
    assert report.causes == ["env-unreadable"] and report.exit_code == 1, report.summary()
    assert str(world.env_path) in str(report.diagnosis[0])
