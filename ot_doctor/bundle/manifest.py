"""What a bundle says of itself, and the names of its members."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ot_doctor.evidence import Request
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.sources.store import SOURCES

VERSION = 1
FORMAT = f"ot-doctor/bundle/{VERSION}"
MANIFEST, README = "manifest.json", "README"
REPORT_TEXT, REPORT_JSON = "report.md", "report.json"


@dataclass(frozen=True)
class Tool:
    version: str
    name: str = "ot-doctor"


@dataclass(frozen=True)
class Member:
    """One file of a bundle."""

    name: str
    what: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Manifest:
    format: str
    tool: Tool
    created: datetime  # aware, UTC: when the evidence was gathered
    redact: str  # "default", "strict"
    request: Request  # what was asked for, without the environment
    python: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)  # name to version
    members: tuple[Member, ...] = ()  # all but the manifest
    hidden: tuple[Hidden, ...] = ()


def evidence_name(kind: type) -> str:
    """Where a type of evidence is in the bundle: ``evidence/worker-log.json``."""
    return f"evidence/{re.sub(r'(?<=[a-z])(?=[A-Z])', '-', kind.__name__).lower()}.json"


EVIDENCE: Mapping[str, type] = {evidence_name(kind): kind for kind in SOURCES}
