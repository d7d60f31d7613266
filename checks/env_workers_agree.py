"""Whether all Celery containers have the same token."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, check, failed, passed, skipped
from ot_doctor.evidence import TOKEN_NAME, Deployment, EnvFile, Secret, Unavailable, Worker, Workers

from ._drift import live
from ._remedies import recreate


@check("env-workers-agree", title="All workers have the same token", family=Family.ENV, causes=(Cause.STALE_WORKER_ENV,))
def env_workers_agree(workers: Workers, env: EnvFile | Unavailable, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    """All Celery containers get the same .env, so they should have the same token.

    If two of them differ, only some were recreated since .env was edited, or an 'environment:' entry of the Compose file gives
    one of them another value. Whether a job works then depends on the container that does it. The values are compared but never
    shown; the fingerprints in the evidence are equal if the values are, and mean nothing outside this report.

    To fix it, recreate all of them together.
    """
    holders: dict[Secret, list[Worker]] = {}
    for worker in live(workers):
        value = worker.env.get(TOKEN_NAME)
        if isinstance(value, Secret):
            holders.setdefault(value, []).append(worker)
    count = sum(len(group) for group in holders.values())
    if count < 2:
        yield skipped(
            "Only one Celery container has a token; there is nothing to compare."
            if count
            else "No Celery container has a token to compare."
        )
        return
    if len(holders) == 1:
        yield passed(f"{count} Celery containers have the same token.")
        return
    entry = None if isinstance(env, Unavailable) else env.entry(TOKEN_NAME)
    written = entry.value if entry else None
    first, *others = (" and ".join(worker.name for worker in group) for group in holders.values())
    message = f"The Celery containers have different tokens: {first} one value"
    message += "".join(f", {names} another" for names in others)
    if isinstance(written, Secret):
        same = [worker.name for worker in holders.get(written, [])]
        message += f". The .env has the value of {', '.join(same)}" if same else ". The .env has a third value"
    yield failed(
        Cause.STALE_WORKER_ENV,
        f"{message}.",
        subject=TOKEN_NAME,
        expected="one token for all of them",
        evidence=[
            Seen("container", worker.where, f"{TOKEN_NAME} is {value}") for value, group in holders.items() for worker in group
        ],
        remedy=[recreate(deployment, workers)],
    )
