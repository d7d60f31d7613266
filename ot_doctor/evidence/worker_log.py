"""The worker's log: records, and the diarization attempts in them."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Record:
    """One log record with its continuation lines; text is printable and redacted."""

    lines: tuple[int, int]  # first and last line; for Docker's log counted from the first line that was read
    at: datetime | None  # aware, UTC; by the engine's stamp, else the record's own (then taken for UTC)
    level: str  # "INFO", "WARNING", "ERROR", "" when there is none
    text: str  # without the prefix; lines joined with "\n"
    task: str = ""  # the Celery task id, where the record names one
    process: str = ""  # "ForkPoolWorker-1", "MainProcess" (every line of a thread pool); "" without Celery's prefix
    logger: str = ""  # "app.transcription.diarizer", "celery.app.trace"; "" where the format does not say


@dataclass(frozen=True)
class Hit:
    """A signature that matched a record, or a rule that explains its error."""

    signature: str  # or the rule; "" for an error that nothing explains
    cause: str | None  # a value of Cause; None for noise, notes and success markers
    subject: str | None
    certain: bool
    generic: bool  # must not decide by itself
    record: Record
    remedy: str = ""  # what the signature says to do, where that is more special than what helps against the cause
    possible: bool = False  # other explanations are about as good


class Outcome(enum.Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RECOVERED = "recovered"  # an error on the way, and speakers in the end
    UNFINISHED = "unfinished"
    DISABLED = "disabled"  # the job ran with diarization switched off: not an attempt in the JSON report


_ABOUT_THE_HUB = re.compile(
    r"""private\ or\ gated|Could\ not\ download\ |locate\ the\ file\ on\ the\ Hub|cannot\ find\ the\ requested\ files
      |gated\ repositor|'NoneType'\ object\ has\ no\ attribute\ '(?:to|eval|instantiate)'
      |Cannot\ (?:access|download)\ PyAnnote|Access\ forbidden\ to\ PyAnnote|Could\ not\ load\ PyAnnote
      |(?:HuggingFace\ (?:authentication|permission|model\ access)|PyAnnote\ model\ access)\ error""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Attempt:
    """One diarization attempt, from its first telling line to its end."""

    worker: str
    outcome: Outcome
    lines: tuple[int, int]
    task: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cause: str | None = None  # a value of Cause; "unrecognised" where it failed and no signature decided
    subject: str | None = None
    certain: bool = False
    hits: tuple[Hit, ...] = ()
    decisive: tuple[Record, ...] = ()  # the records to show
    speakers: int | None = None  # found, where the log says so
    settings: str = ""  # the speaker limits of the attempt, as logged
    engine: str = ""  # "native", "pyannote": which one did the work, as far as the log says
    stood_in: bool = False  # PyAnnote, because the native engine was not available
    file: str = ""  # upstream's id of the file, where a failure names it
    tries: int = 1  # how often its task ran: Celery's own retries
    current: bool = True  # False: before the container's present run
    cut_off: bool = False  # it ended because the worker did: by a new start, or because the container stopped
    stopped: bool = False  # the worker was told to stop while it ran

    @property
    def about_the_hub(self) -> bool:
        """Whether generic texts say that a model could not be loaded, whatever the reason."""
        return any(hit.generic and _ABOUT_THE_HUB.search(hit.record.text) for hit in self.hits)


    @property
    def says_why(self) -> bool:
        """Whether it names a reason, and one that nothing explains: then it is no matter of what could be had."""
        return any(hit.cause == "unrecognised" and not hit.signature for hit in self.hits)


@dataclass(frozen=True)
class LogSource:
    """One log that was read."""

    name: str  # container name, file path, or "standard input"
    lines_read: int
    whole: bool  # read from its beginning, or from the present run's
    since: datetime | None = None  # the present run's start
    problem: str = ""  # why it could not be read, or not to the end
    end_unread: bool = False  # newer lines were not reached: what was found may not be the newest
    token_lines: tuple[int, ...] = ()  # lines that held a token
    release_signs: tuple[str, ...] = ()  # what the lines say about the release line: "v0.1", "v0.1-0.3", "v0.4", "v0.5"
    other_errors: bool = False  # whether errors of other tasks than diarization stand among the last lines
    device: str = ""  # "cuda", "cpu": what the diarizer says it runs on
    of_a_worker: bool = True  # False: a file in which no line is one of a Celery worker or of OpenTranscribe


@dataclass(frozen=True)
class WorkerLog:
    """All logs that were read, and their attempts, the newest first."""

    sources: tuple[LogSource, ...]
    attempts: tuple[Attempt, ...]
    stray: tuple[Hit, ...] = ()  # telling hits outside attempts: "Failed to register HuggingFace token", start-up failures

    @property
    def newest_ended(self) -> Attempt | None:
        """The newest attempt of the present run that came to an end, good or bad."""
        telling = (a for a in self.attempts if a.current and a.outcome not in (Outcome.DISABLED, Outcome.UNFINISHED))
        return next(telling, None)

    @property
    def newest(self) -> Attempt | None:
        """The newest attempt of the present run that tells something."""
        return next((a for a in self.attempts if a.current and a.outcome is not Outcome.DISABLED), None)

    @property
    def under_way(self) -> bool:
        """Whether the newest attempt of a worker's present run has not come to an end."""
        newest: dict[str, Attempt] = {}
        for attempt in self.attempts:
            if attempt.current:
                newest.setdefault(attempt.worker, attempt)
        return any(attempt.outcome is Outcome.UNFINISHED for attempt in newest.values())
