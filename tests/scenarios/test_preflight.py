"""What v0.5 would need, asked on a v0.3 and on a v0.4 stack; and the warning of a run whose image's tag moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.parts import hub, ready_doctor
from tests.scenarios.scenario import BringUp, Scenario, World

pytestmark = pytest.mark.engine
KEYS = "REDIS_PASSWORD=swordfish-of-redis\nJWT_SECRET_KEY=swordfish-of-jwt\nENCRYPTION_KEY=swordfish-of-keys\n"
TOKEN_LINE = "HUGGINGFACE_TOKEN={token}\n"


def preflight(world: World, *options: str) -> dict[str, Any]:
    command = ("preflight", "--for", "v0.5", "--format", "json", *options)
    done = ready_doctor.run(*command, cwd=world.folder, env=world.shell())
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode and document["preflight"] == {"for": "v0.5", "line": "v0.5"}
    assert "swordfish" not in done.stdout + done.stderr
    return document


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in document["checks"]}


def test_v03_lacks_the_terms_of_another_model_and_three_settings(bring_up: BringUp) -> None:
    accepted = [hub.DIARIZATION_31, hub.SEGMENTATION_30, hub.EMBEDDING]
    world = bring_up(Scenario(line="v0.3", env=TOKEN_LINE, accepted=accepted))
    document = preflight(world)
    causes = {entry["cause"]: entry["subject"] for entry in document["diagnosis"]}
    assert causes == {
        "gated-not-accepted": hub.COMMUNITY_1, "worker-down": "REDIS_PASSWORD, JWT_SECRET_KEY and ENCRYPTION_KEY",
    }  # fmt: skip
    assert document["exit_code"] == 1
    assert {name for name in statuses(document)} == {
        "next-hardware", "next-release", "next-settings", "next-space", "next-terms"
    }  # fmt: skip
    assert world.report().causes == [], "the present release works"


def test_v04_that_has_all_of_it(bring_up: BringUp) -> None:
    document = preflight(bring_up(Scenario(env=TOKEN_LINE + KEYS)))
    assert document["exit_code"] == 0, document["diagnosis"]
    assert statuses(document)["next-terms"] == statuses(document)["next-settings"] == "pass"


def test_what_could_not_be_asked_is_no_pass(bring_up: BringUp) -> None:
    world = bring_up(Scenario(env=TOKEN_LINE + KEYS))
    world.hub.fault = hub.Fault("blackhole")
    document = preflight(world, "--timeout", "5")
    assert (document["exit_code"], statuses(document)["next-terms"]) == (3, "unknown")


def test_a_run_warns_where_the_next_up_may_bring_it(bring_up: BringUp) -> None:
    scenario = Scenario(image="latest", env=TOKEN_LINE, extra="    pull_policy: never\n")

    def as_latest(world: World) -> None:
        world.engine.docker("tag", "davidamacey/opentranscribe-backend:v0.4.1", "davidamacey/opentranscribe-backend:latest")

    scenario.prepare = as_latest
    report = bring_up(scenario).report()
    assert (report.causes, report.exit_code) == ([], 0), report.summary()
    assert report.status("next-release") == "warn"
    said = report.text_of("next-release")
    assert "REDIS_PASSWORD" in said and "ot-doctor preflight --for v0.5" in said
