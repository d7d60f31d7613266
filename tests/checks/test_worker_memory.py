from __future__ import annotations

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import Outcome, Worker, Workers
from ot_doctor_checks.worker_memory import worker_memory
from tests.checks.evidence import ENGINE, WORKER, attempt, deployment, everything_said, only, worker, worker_log, workers


def judged(container: Worker, *attempts: object) -> Finding:
    return only(worker_memory, workers(container), deployment(), worker_log(*attempts))  # type: ignore[arg-type]


def test_a_worker_with_enough_memory_passes() -> None:
    finding = judged(worker())
    assert finding.status is Status.PASS
    assert "it has no memory limit" in everything_said(finding) and "ran out" not in everything_said(finding)


def test_the_oom_flag_fails_and_names_the_limit() -> None:
    finding = judged(
        worker(status="exited", exit_code=137, oom_killed=True, memory_limit=2 * 2**30, env={"WHISPER_MODEL": "large-v3"})
    )
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.OUT_OF_MEMORY, WORKER)
    assert "2.0 GiB (2147483648 bytes)" in finding.message
    assert "smaller WHISPER_MODEL than large-v3" in everything_said(finding)
    assert "mem_limit" in everything_said(finding)


def test_without_a_limit_it_is_the_machines_memory() -> None:
    finding = judged(worker(status="exited", exit_code=137, oom_killed=True))
    assert "machine's memory ran out" in finding.message


def test_137_without_the_flag_is_a_stop_by_hand() -> None:
    finding = judged(worker(status="exited", exit_code=137))
    assert finding.status is Status.PASS
    assert "killed or stopped by hand" in finding.message and "ran out" not in everything_said(finding)


def test_the_flag_of_a_running_worker_tells_of_another_process_unless_the_last_diarization_ran_out_of_memory() -> None:
    """The engine clears it when it starts a container: a health check, say, has been killed since."""
    for attempts in ((), (attempt(),), (attempt(Outcome.FAILED, cause="token-invalid"),)):
        finding = judged(worker(oom_killed=True, restart_count=2), *attempts)
        assert finding.status is Status.WARN and "has run on" in finding.message
    assert judged(worker(oom_killed=True), attempt(Outcome.FAILED, cause="out-of-memory")).status is Status.FAIL


def test_without_a_worker_there_is_nothing_to_look_at() -> None:
    assert only(worker_memory, Workers(ENGINE, ()), deployment(), worker_log()).status is Status.SKIP
