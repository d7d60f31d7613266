from __future__ import annotations

from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import COMMUNITY_1, NativeModels, ReleaseLine
from ot_doctor_checks.native_models import native_models
from tests.checks import native as n
from tests.checks.evidence import cache, deployment, everything_said, only

V0_5 = deployment(ReleaseLine.V0_5)
NONE = n.native_models(marked=False, tested=False, files=0)


def judge(**changes: Any) -> Finding:
    return only(native_models, n.native(**changes), V0_5, cache())


def test_complete() -> None:
    assert judge().status is Status.PASS
    assert judge(models=None, models_unseen="x").status is Status.PASS, "the engine itself says that it is ready"


@pytest.mark.parametrize(
    "code, text, said",
    [
        (5, "diar-native provisioning failed (exit 5): token denied", f"https://huggingface.co/{COMMUNITY_1}"),
        (
            7,
            "diar-native provisioning failed (exit 7): /models is not writable",
            "chown -hR 1000:999 /srv/ot/models/diar-native",
        ),
        (4, "diar-native provisioning failed (exit 4): x", "The conversion of the models broke off."),
        (None, "diar-native provisioning failed: export exceeded 1800s.", "export exceeded 1800s"),
    ],
)
def test_a_failed_export(code: int | None, text: str, said: str) -> None:
    failed = n.provisioning(text, code=code)
    finding = judge(models=NONE, provisioning=failed, readiness=None)
    assert (finding.status, finding.cause) == (Status.WARN, Cause.NATIVE_UNAVAILABLE)
    again = "up -d --force-recreate --no-deps --pull never --no-build backend diar-native"
    assert said in everything_said(finding) and again in everything_said(finding)
    assert judge(models=NONE, provisioning=failed, readiness=None, required=True).status is Status.FAIL


@pytest.mark.parametrize(
    "models, said",
    [
        (NONE, "no usable list diar-provision.json"),
        (n.native_models(tested=False), "did not pass their test"),
        (n.native_models(wrong=("plda.npz",)), "plda.npz"),
        (n.native_models(files=0), "names no file"),
    ],
)
def test_incomplete(models: NativeModels, said: str) -> None:
    finding = judge(models=models)
    assert finding.status is Status.WARN and said in finding.message


def test_unseen_and_not_configured() -> None:
    unseen = {"models": None, "models_unseen": "x is not running", "readiness": None}
    assert judge(**unseen).status is Status.UNKNOWN
    assert judge(**unseen, exec_left_out=True).status is Status.SKIP
    assert judge(configured=False).status is Status.SKIP
