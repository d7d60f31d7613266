"""A cause that the log shows, held against what is there now.

What the container has, what the Hub answers and what lies in the cache are worth more than a line in the log: they disprove
it, or say more exactly what it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ot_doctor.check import Cause
from ot_doctor.evidence import TOKEN_NAME, Answer, Attempt, Host, Hub, ModelCache, Purpose, Unavailable, WorkerToken

from ._cache_state import download_needed
from ._cache_verdict import LogVerdict, content, disk, permission
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


def judge(cause: Cause, subject: str | None, certain: bool, now: Present) -> LogVerdict:
    """What the log's cause amounts to now."""
    verdict = LogVerdict(cause, subject)
    if now.suffices and cause in ACCESS | NETWORK | SERVER | _CONTENT:
        return replace(verdict, fixed=_no_hub(now))
    if cause in ACCESS:
        return _access(verdict, certain, now)
    if cause in NETWORK and now.worker_reaches_hub:
        return replace(verdict, fixed="The worker itself reaches the Hub now.")
    if cause in SERVER and now.hub_reachable:
        return replace(verdict, fixed="The Hub answers properly now.")
    if cause is Cause.DISK_FULL:
        return disk(verdict, now)
    if cause in (Cause.CACHE_PERMISSION, Cause.CACHE_READONLY):
        return permission(verdict, now)
    if cause in _CONTENT or cause is Cause.MODEL_CORRUPT:
        return content(verdict, now)
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
        killed = next((w for w in now.workers.diarizers if w.name == attempt.worker and w.oom_killed and not w.running), None)
        if killed:
            return LogVerdict(Cause.OUT_OF_MEMORY, killed.name, inferred=True)
    return verdict


def _unnamed_of_the_hub(verdict: LogVerdict, attempt: Attempt, now: Present) -> LogVerdict:
    if now.suffices:
        # Such a cache explains nothing where it was there before the failure.
        if since := _changed_since(attempt, now, restarts=not attempt.says_why):
            return replace(verdict, fixed=f"{since}, and the model cache is complete and readable now.")
        if not attempt.says_why:
            native = isinstance(now.cache, ModelCache) and now.cache.native
            return replace(verdict, fixed=_no_hub(now)) if native else verdict
    if bad := _bad_token(now):
        return LogVerdict(bad, TOKEN_NAME, inferred=True)
    if closed := _closed_cache(now):
        return closed
    if isinstance(now.cache, ModelCache) and isinstance(now.host, Host) and download_needed(now.cache):
        full = disk(LogVerdict(Cause.DISK_FULL, None), now)
        if not full.fixed and any(space.purpose is Purpose.MODEL_CACHE for space in now.host.spaces):
            return replace(full, inferred=True)
    repos = [hit.subject for hit in attempt.hits if hit.generic and hit.subject]
    named = next((repo for repo in reversed(repos) if any(a.repo == repo for a in now.answers(repo))), None)
    access = _access(LogVerdict(Cause.GATED_NOT_ACCEPTED, named), False, now)
    if access.confirmed:
        return replace(access, confirmed=False, inferred=True)
    models = content(LogVerdict(Cause.OFFLINE_CACHE_MISSING, named), now)
    if models.confirmed:
        return replace(models, confirmed=False, inferred=True)
    only_access = any(_ONLY_ACCESS.search(hit.record.text) for hit in attempt.hits if hit.generic)
    if access.fixed and only_access and not attempt.says_why:
        return replace(verdict, fixed="Access is fine now.")
    return verdict


def _changed_since(attempt: Attempt, now: Present, *, restarts: bool) -> str:
    """What is newer than the failure and can have ended it; empty where nothing is known to be.

    A new start of the worker counts where ``restarts`` says so: it ends no failure whose reason is stated and not understood.
    """
    failed_at = attempt.ended_at or attempt.started_at
    if failed_at is None:
        return ""
    if isinstance(now.cache, ModelCache) and now.cache.changed_at and now.cache.changed_at > failed_at:
        return f"The cached models were changed after that ({now.cache.changed_at:%Y-%m-%d %H:%M:%S} UTC)"
    running = now.workers.diarizers if restarts and not isinstance(now.workers, Unavailable) else ()
    started = next((w.started_at for w in running if w.running and w.started_at and w.started_at > failed_at), None)
    return f"The worker was started after that ({started:%Y-%m-%d %H:%M:%S} UTC)" if started else ""


def _closed_cache(now: Present) -> LogVerdict | None:
    """A cache that the worker cannot use now: it hides the stored log-in too, so a refusal can come from it."""
    found = replace(permission(LogVerdict(Cause.CACHE_PERMISSION, None), now), inferred=True)
    return replace(found, confirmed=False) if found.confirmed else None


def _access(verdict: LogVerdict, certain: bool, now: Present) -> LogVerdict:
    about_token = verdict.cause in TOKEN
    subject = TOKEN_NAME if about_token else verdict.subject
    bad = _bad_token(now)
    if bad and (about_token or not certain):
        return LogVerdict(bad, TOKEN_NAME, confirmed=True)
    answers = now.answers(verdict.subject)
    closed = _closed_cache(now)
    if closed and not bad and isinstance(now.cache, ModelCache) and now.cache.access.readable is False:
        return closed  # it hides the token's file and the models: the client then asks without a token
    if answers and all(answer.answer is Answer.OK for answer in answers):
        return closed or replace(verdict, subject=subject, fixed="Access is fine now.")
    refusal = next((answer for answer in answers if answer.answer in _ANSWERS), None)
    if refusal is None and about_token and isinstance(now.hub, Hub) and now.hub.identity.answer is Answer.OK:
        return closed or replace(verdict, subject=subject, fixed="The Hub accepts the token that the worker has now.")
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
