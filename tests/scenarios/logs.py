"""Worker logs as the containers print them: upstream's lines, and the error texts of the real libraries."""

from __future__ import annotations

TASK = "5b9a1d4e-0c7f-4f0e-9f55-2f0f6a4c1b11"
_SITE = "/home/appuser/.local/lib/python3.13/site-packages"
_LIMITS = "Performing speaker diarization with min_speakers=1, max_speakers=20, num_speakers=None"
_AT = "2026-11-21 01:37:{:02d},804"


def _line(second: int, level: str, text: str, process: str = "MainProcess") -> str:
    return f"[{_AT.format(second)}: {level}/{process}] {text}"


def _received(name: str) -> str:
    return _line(1, "INFO", f"Task {name}[{TASK}] received")


def v04_success(speakers: int = 3, settings: str = "{'min_speakers': 1, 'max_speakers': 20}") -> list[str]:
    """A v0.4 job that found speakers."""
    task = f"transcription.gpu_transcribe[{TASK}]"
    return [
        _line(1, "INFO", f"Task {task} received"),
        _line(2, "INFO", "Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1"),
        _line(4, "INFO", "Loaded PyAnnote v4 model: pyannote/speaker-diarization-community-1"),
        _line(4, "INFO", "TIMING: diarizer model loaded in 1.934s on cpu"),
        _line(5, "INFO", f"Running diarization with kwargs: {settings}"),
        _line(17, "INFO", f"TIMING: diarization completed in 12.345s - {speakers} speakers, 120 segments"),
        _line(18, "INFO", f"Task {task} succeeded in 17.2s: {{'status': 'success', 'file_id': 7}}"),
    ]


def v04_failure(repo_error: list[str], summary: str) -> list[str]:
    """A v0.4 job whose model did not load: ``repo_error`` is the library's own traceback, ``summary`` what str() gives."""
    task = f"transcription.gpu_transcribe[{TASK}]"
    load = f"Failed to load v4 model 'pyannote/speaker-diarization-community-1': {summary}"
    raised = f"Could not load PyAnnote diarization model. Primary: {summary}, Fallback: {summary}"
    return [
        _line(1, "INFO", f"Task {task} received"),
        _line(2, "INFO", "Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1"),
        _line(3, "WARNING", f"{load}. Trying fallback: pyannote/speaker-diarization-3.1"),
        _line(4, "ERROR", f"GPU transcription failed for file 0c1d: {raised}"),
        _line(4, "ERROR", f"Task {task} raised unexpected: RuntimeError({raised!r})"),
        "Traceback (most recent call last):",
        *repo_error,
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "Traceback (most recent call last):",
        '  File "/app/app/tasks/transcription/core.py", line 512, in transcribe_gpu_task',
        "    diarizer.load_model()",
        f"RuntimeError: {raised}",
    ]


def gated_401(repo: str) -> tuple[list[str], str]:
    url = f"https://huggingface.co/{repo}/resolve/main/config.yaml"
    text = f"Access to model {repo} is restricted. You must have access to it and be authenticated to access it. Please log in."
    summary = f"401 Client Error. Cannot access gated repo for url {url}. {text}"
    return [
        f'  File "{_SITE}/huggingface_hub/utils/_http.py", line 423, in hf_raise_for_status',
        "    raise _format(GatedRepoError, message, response) from e",
        "huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: Root=1-691fc1d2-5d1f;0c8b)",
        "",
        f"Cannot access gated repo for url {url}.",
        text,
    ], summary


def gated_403(repo: str) -> tuple[list[str], str]:
    url = f"https://huggingface.co/{repo}/resolve/main/config.yaml"
    ask = f"Visit https://huggingface.co/{repo} to ask for access."
    text = f"Access to model {repo} is restricted and you are not in the authorized list. {ask}"
    summary = f"403 Client Error. Cannot access gated repo for url {url}. {text}"
    return [
        f'  File "{_SITE}/huggingface_hub/utils/_http.py", line 423, in hf_raise_for_status',
        "    raise _format(GatedRepoError, message, response) from e",
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: Root=1-691fc1d2-5d1f;0c8b)",
        "",
        f"Cannot access gated repo for url {url}.",
        text,
    ], summary


def permission_denied(path: str) -> tuple[list[str], str]:
    summary = f"[Errno 13] Permission denied: '{path}'"
    return [
        '  File "/usr/local/lib/python3.13/pathlib/_local.py", line 722, in mkdir',
        "    os.mkdir(self, mode)",
        f"PermissionError: {summary}",
    ], summary


def os_error(number: int, text: str, path: str) -> tuple[list[str], str]:
    summary = f"[Errno {number}] {text}: '{path}'"
    return [
        f'  File "{_SITE}/huggingface_hub/file_download.py", line 1610, in _download_to_tmp_and_move',
        "    with incomplete_path.open('ab') as f:",
        f"OSError: {summary}",
    ], summary


def v03_success(speakers: int = 2) -> list[str]:
    """A v0.2 to v0.3 job that found speakers."""
    return [
        _line(1, "INFO", f"Task transcribe_audio[{TASK}] received"),
        _line(2, "INFO", _LIMITS, "ForkPoolWorker-1"),
        _line(3, "INFO", "Loading diarization model: pyannote/speaker-diarization-3.1", "ForkPoolWorker-1"),
        _line(9, "INFO", "Cleaning up diarization model to free GPU memory", "ForkPoolWorker-1"),
        _line(9, "INFO", "Diarization model cleanup completed", "ForkPoolWorker-1"),
        _line(10, "INFO", "Assigning speaker labels to transcript...", "ForkPoolWorker-1"),
        _line(12, "INFO", f"Speaker identification completed: {speakers} speakers processed", "ForkPoolWorker-1"),
        _line(13, "INFO", f"Task transcribe_audio[{TASK}] succeeded in 12.1s: {{'status': 'success'}}", "ForkPoolWorker-1"),
    ]


def v03_gated(repo: str = "pyannote/segmentation-3.0") -> list[str]:
    """A v0.3 job that was refused a sub-model: pyannote 3 prints, returns None, and Celery says "succeeded"."""
    return [
        _line(1, "INFO", f"Task transcribe_audio[{TASK}] received"),
        _line(2, "INFO", _LIMITS, "ForkPoolWorker-1"),
        _line(3, "INFO", "Loading diarization model: pyannote/speaker-diarization-3.1", "ForkPoolWorker-1"),
        _line(5, "WARNING", "", "ForkPoolWorker-1"),
        f"Could not download '{repo}' model.",
        "It might be because the model is private or gated so make",
        "sure to authenticate. Visit https://hf.co/settings/tokens to",
        "create your access token and retry with:",
        f"   >>> Model.from_pretrained('{repo}',",
        "   ...                       use_auth_token=YOUR_AUTH_TOKEN)",
        _line(5, "ERROR", "Error in WhisperX processing: 'NoneType' object has no attribute 'eval'", "ForkPoolWorker-1"),
        _line(
            6,
            "INFO",
            f"Task transcribe_audio[{TASK}] succeeded in 5.0s: "
            "{'status': 'error', 'message': \"'NoneType' object has no attribute 'eval'\"}",
            "ForkPoolWorker-1",
        ),
    ]
