from __future__ import annotations

from ot_doctor.check import Cause, Confidence, Finding, Status
from ot_doctor.evidence import ComposeConfig, ComposeService, GpuGrant, Unavailable, Worker, Workers
from ot_doctor_checks.worker_gpu import worker_gpu
from tests.checks.evidence import COMPOSE_PATH, ENGINE, deployment, everything_said, only, worker, worker_log, workers

NONE = GpuGrant(requested=False)
PLAIN = ComposeConfig((COMPOSE_PATH,), {"celery-worker": ComposeService("celery-worker", COMPOSE_PATH, 12)})
WITH_GPU = ComposeConfig((COMPOSE_PATH,), {"celery-worker": ComposeService("celery-worker", COMPOSE_PATH, 12, gpu=True)})


def judged(container: Worker, compose: ComposeConfig = PLAIN, device: str = "") -> Finding:
    return only(worker_gpu, workers(container), compose, worker_log(source={"device": device}), deployment())


def test_a_granted_gpu_passes() -> None:
    finding = judged(worker(), device="cuda")
    assert finding.status is Status.PASS
    assert "GPU 0" in finding.message
    assert judged(worker(gpu=GpuGrant(True, count=-1))).message.endswith("(all GPUs).")


def test_no_gpu_configured_is_skipped() -> None:
    finding = judged(worker(gpu=NONE))
    assert finding.status is Status.SKIP
    assert finding.message == "No GPU is configured."
    assert "runs on the CPU" in judged(worker(gpu=NONE), device="cpu").message


def test_a_gpu_of_the_compose_files_that_the_container_lacks_fails() -> None:
    finding = judged(worker(gpu=NONE), WITH_GPU)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.GPU_UNAVAILABLE)
    assert f"{COMPOSE_PATH}:12" in everything_said(finding)
    assert "--force-recreate" in everything_said(finding)


def test_torch_device_cuda_without_a_gpu_fails_and_use_gpu_warns() -> None:
    assert judged(worker(gpu=NONE, env={"TORCH_DEVICE": "cuda:0"})).status is Status.FAIL
    assert judged(worker(gpu=NONE, env={"USE_GPU": "True"})).status is Status.WARN
    assert judged(worker(gpu=NONE, env={"USE_GPU": "auto", "TORCH_DEVICE": "auto", "GPU_DEVICE_ID": "0"})).status is Status.SKIP


def test_a_granted_gpu_that_the_diarizer_does_not_use_fails_as_likely() -> None:
    finding = judged(worker(), device="cpu")
    assert (finding.status, finding.cause, finding.confidence) == (Status.FAIL, Cause.GPU_UNAVAILABLE, Confidence.LIKELY)


def test_the_cpu_on_purpose_passes() -> None:
    assert judged(worker(env={"TORCH_DEVICE": "cpu"}), device="cpu").status is Status.PASS
    assert judged(worker(env={"USE_GPU": "false"}), device="cpu").status is Status.PASS


def test_it_needs_neither_log_nor_compose_files() -> None:
    gone = Unavailable("not there")
    assert only(worker_gpu, workers(), gone, gone, gone).status is Status.PASS
    assert only(worker_gpu, workers(worker(gpu=NONE, env={"TORCH_DEVICE": "cuda"})), gone, gone, gone).status is Status.FAIL


def test_without_a_worker_there_is_nothing_to_look_at() -> None:
    assert only(worker_gpu, Workers(ENGINE, ()), PLAIN, worker_log(), deployment()).status is Status.SKIP
