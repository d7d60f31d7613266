"""What there is to tell of a check, a cause and a log signature: for ``ot-doctor explain`` and for the pages of the manual."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ot_doctor import __version__
from ot_doctor.check import Cause, Check, Family, Step
from ot_doctor.diagnosis.causes import EXPLAINS, explanation, title
from ot_doctor.diagnosis.fix_steps import STEPS
from ot_doctor.diagnosis.fixable import FIXED, GUIDED_TO_THE_END, WORDS, by_cause
from ot_doctor.evidence import Request
from ot_doctor.logs.faults import named as named_rules
from ot_doctor.logs.faults.rule import Rule
from ot_doctor.logs.signatures import Signature
from ot_doctor.run import requirements, suppressions
from ot_doctor.run.discovery import CheckCatalogue, FoundCheck
from ot_doctor.run.lookup import no_such
from ot_doctor.run.plan import WrongUsage
from ot_doctor.sources.store import SOURCES, parameters

_FIXES = {
    FIXED: "Fixes it, or some of its cases.", GUIDED_TO_THE_END: "Guides you.", WORDS: "Shows the steps, and does none of them."
}  # fmt: skip
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
HOW_TO_FIX = "How to fix it, in the OpenTranscribe folder (a report prints these steps with your own paths and names):"

# These judge the run and not the installation, and are in a report where they have something to say.
OF_THE_RUN = tuple(
    FoundCheck(check, f"ot-doctor {__version__}")
    for check in (requirements.CHECK, suppressions.CHECK)
)


@dataclass(frozen=True)
class Fact:
    """What is known in one respect: the names of checks, causes or signatures, or a text where there are none."""

    label: str
    names: tuple[str, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.names or self.text)


@dataclass(frozen=True)
class Samples:
    """Log lines that a signature matches, or does not."""

    label: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """Everything that is told under one name."""

    name: str
    what: str  # "a check of the family token", "a cause", "a log signature", "a rule"
    title: str  # empty for a signature
    explanation: str
    facts: tuple[Fact, ...]
    samples: tuple[Samples, ...] = ()
    steps: tuple[Step, ...] = ()  # how a cause is fixed


def explanation_of(
    name: str, catalogue: CheckCatalogue, signatures: Mapping[str, Signature] | None = None, width: int = 80
) -> str:
    """The text for a check, family, cause, log signature or rule, or all that share the name, in lines of ``width`` columns.

    Raises ``WrongUsage`` for any other name.
    """
    causes = {cause.value: cause for cause in Cause}
    families = {family.value: family for family in Family}
    signatures = signatures or {}
    checks = {found.check.name: found for found in OF_THE_RUN} | catalogue.checks
    topics = []
    if name in checks:
        topics.append(about_check(checks[name]))
    if name in families:
        topics.append(about_family(families[name], catalogue))
    if name in causes:
        topics.append(about_cause(causes[name], catalogue, signatures.values()))
    if name in signatures:
        topics.append(about_signature(signatures[name]))
    if name in named_rules():
        topics.append(about_rule(named_rules()[name]))
    if not topics:
        known = [*families, *checks, *causes, *signatures, *named_rules()]
        raise WrongUsage(no_such(name, known, "check, family, cause, signature or rule"))
    return "\n\n\n".join(_text(topic, width) for topic in topics)


def about_family(family: Family, catalogue: CheckCatalogue) -> Topic:
    """The checks that ``--select`` takes with the family's name."""
    names = tuple(found.check.name for found in catalogue.checks.values() if found.check.family is family)
    explanation = f"'ot-doctor --select {family.value}' runs these checks, '--ignore {family.value}' leaves them out."
    return Topic(family.value, "a family of checks", "", explanation, (Fact("Checks", names, "none that is installed"),))


def about_check(found: FoundCheck) -> Topic:
    """What a check looks at and may report."""
    check = found.check
    facts = (
        Fact("It may report", _values(check.causes), "" if check.causes else "no cause, only notes"),
        Fact("It comes after", check.after),
        Fact("It looks at", text=_looks_at(check)),
        Fact("It comes from", text=found.owner),
    )
    return Topic(check.name, f"a check of the family {check.family.value}", check.title, check.explanation, facts)


def about_cause(cause: Cause, catalogue: CheckCatalogue, signatures: Iterable[Signature] = ()) -> Topic:
    """What a cause means, which checks report it, and what it has to do with other causes."""
    checks = tuple(found.check.name for found in catalogue.checks.values() if cause in found.check.causes)
    effects = EXPLAINS.get(cause, frozenset()) - {Cause.UNRECOGNISED}
    origins = () if cause is Cause.UNRECOGNISED else [other for other in Cause if cause in EXPLAINS.get(other, ())]
    facts = (
        Fact("Reported by", checks, "" if checks else "no check that is installed"),
        Fact("It causes", _values(other for other in Cause if other in effects)),
        Fact("It may come from", _values(origins)),
        Fact("Log signatures", tuple(signature.name for signature in signatures if signature.cause == cause.value)),
        Fact("ot-doctor fix", text=f"{_FIXES[by_cause()[cause].kind]} {by_cause()[cause].why}"),
    )
    return Topic(cause.value, "a cause", title(cause), explanation(cause), facts, steps=STEPS[cause])


def about_signature(signature: Signature) -> Topic:
    """What a line of a log means, and how it is told from others."""
    named = "what the line names in its place" if any("?P<subject>" in pattern for pattern in signature.patterns) else ""
    facts = (
        Fact("What it does", text=_KINDS[signature.kind]),
        Fact("Mark", text=_MARKS.get(signature.marks, "")),
        Fact("Cause", text=_cause_of(signature)),
        Fact("Subject", text=named),
        Fact("Release lines and versions", text=", ".join(signature.lines) or "all"),
        Fact("What to do", text=signature.remedy),
        Fact("Known from", text=signature.source),
        Fact("It comes from", text=signature.origin or "ot-doctor"),
    )
    samples = (Samples("It matches, for instance", signature.matches), Samples("It does not match", signature.not_matches))
    return Topic(signature.name, "a log signature", "", signature.explain, facts, samples)


def about_rule(rule: Rule) -> Topic:
    """What an error in a log means that no signature knows."""
    facts = (
        Fact("What it does", text="it judges an error in the log whose text no signature knows, by how the error is built"),
        Fact("Cause", text=f"{rule.cause}, {'possible: other reasons are about as good' if rule.possible else 'likely'}"),
        Fact("It comes from", text="ot-doctor"),
    )
    return Topic(rule.name, "a rule for errors in a log", rule.title, rule.why, facts)


def _text(topic: Topic, width: int) -> str:
    head = f"{topic.name} ({topic.what})" + (f": {topic.title}" if topic.title else "")
    told = (f"{fact.label}: {', '.join(fact.names) or fact.text}" for fact in topic.facts if fact)
    facts = "\n".join(_wrapped(line, width, "  ") for line in told)
    samples = (_shown(samples, width) for samples in topic.samples if samples.texts)
    parts = [_wrapped(head, width), *_paragraphs(topic.explanation, width), _fix(topic.steps, width), facts, *samples]
    return "\n\n".join(part for part in parts if part)


def _paragraphs(text: str, width: int) -> Iterator[str]:
    """Prose in new lines; what is indented (a list, an example) stays as its author wrote it."""
    for paragraph in re.split(r"\n[ \t]*\n", text.strip("\n")):
        indented = any(line.startswith((" ", "\t", "- ", "* ")) for line in paragraph.splitlines())
        yield paragraph if indented else _wrapped(" ".join(paragraph.split()), width)


def _fix(steps: tuple[Step, ...], width: int) -> str:
    """The steps, with their commands and links on lines of their own, which are not broken."""
    lines = []
    for number, step in enumerate(steps, 1):
        lines.append(_wrapped(f"  {number}. {step.text}", width, "     "))
        lines += [f"     {more}" for more in (step.command, step.url) if more]
    return "\n".join([_wrapped(HOW_TO_FIX, width), *lines]) if lines else ""


def _shown(samples: Samples, width: int) -> str:
    texts = ("\n".join(_wrapped(f"    {line}", width, "        ") for line in t.strip("\n").splitlines()) for t in samples.texts)
    return f"{samples.label}:\n" + "\n    --\n".join(texts)


def _wrapped(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _values(causes: Iterable[Cause]) -> tuple[str, ...]:
    return tuple(cause.value for cause in causes)


def _looks_at(check: Check) -> str:
    try:
        kinds = [kind for kind, _ in parameters(check.function).values() if kind is not Request]
    except Exception:  # whatever the types of a plug-in's parameters are: running it tells
        return ""
    return ", ".join(SOURCES[kind].label for kind in kinds)


def _cause_of(signature: Signature) -> str:
    if signature.cause is None:
        return ""
    if signature.kind == "generic":
        return f"{signature.cause}, as a suggestion"
    return f"{signature.cause}, certain" if signature.certain else f"{signature.cause}, likely: other reasons have the same text"
