"""Several containers in one file: the attempts of each are its own."""

from __future__ import annotations

from pathlib import Path

from ot_doctor.evidence import Outcome, Request, Unavailable, WorkerLog
from ot_doctor.sources.log_windows import gather

BEGINS = "[2026-11-21 01:37:01,000: INFO/MainProcess] Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1"
DONE = "[2026-11-21 01:37:09,000: INFO/MainProcess] TIMING: diarization completed in 12.345s - 3 speakers, 120 segments"
FULL = (
    "[2026-11-21 01:37:05,000: ERROR/MainProcess] GPU transcription failed for file 7: [Errno 28] No space left on device",
    "Traceback (most recent call last):",
    '  File "/app/a.py", line 1, in f',
    "OSError: [Errno 28] No space left on device",
)
UNKNOWN = ("Traceback (most recent call last):", '  File "/app/a.py", line 1, in f', "ZeroDivisionError: division by zero")


def read(tmp_path: Path, *lines: str) -> WorkerLog:
    path = tmp_path / "all.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return gather(Request(logs=(str(path),)), Unavailable("no engine"))


def in_turn(**containers: list[str]) -> list[str]:
    """The lines of each container, one of each in turn, as Compose shows them."""
    longest = max(map(len, containers.values()))
    return [
        f"{name.replace('_', '-')}-1  | {lines[nth]}"
        for nth in range(longest)
        for name, lines in containers.items()
        if nth < len(lines)
    ]


def test_one_fails_while_another_succeeds(tmp_path: Path) -> None:
    log = read(tmp_path, *in_turn(celery_worker=[BEGINS, *FULL], celery_worker_gpu_scaled=[BEGINS, DONE]))
    ends = {attempt.worker.partition(" in ")[0]: attempt for attempt in log.attempts}
    assert ends["celery-worker-1"].outcome is Outcome.FAILED and ends["celery-worker-1"].cause == "disk-full"
    assert ends["celery-worker-gpu-scaled-1"].outcome is Outcome.SUCCEEDED
    assert ends["celery-worker-1"].lines == (1, 7)
    assert [source.lines_read for source in log.sources] == [5, 2]


def test_an_unknown_error_of_a_worker_counts_and_one_of_another_service_does_not(tmp_path: Path) -> None:
    healthy = ["[2026-11-21 01:37:28,804: INFO/MainProcess] celery@gpu ready."] * 3
    (hit,) = read(tmp_path, *in_turn(celery_worker=[*healthy, *UNKNOWN], nginx=healthy)).stray
    assert hit.cause == "unrecognised"
    assert read(tmp_path, *in_turn(celery_worker=healthy, nginx=[*healthy, *UNKNOWN])).stray == ()


def test_an_exit_code_belongs_to_the_container_that_it_names(tmp_path: Path) -> None:
    lines = in_turn(celery_worker=[BEGINS], celery_beat=["[2026-11-21 01:37:28,804: INFO/MainProcess] beat: Starting..."])
    (hit,) = read(tmp_path, *lines, "celery-worker-1 exited with code 137").stray
    assert hit.cause == "out-of-memory"
    assert hit.record.lines[1] == 3


def test_a_table_is_no_container(tmp_path: Path) -> None:
    log = read(tmp_path, BEGINS, "name | value", "----------", DONE)
    assert [attempt.outcome for attempt in log.attempts] == [Outcome.SUCCEEDED]
    assert [source.name for source in log.sources] == [str(tmp_path / "all.log")]
