"""What became of a diarization attempt, and why: logs put together from the lines of the releases and the libraries."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from ot_doctor.evidence import Attempt, Outcome, Request, Unavailable, WorkerLog
from ot_doctor.sources.log_windows import gather

TASK = "8f2c5a1e-1111-4222-8333-444455556666"
OTHER = "9a3d6b2f-2222-4333-8444-555566667777"


def line(text: str, level: str = "INFO", process: str = "MainProcess", second: int = 0) -> str:
    return f"[2026-11-21 01:37:{second:02},804: {level}/{process}] {text}"


def read(tmp_path: Path, *lines: str) -> WorkerLog:
    path = tmp_path / "worker.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return gather(Request(logs=(str(path),)), Unavailable("no engine"))


def only(log: WorkerLog) -> Attempt:
    assert len(log.attempts) == 1, log.attempts
    return log.attempts[0]


LOADS = line("Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1", second=1)
RUNS = line("Running diarization with kwargs: {'min_speakers': 1, 'max_speakers': 20}", second=2)
DONE = line("TIMING: diarization completed in 12.345s - 3 speakers, 120 segments", second=20)
ENDED = line(f"Task transcription.gpu_transcribe[{TASK}] succeeded in 30.5s: {{'status': 'success'}}", second=30)
V3_BEGINS = line("Performing speaker diarization...", process="ForkPoolWorker-1")
V3_DONE = line("Diarization model cleanup completed", process="ForkPoolWorker-1", second=9)
V3_STATUS_ERROR = line(
    f"Task transcribe_audio[{TASK}] succeeded in 31.2s: {{'status': 'error', 'message': 'it did not work'}}",
    process="ForkPoolWorker-1", second=31,
)  # fmt: skip
GATED_403 = """403 Client Error. (Request ID: Root=1-6920b0c5-1a2b)

Cannot access gated repo for url https://huggingface.co/{repo}/resolve/main/config.yaml.
Access to model {repo} is restricted and you are not in the authorized list. Visit https://hf.co/{repo} to ask for access."""
GATED_401 = """401 Client Error. (Request ID: Root=1-6920b0c5-1a2b)

Cannot access gated repo for url https://huggingface.co/{repo}/resolve/main/config.yaml.
Access to model {repo} is restricted. You must have access to it and be authenticated to access it. Please log in."""
COMMUNITY, OLDER = "pyannote/speaker-diarization-community-1", "pyannote/speaker-diarization-3.1"


def fails(exception: str, *before: str) -> list[str]:
    """A v0.4 job that ends with a chained traceback."""
    last = exception.split("\n")[0].partition(": ")[2]
    return [
        LOADS,
        *before,
        line(f"GPU transcription failed for file {OTHER}: {last}", "ERROR", second=3),
        "Traceback (most recent call last):",
        '  File "/usr/lib/python3.13/site-packages/huggingface_hub/utils/_http.py", line 409, in hf_raise_for_status',
        '    raise _format(GatedRepoError, f"Cannot access gated repo for url {response.url}", response)',
        exception,
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "Traceback (most recent call last):",
        '  File "/app/app/tasks/core.py", line 88, in transcribe_gpu_task',
        "    raise RuntimeError(message)",
        "RuntimeError: Cannot access PyAnnote speaker diarization models. Accept the agreements.",
        line(
            f"Task transcription.gpu_transcribe[{TASK}] raised unexpected: RuntimeError('Cannot access PyAnnote…')",
            "ERROR",
            second=4,
        ),
    ]


def test_a_v4_success(tmp_path: Path) -> None:
    log = read(tmp_path, LOADS, line("TIMING: diarizer model loaded in 1.234s on cuda"), RUNS, DONE, ENDED)
    attempt = only(log)
    assert (attempt.outcome, attempt.cause, attempt.speakers, attempt.task) == (Outcome.SUCCEEDED, None, 3, TASK)
    assert attempt.settings == "{'min_speakers': 1, 'max_speakers': 20}"
    assert attempt.lines == (1, 5)
    assert attempt.started_at == datetime(2026, 11, 21, 1, 37, 1, 804000, tzinfo=timezone.utc)
    assert attempt.decisive == ()
    assert (log.sources[0].device, log.sources[0].release_signs) == ("cuda", ("v0.4",))


def test_a_warm_worker_runs_without_loading(tmp_path: Path) -> None:
    log = read(tmp_path, LOADS, RUNS, DONE, ENDED, line("Reusing cached diarizer (hash=1)"), RUNS, DONE)
    assert [attempt.outcome for attempt in log.attempts] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED]


def test_a_v3_success(tmp_path: Path) -> None:
    limits = line(
        "Performing speaker diarization with min_speakers=1, max_speakers=20, num_speakers=None", process="ForkPoolWorker-1"
    )
    loading = line("Loading diarization model: pyannote/speaker-diarization-3.1", process="ForkPoolWorker-1")
    log = read(tmp_path, V3_BEGINS, limits, loading, V3_DONE, line("Speaker identification completed: 2 speakers processed"))
    attempt = only(log)
    assert (attempt.outcome, attempt.speakers) == (Outcome.SUCCEEDED, 2)
    assert attempt.settings == "min_speakers=1, max_speakers=20, num_speakers=None"


def test_celerys_succeeded_with_an_error_status_is_a_failure(tmp_path: Path) -> None:
    attempt = only(read(tmp_path, V3_BEGINS, V3_STATUS_ERROR))
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, "unrecognised")
    assert attempt.decisive


def test_switched_off(tmp_path: Path) -> None:
    log = read(tmp_path, line("Diarization disabled — assigning SPEAKER_00 to all segments"), ENDED)
    assert only(log).outcome is Outcome.DISABLED
    assert log.newest is None


def test_still_running(tmp_path: Path) -> None:
    attempt = only(read(tmp_path, LOADS, RUNS))
    assert (attempt.outcome, attempt.cause, attempt.ended_at) == (Outcome.UNFINISHED, None, None)


def test_a_new_start_of_the_worker_cuts_an_attempt_off(tmp_path: Path) -> None:
    attempt = only(read(tmp_path, LOADS, RUNS, " -------------- celery@gpu-transcription v5.5.3 (immunity)"))
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, "unrecognised")


def test_a_smaller_batch_saves_the_run(tmp_path: Path) -> None:
    retry = line("Diarization OOM with batch_size=16, reducing and retrying...", "WARNING")
    rescued = line("Diarization succeeded with reduced batch_size=8 (original: 16)")
    attempt = only(read(tmp_path, LOADS, RUNS, retry, RUNS, rescued, DONE, ENDED))
    assert (attempt.outcome, attempt.speakers) == (Outcome.RECOVERED, 3)


@pytest.mark.parametrize(
    "exception, cause, subject",
    [
        ("huggingface_hub.errors.GatedRepoError: " + GATED_403.format(repo=COMMUNITY), "gated-not-accepted", COMMUNITY),
        ("huggingface_hub.errors.GatedRepoError: " + GATED_401.format(repo=COMMUNITY), "token-missing", None),
        (
            "huggingface_hub.errors.HfHubHTTPError: 401 Client Error: Unauthorized for url: https://huggingface.co/pyannote/x\n\n"
            "Invalid credentials in Authorization header",
            "token-invalid", None,
        ),
        (
            "PermissionError: [Errno 13] Permission denied: '/home/appuser/.cache/huggingface/hub/.locks/models--pyannote--x'",
            "cache-permission", "/home/appuser/.cache/huggingface/hub/.locks/models--pyannote--x",
        ),
        ("OSError: [Errno 28] No space left on device", "disk-full", None),
        ("AttributeError: module 'torchaudio' has no attribute 'AudioMetaData'", "lib-mismatch", "AudioMetaData"),
        ("RuntimeError: something that nobody has seen before", "unrecognised", None),
        (
            "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub and we "
            "cannot find the requested files in the local cache.", "unrecognised", None,
        ),
    ],
)  # fmt: skip
def test_the_first_exception_of_a_chain_decides(tmp_path: Path, exception: str, cause: str, subject: str | None) -> None:
    attempt = only(read(tmp_path, *fails(exception)))
    assert (attempt.outcome, attempt.cause, attempt.subject) == (Outcome.FAILED, cause, subject)
    assert attempt.task == TASK
    assert 1 <= len(attempt.decisive) <= 5
    assert not any('File "/' in record.text for record in attempt.decisive)


def test_the_retry_lines_name_the_cause_behind_the_generic_sentence(tmp_path: Path) -> None:
    retried = (
        "'(MaxRetryError('HTTPSConnectionPool(host=\\'huggingface.co\\', port=443): Max retries exceeded with url: /x ("
        "Caused by "
        "NameResolutionError(\"<object>: Failed to resolve \\'huggingface.co\\' ([Errno -3] Temporary failure in name "
        "resolution)\"))'), "
        "'(Request ID: 5f)')' thrown while requesting HEAD https://huggingface.co/pyannote/speaker-diarization-community-1/resolve/main/x"
    )
    generic = (
        "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub and we"
    )
    for before in ([retried, "Retrying in 1s [Retry 1/5]."], [line(retried, "WARNING")]):
        attempt = only(read(tmp_path, *fails(generic, *before)))
        assert attempt.cause == "network-dns"
        assert attempt.subject == "huggingface.co"


def test_a_request_that_was_tried_again_does_not_outweigh_the_answer(tmp_path: Path) -> None:
    retried = line("'[Errno 111] Connection refused' thrown while requesting HEAD https://hf.co/p/x", "WARNING")
    attempt = only(read(tmp_path, *fails("x.GatedRepoError: " + GATED_403.format(repo=COMMUNITY), retried)))
    assert attempt.cause == "gated-not-accepted"


def test_a_file_system_error_beats_the_gated_wording(tmp_path: Path) -> None:
    denied = (
        "PyAnnote model access error: [Errno 13] Permission denied: '/home/appuser/.cache/torch/pyannote/models--pyannote--x'"
    )
    prints = line("\nCould not download 'pyannote/speaker-diarization-3.1' pipeline.\nIt might be because … gated", "WARNING")
    attempt = only(read(tmp_path, V3_BEGINS, prints, line(denied, "ERROR", "ForkPoolWorker-1"), V3_STATUS_ERROR))
    assert attempt.cause == "cache-permission"
    gated_first = fails("x.GatedRepoError: " + GATED_401.format(repo=COMMUNITY))
    gated_first.insert(-1, line("[Errno 13] Permission denied: '/home/appuser/.cache/huggingface/hub/models--x'", "ERROR"))
    assert only(read(tmp_path, *gated_first)).cause == "cache-permission"


def test_a_number_of_bytes_is_no_status_code(tmp_path: Path) -> None:
    trap = "HuggingFace authentication error: CUDA out of memory. Tried to allocate 401.00 MiB. GPU 0 has 7.78 GiB"
    attempt = only(read(tmp_path, V3_BEGINS, line(trap, "ERROR", "ForkPoolWorker-1"), V3_STATUS_ERROR))
    assert attempt.cause == "gpu-out-of-memory"


def test_the_primary_model_decides_and_not_the_fallback(tmp_path: Path) -> None:
    primary, fallback = GATED_401.format(repo=COMMUNITY), GATED_403.format(repo=OLDER)
    summary = f"Could not load PyAnnote diarization model. Primary: {primary}, Fallback: {fallback}"
    attempt = only(read(tmp_path, LOADS, line(f"GPU transcription failed for file {OTHER}: {summary}", "ERROR")))
    assert attempt.cause == "token-missing"


@pytest.mark.parametrize("attribute, printed_too", [("to", True), ("eval", False)])
def test_v3s_nonetype_does_not_decide(tmp_path: Path, attribute: str, printed_too: bool) -> None:
    printed = line("", "WARNING", "ForkPoolWorker-1") + "\nCould not download 'pyannote/speaker-diarization-3.1' pipeline."
    crashed = f"Error in WhisperX processing: 'NoneType' object has no attribute '{attribute}'"
    before = [printed] if printed_too else []
    attempt = only(read(tmp_path, V3_BEGINS, *before, line(crashed, "ERROR", "ForkPoolWorker-1"), V3_STATUS_ERROR))
    assert attempt.cause == "unrecognised"
    assert ({hit.subject for hit in attempt.hits if hit.generic} >= {"pyannote/speaker-diarization-3.1"}) is printed_too


def test_a_pipeline_that_was_had_and_a_model_of_it_that_was_refused_are_the_second_agreement(tmp_path: Path) -> None:
    printed = (
        line("", "WARNING", "ForkPoolWorker-1")
        + "\nCould not download 'pyannote/segmentation-3.0' model.\nIt might be private or gated"
    )
    crashed = line("Error in WhisperX processing: 'NoneType' object has no attribute 'eval'", "ERROR", "ForkPoolWorker-1")
    attempt = only(read(tmp_path, V3_BEGINS, printed, crashed, V3_STATUS_ERROR))
    assert (attempt.cause, attempt.subject, attempt.certain) == ("gated-not-accepted", "pyannote/segmentation-3.0", False)
    denied = line("[Errno 13] Permission denied: '/home/appuser/.cache/torch/pyannote/x'", "ERROR", "ForkPoolWorker-1")
    assert only(read(tmp_path, V3_BEGINS, printed, denied, crashed, V3_STATUS_ERROR)).cause == "cache-permission"


def test_the_newest_attempt_gives_the_verdict(tmp_path: Path) -> None:
    log = read(tmp_path, *fails("OSError: [Errno 28] No space left on device"), LOADS, RUNS, DONE, ENDED)
    assert [attempt.outcome for attempt in log.attempts] == [Outcome.SUCCEEDED, Outcome.FAILED]
    assert log.newest is log.attempts[0]


def test_no_attempt(tmp_path: Path) -> None:
    log = read(tmp_path, line("celery@worker ready."), line("Task core.cleanup[1] succeeded in 1s: None"))
    assert log.attempts == () and log.newest is None
    assert log.sources[0].whole and log.sources[0].lines_read == 2


def test_a_failed_log_in_at_the_start_is_no_attempt(tmp_path: Path) -> None:
    log = read(tmp_path, line("Failed to register HuggingFace token: Invalid user token.", "WARNING", "ForkPoolWorker-1"))
    assert log.attempts == ()
    assert {hit.cause for hit in log.stray} == {"token-invalid"}


def test_interleaved_tasks_are_told_apart(tmp_path: Path) -> None:
    received = [line(f"Task transcription.gpu_transcribe[{task}] received") for task in (TASK, OTHER)]
    log = read(
        tmp_path, received[0], LOADS, received[1], LOADS, RUNS, RUNS, DONE,
        line(f"Task transcription.gpu_transcribe[{TASK}] raised unexpected: OSError(28, 'No space left on device')", "ERROR"),
        line(f"Task transcription.gpu_transcribe[{OTHER}] succeeded in 3s: {{'status': 'success'}}"),
    )  # fmt: skip
    assert {attempt.task: attempt.outcome for attempt in log.attempts} == {TASK: Outcome.FAILED, OTHER: Outcome.SUCCEEDED}


def test_two_children_of_a_pool_do_not_mix(tmp_path: Path) -> None:
    elsewhere = line("Something failed: [Errno 28] No space left on device", "ERROR", "ForkPoolWorker-2")
    assert only(read(tmp_path, V3_BEGINS, elsewhere, V3_DONE)).outcome is Outcome.SUCCEEDED


def test_another_tasks_failure_is_not_diarizations(tmp_path: Path) -> None:
    thumbnails = line(
        f"Task media.thumbnails[{OTHER}] raised unexpected: OSError(28, '[Errno 28] No space left on device')", "ERROR"
    )
    assert only(read(tmp_path, LOADS, RUNS, thumbnails, DONE, ENDED)).outcome is Outcome.SUCCEEDED
    assert read(tmp_path, thumbnails).attempts == ()


@pytest.mark.parametrize(
    "spoken",
    [
        line("Transcript segment: [Errno 28] No space left on device"),
        line("LLM response: " + GATED_403.format(repo=COMMUNITY).replace("\n", " "), "WARNING"),
        line("Could not parse LLM answer: 'Cannot access gated repository'", "ERROR"),
        line("Segment text: and then he said Invalid HuggingFace token"),
        line("Could not read '/data/CUDA out of memory. Tried to allocate 4 GiB.mp4', skipping its cover", "WARNING"),
        line("Speaker text: Diarization model cleanup completed"),
        line("The caption of the film\nCannot access gated repository\nOSError: [Errno 30] Read-only file system"),
    ],
)
def test_what_people_say_is_no_evidence(tmp_path: Path, spoken: str) -> None:
    attempt = only(read(tmp_path, LOADS, RUNS, spoken, DONE, ENDED))
    assert (attempt.outcome, attempt.cause) == (Outcome.SUCCEEDED, None)
    log = read(tmp_path, spoken)
    assert log.attempts == () and log.stray == ()


@pytest.mark.parametrize(
    "lines, outcome, cause",
    [
        (["Loading PyAnnote segmentation model", "Loading PyAnnote diarization pipeline",
          "Speaker diarization completed successfully"], Outcome.SUCCEEDED, None),
        (["Loading PyAnnote diarization pipeline", "ERROR: Cannot access gated repository"], Outcome.FAILED,
          "gated-not-accepted"),
        (["Invalid HuggingFace token"], Outcome.FAILED, "token-invalid"),
        (["Loading PyAnnote segmentation model", "Model agreement not accepted"], Outcome.FAILED, "gated-not-accepted"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("prefixed", [True, False])
def test_the_guides_indicators(tmp_path: Path, prefixed: bool, lines: list[str], outcome: Outcome, cause: str | None) -> None:
    if prefixed:
        lines = [line(text, "INFO" if outcome is Outcome.SUCCEEDED or text.startswith("Loading") else "ERROR") for text in lines]
    attempt = only(read(tmp_path, *lines))
    assert (attempt.outcome, attempt.cause) == (outcome, cause)


def test_a_killed_child(tmp_path: Path) -> None:
    killed = line("Process 'ForkPoolWorker-1' pid:17 exited with 'signal 9 (SIGKILL)'", "ERROR")
    lost = line("Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 3.')", "ERROR")
    attempt = only(read(tmp_path, V3_BEGINS, killed, lost))
    assert (attempt.outcome, attempt.cause) == (Outcome.FAILED, "out-of-memory")
