"""Findings that somebody has decided to live with, each with a reason and, if wanted, a last day."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from ot_doctor.check import Cause, Check, Family, Finding, Result, Status, Step, passed, skipped, warned
from ot_doctor.core.printable import printable

_KEYS = ("check", "cause", "subject", "reason", "until")
_CAN_BE_SUPPRESSED = (Status.FAIL, Status.WARN, Status.UNKNOWN)

CHECK = Check(
    "suppressions",
    "Every suppression is in force and needed",
    Family.HOST,
    lambda: (),
    "A suppression in .ot-doctor.toml or [tool.ot-doctor] takes findings out of the count. One whose last day is over no longer "
    "does, and one that matches nothing hides what nobody expects: both are warnings here. This is found out by comparing the "
    "suppressions with the findings of the same run; one whose check could not look at everything is not judged.",
)


@dataclass(frozen=True)
class Suppression:
    """One ``[[suppress]]`` table."""

    check: str  # empty: every check
    reason: str
    subject: str | None = None  # the finding's subject or a pattern with * ? [ ]; None: whatever it is about
    until: date | None = None  # the last day on which it holds
    where: str = ""  # "/srv/ot/.ot-doctor.toml, suppress 2"
    cause: Cause | None = None  # only findings that name it; None: whatever they name

    def is_about(self, check: Check) -> bool:
        """Whether the check can have a finding that it matches."""
        return self.check in ("", check.name) and (self.cause is None or self.cause in check.causes)

    def matches(self, check: Check, finding: Finding) -> bool:
        """Whether it is about this finding of the check."""
        if finding.status not in _CAN_BE_SUPPRESSED or self.check not in ("", check.name):
            return False
        if self.cause is not None and finding.cause is not self.cause:
            return False
        subject = finding.subject or ""
        return self.subject is None or subject == self.subject or fnmatchcase(subject, self.subject)

    def __str__(self) -> str:
        named = " ".join(name for name in (self.check, self.cause and self.cause.value) if name)
        return f"{named} ({self.subject})" if self.subject else named


def read(tables: object, file: str) -> tuple[Suppression, ...]:
    """The suppressions of a file's ``suppress`` key. Raises ``ValueError`` with a sentence for what is wrong."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{file}: suppress must be written as [[suppress]] tables.")
    return tuple(_read_one(table, f"{file}, suppress {number}") for number, table in enumerate(tables, 1))


def _read_one(table: Mapping[str, Any], where: str) -> Suppression:
    for key in table:
        if key not in _KEYS:
            close = get_close_matches(key, _KEYS, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"It may have {', '.join(_KEYS)}."
            raise ValueError(f"{where}: there is no key '{key}'. {hint}")
    if "reason" not in table or not ("check" in table or "cause" in table):
        key = "check or cause" if "reason" in table else "reason"
        raise ValueError(f"{where}: {key} is missing; each suppression names a check, a cause or both, and gives a reason.")
    for key in ("check", "cause", "subject", "reason"):
        if key in table and not (isinstance(table[key], str) and table[key].strip()):
            raise ValueError(f"{where}: {key} must be a text that is not empty.")
    until = table.get("until")
    if until is not None and (not isinstance(until, date) or isinstance(until, datetime)):
        raise ValueError(f"{where}: until must be a date without quotes, such as until = 2026-12-31.")
    subject = table.get("subject")
    if subject and subject.startswith("~/"):  # reports show the home folder like that
        subject = os.path.expanduser(subject)
    reason = " ".join(printable(table["reason"]).split())
    return Suppression(table.get("check", ""), reason, subject, until, where, _cause(table.get("cause"), where))


def _cause(name: str | None, where: str) -> Cause | None:
    known = {cause.value: cause for cause in Cause}
    if name is None or name in known:
        return known.get(name or "")
    close = get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else "'ot-doctor list --causes' shows the causes."
    raise ValueError(f"{where}: There is no cause '{printable(name)}'. {hint}")


def apply(results: Iterable[Result], suppressions: Iterable[Suppression], today: date) -> tuple[Result, ...]:
    """The results with suppressed findings as skips, and one result more that judges the suppressions themselves.

    Without suppressions the results are what they were. It belongs before the diagnosis, which then knows no suppressed
    failure. ``today`` is the user's date.
    """
    results, suppressions = tuple(results), tuple(suppressions)
    if not suppressions:
        return results
    in_force = [s for s in suppressions if not _over(s, today)]
    changed = tuple(
        replace(result, findings=tuple(_suppressed(result.check, finding, in_force) for finding in result.findings))
        for result in results
    )
    judged = tuple(_judge(suppression, results, today) for suppression in suppressions)
    return (*changed, Result(CHECK, judged, 0.0))


def _over(suppression: Suppression, today: date) -> bool:
    return suppression.until is not None and suppression.until < today


def _suppressed(check: Check, finding: Finding, suppressions: Iterable[Suppression]) -> Finding:
    suppression = next((s for s in suppressions if s.matches(check, finding)), None)
    if suppression is None:
        return finding
    until = f" until {suppression.until}" if suppression.until else ""
    was = ", ".join(_words(finding))
    return skipped(
        f"suppressed{until}: {suppression.reason} (was: {was}: {finding.message})",
        subject=finding.subject,
        evidence=finding.evidence,
    )


def _words(finding: Finding) -> Iterator[str]:
    yield finding.status.value
    if finding.cause:
        yield finding.cause.value


def _judge(suppression: Suppression, results: Iterable[Result], today: date) -> Finding:
    named, where = f"the suppression of {suppression}", suppression.where
    subject = suppression.check or (suppression.cause.value if suppression.cause else None)
    results = tuple(results)
    matched = sum(suppression.matches(result.check, finding) for result in results for finding in result.findings)
    found = [finding for result in results if suppression.is_about(result.check) for finding in result.findings]
    if _over(suppression, today):
        counts = "; what it was about counts again" if matched else ""
        steps = [Step(f"Delete it ({where}), or give it a later date.")]
        return warned(f"{named} ended on {suppression.until}{counts}", subject=subject, remedy=steps)
    if matched:
        what = "1 finding" if matched == 1 else f"{matched} findings"
        return passed(f"{named} took {what} out of the count: {suppression.reason}", subject=subject)
    if not found:
        return skipped(f"{named} was not needed, because its check was not run", subject=subject)
    if any(finding.status in (Status.SKIP, Status.UNKNOWN) for finding in found):
        return skipped(f"{named} was not needed, but its check could not look at everything", subject=subject)
    steps = [Step(f"Delete it ({where}), so that it does not hide a new finding one day.")]
    return warned(f"{named} matches nothing any more", subject=subject, remedy=steps)
