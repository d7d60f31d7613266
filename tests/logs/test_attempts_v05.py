"""Attempts of the v0.5 line: two engines, tasks that are tried again, and tasks that diarize nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ot_doctor.evidence import Attempt, Outcome, Request, Unavailable, WorkerLog
from ot_doctor.sources.log_windows import gather

TASK = "8f2c5a1e-1111-4222-8333-444455556666"
OTHER = "9a3d6b2f-2222-4333-8444-555566667777"
FILE = "0192f6a4-77b1-7cc0-8a35-5f3f1e9d2c10"
JOB = "transcription.gpu_transcribe"
DOWN = "diar-native sidecar unavailable at http://diar-native:8701"


def line(message: str, level: str = "INFO", second: int = 0) -> str:
    return f"2026-11-28 15:05:{second:02},499 {level}:app.transcription.engine:{message}"


def received(task: str = TASK, name: str = JOB) -> str:
    return line(f"Task {name}[{task}] received")


def ended(status: str = "success", task: str = TASK, name: str = JOB) -> str:
    return line(f"Task {name}[{task}] succeeded in 30.1s: {{'status': '{status}', 'file_id': 1}}")


def read(tmp_path: Path, *lines: str) -> WorkerLog:
    path = tmp_path / "worker.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return gather(Request(logs=(str(path),)), Unavailable("no engine"))


def only(log: WorkerLog) -> Attempt:
    assert len(log.attempts) == 1, log.attempts
    return log.attempts[0]


NATIVE_DONE = line("native diarization done in 12.3s: 120 segments, 3 speakers")
STEP_DONE = line("TIMING: diarization step completed in 12.345s (overlapped with transcription)")
FALLS_BACK = line(f"Native diarizer unavailable ({DOWN}); falling back to PyAnnote", "WARNING")
READY_AGAIN = line("diar-native sidecar is ready again; leaving the PyAnnote fallback")
LOADS = line("Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1")
RUNS = line("Running diarization with kwargs: {'min_speakers': 1, 'max_speakers': 20}")
DONE = line("TIMING: diarization completed in 12.345s - 2 speakers, 120 segments")
GATED = (
    "403 Client Error. Cannot access gated repo for url https://huggingface.co/pyannote/speaker-diarization-community-1/x. "
    "Access to model pyannote/speaker-diarization-community-1 is restricted and you are not in the authorized list."
)


def fails(task: str, error: str, file: str = FILE) -> list[str]:
    return [
        received(task),
        LOADS,
        line(f"GPU transcription failed for file {file}: {error}", "ERROR"),
        ended("error", task),
    ]


def test_the_native_engine_and_the_step_around_it_are_one_success(tmp_path: Path) -> None:
    attempt = only(read(tmp_path, received(), NATIVE_DONE, STEP_DONE, ended()))
    assert (attempt.outcome, attempt.speakers, attempt.engine, attempt.stood_in) == (Outcome.SUCCEEDED, 3, "native", False)


def test_pyannote_and_the_step_around_it_are_one_success(tmp_path: Path) -> None:
    attempt = only(read(tmp_path, received(), LOADS, RUNS, DONE, STEP_DONE, ended()))
    assert (attempt.outcome, attempt.speakers, attempt.engine, attempt.stood_in) == (Outcome.SUCCEEDED, 2, "pyannote", False)


def test_pyannote_stands_in_until_the_native_engine_is_ready_again(tmp_path: Path) -> None:
    job = (LOADS, RUNS, DONE, STEP_DONE)
    log = read(tmp_path, received(), FALLS_BACK, *job, ended(), READY_AGAIN, received(OTHER), *job, ended(task=OTHER))
    assert [(a.engine, a.stood_in, a.outcome) for a in log.attempts] == [
        ("pyannote", False, Outcome.SUCCEEDED), ("pyannote", True, Outcome.SUCCEEDED)
    ]  # fmt: skip


def test_a_fallback_outside_jobs_is_no_attempt(tmp_path: Path) -> None:
    log = read(tmp_path, FALLS_BACK, line("diar-native sidecar is unreachable; falling back to PyAnnote", "WARNING"))
    assert (log.attempts, log.stray) == ((), ())


def test_the_steps_of_two_threads_do_not_end_each_others_attempts(tmp_path: Path) -> None:
    log = read(
        tmp_path, received(), received(OTHER), LOADS, NATIVE_DONE, line("Reusing cached diarizer (hash=1)"), RUNS, STEP_DONE,
        ended(), line(f"GPU transcription failed for file {FILE}: {GATED}", "ERROR"), ended("error", OTHER),
    )  # fmt: skip
    assert {(a.task, a.outcome) for a in log.attempts} == {(TASK, Outcome.SUCCEEDED), (OTHER, Outcome.FAILED)}


@pytest.mark.parametrize("status", ["split_forwarded", "superseded", "cancelled"])
def test_a_task_that_diarized_nothing_is_no_attempt(tmp_path: Path, status: str) -> None:
    assert read(tmp_path, received(), ended(status)).attempts == ()
    assert read(tmp_path, received(), LOADS, ended(status)).attempts == ()


def test_a_task_that_was_only_forwarded_ends_nobody_elses_attempt(tmp_path: Path) -> None:
    name = "transcription.diarize_gpu"
    began = (received(OTHER, name), received(), LOADS, RUNS)
    log = read(tmp_path, *began, ended("split_forwarded"), DONE, ended("success", OTHER, name))
    assert (only(log).task, only(log).outcome) == (OTHER, Outcome.SUCCEEDED)


def test_the_diarize_task_of_the_split(tmp_path: Path) -> None:
    name = "transcription.diarize_gpu"
    failed = line(f"Diarize GPU task failed for file {FILE}: {GATED}", "ERROR")
    attempt = only(read(tmp_path, received(name=name), LOADS, failed, ended("error", name=name)))
    assert (attempt.outcome, attempt.cause, attempt.file) == (Outcome.FAILED, "gated-not-accepted", FILE)


def test_a_job_that_stood_down_is_no_attempt(tmp_path: Path) -> None:
    away = line(f"GPU transcription for file {FILE} stood down (VRAM is held) -- requeueing", "WARNING")
    assert read(tmp_path, received(), LOADS, away).attempts == ()


def retried(second: int = 1, task: str = TASK) -> list[str]:
    """As Celery says it: the task is received anew before the line that tells of the retry, and runs later."""
    return [
        line(f"diar-native sidecar unavailable (unreachable) for file {FILE} (attempt 1/4), retrying in 10s", "WARNING", second),
        received(task),
        line(f"Task {JOB}[{task}] retry: Retry in 10s: DiarSidecarUnavailableError('{DOWN}')", second=second),
    ]


def later(second: int, *lines: str) -> list[str]:
    return [text.replace("15:05:00", f"15:05:{second:02}") for text in lines]


def test_celerys_retry_goes_on_with_the_attempt(tmp_path: Path) -> None:
    attempt = only(read(tmp_path, received(), *retried(), *later(11, NATIVE_DONE, STEP_DONE, ended())))
    assert (attempt.outcome, attempt.tries, attempt.task, attempt.engine) == (Outcome.RECOVERED, 2, TASK, "native")


def test_nothing_in_between_belongs_to_a_task_that_waits_for_its_retry(tmp_path: Path) -> None:
    between = later(5, *fails(OTHER, GATED))
    log = read(tmp_path, received(), *retried(), *between, *later(11, NATIVE_DONE, ended()))
    assert [(a.task, a.outcome) for a in log.attempts] == [(TASK, Outcome.RECOVERED), (OTHER, Outcome.FAILED)]


def test_a_task_that_still_waits_for_its_retry_has_not_failed(tmp_path: Path) -> None:
    assert only(read(tmp_path, received(), *retried())).outcome is Outcome.UNFINISHED


def test_a_required_native_engine_that_is_down(tmp_path: Path) -> None:
    refused = f"diar-native failed and engine.diarizer_require_sidecar is set, refusing the PyAnnote fallback: {DOWN}"
    last = line(f"GPU transcription failed for file {FILE}: {refused}", "ERROR")
    attempt = only(read(tmp_path, received(), *retried(1), *retried(11), *later(21, last, ended("error"))))
    assert (attempt.outcome, attempt.cause, attempt.certain, attempt.tries) == (Outcome.FAILED, "native-unavailable", True, 3)


def test_the_applications_own_retries_are_attempts_of_one_file(tmp_path: Path) -> None:
    tasks = [f"{number}a3d6b2f-2222-4333-8444-555566667777" for number in range(3)]
    requeued = line("Requeued file 12 after gated_model (error retry 1), starting in 60s", "WARNING")
    log = read(tmp_path, *(text for task in tasks for text in [*fails(task, GATED), requeued]))
    assert [(a.file, a.cause) for a in log.attempts] == [(FILE, "gated-not-accepted")] * 3


def test_a_broken_context_after_the_memory_ran_out(tmp_path: Path) -> None:
    first = fails(TASK, "CUDA out of memory. Tried to allocate 2.00 GiB")
    log = read(tmp_path, *first, *fails(OTHER, "CUDA error: invalid device ordinal"))
    assert [(a.cause, a.certain) for a in log.attempts] == [("gpu-out-of-memory", False), ("gpu-out-of-memory", True)]
    assert any(hit.remedy.startswith("Restart the worker") for hit in log.attempts[0].hits)


def test_a_scratch_volume_that_only_the_native_engine_needs_does_not_fail_the_job(tmp_path: Path) -> None:
    denied = "[Errno 13] Permission denied: '/scratch/opentranscribe/diar/diar_1.wav'"
    lost = line(f"diar-native /diarize failed mid-job ({denied}); falling back to PyAnnote", "WARNING")
    attempt = only(read(tmp_path, received(), lost, LOADS, RUNS, DONE, STEP_DONE, ended()))
    assert (attempt.outcome, attempt.stood_in) == (Outcome.SUCCEEDED, True)


_REFUSED = "Error 111 connecting to redis:6379. Connection refused.."
CANNOT = line(f"consumer: Cannot connect to redis://:**@redis:6379/0: {_REFUSED}", "ERROR")


def test_a_broker_that_is_never_reached(tmp_path: Path) -> None:
    log = read(tmp_path, CANNOT, "Trying again in 2.00 seconds... (1/100)", "")
    assert [(hit.cause, hit.subject) for hit in log.stray] == [("broker-unreachable", "redis:6379")]


def test_a_broker_that_is_reached_later(tmp_path: Path) -> None:
    assert read(tmp_path, CANNOT, line("Connected to redis://:**@redis:6379/0")).stray == ()


def test_a_broker_that_is_lost_meanwhile_fails_no_job(tmp_path: Path) -> None:
    back = line("Connected to redis://:**@redis:6379/0")
    assert only(read(tmp_path, received(), LOADS, RUNS, CANNOT, back, DONE, ended())).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Process 'ForkPoolWorker-1' pid:17 exited with 'signal 11 (SIGSEGV)'", "worker-crashed"),
        ("Process 'ForkPoolWorker-1' pid:17 exited with 'signal 4 (SIGILL)'", "hardware-unsupported"),
        ("Process 'ForkPoolWorker-1' pid:17 exited with 'signal 9 (SIGKILL)'", "out-of-memory"),
        (f"Hard time limit (14400s) exceeded for {JOB}[{TASK}]", "time-limit"),
    ],
)
def test_what_ended_the_process(tmp_path: Path, text: str, cause: str) -> None:
    attempt = only(read(tmp_path, received(), LOADS, RUNS, line(text, "ERROR")))
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, cause)


def test_children_that_celery_kills_because_they_hang_did_not_run_out_of_memory(tmp_path: Path) -> None:
    storm = [
        text
        for number in (1, 2, 3)
        for text in (
            line(f"Timed out waiting for UP message from <ForkProcess(ForkPoolWorker-{number}, started daemon)>", "ERROR"),
            line(f"Process 'ForkPoolWorker-{number}' pid:{number} exited with 'signal 9 (SIGKILL)'", "ERROR"),
        )
    ]
    log = read(tmp_path, *storm)
    assert log.attempts == () and {hit.cause for hit in log.stray} == {"known-defect"}
    killed = line("Process 'ForkPoolWorker-4' pid:4 exited with 'signal 9 (SIGKILL)'", "ERROR")
    assert {hit.cause for hit in read(tmp_path, *storm, killed).stray} == {"known-defect", "out-of-memory"}


def test_the_formats_of_the_line_are_a_mark_of_it(tmp_path: Path) -> None:
    assert read(tmp_path, received(), LOADS, RUNS, DONE, ended()).sources[0].release_signs == ("v0.5",)
