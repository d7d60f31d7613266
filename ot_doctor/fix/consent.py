"""Who agrees to an action: the options, or whoever is asked."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ot_doctor.actions import GUIDED, Action, Risk
from ot_doctor.fix.outcome import Attended, Became, Deed
from ot_doctor.fix.procedure import Person, Preview


class Choice(enum.Enum):
    YES = "y"
    NO = "n"
    QUIT = "q"


class Talk(Person, Protocol):
    """Whoever is told and asked."""

    def begins(self, attended: Attended, place: str) -> None:
        """A cause comes to its turn; ``place``: "1 of 2"."""

    def restarts(self, attended: Sequence[Attended]) -> None:
        """What follows is the one restart for these."""

    def previews(self, deed: Deed) -> None: ...

    def asks(self, preview: Preview) -> Choice: ...

    def became(self, deed: Deed) -> None: ...

    def looked(self, attended: Sequence[Attended]) -> None:
        """What the new look shows of the causes that were attended to."""


@dataclass(frozen=True)
class Consent:
    """What was agreed to beforehand.

    ``dry``: nothing is done. ``yes``: nobody is asked, and what ``allowed`` does not hold is not done, but for what is safe.
    """

    dry: bool = False
    yes: bool = False
    allowed: frozenset[Risk] = frozenset()
    keeps_plan: bool = False  # what it rests on is noted, so that it is looked at as if it were done

    def only_plans(self, talk: Talk) -> bool:
        return self.dry or not (self.yes or talk.present)

    def is_dry(self, talk: Talk) -> bool:
        """Whether not even a container that only looks may be started."""
        return self.only_plans(talk) and not self.keeps_plan

    def given(self, action: Action, risks: frozenset[Risk]) -> Became | None:
        """Without asking: ``APPLIED`` for a yes, another outcome for a no; ``None``: somebody must be asked."""
        if not self.yes:
            return None
        return Became.APPLIED if risks <= self.allowed | {Risk.SAFE} else Became.NOT_ALLOWED


def is_guided(action: Action) -> bool:
    return type(action) in GUIDED
