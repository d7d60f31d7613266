"""What ``diff`` compares: a bundle, or a report as ``--format json`` writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ot_doctor.bundle import Refused
from ot_doctor.bundle.archive import LARGEST_MEMBER
from ot_doctor.bundle.codec import Malformed, decode, load
from ot_doctor.bundle.manifest import REPORT_JSON, Tool
from ot_doctor.bundle.reading import Recording, looks_like_json, read_bundle, read_file
from ot_doctor.check import Status

_VERSION = 1


@dataclass(frozen=True)
class ReportedFinding:
    status: Status
    message: str
    cause: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class ReportedCheck:
    name: str
    status: Status
    findings: tuple[ReportedFinding, ...] = ()


@dataclass(frozen=True)
class ReportedCause:
    cause: str
    title: str = ""
    subject: str | None = None


@dataclass(frozen=True)
class ReportedAttempt:
    worker: str
    outcome: str
    task: str | None = None
    started_at: datetime | None = None
    cause: str | None = None


@dataclass(frozen=True)
class ReportedDeployment:
    dir: str | None = None
    project: str | None = None
    version: str | None = None
    line: str | None = None
    workers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportDocument:
    """What is read of the ``json`` format."""

    schema: str
    tool: Tool
    started_at: datetime
    checks: tuple[ReportedCheck, ...]
    diagnosis: tuple[ReportedCause, ...]
    attempts: tuple[ReportedAttempt, ...] = ()
    deployment: ReportedDeployment = ReportedDeployment()
    hub: str | None = None
    error: str | None = None
    recorded_at: datetime | None = None  # when the evidence was gathered, in the report on a bundle


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    name: str  # the file as the user named it
    report: ReportDocument
    recording: Recording | None = None  # None: a report alone

    @property
    def at(self) -> datetime:
        """When the installation was examined."""
        return self.recording.manifest.created if self.recording else self.report.recorded_at or self.report.started_at


def read_side(path: Path) -> Side:
    """A bundle, or a JSON report. Raises ``Refused`` with a sentence that names the file."""
    data = read_file(path)
    if looks_like_json(data):
        if len(data) > LARGEST_MEMBER:
            raise Refused(f"{path} cannot be compared: it is larger than any report.")
        return Side(str(path), _document(path, data))
    recording = read_bundle(path)
    if recording.report is None:
        raise Refused(f"{path} cannot be compared: it holds no {REPORT_JSON}.")
    return Side(str(path), _document(path, recording.report), recording)


def _document(path: Path, data: bytes) -> ReportDocument:
    try:
        content = load(data)
        _check_schema(content)
        document = decode(ReportDocument, content)
    except Malformed as error:
        raise Refused(f"{path} cannot be compared: its report is wrong: {error}.") from error
    except Refused as error:
        raise Refused(f"{path} cannot be compared: {error}.") from error
    if document.error is not None:
        raise Refused(f"{path} cannot be compared: it is the report of a run that could not begin: {document.error}")
    return document


def _check_schema(content: Any) -> None:
    written = content.get("schema") if isinstance(content, dict) else None
    match = re.fullmatch(r"ot-doctor/report/([0-9]{1,6})", written) if isinstance(written, str) else None
    if not match:
        raise Refused("it is not a JSON report of ot-doctor ('ot-doctor --format json' writes one)")
    if int(match[1]) != _VERSION:
        newer = int(match[1]) > _VERSION
        raise Refused(f"it is a report of {'a newer' if newer else 'an older'} ot-doctor{'. Update ot-doctor' if newer else ''}")
