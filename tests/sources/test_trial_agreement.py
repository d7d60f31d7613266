"""How the turns that were found are compared with those that were generated."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ot_doctor.sources.trial.agreement import FoundTurn, agreement
from ot_doctor.sources.trial.voices import SECONDS, TURNS

ALL = [FoundTurn("AB"[voice], begins, ends) for voice, begins, ends in TURNS]
SWAPPED = [turn._replace(speaker={"A": "B", "B": "A"}[turn.speaker]) for turn in ALL]


@pytest.mark.parametrize("found", [ALL, SWAPPED, [*ALL, FoundTurn("A", 2.25, 2.45)]])
def test_the_names_and_the_pauses_do_not_matter(found: Sequence[FoundTurn]) -> None:
    assert agreement(found) == 1


def test_both_all_the_time_is_no_agreement() -> None:
    assert agreement([FoundTurn("A", 0, SECONDS), FoundTurn("B", 0, SECONDS)]) == 0


def test_one_all_the_time_is_half_of_it() -> None:
    assert 0.4 < agreement([FoundTurn("A", 0, SECONDS), FoundTurn("B", SECONDS, SECONDS + 1)]) < 0.6


def test_it_is_about_two_speakers_alone() -> None:
    assert agreement([]) == agreement([FoundTurn("A", 0, 12)]) == agreement([*ALL, FoundTurn("C", 1, 2)]) == 0
