from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import Unavailable
from ot_doctor_checks.gpu_calculates import gpu_calculates
from tests.checks.evidence import cuda, only

NO_DRIVER = 'The engine could not start a container: could not select device driver "" with capabilities: [[gpu]]'


def test_a_right_result_passes_with_the_memory_before_and_during() -> None:
    finding = only(gpu_calculates, cuda())
    assert finding.status is Status.PASS and "1.0 of 24.0 GB used before, 2.0 of 24.0 GB used during" in finding.message


@pytest.mark.parametrize(
    ("stage", "text", "more", "cause"),
    [
        ("start", NO_DRIVER, {}, Cause.GPU_UNAVAILABLE),
        ("nvml", "Unknown Error", {}, Cause.GPU_UNAVAILABLE),
        ("import", "ImportError: libcudnn.so.9: cannot open shared object file", {}, Cause.LIB_MISMATCH),
        ("context", "AssertionError: Torch not compiled with CUDA enabled", {"built_for": ""}, Cause.GPU_UNAVAILABLE),
        ("context", "RuntimeError: The NVIDIA driver on your system is too old", {}, Cause.GPU_LIBRARY),
        ("calculate", "", {"exit_code": 139}, Cause.GPU_LIBRARY),
        ("done", "the result is wrong", {}, Cause.GPU_LIBRARY),
    ],
)
def test_each_stage_that_fails_has_its_cause(stage: str, text: str, more: dict[str, object], cause: Cause) -> None:
    finding = only(gpu_calculates, cuda(ok=False, stage=stage, text=text, **more))
    assert (finding.status, finding.cause) == (Status.FAIL, cause)
    assert (text or "exit code 139") in f"{finding.message} {finding.evidence[0].text}"


@pytest.mark.parametrize(
    ("stage", "text", "code"),
    [("start", "no such file or directory", 0), ("calculate", "CUDA out of memory", 0), ("import", "", 137)],
)
def test_what_says_nothing_of_the_gpu_is_unknown(stage: str, text: str, code: int) -> None:
    assert only(gpu_calculates, cuda(ok=False, stage=stage, text=text, exit_code=code)).status is Status.UNKNOWN


def test_not_tried() -> None:
    assert only(gpu_calculates, Unavailable("A job is running.", switched_off=True)).status is Status.SKIP
    assert only(gpu_calculates, Unavailable("too slow")).status is Status.UNKNOWN
