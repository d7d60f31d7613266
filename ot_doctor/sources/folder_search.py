"""The OpenTranscribe folder on this machine's disk: the one that was named, or the one that the user stands in."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.installation import Installation
from ot_doctor.sources.disk import on_disk
from ot_doctor.sources.other_machine import of_the_engine
from ot_doctor.sources.ssh import address_of

# In the order in which Compose takes them: the first base file, then the first override.
_BASE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDE_FILES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_OVERLAYS = ("compose.*.y*ml", "docker-compose.*.y*ml")
_SCRIPTS = ("opentr.sh", "opentranscribe.sh")
_WORKER = "celery-worker"
_LARGEST_FILE = 4 * 1024 * 1024  # bytes; upstream's largest Compose file has 60 thousand


def gather(request: Request) -> Installation:
    """``--dir``, else the working folder or the nearest of its parents that holds OpenTranscribe."""
    if request.log_alone:
        return Installation(None, "nothing")
    if request.directory is None and (machine := of_the_engine(request)):
        folder = address_of(request.engine_of).folder if request.engine_of else ""  # otherwise the path is the socket's
        return Installation(Path(folder) if folder else None, machine.machine if folder else "nothing")
    if request.directory is not None:
        named = request.directory
        if not on_disk(request, named, lambda: _is(named, stat.S_ISDIR)):
            raise Unavailable(f"{printable(str(named))} is not a folder (--dir).")
        if not on_disk(request, named, lambda: _may_be_opentranscribe(request, named)):
            raise Unavailable(
                f"{printable(str(named))} is not an OpenTranscribe folder (--dir): it has no Compose file with a celery-worker "
                "service, no opentr.sh and no opentranscribe.sh."
            )
        return Installation(named, "--dir", on_disk(request, named, lambda: compose_files(request, named)))
    found = on_disk(request, request.cwd, lambda: next(filter(_holds_opentranscribe, (request.cwd, *request.cwd.parents)), None))
    if found is None:
        return Installation(None, "nothing")
    found_by = "the working folder" if found == request.cwd else "a parent of the working folder"
    return Installation(found, found_by, on_disk(request, found, lambda: compose_files(request, found)))


def compose_files(request: Request, folder: Path) -> tuple[Path, ...]:
    """The files that ``docker compose`` takes in a folder by itself: COMPOSE_FILE's, else the default ones."""
    dotenv = _compose_variables(folder / ".env")
    variables = {name: request.environ.get(name) or dotenv.get(name, "") for name in ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR")}
    names = variables["COMPOSE_FILE"].split(variables["COMPOSE_PATH_SEPARATOR"] or os.pathsep)
    chosen = tuple(path for name in names if name and _is(path := folder / name, stat.S_ISREG))
    return chosen or tuple(_first(folder, _BASE_FILES, _OVERRIDE_FILES))


def _first(folder: Path, *kinds: tuple[str, ...]) -> Iterator[Path]:
    for kind in kinds:
        found = next((folder / name for name in kind if _is(folder / name, stat.S_ISREG)), None)
        if found is None:
            return  # an override without a base file is not read
        yield found


def _compose_variables(path: Path) -> dict[str, str]:
    from ot_doctor.sources.dotenv import compose_dialect

    if b"COMPOSE_FILE" not in (content := _content(path)):
        return {}
    try:
        return {a.key: a.value for a in compose_dialect.parse(content, lambda name: None) if a.value}
    except compose_dialect.DotenvRefused:
        return {}


def _holds_opentranscribe(folder: Path) -> bool:
    if any(_is(folder / name, stat.S_ISREG) for name in _SCRIPTS):
        return True
    try:
        overlays = sorted({path for pattern in _OVERLAYS for path in folder.glob(pattern)})
    except OSError:
        overlays = []
    return any(_has_worker(path) for path in (*(folder / name for name in _BASE_FILES), *overlays))


def _may_be_opentranscribe(request: Request, folder: Path) -> bool:
    """Also where COMPOSE_FILE names other files, and where this user is not allowed to look."""
    if _holds_opentranscribe(folder) or not os.access(folder, os.R_OK | os.X_OK):
        return True
    return any(_has_worker(path) or not os.access(path, os.R_OK) for path in compose_files(request, folder))


def _has_worker(path: Path) -> bool:
    if _WORKER.encode() not in _content(path):  # most folders above a home have no such file, and YAML is slow to read
        return False
    from ot_doctor.sources.compose import compose_files as compose

    names = compose.service_names(path)
    return names is None or _WORKER in names  # a file with a slip in it is an installation's all the same


def _content(path: Path) -> bytes:
    """What a regular file of a sensible size holds; empty for anything else."""
    try:
        return read_small(path, _LARGEST_FILE)[0]
    except (OSError, ValueError, TooLarge):
        return b""


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False
