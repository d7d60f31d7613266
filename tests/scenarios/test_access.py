"""Agreements: the gate is per repository and per account, and the release line decides which repositories."""

from __future__ import annotations

import pytest

from tests.parts import hub
from tests.parts.engine import Engine
from tests.scenarios import logs
from tests.scenarios.scenario import BringUp, Scenario

pytestmark = pytest.mark.engine


def test_v03_with_only_one_of_the_two_agreements(bring_up: BringUp) -> None:
    scenario = Scenario(line="v0.3", accepted=[hub.DIARIZATION_31, hub.EMBEDDING], cache="absent", log=logs.v03_gated())
    report = bring_up(scenario).report()
    assert report.causes == ["gated-not-accepted"] and report.exit_code == 1, report.summary()
    assert report.subjects == [hub.SEGMENTATION_30]
    assert f"https://huggingface.co/{hub.SEGMENTATION_30}" in report.remedy_text()
    assert "'ada'" in report.remedy_text()


def test_v03_with_none_names_both(bring_up: BringUp) -> None:
    scenario = Scenario(line="v0.3", accepted=[], cache="absent", log=logs.v03_gated(hub.DIARIZATION_31))
    report = bring_up(scenario).report()
    assert set(report.subjects) == {hub.SEGMENTATION_30, hub.DIARIZATION_31}, report.summary()
    assert set(report.causes) == {"gated-not-accepted"}


def test_v04_with_the_guides_two_accepted(bring_up: BringUp) -> None:
    scenario = Scenario(
        accepted=[hub.DIARIZATION_31, hub.SEGMENTATION_30], cache="absent", log=logs.v04_failure(*logs.gated_403(hub.COMMUNITY_1))
    )
    report = bring_up(scenario).report()
    assert report.causes == ["gated-not-accepted"] and report.subjects == [hub.COMMUNITY_1], report.summary()
    assert report.exit_code == 1
    assert "last-attempt" in report.diagnosis[0]["explains"]
    assert report.document["attempts"][0]["cause"] == "gated-not-accepted"


def test_v04_with_community_1_alone_needs_no_other(bring_up: BringUp) -> None:
    report = bring_up(Scenario(accepted=[hub.COMMUNITY_1], cache="absent", log=[])).report()
    assert report.causes == [], report.summary()


@pytest.mark.parametrize("answer, cause", [("pending", "gated-pending"), ("rejected", "gated-not-accepted")])
def test_pending_and_rejected(bring_up: BringUp, answer: str, cause: str) -> None:
    def setup(local: hub.LocalHub) -> None:
        repo = local.repos[hub.COMMUNITY_1]
        repo.gated = "manual"
        getattr(repo, answer).add("ada")

    report = bring_up(Scenario(accepted=[], hub_setup=setup, cache="absent", log=[])).report()
    assert report.causes == [cause] and report.subjects == [hub.COMMUNITY_1], report.summary()
    assert report.exit_code == 1


def test_unknown_line_tests_the_union_and_only_warns(bring_up: BringUp, clean_engine: Engine) -> None:
    clean_engine.import_image("davidamacey/opentranscribe-backend:odd", env={"PATH": "/usr/local/bin:/usr/bin:/bin"})
    scenario = Scenario(image="odd", accepted=[hub.DIARIZATION_31, hub.SEGMENTATION_30], cache="absent", log=[])
    report = bring_up(scenario).report()
    assert report.document["deployment"]["line"] == "unknown"
    assert report.causes == [] and "gated-not-accepted" in report.warned_causes(), report.summary()


def test_the_doctors_own_login_is_never_used(bring_up: BringUp) -> None:
    """The worker has no token; the shell of whoever runs the doctor has a good one."""
    scenario = Scenario(env="MAX_SPEAKERS=20\n", cache="absent", log=[])
    world = bring_up(scenario)
    world.environ["HF_TOKEN"] = next(iter(world.hub.tokens))
    report = world.report()
    assert report.causes == ["token-missing"], report.summary()
    assert all(request.token is None for request in world.hub.requests)
