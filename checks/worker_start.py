"""What the worker's log says outside diarization jobs: while it starts, and at log-in."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Status, check, passed, skipped
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

from ._log_finding import finding, moment, not_a_worker_log, of_no_worker
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

    An error that no signature knows is judged by its structure: the exception,
    the number of the operating system's error, the HTTP status, the signal. One
    that nothing explains is shown as it is: a log that ends in an error never
    passes. Errors of other tasks than diarization do not count.

    What the log says is compared with the current state; a line that is older
    than the last success no longer counts.

    To fix it, follow the steps for the cause that the line shows.
    """
    if wrong := not_a_worker_log(log):
        yield wrong
        return
    now = Present(hub, token, cache, host, workers, deployment, env_file)
    fresh = [hit for hit in log.stray if hit.cause and not hit.generic and not _before_a_success(hit, log)]
    telling = {(hit.cause, hit.subject): hit for hit in fresh if hit.cause != Cause.UNRECOGNISED.value}
    unexplained = [hit for hit in fresh if hit.cause == Cause.UNRECOGNISED.value]
    findings = [_finding(hit, [hit], log, now) for hit in telling.values()]
    if unexplained and not _explained(findings, log):
        findings.append(_finding(unexplained[-1], unexplained, log, now))
    read = [source for source in log.sources if source.lines_read]
    if findings:
        yield from findings
    elif not read:
        yield skipped("The worker has written no log yet.")
    elif not any(source.of_a_worker for source in read):
        yield of_no_worker(read)
    else:
        yield passed(_looked_at(log))


def _finding(hit: Hit, shown: list[Hit], log: WorkerLog, now: Present) -> Finding:
    where = log.sources[0].name if len(log.sources) == 1 else "a worker"
    what = f"An error outside any job ({moment(hit.record.at)})"
    records = [(where, one.record) for one in shown]
    return finding(what, hit.cause, hit.subject, hit.certain, records, now, possible=hit.possible)


def _explained(findings: list[Finding], log: WorkerLog) -> bool:
    """Whether something else is wrong, from which an error may come that nothing explains."""
    newest = log.newest_ended
    return any(one.status is Status.FAIL for one in findings) or (newest is not None and newest.outcome is Outcome.FAILED)


def _looked_at(log: WorkerLog) -> str:
    lines, attempts = sum(source.lines_read for source in log.sources), len(log.attempts)
    succeeded = any(attempt.current and attempt.outcome in _GOOD for attempt in log.attempts)
    since = " since the newest success" if succeeded else " outside jobs"
    others = " Errors of other tasks than diarization are left out." if any(source.other_errors for source in log.sources) else ""
    said = "line" if lines == 1 else "lines"
    tried = "attempt" if attempts == 1 else "attempts"
    return f"{lines:,} {said}, {attempts} {tried}, no error{since}.{others}"


def _before_a_success(hit: Hit, log: WorkerLog) -> bool:
    """Both in the same run of the same log, so their times compare."""
    at = hit.record.at
    return at is not None and any(
        attempt.current and attempt.outcome in _GOOD and attempt.ended_at is not None and at < attempt.ended_at
        for attempt in log.attempts
    )
