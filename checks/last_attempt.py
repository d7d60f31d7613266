"""What became of the last diarization."""

from __future__ import annotations

import itertools
import re
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
    WorkerProbe,
    Workers,
    WorkerToken,
)

from ._defects import with_fix
from ._log_finding import finding, known_cause, moment, not_a_worker_log, seen_record, unnamed
from ._log_remedies import WORDS
from ._present import Present
from ._remedies import run_again
from ._worker_view import NOT_LOOKED, reaches_hub_and_storage

_LIMIT = re.compile(r"(\w+)'?\s*[:=]\s*([\w.]+)")  # of "{'max_speakers': 20}" and "max_speakers=20"
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
    probe: WorkerProbe | Unavailable = NOT_LOOKED,
) -> Iterator[Finding]:
    """The worker's log shows how the newest diarization ended, and why.

    The application shows 'Failed to download or load AI models' for an
    model whose terms are not accepted, for a full disk and for a wrong owner;
    the log has the real error. Only the container's current run counts. A
    failure before the newest success no longer counts, and neither does an
    error after which speakers were found all the same. OpenTranscribe may try
    a failed file several times: these are attempts of one file, with one cause.

    What the log says is compared with the current state. If the Hub now gives
    the models to the token, or the folder now has the right owner, the failure
    is a warning: run the job again. If the log's message is ambiguous ('locate
    the file on the Hub', 'private or gated', 'NoneType'), what is wrong right
    now decides. A failure counts as fixed only if something newer than it
    shows that. An error that ot-doctor does not know is a failure of its own,
    shown with its lines.

    If the Hub gives the models to the worker's token, a new token does not
    help, and none is recommended.

    To fix a missing attempt, upload a short file with two voices.
    """
    if wrong := not_a_worker_log(log):
        yield wrong
        return
    now = Present(hub, token, cache, host, workers, deployment, env_file, reaches_hub_and_storage(probe))
    current = [a for a in log.attempts if a.current and a.outcome is not Outcome.DISABLED]
    running = [a for a in current if a.outcome is Outcome.UNFINISHED]
    ended = [a for a in current if a.outcome is not Outcome.UNFINISHED]
    unread = next((source for source in log.sources if source.end_unread), None)
    if running and unread is None and (not ended or running[0].lines > ended[0].lines or running[0].worker != ended[0].worker):
        yield skipped(f"A diarization has been running in {running[0].worker} since {moment(running[0].started_at)}.")
    if current and unread:
        yield _not_to_the_end(unread)
    elif ended:
        yield _ended(ended[0], ended[1:], now)
    elif not running:
        yield _none(log)


def _not_to_the_end(source: LogSource) -> Finding:
    return unknown(
        f"Only {source.lines_read} lines of {source.name} were read, and a newer diarization may come after them: "
        f"{source.problem}",
        remedy=[Step("Either give ot-doctor only the end of the log, or give it more time: --timeout 300.")],
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
        failure = finding(failed, attempt.cause, subject, attempt.certain, records, now, special)
        return with_fix(failure, attempt.hits, now.deployment)
    limits = ", ".join(f"{name}={value}" for name, value in _LIMIT.findall(attempt.settings) if value != "None")
    settings = f" ({limits})" if limits else ""
    engine = ", by the native engine" if attempt.engine == "native" else ""
    found = "" if attempt.speakers is None else f" and found {attempt.speakers} speakers{settings}"
    if attempt.speakers == 1:
        found = f", but found only 1 speaker{settings}"
    notes = ""
    if attempt.stood_in:
        notes += " PyAnnote did the work, slower, because the native engine was not available."
    if attempt.outcome is Outcome.RECOVERED:
        notes += " An error during the run did not stop it."
    if attempt.speakers == 1:
        notes += (
            " That is right for a recording of one voice. If more people speak, check the speaker limits (these, and each "
            "user's own), and try a recording with clearly different voices."
        )
    earlier = next((a for a in older if a.outcome is Outcome.FAILED), None)
    if earlier:
        notes += f" An earlier error ({moment(earlier.ended_at or earlier.started_at)}) no longer counts."
    return passed(
        f"The last diarization succeeded ({when}{engine}){found}.{notes}",
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
    start = f"since the container started ({moment(since)})" if since else "in this log"
    return skipped(
        f"No diarization was attempted {start}.{history} Upload a short file with two voices, then run ot-doctor again.",
        evidence=[seen_record(former.worker, record) for record in former.decisive] if former else [],
    )
