"""The whole doctor over the public bug reports: as they are, behind a healthy log, as journald shows them, and reworded."""

from __future__ import annotations

from pathlib import Path

import pytest

from ot_doctor.check import Status
from ot_doctor.evidence import Request
from ot_doctor.report.build import report_of
from ot_doctor.report.model import Report as Outcome
from ot_doctor.report.model import exit_code
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import examine, prepare
from tests.corpus import accuracy
from tests.corpus.accuracy import said
from tests.logs import mutations
from tests.logs.test_public_reports import REPORTS, Report

ALWAYS = (mutations.healthy_before, mutations.journald)
OTHERS = tuple(mutation for mutation in mutations.KEEP if mutation not in ALWAYS)
SAMPLE = [(report, OTHERS[nth % len(OTHERS)]) for nth, report in enumerate(REPORTS)]  # ``make bench`` tries all of them
SAMPLE += [  # what stands in two lines then, signatures read as one all the same
    (report, wrap)
    for report in REPORTS
    for number, wrap in (("061", mutations.terminal_80), ("015", mutations.folded_80))
    if report.name.startswith(number)
]


def examined(folder: Path, text: str) -> Outcome:
    """What ``ot-doctor --logs FILE`` says of a log."""
    log = folder / "worker.log"
    with log.open("w", encoding="utf-8", newline="") as out:
        out.write(text)
    return accuracy.examined(log)


def run_on(log: Path) -> Outcome:
    """The same from the very beginning, as the command does it."""
    plan = Plan(Request(logs=(str(log),), cwd=Path("/"), timeout=60))
    return report_of(examine(plan, *prepare(plan)))


def wrong(outcome: Outcome, report: Report) -> str:
    """What is not as it should be; empty where all is."""
    cause = said(outcome).replace("(none)", "none")
    if cause not in report.expected:
        return f"said {cause}, expected {report.expected[0]}"
    code = 0 if cause == "none" else 1
    return "" if exit_code(outcome) == code else f"exit code {exit_code(outcome)}"


def verdict_is_wrong(folder: Path, text: str, report: Report) -> bool:
    return wrong(examined(folder, text), report) != ""


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_a_report_gets_its_cause(tmp_path: Path, report: Report) -> None:
    outcome = examined(tmp_path, report.text)
    assert wrong(outcome, report) == ""
    whole = run_on(tmp_path / "worker.log")
    assert [(r.check, r.findings) for r in whole.results] == [(r.check, r.findings) for r in outcome.results]
    assert (whole.diagnosis, whole.log) == (outcome.diagnosis, outcome.log)


@pytest.mark.parametrize("mutation", ALWAYS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_neither_healthy_lines_nor_a_prefix_hide_it(tmp_path: Path, report: Report, mutation: mutations.Mutation) -> None:
    assert wrong(examined(tmp_path, mutation(report.text)), report) == ""


@pytest.mark.parametrize(("report", "mutation"), SAMPLE, ids=lambda value: getattr(value, "name", None) or value.__name__)
def test_another_wording_changes_nothing(tmp_path: Path, report: Report, mutation: mutations.Mutation) -> None:
    assert wrong(examined(tmp_path, mutation(report.text)), report) == ""


def test_an_error_that_nobody_knows_is_shown_and_fails(tmp_path: Path) -> None:
    healthy = mutations.healthy_before("")
    for text in ("Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nZeroDivisionError: division by zero\n",
                 "[2026-11-21 01:37:28,804: ERROR/MainProcess] The flux capacitor is empty\n",
                 "thread 'main' panicked at src/main.rs:4:5:\nthe flux capacitor is empty\n"):  # fmt: skip
        for log in (text, healthy + text, text + healthy, healthy + text + healthy):
            outcome = examined(tmp_path, log)
            assert (said(outcome), exit_code(outcome)) == ("unrecognised", 1), log[-300:]
            shown = " ".join(seen.text for symptom in outcome.diagnosis for seen in symptom.evidence)
            assert "division by zero" in shown or "flux capacitor" in shown


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("OSError: [Errno 13] Permiso denegado: '/home/appuser/.cache/huggingface/hub/x'", "cache-permission"),
        ("OSError: [WinError 112] Es steht nicht genug Speicherplatz zur Verfügung: 'C:\\\\cache'", "disk-full"),
        ("celery-worker exited with code 137", "out-of-memory"),
        ("celery-worker exited with code 3", "unrecognised"),
        ("Illegal instruction (core dumped)", "hardware-unsupported"),
        ("fatal: the flux capacitor is empty", "unrecognised"),
        ('  File "/x.py", line 1, in f\n    raise\nOSError: [Errno 28] Kein Platz: \'/models/x\'', "disk-full"),
    ],
)
def test_a_line_without_a_record_counts_behind_another_tasks_record(tmp_path: Path, text: str, cause: str) -> None:
    outcome = examined(tmp_path, mutations.healthy_before(text + "\n"))
    assert (said(outcome), exit_code(outcome)) == (cause, 1)


def test_a_pass_says_what_was_looked_at(tmp_path: Path) -> None:
    outcome = examined(tmp_path, mutations.healthy_before(""))
    (finding,) = [found for one in outcome.results if one.check.name == "worker-start" for found in one.findings]
    assert finding.status is Status.PASS and finding.message == "300 lines, 0 attempts, no error outside jobs."


def test_a_file_that_no_worker_wrote_is_not_passed(tmp_path: Path) -> None:
    outcome = examined(tmp_path, "Dear all,\nthe meeting is at ten.\n" * 20)
    (finding,) = [found for one in outcome.results if one.check.name == "worker-start" for found in one.findings]
    assert finding.status is Status.UNKNOWN and "None of the 40 lines" in finding.message
    assert exit_code(outcome) == 3
