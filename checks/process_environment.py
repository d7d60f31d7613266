"""Whether the process that works has the settings that its container was created with."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import TOKEN_NAME, Answer, Deployment, ModelCache, Unavailable, WorkerProbe, Workers

from ._remedies import recreate
from ._severity import fault

_REFUSED = (Answer.NO_TOKEN, Answer.BAD_TOKEN, Answer.EXPIRED_TOKEN)


@check(
    "process-environment", title="The worker's process has the container's settings", family=Family.ENV,
    causes=(Cause.ENV_SHADOWED, Cause.TOKEN_MISSING),
)  # fmt: skip
def process_environment(
    probe: WorkerProbe | Unavailable,
    cache: ModelCache | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> Iterator[Finding]:
    """An entry point can export other values than the container was created with, and those are what the worker uses.

    The environment of process 1 is compared with Config.Env, from inside: names and keyed fingerprints leave the container, and
    never a value. An entry point that reads a token from a secrets file is fine, as long as the Hub accepts that token.

    To fix it, look at the entry point and the command of the service in the Compose file, and at the scripts that they run.
    """
    if isinstance(probe, Unavailable):
        yield skipped(probe.reason)
        return
    process, where = probe.process, f"{probe.worker} process 1"
    if not process.readable:
        yield skipped(f"The environment of process 1 in {probe.worker} cannot be read: {process.text}.")
        return
    remedy = (_look(), recreate(deployment, workers))
    if process.lacks(TOKEN_NAME):
        seen = [Seen("container", where, f"{TOKEN_NAME} is not set or empty")]
        message = f"Process 1 of {probe.worker} has no {TOKEN_NAME}, although the container was created with one."
        yield fault(cache, Cause.TOKEN_MISSING, message, subject=TOKEN_NAME, evidence=seen, remedy=remedy)
    elif process.has_own(TOKEN_NAME):
        yield _own_token(probe, cache, remedy, Seen("container", where, f"{TOKEN_NAME} is not the one of Config.Env"))
    others = [name for name in process.differs if name != TOKEN_NAME]
    if others:
        seen = [Seen("container", where, f"{name} differs from Config.Env") for name in others]
        message = f"Process 1 of {probe.worker} has other values than the container was created with: {', '.join(others)}."
        yield warned(message, cause=Cause.ENV_SHADOWED, subject=", ".join(others), evidence=seen, remedy=remedy)
    elif not process.lacks(TOKEN_NAME) and not process.has_own(TOKEN_NAME):
        also = f" It also has {', '.join(process.added)}." if process.added else ""
        yield passed(f"Process 1 of {probe.worker} has the settings that the container was created with.{also}")


def _own_token(probe: WorkerProbe, cache: ModelCache | Unavailable, remedy: tuple[Step, ...], seen: Seen) -> Finding:
    """Another token is a fault where the Hub rejects it, and none where the Hub gives a model for it."""
    answers = {answer.answer for answer in probe.inside.files} if probe.inside and probe.inside.token_sent else set()
    message = f"Process 1 of {probe.worker} has another {TOKEN_NAME} than the container was created with"
    if answers & set(_REFUSED):
        text = f"{message}, and the Hub rejects it."
        return fault(cache, Cause.ENV_SHADOWED, text, subject=TOKEN_NAME, evidence=[seen], remedy=remedy)
    if probe.inside and probe.inside.token_sent and probe.reaches_hub:
        return passed(f"{message}, and the Hub accepts it.", subject=TOKEN_NAME, evidence=[seen])
    text = f"{message}; whether the Hub accepts it is not known."
    return warned(text, cause=Cause.ENV_SHADOWED, subject=TOKEN_NAME, evidence=[seen], remedy=remedy)


def _look() -> Step:
    text = "Find what sets it: the entry point and the command of the service in the Compose file, and the scripts that they run."
    return Step(text, risk=Risk.CHANGES_FILES)
