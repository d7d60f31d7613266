"""Findings that somebody has decided to live with, each with a reason and, if wanted, a last day."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from ot_doctor.check import Check, Family, Finding, Result, Status, Step, passed, skipped, warned
from ot_doctor.core.printable import printable

_KEYS = ("check", "subject", "reason", "until")
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

    check: str
    reason: str
    subject: str | None = None  # the finding's subject or a pattern with * ? [ ]; None: whatever it is about
    until: date | None = None  # the last day on which it holds
    where: str = ""  # "/srv/ot/.ot-doctor.toml, suppress 2"

    def matches(self, finding: Finding) -> bool:
        """Whether it is about this finding of its check."""
        if finding.status not in _CAN_BE_SUPPRESSED:
            return False
        subject = finding.subject or ""
        return self.subject is None or subject == self.subject or fnmatchcase(subject, self.subject)

    def __str__(self) -> str:
        return f"{self.check} ({self.subject})" if self.subject else self.check


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
    for key in ("check", "reason"):
        if key not in table:
            raise ValueError(f"{where}: {key} is missing; each suppression names its check and gives a reason.")
    for key in ("check", "subject", "reason"):
        if key in table and not (isinstance(table[key], str) and table[key].strip()):
            raise ValueError(f"{where}: {key} must be a text that is not empty.")
    until = table.get("until")
    if until is not None and (not isinstance(until, date) or isinstance(until, datetime)):
        raise ValueError(f"{where}: until must be a date without quotes, such as until = 2026-12-31.")
    subject = table.get("subject")
    if subject and subject.startswith("~/"):  # reports show the home folder like that
        subject = os.path.expanduser(subject)
    return Suppression(table["check"], " ".join(printable(table["reason"]).split()), subject, until, where)


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
        replace(r, findings=tuple(_suppressed(f, [s for s in in_force if s.check == r.check.name]) for f in r.findings))
        for r in results
    )
    judged = tuple(_judge(suppression, results, today) for suppression in suppressions)
    return (*changed, Result(CHECK, judged, 0.0))


def _over(suppression: Suppression, today: date) -> bool:
    return suppression.until is not None and suppression.until < today


def _suppressed(finding: Finding, suppressions: Iterable[Suppression]) -> Finding:
    suppression = next((s for s in suppressions if s.matches(finding)), None)
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
    found = next((r.findings for r in results if r.check.name == suppression.check), ())
    matched = sum(suppression.matches(finding) for finding in found)
    if _over(suppression, today):
        counts = "; what it was about counts again" if matched else ""
        steps = [Step(f"Delete it ({where}), or give it a later date.")]
        return warned(f"{named} ended on {suppression.until}{counts}", subject=suppression.check, remedy=steps)
    if matched:
        what = "1 finding" if matched == 1 else f"{matched} findings"
        return passed(f"{named} took {what} out of the count: {suppression.reason}", subject=suppression.check)
    if not found:
        return skipped(f"{named} was not needed, because its check was not run", subject=suppression.check)
    if any(finding.status in (Status.SKIP, Status.UNKNOWN) for finding in found):
        return skipped(f"{named} was not needed, but its check could not look at everything", subject=suppression.check)
    steps = [Step(f"Delete it ({where}), so that it does not hide a new finding one day.")]
    return warned(f"{named} matches nothing any more", subject=suppression.check, remedy=steps)
