"""Which line ends which attempt: tasks that run at once, children that die, workers that stop, requests that are tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ot_doctor.evidence import Attempt, Outcome, Request, Unavailable, WorkerLog
from ot_doctor.sources.log_windows import gather

TASK, OTHER = "8f2c5a1e-1111-4222-8333-444455556666", "9a3d6b2f-2222-4333-8444-555566667777"
REPO = "pyannote/speaker-diarization-community-1"
GPU = "transcription.gpu_transcribe"
BANNER = " -------------- celery@gpu-transcription v5.5.3 (immunity)"
FORBIDDEN = (
    f"huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: Root=1-69)\n\nCannot access gated repo for url "
    f"https://huggingface.co/{REPO}/resolve/main/config.yaml.\nAccess to model {REPO} is restricted and you are not in the "
    f"authorized list. Visit https://huggingface.co/{REPO} to ask for access."
)
GENERIC = (
    "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub and we cannot "
    "find the requested files in the local cache."
)
RETRY = (
    "'[Errno -3] Temporary failure in name resolution' thrown while requesting HEAD https://huggingface.co/pyannote/x/resolve/y"
)


def line(text: str, level: str = "INFO", process: str = "MainProcess", at: int = 0) -> str:
    return f"[2026-11-21 01:{at // 60:02}:{at % 60:02},804: {level}/{process}] {text}"


def loads(at: int = 1) -> str:
    return line(f"Loading PyAnnote v4 pipeline: {REPO}", at=at)


def done(at: int = 20, speakers: int = 3) -> str:
    return line(f"TIMING: diarization completed in 12.345s - {speakers} speakers, 120 segments", at=at)


def received(task: str, name: str = GPU) -> str:
    return line(f"Task {name}[{task}] received")


def ended(task: str, at: int = 30) -> str:
    return line(f"Task {GPU}[{task}] succeeded in 30.5s: {{'status': 'success'}}", at=at)


def raised(task: str, exception: str, at: int = 30) -> list[str]:
    name = exception.split("\n")[0]
    return [
        line(f"Task {GPU}[{task}] raised unexpected: {name!r}", "ERROR", at=at),
        "Traceback (most recent call last):", '  File "/app/core.py", line 88, in transcribe_gpu_task', exception,
    ]  # fmt: skip


def failed_for_a_file(text: str, at: int = 29) -> str:
    return line(f"GPU transcription failed for file 0192f6a4-77b1-7cc0-8a35-5f3f1e9d2c10: {text}", "ERROR", at=at)


def read(tmp_path: Path, *lines: str) -> WorkerLog:
    path = tmp_path / "worker.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return gather(Request(logs=(str(path),)), Unavailable("no engine"))


def only(log: WorkerLog) -> Attempt:
    assert len(log.attempts) == 1, log.attempts
    return log.attempts[0]


def by_task(log: WorkerLog) -> dict[str, tuple[Outcome, str | None]]:
    return {attempt.task: (attempt.outcome, attempt.cause) for attempt in log.attempts}


# -- tasks that run at once in a thread pool ---------------------------------------------------------


@pytest.mark.parametrize("failing", [TASK, OTHER])
@pytest.mark.parametrize("first_ends", [True, False])
def test_of_two_threads_one_fails(tmp_path: Path, failing: str, first_ends: bool) -> None:
    good = OTHER if failing == TASK else TASK
    bad_end = [failed_for_a_file("No space left", 28), *raised(failing, "OSError: [Errno 28] No space left on device", 29)]
    good_end = [done(27), ended(good, 31)]
    ends = [*bad_end, *good_end] if first_ends else [*good_end, *bad_end]
    log = read(tmp_path, received(TASK), received(OTHER), loads(2), loads(3), *ends)
    assert by_task(log) == {failing: (Outcome.FAILED, "disk-full"), good: (Outcome.SUCCEEDED, None)}
    assert {attempt.task: attempt.speakers for attempt in log.attempts} == {good: 3, failing: None}


def test_of_two_threads_both_fail_each_for_its_own_reason(tmp_path: Path) -> None:
    log = read(
        tmp_path, received(TASK), loads(2), received(OTHER), loads(3),
        failed_for_a_file("403 Client Error", 28), failed_for_a_file("CUDA out of memory. Tried to allocate 2.00 GiB", 28),
        *raised(OTHER, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 401.00 MiB.", 29),
        *raised(TASK, FORBIDDEN, 30),
    )  # fmt: skip
    assert by_task(log) == {TASK: (Outcome.FAILED, "gated-not-accepted"), OTHER: (Outcome.FAILED, "gpu-out-of-memory")}


def test_a_threads_error_does_not_make_the_other_recovered(tmp_path: Path) -> None:
    falls_back = line(f"Failed to load v4 model '{REPO}': [Errno 28] No space left on device. Trying x", "WARNING", at=4)
    log = read(
        tmp_path, received(TASK), loads(2), received(OTHER), loads(3), falls_back, done(9), ended(OTHER, 10),
        *raised(TASK, "RuntimeError: [Errno 28] No space left on device", 12),
    )  # fmt: skip
    assert by_task(log) == {TASK: (Outcome.FAILED, "disk-full"), OTHER: (Outcome.SUCCEEDED, None)}


def test_three_threads(tmp_path: Path) -> None:
    third = "11111111-3333-4333-8444-555566667777"
    log = read(
        tmp_path, *(received(task) for task in (TASK, OTHER, third)), loads(1), loads(2), loads(3), done(20), done(21),
        ended(third, 22), *raised(OTHER, FORBIDDEN, 23), ended(TASK, 24),
    )  # fmt: skip
    assert by_task(log) == {
        TASK: (Outcome.SUCCEEDED, None), OTHER: (Outcome.FAILED, "gated-not-accepted"), third: (Outcome.SUCCEEDED, None)
    }  # fmt: skip


def test_a_task_whose_number_was_taken_for_anothers_still_ends(tmp_path: Path) -> None:
    """One was received, forgotten by the broker, and never ran."""
    attempt = only(read(tmp_path, received(OTHER), loads(), *raised(TASK, FORBIDDEN)))
    assert (attempt.task, attempt.outcome) == (TASK, Outcome.FAILED)


# -- children and workers that end -------------------------------------------------------------------

KILLED = "Process 'ForkPoolWorker-1' pid:17 exited with 'signal 9 (SIGKILL)'"
LOST = "Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 3.')"


def test_a_killed_child_is_out_of_memory_and_its_neighbour_is_not(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        line("Performing speaker diarization...", process="ForkPoolWorker-1", at=1),
        line("Performing speaker diarization...", process="ForkPoolWorker-2", at=2),
        line(KILLED, "ERROR", at=5),
        line("Diarization model cleanup completed", process="ForkPoolWorker-2", at=9),
    )
    assert {(a.outcome, a.cause) for a in log.attempts} == {(Outcome.FAILED, "out-of-memory"), (Outcome.SUCCEEDED, None)}


def test_the_next_attempt_of_a_new_child_is_its_own(tmp_path: Path) -> None:
    begins = "Performing speaker diarization..."
    log = read(
        tmp_path, line(begins, process="ForkPoolWorker-1", at=1), line(KILLED, "ERROR", at=5), line(LOST, "ERROR", at=5),
        line(begins, process="ForkPoolWorker-2", at=9), line("Diarization model cleanup completed", process="ForkPoolWorker-2"),
    )  # fmt: skip
    assert [(a.outcome, a.cause) for a in log.attempts] == [(Outcome.SUCCEEDED, None), (Outcome.FAILED, "out-of-memory")]


@pytest.mark.parametrize("how", ["worker: Warm shutdown (MainProcess)", "worker: Cold shutdown (MainProcess)"])
def test_a_child_that_is_killed_while_the_worker_is_told_to_stop(tmp_path: Path, how: str) -> None:
    begins = line("Performing speaker diarization...", process="ForkPoolWorker-1", at=1)
    attempt = only(read(tmp_path, begins, "", how, line(KILLED, "ERROR", at=5), line(LOST, "ERROR", at=5), BANNER))
    assert (attempt.outcome, attempt.cause, attempt.cut_off, attempt.stopped) == (Outcome.FAILED, "unrecognised", True, True)
    later = read(tmp_path, begins, "", how, BANNER, begins, line(KILLED, "ERROR", at=8))
    assert later.attempts[0].cause == "out-of-memory", "the worker was started again since"


def test_a_child_that_is_killed_at_its_time_limit(tmp_path: Path) -> None:
    log = read(
        tmp_path, line("Performing speaker diarization...", process="ForkPoolWorker-1", at=1),
        line("Task handler raised error: TimeLimitExceeded(3)", "ERROR", at=4),
        line(f"Hard time limit (3s) exceeded for transcribe_audio[{TASK}]", "ERROR", at=4), line(KILLED, "ERROR", at=5),
    )  # fmt: skip
    attempt = only(log)
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, "time-limit"), "and not out-of-memory"


def test_a_new_start_cuts_off_every_attempt_that_ran(tmp_path: Path) -> None:
    log = read(tmp_path, received(TASK), received(OTHER), loads(1), loads(2), BANNER, loads(9), done(12))
    assert [(a.outcome, a.cut_off) for a in log.attempts] == [
        (Outcome.SUCCEEDED, False), (Outcome.FAILED, True), (Outcome.FAILED, True)
    ]  # fmt: skip


@pytest.mark.parametrize("before", [[], [line("Loaded PyAnnote v4 model: x", at=2)], [""]])
@pytest.mark.parametrize("name", ["celery@3f1d", "gpu-transcription@3f1d2c4b5a69"])
def test_a_banner_behind_whatever_line_was_last(tmp_path: Path, name: str, before: list[str]) -> None:
    banner = [" ", f" -------------- {name} v5.6.3 (recovery)", "--- ***** ----- ", " -------------- [queues]", "   .> gpu"]
    again = line("gpu-transcription@3f1d ready.", at=30)
    log = read(tmp_path, loads(), *before, *banner, again, loads(31), done(40))
    assert [(a.outcome, a.cut_off) for a in log.attempts] == [(Outcome.SUCCEEDED, False), (Outcome.FAILED, True)]


def test_what_goes_wrong_after_the_success_is_another_matter(tmp_path: Path) -> None:
    child = "ForkPoolWorker-1"
    log = read(
        tmp_path, line("Performing speaker diarization...", process=child),
        line("Diarization model cleanup completed", process=child, at=9),
        line(f"Error initializing pyannote embedding model: {FORBIDDEN.partition(': ')[2]}", "ERROR", child, 12),
        line(f"Task transcribe_audio[{TASK}] succeeded in 9s: {{'status': 'success'}}", process=child, at=13),
    )  # fmt: skip
    assert (only(log).outcome, only(log).cause) == (Outcome.SUCCEEDED, None)


def test_a_worker_that_cannot_start_has_attempted_nothing(tmp_path: Path) -> None:
    log = read(
        tmp_path, "Traceback (most recent call last):", '  File "/app/core/config.py", line 44, in Settings',
        '    MAX_SPEAKERS: int = int(os.getenv("MAX_SPEAKERS", "20"))',
        "ValueError: invalid literal for int() with base 10: '20  # Can be raised'",
    )  # fmt: skip
    assert log.attempts == ()
    assert {hit.cause for hit in log.stray} == {"speakers-config"}


def test_what_was_cut_off_keeps_the_cause_that_it_named(tmp_path: Path) -> None:
    oom = line("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "ERROR", at=3)
    attempt = only(read(tmp_path, loads(), oom, BANNER))
    assert (attempt.cause, attempt.cut_off) == ("gpu-out-of-memory", True)


# -- chains, neighbours and generic texts ------------------------------------------------------------


def chained(first: str, then: str, how: str) -> str:
    return f"{first}\n\n{how}\n\nTraceback (most recent call last):\n  File \"/app/x.py\", line 1, in f\n{then}"


@pytest.mark.parametrize(
    "how",
    [
        "The above exception was the direct cause of the following exception:",
        "During handling of the above exception, another exception occurred:",
    ],
)
@pytest.mark.parametrize(
    ("first", "then", "cause"),
    [
        (FORBIDDEN, GENERIC, "gated-not-accepted"),
        ("OSError: [Errno 30] Read-only file system: '/home/appuser/.cache/hub/x'", FORBIDDEN, "cache-readonly"),
        (FORBIDDEN, "PermissionError: [Errno 13] Permission denied: '/home/appuser/.cache/hub/x'", "cache-permission"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 403.00 MiB.", "RuntimeError: GPU processing error",
         "gpu-out-of-memory"),
        ("httpx.ConnectError: [Errno -3] Temporary failure in name resolution", GENERIC, "network-dns"),
        ("KeyError: 'x'", GENERIC, "unrecognised"),
    ],
)  # fmt: skip
def test_a_chain(tmp_path: Path, how: str, first: str, then: str, cause: str) -> None:
    attempt = only(read(tmp_path, loads(), *raised(TASK, chained(first, then, how))))
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, cause)


def test_an_error_counts_before_a_warning_about_something_else(tmp_path: Path) -> None:
    warned = line("Not stored: [Errno 13] Permission denied: '/home/appuser/.cache/x'", "WARNING", at=2)
    oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    attempt = only(read(tmp_path, loads(), warned, *raised(TASK, oom)))
    assert attempt.cause == "gpu-out-of-memory"


@pytest.mark.parametrize(("apart", "cause"), [(5, "network-dns"), (40, "network-dns"), (600, "unrecognised")])
def test_a_request_that_was_tried_again_belongs_to_the_error_shortly_after_it(tmp_path: Path, apart: int, cause: str) -> None:
    attempt = only(read(tmp_path, loads(1), line(RETRY, "WARNING", at=2), *raised(TASK, GENERIC, at=2 + apart)))
    assert attempt.cause == cause


def test_a_request_that_was_tried_again_just_before_the_first_telling_line(tmp_path: Path) -> None:
    attempt = only(read(tmp_path, line(RETRY, "WARNING", at=2), *raised(TASK, GENERIC, at=20)))
    assert attempt.cause == "network-dns"


GENERIC_TEXTS = [
    GENERIC,
    "AttributeError: 'NoneType' object has no attribute 'to'",
    "AttributeError: 'NoneType' object has no attribute 'eval'",
    "RuntimeError: Cannot access PyAnnote speaker diarization models. Accept the agreements on huggingface.co",
    "RuntimeError: Cannot download PyAnnote models from HuggingFace. Check the network.",
    "RuntimeError: Access forbidden to PyAnnote models. Check your token.",
]


@pytest.mark.parametrize("text", GENERIC_TEXTS)
def test_a_generic_text_decides_nothing_and_is_shown(tmp_path: Path, text: str) -> None:
    printed = line("", "WARNING", at=2) + f"\nCould not download Pipeline from {REPO}.\nIt might be private or gated"
    attempt = only(read(tmp_path, loads(), printed, *raised(TASK, text)))
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, "unrecognised")
    assert attempt.about_the_hub
    shown = "\n".join(record.text for record in attempt.decisive)
    assert text.partition(": ")[2][:40] in shown and f"Could not download Pipeline from {REPO}" in shown


def test_a_failure_of_another_kind_is_not_about_the_hub(tmp_path: Path) -> None:
    assert not only(read(tmp_path, loads(), *raised(TASK, "KeyError: 'segments'"))).about_the_hub


def test_the_first_model_decides_over_the_fallback_in_every_line_that_names_both(tmp_path: Path) -> None:
    both = (
        "RuntimeError: Could not load PyAnnote diarization model. Primary: [Errno 28] No space left on device, "
        "Fallback: 403 Client Error.\n\nCannot access gated repo for url https://huggingface.co/pyannote/speaker-diarization-3.1/x.\n"
        "Access to model pyannote/speaker-diarization-3.1 is restricted and you are not in the authorized list."
    )
    log = read(tmp_path, loads(), failed_for_a_file(both.partition(": ")[2]), *raised(TASK, both))
    assert only(log).cause == "disk-full"
    other_way = both.replace("[Errno 28] No space left on device", FORBIDDEN.partition(": ")[2]).replace(
        "Fallback: 403", "Fallback: CUDA out of memory. Tried to allocate 2 GiB. 403"
    )
    assert only(read(tmp_path, loads(), *raised(TASK, other_way))).cause == "gated-not-accepted"
