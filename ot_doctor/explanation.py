"""What ``ot-doctor explain`` shows."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ot_doctor.causes import explanation, title
from ot_doctor.check import Cause
from ot_doctor.discovery import Catalogue, Found
from ot_doctor.evidence.signatures import Signature
from ot_doctor.examination import WrongUsage, no_such

_KINDS = {
    "cause": "it decides what an attempt failed of",
    "generic": "it decides nothing by itself: the lines before it, the chain of errors and the other evidence do",
    "noise": "it is harmless, or merely tells how the work goes on",
    "note": "it tells how the work goes on",
}
_MARKS = {
    "start": "an attempt begins",
    "success": "the attempt succeeded",
    "failure": "the attempt failed",
    "disabled": "diarization is switched off",
    "restart": "the worker was started",
    "retry": "something is tried again",
}
_WIDTH = 100


def explanation_of(name: str, catalogue: Catalogue, signatures: Mapping[str, Signature] | None = None) -> str:
    """The text for a check, a cause, a log signature, or all that share the name. Raises ``WrongUsage`` for any other name."""
    causes = {cause.value: cause for cause in Cause}
    signatures = signatures or {}
    texts = []
    if name in catalogue.checks:
        texts.append(_check(catalogue.checks[name]))
    if name in causes:
        texts.append(_cause(causes[name], catalogue))
    if name in signatures:
        texts.append(_signature(signatures[name]))
    if not texts:
        raise WrongUsage(no_such(name, [*catalogue.checks, *causes, *signatures], "check, cause or signature"))
    return "\n\n\n".join(texts)


def _check(found: Found) -> str:
    check = found.check
    causes = ", ".join(cause.value for cause in check.causes) or "no cause, only notes"
    head = f"{check.name} (a check of the family {check.family.value}): {check.title}"
    return f"{head}\n\n{check.explanation}\n\nIt may report: {causes}\nIt comes from: {found.owner}"


def _cause(cause: Cause, catalogue: Catalogue) -> str:
    checks = ", ".join(f.check.name for f in catalogue.checks.values() if cause in f.check.causes)
    head = f"{cause.value} (a cause): {title(cause)}"
    return f"{head}\n\n{explanation(cause)}\n\nReported by: {checks or 'no check that is installed'}"


def _signature(signature: Signature) -> str:
    facts = {
        "What it does": _KINDS[signature.kind],
        "Mark": _MARKS.get(signature.marks, ""),
        "Cause": _cause_of(signature),
        "Subject": "what the line names in its place" if any("?P<subject>" in p for p in signature.patterns) else "",
        "Release lines and versions": ", ".join(signature.lines) or "all",
        "What to do": signature.remedy,
        "Known from": signature.source,
        "It comes from": signature.origin or "ot-doctor",
    }
    told = "\n".join(f"{label}: {text}" for label, text in facts.items() if text)
    shown = [*_samples("It matches, for instance", signature.matches), *_samples("It does not match", signature.not_matches)]
    return "\n\n".join([f"{signature.name} (a log signature)", textwrap.fill(signature.explain, _WIDTH), told, *shown])


def _cause_of(signature: Signature) -> str:
    if signature.cause is None:
        return ""
    if signature.kind == "generic":
        return f"{signature.cause}, as a suggestion"
    return f"{signature.cause}, certain" if signature.certain else f"{signature.cause}, likely: other reasons have the same text"


def _samples(label: str, samples: tuple[str, ...]) -> list[str]:
    lines = [textwrap.indent(sample.strip("\n"), "    ") for sample in samples]
    return [f"{label}:\n" + "\n    --\n".join(lines)] if lines else []
