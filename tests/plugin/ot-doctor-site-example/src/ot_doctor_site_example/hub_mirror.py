"""Whether the worker asks this site's mirror of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import (
    Cause,
    Family,
    Finding,
    Risk,
    Seen,
    Step,
    check,
    failed,
    passed,
    skipped,
)
from ot_doctor.evidence import Deployment, Workers

MIRROR = "https://hub.example.org"


@check(
    "hub-mirror",
    title="The worker asks the site's mirror of the Hub",
    family=Family.ACCESS,
    causes=(Cause.NETWORK_REFUSED,),
    after=("worker-running",),
)
def hub_mirror(workers: Workers, deployment: Deployment) -> Iterator[Finding]:
    """This site's firewall lets nobody through to huggingface.co. Models come from the
    mirror, https://hub.example.org.

    HF_ENDPOINT is looked at in the environment of each container that diarizes. Without
    it the first download ends in 'connection refused', which pyannote reports as a
    missing agreement.

    To mend it, write HF_ENDPOINT to the .env and recreate the worker.
    """
    for worker in workers.diarizers:
        endpoint = worker.setting("HF_ENDPOINT") or "not set"
        seen = Seen("container", worker.where, f"HF_ENDPOINT is {endpoint}")
        if endpoint.rstrip("/") == MIRROR:
            yield passed(f"{worker.name} asks {endpoint}", evidence=[seen])
            continue
        write = f"Write HF_ENDPOINT={MIRROR} to {deployment.env_path}."
        recreate = deployment.compose(f"up -d --force-recreate {worker.compose.service}")
        yield failed(
            Cause.NETWORK_REFUSED,
            f"{worker.name} does not ask the mirror: HF_ENDPOINT is {endpoint}",
            subject="HF_ENDPOINT",
            expected=MIRROR,
            evidence=[seen],
            remedy=[
                Step(write, risk=Risk.CHANGES_FILES),
                Step("Recreate the worker, so that it gets it.", command=recreate, risk=Risk.RESTARTS),
            ],
        )
    if not workers.diarizers:
        yield skipped("there is no worker that diarizes here")
