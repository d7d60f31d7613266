"""Bounds on what one check reports: a plug-in that never stops must not fill the memory or the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from ot_doctor.check import Finding, Seen, Step, unknown
from ot_doctor.core.printable import clipped

FINDINGS = 1000  # of one check
CHARACTERS = 2_000_000  # of all texts of one check
_TEXT = 50_000  # characters of one text
_PIECES = 100  # of evidence or of a remedy, in one finding


def bounded(findings: Iterable[Finding], name: str) -> list[Finding]:
    """The findings, each cut to what a report can show; where some are left out, the last one says so.

    Raises ``TypeError`` for what is not a ``Finding``.
    """
    kept: list[Finding] = []
    size = 0
    for finding in findings:
        if not isinstance(finding, Finding):
            raise TypeError("it returned something that is not a Finding")
        if len(kept) == FINDINGS or size > CHARACTERS:
            kept.append(_more_than(f"{len(kept)} findings", name))
            break
        cut = _cut(finding)
        size += _size(cut)
        kept.append(cut)
    return kept


def _more_than(what: str, name: str) -> Finding:
    step = Step(f"Report this to the author of the check, or leave it out with --ignore {name}.")
    return unknown(f"The check {name} reports more than {what}: the rest is left out.", remedy=[step])


def _cut(finding: Finding) -> Finding:
    evidence = tuple(Seen(_text(s.source), _text(s.where), _text(s.text), s.location) for s in islice(finding.evidence, _PIECES))
    left_out = len(finding.evidence) - len(evidence)
    if left_out:
        evidence += (Seen("ot-doctor", "", f"{left_out} more pieces of evidence are left out"),)
    remedy = tuple(s if len(s.text) <= _TEXT else replace(s, text=_text(s.text)) for s in islice(finding.remedy, _PIECES))
    return replace(
        finding, message=_text(finding.message), evidence=evidence, remedy=remedy,
        subject=_text(finding.subject) if finding.subject else finding.subject,
        expected=_text(finding.expected) if finding.expected else finding.expected,
    )  # fmt: skip


def _text(text: str) -> str:
    return clipped(text, _TEXT)


def _size(finding: Finding) -> int:
    texts = [finding.message, finding.subject or "", finding.expected or ""]
    texts += [part for seen in finding.evidence for part in (seen.source, seen.where, seen.text)]
    texts += [part for step in finding.remedy for part in (step.text, step.command or "", step.url or "")]
    return sum(map(len, texts))
