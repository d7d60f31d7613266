"""What the log says of the model cache and its disk, held against what is there now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ot_doctor.check import Cause
from ot_doctor.evidence import CachedModel, ModelCache, Purpose, Unavailable

from ._cache_state import download_needed, failing_cause, has_room
from ._present import Present


@dataclass(frozen=True)
class LogVerdict:
    cause: Cause
    subject: str | None
    fixed: str = ""  # why it does not count any more
    confirmed: bool = False  # present evidence says the same
    inferred: bool = False  # present evidence names it, where the log's own text could mean many things


def disk(verdict: LogVerdict, now: Present) -> LogVerdict:
    """A full disk, held against the room that there is now."""
    if isinstance(now.host, Unavailable):
        return verdict
    if has_room(now.host):
        return replace(verdict, fixed="There is room for the models now.")
    place = next((space.path for space in now.host.spaces if space.purpose is Purpose.MODEL_CACHE), verdict.subject)
    return replace(verdict, subject=place)


def permission(verdict: LogVerdict, now: Present) -> LogVerdict:
    """A refusal of the file system, held against what the worker's user can do in its model cache now."""
    if isinstance(now.cache, Unavailable) or _outside(verdict.subject, now.cache):
        return verdict
    access, root = now.cache.access, now.cache.root
    place = root.path or root.container_path
    needed = download_needed(now.cache)
    if access.readable is False or (needed and (access.writable is False or root.read_only)):
        readonly = root.read_only and access.readable is not False
        return LogVerdict(Cause.CACHE_READONLY if readonly else Cause.CACHE_PERMISSION, place, confirmed=True)
    if access.readable and (access.writable or not needed):
        return replace(verdict, subject=place, fixed="The worker can read and write what it needs in the model cache now.")
    return replace(verdict, subject=place)


def _outside(path: str | None, cache: ModelCache) -> bool:
    """Whether the log speaks of a folder that is no part of this cache."""
    if path is None or not path.startswith("/"):
        return False
    within = cache.root.mount.destination if cache.root.mount else cache.root.container_path
    return not path.startswith(within)


def content(verdict: LogVerdict, now: Present) -> LogVerdict:
    """Missing, incomplete or damaged models, held against what is in the cache now."""
    if isinstance(now.cache, Unavailable):
        return verdict
    required = [model for model in now.cache.models if model.required]
    meant = [model for model in required if model.repo == verdict.subject] or required
    worst = next(((cause, model) for model in meant if (cause := failing_cause(now.cache, model))), None)
    if verdict.cause is Cause.MODEL_CORRUPT:
        return _corrupt(verdict, meant, worst)
    if now.cache.access.readable is False:
        return LogVerdict(Cause.CACHE_PERMISSION, now.cache.root.path or now.cache.root.container_path, confirmed=True)
    if worst:
        return LogVerdict(worst[0], worst[1].repo, confirmed=True)
    return verdict


def _corrupt(verdict: LogVerdict, meant: list[CachedModel], worst: tuple[Cause, CachedModel] | None) -> LogVerdict:
    """A file may be damaged in its middle, where nothing looks: only its absence disproves that."""
    if worst and worst[0] is Cause.MODEL_CORRUPT:
        return LogVerdict(Cause.MODEL_CORRUPT, worst[1].repo, confirmed=True)
    if meant and not all(model.present for model in meant):
        return replace(verdict, fixed="The damaged files are gone; the next job downloads them again.")
    return verdict
