"""Whether the worker itself reaches the Hub, beside what this machine reaches."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Confidence, Family, Finding, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Answer, Deployment, Ladder, ModelCache, Unavailable, WorkerProbe, Workers

from ._network import CAUSES, WHY
from ._severity import hub_not_needed, unanswered
from ._worker_network_remedies import steps_for
from ._worker_view import seen_ladder

_AGAIN = "Run 'ot-doctor probe' again; where it stays so, leave it out with --probe off."
_OF_THE_SERVER = (Answer.RATE_LIMITED, Answer.UNAVAILABLE)


@check("worker-network", title="The worker itself reaches the Hub", family=Family.ACCESS, causes=tuple(CAUSES.values()))
def worker_network(
    probe: WorkerProbe | Unavailable,
    cache: ModelCache | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> Iterator[Finding]:
    """The worker's container has names, routes, a proxy and certificates of its own: what works here can fail there.

    The worker's own Python goes the whole way to the Hub with the worker's environment and token: the name, the connection
    (through the proxy, if one is set), TLS, and a HEAD of a file of each required model; then the name and the connection of the
    server that large files come from. This machine goes the same way. What works here and fails there is the worker's network;
    what works there counts, even when it fails here.

    What breaks it: a container that asks another name server; a proxy or a private certificate that only one side has; an
    HF_ENDPOINT such as http://localhost:8080, which inside the container means the container; a firewall.

    Nothing is downloaded or left behind. --probe off leaves it out. To fix it, follow the steps for the rung that does not hold.
    """
    if isinstance(probe, Unavailable):
        yield _not_looked_at(probe, cache)
    elif probe.inside is None:
        yield _not_asked(probe)
    elif probe.inside.fallen is not None:
        yield _fallen(probe, probe.inside, cache, workers, deployment)
    else:
        inside = probe.inside
        also = "" if probe.here is None or probe.here.reached else " This machine does not, which makes no difference to jobs."
        seen = seen_ladder("container", probe.worker, inside)
        yield passed(f"{probe.worker} reaches {inside.endpoint}.{also}", evidence=seen)
        if inside.storage_host and inside.storage is not Answer.OK:
            yield _no_storage(probe, inside, cache, workers, deployment)


def _not_looked_at(probe: Unavailable, cache: ModelCache | Unavailable) -> Finding:
    if probe.switched_off:
        return skipped(probe.reason)
    spared = hub_not_needed(cache)
    remedy = [Step(probe.hint or _AGAIN, command=probe.command)]
    return skipped(f"{probe.reason} {spared}") if spared else unknown(probe.reason, remedy=remedy)


def _not_asked(probe: WorkerProbe) -> Finding:
    if probe.incomplete:
        return unknown(probe.incomplete[0], remedy=[Step(_AGAIN)])
    return skipped("The worker was not asked about the Hub.")


def _fallen(
    probe: WorkerProbe, inside: Ladder, cache: ModelCache | Unavailable, workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> Finding:  # fmt: skip
    rung, here = inside.rungs[-1], probe.here
    cause = CAUSES[rung.answer]
    seen = [*seen_ladder("container", probe.worker, inside), *(seen_ladder("host", "this machine", here) if here else [])]
    if inside.issuer and rung.answer is Answer.TLS:
        text = f"the certificate is issued by '{inside.issuer}'; trusted is {inside.trusted}"
        seen.append(Seen("container", probe.worker, text))
    remedy = steps_for(cause, probe.worker, inside, here, workers, deployment)
    works_here = here is not None and here.reached and here.endpoint == inside.endpoint and rung.answer not in _OF_THE_SERVER
    message = f"{probe.worker} does not reach {inside.endpoint}: {WHY[rung.answer]} ({rung.stage.value}: {rung.text})."
    if not works_here:
        also = "" if here is None or here.reached or here.endpoint != inside.endpoint else " Nor does this machine."
        if spared := hub_not_needed(cache):  # hub-reachable warns
            return skipped(f"{message}{also} {spared}", subject=inside.endpoint, evidence=seen)
        return unknown(message + also, cause=cause, subject=inside.endpoint, evidence=seen, remedy=remedy)
    return _serious(cache, cause, f"{message} This machine reaches it.", inside.endpoint, seen, remedy, rung.answer)


def _no_storage(
    probe: WorkerProbe, inside: Ladder, cache: ModelCache | Unavailable, workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> Finding:  # fmt: skip
    cause, here = CAUSES[inside.storage], probe.here
    seen = [Seen("container", probe.worker, f"{inside.storage_host}: {inside.storage_text or inside.storage.words}")]
    message = (
        f"{probe.worker} reaches the Hub, but not {inside.storage_host}, where large files come from: {WHY[inside.storage]}. "
        "Downloads of models break off."
    )
    remedy = steps_for(cause, probe.worker, inside, here, workers, deployment)
    if here is None or here.storage is not Answer.OK:
        return unanswered(cache, message, cause=cause, subject=inside.storage_host, evidence=seen, remedy=remedy)
    seen.append(Seen("host", "this machine", f"{here.storage_host} can be reached"))
    return _serious(cache, cause, message, inside.storage_host, seen, remedy, inside.storage)


def _serious(
    cache: ModelCache | Unavailable, cause: Cause, message: str, subject: str, seen: list[Seen], remedy: tuple[Step, ...],
    answer: Answer,
) -> Finding:  # fmt: skip
    """A failure; a warning when the worker does not need the Hub. Slowness alone is one sign, and no proof."""
    confidence = Confidence.LIKELY if answer is Answer.TIMEOUT else Confidence.CERTAIN
    if isinstance(cache, ModelCache) and cache.offline:
        return skipped(f"{message} {cache.offline} keeps the worker from asking.", subject=subject, evidence=seen)
    if spared := hub_not_needed(cache):
        return warned(f"{message} {spared}", cause=cause, subject=subject, evidence=seen, remedy=remedy, confidence=confidence)
    return failed(cause, message, subject=subject, evidence=seen, remedy=remedy, confidence=confidence)
