"""What became of the last diarization."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Step, check, passed, skipped, unknown
from ot_doctor.evidence import (
    Attempt,
    Deployment,
    EnvFile,
    Host,
    Hub,
    LogSource,
    ModelCache,
    Outcome,
    Unavailable,
    WorkerLog,
    Workers,
    WorkerToken,
)

from ._defects import with_fix
from ._log_finding import finding, known_cause, moment, seen_record, unnamed
from ._log_remedies import WORDS
from ._present import Present
from ._remedies import run_again

_ABOUT_THE_CONTAINER = (Cause.OUT_OF_MEMORY, Cause.WORKER_DOWN, Cause.GPU_UNAVAILABLE)


@check("last-attempt", title="The last diarization succeeded", family=Family.LOGS, causes=tuple(WORDS))
def last_attempt(
    log: WorkerLog,
    hub: Hub | Unavailable,
    token: WorkerToken | Unavailable,
    cache: ModelCache | Unavailable,
    host: Host | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
    env_file: EnvFile | Unavailable,
) -> Iterator[Finding]:
    """The worker's log tells how the newest diarization ended, and why.

    The application shows 'Failed to download or load AI models' for an
    agreement that is not accepted, for a full disk and for a wrong owner alike;
    the log holds the real error. Only the container's present run counts, a
    failure before the newest success is history, and an error that is followed
    by speakers is none. OpenTranscribe may try a file that failed several
    times: these are attempts of one file, with one cause.

    What the log says is held against what is there now. Where the Hub gives the
    models to the token by now, or the folder has the right owner, the failure is
    a warning: run the job again. Where the log's own words could mean many
    things ('locate the file on the Hub', 'private or gated', 'NoneType'), what
    is wrong now decides. An attempt whose error is not known here is shown with
    its decisive lines.

    Where the Hub gives the models to the worker's token, no new token helps,
    and none is advised.

    Where there is no attempt yet, upload a short file with two voices.
    """
    now = Present(hub, token, cache, host, workers, deployment, env_file)
    current = [a for a in log.attempts if a.current and a.outcome is not Outcome.DISABLED]
    running = [a for a in current if a.outcome is Outcome.UNFINISHED]
    ended = [a for a in current if a.outcome is not Outcome.UNFINISHED]
    unread = next((source for source in log.sources if source.end_unread), None)
    if running and unread is None and (not ended or running[0].lines > ended[0].lines or running[0].worker != ended[0].worker):
        yield skipped(f"A diarization is still running in {running[0].worker} since {moment(running[0].started_at)}.")
    if current and unread:
        yield _not_to_the_end(unread)
    elif ended:
        yield _ended(ended[0], ended[1:], now)
    elif not running:
        yield _none(log)


def _not_to_the_end(source: LogSource) -> Finding:
    return unknown(
        f"{source.name} was read for {source.lines_read} lines and not to its end, where a newer diarization may stand: "
        f"{source.problem}",
        remedy=[Step("Give ot-doctor the end of the log, or more time with --timeout 300.")],
    )


def _ended(attempt: Attempt, older: list[Attempt], now: Present) -> Finding:
    when = f"{moment(attempt.ended_at or attempt.started_at)} in {attempt.worker}"
    failed = f"The last diarization failed ({when}{_tries(attempt, older)})"
    if attempt.outcome is Outcome.FAILED and known_cause(attempt.cause) is Cause.UNRECOGNISED:
        return unnamed(failed, attempt, now)
    if attempt.outcome is Outcome.FAILED:
        subject = attempt.subject or (attempt.worker if known_cause(attempt.cause) in _ABOUT_THE_CONTAINER else None)
        records = [(attempt.worker, record) for record in attempt.decisive]
        special = next((hit.remedy for hit in attempt.hits if hit.remedy and hit.cause == attempt.cause), "")
        found = finding(failed, attempt.cause, subject, attempt.certain, records, now, special)
        return with_fix(found, attempt.hits, now.deployment)
    speakers = "" if attempt.speakers is None else f", {attempt.speakers} speaker{'' if attempt.speakers == 1 else 's'}"
    settings = f" ({attempt.settings})" if attempt.settings else ""
    engine = ", by the native engine" if attempt.engine == "native" else ""
    notes = ""
    if attempt.stood_in:
        notes += " PyAnnote did the work, slower, because the native engine was not available."
    if attempt.outcome is Outcome.RECOVERED:
        notes += " An error on the way did not stop it."
    if attempt.speakers == 1:
        notes += (
            " One speaker only: right for one voice. For more, look at the speaker limits (these, and each user's own), "
            "and try a recording with clearly different voices."
        )
    failure = next((a for a in older if a.outcome is Outcome.FAILED), None)
    if failure:
        notes += f" The error at {moment(failure.ended_at or failure.started_at)} is history."
    return passed(
        f"The last diarization succeeded ({when}{engine}){speakers}{settings}.{notes}",
        evidence=[seen_record(attempt.worker, record) for record in attempt.decisive],
    )


def _tries(attempt: Attempt, older: list[Attempt]) -> str:
    """How often the same file was tried, and failed for the same cause."""
    what = (Outcome.FAILED, attempt.file, attempt.cause)
    same = itertools.takewhile(lambda former: (former.outcome, former.file, former.cause) == what, older)
    tries = attempt.tries + (sum(a.tries for a in same) if attempt.file else 0)
    return f"; {tries} attempts of one file" if tries > 1 else ""


def _none(log: WorkerLog) -> Finding:
    unread = [source for source in log.sources if source.problem]
    if unread:
        return unknown(
            f"No diarization was found in the last {unread[0].lines_read} lines of {unread[0].name}: {unread[0].problem}",
            remedy=[run_again()],
        )
    former = next((a for a in log.attempts if a.outcome is Outcome.FAILED), None)
    history = ""
    if former:
        words = WORDS.get(known_cause(former.cause), former.cause)
        history = f" The last one before that failed ({moment(former.ended_at or former.started_at)}): {words}."
    since = next((source.since for source in log.sources if source.since), None)
    start = f"since the container started at {moment(since)}" if since else "as far as the log goes"
    return skipped(
        f"No diarization was attempted {start}.{history} Upload a short file with two voices, then run ot-doctor again.",
        evidence=[seen_record(former.worker, record) for record in former.decisive] if former else [],
    )
