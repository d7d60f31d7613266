"""Plain text for every format: one line, shortened, writable; and a finding or a root cause as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ot_doctor.check import Finding, Step
from ot_doctor.core.receipt import KINDS
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.report.advice import Planned, risk
from ot_doctor.report.model import Report


def one_line(text: str) -> str:
    """``text`` without line ends, tabs and runs of spaces."""
    return " ".join(text.split())


def shortened(text: str, longest: int) -> str:
    """At most ``longest`` characters of the text; an ellipsis says that there was more."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def writable(text: str) -> str:
    """The text without lone surrogates (of a file name that is no UTF-8): no file could take them."""
    return text.encode("utf-8", "backslashreplace").decode()


def accessed(report: Report) -> str:
    """What the run touched, in a sentence; empty where that is not known."""
    calls, files, hosts, commands = (report.accessed.get(kind, ()) for kind in KINDS)
    said = []
    if calls:
        said.append(f"{sum(n for _, n in calls)} calls of the engine ({', '.join(what for what, _ in calls)})")
    if files:
        said.append(f"{len(files)} files were read ({', '.join(what for what, _ in files)})")
    said += [f"{n} requests to {host}" for host, n in hosts]
    said += [f"{n} times {what}" for what, n in commands]
    return f"Accessed: {'; '.join(said)}." if said else ""


def details(
    problem: Finding | RootCause,
    follows_from: RootCause | None = None,
    *,
    said: str = "",
    steps: Sequence[Planned] = (),
    pieces: int = 50,
    characters: int = 2000,
) -> str:
    """A finding or a root cause as plain text: the message, what else is ``said`` of it, what was expected and seen, the remedy.

    Where it follows from a root cause, that is named instead of its own remedy, which would mislead; ``steps`` are shown in place
    of it, with their numbers in the plan that they are part of. At most ``pieces`` of
    evidence are shown, each with at most so many ``characters``.
    """
    lines = [problem.message, said] if said else [problem.message]
    if isinstance(problem, Finding) and problem.expected:
        lines.append(f"Expected: {problem.expected}")
    lines += [f"Seen in {seen.where}: {shortened(seen.text, characters)}" for seen in problem.evidence[:pieces]]
    if len(problem.evidence) > pieces:
        lines.append(f"and {len(problem.evidence) - pieces} more")
    if follows_from:
        lines.append(f"This follows from {follows_from.cause.value}: {follows_from.message}")
    elif steps or problem.remedy:
        numbered = [(planned.number, planned.step) for planned in steps] or enumerate(problem.remedy, 1)
        lines += ["How to fix it:", *_steps(numbered)]
    return "\n".join(lines)


def _steps(steps: Iterable[tuple[int, Step]]) -> Iterator[str]:
    """Numbered steps, each command and link on a line of its own."""
    for number, step in steps:
        yield f"{number}. {step.text}{f' ({risk(step)})' if risk(step) else ''}"
        yield from (f"   {more}" for more in (step.command, step.url) if more)
