"""The whole doctor over every log of the corpus: the right cause first, and docs/accuracy.md says how it went."""

from __future__ import annotations

import pytest

from tests.corpus.accuracy import PAGE, Verdict, judge, judged_reports, made_here, page
from tests.corpus.cases_of import NAMES, case_of


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return [judge(case_of(name)) for name in NAMES]


@pytest.mark.slow
def test_the_right_cause_stands_first(verdicts: list[Verdict]) -> None:
    assert {v.case.name: v.said for v in verdicts if not v.right} == {}


@pytest.mark.slow
def test_the_page_tells_it_as_it_is(verdicts: list[Verdict]) -> None:
    assert made_here(PAGE.read_text()) == page(verdicts, judged_reports()), "python -m tests.corpus.accuracy writes it anew"
