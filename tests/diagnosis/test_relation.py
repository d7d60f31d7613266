"""What each finding has to do with the newest failed attempt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ot_doctor.check import Cause, Finding, Status, Step, failed, passed, skipped, unknown, warned
from ot_doctor.diagnosis.causes import BREAKS_NO_JOB
from ot_doctor.diagnosis.ranking import diagnose
from ot_doctor.diagnosis.relation import Relation, Relations
from ot_doctor.evidence import COMMUNITY_1, DIARIZATION_3_1, Attempt, Outcome, WorkerLog
from ot_doctor.redaction.secret import TOKEN_NAME
from ot_doctor.report.formats.text import render
from ot_doctor.report.formats.text_lines import Style
from ot_doctor.report.model import Report
from tests.checks.evidence import LATER, attempt, hit, worker_log
from tests.report.reports import report

E, W, U = Relation.EXPLAINS, Relation.WOULD_BREAK, Relation.UNRELATED
GENERIC = hit("some-generic", None, "An error happened while trying to locate the file on the Hub", generic=True)


def fails(cause: Cause, subject: str | None = None) -> Finding:
    return failed(cause, f"it is {cause.value}", remedy=[Step("Mend it.")], subject=subject)


def failure(cause: str, subject: str | None = None, **changes: object) -> Attempt:
    return attempt(Outcome.FAILED, cause=cause, subject=subject, **changes)


def made(log: WorkerLog | None, **changes: tuple[Finding, ...]) -> Report:
    return report({name.replace("_", "-"): findings for name, findings in changes.items()}, log=log)


def related(finding: Finding, *attempts: Attempt, others: tuple[Finding, ...] = ()) -> Relation | None:
    """The relation of one finding beside others, after these attempts (the newest first)."""
    return Relations(made(worker_log(*attempts), model_access=(finding, *others))).of(finding)


@pytest.mark.parametrize(
    ("cause", "subject", "attempted", "expected"),
    [
        (Cause.GATED_NOT_ACCEPTED, COMMUNITY_1, failure("gated-not-accepted", COMMUNITY_1), E),
        (Cause.GATED_NOT_ACCEPTED, COMMUNITY_1, failure("gated-not-accepted"), E),
        (Cause.GATED_NOT_ACCEPTED, DIARIZATION_3_1, failure("gated-not-accepted", COMMUNITY_1), W),
        (Cause.GATED_NOT_ACCEPTED, COMMUNITY_1, failure("gpu-out-of-memory"), W),
        (Cause.CACHE_PERMISSION, "/srv/models", failure("cache-permission", "/home/appuser/.cache/huggingface/hub"), E),
        (Cause.TOKEN_MALFORMED, TOKEN_NAME, failure("token-invalid"), E),
        (Cause.TOKEN_MALFORMED, TOKEN_NAME, failure("token-missing", COMMUNITY_1), E),
        (Cause.STALE_WORKER_ENV, TOKEN_NAME, failure("token-missing"), E),
        (Cause.STALE_WORKER_ENV, "MAX_SPEAKERS", failure("token-missing"), W),
        (Cause.ENV_SHADOWED, TOKEN_NAME, failure("token-invalid", TOKEN_NAME), E),
        (Cause.STALE_WORKER_ENV, TOKEN_NAME, failure("gated-not-accepted", COMMUNITY_1), W),
        (Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS", failure("disk-full"), W),
        (Cause.OUT_OF_MEMORY, "worker", failure("worker-down"), E),
        (Cause.TOKEN_EXPOSED, "/srv/.env", failure("token-invalid"), U),
        # lines that name no cause: what can look like it
        (Cause.GATED_NOT_ACCEPTED, COMMUNITY_1, failure("unrecognised", hits=(GENERIC,)), E),
        (Cause.NETWORK_DNS, "huggingface.co", failure("unrecognised", hits=(GENERIC,)), E),
        (Cause.GPU_UNAVAILABLE, "0", failure("unrecognised", hits=(GENERIC,)), W),
        (Cause.GPU_UNAVAILABLE, "0", failure("unrecognised"), E),
        (Cause.OUT_OF_MEMORY, "worker", failure("unrecognised", cut_off=True), E),
        (Cause.GATED_NOT_ACCEPTED, COMMUNITY_1, failure("unrecognised", cut_off=True, hits=(hit("v4-loads", None),)), W),
        (Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS", failure("somebodys-own"), E),
    ],
)
def test_a_failing_finding(cause: Cause, subject: str, attempted: Attempt, expected: Relation) -> None:
    assert related(fails(cause, subject), attempted) is expected


def test_without_a_failed_attempt_what_fails_would_break_the_next_run() -> None:
    finding = fails(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1)
    assert related(finding) is W
    assert related(finding, attempt()) is W
    assert related(finding, attempt(), failure("gated-not-accepted", lines=(1, 2))) is W, "the failure is history"
    assert related(finding, failure("gated-not-accepted", current=False)) is W
    assert related(finding, attempt(Outcome.RECOVERED, cause="gated-not-accepted")) is W
    assert Relations(made(None, model_access=(finding,))).of(finding) is W


def test_a_running_attempt_does_not_hide_the_failure_before_it() -> None:
    running = attempt(Outcome.UNFINISHED, lines=(150, 160), ended_at=None)
    assert related(fails(Cause.DISK_FULL), running, failure("disk-full")) is E


@pytest.mark.parametrize("finding", [passed("fine"), skipped("no"), unknown("?", cause=Cause.NETWORK_DNS)])
def test_what_neither_fails_nor_warns_has_no_relation(finding: Finding) -> None:
    assert related(finding, failure("network-dns")) is None


def test_warnings() -> None:
    mended = warned("mended since", cause=Cause.DISK_FULL)
    assert related(mended, failure("disk-full")) is E
    assert related(mended, failure("gpu-out-of-memory")) is U
    assert related(mended) is None
    assert related(warned("odd"), failure("disk-full")) is U
    assert related(warned("odd")) is None
    for cause in BREAKS_NO_JOB:
        assert related(warned("so it is", cause=cause)) is U
        assert related(warned("so it is", cause=cause), failure(cause.value)) is U


def test_what_brings_the_cause_about_through_another_failure_explains_it_too() -> None:
    folder = fails(Cause.WRONG_FOLDER, "/srv/other")
    between = fails(Cause.STALE_WORKER_ENV, TOKEN_NAME)
    assert related(folder, failure("token-missing"), others=(between,)) is E
    assert related(folder, failure("token-missing")) is W


def test_what_the_log_amounts_to_now_counts_as_well_as_its_own_words() -> None:
    """The log says 'no token was sent'; the Hub says that the token is revoked."""
    judged, asked = fails(Cause.TOKEN_INVALID, TOKEN_NAME), fails(Cause.TOKEN_INVALID, TOKEN_NAME)
    relations = Relations(made(worker_log(failure("token-missing")), last_attempt=(judged,), token_accepted=(asked,)))
    assert (relations.of(judged), relations.of(asked)) == (E, E)


def test_a_root_cause_has_the_closest_relation_of_its_findings() -> None:
    log = worker_log(failure("gated-not-accepted", COMMUNITY_1, ended_at=LATER))
    whole = made(
        log,
        model_access=(fails(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1),),
        last_attempt=(fails(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1),),
        speaker_limits=(fails(Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS"),),
        token_exposure=(fails(Cause.TOKEN_EXPOSED, "/srv/.env"),),
    )
    relations = Relations(whole)
    assert [relations.of_root(root) for root in diagnose(whole.results)] == [E, W, U]
    text = render(whole, Style(width=200))
    assert "It explains the last failure (2026-11-20 13:00 UTC, 12 hours ago)." in text
    assert "It would break the next run." in text
    assert "It is unrelated to the last failure." in text


def test_a_single_root_cause_of_the_failure_is_not_said_twice() -> None:
    whole = made(worker_log(failure("disk-full")), last_attempt=(fails(Cause.DISK_FULL),))
    assert "explains the last failure" not in render(whole)
    assert "explains the last failure" in render(whole, Style(verbose=True))


def test_without_a_failure_nothing_is_said_of_one() -> None:
    older = failure("disk-full", lines=(1, 2), ended_at=LATER - timedelta(hours=1))
    whole = made(worker_log(attempt(), older), speaker_limits=(fails(Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS"),))
    assert "last failure" not in render(whole, Style(verbose=True))


def test_every_finding_of_a_real_report_has_a_relation_that_fits_its_status() -> None:
    for cause in Cause:
        for outcome in (Outcome.FAILED, Outcome.SUCCEEDED):
            log = worker_log(attempt(outcome, cause=cause.value if outcome is Outcome.FAILED else None))
            relations = Relations(made(log))
            for finding in (fails(cause), warned("w", cause=cause), unknown("u", cause=cause)):
                relation = relations.of(finding)
                assert (relation is None) or finding.status in (Status.FAIL, Status.WARN)
                assert finding.status is not Status.FAIL or relation is not None


TOKENS = (Cause.TOKEN_MISSING, Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID)
CONTENT = (Cause.CACHE_MISSING, Cause.CACHE_INCOMPLETE, Cause.OFFLINE_CACHE_MISSING)


@pytest.mark.parametrize(
    ("logged", "present"),
    [
        *((a, b) for a in TOKENS for b in (*TOKENS, Cause.TOKEN_SCOPE, Cause.GATED_NOT_ACCEPTED)),
        (Cause.REPO_NOT_FOUND, Cause.TOKEN_INVALID),
        (Cause.CACHE_PERMISSION, Cause.CACHE_READONLY),
        *((a, b) for a in CONTENT for b in (*CONTENT, Cause.MODEL_CORRUPT, Cause.CACHE_PERMISSION)),
    ],
)
def test_a_relation_does_not_depend_on_which_checks_were_run(logged: Cause, present: Cause) -> None:
    """The log's words can mean more than they say; that is so with and without the check that judges the attempt."""
    asked, limits = fails(present), fails(Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS")
    log = worker_log(failure(logged.value))
    alone = Relations(made(log, model_access=(asked, limits)))
    beside = Relations(made(log, model_access=(asked, limits), last_attempt=(fails(present),)))
    assert alone.of(asked) is beside.of(asked) is E
    assert alone.of(limits) is beside.of(limits) is W


def test_terms_that_were_asked_for_prove_that_there_was_a_token() -> None:
    sure = failure("gated-not-accepted", COMMUNITY_1, certain=True)
    assert related(fails(Cause.TOKEN_MISSING, TOKEN_NAME), sure) is W
    assert related(fails(Cause.TOKEN_INVALID, TOKEN_NAME), sure) is E
