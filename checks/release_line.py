"""Which release is running: it decides which models are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, unknown, warned
from ot_doctor.evidence import COMMUNITY_1, Deployment, EnvFile, ReleaseLine, Unavailable, WorkerLog, Workers, models
from ot_doctor.evidence.releases import line_of_sign, newer_than_known, releases

MODEL_PAGE = f"https://huggingface.co/{COMMUNITY_1}"
PIN = "OT_IMAGE_TAG"


@check("release-line", title="The running release is known", family=Family.WORKER)
def release_line(
    deployment: Deployment | Unavailable, workers: Workers | Unavailable, env: EnvFile | Unavailable, log: WorkerLog | Unavailable
) -> Iterator[Finding]:
    """The release decides which gated models are needed: up to v0.3 speaker-diarization-3.1 and segmentation-3.0, from v0.4 on
    speaker-diarization-community-1.

    It is read from the container: its image and its environment. The folder's VERSION file does not count, because the Compose
    file for production uses ':latest', so any 'up' can move an old folder to new code, whose model terms were never accepted.
    OT_IMAGE_TAG in the .env keeps a stack at an old release.

    Where no container can be inspected, the tag of the image in the Compose file says it, or the lines of the log that was given.
    A release that is newer than all that are known here is read with the rules of the newest known one.


    If the release is unknown, the models of all releases are tested, and a refusal is a warning unless all releases need the
    model or the log names it.

    To fix an unknown release, use a published image with a version as its tag.
    """
    if isinstance(deployment, Unavailable) or isinstance(workers, Unavailable):
        yield _without_containers(deployment, workers, log)
        return
    if workers.lite:
        yield skipped("In a lite install, a cloud provider does the diarization.")
        return
    if not workers.diarizers and deployment.line is ReleaseLine.UNKNOWN:
        yield skipped("There is no worker to read the release from.")
        return
    diarizer = workers.diarizers[0] if workers.diarizers else None
    source = diarizer.where if diarizer else "the other containers"
    seen = [Seen("container", source, deployment.line_reason or "it shows no sign of a release")]
    images = [Seen("container", worker.name, f"image {worker.image}") for worker in workers.diarizers[:1]]
    if deployment.line is ReleaseLine.UNKNOWN:
        yield warned(
            f"The release of {diarizer.name if diarizer else source} could not be detected, so the models of all releases are "
            f"tested ({_needed()}).",
            evidence=[*seen, *images],
            remedy=[Step("To be sure, use a published image: davidamacey/opentranscribe-backend with a version as its tag.")],
        )
        return
    pinned = _pin(env) if deployment.line is not releases()[-1].line else []
    yield passed(f"{_told(deployment)}{f' {PIN} in the .env keeps it there.' if pinned else ''}", evidence=[*seen, *pinned])
    if newer_than_known(deployment.version):
        yield warned(
            f"{deployment.version} is newer than every release that this ot-doctor knows. It is read with the rules of "
            f"{releases()[-1].line.value}, which may not hold.",
            evidence=images,
            remedy=[Step("Look for a newer ot-doctor, which knows this release.")],
        )
    if _is_old(deployment.checkout_version) and not _is_old(deployment.line.value):
        yield warned(
            f"The running image is v0.4 or later, but {deployment.home} is {deployment.checkout_version}: ':latest' was pulled.",
            subject=COMMUNITY_1, expected="a folder and an image of the same release",
            evidence=[Seen("host", str(deployment.home / "VERSION"), deployment.checkout_version or ""), *images],
            remedy=[
                Step(
                    f'From v0.4 on another model is needed: open the page of {COMMUNITY_1} and click "Agree and access '
                    'repository".', url=MODEL_PAGE),
                Step(f"Either update the folder to the release that runs, or set {PIN} in the .env to the folder's release."),
            ],
        )  # fmt: skip


def _without_containers(
    deployment: Deployment | Unavailable, workers: Workers | Unavailable, log: WorkerLog | Unavailable
) -> Finding:
    reason = deployment if isinstance(deployment, Unavailable) else workers
    assert isinstance(reason, Unavailable)
    if isinstance(deployment, Deployment) and deployment.line is not ReleaseLine.UNKNOWN:
        return passed(_told(deployment))
    signs = [] if isinstance(log, Unavailable) else [(s.name, sign) for s in log.sources for sign in s.release_signs]
    lines = {line_of_sign(sign) for _, sign in signs} - {ReleaseLine.UNKNOWN}
    if len(lines) == 1:
        return passed(
            f"The release line is {lines.pop().value}, by the log's own lines. No container was asked.",
            evidence=[Seen("log", name, f"It has lines of {sign}.") for name, sign in signs],
        )
    if reason.switched_off:
        return skipped(f"The release is read from the container. {reason}")
    hint = Step(reason.hint or "Run ot-doctor again when the Docker engine can be reached.", command=reason.command)
    return unknown(f"The release is read from the container. {reason}", remedy=[hint])


def _told(deployment: Deployment) -> str:
    version = f", {deployment.version}" if deployment.version else ""
    return f"The release line is {deployment.line.value}{version}: {deployment.line_reason}."


def _needed() -> str:
    """The gated models of each line; lines that need the same ones are named together."""
    needs: dict[str, list[str]] = {}
    for release in releases():
        needs.setdefault(", ".join(m.repo for m in models(release.line) if m.required and m.gated), []).append(release.line.value)
    return "; ".join(f"{' and '.join(lines)}: {repos}" for repos, lines in needs.items())


def _pin(env: EnvFile | Unavailable) -> list[Seen]:
    entry = None if isinstance(env, Unavailable) else env.entry(PIN)
    if isinstance(env, Unavailable) or entry is None or not isinstance(entry.value, str) or entry.value in ("", "latest"):
        return []
    return [Seen(".env", env.where(entry.line), f"{PIN}={entry.value}")]


def _is_old(version: str | None) -> bool:
    found = re.match(r"v?(\d+)\.(\d+)", version or "")
    return found is not None and (int(found[1]), int(found[2])) < (0, 4)
