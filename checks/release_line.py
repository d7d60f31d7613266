"""Which release is running: it decides which models are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, unknown, warned
from ot_doctor.evidence import COMMUNITY_1, Deployment, ReleaseLine, Unavailable, Workers, models

NEEDED = "; ".join(
    f"{line.value}: {', '.join(m.repo for m in models(line) if m.required and m.gated)}"
    for line in (ReleaseLine.V0_3, ReleaseLine.V0_4)
)

MODEL_PAGE = f"https://huggingface.co/{COMMUNITY_1}"


@check("release-line", title="The running release is known", family=Family.WORKER)
def release_line(deployment: Deployment, workers: Workers | Unavailable) -> Iterator[Finding]:
    """The release decides which gated models are needed: up to v0.3 speaker-diarization-3.1 and segmentation-3.0, from v0.4 on
    speaker-diarization-community-1.

    It is read from the container: its image and its environment. The folder's VERSION file does not count, because the Compose
    file for production uses ':latest', so any 'up' can move an old folder to new code, whose model terms were never accepted.

    If the release is unknown, the models of all releases are tested, and a refusal is a warning unless all releases need the
    model or the log names it.

    To fix an unknown release, use a published image with a version as its tag.
    """
    if isinstance(workers, Unavailable):
        if workers.switched_off:
            yield skipped(f"The release is read from the container. {workers.reason}")
        elif deployment.line is ReleaseLine.UNKNOWN:
            hint = Step(workers.hint or "Run ot-doctor again when the Docker engine can be reached.", command=workers.command)
            yield unknown(f"The release is read from the container. {workers.reason}", remedy=[hint])
        else:
            yield passed(f"The release is {deployment.line.value}: {deployment.line_reason}.")
        return
    if workers.lite:
        yield skipped("In a lite install, a cloud provider does the diarization.")
        return
    if not workers.diarizers and deployment.line is ReleaseLine.UNKNOWN:
        yield skipped("There is no worker to read the release from.")
        return
    source = workers.diarizers[0].where if workers.diarizers else "the other containers"
    seen = [Seen("container", source, deployment.line_reason or "it shows no sign of a release")]
    images = [Seen("container", worker.name, f"image {worker.image}") for worker in workers.diarizers[:1]]
    if deployment.line is ReleaseLine.UNKNOWN:
        yield warned(
            f"The release of {source} could not be detected, so the models of all releases are tested ({NEEDED}).",
            evidence=[*seen, *images],
            remedy=[Step("To be sure, use a published image: davidamacey/opentranscribe-backend with a version as its tag.")],
        )
        return
    version = f", {deployment.version}" if deployment.version else ""
    yield passed(f"The release is {deployment.line.value}{version}: {deployment.line_reason}.", evidence=seen)
    if _is_old(deployment.checkout_version) and deployment.line in (ReleaseLine.V0_4, ReleaseLine.V0_5):
        yield warned(
            f"The running image is v0.4 or later, but {deployment.home} is {deployment.checkout_version}: ':latest' was pulled.",
            subject=COMMUNITY_1, expected="a folder and an image of the same release",
            evidence=[Seen("host", str(deployment.home / "VERSION"), deployment.checkout_version or ""), *images],
            remedy=[
                Step(
                    f'From v0.4 on another model is needed: open the page of {COMMUNITY_1} and click "Agree and access '
                    'repository".', url=MODEL_PAGE),
                Step("Either update the folder to the release that is running, or set the image's tag to the folder's release."),
            ],
        )  # fmt: skip


def _is_old(version: str | None) -> bool:
    found = re.match(r"v?(\d+)\.(\d+)", version or "")
    return found is not None and (int(found[1]), int(found[2])) < (0, 4)
