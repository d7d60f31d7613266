"""What must not change the verdict on a log of the corpus: other names and times, other prefixes, wrapped lines, healthy ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.corpus.accuracy import said
from tests.corpus.cases_of import NAMES, case_of
from tests.corpus.test_public import examined
from tests.logs import mutations
from tests.logs.mutations import Mutation

pytestmark = pytest.mark.slow

MAIL = mutations.folded_80  # a mail program drops the spaces at which it breaks a line: single words cannot be told apart again
#: What the cut takes away is all that told the cause.
TELLS_NO_MORE = {("o-torch-cut", "cut_front")}
EVERY = 2  # ``make bench rewordings`` tries every log with every rewording


def sample() -> list[tuple[str, Mutation]]:
    """Some logs of the corpus, each with another rewording than the one before."""
    able = [mutation for mutation in mutations.KEEP if mutation is not MAIL]
    return [(name, able[nth % len(able)]) for nth, name in enumerate(NAMES[::EVERY])]


def wrong_rewordings(folder: Path, pairs: Iterable[tuple[str, Mutation]]) -> dict[str, str]:
    """What is said of those logs whose verdict changes."""
    wrong = {}
    for name, mutation in pairs:
        case = case_of(name)
        cause = said(examined(folder, mutation(case.text)))
        if cause not in case.answers and (name, mutation.__name__) not in TELLS_NO_MORE:
            wrong[f"{name}, {mutation.__name__}"] = cause
    return wrong


def test_a_rewording_changes_no_verdict(tmp_path: Path) -> None:
    pairs = sample()
    assert len(pairs) > 200 and {mutation for _, mutation in pairs} == {one for one in mutations.KEEP if one is not MAIL}
    assert wrong_rewordings(tmp_path, pairs) == {}
