"""What must change a verdict does: another number of an error, another status or signal, and a success behind the failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.accuracy import NOTHING, said
from tests.corpus.cases_of import NAMES, Case, case_of
from tests.corpus.test_public import examined
from tests.logs import mutations
from tests.logs.test_public_reports import REPORTS

pytestmark = pytest.mark.slow

EVERY = 9  # ``make bench`` tries all


def then_success(text: str) -> str:
    """A later job of the same worker goes well."""
    start = case_of("v4-healthy").text.splitlines(keepends=True)
    later = [line for line in start if line.startswith("[20") and "mingle" not in line]
    return text.rstrip("\n") + "\n" + "".join(line.replace("[2026-", "[2027-", 1) for line in later)


def _failing() -> list[Case]:
    return [case for name in NAMES if (case := case_of(name)).answers != (NOTHING,)]


def texts_that_succeed(every: int = 1) -> dict[str, str]:
    """Logs of failures, of the corpus and of the public reports, with a success behind them."""
    cases = {case.name: case.text for case in _failing() if not case.text.startswith('{"log"')}
    reports = {report.name: report.text for report in REPORTS if report.expected != ("none",)}
    return {name: then_success(text) for name, text in list({**cases, **reports}.items())[::every]}


def wrong_after_success(folder: Path, every: int = 1) -> dict[str, str]:
    """What is still said of such logs."""
    found = {name: said(examined(folder, text)) for name, text in texts_that_succeed(every).items()}
    return {name: cause for name, cause in found.items() if cause != NOTHING}


def wrong_after_swap(folder: Path) -> dict[str, str]:
    """What is said wrongly of logs in which one number is another."""
    found = {}
    for case in _failing():
        for name, text, right in mutations.swapped(case.text, case.cause):
            cause = said(examined(folder, text))
            if cause not in right:
                found[f"{case.name}, {name}"] = cause
    return found


def test_a_success_behind_it_ends_every_failure(tmp_path: Path) -> None:
    assert wrong_after_success(tmp_path, EVERY) == {}


def test_another_number_is_another_cause(tmp_path: Path) -> None:
    assert sum(len(mutations.swapped(case.text, case.cause)) for case in _failing()) >= 25
    assert wrong_after_swap(tmp_path) == {}
