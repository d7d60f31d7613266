"""What the worker's log says outside diarization jobs: while it starts, and at log-in."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, check, passed, skipped
from ot_doctor.evidence import (
    Deployment,
    EnvFile,
    Hit,
    Host,
    Hub,
    ModelCache,
    Outcome,
    Unavailable,
    WorkerLog,
    Workers,
    WorkerToken,
)

from ._defects import with_fix
from ._log_finding import finding, moment, not_a_worker_log
from ._log_remedies import WORDS
from ._present import Present

_GOOD = (Outcome.SUCCEEDED, Outcome.RECOVERED)


@check("worker-start", title="The worker started without errors", family=Family.LOGS, causes=tuple(WORDS))
def worker_start(
    log: WorkerLog,
    hub: Hub | Unavailable,
    token: WorkerToken | Unavailable,
    cache: ModelCache | Unavailable,
    host: Host | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
    env_file: EnvFile | Unavailable,
) -> Iterator[Finding]:
    """Some faults show before the first job, or in another celery worker.

    A speaker limit that is not a number, or a missing library, ends the worker
    at start-up. 'Failed to register HuggingFace token: Invalid user token.'
    from any Celery worker means that the token is bad. The GPU worker of v0.4
    never logs in, so the absence of that line proves nothing.

    What the log says is compared with the current state; a line that is older
    than the last success no longer counts.

    To fix it, follow the steps for the cause that the line shows.
    """
    if wrong := not_a_worker_log(log):
        yield wrong
        return
    now = Present(hub, token, cache, host, workers, deployment, env_file)
    telling = {(hit.cause, hit.subject): hit for hit in log.stray if hit.cause and not hit.generic}
    fresh = [hit for hit in telling.values() if not _before_a_success(hit, log)]
    for hit in fresh:
        where = log.sources[0].name if len(log.sources) == 1 else "a worker"
        what = f"An error outside any job ({moment(hit.record.at)})"
        found = finding(what, hit.cause, hit.subject, hit.certain, [(where, hit.record)], now)
        yield with_fix(found, [hit], deployment)
    if fresh:
        return
    if log.sources and any(source.lines_read for source in log.sources):
        yield passed("The log shows no error outside jobs.")
    else:
        yield skipped("The worker has written no log yet.")


def _before_a_success(hit: Hit, log: WorkerLog) -> bool:
    """Both in the same run of the same log, so their times compare."""
    at = hit.record.at
    return at is not None and any(
        attempt.current and attempt.outcome in _GOOD and attempt.ended_at is not None and at < attempt.ended_at
        for attempt in log.attempts
    )
