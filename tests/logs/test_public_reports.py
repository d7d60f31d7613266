"""Public bug reports, and rewordings of them, judged by the structure of their errors alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from ot_doctor.logs.faults import decide, faults_in, unexplained
from tests.logs import mutations

FOLDER = Path(__file__).parent / "public"


@dataclass(frozen=True)
class Report:
    name: str
    expected: tuple[str, ...]

    @property
    def text(self) -> str:
        return (FOLDER / self.name).read_text(encoding="utf-8")


_INDEX = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
REPORTS = [Report(case["file"], tuple(case["expected"])) for case in _INDEX["cases"]]


def said_of(text: str) -> str:
    """The cause, ``"unrecognised"`` where an error is left unexplained, or ``"none"``."""
    decided = decide(faults_in(text))
    if decided is not None:
        return decided[1].cause
    return "unrecognised" if unexplained(text) else "none"


def test_each_report_has_its_log() -> None:
    assert {report.name for report in REPORTS} == {path.name for path in FOLDER.glob("*.log")}


def test_each_report_gets_a_right_cause() -> None:
    said = {report.name: said_of(report.text) for report in REPORTS}
    assert {report.name: said[report.name] for report in REPORTS if said[report.name] not in report.expected} == {}


@pytest.mark.parametrize("mutation", mutations.KEEP, ids=lambda mutation: mutation.__name__)
def test_a_rewording_changes_nothing(mutation: mutations.Mutation) -> None:
    """Without randomness: the same text is reworded alike in each run."""
    said = {report.name: said_of(mutation(report.text)) for report in REPORTS}
    assert {report.name: said[report.name] for report in REPORTS if said[report.name] not in report.expected} == {}
