"""The facts as text for a terminal, as Markdown for a ticket, and as JSON (schema ``ot-doctor/facts/1``)."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping

from ot_doctor import __version__
from ot_doctor.report.formats.markdown_text import clip, inline
from ot_doctor.report.model import Facts, Section

SCHEMA = "ot-doctor/facts/1"
_WIDEST_NAME = 28  # columns


def as_text(facts: Facts, width: int) -> str:
    lines = [f"ot-doctor {__version__} · {facts.gathered_at:%Y-%m-%d %H:%M:%S} UTC"]
    for section in facts.sections:
        lines += ["", section.title, *_rows(section, width)]
    return "\n".join(lines) + "\n"


def _rows(section: Section, width: int) -> list[str]:
    if not section.facts:
        return textwrap.wrap(f"- {section.missing or 'nothing'}", width, initial_indent="  ", subsequent_indent="    ")
    wide = min(max(len(name) for name, _ in section.facts), _WIDEST_NAME)
    lines = []
    for name, value in section.facts:
        if len(name) > wide:  # on a line of its own
            lines.append(f"  {name}")
            name = ""
        head = f"  {name:{wide}}  "
        room = max(width - len(head), 24)
        first, *more = textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"{head}{first}", *(f"{'':{len(head)}}{line}" for line in more)]
    return lines


def as_markdown(facts: Facts) -> str:
    blocks = [f"## Facts\n\not-doctor {__version__} · {facts.gathered_at:%Y-%m-%d %H:%M:%S} UTC"]
    for section in facts.sections:
        rows = [f"| {inline(clip(name, 200))} | {inline(clip(value, 1000))} |" for name, value in section.facts]
        table = "\n".join(["| What | What is so |", "|---|---|", *rows])
        blocks.append(f"### {section.title}\n\n{table if rows else inline(section.missing or 'nothing')}")
    return "\n\n".join(blocks) + "\n"


def as_json(facts: Facts) -> str:
    document = {
        "schema": SCHEMA,
        "tool": {"name": "ot-doctor", "version": __version__},
        "gathered_at": facts.gathered_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sections": [
            {"title": s.title, "facts": [{"name": name, "value": value} for name, value in s.facts], "missing": s.missing or None}
            for s in facts.sections
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"


FORMATS: Mapping[str, Callable[[Facts, int], str]] = {
    "text": as_text, "json": lambda facts, _: as_json(facts), "markdown": lambda facts, _: as_markdown(facts),
}  # fmt: skip
