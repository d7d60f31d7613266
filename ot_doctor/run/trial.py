"""A diarization of generated voices, and what its outcome means. An exception is judged as a log is."""

from __future__ import annotations

import enum
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ot_doctor.evidence import Deployment, Unavailable, WorkerLog, Workers
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import Examined, examine, gathered, prepare
from ot_doctor.sources.trial.beside_worker import Trial, gather
from ot_doctor.sources.trial.voices import SECONDS

_WHERE = {"import": "while its libraries were imported", "load": "while the models were loaded", "diarize": "while it diarized"}


class TrialOutcome(enum.Enum):
    WORKS = "works"
    OTHER_NUMBER = "other-number-of-speakers"  # not two, and not none
    NO_VOICE = "no-voice"
    OUT_OF_MEMORY = "out-of-memory"
    FAILED = "failed"


@dataclass(frozen=True)
class Tried:
    trial: Trial
    outcome: TrialOutcome
    judged: Examined | None = None  # what the log reader makes of the exception, where there is one

    @property
    def exit_code(self) -> int:
        return 0 if self.outcome in (TrialOutcome.WORKS, TrialOutcome.OTHER_NUMBER) else 1


def attempt(plan: Plan, gpu: bool, reached: Callable[[str], None]) -> Tried:
    """Try it. Raises ``WrongUsage`` where there is no installation, ``Unavailable`` where nothing can be tried."""
    store = gathered(plan, (Workers, WorkerLog) if gpu else (Workers,))
    deployment, workers = store.get(Deployment), store.get(Workers)
    if isinstance(workers, Unavailable):
        raise workers
    if isinstance(deployment, Unavailable):
        raise deployment
    if gpu and (running := _under_way(store.get(WorkerLog))):
        raise Unavailable(running, hint="Try again when it has ended, or without --gpu.")
    trial = gather(plan.request, deployment, workers, gpu, reached)
    outcome = _outcome(trial)
    return Tried(trial, outcome, _judged(plan, trial) if outcome is TrialOutcome.FAILED else None)


def _under_way(log: WorkerLog | Unavailable) -> str:
    """Why the GPU is not free; empty where it is."""
    if isinstance(log, Unavailable):
        return f"Whether a job uses the GPU now is not known: {log.reason}"
    return "A job is running, and it needs the GPU." if log.under_way else ""


def _outcome(trial: Trial) -> TrialOutcome:
    if trial.speakers is None:
        return TrialOutcome.OUT_OF_MEMORY if trial.killed else TrialOutcome.FAILED
    return {0: TrialOutcome.NO_VOICE, 2: TrialOutcome.WORKS}.get(trial.speakers, TrialOutcome.OTHER_NUMBER)


def _judged(plan: Plan, trial: Trial) -> Examined:
    """What the log reader says of what was printed, on its own: no Docker and no network."""
    with tempfile.TemporaryDirectory(prefix="ot-doctor-") as folder:
        log = Path(folder, "trial.log")
        log.write_text(trial.said or f"The trial ended with exit code {trial.exit_code}.\n", encoding="utf-8", errors="replace")
        request = replace(
            plan.request, directory=None, env_file=None, workers=(), logs=(str(log),), log_alone=True, cwd=Path(folder),
            timeout=60.0, started=time.monotonic(),
        )  # fmt: skip
        alone = replace(plan, request=request)
        return examine(alone, *prepare(alone))


def sentence(tried: Tried) -> str:
    """The outcome, without its full stop."""
    trial = tried.trial
    of = f"in {SECONDS} s of two generated voices"
    if tried.outcome is TrialOutcome.WORKS:
        return f"Diarization works: 2 speakers {of}"
    if tried.outcome is TrialOutcome.OTHER_NUMBER:
        return f"Diarization ran, and found {trial.speakers} speaker{'' if trial.speakers == 1 else 's'} {of}"
    if tried.outcome is TrialOutcome.NO_VOICE:
        return f"Diarization ran, and found no voice {of}"
    at = _WHERE.get(trial.stage, "before it began")
    if tried.outcome is TrialOutcome.OUT_OF_MEMORY:
        return f"It was killed {at}, by far the most often for want of memory"
    return f"It failed {at}"
