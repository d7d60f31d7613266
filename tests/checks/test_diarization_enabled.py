from __future__ import annotations

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import Outcome, ReleaseLine
from ot_doctor_checks.diarization_enabled import diarization_enabled
from tests.checks.evidence import attempt, deployment, everything_said, only, record, worker, worker_log, workers


def test_a_newest_job_without_diarization_is_a_warning_with_the_way_in_the_application() -> None:
    line = record("Diarization disabled — assigning SPEAKER_00 to all segments", level="INFO")
    log = worker_log(attempt(Outcome.DISABLED, decisive=(line,)), attempt())
    finding = only(diarization_enabled, log, workers(), deployment())
    assert (finding.status, finding.cause) == (Status.WARN, Cause.DIARIZATION_DISABLED)
    assert "section Transcription" in everything_said(finding)
    assert "SPEAKER_00" in finding.evidence[0].text
    newer = only(diarization_enabled, log, workers(), deployment(ReleaseLine.V0_5))
    assert "Speaker Identification" in everything_said(newer)


def test_an_older_job_without_diarization_does_not_matter() -> None:
    log = worker_log(attempt(), attempt(Outcome.DISABLED))
    assert only(diarization_enabled, log, workers(), deployment()).status is Status.PASS


def test_a_failed_diarization_was_asked_for_too() -> None:
    assert only(diarization_enabled, worker_log(attempt(Outcome.FAILED)), workers(), deployment()).status is Status.PASS


def test_without_a_job_in_the_present_run_it_is_not_known() -> None:
    assert only(diarization_enabled, worker_log(), workers(), deployment()).status is Status.SKIP
    former = worker_log(attempt(Outcome.DISABLED, current=False))
    assert only(diarization_enabled, former, workers(), deployment()).status is Status.SKIP


def test_enable_diarization_is_said_to_have_no_effect() -> None:
    _, note = diarization_enabled(worker_log(attempt()), workers(worker(env={"ENABLE_DIARIZATION": "false"})), deployment())
    assert note.status is Status.PASS
    assert "has no effect" in note.message
