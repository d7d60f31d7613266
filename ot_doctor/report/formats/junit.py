"""The ``junit`` format: a suite for each family, a test case for each check.

Attributes and elements are those that Jenkins' schema knows and that GitLab reads: the telling text stands in the elements.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from xml.etree import ElementTree

from ot_doctor.check import Finding, Result, Status
from ot_doctor.report import summary
from ot_doctor.report.advice import of_cause
from ot_doctor.report.model import Report, UsageError, counts_as
from ot_doctor.report.plain import details, one_line, writable
from ot_doctor.report.summary import follows_from, is_one_of, leads, roots_of

_TOOL = "ot-doctor"
_NOT_OF_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Case = ElementTree.Element


def render(report: Report) -> str:
    """The whole document. A warning is a failure where warnings lead to exit code 1; what is unknown is an error.

    One fault is one failure: what only follows from a root cause, or tells of it once more, is skipped.
    """
    families: dict[str, list[_Case]] = {}
    for result in report.results:
        families.setdefault(result.check.family.value, []).append(_case(result, report))
    suites = [_suite(name, cases, report.started_at) for name, cases in families.items()]
    if report.notices:
        notices = _outcome("error", "notice", report.notices[0], "\n".join(report.notices))
        suites.append(_suite(_TOOL, [_new_case(_TOOL, "plug-ins", 0.0, notices)], report.started_at))
    return _document(suites, report.duration)


def render_error(error: UsageError) -> str:
    """The document for exit codes 2 and 4: one case, with an error."""
    case = _new_case(_TOOL, error.kind, 0.0, _outcome("error", error.kind, error.message, error.message))
    return _document([_suite(_TOOL, [case], error.started_at)], 0.0)


def _case(result: Result, report: Report) -> _Case:
    status, worst = counts_as(result), result.status
    telling = [finding for finding in result.findings if finding.status is worst]
    more = f" (and {len(telling) - 1} more)" if len(telling) > 1 else ""
    message = f"{telling[0].message}{more}"
    kind = telling[0].cause.value if telling[0].cause else status.value
    bad = [f for f in result.findings if f.status in (Status.FAIL, Status.WARN, Status.UNKNOWN)]
    text = "\n\n".join(_details(finding, result, report) for finding in bad)
    child: ElementTree.Element | None = None
    roots = roots_of(result, report) if status is Status.FAIL else []
    if roots and not any(leads(result, root) for root in roots):
        said = f"This follows from {', '.join(dict.fromkeys(f'{r.cause.value} (see {r.explains[0]})' for r in roots))}."
        child = _outcome("skipped", roots[0].cause.value, said, f"{said}\n{text}")
    elif status is Status.FAIL or (status is Status.WARN and report.fail_on == "warn"):
        child = _outcome("failure", kind, message, text)
    elif status is Status.UNKNOWN:
        child = _outcome("error", kind, message, text)
    elif status is Status.SKIP:
        child = _outcome("skipped", kind, message, telling[0].message)
    elif status is Status.WARN:
        child = _element("system-out", f"Warning: {text}")
    return _new_case(f"{_TOOL}.{result.check.family.value}", result.check.name, result.duration, child)


def _details(finding: Finding, result: Result, report: Report) -> str:
    """The finding; where it is a root cause, with the steps that the plan has for it."""
    root = follows_from(result, finding, report)
    same = [n for n, one in enumerate(report.diagnosis) if finding.status is Status.FAIL and is_one_of(finding, [one])]
    if not same:
        return details(finding, root)
    if not leads(result, report.diagnosis[same[0]]):
        return details(finding, report.diagnosis[same[0]])
    return details(finding, steps=of_cause(summary.steps(report), same[0]))


def _new_case(classname: str, name: str, seconds: float, child: ElementTree.Element | None) -> _Case:
    case = _element("testcase", None, classname=classname, name=name, time=_seconds(seconds))
    if child is not None:
        case.append(child)
    return case


def _outcome(tag: str, kind: str, message: str, text: str) -> ElementTree.Element:
    return _element(tag, text, type=kind, message=one_line(message))


def _suite(name: str, cases: list[_Case], started_at: datetime) -> ElementTree.Element:
    suite = _element(
        "testsuite",
        None,
        name=name,
        tests=str(len(cases)),
        failures=_number(cases, "failure"),
        errors=_number(cases, "error"),
        skipped=_number(cases, "skipped"),
        time=_seconds(sum(float(case.get("time", 0)) for case in cases)),
        timestamp=started_at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"),
    )
    suite.extend(cases)
    return suite


def _number(cases: list[_Case], tag: str) -> str:
    return str(sum(case.find(tag) is not None for case in cases))


def _document(suites: list[ElementTree.Element], duration: float) -> str:
    totals = {key: str(sum(int(suite.get(key, 0)) for suite in suites)) for key in ("tests", "failures", "errors")}
    root = _element("testsuites", None, name=_TOOL, time=_seconds(duration), **totals)
    root.extend(suites)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _element(tag: str, text: str | None, **attributes: str) -> ElementTree.Element:
    element = ElementTree.Element(tag, {name: _xml(value) for name, value in attributes.items()})
    element.text = None if text is None else _xml(text)
    return element


def _xml(text: str) -> str:
    """``text`` with nothing that XML 1.0 forbids, escaped or not."""
    return _NOT_OF_XML.sub("\ufffd", writable(text))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
