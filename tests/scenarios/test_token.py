"""The token: missing, malformed, refused, too weak, too strong, seen by others."""

from __future__ import annotations

import pytest

from tests.parts import hub
from tests.scenarios import logs
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, BringUp, Scenario, World

pytestmark = pytest.mark.engine

FAILED_401 = logs.v04_failure(*logs.gated_401(hub.COMMUNITY_1))


def _token_line(value: str) -> str:
    return f"HUGGINGFACE_TOKEN={value}\nMAX_SPEAKERS=20\n"


@pytest.mark.parametrize("env", ["MAX_SPEAKERS=20\n", _token_line("")], ids=["no line", "empty"])
def test_missing(bring_up: BringUp, env: str) -> None:
    world = bring_up(Scenario(env=env, cache="absent", log=FAILED_401))
    report = world.report()
    assert report.causes == ["token-missing"] and report.exit_code == 1, report.summary()
    assert str(world.env_path) in report.remedy_text()


def test_only_under_a_name_that_nothing_reads(bring_up: BringUp) -> None:
    report = bring_up(Scenario(env="HF_TOKEN={token}\n", cache="absent", log=FAILED_401)).report()
    assert report.causes == ["token-missing"], report.summary()
    assert "HF_TOKEN" in str(report.diagnosis[0])


@pytest.mark.parametrize("value", ["hf_your_token_here", "your_huggingface_token_here", "<your_token>", "hf_" + "x" * 34])
def test_example_value_left_in(bring_up: BringUp, value: str) -> None:
    report = bring_up(Scenario(env=_token_line(value), cache="absent", log=FAILED_401)).report()
    assert report.causes == ["token-placeholder"] and report.exit_code == 1, report.summary()


@pytest.mark.parametrize(
    "value, named",
    [
        ("“{token}”", "U+201C"),
        ("{token}\u200b", "U+200B"),
        ("HUGGINGFACE_TOKEN={token}", "twice"),
        ("{token}\t# my token", "comment"),
        ("{token}{token}", ""),
        ("{token} mine", "U+0020"),
    ],
    ids=["curly quotes", "zero-width space", "pasted twice", "tab before the comment", "doubled", "two words"],
)
def test_malformed(bring_up: BringUp, value: str, named: str) -> None:
    world = bring_up(Scenario(env=_token_line(value), cache="absent", log=FAILED_401))
    report = world.report()
    assert report.causes == ["token-malformed"] and report.exit_code == 1, report.summary()
    assert named in str(report.diagnosis[0])
    assert f"{world.env_path}:2" in str(report.diagnosis[0])


def test_comment_as_value(bring_up: BringUp) -> None:
    report = bring_up(Scenario(env=_token_line(" # paste your token here"), cache="absent", log=FAILED_401)).report()
    assert report.causes in (["token-malformed"], ["token-placeholder"]), report.summary()
    assert "comment" in str(report.diagnosis[0])


@pytest.mark.parametrize("how", ["revoked", "expired", "unknown"])
def test_revoked(bring_up: BringUp, how: str) -> None:
    def setup(local: hub.LocalHub) -> None:
        local.tokens[TOKEN].revoked = how == "revoked"
        local.tokens[TOKEN].expired = how == "expired"

    env = _token_line(UNKNOWN_TOKEN if how == "unknown" else "{token}")
    report = bring_up(Scenario(env=env, hub_setup=setup, cache="absent", log=FAILED_401)).report()
    assert report.causes == ["token-invalid"] and report.exit_code == 1, report.summary()
    assert "settings/tokens" in report.remedy_text()


def test_write_token_warns(bring_up: BringUp) -> None:
    def setup(local: hub.LocalHub) -> None:
        local.tokens[TOKEN].role = "write"

    report = bring_up(Scenario(hub_setup=setup)).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert report.status("token-role") == "warn"
    assert "token-too-powerful" in report.warned_causes()
    assert report.world.doctor("--strict").returncode == 1


def test_fine_grained_without_gated_access(bring_up: BringUp) -> None:
    def setup(local: hub.LocalHub) -> None:
        local.tokens[TOKEN].role = "fineGrained"
        local.tokens[TOKEN].can_read_gated = False

    report = bring_up(Scenario(hub_setup=setup, cache="absent", log=[])).report()
    assert set(report.causes) == {"token-scope"} and report.exit_code == 1, report.summary()
    assert "gated" in report.remedy_text() and "opentranscribe" in str(report.diagnosis)


def test_exposed_to_the_browser(bring_up: BringUp) -> None:
    report = bring_up(Scenario(env="HUGGINGFACE_TOKEN={token}\nVITE_HF_TOKEN={token}\n")).report()
    assert report.causes == ["token-exposed"] and report.exit_code == 1, report.summary()
    assert "VITE_HF_TOKEN" in str(report.diagnosis[0])


def test_world_readable_env_warns(bring_up: BringUp) -> None:
    report = bring_up(Scenario(prepare=lambda world: world.env_path.chmod(0o644))).report()
    assert report.causes == [] and "token-exposed" in report.warned_causes(), report.summary()


def test_tracked_by_git(bring_up: BringUp) -> None:
    def track(world: World) -> None:
        for command in (["git", "init", "-q"], ["git", "add", "-f", ".env"]):
            world.engine.run(*command, cwd=world.folder)

    report = bring_up(Scenario(prepare=track)).report()
    assert report.causes == ["token-exposed"] and report.exit_code == 1, report.summary()


def test_token_in_the_log_warns_and_is_not_printed(bring_up: BringUp) -> None:
    line = f"[2026-11-21 01:37:01,804: ERROR/MainProcess] InvalidHeader: Invalid leading whitespace: 'Bearer {TOKEN}\\r'"
    report = bring_up(Scenario(log=[line, *logs.v04_success()])).report()
    assert "token-exposed" in report.warned_causes(), report.summary()
