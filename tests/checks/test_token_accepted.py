from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import COMMUNITY_1, Answer, EnvFile, Hub, ModelCache, ReleaseLine, Unavailable, models
from ot_doctor_checks.token_accepted import token_accepted, token_role
from tests.checks.evidence import OTHER_TOKEN, cache, deployment, env_file, everything_said, hub, identity, only, token, workers

NO_CACHE = cache(complete=False)
UNREACHED = {model.repo: Answer.TIMEOUT for model in models(ReleaseLine.V0_4)}


def judge(answer: Hub, env: EnvFile | Unavailable | None = None, model_cache: ModelCache = NO_CACHE) -> Finding:
    return only(token_accepted, answer, token(), env or env_file(), workers(), deployment(), model_cache)


def test_known() -> None:
    finding = judge(hub())
    assert finding.status is Status.PASS and "'ana'" in finding.message and "'OpenTranscribe'" in finding.message


@pytest.mark.parametrize(
    "answer, said",
    [
        (Answer.BAD_TOKEN, "not known to the Hub"),
        (Answer.EXPIRED_TOKEN, "has expired"),
        (Answer.NO_TOKEN, "not known to the Hub"),
    ],
)
def test_refused(answer: Answer, said: str) -> None:
    finding = judge(hub(whoami=identity(answer, text="Invalid user token.")))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_INVALID)
    assert said in finding.message and "settings/tokens" in everything_said(finding)
    assert "Invalid user token." in everything_said(finding)


def test_refused_with_a_complete_cache_is_a_warning() -> None:
    assert judge(hub(whoami=identity(Answer.BAD_TOKEN)), model_cache=cache()).status is Status.WARN


def test_refused_and_already_replaced_in_env() -> None:
    finding = judge(hub(whoami=identity(Answer.BAD_TOKEN)), env_file(f"HUGGINGFACE_TOKEN={OTHER_TOKEN}\n"))
    assert len(finding.remedy) == 1 and "--force-recreate" in (finding.remedy[0].command or "")


def test_a_token_that_was_not_sent_is_skipped_with_the_reason() -> None:
    finding = judge(hub(token_sent=False, not_sent_reason="the endpoint is plain http"))
    assert finding.status is Status.SKIP and "plain http" in finding.message


@pytest.mark.parametrize(
    "answer, cause",
    [
        (Answer.DNS, Cause.NETWORK_DNS), (Answer.REFUSED, Cause.NETWORK_REFUSED), (Answer.TIMEOUT, Cause.NETWORK_TIMEOUT),
        (Answer.TLS, Cause.NETWORK_TLS), (Answer.PROXY, Cause.NETWORK_PROXY), (Answer.RATE_LIMITED, Cause.RATE_LIMITED),
        (Answer.UNAVAILABLE, Cause.HUB_UNAVAILABLE),
    ],
)  # fmt: skip
def test_unreachable(answer: Answer, cause: Cause) -> None:
    finding = judge(hub(UNREACHED, whoami=identity(answer)))
    assert (finding.status, finding.cause) == (Status.UNKNOWN, cause) and finding.remedy
    assert judge(hub(UNREACHED, whoami=identity(answer)), model_cache=cache()).status is Status.WARN


def test_a_gated_file_proves_the_token_when_whoami_is_limited() -> None:
    assert judge(hub(whoami=identity(Answer.RATE_LIMITED))).status is Status.PASS
    refused = hub({**UNREACHED, COMMUNITY_1: Answer.NOT_ACCEPTED}, whoami=identity(Answer.RATE_LIMITED))
    assert judge(refused).status is Status.PASS


def test_an_endpoint_without_whoami() -> None:
    finding = judge(hub(UNREACHED, whoami=identity(Answer.NOT_FOUND)))
    assert finding.status is Status.UNKNOWN and "does not say" in finding.message


def test_not_asked() -> None:
    assert judge(hub(UNREACHED, whoami=identity(Answer.NOT_ASKED))).status is Status.SKIP


def test_an_organization_warns() -> None:
    findings = token_accepted(
        hub(whoami=identity(account="acme", account_type="org")), token(), env_file(), workers(), deployment(), NO_CACHE
    )
    assert [f.status for f in findings] == [Status.PASS, Status.WARN] and "org 'acme'" in findings[1].message


def test_the_env_file_may_be_missing() -> None:
    assert judge(hub(whoami=identity(Answer.BAD_TOKEN)), Unavailable("none")).status is Status.FAIL


def test_write_role_warns() -> None:
    finding = only(token_role, hub(whoami=identity(role="write")))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.TOKEN_TOO_POWERFUL) and finding.remedy


@pytest.mark.parametrize("role, can_read_gated, said", [("read", None, "is "), ("fineGrained", True, "is "),
                                                         ("fineGrained", False, "see model-access")])  # fmt: skip
def test_other_roles_pass(role: str, can_read_gated: bool | None, said: str) -> None:
    finding = only(token_role, hub(whoami=identity(role=role, can_read_gated=can_read_gated)))
    assert finding.status is Status.PASS and said in finding.message


def test_an_unknown_role_is_skipped() -> None:
    assert only(token_role, hub(whoami=identity(role=""))).status is Status.SKIP
    assert only(token_role, hub(whoami=identity(Answer.TIMEOUT))).status is Status.SKIP
