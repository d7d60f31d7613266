"""The settings for which a container has another value than Compose would give it now."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from ot_doctor.evidence import TOKEN_NAME, ComposeConfig, Deployment, EnvFile, Role, Secret, Unavailable, Worker, Workers

CACHE_DIR = "MODEL_CACHE_DIR"
SPEAKERS = ("MIN_SPEAKERS", "MAX_SPEAKERS", "NUM_SPEAKERS")
MATTERING = {
    TOKEN_NAME, *SPEAKERS, "HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
    "TORCH_HOME", "PYANNOTE_CACHE", "TORCH_DEVICE", "COMPUTE_TYPE", "USE_GPU", "WHISPER_MODEL", "ENABLE_DIARIZATION",
    "LD_LIBRARY_PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
}  # fmt: skip
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")  # Podman gives those of the shell, and Docker those of its settings
PREFIXES = ("DIARIZATION_", "GPU_")


@dataclass(frozen=True)
class Drift:
    """A setting for which a container has another value than Compose would give it now."""

    key: str
    worker: Worker
    now: str | Secret | None
    then: str | Secret | None
    where: str  # the place that says what it should be


def live(workers: Workers) -> tuple[Worker, ...]:
    """The celery containers that run; when none does, all of them."""
    running = tuple(w for w in workers.celery if w.status in ("running", "restarting", "paused"))
    return running or workers.celery


def _matters(worker: Worker, key: str) -> bool:
    if key == TOKEN_NAME:
        return True
    return worker.role is Role.DIARIZER and (key in MATTERING or key.startswith(PREFIXES))


@dataclass(frozen=True)
class _Expected:
    """What Compose would give a container now; ``None`` where it would give nothing."""

    value: str | Secret | None
    where: str


def drifts_of(worker: Worker, env: EnvFile, compose: ComposeConfig | Unavailable) -> Iterator[Drift]:
    """The settings that matter and differ, by ``.env`` and the ``environment:`` entries that override it."""
    for key in _compared_keys(worker, env, compose):
        expected = _expected(key, worker, env, compose)
        then = worker.env.get(key)
        if expected is not None and (expected.value or None) != (then or None):
            yield Drift(key, worker, expected.value, then, expected.where)


def _compared_keys(worker: Worker, env: EnvFile, compose: ComposeConfig | Unavailable) -> list[str]:
    keys = dict.fromkeys(entry.key for entry in env.entries)
    known = not isinstance(compose, Unavailable) and worker.compose.service in compose.services and not compose.problems
    if known and not several_env_files(worker, compose):
        keys.update(dict.fromkeys(worker.env))  # a line that was deleted since shows only in the container
    return [key for key in keys if _matters(worker, key) and key != CACHE_DIR]


def _expected(key: str, worker: Worker, env: EnvFile, compose: ComposeConfig | Unavailable) -> _Expected | None:
    """What a container should have; ``None`` where that cannot be known."""
    setting = None if isinstance(compose, Unavailable) else compose.setting(worker.compose.service, key)
    if setting is not None:
        if setting.value is None or any(name in env.shell_wins for name in setting.references):
            return None  # the shell in which Compose was called decides, and it is not this one
        return _Expected(setting.value, str(setting.where))
    if not _reads_env(worker, compose):
        return None
    entry = env.entry(key)
    if entry is not None:
        return _Expected(entry.value, str(env.where(entry.line))) if entry.value is not None else None
    of_image = key in worker.image_env_names or not worker.image_env_names  # a socket proxy need not show it
    return None if of_image or key in _PROXIES else _Expected(None, str(env.path))


def _reads_env(worker: Worker, compose: ComposeConfig | Unavailable) -> bool:
    """Whether the container's service has an ``env_file:``; one that is not known is taken to have the ``.env``."""
    service = None if isinstance(compose, Unavailable) else compose.services.get(worker.compose.service)
    return service is None or bool(service.env_files)


def several_env_files(worker: Worker, compose: ComposeConfig | Unavailable) -> bool:
    """Whether other files than ``.env`` may have given the container a value."""
    service = None if isinstance(compose, Unavailable) else compose.services.get(worker.compose.service)
    return service is not None and len(service.env_files) > 1


def moved_cache(worker: Worker, env: EnvFile, deployment: Deployment | Unavailable) -> Iterator[Drift]:
    """MODEL_CACHE_DIR was changed, and the mounts are still those of the old one."""
    entry = env.entry(CACHE_DIR)
    if isinstance(deployment, Unavailable) or CACHE_DIR in env.shell_wins or not worker.engine.same_user_ids:
        return
    if worker.role is not Role.DIARIZER or not edited_since(env, worker):
        return
    if entry is None or not isinstance(entry.value, str) or entry.value.startswith("~") or not entry.value:
        return
    folder = posixpath.normpath(posixpath.join(str(deployment.home), entry.value))
    cache = posixpath.join(worker.home, ".cache") + "/"
    sources = [m.source for m in worker.mounts if m.kind == "bind" and m.destination.startswith(cache)]
    if sources and not any(source == folder or source.startswith(folder + "/") for source in sources):
        yield Drift(CACHE_DIR, worker, folder, f"mounted from {posixpath.commonpath(sources)}", str(env.where(entry.line)))


def edited_since(env: EnvFile, worker: Worker) -> bool:
    """Whether ``.env`` was written after the container was created."""
    return env.modified_at is not None and worker.created_at is not None and env.modified_at > worker.created_at
