"""A diarization of generated voices, and what its outcome means. An exception is judged as a log is."""

from __future__ import annotations

import enum
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from ot_doctor.evidence import Deployment, NativeEngine, Unavailable, WorkerLog, Workers
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import Examined, examine, gathered, prepare
from ot_doctor.sources.trial.beside_worker import Trial, gather
from ot_doctor.sources.trial.voices import SECONDS

LOG = "trial.log"
_FOLDER = "ot-doctor-trial-"
_PATH = re.compile(rf"[^\s\"]*{_FOLDER}\w+/{re.escape(LOG)}")
_LEAST_AGREEMENT = 0.7  # a trained segmentation has 1.0, one with random weights 0.4


class TrialOutcome(enum.Enum):
    WORKS = "works"
    MIXED_UP = "mixed-up"  # two, but not when each of them speaks
    OTHER_NUMBER = "other-number-of-speakers"  # not two, and not none
    NO_VOICE = "no-voice"
    OUT_OF_MEMORY = "out-of-memory"
    FAILED = "failed"


@dataclass(frozen=True)
class Tried:
    trial: Trial
    outcome: TrialOutcome
    judged: Examined | None = None  # what the log reader makes of the exception, where there is one
    native: NativeEngine | Unavailable | None = None  # what comes before that which was tried; None: nothing does

    @property
    def exit_code(self) -> int:
        return 0 if self.outcome in (TrialOutcome.WORKS, TrialOutcome.MIXED_UP, TrialOutcome.OTHER_NUMBER) else 1


def attempt(plan: Plan, gpu: bool, reached: Callable[[str], None]) -> Tried:
    """Try it. Raises ``WrongUsage`` where there is no installation, ``Unavailable`` where nothing can be tried."""
    store = gathered(plan, (Workers, NativeEngine, WorkerLog) if gpu else (Workers, NativeEngine))
    deployment, workers, native = store.get(Deployment), store.get(Workers), _comes_first(store.get(NativeEngine))
    if isinstance(workers, Unavailable):
        raise workers
    if isinstance(deployment, Unavailable):
        raise deployment
    if isinstance(native, NativeEngine) and native.required:
        raise Unavailable(
            "Only PyAnnote can be tried, and ENGINE_DIARIZER_REQUIRE_SIDECAR forbids it here: the native engine (diar-native) "
            "does all the work.", hint="'ot-doctor run' says how the engine is.",
        )  # fmt: skip
    if gpu and (running := _under_way(store.get(WorkerLog))):
        raise Unavailable(running, hint="Try again when it has ended, or without --gpu.")
    trial = gather(plan.request, deployment, workers, gpu, reached)
    outcome = _outcome(trial)
    failed = outcome is TrialOutcome.FAILED or trial.refused
    return Tried(trial, outcome, _judged(plan, trial) if failed else None, native)


def _comes_first(native: NativeEngine | Unavailable) -> NativeEngine | Unavailable | None:
    """The native engine where jobs go to it first, or why that is not known."""
    if isinstance(native, Unavailable):
        return None if native.switched_off else native
    return native if native.configured else None


def _under_way(log: WorkerLog | Unavailable) -> str:
    """Why the GPU is not free; empty where it is."""
    if isinstance(log, Unavailable):
        return f"Whether a job uses the GPU now is not known: {log.reason}"
    return "A job is running, and it needs the GPU." if log.under_way else ""


def _outcome(trial: Trial) -> TrialOutcome:
    if trial.speakers is None:
        return TrialOutcome.OUT_OF_MEMORY if trial.killed else TrialOutcome.FAILED
    two = TrialOutcome.WORKS if trial.agreement >= _LEAST_AGREEMENT else TrialOutcome.MIXED_UP
    return {0: TrialOutcome.NO_VOICE, 2: two}.get(trial.speakers, TrialOutcome.OTHER_NUMBER)


def _judged(plan: Plan, trial: Trial) -> Examined:
    """What the log reader says of the exception, on its own: no Docker and no network."""
    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        log = Path(folder, LOG)
        log.write_text(_as_log(trial), encoding="utf-8", errors="replace")
        request = replace(
            plan.request, directory=None, env_file=None, workers=(), logs=(str(log),), log_alone=True, cwd=Path(folder),
            timeout=60.0, started=time.monotonic(),
        )  # fmt: skip
        alone = replace(plan, request=request)
        return examine(alone, *prepare(alone))


def _as_log(trial: Trial) -> str:
    """The exception as the worker's log would have it. What was printed counts where the exception itself says too little."""
    if not trial.traceback:
        return f"{trial.printed}\nThe trial ended with exit code {trial.exit_code}.\n"
    if "from_pretrained returned None" in trial.traceback:
        return f"{trial.printed}\n{trial.traceback}"
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S,000")
    return f"{now} ERROR:ot_doctor.trial:The diarization of generated voices failed.\n{trial.traceback}"


def without_folder(text: str) -> str:
    """A rendered document in which the trial's own log, which is gone by now, is a name alone."""
    return _PATH.sub(LOG, text)


def sentence(tried: Tried) -> str:
    """The outcome, without its full stop."""
    trial = tried.trial
    what, of = "PyAnnote" if tried.native else "Diarization", f"in {SECONDS} s of two generated voices"
    if tried.outcome is TrialOutcome.WORKS:
        return f"{what} works: 2 speakers {of}"
    if tried.outcome is TrialOutcome.MIXED_UP:
        return f"{what} ran, and found 2 speakers {of}, but not when each of them speaks"
    if tried.outcome is TrialOutcome.OTHER_NUMBER:
        return f"{what} ran, and found {trial.speakers} speaker{'' if trial.speakers == 1 else 's'} {of}"
    if tried.outcome is TrialOutcome.NO_VOICE:
        return f"{what} ran, and found no voice {of}"
    if tried.outcome is TrialOutcome.OUT_OF_MEMORY:
        limit = f"{trial.memory / 2**30:.1f} GiB are allowed here"
        return f"It was killed {trial.where}, by far the most often for want of memory ({limit})"
    return f"It failed {trial.where}"


def notes(tried: Tried) -> list[str]:
    """What else must be known, as sentences: each takes something from the outcome."""
    trial, said = tried.trial, []
    if trial.refused:
        said.append(f"{trial.refused} could not be loaded, and {trial.model} took its place, as it does in the worker.")
    if tried.outcome is TrialOutcome.FAILED and not trial.has_token:
        said.append(f"{trial.worker} has no token: HUGGINGFACE_TOKEN is missing or empty there.")
    if tried.outcome in (TrialOutcome.OTHER_NUMBER, TrialOutcome.MIXED_UP):
        said.append("Generated voices are not those of people: that alone is no fault. Try a recording of your own.")
    if tried.outcome is TrialOutcome.NO_VOICE:
        said.append("A working model hears these voices: its files may be damaged. 'ot-doctor run' looks at them.")
    if isinstance(tried.native, Unavailable):
        said.append(f"Whether the native engine (diar-native) comes first here is not known: {tried.native.reason}")
    elif tried.native:
        now = "is ready" if tried.native.serves else "is not ready, or does not say so"
        said.append(
            f"Not tried: the native engine (diar-native), which comes first here and {now}. PyAnnote stands in for it. "
            "'ot-doctor run' says how the engine is."
        )
    return said
