"""What a case of the corpus is: how its log is made, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .lab import Lab

#: Nobody's: it only has a token's shape.
TOKEN = ("hf_" + "Lab" * 12)[:37]
OTHER_TOKEN = ("hf_" + "Old" * 12)[:37]

V5, V4, V3, V1 = "v0.5", "v0.4", "v0.2-0.3", "v0.1"
COMMUNITY = "pyannote/speaker-diarization-community-1"
PIPELINE = "pyannote/speaker-diarization-3.1"
SEGMENTATION = "pyannote/segmentation-3.0"

Outcome = Literal["succeeded", "failed", "recovered", "unfinished", "disabled", "none"]


@dataclass(frozen=True)
class Truth:
    """What is true of the newest attempt. `cause` is of the contract's vocabulary; empty where nothing is wrong."""

    outcome: Outcome = "failed"
    cause: str = ""
    subject: str = ""  #: not asserted where it is empty
    also: tuple[str, ...] = ()  #: causes that are as good
    why: str = ""  #: where the text alone cannot decide, or where the obvious reading is wrong


@dataclass(frozen=True)
class Run:
    """A case whose log is made by running the real libraries."""

    name: str
    truth: Truth
    release: str = V4
    venv: str = "hub-0.36.2"
    over: str = ""  #: another set of packages, found before those of `venv`
    pool: Literal["threads", "prefork"] | None = None  #: None: that of the release line
    token: str | None = TOKEN
    env: dict[str, str] = field(default_factory=dict)
    jobs: tuple[Mapping[str, object], ...] = ({},)
    command: tuple[str, ...] = ()  #: a program that runs in the worker's place, in its container: the log is its output
    prepare: Callable[[Lab], None] = lambda lab: None  #: before the worker is started: the Hub, the network, the cache
    meanwhile: Callable[[Lab], None] | None = None  #: while the worker runs, instead of waiting for the jobs' ends
    seconds: float = 30.0
    concurrency: int = 1
    broker_late: float = 0.0  #: seconds until the broker is there; the worker does not wait for it
    engine: str = ""  #: commands of a user of a real Docker engine, run by a shell: the log is what they show
    files: dict[str, str] = field(default_factory=dict)  #: in the folder where those run
    broker: tuple[str, ...] = ()  #: options of its Redis
    wrap: Callable[[bytes], bytes] | None = None  #: how the log was taken from the container, if not as it is
    reason: str = ""  #: why a text in it could not be had by running: it is cited, and the case counts as composed

    @property
    def threads(self) -> bool:
        return (self.pool or ("threads" if self.newer else "prefork")) == "threads"

    @property
    def newer(self) -> bool:
        """Whether its models lie where v0.4 and later look."""
        return self.release in (V4, V5)
