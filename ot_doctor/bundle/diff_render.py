"""The changes as text for people, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from ot_doctor.bundle.codec import dump, encode
from ot_doctor.bundle.diff import CauseChange, Changes, CheckChange, ComparedReport, NewAttempt, ValueChange

SCHEMA = "ot-doctor/diff/1"
_WIDTH = 80


def render_json(changes: Changes) -> str:
    """One JSON document of the schema ``ot-doctor/diff/1``, with all keys."""
    return dump({"schema": SCHEMA, "exit_code": changes.exit_code, **encode(changes)}).decode()


def render_text(changes: Changes) -> str:
    """The text, ending with a line end."""
    return "\n".join(_lines(changes)) + "\n"


def _lines(changes: Changes) -> Iterator[str]:
    yield from _wrap(f"A  {_source(changes.a)}", 0, 3)
    yield from _wrap(f"B  {_source(changes.b)}", 0, 3)
    for note in changes.notes:
        yield from _wrap(f"!  {note}", 0, 3)
    yield ""
    yield from _part("Causes that are gone", (_cause(cause) for cause in changes.causes_gone))
    yield from _part("Causes that are new", (_cause(cause) for cause in changes.causes_new))
    if not changes.nothing:
        yield from _part("Causes that are still there", (_cause(cause) for cause in changes.causes_left))
    yield from _part("Checks", (line for check in changes.checks for line in _check(check)))
    yield from _part("Settings", (_value(value) for value in changes.settings))
    yield from _part("Versions and places", (_value(value) for value in changes.versions))
    yield from _part("Attempts that are new in B", (_attempt(attempt) for attempt in changes.attempts))
    if changes.secrets_not_compared:
        names = ", ".join(changes.secrets_not_compared)
        yield from _wrap(f"Whether the value changed cannot be told, only that it looks alike: {names}.", 0, 2)
        yield ""
    yield from _wrap(_verdict(changes), 0, 2)


def _verdict(changes: Changes) -> str:
    if changes.fails_now:
        return f"Something fails in B that did not in A: {', '.join(changes.fails_now)}."
    if changes.not_checked_now:
        return f"Nothing fails that did not before, but B could not check: {', '.join(changes.not_checked_now)}."
    return "Nothing changed." if changes.nothing else "Nothing got worse."


def _source(source: ComparedReport) -> str:
    return f"{source.file}: {source.at:%Y-%m-%d %H:%M:%S} UTC, {source.kind}, ot-doctor {source.version}"


def _cause(cause: CauseChange) -> str:
    about = f", {cause.subject}" if cause.subject else ""
    return f"{cause.title or cause.cause} ({cause.cause}{about})"


def _check(check: CheckChange) -> Iterator[str]:
    before, after = (status.value if status else "not run" for status in (check.before, check.after))
    yield f"{check.name}: {before} → {after}"
    for label, message in (("A", check.message_before), ("B", check.message_after)):
        if message:
            yield f"  {label}: {message}"


def _value(change: ValueChange) -> str:
    before, after = (value if value is not None else "(not there)" for value in (change.before, change.after))
    return f"{f'{change.where}: ' if change.where else ''}{change.name}: {before} → {after}"


def _attempt(attempt: NewAttempt) -> str:
    at = f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC" if attempt.started_at else "at an unknown time"
    task = f", task {attempt.task}" if attempt.task else ""
    return f"{at} {attempt.worker}{task}: {attempt.outcome}{f', {attempt.cause}' if attempt.cause else ''}"


def _part(title: str, rows: Iterable[str]) -> Iterator[str]:
    lines = [line for row in rows for line in _wrap(row, 2 + len(row) - len(row.lstrip()), 6 + len(row) - len(row.lstrip()))]
    if lines:
        yield title
        yield from lines
        yield ""


def _wrap(text: str, indent: int, hanging: int) -> list[str]:
    return textwrap.wrap(
        text.strip(), _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * hanging,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
