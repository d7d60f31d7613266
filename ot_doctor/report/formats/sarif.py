"""The ``sarif`` format, version 2.1.0: root causes, and warnings that have a file, are results; what has none is a notification.

A fault is one result, with its cause as the rule; what follows from it is no result of its own. A cause that was seen in no file,
such as a model's terms that are not accepted, is put to the ``.env`` of the installation.

GitHub's code scanning refuses a whole file for one result without a physical location, and SARIF takes a run for failed where a
notification is an error: so what has no file is told as a warning of the run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from ot_doctor import __version__
from ot_doctor.check import Cause, Check, Finding, Status
from ot_doctor.diagnosis.causes import explanation, title
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relation, Relations
from ot_doctor.report import summary
from ot_doctor.report.advice import of_cause
from ot_doctor.report.file_locations import Place, installation, place_of, places, workspace
from ot_doctor.report.model import Report, UsageError, exit_code
from ot_doctor.report.plain import details, one_line, shortened
from ot_doctor.report.summary import follows_from, roots_of

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"  # the name that code scanning's own tools give to the folder that paths are relative to
_LEVELS = {Status.FAIL: "error", Status.WARN: "warning"}
_LONGEST_DESCRIPTION = 1024  # characters: code scanning takes no more
_SAYS = {
    0: "nothing failed", 1: "something failed", 2: "the run could not begin", 3: "not everything could be checked",
    4: "ot-doctor itself failed",
}  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")
_Object = dict[str, Any]


def render(report: Report) -> str:
    """The whole document. Its paths are relative to the checked-out workspace of a CI job, else to the installation."""
    relations, folders = Relations(report), (*workspace(), *installation(report))
    results: list[_Object] = []
    elsewhere: list[_Object] = []
    checks = [result.check.name for result in report.results]
    causes = list(dict.fromkeys(root.cause for root in report.diagnosis if root.cause.value not in checks))
    names = [*checks, *(cause.value for cause in causes)]
    steps = summary.steps(report)
    for number, root in enumerate(report.diagnosis):
        where = place_of(root, report, folders)
        text = details(root, steps=of_cause(steps, number))
        rule = names.index(root.cause.value)
        if where:
            results.append(_result(root.cause.value, rule, "error", root, relations.of_root(root), where, text))
        else:
            elsewhere.append(_notification(root.cause.value, rule, Status.FAIL, root.cause, text))
    for rule, result in enumerate(report.results):
        for finding in result.findings:
            if finding.status is Status.FAIL and roots_of(result, report):
                continue
            where = places(finding, folders)
            text = details(finding, follows_from(result, finding, report))
            if finding.status in _LEVELS and where:
                level = _LEVELS[finding.status]
                results.append(_result(result.check.name, rule, level, finding, relations.of(finding), where, text))
            elif finding.status in (*_LEVELS, Status.UNKNOWN):
                elsewhere.append(_notification(result.check.name, rule, finding.status, finding.cause, text))
    _make_unique(results)
    invocation = {
        **_invocation(exit_code(report), report.started_at, report.duration),
        "toolExecutionNotifications": elsewhere,
        "toolConfigurationNotifications": [{"level": "warning", "message": _message(notice)} for notice in report.notices],
    }
    rules = [*(_rule(result.check) for result in report.results), *map(_cause_rule, causes)]
    return _document(rules, invocation, results)


def render_error(error: UsageError) -> str:
    """The document for exit codes 2 and 4: what was wrong, as a notification and as the one result.

    Without a result, code scanning would close its alerts as fixed; one without a file makes it leave them as they are.
    """
    wrong = {"level": "error", "message": _message(error.message)}
    invocation = {**_invocation(error.exit_code, error.started_at, 0.0), "toolConfigurationNotifications": [wrong]}
    return _document([], invocation, [{"ruleId": error.kind, **wrong}])


def _result(
    name: str, rule: int, level: str, problem: Finding | RootCause, relation: Relation | None, where: list[Place], text: str
) -> _Object:
    cause = problem.cause.value if problem.cause else ""
    identity = "\0".join((name, cause, problem.subject or "", where[0].path))
    return {
        "ruleId": name,
        "ruleIndex": rule,
        "level": level,
        "message": _message(text),
        "locations": [_location(where[0])],
        "relatedLocations": [{"id": number, **_location(place)} for number, place in enumerate(where[1:], 1)],
        # The name that code scanning looks for; the line is left out, so that a finding that moves stays the same one.
        "partialFingerprints": {"primaryLocationLineHash": hashlib.sha256(_bytes(identity)).hexdigest()[:16]},
        "properties": {
            "cause": cause or None,
            "subject": problem.subject,
            "confidence": problem.confidence.value,
            "relation": relation.value if relation else None,
        },
    }


def _make_unique(results: list[_Object]) -> None:
    """Number the results of one fingerprint, as code scanning expects it: each is one alert."""
    seen_before: Counter[str] = Counter()
    for result in results:
        fingerprint = result["partialFingerprints"]["primaryLocationLineHash"]
        seen_before[fingerprint] += 1
        result["partialFingerprints"]["primaryLocationLineHash"] = f"{fingerprint}:{seen_before[fingerprint]}"


def _location(place: Place) -> _Object:
    """The line is always there, for code scanning wants one: 1 where only the file is known."""
    uri = quote(_bytes(place.path), safe="/")
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": _ROOT},
            "region": {"startLine": place.line or 1},
        }
    }


def _notification(name: str, rule: int, status: Status, cause: Cause | None, text: str) -> _Object:
    done = {Status.FAIL: "failed", Status.WARN: "warned", Status.UNKNOWN: "could not be run"}[status]
    return {
        "level": "warning",
        "message": _message(f"{name} {done}: {text}" if cause is None or name != cause.value else f"{name}: {text}"),
        "associatedRule": {"id": name, "index": rule},
        "properties": {"status": status.value, "cause": cause.value if cause else None},
    }


def _cause_rule(cause: Cause) -> _Object:
    text = one_line(explanation(cause))
    return {
        "id": cause.value,
        "shortDescription": _message(title(cause)),
        "fullDescription": _message(shortened(text, _LONGEST_DESCRIPTION)),
        "help": _message(text),
        "properties": {"tags": ["cause"]},
    }


def _rule(check: Check) -> _Object:
    first = check.explanation.strip().partition("\n\n")[0]
    return {
        "id": check.name,
        "shortDescription": _message(shortened(check.title, _LONGEST_DESCRIPTION)),
        "fullDescription": _message(shortened(one_line(first), _LONGEST_DESCRIPTION)),
        "help": _message(check.explanation),
        "properties": {"tags": [check.family.value]},
    }


def _invocation(code: int, started_at: datetime, duration: float) -> _Object:
    return {
        "startTimeUtc": _time(started_at),
        "endTimeUtc": _time(started_at + timedelta(seconds=duration)),
        "exitCode": code,
        "exitCodeDescription": _SAYS[code],
        "executionSuccessful": code not in (2, 4),
    }


def _document(rules: list[_Object], invocation: _Object, results: list[_Object]) -> str:
    run = {
        "tool": {"driver": {"name": "ot-doctor", "version": __version__, "rules": rules}},
        "invocations": [invocation],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The checked-out workspace, or the installation's folder."}}},
        "results": results,
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    # Lone surrogates (file names that are no UTF-8) would make the document unreadable elsewhere.
    return _SURROGATE.sub("\ufffd", json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _message(text: str) -> _Object:
    """A message in which no viewer finds a link that somebody wrote into a log."""
    return {"text": text.replace("](", "] (")}


def _time(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
