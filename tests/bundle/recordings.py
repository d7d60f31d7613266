"""Runs on planted evidence, and the bundles that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ot_doctor.bundle.writing import Bundle, make_bundle
from ot_doctor.evidence import (
    AskedEnvFile,
    ComposeConfig,
    Deployment,
    EnvFile,
    Frontend,
    Host,
    Hub,
    Installation,
    ModelCache,
    NativeEngine,
    NextRelease,
    ReleaseLine,
    Request,
    WorkerCuda,
    WorkerImports,
    WorkerLog,
    WorkerProbe,
    Workers,
    WorkerToken,
)
from ot_doctor.redaction.redactor import Redactor
from tests.checks import evidence as e
from tests.checks.native import native

CREATED = datetime(2026, 11, 21, 6, 30, 12, tzinfo=timezone.utc)
REPORT_JSON = '{"schema": "ot-doctor/report/1"}\n'


def healthy(**changes: object) -> dict[type, object]:
    """Every type of evidence with the values of a healthy installation; ``changes`` by the types' names."""
    usual: dict[type, object] = {
        Installation: Installation(e.HOME, "--dir", (e.COMPOSE_PATH,)),
        Workers: e.workers(),
        Deployment: e.deployment(),
        EnvFile: e.env_file(),
        AskedEnvFile: AskedEnvFile(None),
        ComposeConfig: e.compose(),
        WorkerToken: e.token(),
        NativeEngine: native(),
        ModelCache: e.cache(),
        NextRelease: NextRelease(ReleaseLine.V0_5, "v0.5", asked=False, moves=True),
        Frontend: Frontend("opentranscribe-frontend", "frontend", "/usr/share/nginx/html", 7),
        Hub: e.hub(),
        WorkerLog: e.worker_log(e.attempt()),
        Host: e.host(),
        WorkerProbe: e.probe(),
        WorkerImports: e.imports(),
        WorkerCuda: e.cuda(),
    }
    return {kind: changes.get(kind.__name__, value) for kind, value in usual.items()}


def bundle_of(evidence: Mapping[type, object], **changes: Any) -> Bundle:
    """A bundle of that evidence, with documents that say nothing unless a test gives others."""
    usual: dict[str, Any] = {
        "request": Request(directory=e.HOME, cwd=Path("/srv"), environ={"SHELL_TOKEN": e.TOKEN}),
        "report_text": "# nothing\n",
        "report_json": REPORT_JSON,
        "created": CREATED,
        "level": "default",
        "redactor": Redactor("default", "", ""),
    }
    return make_bundle(evidence, **(usual | changes))
