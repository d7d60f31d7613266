from __future__ import annotations

from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import EnvFile, ModelCache, OddLine, Role, Unavailable, Workers
from ot_doctor_checks.token_present import token_present
from tests.checks.evidence import TOKEN, cache, deployment, env_file, everything_said, only, sed, token, worker, workers

NO_CACHE = cache(complete=False)


def judge(
    value: str | None = None,
    env: EnvFile | Unavailable | None = None,
    *,
    containers: Workers | None = None,
    model_cache: ModelCache | Unavailable = NO_CACHE,
    **changes: Any,
) -> Finding:
    return only(
        token_present,
        token(value, **changes),
        env or env_file("MAX_SPEAKERS=20\n"),
        containers or workers(),
        deployment(),
        model_cache,
    )


def test_a_token_passes_and_is_not_shown() -> None:
    finding = judge(TOKEN)
    assert finding.status is Status.PASS
    assert TOKEN not in everything_said(finding) and "hf_…(37:" in finding.message


@pytest.mark.parametrize("value, state", [(None, "is not set"), ("", "is empty"), ("   ", "is empty")])
def test_no_token(value: str | None, state: str) -> None:
    finding = judge(value, env_line=None)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_MISSING)
    assert state in finding.message
    assert "/srv/ot/.env" in everything_said(finding) and "--force-recreate" in (finding.remedy[-1].command or "")
    assert finding.remedy[0].url == "https://huggingface.co/settings/tokens"


def test_another_name_is_renamed_and_the_empty_line_deleted() -> None:
    env = env_file(f"HF_TOKEN={TOKEN}\nHUGGINGFACE_TOKEN=\n")
    finding = judge(None, env, other_name="HF_TOKEN")
    assert finding.cause is Cause.TOKEN_MISSING
    assert "stored as HF_TOKEN, but OpenTranscribe only reads HUGGINGFACE_TOKEN" in finding.message
    assert finding.remedy[0].command == sed('1s/HF_TOKEN/HUGGINGFACE_TOKEN/;2s/^[^#]*HUGGINGFACE_TOKEN/# &/')
    assert any(seen.where == "/srv/ot/.env:1" for seen in finding.evidence)


def test_another_name_that_is_set_elsewhere() -> None:
    finding = judge(None, Unavailable("no .env"), other_name="HF_TOKEN")
    assert finding.remedy[0].command is None and "HF_TOKEN" in finding.remedy[0].text


def test_a_good_line_and_a_container_without_it() -> None:
    finding = judge("", env_file())
    assert "although .env has one" in finding.message
    assert len(finding.remedy) == 1 and "--force-recreate" in (finding.remedy[0].command or "")


def test_what_is_odd_about_the_line_is_shown() -> None:
    odd = OddLine(1, "HUGGINGFACE_TOKEN", "the value stands on the next line", harmful=True)
    finding = judge("", env_file("HUGGINGFACE_TOKEN=\nx\n", odd_lines=(odd,)))
    assert "next line" in everything_said(finding)


def test_a_complete_cache_makes_it_a_warning() -> None:
    finding = judge(None, model_cache=cache())
    assert (finding.status, finding.cause) == (Status.WARN, Cause.TOKEN_MISSING)
    assert "complete and readable" in finding.message


def test_offline_mode_makes_it_a_warning() -> None:
    assert judge(None, model_cache=cache(complete=False, offline="HF_HUB_OFFLINE=1")).status is Status.WARN


def test_an_unreadable_cache_does_not() -> None:
    assert judge(None, model_cache=cache(readable=False)).status is Status.FAIL
    assert judge(None, model_cache=Unavailable("no cache")).status is Status.FAIL


def test_lite_install_is_skipped() -> None:
    cloud = worker("cloud", service="celery-cloud-worker", role=Role.CELERY)
    assert judge(None, containers=workers(cloud)).status is Status.SKIP
