"""The container that serves the web pages: everybody who opens them gets what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ot_doctor.redaction.secret import Secret


@dataclass(frozen=True)
class ServedSecret:
    """A known secret in a file that is served. Its value is not kept."""

    path: str  # in the container
    name: str  # of the variable that has the secret; empty for a token that no variable has


@dataclass(frozen=True)
class Frontend:
    """What the container of the web pages gives to browsers."""

    container: str
    service: str  # of Compose
    folder: str = ""  # "/usr/share/nginx/html"; empty: none was found
    files: int = 0  # that were searched whole
    secrets: tuple[ServedSecret, ...] = ()
    not_searched: str = ""  # why some or all files were not
    env: Mapping[str, str | Secret] = field(default_factory=dict)
