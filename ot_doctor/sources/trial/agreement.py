"""Compares the turns that were found with those that were generated.

Any model can name two speakers, one with random weights too. One that works knows when each of them speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

from ot_doctor.sources.trial.voices import TURNS

_STEP = 0.02  # seconds


class FoundTurn(NamedTuple):
    """Somebody speaks; times in seconds."""

    speaker: str
    begins: float
    ends: float


def agreement(found: Sequence[FoundTurn]) -> float:
    """The share of the spoken time, 0 to 1, in which the one who speaks was found, and nobody else; 0 where there are not two."""
    speakers = {turn.speaker for turn in found}
    if len(speakers) != 2:
        return 0.0
    moments = [(voice, {*_speaking(found, at)}) for voice, begins, ends in TURNS for at in _moments(begins, ends)]
    return max(sum(heard == {names[voice]} for voice, heard in moments) for names in permutations(speakers)) / len(moments)


def _moments(begins: float, ends: float) -> Iterable[float]:
    return (begins + number * _STEP for number in range(int((ends - begins) / _STEP)))


def _speaking(found: Sequence[FoundTurn], at: float) -> Iterable[str]:
    return (turn.speaker for turn in found if turn.begins <= at < turn.ends)
