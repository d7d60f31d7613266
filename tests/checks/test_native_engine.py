from __future__ import annotations

from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import Deployment, ModelCache, NativeEngine, ReleaseLine, Unavailable, WorkerLog
from ot_doctor_checks.native_engine import native_engine
from tests.checks.evidence import attempt, cache, deployment, everything_said, only, statuses, worker_log
from tests.checks.native import native, native_models, readiness, sidecar

V0_5 = deployment(ReleaseLine.V0_5)
NO_LOG = Unavailable("no log")


def judge(
    evidence: NativeEngine | Unavailable,
    cached: ModelCache | None = None,
    log: WorkerLog | Unavailable = NO_LOG,
    where: Deployment = V0_5,
) -> Finding:
    return only(native_engine, evidence, where, cached or cache(), log)


def test_ready() -> None:
    finding = judge(native())
    assert finding.status is Status.PASS and "http://diar-native:8701/readyz answers 200" in everything_said(finding)


def test_pyannote_by_choice_passes() -> None:
    finding = judge(native(configured=False, configured_by="ENGINE_DIARIZER_BACKEND=pyannote in x"))
    assert finding.status is Status.PASS and "PyAnnote in the worker is the configured engine" in finding.message


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"sidecars": ()}, "There is no container of the service diar-native"),
        ({"sidecars": (sidecar(status="restarting", exit_code=8, restart_count=7),)}, "restarts again and again (7 times"),
        ({"sidecars": (sidecar(status="restarting", exit_code=8, restart_count=7),)}, "It finds no models (exit code 8)"),
        ({"sidecars": (sidecar(status="exited", exit_code=1),)}, "has stopped (exit code 1)"),
        ({"sidecars": (sidecar(status="created", error="no GPU"),)}, "was created and never started. no GPU"),
        ({"sidecars": (sidecar(health="unhealthy", health_output="curl: (7)"),)}, "curl: (7)"),
        ({"readiness": readiness(503, models_state="unverified")}, "is not ready (HTTP 503, models unverified)"),
        ({"readiness": readiness(0)}, "gives no answer in opentranscribe-celery-worker"),
        (
            {"readiness": readiness(0), "sidecars": (sidecar(restart_count=4),), "models": native_models(marked=False)},
            "starts and ends again and again (4 times). It finds no models.",
        ),
    ],
)
def test_away_is_a_warning_unless_it_is_required(changes: dict[str, Any], said: str) -> None:
    finding = judge(native(**changes))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.NATIVE_UNAVAILABLE)
    assert said in everything_said(finding) and "Diarization works, on the slower engine." in finding.message
    required = judge(native(required=True, **changes))
    assert (required.status, required.cause) == (Status.FAIL, Cause.NATIVE_UNAVAILABLE)
    assert "slower engine" not in required.message and required.remedy


def test_that_pyannote_works_is_only_said_where_it_is_known() -> None:
    away = native(sidecars=())
    assert "slower engine" not in judge(away, cache(False)).message
    assert "slower engine" in judge(away, cache(False), worker_log(attempt())).message


def test_what_could_not_be_asked_is_no_pass() -> None:
    assert judge(native(readiness=None, not_asked="x did not answer")).status is Status.UNKNOWN
    assert judge(native(readiness=None, exec_left_out=True)).status is Status.SKIP


def test_without_evidence() -> None:
    missing = Unavailable("this bundle holds nothing about it")
    assert judge(missing, where=deployment()).status is Status.SKIP, "v0.4 has none"
    assert judge(missing).status is Status.UNKNOWN
    assert judge(Unavailable("--no-docker", switched_off=True)).status is Status.SKIP


def test_two_releases() -> None:
    findings = native_engine(native(sidecar_version="v0.5.0", worker_version="v0.5.1"), V0_5, cache(), NO_LOG)
    assert statuses(findings) == [Status.PASS, Status.WARN] and "v0.5.0" in findings[1].message
    assert len(native_engine(native(sidecar_version="v0.5.1", worker_version="v0.5.1"), V0_5, cache(), NO_LOG)) == 1
