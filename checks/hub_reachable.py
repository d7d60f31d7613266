"""Whether the Hub can be reached at all."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, check, passed, skipped
from ot_doctor.evidence import Answer, Deployment, Hub, ModelCache, Unavailable, Workers

from ._network import CAUSES, tries
from ._severity import not_told


@check("hub-reachable", title="The Hugging Face Hub can be reached", family=Family.ACCESS, causes=tuple(CAUSES.values()))
def hub_reachable(
    hub: Hub, workers: Workers | Unavailable, deployment: Deployment | Unavailable, cache: ModelCache | Unavailable
) -> Iterator[Finding]:
    """Models that are not cached yet are fetched from the Hub; when it cannot be reached, token and access cannot be judged.

    A small public file is asked for without any token, at the Hub that the worker uses (HF_ENDPOINT in its environment). pyannote
    calls nearly every such failure "private or gated", and the client library says "cannot find the requested files" for a name
    that does not resolve, a refused connection, a rate limit and an outage alike; the answer here tells them apart.

    The request is made from this machine. The worker's container may have another way out: the command that is advised asks from
    inside it. A complete and readable cache needs no Hub.
    """
    answer = hub.public.answer
    name = hub.endpoint if hub.is_default else f"{hub.endpoint} (set by {hub.endpoint_from})"
    seen = [Seen("hub", f"{hub.endpoint} {hub.public.repo}/{hub.public.file}", hub.public.text or answer.value)]
    if answer.unreachable:
        message = f"{name} could not be reached: {answer.value}"
        remedy = tries(hub, answer, workers, deployment)
        yield not_told(cache, message, cause=CAUSES[answer], subject=hub.endpoint, evidence=seen, remedy=remedy)
    elif answer is Answer.NOT_ASKED:
        yield skipped("the Hub was not asked")
    elif answer is Answer.OK:
        yield passed(f"{name} answers", evidence=seen)
    else:
        yield passed(f"{name} answers, but does not give the public file that was asked for ({answer.value})", evidence=seen)
