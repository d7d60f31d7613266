"""The OpenTranscribe folder on this machine's disk, found without Docker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Installation:
    """The folder that the user asked for or stands in; ``directory`` is ``None`` where there is none."""

    directory: Path | None
    found_by: str  # "--dir", "the working folder", "a parent of the working folder", "nothing"
    compose_files: tuple[Path, ...] = ()  # those that ``docker compose`` would use there by itself
