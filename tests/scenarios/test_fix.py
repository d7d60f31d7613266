"""``ot-doctor fix`` on real containers: several causes at once, one restart, nothing else touched, and all of it taken back."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix.terminal import Terminal
from tests.scenarios.dry_runs import assert_dry
from tests.scenarios.fixing import EXTRA, POSTGRES, UP, containers, contents, fix, holding_a_token, outcomes, undo
from tests.scenarios.scenario import TOKEN, Scenario, World

pytestmark = pytest.mark.engine

ALLOWED = ("--yes", "--allow", "changes-files,restarts")
# An empty duplicate hides the token, MIN is above MAX, and a copy of the token is in a browser-side variable.
BROKEN = "HUGGINGFACE_TOKEN={token}\nVITE_HF_TOKEN={token}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\nHUGGINGFACE_TOKEN=\n"


def test_several_causes_are_fixed_with_one_restart_and_taken_back(bring_up: Callable[[Scenario], World]) -> None:
    world = bring_up(Scenario(env=BROKEN, cache="absent", extra=EXTRA, services=POSTGRES, up=UP))
    others, workers, files = containers(world, "postgres"), containers(world, "celery-worker"), dict(contents(world))

    since = f"{time.time():.9f}"
    planned = assert_dry(world)
    assert {"planned"} == {outcome for found in outcomes(planned).values() for outcome in found}, planned

    plan = world.home / "plan.json"
    fix(world, "--plan", str(plan))
    assert TOKEN not in plan.read_text() and dict(contents(world)) == files
    told = fix(world, "--apply", str(plan))
    assert {one["state"] for one in told["causes"]} == {"gone"}, told
    assert {"env-shadowed", "token-exposed", "speakers-config"} <= set(outcomes(told))
    assert containers(world, "postgres") == others and containers(world, "celery-worker") != workers
    report = world.report()
    assert report.causes == [] and report.exit_code == told["exit_code"], report.summary()

    again = fix(world, *ALLOWED)
    assert again["causes"] == [] and again["run"] is None
    assert holding_a_token(world) == []
    executed = world.engine.docker("events", "--since", since, "--until", f"{time.time():.9f}")
    assert TOKEN not in executed

    undo(world, told["run"])
    assert dict(contents(world)) == files and containers(world, "postgres") == others
    assert "env-shadowed" in world.report().causes, "the worker has the old values, too"
    _recorded(world)


def _recorded(world: World) -> None:
    """The session in the manual is a real one; only the folder, the run's name and what differs by chance are made the same."""
    terminal = Terminal("fix", environ=world.shell(), folder=world.folder)
    for question in ("Change the file?", "Change the file?", "Change the file?", "Recreate it now?"):
        terminal.answer(f"{question} [y/N/d/s/q]", "y")
    terminal.answer("Try it now with two generated voices? [y/N]", "n")
    terminal.end()
    text = re.sub(r"(?:\r\x1b\[K[^\r\n]*)*\r\x1b\[K", "", terminal.shown).replace(str(world.folder), "/srv/opentranscribe")
    text = re.sub(r"\d{8}-\d{4}-\d+", "20261128-1203-1", text)
    text = re.sub(r"…\((\d+):[0-9a-f]{4}\)", r"…(\1:3fa2)", text)
    text = re.sub(r"Now: .*", "Now: 27 passed, 1 warning, 7 skipped.", text).replace(str(world.home), "~")
    page = Path(__file__).parents[2] / "docs" / "fix.md"
    before, mark, rest = page.read_text(encoding="utf-8").partition("$ ot-doctor fix\n")
    shown, end, after = rest.partition("```")
    if os.environ.get("OT_DOCTOR_UPDATE_GOLDEN") == "1":
        page.write_text(before + mark + text.rstrip() + "\n" + end + after, encoding="utf-8")
        return
    assert shown.split() == text.split(), "OT_DOCTOR_UPDATE_GOLDEN=1 writes it again"


def test_a_container_that_is_replaced_while_the_question_stands_is_left_alone(bring_up: Callable[[Scenario], World]) -> None:
    def edited(world: World) -> None:
        world.env_path.write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nMAX_SPEAKERS=9\n")

    env = "HUGGINGFACE_TOKEN={token}\nMAX_SPEAKERS=20\n"
    world = bring_up(Scenario(env=env, after=edited, extra=EXTRA, services=POSTGRES, up=UP))
    terminal = Terminal("fix", environ=world.shell(), folder=world.folder)
    terminal.expect("Recreate it now? [y/N/d/s/q]")
    assert "MAX_SPEAKERS: 20 becomes 9" in terminal.shown
    world.env_path.write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nMAX_SPEAKERS=8\n")
    world.compose("up", "-d", "--no-deps", "--force-recreate", "--pull", "never", "celery-worker")
    there = containers(world, "celery-worker")
    terminal.type("y")
    terminal.expect("Somebody else has done it meanwhile.")
    terminal.end()
    assert containers(world, "celery-worker") == there
