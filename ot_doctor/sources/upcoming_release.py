"""Which release is asked about; else which one the next ``docker compose up`` may bring."""

from __future__ import annotations

import re

from ot_doctor.evidence.base import LOG_ALONE, Request, Unavailable
from ot_doctor.evidence.deployment import Deployment, ReleaseLine
from ot_doctor.evidence.env_file import ComposeConfig, ComposeService
from ot_doctor.evidence.releases import line_of_version, newer_than_known, releases, services
from ot_doctor.evidence.upcoming import NextRelease
from ot_doctor.evidence.workers import Workers

_RELEASE = re.compile(r"v?\d{1,3}\.\d{1,3}(?:\.\d{1,3})?(?!\w)")
_FLOATING = ("", "latest", "main", "master", "edge", "stable", "dev")


def gather(
    request: Request, deployment: Deployment, workers: Workers | Unavailable, compose: ComposeConfig | Unavailable
) -> NextRelease:
    """Raises ``Unavailable`` where no release is asked about, and none but the present one can come."""
    if request.log_alone:
        raise Unavailable(LOG_ALONE, switched_off=True)
    service = _diarizing(compose)
    image = (service.image if service else "") or _image(workers)
    moves = bool(image) and tag_of(image) in _FLOATING
    at = service.where if service else None
    pulled = service is not None and service.pull_policy in ("always", "daily", "weekly")
    newest = releases()[-1].line
    if asked := request.next_release:
        line = line_of_version(version_of(asked))
        newer = newer_than_known(version_of(asked))
        return NextRelease(line, asked, True, image, at, moves, pulled, newer)
    if not moves:
        raise Unavailable("The image's tag names a release, so 'docker compose up' does not change it.", switched_off=True)
    if deployment.line in (ReleaseLine.UNKNOWN, newest):
        raise Unavailable("No release is known that is newer than the one that runs.", switched_off=True)
    return NextRelease(newest, newest.value, False, image, at, moves, pulled)


def version_of(name: str) -> str:
    """``v0.5.1`` of a release, a tag or an image; empty where it names no release. The newest one for ``latest``."""
    tag = tag_of(name) if "/" in name or ":" in name else name
    if tag in _FLOATING:
        return f"v{releases()[-1].versions[-1]}"
    found = _RELEASE.match(tag)
    return f"v{found[0].removeprefix('v')}" if found else ""


def tag_of(image: str) -> str:
    """What follows the colon of an image's name; empty without one. An image that is named by its digest has it as its tag."""
    name, _, digest = image.partition("@")
    return name.rpartition("/")[2].partition(":")[2] or digest


def _diarizing(compose: ComposeConfig | Unavailable) -> ComposeService | None:
    if isinstance(compose, Unavailable):
        return None
    return next((compose.services[name] for name in services("diarizer") if name in compose.services), None)


def _image(workers: Workers | Unavailable) -> str:
    diarizers = () if isinstance(workers, Unavailable) else workers.diarizers
    return diarizers[0].image if diarizers else ""
