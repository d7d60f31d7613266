"""The ``json`` format: schema ``ot-doctor/report/1``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from ot_doctor import __version__
from ot_doctor.check import Finding, Result, Seen, Status, Step
from ot_doctor.core.receipt import KINDS
from ot_doctor.diagnosis.fixable import offer
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relations
from ot_doctor.evidence import Attempt
from ot_doctor.report import summary
from ot_doctor.report.model import Report, UsageError, counts_as, exit_code
from ot_doctor.report.summary import attempts

SCHEMA = "ot-doctor/report/1"
_TOOL = {"name": "ot-doctor", "version": __version__}


def render(report: Report) -> str:
    """One valid document with all keys of the schema."""
    return _dump(_document(report))


def compact(report: Report) -> str:
    """The same texts in one line, which the library writes ten times as fast: to be searched, not to be shown."""
    return json.dumps(_document(report), ensure_ascii=False)


def _document(report: Report) -> dict[str, Any]:
    deployment = report.deployment
    relations, offered = Relations(report), offer(report.diagnosis)
    return {
        "schema": SCHEMA,
        "tool": _TOOL,
        "started_at": _time(report.started_at),
        "duration_ms": round(report.duration * 1000),
        "error": None,
        "error_kind": None,
        "deployment": {
            "dir": str(deployment.directory) if deployment else None,
            "project": deployment.project if deployment else None,
            "version": deployment.version if deployment else None,
            "line": deployment.line.value if deployment else None,
            "workers": [worker.name for worker in report.workers.diarizers] if report.workers else [],
        },
        "hub": report.hub.endpoint if report.hub else None,
        "preflight": {"for": report.upcoming.name, "line": report.upcoming.line.value} if report.upcoming else None,
        "exit_code": exit_code(report),
        "summary": {status.value: count for status, count in report.summary.items()},
        "attempts": [_attempt(attempt) for attempt in attempts(report)],
        "diagnosis": [_root_cause(root, report) for root in report.diagnosis],
        "fix": {"fixable": offered.fixable, "would": offered.would} if offered.fixable else None,
        "checks": [_check(result, relations) for result in report.results],
        "notices": list(report.notices),
        "recorded_at": _time(report.recorded_at),
        "accessed": {kind: [{"what": what, "times": n} for what, n in report.accessed.get(kind, ())] for kind in KINDS},
        "hidden": [{"name": item.name, "count": item.count} for item in report.hidden],
    }


def render_error(error: UsageError) -> str:
    """The document for exit codes 2 and 4: the same keys, and what was wrong in ``error``."""
    return _dump(
        {
            "schema": SCHEMA,
            "tool": _TOOL,
            "started_at": _time(error.started_at),
            "duration_ms": 0,
            "error": error.message,
            "error_kind": error.kind,
            "deployment": {"dir": None, "project": None, "version": None, "line": None, "workers": []},
            "hub": None,
            "preflight": None,
            "exit_code": error.exit_code,
            "summary": {status.value: 0 for status in (Status.PASS, Status.WARN, Status.FAIL, Status.SKIP, Status.UNKNOWN)},
            "attempts": [],
            "diagnosis": [],
            "fix": None,
            "checks": [],
            "notices": [],
            "recorded_at": None,
            "accessed": {kind: [] for kind in KINDS},
            "hidden": [],
        }
    )


def _dump(document: dict[str, Any]) -> str:
    # Lone surrogates (file names that are no UTF-8) would make the document unreadable elsewhere.
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "worker": attempt.worker,
        "task": attempt.task or None,
        "started_at": _time(attempt.started_at),
        "ended_at": _time(attempt.ended_at),
        "outcome": attempt.outcome.value,
        "cause": attempt.cause,
        "lines": list(attempt.lines),
    }


def _root_cause(root: RootCause, report: Report) -> dict[str, Any]:

    return {
        "cause": root.cause.value,
        "title": summary.heading(root, report),
        "message": root.message,
        "confidence": root.confidence.value,
        "subject": root.subject,
        "evidence": _evidence(root.evidence),
        "explains": list(root.explains),
        "remedy": _remedy(root.remedy),
    }


def _check(result: Result, relations: Relations) -> dict[str, Any]:
    return {
        "name": result.check.name,
        "family": result.check.family.value,
        "title": result.check.title,
        "status": counts_as(result).value,
        "duration_ms": round(result.duration * 1000),
        "findings": [_finding(finding, relations) for finding in result.findings],
    }


def _finding(finding: Finding, relations: Relations) -> dict[str, Any]:
    relation = relations.of(finding)
    return {
        "status": finding.status.value,
        "cause": finding.cause.value if finding.cause else None,
        "subject": finding.subject,
        "message": finding.message,
        "expected": finding.expected,
        "evidence": _evidence(finding.evidence),
        "remedy": _remedy(finding.remedy),
        "relation": relation.value if relation else None,
    }


def _evidence(seen: Iterable[Seen]) -> list[dict[str, str]]:
    return [{"source": item.source, "where": item.where, "text": item.text} for item in seen]


def _remedy(steps: Iterable[Step]) -> dict[str, Any]:
    return {"steps": [{"text": s.text, "command": s.command, "url": s.url, "risk": s.risk.value} for s in steps]}
