"""The plug-in contract: what a check is, and what it may return.

A plug-in author needs this module and the evidence types in ``ot_doctor.evidence``, nothing else::

    @check("token-present", title="The worker has a Hugging Face token", family=Family.TOKEN)
    def token_present(token: WorkerToken) -> Iterator[Finding]:
        \"\"\"Why it matters, as ``ot-doctor explain token-present`` shows it.\"\"\"
        if token.value:
            yield passed("the worker has a token")

A check asks for evidence by the types of its parameters. ``Workers | Unavailable`` means that it wants to run even when that
evidence is not available; plain ``Workers`` leaves that case to the runner.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from ot_doctor.actions import ACTIONS, Action
from ot_doctor.actions import Risk as Risk
from ot_doctor.evidence.base import Location


class Status(enum.Enum):
    """What became of a check. Declared from good to bad; the worst of its findings is a check's status."""

    PASS = "pass"
    SKIP = "skip"  # not applicable, switched off, nothing to look at yet, or a check it depends on did not pass
    WARN = "warn"
    UNKNOWN = "unknown"  # should have been checked and could not be
    FAIL = "fail"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {status: nth for nth, status in enumerate(Status)}


class Family(enum.Enum):
    ENV = "env"
    TOKEN = "token"
    ACCESS = "access"
    CACHE = "cache"
    WORKER = "worker"
    LOGS = "logs"
    SPEAKERS = "speakers"
    HOST = "host"


class Cause(enum.Enum):
    """The closed vocabulary of causes, in the order in which they must be fixed.

    ``ot_doctor.diagnosis.causes`` says what each means and which explains which.
    """

    OUT_OF_MEMORY = "out-of-memory"
    WORKER_DOWN = "worker-down"
    BROKER_UNREACHABLE = "broker-unreachable"
    WRONG_FOLDER = "wrong-folder"
    ENV_UNREADABLE = "env-unreadable"
    ENV_SHADOWED = "env-shadowed"
    STALE_WORKER_ENV = "stale-worker-env"
    TOKEN_MISSING = "token-missing"
    TOKEN_PLACEHOLDER = "token-placeholder"
    TOKEN_MALFORMED = "token-malformed"
    TOKEN_INVALID = "token-invalid"
    CACHE_READONLY = "cache-readonly"
    CACHE_PERMISSION = "cache-permission"
    DISK_FULL = "disk-full"
    SCRATCH_PERMISSION = "scratch-permission"
    TOKEN_SCOPE = "token-scope"
    GATED_NOT_ACCEPTED = "gated-not-accepted"
    GATED_PENDING = "gated-pending"
    REPO_NOT_FOUND = "repo-not-found"
    OFFLINE_CACHE_MISSING = "offline-cache-missing"
    MODEL_CORRUPT = "model-corrupt"
    CACHE_INCOMPLETE = "cache-incomplete"
    CACHE_MISSING = "cache-missing"
    CACHE_NOT_MOUNTED = "cache-not-mounted"
    NETWORK_DNS = "network-dns"
    NETWORK_PROXY = "network-proxy"
    NETWORK_TLS = "network-tls"
    NETWORK_REFUSED = "network-refused"
    NETWORK_TIMEOUT = "network-timeout"
    RATE_LIMITED = "rate-limited"
    HUB_UNAVAILABLE = "hub-unavailable"
    NATIVE_UNAVAILABLE = "native-unavailable"
    LIB_MISMATCH = "lib-mismatch"
    KNOWN_DEFECT = "known-defect"
    HARDWARE_UNSUPPORTED = "hardware-unsupported"
    GPU_LIBRARY = "gpu-library"
    GPU_UNAVAILABLE = "gpu-unavailable"
    GPU_OUT_OF_MEMORY = "gpu-out-of-memory"
    WORKER_CRASHED = "worker-crashed"
    TIME_LIMIT = "time-limit"
    SPEAKERS_CONFIG = "speakers-config"
    DIARIZATION_DISABLED = "diarization-disabled"
    AUDIO_UNREADABLE = "audio-unreadable"
    TOKEN_EXPOSED = "token-exposed"
    TOKEN_TOO_POWERFUL = "token-too-powerful"
    UNRECOGNISED = "unrecognised"

    @property
    def rank(self) -> int:
        return list(Cause).index(self)


class Confidence(enum.Enum):
    CERTAIN = "certain"  # seen directly
    LIKELY = "likely"  # one consistent sign
    POSSIBLE = "possible"


def _texts(owner: object, *texts: object) -> None:
    """A plug-in may hand over anything: what is not a text must fail here, where the plug-in is at work."""
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"a {type(owner).__name__} is made of texts")


@dataclass(frozen=True)
class Step:
    """One step of a remedy: a sentence, and the command or the link that carries it out.

    A command ends by itself, works from any folder and asks nothing. ``action`` is what ``ot-doctor fix`` does in its place, one
    of ``ot_doctor.actions.ACTIONS``.
    """

    text: str
    command: str | None = None
    url: str | None = None
    risk: Risk = Risk.SAFE
    action: Action | None = None

    def __post_init__(self) -> None:
        _texts(self, self.text, self.command or "", self.url or "")
        if self.action is not None and type(self.action) not in ACTIONS:
            raise TypeError("the action of a Step is none of those that there are")


@dataclass(frozen=True, init=False)
class Seen:
    """One thing that was seen: ``Seen(".env", Location("/srv/ot/.env", line=5), "HUGGINGFACE_TOKEN is empty")``.

    ``where`` may be a text as well; one that is a path, or a path with ``:LINE`` behind it, gives the location too. Where a
    report shall say more than the location does, a text and a ``location`` are given.
    """

    source: str  # ".env", "container", "hub", "cache", "log", "host", "compose"
    where: str  # as reports show it
    text: str
    location: Location | None = field(default=None, compare=False)  # what ``where`` says, for programs

    def __init__(self, source: str, where: str | Location, text: str, location: Location | None = None) -> None:
        if isinstance(where, Location):
            location = where
            where = str(location)
        _texts(self, source, where, text)
        location = location or _location_in(where)
        self.__dict__.update(source=source, where=where, text=text, location=location)


def _location_in(where: str) -> Location | None:
    if not where.startswith(("/", "~/")):
        return None
    path, _, line = where.rpartition(":")
    if path and line.isascii() and line.isdigit() and len(line) < 10 and int(line):
        return Location(path, line=int(line))
    return Location(where)


@dataclass(frozen=True)
class Finding:
    """One result of a check, made with ``passed``, ``failed``, ``warned``, ``skipped`` or ``unknown``."""

    status: Status
    message: str
    cause: Cause | None = None
    subject: str | None = None  # what it is about: a repository, variable, path, container
    expected: str | None = None
    evidence: tuple[Seen, ...] = ()
    remedy: tuple[Step, ...] = ()
    confidence: Confidence = Confidence.CERTAIN

    def __post_init__(self) -> None:
        _texts(self, self.message, self.subject or "", self.expected or "")
        members = isinstance(self.status, Status) and isinstance(self.cause, Cause | None)
        if not members or not isinstance(self.confidence, Confidence):
            raise TypeError("the status, the cause or the confidence of a finding is none of those that there are")
        if not all(isinstance(s, Seen) for s in self.evidence) or not all(isinstance(s, Step) for s in self.remedy):
            raise TypeError("a finding's evidence is made of Seen, and its remedy of Step")
        if not self.message:
            raise ValueError("a finding needs a message")
        if self.status is Status.FAIL and (self.cause is None or not self.remedy):
            raise ValueError(f"a failed finding needs a cause and a remedy: {self.message}")
        if self.status is Status.PASS and self.cause is not None:
            raise ValueError(f"a passed finding has no cause: {self.message}")


def passed(message: str, *, subject: str | None = None, evidence: Iterable[Seen] = ()) -> Finding:
    """It was checked, and it is as it should be."""
    return Finding(Status.PASS, message, subject=subject, evidence=tuple(evidence))


def failed(
    cause: Cause,
    message: str,
    *,
    remedy: Iterable[Step],
    subject: str | None = None,
    expected: str | None = None,
    evidence: Iterable[Seen] = (),
    confidence: Confidence = Confidence.CERTAIN,
) -> Finding:
    """It breaks diarization. ``remedy`` must not be empty."""
    return Finding(Status.FAIL, message, cause, subject, expected, tuple(evidence), tuple(remedy), confidence)


def warned(
    message: str,
    *,
    cause: Cause | None = None,
    remedy: Iterable[Step] = (),
    subject: str | None = None,
    expected: str | None = None,
    evidence: Iterable[Seen] = (),
    confidence: Confidence = Confidence.CERTAIN,
) -> Finding:
    """It deserves attention and does not break diarization now."""
    return Finding(Status.WARN, message, cause, subject, expected, tuple(evidence), tuple(remedy), confidence)


def skipped(reason: str, *, subject: str | None = None, evidence: Iterable[Seen] = ()) -> Finding:
    """There is nothing to check: not applicable, switched off, or not there yet."""
    return Finding(Status.SKIP, reason, subject=subject, evidence=tuple(evidence))


def unknown(
    reason: str,
    *,
    cause: Cause | None = None,
    remedy: Iterable[Step] = (),
    subject: str | None = None,
    evidence: Iterable[Seen] = (),
) -> Finding:
    """It should have been checked and could not be; ``remedy`` says what would make it known."""
    return Finding(Status.UNKNOWN, reason, cause, subject, evidence=tuple(evidence), remedy=tuple(remedy))


CheckFunction = Callable[..., Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """A named check: metadata and one pure function over evidence."""

    name: str
    title: str  # the desired state: "The worker has a Hugging Face token"
    family: Family
    function: CheckFunction
    explanation: str  # the function's docstring: why it matters, how it is found out
    causes: tuple[Cause, ...] = ()  # what it may report
    after: tuple[str, ...] = ()  # checks that must have passed (or warned) for this one to make sense

    def __call__(self, *evidence: object, **named: object) -> list[Finding]:
        """Run the check on evidence built by hand, as its tests do."""
        return list(self.function(*evidence, **named))


@dataclass(frozen=True)
class Result:
    """One check's findings, at least one."""

    check: Check
    findings: tuple[Finding, ...]
    duration: float  # seconds, waiting for evidence included

    @cached_property  # each format asks for it again and again
    def status(self) -> Status:
        return max((f.status for f in self.findings), key=lambda status: status.rank)

    @property
    def ok(self) -> bool:
        """Whether checks that come after this one make sense."""
        return self.status in (Status.PASS, Status.WARN)


def check(
    name: str,
    *,
    title: str,
    family: Family,
    causes: Iterable[Cause] = (),
    after: Iterable[str] = (),
) -> Callable[[CheckFunction], Check]:
    """Declare a check. Its docstring is what ``ot-doctor explain`` shows.

    Raises ``ValueError`` for a name that is not lower-case words joined by hyphens, and for a missing docstring.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ValueError(f"check name {name!r} is not lower-case words joined by hyphens")

    if not isinstance(title, str) or not isinstance(family, Family):
        raise TypeError(f"check {name} needs a text for its title and a Family")

    def declare(function: CheckFunction) -> Check:
        explanation = inspect.getdoc(function) or ""
        if not explanation:
            raise ValueError(f"check {name} has no docstring to explain it")
        return Check(name, title, family, function, explanation, tuple(causes), tuple(after))

    return declare
