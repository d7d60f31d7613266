"""Whether diarization is switched on."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Deployment, Outcome, Unavailable, WorkerLog, Workers
from ot_doctor.evidence.releases import release_of, releases

from ._log_finding import location
from ._remedies import run_again


@check("diarization-enabled", title="Diarization is switched on", family=Family.WORKER, causes=(Cause.DIARIZATION_DISABLED,))
def diarization_enabled(
    log: WorkerLog, workers: Workers | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """A job with diarization switched off gives everything to SPEAKER_00.

    That looks like a failure but is a setting of the user, or of the file when
    it was uploaded. It is in the application's database, so neither the .env
    nor the token has anything to do with it. The worker's log says
    'Diarization disabled' for such a job.

    To fix it, open the application's settings, section Transcription, set
    'Speaker Diarization' to anything but 'Disabled' (v0.5: Settings, Speaker
    Identification, Speaker Detection), and do not tick 'Disable speaker
    diarization' for the file. ENABLE_DIARIZATION in the .env has no effect on it.
    """
    newest = next((attempt for attempt in log.attempts if attempt.current), None)
    if newest is None:
        yield skipped("The log shows no diarization job, so the user's setting is unknown.")
    elif newest.outcome is Outcome.DISABLED:
        yield warned(
            "Diarization is switched off for this user or file: the newest job gave everything to SPEAKER_00.",
            cause=Cause.DIARIZATION_DISABLED,
            subject=newest.worker,
            expected="a job with diarization",
            evidence=[
                Seen("log", f"{newest.worker} line {record.lines[0]}", record.text, location(newest.worker, record))
                for record in newest.decisive
            ],
            remedy=[
                Step(f"{_switch(deployment)} Do not tick 'Disable speaker diarization' for the file."),
                run_again(),
            ],
        )
    else:
        yield passed("The newest job asked for diarization.")
    for worker in () if isinstance(workers, Unavailable) else workers.diarizers:
        value = worker.setting("ENABLE_DIARIZATION") or ""
        if value.lower() in ("false", "0", "no", "off"):
            yield passed(
                f"ENABLE_DIARIZATION={value} has no effect: each job has its own setting.",
                subject="ENABLE_DIARIZATION",
                evidence=[Seen("container", worker.where, f"ENABLE_DIARIZATION={value}")],
            )


def _switch(deployment: Deployment | Unavailable) -> str:
    """How the running release has it switched on; where that is not known, or it has no such setting, as v0.4 has it."""
    release = None if isinstance(deployment, Unavailable) else release_of(deployment.line)
    return release.switch if release and release.switch else next(one.switch for one in releases() if one.switch)
