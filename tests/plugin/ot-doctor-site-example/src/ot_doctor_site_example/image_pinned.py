"""Whether the next pull can bring another release without anybody meaning it."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import ComposeConfig

MOVING = ("", "latest", "main", "dev", "nightly")


@check("image-pinned", title="The images of OpenTranscribe are pinned", family=Family.WORKER)
def image_pinned(compose: ComposeConfig) -> Iterator[Finding]:
    """A tag that moves brings a new release with any pull, and a new release may need
    the agreement of another model.

    The image of each service is read from the Compose files in use. A release (v0.4.1)
    and a digest (@sha256:…) are pinned; 'latest', a branch and no tag at all are not.

    To mend it, write the release that runs now behind the image's name. Then a release
    changes on the day that you choose.
    """
    services = [s for s in compose.services.values() if "opentranscribe" in s.image]
    for service in services:
        seen = Seen("compose", service.where, f"image: {service.image}")
        if tag_of(service.image) not in MOVING:
            yield passed(f"{service.name} runs {service.image}", subject=service.name, evidence=[seen])
            continue
        where = f"on line {service.line} of {service.path}"
        yield warned(
            f"the image of {service.name} is not pinned: {service.image}",
            subject=service.name,
            expected="a release, such as :v0.4.1, or a digest",
            evidence=[seen],
            remedy=[Step(f"Write the release behind the image {where}.", risk=Risk.CHANGES_FILES)],
        )
    if not services:
        yield skipped("no service of the Compose files has an image of OpenTranscribe")


def tag_of(image: str) -> str:
    """The tag or the digest of an image; empty where there is none, as in ``host:5000/name``."""
    name, at, digest = image.partition("@")
    return digest if at else name.rpartition("/")[2].partition(":")[2]
