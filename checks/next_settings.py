"""Whether the ``.env`` fits another release."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, check, passed
from ot_doctor.evidence import Deployment, EnvFile, NextRelease, Unavailable, Workers
from ot_doctor.evidence.releases import ignored_settings

from ._next_release import env_not_read, newly_ignored, settings


@check(
    "next-settings", title="The .env has what the next release needs", family=Family.ENV, causes=(Cause.WORKER_DOWN,),
)  # fmt: skip
def next_settings(
    upcoming: NextRelease, env: EnvFile | Unavailable, deployment: Deployment, workers: Workers | Unavailable
) -> Iterator[Finding]:
    """A release may refuse to start without a setting that the one before it did without: since v0.5 the service backend needs
    REDIS_PASSWORD, JWT_SECRET_KEY and ENCRYPTION_KEY, and no worker starts while it is down.

    Others are read in another way, or not any more. What each release needs, reads and ignores is in ot-doctor's table of
    releases; the values are those of the .env.

    To fix it, add the line that is named before you change the release.
    """
    not_read = env_not_read(env)
    if not_read or isinstance(env, Unavailable):
        yield from [not_read] if not_read else []
        return
    found = [*settings(upcoming, env, workers), *newly_ignored(upcoming, ignored_settings(deployment.line), env)]
    yield from found or [passed(f"{env.path} has every setting that {upcoming.name} is known to need.")]
