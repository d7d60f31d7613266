from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import NvmlAnswer, SeenGpu, Unavailable
from ot_doctor_checks.gpu_answers import gpu_answers
from tests.checks.evidence import deployment, only, probe, workers

GPU = SeenGpu("NVIDIA RTX 4090", 24_000_000_000, 3_000_000_000)


def judge(gpu: NvmlAnswer | None) -> Finding:
    return only(gpu_answers, probe(gpu=gpu, devices=("nvidia0", "nvidiactl")), workers(), deployment())


def test_a_gpu_that_answers_passes() -> None:
    finding = judge(NvmlAnswer(True, 0, driver="550.90", gpus=(GPU,)))
    assert finding.status is Status.PASS and "NVIDIA RTX 4090 (3.0 of 24.0 GB used), driver 550.90" in finding.message


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (NvmlAnswer(True, 999, "Unknown Error"), Cause.GPU_UNAVAILABLE),
        (NvmlAnswer(True, 0, driver="550.90"), Cause.GPU_UNAVAILABLE),
        (NvmlAnswer(True, 18, "Driver/library version mismatch"), Cause.GPU_LIBRARY),
    ],
)
def test_a_gpu_that_is_lost_fails_and_the_worker_is_recreated(answer: NvmlAnswer, cause: Cause) -> None:
    finding = judge(answer)
    assert (finding.status, finding.cause) == (Status.FAIL, cause)
    assert any("--force-recreate" in (step.command or "") for step in finding.remedy)
    assert "nvidia0, nvidiactl" in finding.evidence[1].text


def test_without_a_library_or_a_gpu_nothing_is_said() -> None:
    assert judge(None).status is Status.SKIP
    assert judge(NvmlAnswer(False, 0, "no such file")).status is Status.SKIP
    assert only(gpu_answers, Unavailable("off"), workers(), deployment()).status is Status.SKIP
