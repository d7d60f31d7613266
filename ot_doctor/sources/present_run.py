"""When the run of a container began whose log is the present one."""

from __future__ import annotations

from datetime import datetime, timedelta

from ot_doctor.evidence.workers import Worker


def present_run(worker: Worker) -> datetime | None:
    """From when on the log is the present run's, by the engine's time stamps.

    The engine notes the start some milliseconds after the first lines can have been written, so the end of the run before counts.
    Podman's stamps have no fraction of a second.
    """
    since = _present_run(worker)
    return since.replace(microsecond=0) if since and worker.engine.podman else since


def _present_run(worker: Worker) -> datetime | None:
    started, finished = worker.started_at, worker.finished_at
    if finished is not None and started is not None and finished <= started:
        return finished
    if worker.running or worker.restart_count == 0:
        first_run = started is None or worker.created_at is None or started - worker.created_at < timedelta(seconds=30)
        if worker.running or first_run:
            return worker.created_at
    return started - timedelta(seconds=1) if started else worker.created_at
