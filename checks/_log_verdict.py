"""A cause that the log shows, held against what is there now.

What the container has, what the Hub answers and what lies in the cache are worth more than a line in the log: they disprove
it, or say more exactly what it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ot_doctor.check import Cause
from ot_doctor.evidence import TOKEN_NAME, Answer, Attempt, CachedModel, Host, Hub, ModelCache, Purpose, Unavailable, WorkerToken

from ._cache_state import download_needed, failing_cause, has_room
from ._present import Present
from ._tokens import fault_of

TOKEN = frozenset({Cause.TOKEN_MISSING, Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID})
ACCESS = TOKEN | {Cause.TOKEN_SCOPE, Cause.GATED_NOT_ACCEPTED, Cause.GATED_PENDING, Cause.REPO_NOT_FOUND}
SERVER = frozenset({Cause.RATE_LIMITED, Cause.HUB_UNAVAILABLE})
NETWORK = frozenset({Cause.NETWORK_DNS, Cause.NETWORK_PROXY, Cause.NETWORK_TLS, Cause.NETWORK_REFUSED, Cause.NETWORK_TIMEOUT})
_CONTENT = frozenset({Cause.CACHE_MISSING, Cause.CACHE_INCOMPLETE, Cause.OFFLINE_CACHE_MISSING})
_ONLY_ACCESS = re.compile(r"Could not download '|'NoneType' object has no attribute '(?:to|eval|instantiate)'")  # pyannote 3
_ANSWERS: Mapping[Answer, Cause] = {
    Answer.NO_TOKEN: Cause.TOKEN_INVALID,
    Answer.BAD_TOKEN: Cause.TOKEN_INVALID,
    Answer.EXPIRED_TOKEN: Cause.TOKEN_INVALID,
    Answer.NOT_ACCEPTED: Cause.GATED_NOT_ACCEPTED,
    Answer.REJECTED: Cause.GATED_NOT_ACCEPTED,
    Answer.PENDING: Cause.GATED_PENDING,
    Answer.SCOPE: Cause.TOKEN_SCOPE,
    Answer.NOT_FOUND: Cause.REPO_NOT_FOUND,
}


@dataclass(frozen=True)
class LogVerdict:
    cause: Cause
    subject: str | None
    fixed: str = ""  # why it does not count any more
    confirmed: bool = False  # present evidence says the same
    inferred: bool = False  # present evidence names it, where the log's own text could mean many things


def judge(cause: Cause, subject: str | None, certain: bool, now: Present) -> LogVerdict:
    """What the log's cause amounts to now."""
    verdict = LogVerdict(cause, subject)
    if now.suffices and cause in ACCESS | NETWORK | SERVER | _CONTENT:
        return replace(verdict, fixed=_no_hub(now))
    if cause in ACCESS:
        access = _access(verdict, certain, now)
        return (_closed_cache(now) or access) if access.fixed else access
    if cause in SERVER and now.hub_reachable:
        return replace(verdict, fixed="The Hub answers properly now.")
    if cause is Cause.DISK_FULL:
        return _disk(verdict, now)
    if cause in (Cause.CACHE_PERMISSION, Cause.CACHE_READONLY):
        return _permission(verdict, now)
    if cause in _CONTENT or cause is Cause.MODEL_CORRUPT:
        return _content(verdict, now)
    return verdict


def _no_hub(now: Present) -> str:
    if isinstance(now.cache, ModelCache) and now.cache.native:
        return "The native engine is ready and has all its models, so the worker does not need the Hub."
    return "The model cache is complete and readable now, so the worker does not need the Hub."


def judge_unnamed(attempt: Attempt, now: Present) -> LogVerdict:
    """What a failure amounts to whose lines name no cause: what is there now and can look like it decides.

    Generic texts say only that a model could not be loaded. An attempt that the worker's own end cut off may have run out of
    memory, without a word.
    """
    verdict = LogVerdict(Cause.UNRECOGNISED, None)
    if attempt.about_the_hub:
        return _unnamed_of_the_hub(verdict, attempt, now)
    if attempt.cut_off and not attempt.stopped and not isinstance(now.workers, Unavailable):
        killed = next((w for w in now.workers.diarizers if w.name == attempt.worker and w.oom_killed), None)
        if killed:
            return LogVerdict(Cause.OUT_OF_MEMORY, killed.name, inferred=True)
    return verdict


def _unnamed_of_the_hub(verdict: LogVerdict, attempt: Attempt, now: Present) -> LogVerdict:
    if now.suffices and not attempt.says_why:
        if isinstance(now.cache, ModelCache) and now.cache.native:
            return replace(verdict, fixed=_no_hub(now))
        since = _changed_since(attempt, now)  # such a cache explains nothing where it was there before the failure
        return replace(verdict, fixed=f"{since}, and the model cache is complete and readable now.") if since else verdict
    if bad := _bad_token(now):
        return LogVerdict(bad, TOKEN_NAME, inferred=True)
    if closed := _closed_cache(now):
        return closed
    if isinstance(now.cache, ModelCache) and isinstance(now.host, Host) and download_needed(now.cache):
        disk = _disk(LogVerdict(Cause.DISK_FULL, None), now)
        if not disk.fixed and any(space.purpose is Purpose.MODEL_CACHE for space in now.host.spaces):
            return replace(disk, inferred=True)
    repos = [hit.subject for hit in attempt.hits if hit.generic and hit.subject]
    named = next((repo for repo in reversed(repos) if any(a.repo == repo for a in now.answers(repo))), None)
    access = _access(LogVerdict(Cause.GATED_NOT_ACCEPTED, named), False, now)
    if access.confirmed:
        return replace(access, confirmed=False, inferred=True)
    content = _content(LogVerdict(Cause.OFFLINE_CACHE_MISSING, named), now)
    if content.confirmed:
        return replace(content, confirmed=False, inferred=True)
    only_access = any(_ONLY_ACCESS.search(hit.record.text) for hit in attempt.hits if hit.generic)
    if access.fixed and only_access and not attempt.says_why:
        return replace(verdict, fixed="Access is fine now.")
    return verdict


def _changed_since(attempt: Attempt, now: Present) -> str:
    """What is newer than the failure and can have ended it; empty where nothing is known to be."""
    failed_at = attempt.ended_at or attempt.started_at
    if failed_at is None:
        return ""
    if isinstance(now.cache, ModelCache) and now.cache.changed_at and now.cache.changed_at > failed_at:
        return f"The cached models were changed after that ({now.cache.changed_at:%Y-%m-%d %H:%M:%S} UTC)"
    running = () if isinstance(now.workers, Unavailable) else now.workers.diarizers
    started = next((w.started_at for w in running if w.running and w.started_at and w.started_at > failed_at), None)
    return f"The worker was started after that ({started:%Y-%m-%d %H:%M:%S} UTC)" if started else ""


def _closed_cache(now: Present) -> LogVerdict | None:
    """A cache that the worker cannot use now: it hides the stored log-in too, so a refusal can come from it."""
    found = replace(_permission(LogVerdict(Cause.CACHE_PERMISSION, None), now), inferred=True)
    return replace(found, confirmed=False) if found.confirmed else None


def _access(verdict: LogVerdict, certain: bool, now: Present) -> LogVerdict:
    about_token = verdict.cause in TOKEN
    subject = TOKEN_NAME if about_token else verdict.subject
    bad = _bad_token(now)
    if bad and (about_token or not certain):
        return LogVerdict(bad, TOKEN_NAME, confirmed=True)
    answers = now.answers(verdict.subject)
    if not bad and isinstance(now.cache, ModelCache) and now.cache.access.readable is False:
        # What cannot be read hides the token's file and the models: the client then asks without a token.
        return _permission(LogVerdict(Cause.CACHE_PERMISSION, None), now)
    if answers and all(answer.answer is Answer.OK for answer in answers):
        return replace(verdict, subject=subject, fixed="Access is fine now.")
    refusal = next((answer for answer in answers if answer.answer in _ANSWERS), None)
    if refusal is None and about_token and isinstance(now.hub, Hub) and now.hub.identity.answer is Answer.OK:
        return replace(verdict, subject=subject, fixed="The Hub accepts the token that the worker has now.")
    if refusal is None or bad:
        return replace(verdict, subject=subject)
    cause = _ANSWERS[refusal.answer]
    if cause in TOKEN:
        return LogVerdict(cause, TOKEN_NAME, confirmed=True)
    if cause is Cause.TOKEN_SCOPE and isinstance(now.hub, Hub):
        return LogVerdict(cause, now.hub.identity.token_name or TOKEN_NAME, confirmed=True)
    return LogVerdict(cause, refusal.repo, confirmed=True)


def _bad_token(now: Present) -> Cause | None:
    """What is wrong with the token that the worker has now."""
    if isinstance(now.token, WorkerToken):
        value = now.token.value
        if value is None or value.blank:
            return Cause.TOKEN_MISSING
        if fault := fault_of(value.shape):
            return fault
    if isinstance(now.hub, Hub) and now.hub.identity.answer in (Answer.BAD_TOKEN, Answer.EXPIRED_TOKEN):
        return Cause.TOKEN_INVALID
    return None


def _disk(verdict: LogVerdict, now: Present) -> LogVerdict:
    if isinstance(now.host, Unavailable):
        return verdict
    if has_room(now.host):
        return replace(verdict, fixed="There is room for the models now.")
    place = next((space.path for space in now.host.spaces if space.purpose is Purpose.MODEL_CACHE), verdict.subject)
    return replace(verdict, subject=place)


def _permission(verdict: LogVerdict, now: Present) -> LogVerdict:
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


def _content(verdict: LogVerdict, now: Present) -> LogVerdict:
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
