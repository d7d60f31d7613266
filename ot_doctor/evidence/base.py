"""What every source shares: the request, and evidence that is not available."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

LOG_ALONE = "Only a log file was given (--logs); nothing else was checked."
AS_ROOT = 'sudo "$(command -v ot-doctor)"'  # by its path: root's PATH need not have it


@dataclass(frozen=True)
class Location:
    """Where something was seen: in a file or a folder, or in a container (or its log); as exactly as is known."""

    path: str | None = None  # absolute, or below "~"
    container: str | None = None
    line: int | None = None  # from 1
    last_line: int | None = None  # of several lines
    at: datetime | None = None  # aware: when it was written

    def __str__(self) -> str:
        name = self.path or self.container or ""
        return f"{name}:{self.line}" if self.line else name


@dataclass(eq=False)  # not frozen: an exception's traceback is set while it travels
class Unavailable(Exception):
    """Evidence that could not be gathered. Gatherers raise it; checks may ask for ``Workers | Unavailable``."""

    reason: str  # one sentence: what was tried, and what came back
    hint: str = ""  # what would make it known
    command: str | None = None  # the command that does it, if there is one
    switched_off: bool = False  # the user did not want it: checks are skipped, not unknown
    elsewhere: bool = False  # it is on another machine, which alone can see it

    def __str__(self) -> str:
        return self.reason


class NoSuchWorker(Unavailable):
    """``--worker`` names what no container and no Compose service is called: wrong usage. The reason lists what there is."""


def _working_folder() -> Path:
    """The working folder; the root where it has been deleted under the shell."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


@dataclass(frozen=True)
class Request:
    """Where to look and what to leave out: the options of ``run``."""

    directory: Path | None = None  # --dir, absolute
    env_file: Path | None = None  # --env-file, absolute
    logs: tuple[str, ...] = ()  # --logs; "-" is standard input
    workers: tuple[str, ...] = ()  # --worker: container or Compose service names
    signatures: tuple[Path, ...] = ()  # --signatures: files of more log signatures, absolute
    offline: bool = False
    no_docker: bool = False
    context: str = ""  # --context: a Docker context
    engine_of: str = ""  # ssh://me@server/folder: a machine that cannot run the doctor, and whose engine alone is examined
    no_exec: bool = False
    probe: str = "light"  # --probe: "off", "light", "deep" or "gpu"
    next_release: str = ""  # preflight: "v0.5", or an image with its tag
    log_alone: bool = False  # --logs where no installation was named or found: no Docker, no network
    timeout: float = 30.0  # seconds, the whole run
    cwd: Path = field(default_factory=_working_folder)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # the doctor's own
    started: float = field(default_factory=time.monotonic)

    def remaining(self) -> float:
        """Seconds that are left of ``timeout``; never negative."""
        return max(0.0, self.timeout - (time.monotonic() - self.started))
