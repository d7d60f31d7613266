"""The catalogue of log signatures, a page for each cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from manual.markdown import block, bullets, code, escape, inline, link, page, prose, table, toctree
from ot_doctor.check import Cause
from ot_doctor.diagnosis.causes import title as cause_title
from ot_doctor.logs.signatures import Signature
from ot_doctor.run.explain import about_signature

_NONE = "without-a-cause"


def pages(signatures: Iterable[Signature], where: Mapping[str, str]) -> dict[str, str]:
    """The pages by their paths below reference/."""
    by_cause: dict[str, list[Signature]] = {cause.value: [] for cause in Cause}
    by_cause[_NONE] = []
    for signature in signatures:
        by_cause[signature.cause or _NONE].append(signature)
    by_cause = {name: sorted(found, key=lambda s: s.name) for name, found in by_cause.items() if found}
    made = {f"signatures/{name}.md": _page(name, found, where) for name, found in by_cause.items()}
    return {"signatures/index.md": _index(by_cause), **made}


def _index(by_cause: Mapping[str, list[Signature]]) -> str:
    rows = [
        (f"[{code(name)}]({name}.md)", inline(_title(name), {}), str(len(found))) for name, found in by_cause.items()
    ]
    return page(
        "# Log signatures",
        f"The worker's log is read with {sum(map(len, by_cause.values()))} signatures. Each knows one shape of log line, and "
        "says what it means and what it does not mean. Your own are added with `--signatures FILE`: see "
        "[](/extend.md#more-log-signatures).",
        table(("cause", "meaning", "signatures"), rows),
        toctree(by_cause),
    )


def _title(name: str) -> str:
    return "Marks of an attempt, notes, and harmless lines" if name == _NONE else cause_title(Cause(name))


def _page(name: str, signatures: list[Signature], where: Mapping[str, str]) -> str:
    cause = "" if name == _NONE else f" The cause is explained under {link(name, f'/reference/causes/{name}.md')}."
    intro = f"{inline(_title(name), {})}.{cause}"
    head = "# Log lines without a cause" if name == _NONE else f"# Log lines: {name}"
    return page(head, intro, *(part for signature in signatures for part in _signature(signature, where)))


def _signature(signature: Signature, where: Mapping[str, str]) -> Iterable[str]:
    topic = about_signature(signature)
    yield f"## {signature.name}"
    yield prose(topic.explanation, where)
    yield bullets(
        f"{fact.label}: {inline(fact.text, where)}" for fact in topic.facts if fact and fact.label != "It comes from"
    )
    for samples in topic.samples:
        if samples.texts:
            yield f"{escape(samples.label)}:"
            yield from (block(text) for text in samples.texts)
