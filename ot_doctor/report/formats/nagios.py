"""The ``nagios`` format: one line with performance data, and the exit codes that monitoring plug-ins have."""

from __future__ import annotations

from ot_doctor.check import Status
from ot_doctor.core.printable import printable
from ot_doctor.report.model import Report, UsageError
from ot_doctor.report.model import exit_code as usual_exit_code
from ot_doctor.report.plain import one_line, writable
from ot_doctor.report.summary import verdict

_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")  # by exit code
_LONGEST = 1000  # bytes: an NRPE packet of version 2 holds 1024
_NAMED = 3  # causes or checks that are named beside the first


def exit_code(report: Report) -> int:
    """0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN: what is exit code 1 elsewhere is CRITICAL here, and 3 stays 3."""
    usual = usual_exit_code(report)
    warned = report.fail_on != "never" and report.summary[Status.WARN]
    return {0: 1 if warned else 0, 1: 2}.get(usual, 3)


def render(report: Report) -> str:
    """The whole line, at most 1000 bytes and a line end."""
    counts = " ".join(f"{status.value}={count}" for status, count in report.summary.items())
    return _line(exit_code(report), _message(report), f"{counts} time={report.duration:.3f}s")


def render_error(error: UsageError) -> str:
    """The line for a run that could not begin: UNKNOWN. Its exit code is 3."""
    return _line(3, error.message)


def _message(report: Report) -> str:
    if report.diagnosis:
        first, *others = report.diagnosis
        return f"{first.cause.value}: {first.message}{_and([root.cause.value for root in others])}"
    for status in (Status.FAIL, Status.UNKNOWN, Status.WARN):
        found = [(r.check.name, f) for r in report.results for f in r.findings if f.status is status]
        if found:
            name, first_finding = found[0]
            return f"{name}: {first_finding.message}{_and(list(dict.fromkeys(n for n, _ in found if n != name)))}"
    return report.notices[0] if report.notices else verdict(report).line


def _and(others: list[str]) -> str:
    if not others:
        return ""
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f" (also: {', '.join(others[:_NAMED])}{more})"


def _line(code: int, message: str, performance: str = "") -> str:
    """One line; what would begin the performance data or another line inside the message does not."""
    head, tail = f"OT_DOCTOR {_STATES[code]} - ", f" | {performance}" if performance else ""
    said = writable(one_line(printable(message)).replace("|", "/")).encode()
    room = _LONGEST - len(head) - len(tail)
    if len(said) > room:
        said = said[: room - 3].decode("utf-8", "ignore").encode() + b"..."
    return f"{head}{said.decode()}{tail}\n"
