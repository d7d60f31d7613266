"""Whether the Hub can be reached at all."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, check, passed, skipped
from ot_doctor.evidence import Answer, Deployment, Hub, ModelCache, Unavailable, WorkerProbe, Workers

from ._network import CAUSES, WHY, tries
from ._severity import unanswered
from ._worker_view import NOT_LOOKED, reaches_hub


@check("hub-reachable", title="The Hugging Face Hub can be reached", family=Family.ACCESS, causes=tuple(CAUSES.values()))
def hub_reachable(
    hub: Hub, workers: Workers | Unavailable, deployment: Deployment | Unavailable, cache: ModelCache | Unavailable,
    probe: WorkerProbe | Unavailable = NOT_LOOKED,
) -> Iterator[Finding]:  # fmt: skip
    """Models that are not cached yet are downloaded from the Hub. If it cannot be reached, token and access cannot be checked.

    A small public file is requested without a token, from the Hub that the worker uses (HF_ENDPOINT in its environment). pyannote
    calls nearly every such failure "private or gated", and the client library says "cannot find the requested files" for a name
    that does not resolve, a refused connection, a rate limit and an outage; the answer here shows which it is.

    The request is made from this machine. The worker's container may have another route: the check worker-network goes it, and
    where the worker reaches the Hub, this machine need not. A worker with a complete and readable cache does not need the Hub.

    To fix it, follow the step for the kind of failure.
    """
    answer = hub.public.answer
    name = hub.endpoint if hub.is_default else f"{hub.endpoint} (set by {hub.endpoint_from})"
    seen = [Seen("hub", f"{hub.endpoint} {hub.public.repo}/{hub.public.file}", hub.public.text or answer.words)]
    if answer is not Answer.NOT_ASKED and isinstance(deployment, Deployment) and deployment.machine:
        yield skipped(f"{name} was asked from this machine, which tells nothing of {deployment.machine}.", evidence=seen)
    elif answer.unreachable and reaches_hub(probe):
        message = f"This machine could not reach {name} ({WHY[answer]}), but the worker does, which is what counts."
        yield passed(message, evidence=seen)
    elif answer.unreachable:
        message = f"{name} could not be reached: {WHY[answer]}."
        remedy = tries(hub, answer, workers, deployment)
        yield unanswered(cache, message, cause=CAUSES[answer], subject=hub.endpoint, evidence=seen, remedy=remedy)
    elif answer is Answer.NOT_ASKED:
        yield skipped("The Hub was not asked.")
    elif answer is Answer.OK:
        yield passed(f"{name} answers.", evidence=seen)
    else:
        yield passed(f"{name} answers, but does not have the public file that was asked for ({answer.words}).", evidence=seen)
