"""One report in every format: that of the broken sample installation in docs/sample."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ot_doctor.check import Check
from ot_doctor.evidence import Request
from ot_doctor.report.build import report_of
from ot_doctor.report.formats import FORMATS, render
from ot_doctor.report.model import Report
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import examine, prepare

SAMPLE = Path(__file__).parents[2] / "sample"
_SHOWN_AS = "/srv/opentranscribe"
_AT = datetime(2026, 11, 21, 1, 40, tzinfo=timezone.utc)


def files() -> dict[str, str]:
    """The documents by their paths below reference/."""
    report = _report()
    made = {f"examples/report{endings[0] if endings else f'.{name}'}": render(report, name) for name, endings in FORMATS.items()}
    diagnosis, _, _ = made["examples/report.txt"].partition("\nChecks: ")
    return {"examples/diagnosis.txt": diagnosis, **made}


def _report() -> Report:
    """The sample's report, with a folder and moments that are the same wherever the manual is built."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve() / "installation"
        shutil.copytree(SAMPLE, place)
        (place / ".env").chmod(0o600)
        request = Request(directory=place, logs=(str(place / "worker.log"),), no_docker=True, offline=True, cwd=place, timeout=60)
        plan = Plan(request, ignore=("disk-space",))
        report = report_of(examine(plan, *prepare(plan)))
        shown: Report = _renamed(report, str(place))
    results = tuple(replace(result, duration=0.01) for result in shown.results)
    return replace(shown, started_at=_AT, duration=0.3, results=results)


def _renamed(value: Any, folder: str) -> Any:
    if isinstance(value, str):
        return value.replace(folder, _SHOWN_AS)
    if isinstance(value, Path):
        return Path(str(value).replace(folder, _SHOWN_AS))
    if isinstance(value, tuple):
        return tuple(_renamed(item, folder) for item in value)
    if isinstance(value, Mapping):
        return {key: _renamed(item, folder) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, (type, Check)):
        return replace(value, **{f.name: _renamed(getattr(value, f.name), folder) for f in fields(value) if f.init})
    return value
