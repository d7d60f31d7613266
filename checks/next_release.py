"""What the next ``docker compose up`` does to the release."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, Status, Step, check, passed, skipped, unknown, warned
from ot_doctor.evidence import Deployment, EnvFile, Hub, NextRelease, Unavailable, Workers

from ._next_release import env_not_read, settings, terms


@check("next-release", title="The next update of the image brings no surprise", family=Family.WORKER)
def next_release(
    upcoming: NextRelease | Unavailable, deployment: Deployment, hub: Hub | Unavailable, env: EnvFile | Unavailable,
    workers: Workers | Unavailable,
) -> Iterator[Finding]:  # fmt: skip
    """An image whose tag is 'latest' is another one each time it is pulled, and the Compose file for production pulls it at
    every 'up'. So a plain 'docker compose up -d' has moved many machines from v0.3 or v0.4 to v0.5, which needs what was never
    set up there: terms of another model, and settings that it refuses to start without.

    The release that may come is the newest one that ot-doctor knows. What it needs is compared with the .env and with what the
    Hub answers now. It is a warning, since nothing is broken yet.

    To see all of it, run 'ot-doctor preflight --for v0.5'. To stay with the present release, write its version as the image's
    tag: in the .env as OT_IMAGE_TAG where the Compose file reads that, else in the Compose file.
    """
    if isinstance(upcoming, Unavailable):
        raise upcoming
    seen = [Seen("compose", upcoming.image_at or upcoming.image, f"image {upcoming.image}")] if upcoming.image else []
    if upcoming.asked:
        yield from _asked(upcoming, deployment, seen)
        return
    how = "and every 'docker compose up' pulls it" if upcoming.always_pulled else "and the next pull brings a newer image"
    moves = f"The tag of {upcoming.image} moves, {how}: from {_present(deployment)} to {upcoming.name} or later"
    wants = [] if isinstance(hub, Unavailable) else list(terms(upcoming, hub))
    not_read = env_not_read(env)
    if not_read:
        wants.append(not_read)
    elif isinstance(env, EnvFile):
        wants += settings(upcoming, env, workers)
    lacking = [want for want in wants if want.status is Status.FAIL]
    if lacking:
        needs = ", ".join(dict.fromkeys(want.subject or want.message for want in lacking))
        yield warned(
            f"{moves}, which needs what is not here: {needs}.",
            subject=upcoming.name,
            evidence=[*seen, *(piece for want in lacking for piece in want.evidence)],
            remedy=[
                Step("See all that it needs.", command=f"ot-doctor preflight --for {upcoming.line.value}"),
                _stay(deployment),
            ],
        )
    elif isinstance(hub, Unavailable) or any(want.status is Status.UNKNOWN for want in wants):
        yield skipped(f"{moves}. Not all that it needs could be checked.", evidence=seen)
    else:
        yield passed(f"{moves}. It finds here what it is known to need.", evidence=seen)


def _asked(upcoming: NextRelease, deployment: Deployment, seen: list[Seen]) -> Iterator[Finding]:
    if upcoming.unknown_to_us:
        yield unknown(
            f"{upcoming.name} is newer than every release that this ot-doctor knows. It is judged by the rules of "
            f"{upcoming.line.value}, which may not hold.",
            remedy=[Step("Look for a newer ot-doctor, which knows this release.")],
        )
    elif upcoming.line is deployment.line:
        yield passed(f"{_present(deployment)} runs now, and {upcoming.name} is of the same release line.", evidence=seen)
    elif upcoming.moves and upcoming.always_pulled:
        yield passed(f"The next 'docker compose up -d' pulls the newest {upcoming.image} by itself.", evidence=seen)
    elif upcoming.moves:
        yield passed(f"'docker compose pull' and 'up -d' bring the newest {upcoming.image}.", evidence=seen)
    else:
        yield passed(f"{_present(deployment)} runs now. It changes only when you change the image's tag.", evidence=seen)


def _present(deployment: Deployment) -> str:
    return deployment.version or deployment.line.value


def _stay(deployment: Deployment) -> Step:
    version = deployment.version or "the present version"
    return Step(
        f"To stay with {_present(deployment)}, write {version} instead of latest as the image's tag: as OT_IMAGE_TAG in the .env "
        "where the Compose file reads that, else in the Compose file."
    )
