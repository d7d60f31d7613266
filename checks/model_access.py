"""Whether the Hub gives the models of the release line to the worker's token."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Step, check, passed, skipped, unknown
from ot_doctor.evidence import (
    TOKEN_NAME,
    Answer,
    Deployment,
    EnvFile,
    FileAnswer,
    Hub,
    ModelCache,
    Outcome,
    ReleaseLine,
    Unavailable,
    WorkerLog,
    WorkerProbe,
    Workers,
    WorkerToken,
    models,
)
from ot_doctor.evidence.releases import releases

from ._network import CAUSES, WHY, tries
from ._refusals import REFUSED_TOKEN, refusal, seen_answer, weighed
from ._remedies import replace_token
from ._severity import hub_not_needed, unanswered
from ._worker_view import NOT_LOOKED, as_worker

REFUSALS = (Cause.TOKEN_INVALID, Cause.TOKEN_SCOPE, Cause.GATED_NOT_ACCEPTED, Cause.GATED_PENDING, Cause.REPO_NOT_FOUND)


@check(
    "model-access",
    title="The account can download the models",
    family=Family.ACCESS,
    causes=(*REFUSALS, *CAUSES.values()),
    after=("token-present", "token-format"),
)
def model_access(
    hub: Hub,
    deployment: Deployment | Unavailable,
    token: WorkerToken,
    cache: ModelCache | Unavailable,
    log: WorkerLog | Unavailable,
    env: EnvFile | Unavailable,
    workers: Workers | Unavailable,
    probe: WorkerProbe | Unavailable = NOT_LOOKED,
) -> Iterator[Finding]:
    """The diarization models are gated: Hugging Face gives each one only to accounts that accepted its terms.

    A real file of every model is requested with the worker's own token. Seeing a model's page or its list of files proves
    nothing. Which models are needed depends on the running release: up to v0.3 speaker-diarization-3.1 and
    segmentation-3.0; from v0.4 on speaker-diarization-community-1, which the setup guide does not mention.

    What breaks it: the terms were not accepted, or by another account than the token's; the authors grant access by hand, and
    the request is pending or was rejected; a fine-grained token lacks the box "Read access to contents of all public gated repos
    you can access". A 401 is about the token, a 403 about the terms or the token's permission.

    To fix it, log in with the account that is named here, open the page of the model that is named here, and click "Agree and
    access repository". You need no new token and no restart; run the transcription again.
    """
    hub = as_worker(hub, probe)
    line = ReleaseLine.UNKNOWN if isinstance(deployment, Unavailable) else deployment.line
    if not hub.token_sent:
        yield skipped(f"The Hub was not asked about the models: {hub.not_sent_reason or 'there is no usable token'}.")
        return
    if hub.identity.answer in REFUSED_TOKEN:
        yield skipped(f"The Hub rejects the token itself ({hub.identity.answer.words}; see token-accepted).")
        return
    for model in models(line):
        answer = hub.of(model.repo)
        decided = line is not ReleaseLine.UNKNOWN
        needed = model.required or (not decided and (_every_line_needs(model.repo) or _log_names(log, model.repo)))
        label = f"{model.repo} ({_needed_by(model.repo)})" if line is ReleaseLine.UNKNOWN else model.repo
        optional = not needed and (decided or not _needed_at_all(model.repo))
        if answer is None or answer.answer is Answer.NOT_ASKED:
            yield skipped(f"The Hub was not asked about {label}.", subject=model.repo)
        elif answer.answer is Answer.OK:
            extra = "" if needed or not decided else " Your release does not need it."
            yield passed(f"{label} can be downloaded.{extra}", subject=model.repo, evidence=[seen_answer(answer)])
        elif answer.answer in REFUSED_TOKEN:
            message = (
                f"The Hub treated the request for {label} as not logged in: the token is the problem, not the model's terms."
            )
            remedy = replace_token(token, env, deployment, workers)
            yield weighed(cache, needed, optional, model, Cause.TOKEN_INVALID, message, TOKEN_NAME, answer, remedy)
        elif answer.answer.unreachable:
            yield _not_reached(hub, answer, label, not optional, cache, workers, deployment)
        elif answer.answer is Answer.NOT_FOUND:
            yield _not_found(answer, label, needed, cache)
        else:
            cause, message, subject, steps = refusal(hub, model, label, answer.answer)
            yield weighed(cache, needed, optional, model, cause, message, subject, answer, steps)


def _not_reached(
    hub: Hub, answer: FileAnswer, label: str, matters: bool, cache: ModelCache | Unavailable, workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> Finding:  # fmt: skip
    message = f"It is not known whether {label} can be downloaded: the Hub was asked, and {WHY[answer.answer]}."
    if not matters:
        return skipped(f"{message} Your release does not need it.", subject=answer.repo, evidence=[seen_answer(answer)])
    cause, remedy = CAUSES[answer.answer], tries(hub, answer.answer, workers, deployment)
    return unanswered(cache, message, cause=cause, subject=answer.repo, evidence=[seen_answer(answer)], remedy=remedy)


def _not_found(answer: FileAnswer, label: str, needed: bool, cache: ModelCache | Unavailable) -> Finding:
    message = f"{label} has no {answer.file} on the Hub: it was moved or is private, or ot-doctor is out of date."
    if not needed or hub_not_needed(cache):
        return passed(f"{message} The worker does not need it now.", subject=answer.repo, evidence=[seen_answer(answer)])
    look = Step(
        "Check that the model is still there, and look for a newer ot-doctor.", url=f"https://huggingface.co/{answer.repo}"
    )
    return unknown(message, cause=Cause.REPO_NOT_FOUND, subject=answer.repo, evidence=[seen_answer(answer)], remedy=[look])


def _needs(line: ReleaseLine, repo: str) -> bool:
    return any(model.repo == repo and model.required for model in models(line))


def _needed_at_all(repo: str) -> bool:
    return any(_needs(release.line, repo) for release in releases())


def _every_line_needs(repo: str) -> bool:
    return all(_needs(release.line, repo) for release in releases())


def _needed_by(repo: str) -> str:
    """Which releases need a model, for those who do not know which one they run."""
    lines = [release.line.value for release in releases() if _needs(release.line, repo)]
    return f"needed by {' and '.join(lines)}" if lines else "optional"


def _log_names(log: WorkerLog | Unavailable, repo: str) -> bool:
    """Whether the newest attempt failed on this repository: then the running release does need it."""
    newest = None if isinstance(log, Unavailable) else log.newest
    return newest is not None and newest.outcome is Outcome.FAILED and newest.subject == repo
