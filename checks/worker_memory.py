"""Whether the worker was killed for lack of memory."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, warned
from ot_doctor.evidence import Deployment, Unavailable, Worker, WorkerLog, Workers

from ._remedies import recreate, run_again

_KILLED = 137


@check("worker-memory", title="The worker has enough memory", family=Family.WORKER, causes=(Cause.OUT_OF_MEMORY,))
def worker_memory(workers: Workers, deployment: Deployment | Unavailable, log: WorkerLog | Unavailable) -> Iterator[Finding]:
    """A worker that runs out of memory is killed by the kernel without a message.

    With v0.4's thread pool the whole container dies and its log shows only a
    new start. The container's OOM flag shows it. Exit code 137 without that
    flag proves nothing: 'docker kill' and a slow stop end the same way.

    The engine clears the flag when it starts a container. On one that is
    running it therefore tells of another process than the worker: one of its
    children, or a command that was run in the container, such as a health
    check. That fails only if the last diarization ran out of memory as well.

    To fix it, raise the container's memory limit, give Docker Desktop or WSL
    more memory, or use a smaller WHISPER_MODEL, and recreate the worker.
    """
    if not workers.diarizers:
        yield skipped("There is no diarization worker.")
    for worker in workers.diarizers:
        seen = [Seen("container", f"{worker.name} State", _state(worker))]
        remedy = [_more_memory(worker), recreate(deployment, workers), run_again()]
        if worker.oom_killed and worker.running and not _ran_out_last(worker, log):
            yield warned(
                f"A process in {worker.name} was killed for lack of memory; the worker itself has run on.",
                cause=Cause.OUT_OF_MEMORY,
                subject=worker.name,
                evidence=seen,
                remedy=remedy,
            )
        elif worker.oom_killed:
            what = f"A process of {worker.name}" if worker.running else worker.name
            yield failed(
                Cause.OUT_OF_MEMORY,
                f"{what} was killed for lack of memory: {_ran_out(worker)}.",
                subject=worker.name,
                expected="enough memory for the models and the audio",
                evidence=seen,
                remedy=remedy,
            )
        elif worker.exit_code == _KILLED and not worker.running:
            yield passed(
                f"{worker.name} was killed or stopped by hand (exit code 137); the engine does not report a lack of memory.",
                subject=worker.name,
                evidence=seen,
            )
        else:
            yield passed(f"{worker.name} was not killed for lack of memory.", subject=worker.name, evidence=seen)


def _more_memory(worker: Worker) -> Step:
    model = worker.setting("WHISPER_MODEL")
    smaller = f"use a smaller WHISPER_MODEL than {model}" if model else "use a smaller WHISPER_MODEL"
    where = "the container's 'mem_limit' in the Compose file" if worker.memory_limit else "the machine's memory"
    return Step(
        f"Either raise {where} (Docker Desktop: Settings, Resources; WSL: memory= in .wslconfig), or {smaller} in the .env.",
        risk=Risk.CHANGES_FILES,
    )


def _limit(worker: Worker) -> str:
    if worker.memory_limit:
        return f"its limit is {worker.memory_limit / 2**30:.1f} GiB ({worker.memory_limit} bytes)"
    return "it has no memory limit"


def _ran_out(worker: Worker) -> str:
    return _limit(worker) if worker.memory_limit else f"{_limit(worker)}, so the machine's memory ran out"


def _state(worker: Worker) -> str:
    flag = "OOMKilled" if worker.oom_killed else "no OOM flag"
    return f"{worker.status}, exit code {worker.exit_code}, {flag}, restarted {worker.restart_count} times; {_limit(worker)}"


def _ran_out_last(worker: Worker, log: WorkerLog | Unavailable) -> bool:
    newest = None if isinstance(log, Unavailable) else log.newest
    return newest is not None and newest.worker == worker.name and newest.cause == Cause.OUT_OF_MEMORY.value
