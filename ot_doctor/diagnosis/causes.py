"""What each cause means, and which cause brings which other one about."""

from __future__ import annotations

import functools
import re
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from ot_doctor.check import Cause


@dataclass(frozen=True)
class Link:
    """``cause`` causes ``effects``: fixing it fixes them too, so they are not listed beside it."""

    cause: Cause
    effects: frozenset[Cause]
    why: str


def title(cause: Cause) -> str:
    """One short sentence, as the diagnosis shows it."""
    return _texts()[cause.value]["title"]


def explanation(cause: Cause) -> str:
    """What it means, why it breaks diarization, how it is found out and how to fix it; wrapped for 80 columns."""
    return textwrap.fill(" ".join(_texts()[cause.value]["explanation"].split()), 79)


@functools.cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    """The texts of ``causes.toml``, read when the first one is shown."""
    from importlib.resources import files

    if sys.version_info >= (3, 11):
        import tomllib
    else:  # pragma: no cover
        import tomli as tomllib

    text = files("ot_doctor.diagnosis").joinpath("causes.toml").read_text(encoding="utf-8")
    texts: Mapping[str, Mapping[str, str]] = tomllib.loads(text)
    return texts


def explains(cause: Cause, other: Cause, subject: str | None = None, other_subject: str | None = None) -> bool:
    """Whether ``cause`` brings ``other`` about.

    A setting explains only what follows from that same setting: a stale MAX_SPEAKERS says nothing about the token. That is
    looked at where both subjects are given. A failure that is not recognised, but is about the Hub, comes from nothing else.
    """
    if other is Cause.UNRECOGNISED and other_subject == _THE_HUB and cause not in OF_THE_HUB:
        return False
    if other not in EXPLAINS.get(cause, frozenset()):
        return False
    if cause is Cause.SPEAKERS_CONFIG and other is Cause.WORKER_DOWN:
        return subject is None or subject in _SPEAKER_LIMITS  # no number; two that contradict each other end no worker
    if cause not in _ABOUT_ONE_VARIABLE or subject is None:
        return True
    variable = _TOKEN_VARIABLE if other in _TOKEN_CAUSES else other_subject
    return variable is None or subject in re.findall(r"\w+", variable)  # "MIN_SPEAKERS, MAX_SPEAKERS" is about both


_THE_HUB = "huggingface.co"
_SPEAKER_LIMITS = frozenset({"MIN_SPEAKERS", "MAX_SPEAKERS", "NUM_SPEAKERS"})
_TOKEN_VARIABLE = "HUGGINGFACE_TOKEN"
_TOKEN_CAUSES = frozenset(
    {Cause.TOKEN_MISSING, Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID, Cause.TOKEN_SCOPE}
)
_ABOUT_ONE_VARIABLE = frozenset({Cause.ENV_SHADOWED, Cause.STALE_WORKER_ENV})

# Each can look like a model that could not be loaded.
OF_THE_HUB = frozenset(
    {
        Cause.TOKEN_MISSING, Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID, Cause.TOKEN_SCOPE,
        Cause.GATED_NOT_ACCEPTED, Cause.GATED_PENDING, Cause.REPO_NOT_FOUND, Cause.CACHE_PERMISSION, Cause.CACHE_READONLY,
        Cause.DISK_FULL, Cause.CACHE_INCOMPLETE, Cause.CACHE_MISSING, Cause.OFFLINE_CACHE_MISSING, Cause.CACHE_NOT_MOUNTED,
        Cause.NETWORK_DNS,
        Cause.NETWORK_PROXY, Cause.NETWORK_TLS, Cause.NETWORK_REFUSED, Cause.NETWORK_TIMEOUT, Cause.RATE_LIMITED,
        Cause.HUB_UNAVAILABLE,
    }
)  # fmt: skip
# Each is worth fixing, but no diarization ever failed because of it.
BREAKS_NO_JOB = frozenset(
    {Cause.TOKEN_EXPOSED, Cause.TOKEN_TOO_POWERFUL, Cause.DIARIZATION_DISABLED}
)
# What follows from these fails a job, and they themselves do not.
_DOES_NOT_FAIL_A_JOB = BREAKS_NO_JOB | {
    Cause.WRONG_FOLDER, Cause.ENV_UNREADABLE, Cause.ENV_SHADOWED, Cause.STALE_WORKER_ENV, Cause.BROKER_UNREACHABLE,
    Cause.UNRECOGNISED,
}  # fmt: skip

LINKS = (
    Link(
        Cause.WRONG_FOLDER,
        frozenset({Cause.STALE_WORKER_ENV, Cause.ENV_UNREADABLE}),
        "the .env of another folder was edited, so the running stack never saw the edit",
    ),
    Link(
        Cause.ENV_UNREADABLE,
        frozenset({Cause.TOKEN_MISSING, Cause.STALE_WORKER_ENV, Cause.WORKER_DOWN}),
        "Compose gets no values from such a file, or refuses to start anything",
    ),
    Link(
        Cause.ENV_SHADOWED,
        frozenset({
            Cause.STALE_WORKER_ENV, Cause.TOKEN_MISSING, Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID,
            Cause.TOKEN_SCOPE, Cause.SPEAKERS_CONFIG,
        }),
        "the wrong value overrides the right one, which never arrives",
    ),
    Link(
        Cause.STALE_WORKER_ENV,
        frozenset({
            Cause.TOKEN_MISSING, Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID, Cause.TOKEN_SCOPE,
            Cause.SPEAKERS_CONFIG,
        }),
        "the container still has the old value; the model terms that an account accepted are another matter, so gated-* stays",
    ),
    Link(
        Cause.TOKEN_MISSING,
        frozenset({Cause.TOKEN_INVALID, Cause.REPO_NOT_FOUND}),
        "an empty token is sent as an empty Authorization header, and an anonymous request sees no gated repository",
    ),
    Link(
        Cause.TOKEN_PLACEHOLDER,
        frozenset({Cause.TOKEN_MISSING, Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID, Cause.REPO_NOT_FOUND}),
        "the Hub rejects an example value, and pyannote drops one that does not begin with hf_",
    ),
    Link(
        Cause.TOKEN_MALFORMED,
        frozenset({Cause.TOKEN_MISSING, Cause.TOKEN_INVALID, Cause.REPO_NOT_FOUND}),
        "the Hub rejects it, and pyannote drops one that does not begin with hf_",
    ),
    Link(
        Cause.TOKEN_INVALID,
        frozenset({Cause.REPO_NOT_FOUND}),
        "older clients report a rejected token as a repository that does not exist",
    ),
    Link(
        Cause.CACHE_READONLY,
        frozenset({Cause.CACHE_MISSING}),
        "nothing can be stored there",
    ),
    Link(
        Cause.CACHE_PERMISSION,
        frozenset({Cause.CACHE_MISSING}),
        "nothing can be stored there, or what is stored cannot be seen",
    ),
    Link(
        Cause.CACHE_NOT_MOUNTED,
        frozenset({
            Cause.CACHE_PERMISSION, Cause.CACHE_READONLY, Cause.CACHE_MISSING, Cause.CACHE_INCOMPLETE,
            Cause.OFFLINE_CACHE_MISSING,
        }),
        "the worker looks for its models in a folder that is not the one they are kept in",
    ),
    Link(
        Cause.DISK_FULL,
        frozenset({Cause.CACHE_MISSING, Cause.CACHE_INCOMPLETE}),
        "the download broke off, and would again",
    ),
    Link(Cause.OFFLINE_CACHE_MISSING, frozenset({Cause.CACHE_MISSING}), "the same missing files, and nothing fetches them"),
    Link(Cause.OUT_OF_MEMORY, frozenset({Cause.WORKER_DOWN}), "the kernel killed the worker"),
    Link(Cause.SPEAKERS_CONFIG, frozenset({Cause.WORKER_DOWN}), "the worker stops at start-up when a limit is not a number"),
    Link(Cause.LIB_MISMATCH, frozenset({Cause.WORKER_DOWN}), "the worker stops at start-up when an import fails"),
    Link(
        Cause.GPU_UNAVAILABLE,
        frozenset({Cause.WORKER_DOWN}),
        "the engine does not start a container whose GPU it cannot provide",
    ),
    Link(
        Cause.GPU_LIBRARY,
        frozenset({Cause.WORKER_DOWN, Cause.GPU_UNAVAILABLE, Cause.WORKER_CRASHED}),
        "a missing CUDA or cuDNN library aborts the process, or leaves the GPU unused",
    ),
    Link(
        Cause.HARDWARE_UNSUPPORTED,
        frozenset({Cause.WORKER_DOWN, Cause.WORKER_CRASHED}),
        "an instruction that the processor does not know ends the process",
    ),
    Link(Cause.WORKER_CRASHED, frozenset({Cause.WORKER_DOWN}), "a crash ends the whole container where the pool is of threads"),
    Link(Cause.BROKER_UNREACHABLE, frozenset({Cause.WORKER_DOWN}), "the worker gives up, or never becomes healthy"),
    *(
        Link(cause, frozenset({Cause.UNRECOGNISED}), "it breaks jobs by itself")
        for cause in Cause
        if cause not in _DOES_NOT_FAIL_A_JOB
    ),
)


def _collect(links: tuple[Link, ...]) -> Mapping[Cause, frozenset[Cause]]:
    collected: dict[Cause, frozenset[Cause]] = {}
    for link in links:
        collected[link.cause] = collected.get(link.cause, frozenset()) | link.effects
    return collected


EXPLAINS: Mapping[Cause, frozenset[Cause]] = _collect(LINKS)
