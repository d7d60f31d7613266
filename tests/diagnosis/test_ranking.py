from __future__ import annotations

import itertools

import pytest

from ot_doctor.check import (
    Cause,
    Check,
    Confidence,
    Family,
    Finding,
    Result,
    Seen,
    Step,
    failed,
    passed,
    skipped,
    unknown,
    warned,
)
from ot_doctor.diagnosis.ranking import RootCause, diagnose

STEP = Step("Mend it.")


def result(name: str, *findings: Finding) -> Result:
    return Result(Check(name, "t", Family.ENV, lambda: [], "e"), findings, 0.1)


def fails(
    cause: Cause, subject: str | None = None, message: str = "", *evidence: Seen, confidence: Confidence = Confidence.CERTAIN
) -> Finding:
    return failed(
        cause, message or f"it is {cause.value}", remedy=[Step(f"Mend {cause.value}.")], subject=subject, evidence=evidence,
        confidence=confidence,
    )  # fmt: skip


def causes(*results: Result) -> list[tuple[Cause, str | None]]:
    return [(root.cause, root.subject) for root in diagnose(results)]


def only(*results: Result) -> RootCause:
    (root,) = diagnose(results)
    return root


def test_what_must_be_mended_first_comes_first_in_whatever_order_it_was_found() -> None:
    found = [
        result("a", fails(Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS")),
        result("b", fails(Cause.GATED_NOT_ACCEPTED, "pyannote/x")),
        result("c", fails(Cause.CACHE_PERMISSION, "/models")),
        result("d", fails(Cause.TOKEN_EXPOSED, "/srv/.env")),
    ]
    expected = [Cause.CACHE_PERMISSION, Cause.GATED_NOT_ACCEPTED, Cause.SPEAKERS_CONFIG, Cause.TOKEN_EXPOSED]
    for order in itertools.permutations(found):
        assert [root.cause for root in diagnose(order)] == expected


def test_only_what_fails_is_a_cause() -> None:
    assert diagnose([]) == ()
    quiet = (passed("fine"), warned("hm", cause=Cause.TOKEN_TOO_POWERFUL), skipped("no"), unknown("?", cause=Cause.NETWORK_DNS))
    assert diagnose([result("a", *quiet)]) == ()
    assert causes(result("a", *quiet, fails(Cause.DISK_FULL))) == [(Cause.DISK_FULL, None)]


def test_one_cause_and_subject_is_one_entry_with_all_that_was_seen_of_it() -> None:
    hub, log = Seen("hub", "pyannote/x", "403"), Seen("log", "worker:12", "gated")
    root = only(
        result("last-attempt", fails(Cause.GATED_NOT_ACCEPTED, "p/x", "the log says so", log, confidence=Confidence.LIKELY)),
        result("model-access", fails(Cause.GATED_NOT_ACCEPTED, "p/x", "the Hub says so", hub, log)),
    )
    assert (root.message, root.confidence) == ("the Hub says so", Confidence.CERTAIN)
    assert root.evidence == (log, hub)
    assert root.explains == ("last-attempt", "model-access")
    assert root.remedy == (Step("Mend gated-not-accepted."),)


def test_of_two_that_are_equally_sure_the_first_speaks() -> None:
    root = only(result("a", fails(Cause.DISK_FULL, None, "one")), result("b", fails(Cause.DISK_FULL, None, "two")))
    assert root.message == "one"


def test_another_subject_is_another_entry() -> None:
    found = result("a", fails(Cause.GATED_NOT_ACCEPTED, "pyannote/x"), fails(Cause.GATED_NOT_ACCEPTED, "pyannote/y"))
    assert causes(found) == [(Cause.GATED_NOT_ACCEPTED, "pyannote/x"), (Cause.GATED_NOT_ACCEPTED, "pyannote/y")]


def test_a_failure_without_a_subject_is_taken_for_the_one_that_names_it() -> None:
    root = only(result("log", fails(Cause.DISK_FULL, None)), result("disk", fails(Cause.DISK_FULL, "/models")))
    assert (root.subject, root.explains) == ("/models", ("log", "disk"))


def test_what_another_cause_brings_about_is_named_and_not_listed() -> None:
    root = only(
        result("token-present", fails(Cause.TOKEN_MISSING, "HUGGINGFACE_TOKEN")),
        result("env-shadowed", fails(Cause.ENV_SHADOWED, "HUGGINGFACE_TOKEN")),
    )
    assert root.cause is Cause.ENV_SHADOWED
    assert root.explains == ("env-shadowed", "token-present")


def test_what_follows_through_another_failure_is_named_too() -> None:
    root = only(
        result("env-shadowed", fails(Cause.ENV_SHADOWED, "MAX_SPEAKERS")),
        result("worker-running", fails(Cause.WORKER_DOWN, "worker")),
        result("speaker-limits", fails(Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS")),
    )
    assert root.cause is Cause.ENV_SHADOWED
    assert root.explains == ("env-shadowed", "worker-running", "speaker-limits")


def test_a_setting_does_not_explain_what_another_one_does() -> None:
    found = (
        result("env-current", fails(Cause.STALE_WORKER_ENV, "MAX_SPEAKERS")),
        result("token-present", fails(Cause.TOKEN_MISSING, "HUGGINGFACE_TOKEN")),
    )
    assert [cause for cause, _ in causes(*found)] == [Cause.STALE_WORKER_ENV, Cause.TOKEN_MISSING]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("MAX_SPEAKERS", [Cause.SPEAKERS_CONFIG]),
        ("MIN_SPEAKERS, MAX_SPEAKERS", [Cause.WORKER_DOWN, Cause.SPEAKERS_CONFIG]),
    ],
)
def test_limits_that_contradict_each_other_end_no_worker(subject: str, expected: list[Cause]) -> None:
    limits = result("speaker-limits", fails(Cause.SPEAKERS_CONFIG, subject))
    assert [cause for cause, _ in causes(limits, result("worker-running", fails(Cause.WORKER_DOWN, "worker")))] == expected


def test_a_warning_explains_nothing_away() -> None:
    found = result("a", warned("differs", cause=Cause.ENV_SHADOWED, subject="HUGGINGFACE_TOKEN"), fails(Cause.TOKEN_MISSING))
    assert causes(found) == [(Cause.TOKEN_MISSING, None)]


@pytest.mark.parametrize("first", Cause)
def test_something_is_always_left_to_mend_and_every_failing_check_is_accounted_for(first: Cause) -> None:
    for second in Cause:
        roots = diagnose([result("a", fails(first, "s")), result("b", fails(second, "s"))])
        assert {name for root in roots for name in root.explains} == {"a", "b"}, second
        assert [root.cause.rank for root in roots] == sorted(root.cause.rank for root in roots), second


def test_all_causes_at_once_leave_no_check_without_a_root_cause() -> None:
    roots = diagnose([result(cause.value, fails(cause, "HUGGINGFACE_TOKEN")) for cause in Cause])
    assert {name for root in roots for name in root.explains} == {cause.value for cause in Cause}
