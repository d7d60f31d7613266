from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import GpuGrant, ImportTest, Unavailable
from ot_doctor_checks.worker_imports import worker_imports
from tests.checks.evidence import imports, only, statuses, worker, workers


def test_libraries_that_can_be_imported_pass() -> None:
    finding = only(worker_imports, imports(), workers())
    assert finding.status is Status.PASS and "torch 2.8.0, pyannote.audio 4.0.5" in finding.message
    extra = imports(ImportTest("whisperx", False, True, text="ModuleNotFoundError: No module named 'whisperx'"))
    assert only(worker_imports, extra, workers()).status is Status.PASS, "not every release has it"


@pytest.mark.parametrize("missing", [True, False])
def test_one_that_cannot_is_a_mismatch(missing: bool) -> None:
    broken = imports(ImportTest("torch", False, missing, text="ImportError: libcudnn.so.9 (__init__.py:12)"))
    finding = only(worker_imports, broken, workers())
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.LIB_MISMATCH, "torch")


@pytest.mark.parametrize(("code", "status"), [(139, Status.FAIL), (137, Status.WARN), (142, Status.UNKNOWN)])
def test_an_import_that_ends_the_process(code: int, status: Status) -> None:
    findings = worker_imports(imports(dying="ctranslate2", exit_code=code), workers())
    assert statuses(findings) == [status]


def test_a_torch_without_cuda_is_a_fault_where_a_gpu_was_given() -> None:
    cpu = imports(ImportTest("torch", True, False, "2.8.0+cpu", "no CUDA"))
    assert only(worker_imports, cpu, workers()).cause is Cause.GPU_UNAVAILABLE
    assert only(worker_imports, cpu, workers(worker(gpu=GpuGrant(False)))).status is Status.PASS


def test_not_tried() -> None:
    assert only(worker_imports, Unavailable("off", switched_off=True), workers()).status is Status.SKIP
    assert only(worker_imports, Unavailable("too slow"), workers()).status is Status.UNKNOWN
