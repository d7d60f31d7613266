"""Evidence of a healthy native engine, unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ot_doctor.evidence import NativeEngine, NativeModels, Provisioning, Readiness, Role, ScratchFolder, Worker
from tests.checks.evidence import WORKER, record, worker

SIDECAR = "opentranscribe-diar-native-1"
MODELS = "/srv/ot/models/diar-native"


def sidecar(**changes: Any) -> Worker:
    return worker(SIDECAR, service="diar-native", role=Role.OTHER, env={}, **changes)


def readiness(status: int = 200, **changes: Any) -> Readiness:
    return replace(Readiness(WORKER, "http://diar-native:8701/readyz", status, "verified"), **changes)


def native_models(**changes: Any) -> NativeModels:
    return replace(NativeModels(MODELS, marked=True, tested=True, files=12), **changes)


def provisioning(text: str, *, code: int | None = None, **changes: Any) -> Provisioning:
    return replace(Provisioning("opentranscribe-backend", record(text), done=False, exit_code=code), **changes)


def native(**changes: Any) -> NativeEngine:
    usual = NativeEngine(
        configured=True, configured_by="the default of v0.5", required=False, sidecars=(sidecar(),), readiness=readiness(),
        models=native_models(), scratch=(ScratchFolder(WORKER, "/scratch/opentranscribe", True, "1000:999", "drwxr-xr-x"),),
    )  # fmt: skip
    return replace(usual, **changes)
