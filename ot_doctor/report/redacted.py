"""The report as it may leave."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar, cast

from ot_doctor.check import Check, Finding, Result, Step
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.redaction.masking import holds_secret, redact
from ot_doctor.redaction.redactor import Redactor
from ot_doctor.report.model import Report

T = TypeVar("T")
P = TypeVar("P", Finding, RootCause)
_COUNTED = ("results", "diagnosis", "notices", "deployment", "hub")  # what formats show
_FUNCTIONS = ("facts", "hidden_in")


def redacted(report: Report, redactor: Redactor) -> Report:
    """The report with every text in it redacted, and with the summary of what was hidden."""
    redactor.learn((report.deployment, report.workers, report.hub))
    values = {field.name: getattr(report, field.name) for field in fields(report) if field.name not in _FUNCTIONS}
    values["results"] = tuple(map(_result, report.results))
    values["diagnosis"] = tuple(map(_with_safe_commands, report.diagnosis))
    changes = {name: redactor.value(value, counted=name in _COUNTED) for name, value in values.items()}
    changes |= {"hidden": redactor.summary(), "hidden_in": redactor.hidden_in}
    facts = report.facts
    return replace(report, **changes, facts=(lambda: redactor.value(facts(), counted=False)) if facts else None)


def redacted_again(value: T) -> T:
    """What was redacted before, without what was registered since: a report, other evidence, or a tuple of both."""
    again: Any
    if isinstance(value, Report):
        again = replace(redacted(value, Redactor()), hidden=value.hidden, hidden_in=value.hidden_in)
    elif isinstance(value, tuple):
        again = tuple(map(redacted_again, value))
    else:
        again = Redactor().value(value)
    return cast(T, again)


def _result(result: Result) -> Result:
    check, findings = _check(result.check), tuple(map(_with_safe_commands, result.findings))
    unchanged = check is result.check and findings == result.findings
    return result if unchanged else replace(result, check=check, findings=findings)


def _check(check: Check) -> Check:
    """The same object where its title may be shown: others know it by that."""
    return replace(check, title=redact(check.title)) if holds_secret(check.title) else check


def _with_safe_commands(problem: P) -> P:
    remedy = tuple(map(_step, problem.remedy))
    return problem if remedy == problem.remedy else replace(problem, remedy=remedy)


def _step(step: Step) -> Step:
    """A command with a mask in it would do something else than what it says."""
    if not step.command or not holds_secret(step.command):
        return step
    return replace(step, text=f"{step.text} (Its command is left out: it would show a secret.)", command=None)
