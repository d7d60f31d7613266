from __future__ import annotations

import pytest

from ot_doctor.check import Finding, Status
from ot_doctor.evidence import GpuGrant, ReleaseLine, Role, Unavailable, Workers
from ot_doctor_checks.old_template import old_template
from tests.checks.evidence import deployment, env_file, everything_said, worker, workers

KEYS = "REDIS_PASSWORD=a\nJWT_SECRET_KEY=b\nENCRYPTION_KEY=c\n"
NO_GPU = workers(worker(gpu=GpuGrant(False)))


def judge(text: str, containers: Workers | Unavailable = NO_GPU, line: ReleaseLine = ReleaseLine.V0_5) -> list[Finding]:
    findings: list[Finding] = old_template(env_file(text), deployment(line), containers)
    return findings


def test_nothing_old() -> None:
    assert [f.status for f in judge(KEYS)] == [Status.PASS]
    assert [f.status for f in judge(f"{KEYS}ENGINE_DIARIZER_BACKEND=native\nDIAR_NATIVE_MODE=cpu\n")] == [Status.PASS]
    assert [f.status for f in judge("ENGINE_DIARIZER_BACKEND=pyannote\n", line=ReleaseLine.V0_4)] == [Status.SKIP]


@pytest.mark.parametrize(
    "text, subject, said",
    [
        (f"{KEYS}ENGINE_DIARIZER_BACKEND=pyannote\n", "ENGINE_DIARIZER_BACKEND", "keeps the older engine"),
        (f"{KEYS}DIAR_NATIVE_MODE=cuda\n", "DIAR_NATIVE_MODE", "'docker compose up' fails"),
        (KEYS.replace("REDIS_PASSWORD=a\n", ""), "REDIS_PASSWORD", "backend refuses to start"),
        (KEYS.replace("JWT_SECRET_KEY=b", "JWT_SECRET_KEY="), "JWT_SECRET_KEY", "backend refuses to start"),
    ],
)
def test_an_old_line_is_said_with_what_it_does(text: str, subject: str, said: str) -> None:
    (finding,) = judge(text)
    assert (finding.status, finding.subject) == (Status.WARN, subject)
    assert said in finding.message and finding.remedy
    assert "'a'" not in everything_said(finding)


def test_what_works_all_the_same_is_not_said() -> None:
    assert [f.status for f in judge(f"{KEYS}DIAR_NATIVE_MODE=cuda\n", workers())] == [Status.PASS], "the worker has a GPU"
    backend = worker("backend", service="backend", role=Role.OTHER)
    assert [f.status for f in judge("A=1\n", workers(worker(), backend))] == [Status.PASS], "the backend is healthy"
    assert len(judge("A=1\n", Unavailable("no engine"))) == 3
