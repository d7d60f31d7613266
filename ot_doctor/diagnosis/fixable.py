"""Which remedies ``ot-doctor fix`` carries out whole, and what it would do, in words."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ot_doctor.actions import (
    GUIDED,
    Action,
    EditEnv,
    FetchModels,
    MoveCache,
    OpenCache,
    OwnCache,
    OwnScratch,
    ProtectEnv,
    PutToken,
    QuarantineModels,
    RecreateServices,
    ReencodeEnv,
    RestartContainer,
    Risk,
    StartServices,
    UnpauseContainer,
    UntrackEnv,
)
from ot_doctor.check import Cause, Step
from ot_doctor.diagnosis.ranking import RootCause

FIXED, GUIDED_TO_THE_END, WORDS = "fixed", "guided", "words"


def actions_of(remedy: Sequence[Step]) -> tuple[Action, ...]:
    """The actions of a remedy, in its order; none where a step that changes something has no action: the rest would not help."""
    if any(step.action is None and step.risk is not Risk.SAFE for step in remedy):
        return ()
    return tuple(dict.fromkeys(step.action for step in remedy if step.action is not None))


def kind_of(remedy: Sequence[Step]) -> str:
    """``fixed`` by the doctor, ``guided`` where a person takes part, or ``words`` only."""
    actions = actions_of(remedy)
    if not actions:
        return WORDS
    return GUIDED_TO_THE_END if any(type(action) in (*GUIDED, PutToken) for action in actions) else FIXED


@dataclass(frozen=True)
class FixKind:
    """What ``ot-doctor fix`` can do about a cause, whatever the installation."""

    kind: str  # FIXED in some or all of its cases, GUIDED_TO_THE_END, WORDS
    actions: tuple[str, ...]
    why: str  # a sentence


@functools.cache
def by_cause() -> Mapping[Cause, FixKind]:
    """The table of all causes, from ``fix_kinds.toml``."""
    from importlib.resources import files

    if sys.version_info >= (3, 11):
        import tomllib
    else:  # pragma: no cover
        import tomli as tomllib

    read = tomllib.loads(files("ot_doctor.diagnosis").joinpath("fix_kinds.toml").read_text(encoding="utf-8"))
    return {Cause(name): FixKind(one["kind"], tuple(one["actions"]), one["why"]) for name, one in read.items()}


@dataclass(frozen=True)
class Offer:
    """What ``ot-doctor fix`` could do about a diagnosis."""

    causes: int  # of the diagnosis, with all that it says
    fixable: int
    would: str  # "change 1 line of .env and restart 1 container"

    @property
    def sentence(self) -> str:
        """Empty where nothing is failing, or nothing of it can be done."""
        if not self.fixable:
            return ""
        if self.fixable == self.causes:
            return f"'ot-doctor fix' would {self.would}. It asks before each step."
        which = f"{self.fixable} of these {self.causes} causes"
        return f"'ot-doctor fix' can fix {which}: it would {self.would}. It asks before each step."


def offer(diagnosis: Sequence[RootCause]) -> Offer:
    found = [actions_of(root.remedy) for root in diagnosis]
    actions = list(dict.fromkeys(action for one in found for action in one))
    return Offer(len(found), sum(1 for one in found if one), _listed(_deeds(actions)))


def _deeds(actions: Sequence[Action]) -> Iterable[str]:
    lines = {(action.path, edit.line) for action in actions if isinstance(action, EditEnv) for edit in action.edits}
    if lines:
        yield f"change {_counted(len(lines), 'line')} of .env"
    if any(isinstance(action, PutToken) for action in actions):
        yield "ask for a token, try it, and write it"
    if any(isinstance(action, (ReencodeEnv, ProtectEnv, UntrackEnv)) for action in actions):
        yield "change how .env is stored"
    if any(isinstance(action, (OwnCache, OpenCache, OwnScratch)) for action in actions):
        yield "give files to the worker's user"
    if moved := sum(isinstance(action, (MoveCache, QuarantineModels)) for action in actions):
        yield f"move {_counted(moved, 'folder')} of models"
    repos = {repo for action in actions if isinstance(action, FetchModels) for repo in action.repos}
    if repos:
        yield f"download {_counted(len(repos), 'model')}"
    if guided := sum(type(action) in GUIDED for action in actions):
        yield f"guide you through {_counted(guided, 'step')}"
    services = {name for action in actions if isinstance(action, (RecreateServices, StartServices)) for name in action.services}
    containers = {action.container for action in actions if isinstance(action, (UnpauseContainer, RestartContainer))}
    if services or containers:
        yield f"restart {_counted(len(services) + len(containers), 'container')}"
    if any(action.risk is Risk.REMOVES and not isinstance(action, QuarantineModels) for action in actions):
        yield "delete what Docker can make again"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _listed(deeds: Iterable[str]) -> str:
    said = list(deeds)
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}" if said else ""
