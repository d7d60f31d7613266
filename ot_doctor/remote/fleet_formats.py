"""The fleet as a table for a terminal, as Markdown, as a page, and as JSON (schema ``ot-doctor/fleet/1``)."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from datetime import timezone

from tabulate import tabulate

from ot_doctor import __version__
from ot_doctor.remote.fleet import Fleet, Row

SCHEMA = "ot-doctor/fleet/1"
_MARKS = {0: "✓", 1: "✗", 2: "?", 3: "?", 4: "?"}
_NARROWEST = 24  # columns of the verdict


def as_text(fleet: Fleet, width: int = 80) -> str:
    wide = max(len(row.host.name) for row in fleet.rows) + max(7, *(len(row.release) for row in fleet.rows))
    room = max(_NARROWEST, width - wide - 10)
    rows = [
        (row.host.name, row.release or "–", textwrap.fill(f"{_MARKS[row.exit_code]} {_said(row)}", room)) for row in fleet.rows
    ]
    table = tabulate(rows, headers=("host", "release", "verdict"), tablefmt="simple", disable_numparse=True)
    hints = [textwrap.fill(f"{row.host.name}: {row.hint}", width, subsequent_indent="  ") for row in fleet.rows if row.hint]
    return "\n".join([table, *([""] if hints else []), *hints, "", _counts(fleet)]) + "\n"


def as_markdown(fleet: Fleet, _: int = 80) -> str:
    from ot_doctor.report.formats.markdown_text import clip, inline

    rows = [
        f"| {inline(clip(row.host.name, 100))} | {inline(row.release) or '–'} | {_MARKS[row.exit_code]} {inline(_said(row))} |"
        for row in fleet.rows
    ]
    head = f"## {_counts(fleet)}\n\not-doctor {__version__} · {fleet.started_at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    return "\n".join([head, "", "| Host | Release | Verdict |", "|---|---|---|", *rows]) + "\n"


def as_html(fleet: Fleet, _: int = 80) -> str:
    from ot_doctor.report.formats.html_elements import Child, document, element

    def cells(row: Row) -> list[Child]:
        return [
            element("td", row.host.name),
            element("td", row.release or "–"),
            element("td", f"{_MARKS[row.exit_code]} {_said(row)}"),
        ]

    table = element(
        "table", element("tr", *(element("th", text) for text in ("Host", "Release", "Verdict"))),
        *(element("tr", *cells(row)) for row in fleet.rows),
    )  # fmt: skip
    sections: list[Child] = [
        element("section", element("h2", row.host.name), element("p", _said(row)), element("p", row.hint) if row.hint else None,
                element("pre", json.dumps(row.report, indent=1, ensure_ascii=False)) if row.report else None)
        for row in fleet.rows
    ]  # fmt: skip
    style = (
        "body{font:16px system-ui;max-width:70em;margin:2em auto;padding:0 1em;color-scheme:light dark}td,th{padding:.3em .8em;"
        "text-align:left;vertical-align:top}pre{overflow:auto;max-height:20em}"
    )
    head = element(
        "head", element("meta", charset="utf-8"), element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        element("title", f"{_counts(fleet)} – ot-doctor"), element("style", style),
    )  # fmt: skip
    return document(element("html", head, element("body", element("h1", _counts(fleet)), table, *sections), lang="en"))


def as_json(fleet: Fleet, _: int = 80) -> str:
    content = {
        "schema": SCHEMA,
        "tool": {"name": "ot-doctor", "version": __version__},
        "started_at": fleet.started_at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_ms": round(fleet.duration * 1000),
        "exit_code": fleet.exit_code,
        "hosts": [
            {"name": row.host.name, "address": row.host.address.text, "exit_code": row.exit_code,
             "reached": row.report is not None, "verdict": row.verdict, "hint": row.hint or None,
             "release": row.release or None, "causes": list(row.causes), "report": row.report}
            for row in fleet.rows
        ],
    }  # fmt: skip
    return json.dumps(content, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"


FORMATS: Mapping[str, Callable[[Fleet, int], str]] = {"text": as_text, "json": as_json, "markdown": as_markdown, "html": as_html}


def _said(row: Row) -> str:
    return f"{row.verdict} ({row.causes[0]})" if row.causes else row.verdict


def _counts(fleet: Fleet) -> str:
    codes = [row.exit_code for row in fleet.rows]
    unreached = sum(row.report is None for row in fleet.rows)
    parts = [f"{codes.count(0)} of {len(codes)} hosts passed"]
    parts += [f"{codes.count(1)} failed"] if codes.count(1) else []
    parts += [f"{unreached} not reached"] if unreached else []
    return ", ".join(parts)
