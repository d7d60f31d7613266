"""What state a cached model is in: shared by the checks of the cache and of the log."""

from __future__ import annotations

import enum
from pathlib import PurePosixPath

from ot_doctor.check import Cause, Seen
from ot_doctor.evidence import CachedModel, FileState, Host, ModelCache, Purpose, Space, Unavailable, Worker, Workers

NEEDED = 64_000_000  # bytes; the diarization models are about 40 MB


class Condition(enum.Enum):
    COMPLETE = "complete"
    UNREADABLE = "cannot be read"
    CORRUPT = "damaged"
    MISPLACED = "in another folder"
    ABSENT = "missing"
    PARTIAL = "incomplete"


def condition(cache: ModelCache, model: CachedModel) -> Condition:
    """What matters most about a model."""
    if model.complete:
        return Condition.COMPLETE
    if model.corrupt:
        return Condition.CORRUPT
    if misplaced_at(cache, model):
        return Condition.MISPLACED
    if any(file.state is FileState.UNREADABLE for file in model.files):
        return Condition.UNREADABLE
    if not model.present:
        return Condition.ABSENT
    return Condition.PARTIAL


def failing_cause(cache: ModelCache, model: CachedModel) -> Cause | None:
    """The cause with which a required model fails; ``None`` where the next job fixes it, or another check speaks."""
    state = condition(cache, model)
    if state is Condition.CORRUPT:
        return Cause.MODEL_CORRUPT
    if state is Condition.MISPLACED:
        return Cause.CACHE_INCOMPLETE
    if cache.offline and state in (Condition.ABSENT, Condition.PARTIAL):
        return Cause.OFFLINE_CACHE_MISSING
    return None


def misplaced_at(cache: ModelCache, model: CachedModel) -> str | None:
    """Where the model is instead of where the release looks for it."""
    return next((path for path in cache.misplaced if _folder(path) == _folder(model.path)), None)


def _folder(path: str) -> str:
    return PurePosixPath(path).name


def download_needed(cache: ModelCache) -> bool:
    """Whether the next job must store a model in the cache."""
    return not cache.complete and cache.offline is None


def cache_worker(cache: ModelCache, workers: Workers | Unavailable) -> Worker | None:
    """The container whose cache it is."""
    if isinstance(workers, Unavailable):
        return None
    return next((worker for worker in workers.containers if worker.name == cache.worker), None)


def what_is_missing(model: CachedModel) -> str:
    """A model's gaps in a few words."""
    if not model.present:
        return "it is not there at all"
    parts = [f"{file.name} ({file.state.value})" for file in model.missing]
    return ", ".join([*([model.problem] if model.problem else []), *parts]) or "no usable file is there"


def gaps(model: CachedModel) -> list[Seen]:
    """A model's missing and damaged files as evidence."""
    found = [Seen("cache", f.path or f"{model.path} {f.name}", f.state.value) for f in model.files if f.state is not FileState.OK]
    return found if model.present and found else [seen_at(model, model.problem or "not there")]


def seen_at(model: CachedModel, text: str) -> Seen:
    return Seen("cache", model.path, text)


def what_ran_out(space: Space) -> str:
    """What a file system lacks for a model; empty while one still fits."""
    if space.free < NEEDED:
        return f"{size_text(space.free)} free of {size_text(space.total)}"
    if space.inodes_total and not space.inodes_free:
        return "no free inodes (too many files)"
    return ""


def has_room(host: Host) -> bool:
    """Whether a model fits where the cache is; ``False`` where that is not known."""
    spaces = [space for space in host.spaces if space.purpose is Purpose.MODEL_CACHE]
    return bool(spaces) and not any(what_ran_out(space) for space in spaces)


def size_text(size: int) -> str:
    """``40.0 MB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
