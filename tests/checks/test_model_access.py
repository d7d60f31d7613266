from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import (
    COMMUNITY_1,
    DIARIZATION_3_1,
    EMBEDDING,
    SEGMENTATION_3_0,
    WESPEAKER,
    Answer,
    FileAnswer,
    Identity,
    ModelCache,
    Outcome,
    ReleaseLine,
    Unavailable,
    WorkerLog,
    models,
)
from ot_doctor_checks.model_access import model_access
from tests.checks.evidence import (
    attempt,
    cache,
    deployment,
    env_file,
    everything_said,
    hub,
    identity,
    statuses,
    token,
    worker_log,
    workers,
)

NO_CACHE = cache(complete=False)
V0_3 = ReleaseLine.V0_3


def judge(
    answers: Mapping[str, Answer] | None = None,
    line: ReleaseLine = ReleaseLine.V0_4,
    *,
    model_cache: ModelCache = NO_CACHE,
    log: WorkerLog | Unavailable | None = None,
    whoami: Identity | None = None,
    **changes: Any,
) -> list[Finding]:
    evidence = hub(answers, line=line, whoami=whoami, **changes)
    findings: list[Finding] = model_access(
        evidence, deployment(line), token(), model_cache, log or worker_log(), env_file(), workers()
    )
    return findings


def of(findings: list[Finding], repo: str) -> Finding:
    return next(f for f in findings if repo in f.message)


@pytest.mark.parametrize("line", [ReleaseLine.V0_3, ReleaseLine.V0_4, ReleaseLine.V0_5, ReleaseLine.UNKNOWN])
def test_everything_accessible_passes_once_for_each_model(line: ReleaseLine) -> None:
    findings = judge(line=line)
    assert set(statuses(findings)) == {Status.PASS} and len(findings) == len(models(line))


def test_v04_with_the_guides_two_accepted_and_community_1_not() -> None:
    findings = judge({COMMUNITY_1: Answer.NOT_ACCEPTED})
    refused = of(findings, COMMUNITY_1)
    assert statuses(findings) == [Status.FAIL, Status.PASS, Status.PASS]
    assert (refused.cause, refused.subject) == (Cause.GATED_NOT_ACCEPTED, COMMUNITY_1)
    assert refused.remedy[0].url == f"https://huggingface.co/{COMMUNITY_1}" and "'ana'" in refused.remedy[0].text


@pytest.mark.parametrize(
    "answer", [Answer.NOT_ACCEPTED, Answer.PENDING, Answer.REJECTED, Answer.SCOPE, Answer.NOT_FOUND, Answer.TIMEOUT]
)
def test_v04_never_fails_for_the_fallback(answer: Answer) -> None:
    findings = judge({DIARIZATION_3_1: answer, SEGMENTATION_3_0: answer})
    assert set(statuses(findings)) <= {Status.PASS, Status.SKIP}


def test_v03_names_every_refused_model_and_an_optional_one_fails_nothing() -> None:
    findings = judge(
        {DIARIZATION_3_1: Answer.NOT_ACCEPTED, SEGMENTATION_3_0: Answer.NOT_ACCEPTED, EMBEDDING: Answer.NOT_ACCEPTED}, V0_3
    )
    assert [f.subject for f in findings if f.status is Status.FAIL] == [DIARIZATION_3_1, SEGMENTATION_3_0]
    extra = of(findings, EMBEDDING)
    assert extra.status is Status.PASS and "is optional (recognising speakers in other files)" in extra.message


@pytest.mark.parametrize(
    "answer, cause, said",
    [
        (Answer.PENDING, Cause.GATED_PENDING, "not granted yet"),
        (Answer.REJECTED, Cause.GATED_NOT_ACCEPTED, "was rejected"),
        (Answer.NOT_ACCEPTED, Cause.GATED_NOT_ACCEPTED, "has not accepted the terms"),
    ],
)
def test_refusals(answer: Answer, cause: Cause, said: str) -> None:
    finding = judge({COMMUNITY_1: answer})[0]
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, cause, COMMUNITY_1)
    assert said in finding.message and finding.remedy
    assert judge({COMMUNITY_1: answer}, model_cache=cache())[0].status is Status.WARN


def test_scope_names_the_token_and_the_box() -> None:
    finding = judge({COMMUNITY_1: Answer.SCOPE}, whoami=identity(role="fineGrained", can_read_gated=False))[0]
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.TOKEN_SCOPE, "OpenTranscribe")
    said = everything_said(finding)
    assert "Read access to contents of all public gated repos you can access" in said and "'OpenTranscribe'" in said
    assert f"https://huggingface.co/{COMMUNITY_1}" in said, "the agreement may be the next thing to mend"


def test_scope_of_a_token_without_a_name() -> None:
    finding = judge({COMMUNITY_1: Answer.SCOPE}, whoami=identity(Answer.RATE_LIMITED))[0]
    assert finding.subject == "HUGGINGFACE_TOKEN" and "''" not in everything_said(finding)


def test_an_unaccepted_agreement_of_a_narrow_token_mentions_both() -> None:
    finding = judge({COMMUNITY_1: Answer.NOT_ACCEPTED}, whoami=identity(role="fineGrained", can_read_gated=False))[0]
    assert finding.cause is Cause.GATED_NOT_ACCEPTED and "The token is also fine-grained" in everything_said(finding)


@pytest.mark.parametrize("answer", [Answer.NO_TOKEN, Answer.BAD_TOKEN, Answer.EXPIRED_TOKEN])
def test_a_401_is_about_the_token(answer: Answer) -> None:
    known = judge({COMMUNITY_1: answer})[0]
    assert (known.status, known.cause, known.subject) == (Status.FAIL, Cause.TOKEN_INVALID, "HUGGINGFACE_TOKEN")
    assert "the token is the problem" in known.message
    refused = judge({COMMUNITY_1: answer}, whoami=identity(answer))
    assert statuses(refused) == [Status.SKIP] and "token-accepted" in refused[0].message


def test_nothing_was_sent() -> None:
    findings = judge(token_sent=False, not_sent_reason="the token is no token")
    assert statuses(findings) == [Status.SKIP] and "the token is no token" in findings[0].message


@pytest.mark.parametrize(
    "answer, cause",
    [
        (Answer.DNS, Cause.NETWORK_DNS),
        (Answer.PROXY, Cause.NETWORK_PROXY),
        (Answer.RATE_LIMITED, Cause.RATE_LIMITED),
        (Answer.UNAVAILABLE, Cause.HUB_UNAVAILABLE),
    ],
)
def test_not_reached_is_unknown(answer: Answer, cause: Cause) -> None:
    everywhere = {model.repo: answer for model in models(V0_3)}
    findings = judge(everywhere, V0_3)
    assert statuses(findings) == [Status.UNKNOWN] * 3 + [Status.SKIP]
    assert {f.cause for f in findings if f.status is Status.UNKNOWN} == {cause}
    assert set(statuses(judge(everywhere, V0_3, model_cache=cache(line=V0_3)))) == {Status.WARN, Status.SKIP}


def test_not_found_is_unknown_only_for_what_is_needed() -> None:
    finding = judge({COMMUNITY_1: Answer.NOT_FOUND})[0]
    assert (finding.status, finding.cause) == (Status.UNKNOWN, Cause.REPO_NOT_FOUND) and finding.remedy
    assert judge({COMMUNITY_1: Answer.NOT_FOUND}, model_cache=cache())[0].status is Status.PASS
    assert of(judge({EMBEDDING: Answer.NOT_FOUND}, V0_3), EMBEDDING).status is Status.PASS


def test_the_ungated_model_counts_for_v03() -> None:
    assert of(judge({WESPEAKER: Answer.NOT_FOUND}, V0_3), WESPEAKER).status is Status.UNKNOWN


def test_unknown_line_only_warns_and_says_who_needs_the_model() -> None:
    findings = judge({COMMUNITY_1: Answer.NOT_ACCEPTED, SEGMENTATION_3_0: Answer.NOT_ACCEPTED}, ReleaseLine.UNKNOWN)
    assert set(statuses(findings)) == {Status.PASS, Status.WARN}
    assert "needed by v0.4 and v0.5" in of(findings, COMMUNITY_1).message
    assert "needed by v0.1-0.3" in of(findings, SEGMENTATION_3_0).message
    optional = of(findings, EMBEDDING)
    assert optional.status is Status.PASS and "(optional)" in optional.message


def test_unknown_line_fails_for_what_the_log_names() -> None:
    failed = attempt(Outcome.FAILED, subject=COMMUNITY_1, cause="gated-not-accepted")
    findings = judge({COMMUNITY_1: Answer.NOT_ACCEPTED}, ReleaseLine.UNKNOWN, log=worker_log(failed))
    assert of(findings, COMMUNITY_1).status is Status.FAIL
    succeeded = attempt(Outcome.SUCCEEDED, subject=COMMUNITY_1)
    findings = judge({COMMUNITY_1: Answer.NOT_ACCEPTED}, ReleaseLine.UNKNOWN, log=worker_log(succeeded, failed))
    assert of(findings, COMMUNITY_1).status is Status.WARN


def test_unknown_line_that_cannot_be_reached_is_unknown() -> None:
    assert Status.UNKNOWN in statuses(judge({COMMUNITY_1: Answer.TIMEOUT}, ReleaseLine.UNKNOWN, log=Unavailable("no log")))


def test_a_model_that_was_not_asked_for_is_skipped() -> None:
    assert judge({COMMUNITY_1: Answer.NOT_ASKED})[0].status is Status.SKIP
    assert set(statuses(judge(files=()))) == {Status.SKIP}


def test_the_hubs_own_words_are_the_evidence() -> None:
    words = FileAnswer(COMMUNITY_1, "plda/plda.npz", Answer.NOT_ACCEPTED, 403, "you are not in the authorized list")
    finding = judge(files=(words,))[0]
    assert finding.evidence[0].text == "you are not in the authorized list"
    assert finding.evidence[0].where == f"{COMMUNITY_1}/plda/plda.npz"


def test_without_a_deployment_the_line_is_unknown() -> None:
    findings = model_access(
        hub(line=ReleaseLine.UNKNOWN),
        Unavailable("none"),
        token(),
        NO_CACHE,
        Unavailable("none"),
        Unavailable("none"),
        Unavailable("none"),
    )
    assert len(findings) == len(models(ReleaseLine.UNKNOWN))


def test_a_refusal_without_words_of_the_hub_is_told_in_its_terms() -> None:
    seen = of(judge({COMMUNITY_1: Answer.NOT_ACCEPTED}), COMMUNITY_1).evidence[0]
    assert "agreement" not in seen.text and "terms" in Answer.NOT_ACCEPTED.words and Answer.OK.words == "ok"
