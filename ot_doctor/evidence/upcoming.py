"""The release that is asked about (``preflight``), or that the next ``docker compose up`` may bring."""

from __future__ import annotations

from dataclasses import dataclass

from ot_doctor.evidence.base import Location
from ot_doctor.evidence.releases import ReleaseLine


@dataclass(frozen=True)
class NextRelease:
    """A release beside the one that runs, and what leads to it."""

    line: ReleaseLine  # with its rules it is judged
    name: str  # "v0.5", "v0.5.1", "davidamacey/opentranscribe-backend:v0.5.1": as it was asked for
    asked: bool  # preflight; False: it is what the image's tag may lead to
    image: str = ""  # of the worker, by its container, else by the Compose file
    image_at: Location | None = None  # where the Compose file names the image
    moves: bool = False  # the image's tag names no release
    always_pulled: bool = False  # pull_policy of the Compose file: every ``up`` takes the newest image of that tag
    unknown_to_us: bool = False  # newer than every release that is known here
