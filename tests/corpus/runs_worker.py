"""The worker itself: healthy and noisy jobs, several of them, kills and new starts, how the log was taken."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from . import faults, wraps
from .case import COMMUNITY, OTHER_TOKEN, V1, V3, Run, Truth
from .lab import Lab

_FINE = Truth("succeeded")
_NOT_ACCEPTED = Truth("failed", "gated-not-accepted", COMMUNITY)
_NO_GPU = "there is no GPU in the laboratory: the text is cited from public threads, the worker round it is real"
_JUNK = Truth("none", "speakers-config", why="the worker does not even start: there is no attempt, but the log tells why")
_SLEEPER = ({"sleep": 60},)
_SAID = (
    ["INFO", "Segment 14: 'He said 401 Client Error, Cannot access gated repo for url, and no space left on device'"],
    ["INFO", "Processing file: CUDA out of memory - [Errno 13] Permission denied.mp3"],
    ["INFO", "LLM summary: The speaker fixes huggingface_hub.errors.GatedRepoError by accepting the agreement."],
)


def _until(words: str) -> Callable[[Lab], None]:
    def meanwhile(lab: Lab) -> None:
        lab.wait_for(lambda text: words in text)

    return meanwhile


def _while_diarizing(lab: Lab) -> None:
    lab.wait_for(lambda text: "Running diarization with" in text or "Performing speaker diarization" in text)
    time.sleep(1)


def _kill_child(lab: Lab) -> None:
    _while_diarizing(lab)
    for pid in lab.children():
        os.kill(pid, signal.SIGKILL)
    lab.wait_for(lab.ended, 15)


def _new_start(lab: Lab) -> None:
    _while_diarizing(lab)
    lab.kill_worker()
    lab.start_worker(ids=())
    lab.wait_for(lambda text: text.count(" ready.") >= 2, 15)


def _warm_shutdown(lab: Lab) -> None:
    _while_diarizing(lab)
    assert lab._worker is not None
    lab._worker.send_signal(signal.SIGTERM)
    lab.wait_for(lambda text: "Warm shutdown" in text, 10)
    lab.kill_worker()
    lab.start_worker(ids=())
    lab.wait_for(lambda text: text.count(" ready.") >= 2, 15)


def _restarts(lab: Lab) -> None:
    for _ in range(3):
        lab.wait_for(lambda _: False, 15)
        lab.kill_worker()
        lab.start_worker()
    lab.wait_for(lambda _: False, 15)


def _one_then_other(lab: Lab) -> None:
    """The first job fails, what was wrong is mended, and a new start runs the second."""
    lab.kill_worker()
    lab.log.unlink()
    lab.start_worker(lab.ids[:1])
    lab.wait_for(lambda text: "raised unexpected" in text)
    lab.kill_worker()
    for repo in lab.hub.repos.values():
        repo.accepted.add("ada")
    lab.start_worker(lab.ids[1:])
    lab.wait_for(lambda text: "succeeded in" in text)


def _killed_in_download(lab: Lab) -> None:
    """The worker is killed while weights are on their way, and starts anew without the Hub."""
    lab.kill_worker()
    lab.log.unlink()
    lab.start_worker(lab.ids[:1])
    lab.wait_for(lambda _: list(lab.cache.glob("*/blobs/*")), 15)
    time.sleep(1)
    lab.kill_worker()
    lab.env["HF_HUB_OFFLINE"] = "1"
    lab.start_worker(lab.ids[1:])
    lab.wait_for(lambda text: "raised unexpected" in text)


WORKER: tuple[Run, ...] = (
    Run("v4-healthy", _FINE),
    Run("v4-healthy-prefork", _FINE, pool="prefork", venv="hub-0.30.2"),
    Run("v4-healthy-hub-2.4.0", _FINE, venv="hub-2.4.0"),
    Run("v4-healthy-hub-0.23.5", _FINE, venv="hub-0.23.5"),
    Run("v3-healthy", _FINE, V3),
    Run("v1-healthy", _FINE, V1, venv="hub-0.26.5"),
    Run("v4-reused-model", _FINE, jobs=({"loaded": True},)),
    Run("v4-one-speaker", _FINE, jobs=({"speakers": 1},), env={"MAX_SPEAKERS": "1"}),
    Run("v4-rediarize-healthy", _FINE, jobs=({"task": "rediarize"},)),
    Run("v3-embedding-not-accepted", _FINE, V3, jobs=({"embedding": True},), prepare=faults.grant("pyannote/embedding")),
    Run("v4-memory-recovered", Truth("recovered"), jobs=({"oom": 1},), reason=_NO_GPU),
    Run("v4-memory-recovered-twice-prefork", Truth("recovered"), pool="prefork", jobs=({"oom": 2},), reason=_NO_GPU),
    Run("v4-disabled", Truth("disabled"), jobs=({"disabled": True},)),
    Run("v4-people-talk-of-errors", _FINE, jobs=({"say": _SAID},)),
    Run("v3-people-talk-of-errors", _FINE, V3, jobs=({"say": _SAID},)),
    Run("v4-people-talk-while-it-fails", Truth("failed", "token-invalid"), token=OTHER_TOKEN, jobs=({"say": _SAID},)),
    Run("v4-other-task-fails", _FINE, jobs=({}, {"task": "transcription.download", "raise": "HTTP Error 403: Forbidden"})),
    Run("v4-only-other-tasks", Truth("none"), jobs=({"task": "transcription.download", "say": _SAID},)),
    Run("v4-idle", Truth("none"), jobs=(), meanwhile=_until(" ready.")),
    Run("v4-success-then-failure", Truth("failed", "repo-not-found", COMMUNITY), jobs=({}, {"revision": "3.0"})),
    Run("v4-failure-then-success", _FINE, jobs=({"revision": "3.0"}, {})),
    Run("v4-mended-and-started-anew", _FINE, jobs=({}, {}), prepare=faults.nothing_accepted, meanwhile=_one_then_other),
    Run(
        "v4-two-at-once-one-fails",
        Truth("succeeded", why="the one that ended last"),
        concurrency=2,
        jobs=({"sleep": 2}, {"revision": "3.0"}),
    ),
    Run("v4-unfinished", Truth("unfinished"), jobs=_SLEEPER, meanwhile=_while_diarizing),
    Run("v3-unfinished", Truth("unfinished"), V3, jobs=_SLEEPER, meanwhile=_while_diarizing),
    Run(
        "v4-unfinished-loading",
        Truth("unfinished"),
        venv="hub-2.4.0",
        prepare=faults.hub_fault("slow", 60),
        env={"HF_HUB_ETAG_TIMEOUT": "90"},
        meanwhile=_until("Loading PyAnnote v4"),
    ),
    Run(
        "v4-cut-off-by-new-start",
        Truth(
            "failed", "unrecognised", also=("out-of-memory", "worker-down"), why="a thread pool leaves no line when it is killed"
        ),
        jobs=_SLEEPER,
        meanwhile=_new_start,
    ),
    Run(
        "v3-cut-off-by-new-start",
        Truth(
            "failed",
            "unrecognised",
            also=("out-of-memory", "worker-down"),
            why="the whole container was killed, not only the child",
        ),
        V3,
        jobs=_SLEEPER,
        meanwhile=_new_start,
    ),
    Run(
        "v4-stopped-by-hand",
        Truth(
            "failed",
            "unrecognised",
            also=("worker-down",),
            why="a warm shutdown was asked for, and then the container was killed",
        ),
        jobs=_SLEEPER,
        meanwhile=_warm_shutdown,
    ),
    Run("v3-child-killed", Truth("failed", "out-of-memory", "ForkPoolWorker-1"), V3, jobs=_SLEEPER, meanwhile=_kill_child),
    Run(
        "v4-child-killed-prefork",
        Truth("failed", "out-of-memory", "ForkPoolWorker-1"),
        pool="prefork",
        jobs=_SLEEPER,
        meanwhile=_kill_child,
    ),
    Run("v1-child-killed", Truth("failed", "out-of-memory", "ForkPoolWorker-1"), V1, jobs=_SLEEPER, meanwhile=_kill_child),
    Run("v3-junk-in-max-speakers", _JUNK, V3, env={"MAX_SPEAKERS": "20\t# Can be raised"}, meanwhile=_restarts),
    Run("v4-junk-in-min-speakers", _JUNK, env={"MIN_SPEAKERS": "one"}, meanwhile=_restarts),
    Run("v4-audio-is-text", Truth("failed", "audio-unreadable"), over="over-ffmpeg", jobs=({"audio": "/app/app.py"},)),
    Run("v3-audio-is-gone", Truth("failed", "audio-unreadable"), V3, over="over-ffmpeg", jobs=({"audio": "/tmp/meeting.wav"},)),
    Run(
        "v4-gpu-memory",
        Truth("failed", "gpu-out-of-memory"),
        reason=_NO_GPU,
        jobs=(
            {
                "oom": 4,
                "raise": ("CUDA out of memory. Tried to allocate 2.34 GiB. GPU 0 has a total capacity of 7.78 GiB."),
            },
        ),
    ),
    Run(
        "v3-gpu-memory-401",
        Truth("failed", "gpu-out-of-memory", why="upstream calls it an authentication error"),
        V3,
        reason=_NO_GPU,
        jobs=({"raise": "CUDA out of memory. Tried to allocate 401.00 MiB. GPU 0 has a total capacity of 7.78 GiB"},),
    ),
    Run(
        "v1-gpu-memory-batch",
        Truth("failed", "gpu-out-of-memory"),
        V1,
        reason=_NO_GPU,
        jobs=({"raise": "batch_size ( 32) is probably too large. Try with a smaller value until memory error disappears."},),
    ),
    Run(
        "v4-gpu-too-new",
        Truth("failed", "hardware-unsupported"),
        reason=_NO_GPU,
        jobs=({"raise": "CUDA error: no kernel image is available for execution on the device"},),
    ),
    Run(
        "v4-cudnn-missing",
        Truth("failed", "gpu-library", "libcudnn_cnn.so.9.1.0"),
        reason=_NO_GPU,
        jobs=(
            {"raise": ("Unable to load any of {libcudnn_cnn.so.9.1.0, libcudnn_cnn.so.9.1, libcudnn_cnn.so.9, libcudnn_cnn.so}")},
        ),
    ),
    Run(
        "v3-cudnn-versions",
        Truth("failed", "gpu-library"),
        V3,
        reason=_NO_GPU,
        jobs=({"raise": "cuDNN error: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"},),
    ),
    Run("v4-not-accepted-compose-logs", _NOT_ACCEPTED, prepare=faults.grant(COMMUNITY), wrap=wraps.compose_logs),
    Run("v4-not-accepted-docker-logs-t", _NOT_ACCEPTED, prepare=faults.grant(COMMUNITY), wrap=wraps.docker_logs_t),
    Run("v4-not-accepted-json-file", _NOT_ACCEPTED, prepare=faults.grant(COMMUNITY), wrap=wraps.json_file),
    Run("v4-not-accepted-terminal", _NOT_ACCEPTED, venv="hub-2.4.0", prepare=faults.grant(COMMUNITY), wrap=wraps.coloured),
    Run("v3-bad-token-compose-logs", Truth("failed", "token-invalid"), V3, token=OTHER_TOKEN, wrap=wraps.compose_logs),
    Run("v4-healthy-compose-logs", _FINE, wrap=wraps.compose_logs),
    Run("v4-disk-full-broken-bytes", Truth("failed", "disk-full"), prepare=faults.small(), wrap=wraps.broken_bytes),
    Run("v4-broker-late", _FINE, broker_late=4),
    Run("v4-broker-late-and-not-accepted", _NOT_ACCEPTED, broker_late=4, prepare=faults.grant(COMMUNITY)),
    Run("v4-broker-never", Truth("none", "broker-unreachable"), broker_late=12, meanwhile=lambda lab: lab.kill_worker()),
    Run(
        "v3-time-limit",
        Truth("failed", "time-limit", why="a time limit of Celery's ended the job: nothing of the models or the Hub"),
        V3,
        jobs=_SLEEPER,
        env={"TASK_TIME_LIMIT": "3"},
    ),
    Run(
        "v4-killed-in-download-then-offline",
        Truth("failed", "offline-cache-missing"),
        jobs=({}, {}),
        prepare=faults.hub_fault("slow", 20, "^/lfs/"),
        meanwhile=_killed_in_download,
    ),
)
