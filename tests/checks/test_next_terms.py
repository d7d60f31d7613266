from __future__ import annotations

from collections.abc import Mapping

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import COMMUNITY_1, Answer, FileAnswer, NextRelease, ReleaseLine, Unavailable, WorkerToken
from ot_doctor_checks.next_terms import next_terms
from tests.checks.evidence import everything_said, hub, identity, ladder, probe, token

V0_5 = NextRelease(ReleaseLine.V0_5, "v0.5", asked=True)


def judge(answers: Mapping[str, Answer] | None = None, whose: WorkerToken | None = None) -> list[Finding]:
    found: list[Finding] = next_terms(V0_5, hub(answers, line=ReleaseLine.V0_5), whose or token())
    return found


def test_a_token_that_can_download_what_the_release_needs() -> None:
    (finding,) = judge()
    assert finding.status is Status.PASS
    assert COMMUNITY_1 in finding.message


def test_optional_models_are_not_asked_about() -> None:
    assert [f.status for f in judge({"pyannote/speaker-diarization-3.1": Answer.NOT_ACCEPTED})] == [Status.PASS]


@pytest.mark.parametrize(
    "answer, status, cause",
    [
        (Answer.NOT_ACCEPTED, Status.FAIL, Cause.GATED_NOT_ACCEPTED),
        (Answer.PENDING, Status.FAIL, Cause.GATED_PENDING),
        (Answer.SCOPE, Status.FAIL, Cause.TOKEN_SCOPE),
        (Answer.BAD_TOKEN, Status.FAIL, Cause.TOKEN_INVALID),
        (Answer.TIMEOUT, Status.UNKNOWN, Cause.NETWORK_TIMEOUT),
        (Answer.NOT_FOUND, Status.UNKNOWN, None),
        (Answer.NOT_ASKED, Status.UNKNOWN, None),
    ],
)
def test_what_the_hub_refuses(answer: Answer, status: Status, cause: Cause | None) -> None:
    (finding,) = judge({COMMUNITY_1: answer})
    assert (finding.status, finding.cause) == (status, cause)
    assert COMMUNITY_1 in finding.message and finding.remedy


def test_the_account_is_named() -> None:
    (finding,) = next_terms(
        V0_5, hub({COMMUNITY_1: Answer.NOT_ACCEPTED}, line=ReleaseLine.V0_5, whoami=identity(account="ada")), token()
    )
    assert "ada" in everything_said(finding)


def test_the_workers_own_answer_counts_where_this_machine_does_not_reach_the_hub() -> None:
    here = hub({COMMUNITY_1: Answer.DNS}, line=ReleaseLine.V0_5)
    seen = probe(ladder(files=(FileAnswer(COMMUNITY_1, "config.yaml", Answer.OK),)))
    (finding,) = next_terms(V0_5, here, token(), seen)
    assert finding.status is Status.PASS and "this machine does not reach the Hub" in finding.message
    seen = probe(ladder(files=(FileAnswer(COMMUNITY_1, "config.yaml", Answer.NOT_ACCEPTED),)))
    (finding,) = next_terms(V0_5, here, token(), seen)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.GATED_NOT_ACCEPTED)
    (finding,) = next_terms(V0_5, here, token(), Unavailable("off", switched_off=True))
    assert finding.status is Status.UNKNOWN


def test_no_token() -> None:
    (finding,) = judge(whose=token(None))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_MISSING)
