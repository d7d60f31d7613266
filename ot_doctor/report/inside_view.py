"""What ``ot-doctor probe`` shows: a row for each rung of the way to the Hub, the worker beside this machine; as text and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ot_doctor.check import Status
from ot_doctor.evidence import Answer, Ladder, Rung, Stage, Unavailable, WorkerProbe
from ot_doctor.report.formats import json as report_json
from ot_doctor.report.model import Report, counts_as

SCHEMA = "ot-doctor/probe/1"
_WIDTH = 100
_LABEL, _COLUMN = 11, 44
_LABELS = {Stage.TLS: "TLS", Stage.HUB: "Hub"}


@dataclass(frozen=True)
class InsideView:
    """The report of the checks on it, and what was seen or why not; both redacted."""

    report: Report
    seen: WorkerProbe | Unavailable


def render_json(view: InsideView) -> str:
    """One JSON document of the schema ``ot-doctor/probe/1``, with all keys: those of a report, and what was seen."""
    document = json.loads(report_json.render(view.report))
    kept = ("tool", "started_at", "duration_ms", "exit_code", "diagnosis", "checks", "notices", "hidden")
    seen = None if isinstance(view.seen, Unavailable) else view.seen
    shown = {
        "schema": SCHEMA,
        **{key: document[key] for key in kept},
        "reason": view.seen.reason if isinstance(view.seen, Unavailable) else None,
        "worker": _about(seen) if seen else None,
        "ways": {"worker": _way(seen.inside if seen else None), "machine": _way(seen.here if seen else None)},
    }
    return json.dumps(shown, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"


def _about(seen: WorkerProbe) -> dict[str, Any]:
    process, gpu = seen.process, seen.gpu
    return {
        "name": seen.worker,
        "user": seen.user,
        "uid": seen.uid,
        "python": seen.python,
        "clock_ahead_s": seen.clock,
        "memory": {"limit": seen.memory_limit or None, "used": seen.memory_used},
        "devices": list(seen.devices),
        "libraries": dict(seen.libraries),
        "process": {
            "readable": process.readable, "differs": list(process.differs), "added": list(process.added),
            "removed": list(process.removed), "blank": list(process.blank),
        },
        "gpu": None if gpu is None else {
            "library": gpu.library, "code": gpu.code, "text": gpu.text, "driver": gpu.driver,
            "gpus": [{"name": one.name, "total": one.total, "used": one.used} for one in gpu.gpus],
        },
        "writes": [{"path": one.path, "ok": one.ok, "text": one.text} for one in seen.writes],
        "incomplete": list(seen.incomplete),
        "took_ms": dict(seen.took),
        "program_sha256": seen.program,
    }  # fmt: skip


def _way(ladder: Ladder | None) -> dict[str, Any] | None:
    if ladder is None:
        return None
    rungs = [{"stage": r.stage.value, "answer": r.answer.value, "text": r.text, "ms": r.ms} for r in ladder.rungs]
    files = [{"repo": f.repo, "file": f.file, "answer": f.answer.value, "status": f.status, "text": f.text} for f in ladder.files]
    storage = {"host": ladder.storage_host or None, "answer": ladder.storage.value, "text": ladder.storage_text}
    return {
        "endpoint": ladder.endpoint, "proxy": ladder.proxy or None, "issuer": ladder.issuer or None,
        "trusted": ladder.trusted or None, "token_sent": ladder.token_sent, "clock_ahead_s": ladder.clock, "rungs": rungs,
        "files": files, "storage": storage,
    }  # fmt: skip


# -- text --------------------------------------------------------------------------------------------------------------


def render_text(view: InsideView) -> str:
    """The text, ending with a line end."""
    lines = [_said(view.seen)] if isinstance(view.seen, Unavailable) else list(_table(view.seen))
    findings = list(_findings(view.report))
    lines += ["", *findings] if findings else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _said(reason: Unavailable) -> str:
    return "\n".join(textwrap.wrap(f"{reason.reason} {reason.hint}".strip(), _WIDTH))


def _table(seen: WorkerProbe) -> Iterator[str]:
    yield f"{seen.worker} ({seen.user or '?'} {seen.uid}, Python {seen.python})"
    if seen.inside:
        yield f"{'':{_LABEL}}{'worker':{_COLUMN}}this machine"
        for stage in Stage:
            rungs = [ladder.rung(stage) if ladder else None for ladder in (seen.inside, seen.here)]
            if stage is not Stage.TLS or any(rungs):
                yield from _row(_LABELS.get(stage, stage.value), _rung(rungs[0]), _rung(rungs[1]))
        if seen.inside.storage_host:
            yield from _row("storage", _storage(seen.inside), _storage(seen.here))
    yield from _row("process 1", _process(seen))
    room = f" of {seen.memory_limit / 1e6:,.0f}" if seen.memory_limit else ""
    yield from _row("memory", f"{seen.memory_used / 1e6:,.0f}{room} MB used")
    if seen.gpu:
        said = ", ".join(one.name for one in seen.gpu.gpus) or seen.gpu.text or "none"
        yield from _row("GPU", f"{'✗' if seen.gpu.code or not seen.gpu.gpus else '✓'} {said} {seen.gpu.driver}")
    if seen.libraries:
        yield from _row("libraries", ", ".join(f"{name} {version}" for name, version in sorted(seen.libraries.items())))
    for sentence in seen.incomplete:
        yield from _row("!", sentence)


def _row(label: str, *cells: str) -> Iterator[str]:
    """A row; a cell that is too wide for its column goes on below. The only cell of a row has all the width."""
    width = _COLUMN - 2 if len(cells) > 1 else _WIDTH - _LABEL
    parts = [textwrap.wrap(cell, width, subsequent_indent="  ") or [""] for cell in cells]
    for number in range(max(map(len, parts))):
        columns = [part[number] if number < len(part) else "" for part in parts]
        yield f"{label if not number else '':{_LABEL}}" + "".join(f"{column:{_COLUMN}}" for column in columns)


def _rung(rung: Rung | None) -> str:
    if rung is None:
        return "- not reached"
    return f"{'✓' if rung.answer is Answer.OK else '✗'} {rung.text or rung.answer.words}, {rung.ms} ms"


def _storage(ladder: Ladder | None) -> str:
    if ladder is None or not ladder.storage_host:
        return "- not known"
    return f"✓ {ladder.storage_host}" if ladder.storage is Answer.OK else f"✗ {ladder.storage_host}: {ladder.storage_text}"


def _process(seen: WorkerProbe) -> str:
    process = seen.process
    if not process.readable:
        return f"its environment cannot be read: {process.text}"
    parts = [
        f"{what} {', '.join(names)}" for what, names in
        (("! differs in", process.differs), ("! has not", process.removed), ("also has", process.added)) if names
    ]  # fmt: skip
    return "; ".join(parts) or "✓ the settings of Config.Env"


def _findings(report: Report) -> Iterator[str]:
    """What is wrong, and what to do about it; one sentence where nothing is."""
    marks = {Status.FAIL: "✗", Status.WARN: "!", Status.UNKNOWN: "?"}
    wrong = [f for result in report.results if counts_as(result) in marks for f in result.findings if f.status in marks]
    for finding in wrong:
        cause = f" ({finding.cause.value})" if finding.cause else ""
        yield from textwrap.wrap(f"{marks[finding.status]} {finding.message}{cause}", _WIDTH, subsequent_indent="  ")
        for step in finding.remedy:
            yield from textwrap.wrap(step.text, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
            yield from (f"    {more}" for more in (step.command, step.url) if more)
    if not wrong and any(counts_as(result) is Status.PASS for result in report.results):
        yield "Nothing is wrong with what the worker sees."
