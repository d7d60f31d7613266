from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.check import Finding, Status
from ot_doctor.evidence import COMMUNITY_1, Answer, EnvFile, Hub, NextRelease, ReleaseLine, Unavailable
from ot_doctor_checks.next_release import next_release
from tests.checks.evidence import deployment, env_file, everything_said, hub, workers

LATEST = "davidamacey/opentranscribe-backend:latest"
MAY_COME = NextRelease(ReleaseLine.V0_5, "v0.5", False, LATEST, moves=True, always_pulled=True)
KEYS = "REDIS_PASSWORD=a\nJWT_SECRET_KEY=b\nENCRYPTION_KEY=c\n"
ALL_ACCEPTED = hub(line=ReleaseLine.V0_5)


def judge(
    upcoming: NextRelease | Unavailable, env: EnvFile, answers: Hub | Unavailable = ALL_ACCEPTED, version: str = "v0.3.3"
) -> Finding:
    found: list[Finding] = next_release(upcoming, deployment(ReleaseLine.V0_3, version=version), answers, env, workers())
    return found[0]


def test_a_moving_tag_with_something_missing_is_a_warning() -> None:
    finding = judge(MAY_COME, env_file("A=1\n"), hub({COMMUNITY_1: Answer.NOT_ACCEPTED}, line=ReleaseLine.V0_5))
    assert finding.status is Status.WARN
    assert "every 'docker compose up' pulls it: from v0.3.3 to v0.5" in finding.message
    assert COMMUNITY_1 in finding.message and "REDIS_PASSWORD" in finding.message
    assert "ot-doctor preflight --for v0.5" in everything_said(finding)


def test_without_a_pull_policy_only_a_pull_brings_it() -> None:
    assert "the next pull" in judge(replace(MAY_COME, always_pulled=False), env_file("A=1\n")).message


def test_nothing_missing_is_a_pass() -> None:
    assert judge(MAY_COME, env_file(KEYS)).status is Status.PASS


@pytest.mark.parametrize(
    "answers", [Unavailable("off", switched_off=True), hub({COMMUNITY_1: Answer.TIMEOUT}, line=ReleaseLine.V0_5)]
)
def test_what_was_not_checked_is_no_pass(answers: Hub | Unavailable) -> None:
    assert judge(MAY_COME, env_file(KEYS), answers).status is Status.SKIP


def test_a_release_that_is_asked_about() -> None:
    asked = NextRelease(ReleaseLine.V0_5, "v0.5", True, LATEST)
    assert "only when you change the image's tag" in judge(asked, env_file()).message
    assert "by itself" in judge(replace(asked, moves=True, always_pulled=True), env_file()).message
    assert "docker compose pull" in judge(replace(asked, moves=True), env_file()).message
    assert "same release line" in judge(replace(asked, line=ReleaseLine.V0_3, name="v0.3"), env_file()).message
    assert judge(replace(asked, name="v0.6", unknown_to_us=True), env_file()).status is Status.UNKNOWN


def test_where_nothing_is_to_be_expected_the_check_says_why() -> None:
    nothing = Unavailable("The tag names a release.", switched_off=True)
    with pytest.raises(Unavailable, match="names a release"):
        next_release(nothing, deployment(), ALL_ACCEPTED, env_file(), workers())
