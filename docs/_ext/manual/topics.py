"""A page for each check and each cause, from the same facts that ``ot-doctor explain`` shows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from manual.markdown import block, bullets, code, inline, link, page, prose, table, toctree
from ot_doctor.check import Cause, Check, Family, Step
from ot_doctor.diagnosis.causes import LINKS
from ot_doctor.diagnosis.causes import title as cause_title
from ot_doctor.evidence import Request
from ot_doctor.logs.signatures import Signature
from ot_doctor.run.discovery import CheckCatalogue, FoundCheck
from ot_doctor.run.explain import OF_THE_RUN, about_cause, about_check
from ot_doctor.sources.store import SOURCES, parameters

_CAUSES = {cause.value: f"/reference/causes/{cause.value}.md" for cause in Cause}


def links(catalogue: CheckCatalogue) -> dict[str, str]:
    """The page of each name; of one that is a cause and a check, the check's."""
    names = [*catalogue.checks, *(found.check.name for found in OF_THE_RUN)]
    return {**_CAUSES, **{name: f"/reference/checks/{name}.md" for name in names}}


def pages(catalogue: CheckCatalogue, signatures: Iterable[Signature]) -> dict[str, str]:
    """The pages by their paths below reference/."""
    where = links(catalogue)
    listed = tuple(signatures)
    found_checks = (*catalogue.checks.values(), *OF_THE_RUN)
    checks = {f"checks/{found.check.name}.md": _check(found, where) for found in found_checks}
    causes = {f"causes/{cause.value}.md": _cause(cause, catalogue, listed, where) for cause in Cause}
    indexes = {"checks/index.md": _checks(catalogue), "causes/index.md": _causes(), "evidence.md": _kinds(catalogue)}
    return {**indexes, **checks, **causes}


def _checks(catalogue: CheckCatalogue) -> str:
    checks = [found.check for found in catalogue.checks.values()]
    parts = [
        "# Checks",
        f"There are {len(checks)} built-in checks in {len(Family)} families. {code('--select')} and {code('--ignore')} take the "
        f"name of a check or of a family, {code('--require')} that of a family. Other people's packages may add more: "
        f"{code('ot-doctor list')} shows what is installed.",
    ]
    for family in Family:
        parts += [f"## {family.value}", _titles(check for check in checks if check.family is family)]
    of_the_run = [found.check for found in OF_THE_RUN]
    parts += [
        "## Of the run itself",
        "These judge what was asked of the run, and stand in a report where `--require` or a suppression asks for them.",
        _titles(of_the_run),
    ]
    return page(*parts, toctree(check.name for check in (*checks, *of_the_run)))


def _titles(checks: Iterable[Check]) -> str:
    return table(("check", "what should be so"), [(link(c.name, f"{c.name}.md"), inline(c.title, {})) for c in checks])


def _check(found: FoundCheck, where: Mapping[str, str]) -> str:
    check, topic = found.check, about_check(found)
    evidence = list(_evidence(check))
    family = f"[{check.family.value}](/reference/checks/index.md#{check.family.value})"
    causes = [(link(cause.value, _CAUSES[cause.value]), inline(cause_title(cause), {})) for cause in check.causes]
    return page(
        f"# {check.name}",
        f"**{inline(topic.title, {})}**: a check of the family {family}.",
        prose(topic.explanation, where, own=check.name),
        "## What it may report",
        table(("cause", "meaning"), causes) if causes else "It names no cause: it warns, or tells what was seen.",
        "## What it looks at" if evidence else "",
        bullets(evidence),
        _order(check, where),
        "## Try it",
        block((f"ot-doctor --select {check.name} -v\n" if evidence else "") + f"ot-doctor explain {check.name}", "sh"),
    )  # fmt: skip


def _order(check: Check, where: Mapping[str, str]) -> str:
    if not check.after:
        return ""
    before = " and ".join(link(name, where[name]) for name in check.after)
    return f"It comes after {before}, and is skipped where {'one of them' if len(check.after) > 1 else 'that'} did not pass."


def _evidence(check: Check) -> Iterable[str]:
    for kind, optional in parameters(check.function).values():
        if kind is Request:
            yield f"the options of the run ({code('Request')})"
            continue
        label = inline(SOURCES[kind].label, {})
        yield f"{label} ({code(kind.__name__)})" + ("; it also runs without" if optional else "")


def _kinds(catalogue: CheckCatalogue) -> str:
    """The table of evidence that the page about writing checks includes."""
    asked = [(found.check.name, parameters(found.check.function).values()) for found in catalogue.checks.values()]
    rows = []
    for kind, source in SOURCES.items():
        users = [link(name, f"/reference/checks/{name}.md") for name, kinds in asked if kind in {k for k, _ in kinds}]
        rows.append((code(kind.__name__), inline(source.label, {}), ", ".join(users[:2]) or "-"))
    return page(table(("type", "what it is", "asked for by, for instance"), rows))


def _causes() -> str:
    rows = [(link(cause.value, f"{cause.value}.md"), inline(cause_title(cause), {})) for cause in Cause]
    return page(
        "# Causes",
        f"Every finding that fails names one of these {len(Cause)} causes. They are in the order in which they must be "
        "fixed, not by name: what another one causes comes after it, and is not listed beside it in a diagnosis.",
        table(("cause", "meaning"), rows),
        toctree(cause.value for cause in Cause),
    )


def _cause(cause: Cause, catalogue: CheckCatalogue, signatures: tuple[Signature, ...], where: Mapping[str, str]) -> str:
    topic = about_cause(cause, catalogue, signatures)
    facts = {fact.label: fact.names for fact in topic.facts}
    reporters = [f"{link(name, where[name])}: {inline(catalogue.checks[name].check.title, {})}" for name in facts["Reported by"]]
    found = [
        f"[{code(name)}](/reference/signatures/{cause.value}.md#{name})" for name in facts["Log signatures"]
    ]
    return page(
        f"# {cause.value}",
        f"**{inline(topic.title, {})}.**",
        prose(topic.explanation, where, own=cause.value),
        "## How to fix it",
        "Run the commands in the OpenTranscribe folder, with your own values for what is in `<…>`. A report prints these "
        "steps with your paths and names.",
        *_steps(topic.steps),
        "## Which checks report it",
        bullets(reporters),
        *_section("What it causes", _effects(cause, facts["It causes"])),
        *_section("What causes it", _origins(cause, facts["It may come from"])),
        *_section("Log lines that mean it", [", ".join(found)] if found else []),
    )


def _steps(steps: Iterable[Step]) -> Iterable[str]:
    for number, step in enumerate(steps, 1):
        yield f"{number}. {inline(step.text, {})}"
        if step.command:
            yield textwrap.indent(block(step.command, "sh"), "   ")
        if step.url:
            yield f"   {code(step.url) if '<' in step.url else f'<{step.url}>'}"


def _section(title: str, items: list[str]) -> tuple[str, ...]:
    return (f"## {title}", bullets(items) if len(items) > 1 else items[0]) if items else ()


def _effects(cause: Cause, names: tuple[str, ...]) -> list[str]:
    reasons = {effect.value: link_.why for link_ in LINKS if link_.cause is cause for effect in link_.effects}
    by_reason: dict[str, list[str]] = {}
    for name in names:
        by_reason.setdefault(reasons[name], []).append(link(name, _CAUSES[name]))
    return [f"{', '.join(found)}: {inline(why, {})}." for why, found in by_reason.items()]


def _origins(cause: Cause, names: tuple[str, ...]) -> list[str]:
    reasons = {other.cause.value: other.why for other in LINKS if cause in other.effects}
    return [f"{link(name, _CAUSES[name])}: {inline(reasons[name], {})}." for name in names]
