"""A log of very many attempts: its middle is not taken apart, and nothing that is said of the newest ones changes with that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ot_doctor.evidence import Request, Unavailable
from ot_doctor.evidence.worker_log import Attempt, WorkerLog
from ot_doctor.sources.log_windows import gather
from tests.corpus.cases_of import case_of
from tests.logs.speed import TRACEBACK

JOBS = 1_500


def _job(number: int, failure: str) -> str:
    head = f"[2026-11-21 01:{number // 60 % 60:02d}:{number % 60:02d},804: "
    task = f"Task transcription.gpu_transcribe[5d1c2b8e-0000-4000-8000-{number:012d}]"
    return (
        f"{head}INFO/MainProcess] {task} received\n"
        f"{head}INFO/MainProcess] Starting GPU transcription for file 0192f6a4-77b1-7cc0-8a35-{number:012d}\n"
        f"{head}INFO/MainProcess] Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1\n"
        f"{head}ERROR/MainProcess] {task} raised unexpected: RuntimeError('x')\n{failure}"
    )


def _read(folder: Path, text: str) -> WorkerLog:
    path = folder / "worker.log"
    path.write_text(text, encoding="utf-8")
    return gather(Request(logs=(str(path),), log_alone=True, timeout=120), Unavailable("a log alone"))


def _told(attempts: tuple[Attempt, ...], lines: int) -> list[Attempt]:
    """Attempts, with the numbers of their lines counted from a later line."""
    return [replace(one, lines=(one.lines[0] - lines, one.lines[1] - lines), hits=(), decisive=()) for one in attempts]


def test_the_newest_attempts_are_as_in_a_log_of_them_alone(tmp_path: Path) -> None:
    jobs = [_job(number, TRACEBACK.format(number)) for number in range(JOBS)]
    jobs[-1] = _job(JOBS, "OSError: [Errno 28] No space left on device\n")
    whole, tail = _read(tmp_path, "".join(jobs)), _read(tmp_path, "".join(jobs[-60:]))
    before = "".join(jobs[:-60]).count("\n")
    assert whole.attempts[0].cause == "disk-full" and {one.cause for one in whole.attempts[1:]} == {"network-dns"}
    assert len(whole.attempts) == 50
    assert _told(whole.attempts, before) == _told(tail.attempts, 0)
    assert whole.sources[0].lines_read == "".join(jobs).count("\n")


def test_what_the_worker_said_at_its_start_is_kept(tmp_path: Path) -> None:
    healthy = case_of("v4-healthy").text
    jobs = "".join(_job(number, TRACEBACK.format(number)) for number in range(JOBS))
    signs = _read(tmp_path, healthy).sources[0].release_signs
    assert signs and set(signs) <= set(_read(tmp_path, healthy + jobs).sources[0].release_signs)


def test_the_half_of_an_attempt_behind_the_gap_is_none(tmp_path: Path) -> None:
    """Attempts with many telling lines: the beginning of the oldest that is left was not taken apart."""
    again = "[2026-11-21 01:37:28,804: WARNING/MainProcess] Diarization OOM with batch_size=16, reducing and retrying...\n"
    loads = "pyannote/speaker-diarization-community-1\n"
    jobs = [_job(number, TRACEBACK.format(number)).replace(loads, loads + again * 37) for number in range(60)]
    log = _read(tmp_path, "".join(jobs))
    starts = {1 + nth * jobs[0].count("\n") for nth in range(60)}
    assert 10 < len(log.attempts) < 50, "else nothing was left out"
    assert {one.lines[0] - 1 for one in log.attempts} <= starts | {start + 1 for start in starts}
