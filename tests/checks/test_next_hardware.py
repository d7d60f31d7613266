from __future__ import annotations

from dataclasses import replace

from ot_doctor.check import Status
from ot_doctor.evidence import GpuGrant, NextRelease, ReleaseLine, Workers
from ot_doctor_checks.next_hardware import next_hardware
from tests.checks.evidence import ENGINE, worker

GIB = 2**30


def seen(memory: int, limit: int = 0, line: ReleaseLine = ReleaseLine.V0_5, *, gpu: bool = True) -> tuple[Status, str]:
    containers = (worker(memory_limit=limit, gpu=GpuGrant(gpu)),)
    (finding,) = next_hardware(NextRelease(line, line.value, asked=True), Workers(replace(ENGINE, memory=memory), containers))
    return finding.status, finding.message


def test_memory_at_which_the_release_was_reported_to_fail() -> None:
    assert seen(64 * GIB)[0] is Status.PASS
    status, message = seen(16 * GIB)
    assert status is Status.WARN and "16.0 GiB" in message and "137" in message
    assert seen(64 * GIB, limit=8 * GIB)[0] is Status.WARN, "the container's limit counts"
    assert seen(16 * GIB, line=ReleaseLine.V0_4)[0] is Status.PASS


def test_the_gpu_is_said() -> None:
    assert "with a GPU" in seen(64 * GIB)[1]
    assert "without a GPU" in seen(64 * GIB, gpu=False)[1]


def test_an_engine_that_does_not_tell() -> None:
    assert seen(0)[0] is Status.SKIP
