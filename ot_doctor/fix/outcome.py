"""What a run of ``fix`` did, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ot_doctor.actions import Action, Risk
from ot_doctor.diagnosis.ranking import RootCause


class Became(enum.Enum):
    """What became of an action."""

    APPLIED = "applied"
    ALREADY = "already"
    PLANNED = "planned"  # nobody was asked: a dry run, or no terminal
    DECLINED = "declined"
    NOT_ALLOWED = "not-allowed"  # by --yes and --allow
    REFUSED = "refused"  # by the action itself: nothing was changed
    FAILED = "failed"
    DID_NOT_HELP = "did-not-help"
    BY_HAND = "by-hand"  # a person must do it, and none is there
    UNDONE = "undone"


class State(enum.Enum):
    """What became of a cause."""

    GONE = "gone"
    STILL_THERE = "still-there"
    NOT_TRIED = "not-tried"


@dataclass
class Deed:
    """One action, with what was told of it before."""

    action: Action
    does: str = ""
    lines: tuple[str, ...] = ()
    risks: frozenset[Risk] = frozenset()
    rests_on: dict[str, str] = field(default_factory=dict)
    became: Became = Became.PLANNED
    reason: str = ""  # why it was refused or failed, a sentence
    number: int = 0  # in the journal; 0: it was not begun


@dataclass
class Attended:
    """One cause that was attended to."""

    root: RootCause
    deeds: list[Deed] = field(default_factory=list)
    state: State = State.NOT_TRIED
    new: bool = False  # it showed up only after another one was fixed
    warned: bool = False  # it was a warning, and selected: a failure may have the same cause and subject

    @property
    def key(self) -> Key:
        return self.root.cause.value, self.root.subject, self.warned


Key = tuple[str, "str | None", bool]
