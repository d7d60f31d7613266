from __future__ import annotations

from datetime import timedelta

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import Answer, Unavailable, WorkerLog
from ot_doctor.redaction.secret import TOKEN_NAME
from ot_doctor_checks.worker_start import worker_start
from tests.checks.evidence import (
    LATER,
    attempt,
    cache,
    deployment,
    env_file,
    everything_said,
    hit,
    host,
    hub,
    identity,
    record,
    statuses,
    token,
    worker_log,
    workers,
)

REGISTER = "Failed to register HuggingFace token: Invalid user token."
GONE = Unavailable("not there")


def judged(log: WorkerLog, **present: object) -> list[Finding]:
    given = {
        "hub": hub(), "token": token(), "cache": cache(False), "host": host(), "workers": workers(),
        "deployment": deployment(), "env_file": env_file(),
    }  # fmt: skip
    return list(worker_start(log, **{**given, **present}))


def test_a_log_without_such_lines_passes() -> None:
    assert statuses(judged(worker_log())) == [Status.PASS]


def test_without_a_log_it_is_skipped() -> None:
    assert statuses(judged(WorkerLog((), ()))) == [Status.SKIP]
    assert statuses(judged(worker_log(source={"lines_read": 0}))) == [Status.SKIP]


def test_a_refused_log_in_fails_while_the_hub_refuses_or_is_not_asked() -> None:
    log = worker_log(stray=(hit("token-register", "token-invalid", REGISTER),))
    for asked in (hub(whoami=identity(Answer.BAD_TOKEN)), GONE):
        (finding,) = judged(log, hub=asked)
        assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.TOKEN_INVALID, TOKEN_NAME)
        assert REGISTER in everything_said(finding)


def test_a_refused_log_in_of_the_past_is_a_warning_when_the_hub_takes_the_token() -> None:
    (finding,) = judged(worker_log(stray=(hit("token-register", "token-invalid", REGISTER),)))
    assert finding.status is Status.WARN
    assert "Access is fine now" in finding.message


def test_a_setting_that_ends_the_worker_fails() -> None:
    line = "ValueError: invalid literal for int() with base 10: '20  # Can be raised'"
    (finding,) = judged(worker_log(stray=(hit("bad-int", "speakers-config", line, subject="MAX_SPEAKERS"),)))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS")


def test_a_library_that_is_missing_fails_without_token_advice() -> None:
    (finding,) = judged(worker_log(stray=(hit("no-module", "lib-mismatch", "No module named 'torchaudio.backend'"),)))
    assert finding.cause is Cause.LIB_MISMATCH
    assert "you do not need a new token" in finding.message


def test_a_line_that_stands_often_is_one_finding() -> None:
    log = worker_log(stray=(hit("token-register", "token-invalid", REGISTER),) * 5)
    assert len(judged(log)) == 1


def test_notes_and_generic_lines_are_no_findings() -> None:
    log = worker_log(stray=(hit("note", None), hit("generic", "gated-not-accepted", generic=True)))
    assert statuses(judged(log)) == [Status.PASS]


def test_a_line_before_the_last_success_is_history() -> None:
    early = hit("token-register", "token-invalid", record=record(REGISTER, at=LATER - timedelta(minutes=5)))
    log = worker_log(attempt(), stray=(early,))
    assert statuses(judged(log, hub=GONE)) == [Status.PASS]
