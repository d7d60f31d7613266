from __future__ import annotations

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import NativeEngine, Outcome, ReleaseLine, ScratchFolder, Unavailable, WorkerLog, Workers
from ot_doctor_checks.scratch_volume import scratch_volume
from tests.checks.evidence import WORKER, attempt, deployment, everything_said, only, worker, worker_log, workers
from tests.checks.native import native

ROOTS = (ScratchFolder(WORKER, "/scratch/opentranscribe", False, "0:0", "drwxr-xr-x"),)


def judge(evidence: NativeEngine, log: WorkerLog | None = None, containers: Workers | None = None) -> Finding:
    return only(scratch_volume, evidence, containers or workers(), deployment(ReleaseLine.V0_5), log or Unavailable("none"))


def test_usable_or_not_there() -> None:
    assert judge(native()).status is Status.PASS
    assert judge(native(scratch=())).status is Status.SKIP


def test_of_root() -> None:
    finding = judge(native(scratch=ROOTS))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.SCRATCH_PERMISSION, "/scratch/opentranscribe")
    assert "belongs to 0:0" in finding.message
    assert f"docker exec -u 0 {WORKER} chown -hR 1000:999 /scratch/opentranscribe" in everything_said(finding)
    assert judge(native(scratch=ROOTS), worker_log(attempt(Outcome.FAILED))).status is Status.FAIL
    assert judge(native(scratch=ROOTS), worker_log(attempt())).status is Status.WARN


def test_the_remedy_of_a_stopped_worker_names_the_volume() -> None:
    from ot_doctor.evidence import Mount

    mount = Mount("volume", "/var/lib/docker/volumes/x/_data", "/scratch/opentranscribe", True, "opentranscribe_pipeline_scratch")
    stopped = workers(worker(status="exited", mounts=(mount,)))
    said = everything_said(judge(native(scratch=ROOTS), containers=stopped))
    assert "source=opentranscribe_pipeline_scratch" in said and "-hR 1000:999 /models" in said


def test_unseen() -> None:
    assert judge(native(scratch=(), scratch_unseen="it did not answer")).status is Status.UNKNOWN
    assert judge(native(scratch=(), scratch_unseen="x", exec_left_out=True)).status is Status.SKIP
