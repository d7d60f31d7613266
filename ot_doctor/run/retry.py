"""``--wait DURATION``: runs until one passes, or until the time is over."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ot_doctor.report.model import Report

T = TypeVar("T")
_UNITS = {"h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)
_LONGEST = 7 * 24 * 3600  # seconds
_FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0  # seconds
_SHORTEST_TRY = 5.0  # seconds; with less, a report would only say that nothing answered in time


def seconds_of(text: str) -> float:
    """Seconds of ``5m``, ``90s``, ``1h30m`` or plain seconds. Raises ``ValueError`` with a sentence for anything else."""
    parts = _DURATION.fullmatch(text.strip().lower())
    if not parts or not any(parts.groups()):
        raise ValueError(f"'{text}' is not a duration: use 5m, 90s, 1h or 1h30m.")
    seconds = sum(float(number) * unit for number, unit in zip(parts.groups(), _UNITS.values(), strict=True) if number)
    if seconds > _LONGEST:
        raise ValueError(f"'{text}' is longer than a week.")
    return seconds


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click alone
    """A length of time as an option's value, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def until_passed(run: Callable[[float], T], why_not: Callable[[T], str], wait: float, tell: Callable[[str], None]) -> T:
    """The first run that passes, or the last one that there was time for.

    ``run`` gets the longest time that it may take, in seconds; ``why_not`` is empty for one that passed, and tells else why it
    did not, for ``tell``. ``wait`` is in seconds; 0 is one run that takes its time. What ``run`` raises ends the wait. The last
    run begins when the time is over, so that the whole of it is waited.
    """
    if not wait:
        return run(float("inf"))
    over = time.monotonic() + wait
    pause = _FIRST_PAUSE
    while True:
        result = run(max(over - time.monotonic(), _SHORTEST_TRY))
        reason = why_not(result)
        left = over - time.monotonic()
        if not reason or left <= 0:
            return result
        now = min(pause, left)
        tell(f"Waiting: {reason}. Next try in {now:.3g} s.")
        time.sleep(now)
        pause = min(2 * pause, LONGEST_PAUSE)


def why_not(report: Report) -> str:
    """Which check did not pass, in a few words; empty for a report with exit code 0, and where waiting does not help.

    Only what can change by itself is waited for: a worker that starts, a network that comes back, what could not be checked.
    """
    from ot_doctor.check import Cause, Status
    from ot_doctor.report.model import exit_code

    if exit_code(report) == 0:
        return ""
    passing = {
        Cause.WORKER_DOWN, Cause.BROKER_UNREACHABLE, Cause.NATIVE_UNAVAILABLE, Cause.RATE_LIMITED, Cause.HUB_UNAVAILABLE,
        Cause.NETWORK_DNS, Cause.NETWORK_PROXY, Cause.NETWORK_REFUSED, Cause.NETWORK_TIMEOUT, Cause.NETWORK_TLS,
        Cause.GATED_PENDING,
    }  # fmt: skip
    open_causes: list[Cause | None] = [root.cause for root in report.diagnosis]
    if report.fail_on == "warn":
        findings = (finding for result in report.results for finding in result.findings)
        open_causes += [finding.cause for finding in findings if finding.status is Status.WARN]
    if any(cause not in passing for cause in open_causes):
        return ""
    words = {Status.FAIL: "failed", Status.UNKNOWN: "could not be checked", Status.WARN: "warned"}
    worst = [(result.check.name, words[s]) for s in words for result in report.results if result.status is s]
    if not worst:
        return "not everything could be checked"
    more = f" and {len(worst) - 1} more did not pass" if len(worst) > 1 else ""
    return " ".join(worst[0]) + more
