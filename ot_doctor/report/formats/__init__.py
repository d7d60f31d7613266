"""The formats of a report: their names, the file endings that mean them, and the way into each."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ot_doctor.report.formats.text_lines import Style
    from ot_doctor.report.model import Report, UsageError

# Each is a module of this package that has ``render`` and ``render_error``.
FORMATS: Mapping[str, tuple[str, ...]] = {
    "text": (".txt",),
    "json": (".json",),
    "markdown": (".md", ".markdown"),
    "html": (".html", ".htm"),
    "junit": (".xml",),
    "github": (),
    "sarif": (".sarif",),
    "prometheus": (".prom",),
    "nagios": (".nagios",),
    "reply": (),
}


def format_of(file_name: str) -> str | None:
    """The format that a file's ending means; ``None`` where it means none. ``report.sarif.json`` is SARIF."""
    lower = file_name.lower().removesuffix(".json") if file_name.lower().endswith(".sarif.json") else file_name.lower()
    return next((name for name, endings in FORMATS.items() if endings and lower.endswith(endings)), None)


def render(report: Report, name: str, style: Style | None = None) -> str:
    """The whole document. ``style`` is how ``text`` is to look; no other format has a style."""
    if report.hidden_in is not None and _tells_what_is_hidden(name, style):
        bare = replace(report, hidden=())
        rest = _module(name).compact(bare) if name == "json" else _rendered(bare, name, style)
        report = replace(report, hidden=report.hidden_in(rest))
    return _rendered(report, name, style)


def _rendered(report: Report, name: str, style: Style | None) -> str:
    module = _module(name)
    document: str = module.render(report, style) if name == "text" and style is not None else module.render(report)
    return document


def _tells_what_is_hidden(name: str, style: Style | None) -> bool:
    """Whether the format has a summary of what was redacted."""
    return name in ("json", "markdown", "html", "github") or (name == "text" and (style is None or style.tells_what_is_hidden))


def render_error(error: UsageError, name: str) -> str:
    """The whole document for exit code 2; empty for ``text``, where the sentence on standard error is all."""
    if name == "text":
        return ""
    document: str = _module(name).render_error(error)
    return document


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"ot_doctor.report.formats.{name}")
