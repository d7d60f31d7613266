"""What people, files and language models say is never evidence, whatever words it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ot_doctor.evidence import Attempt, Outcome, Request, Unavailable, WorkerLog
from ot_doctor.logs.proof import result_failed, result_message
from ot_doctor.sources.log_windows import gather

TASK = "8f2c5a1e-1111-4222-8333-444455556666"
REPO = "pyannote/speaker-diarization-community-1"
GATED = (
    f"Cannot access gated repo for url https://huggingface.co/{REPO}/resolve/main/config.yaml. "
    f"Access to model {REPO} is restricted and you are not in the authorized list."
)
NASTY = (GATED, "CUDA out of memory. Tried to allocate 2.00 GiB", "[Errno 28] No space left on device", "Invalid user token.")


def line(text: str, level: str = "INFO", process: str = "MainProcess", second: int = 0) -> str:
    return f"[2026-11-21 01:37:{second:02},804: {level}/{process}] {text}"


LOADS = line(f"Loading PyAnnote v4 pipeline: {REPO}", second=1)
DONE = line("TIMING: diarization completed in 12.345s - 3 speakers, 120 segments", second=20)
ENDED = line(f"Task transcription.gpu_transcribe[{TASK}] succeeded in 30.5s: {{'status': 'success'}}", second=30)
RAISED = line(f"Task transcription.gpu_transcribe[{TASK}] raised unexpected: KeyError('segments')", "ERROR", second=30)


def read(tmp_path: Path, *lines: str) -> WorkerLog:
    path = tmp_path / "worker.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return gather(Request(logs=(str(path),)), Unavailable("no engine"))


def only(log: WorkerLog) -> Attempt:
    assert len(log.attempts) == 1, log.attempts
    return log.attempts[0]


SPOKEN = [
    "{level}: Transcript: {text}",
    "{level}: Segment 12 of 40: '{text}'",
    '{level}: LLM response: {{"summary": "{text}"}}',
    "{level}: Could not parse the LLM's answer: {text}",
    "{level}: Subtitle 00:12 {text}",
    "WARNING: [00:01.000 --> 00:04.500]  {text}",
    "WARNING: [0.031 --> 4.5] {text}\n[4.5 --> 9.1] OSError: {text}",
    "WARNING: SPEAKER_01: {text}",
    "{level}: Indexing the title '{text}' failed",
    "{level}: He said: {text}",
    "{level}: Could not make a cover for '/data/uploads/{text}.mp4'",
    "{level}: Could not make a cover for /data/uploads/{plain}.mp4",
    "INFO: {text}",
    "DEBUG: OSError: {text}",
]


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("shape", SPOKEN)
@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_words_are_no_evidence(tmp_path: Path, level: str, shape: str, text: str) -> None:
    plain = text.replace("'", "").replace(":", "").replace("/", " ")
    spoken_level, _, spoken = shape.format(level=level, text=text, plain=plain).partition(": ")
    spoken_line = line(spoken, spoken_level, second=5)
    succeeded = only(read(tmp_path, LOADS, spoken_line, DONE, ENDED))
    assert (succeeded.outcome, succeeded.cause) == (Outcome.SUCCEEDED, None)
    failed = only(read(tmp_path, LOADS, spoken_line, RAISED))
    assert (failed.outcome, failed.cause) == (Outcome.FAILED, "unrecognised")
    alone = read(tmp_path, spoken_line)
    assert alone.attempts == () and {hit.cause for hit in alone.stray} <= {"unrecognised"}


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("task", ["transcription.gpu_transcribe", "ai.summarize_transcript"])
def test_an_exception_that_quotes_somebody_is_none(tmp_path: Path, task: str, text: str) -> None:
    quoting = [
        line(f"Task {task}[{TASK}] raised unexpected: ValueError('The LLM answered: {text} speaker diarization')", "ERROR"),
        "Traceback (most recent call last):",
        '  File "/app/app/tasks/summarize.py", line 88, in run',
        f"ValueError: The LLM answered: {text} speaker diarization pyannote",
        f"{text}",
    ]
    log = read(tmp_path, *quoting)
    assert {attempt.cause for attempt in log.attempts} <= {"unrecognised"}
    assert log.stray == ()


def test_the_real_exception_beside_a_quoted_one_still_counts(tmp_path: Path) -> None:
    log = read(
        tmp_path, LOADS, line(f"Task transcription.gpu_transcribe[{TASK}] raised unexpected: ValueError('…')", "ERROR"),
        "Traceback (most recent call last):", '  File "/app/a.py", line 1, in f', f"ValueError: the prompt was: {GATED}", "",
        "During handling of the above exception, another exception occurred:", "", "Traceback (most recent call last):",
        '  File "/app/b.py", line 1, in g', "OSError: [Errno 28] No space left on device",
    )  # fmt: skip
    assert only(log).cause == "disk-full"


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        ("3.1s: {'status': 'success'}", False),
        ("3.1s: {'status': 'error', 'message': 'x'}", True),
        ('3.1s: {"file_id": 7, "status": "error"}', True),
        ("3.1s: {'file_id': 7, 'title': 'a, b', 'status': 'failed'}", True),
        ("3.1s: {'status': 'success', 'text': \"he said 'status': 'error'\"}", False),
        ("3.1s: {'title': \"'status': 'error', \", 'status': 'success'}", False),
        ("3.1s: {'title': \"'status': 'error'\"}", False),
        ("3.1s: {'result': {'status': 'error'}}", False),
        ("3.1s: None", False),
        ("3.1s: 'status'", False),
        ("", False),
    ],
)
def test_a_results_own_status_counts(result: str, failed: bool) -> None:
    assert result_failed(result) is failed


def test_a_very_long_result_is_no_trouble() -> None:
    assert result_failed("1s: {" + "'a': 'b', " * 20_000 + "'status': 'error'}")
    assert not result_failed("1s: {" + "'a': " * 50_000)
    assert not result_failed("1s: {" + "'" * 50_000)


def test_a_results_message_is_evidence(tmp_path: Path) -> None:
    ended = line(
        f"Task transcribe_audio[{TASK}] succeeded in 3.2s: {{'status': 'error', 'message': '[Errno 28] No space left on device'}}"
    )
    attempt = only(read(tmp_path, line("Performing speaker diarization..."), ended))
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, "disk-full")
    assert result_message("1s: {'status': 'error', 'message': 'the LLM said [Errno 28]'}") == ""
    assert result_message("1s: {'status': 'error'}") == ""
