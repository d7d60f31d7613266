"""Which installation is examined: the folder on disk and the stack that the engine runs, put together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.evidence.base import AS_ROOT, LOG_ALONE, Request, Unavailable
from ot_doctor.evidence.deployment import ComposeProgram, Deployment, ReleaseLine
from ot_doctor.evidence.installation import Installation
from ot_doctor.evidence.releases import Release, line_of_version, newer_than_known, releases
from ot_doctor.evidence.workers import Engine, Role, Worker, Workers
from ot_doctor.sources.disk import on_disk
from ot_doctor.sources.folder_search import compose_files as files_taken_by_itself
from ot_doctor.sources.other_machine import of_the_engine

_PODMAN_WITH_COMPOSE = (4, 7)
_VERSION = re.compile(r"v?(\d{1,3}\.\d{1,3}\.\d{1,3})(?![\d.])")
_BACKEND_TAG = re.compile(r"""^[ ]{2,40}image:[ ]*["']?\S{0,200}opentranscribe-backend(?:-lite)?:([^\s"'#]{1,120})""", re.M)
_PINNED = re.compile(r"""^(?:export[ ]+)?OT_IMAGE_TAG=["']?([\w.-]{1,120})""", re.MULTILINE)
_LARGEST_VERSION = 4096  # bytes
_LARGEST_FILE = 2 * 1024 * 1024  # bytes
_WAYS = (
    "Run ot-doctor inside the OpenTranscribe folder: the one with docker-compose.yml, opentr.sh or opentranscribe.sh.",
    "Name that folder: ot-doctor --dir /path/to/opentranscribe",
    "If you only have a log: ot-doctor --logs worker.log",
)



def gather(request: Request, installation: Installation, workers: Workers | Unavailable) -> Deployment:
    """The folder, the stack's own folder and files, and the release line. Raises ``Unavailable`` where there is none."""
    if request.log_alone:
        raise Unavailable(LOG_ALONE, switched_off=True)
    if machine := of_the_engine(request):
        return _elsewhere(request, machine.machine, installation, workers)
    folder = installation.directory or _labelled_folder(workers) or request.cwd
    return on_disk(request, folder, lambda: _gathered(request, installation, workers))


def _labelled_folder(workers: Workers | Unavailable) -> Path | None:
    containers = () if isinstance(workers, Unavailable) else _by_role(workers.containers)
    return next((Path(w.compose.working_dir) for w in containers if w.compose.working_dir), None)


def _elsewhere(request: Request, machine: str, installation: Installation, workers: Workers | Unavailable) -> Deployment:
    """What the labels tell of a folder on another machine; one on this machine, if it was named and the stack is its own."""
    if isinstance(workers, Unavailable):
        raise workers
    labelled = next((w for w in _by_role(workers.containers) if w.compose.working_dir), None)
    if labelled is None:
        raise _not_found(None, workers, request.cwd)
    home = Path(labelled.compose.working_dir)
    if request.directory is not None:
        return on_disk(request, home, lambda: _gathered(request, installation, workers))
    line, line_reason = release_line(workers)
    version = next((v for w in _by_role(workers.containers) if (v := image_version(w))), None)
    return Deployment(
        directory=home,
        found_by=f"the Compose labels of {labelled.name}",
        env_path=home / ".env",
        project=labelled.compose.project or None,
        running_dir=home,
        compose_files=tuple(home / name for name in labelled.compose.config_files),
        environment_files=tuple(home / name for name in labelled.compose.environment_files),
        version=version,
        line=line,
        line_reason=line_reason,
        podman=workers.engine.podman,
        v0_1=version is not None and version.startswith("v0.1."),
        machine=machine,
    )


def _gathered(request: Request, installation: Installation, workers: Workers | Unavailable) -> Deployment:
    containers = [] if isinstance(workers, Unavailable) else _by_role(workers.containers)
    labelled = next((w for w in containers if w.compose.working_dir), None)
    engine = None if isinstance(workers, Unavailable) else workers.engine
    running_dir = _here(labelled.compose.working_dir) if labelled else None
    directory, found_by = _folder(installation, labelled, running_dir, workers, request.cwd)
    home = running_dir or directory
    compose_files = _existing(labelled.compose.config_files, home) if labelled else ()
    environment_files = _existing(labelled.compose.environment_files, home) if labelled else ()
    compose_files = compose_files or files_taken_by_itself(request, home)
    version = next((v for w in containers if (v := image_version(w))), None)
    line, line_reason = release_line(workers)
    if line is ReleaseLine.UNKNOWN and not containers and (tagged := tag_of_files(compose_files, home / ".env")):
        line, version = line_of_version(tagged[0]), tagged[0]
        line_reason = f"no container was asked; the backend's image in {tagged[1]} is {tagged[0]}"
    return Deployment(
        directory=directory,
        found_by=found_by,
        env_path=request.env_file or _env_path(home, environment_files),
        project=labelled.compose.project or None if labelled else None,
        running_dir=running_dir,
        compose_files=compose_files,
        environment_files=environment_files,
        version=version,
        line=line,
        line_reason=line_reason,
        podman=engine is not None and engine.podman,
        compose_by=_compose_program(engine, labelled),
        endpoint=engine.endpoint if engine else "",
        docker_host=engine.endpoint if engine and not engine.known_to_cli else None,
        docker_context=engine.context if engine and not engine.known_to_cli else "",
        v0_1=version is not None and version.startswith("v0.1."),
        checkout_version=_checkout_version(directory),
    )


def _folder(
    installation: Installation, labelled: Worker | None, running_dir: Path | None, workers: Workers | Unavailable, cwd: Path
) -> tuple[Path, str]:
    """The folder that is examined, and how it was found. Raises ``Unavailable`` where there is none."""
    directory = installation.directory
    if directory is None:
        if running_dir is None or labelled is None:
            raise _not_found(labelled, workers, cwd)
        return running_dir, f"the Compose labels of {labelled.name}"
    if running_dir is not None and _same(running_dir, directory):
        directory = running_dir  # as Compose spells it, links and all: otherwise it would take its mounts for changed ones
    return directory, installation.found_by


def _compose_program(engine: Engine | None, labelled: Worker | None) -> ComposeProgram:
    """The one that made the containers, as far as they tell."""
    if engine is None or not engine.podman:
        return ComposeProgram.DOCKER
    if labelled is not None and labelled.compose.by_podman_compose:
        return ComposeProgram.PODMAN_COMPOSE
    version = re.match(r"(\d{1,6})\.(\d{1,6})", engine.version)
    has_compose = version is not None and (int(version[1]), int(version[2])) >= _PODMAN_WITH_COMPOSE
    return ComposeProgram.PODMAN if has_compose else ComposeProgram.STANDALONE


def release_line(workers: Workers | Unavailable) -> tuple[ReleaseLine, str]:
    """The release line by the marks in the container that diarizes, else by its image's version; never by the checkout."""
    if isinstance(workers, Unavailable):
        return ReleaseLine.UNKNOWN, f"the release is read from the container, and none could be inspected: {workers.reason}"
    telling = workers.diarizers or tuple(_by_role(workers.containers))
    if not telling:
        return ReleaseLine.UNKNOWN, "the release is read from the container, and there is none"
    return _line_of_a_mark(telling, workers) or _line_of_the_image(telling[0])


def _line_of_a_mark(telling: Iterable[Worker], workers: Workers) -> tuple[ReleaseLine, str] | None:
    for worker in telling:
        marked, mark = _marks(worker)
        if marked is None:
            continue
        if newer_than_known(version := image_version(worker)):
            return line_of_version(version), _newer(f"the image of {worker.name} is {version}")
        for younger in releases()[releases().index(marked) + 1 :]:
            sign = next((w for w in workers.containers if _is_one_of(w, younger.services.get("telling", ()))), None)
            if sign is not None and marked.cache == younger.cache:
                return younger.line, f"{mark} is set in {worker.name}, and there is {sign.name}"
        return marked.line, f"{mark} is set in {worker.name}"
    return None


def _line_of_the_image(worker: Worker) -> tuple[ReleaseLine, str]:
    version = image_version(worker)
    line = line_of_version(version)
    if line is ReleaseLine.UNKNOWN:
        return line, f"{worker.name} (image {worker.image}) shows no sign of a release"
    reason = f"{worker.name} shows no sign of a release; its image {worker.image} is {version}"
    return line, _newer(reason) if newer_than_known(version) else reason


def _newer(reason: str) -> str:
    newest = releases()[-1].line.value
    return f"{reason}, which is newer than every release that is known here; it is read with the rules of {newest}"


def image_version(worker: Worker) -> str | None:
    """``v0.4.1`` from the image's label, its tag or its own variable; a base image's label is not a version of OpenTranscribe."""
    labels, prefix = worker.image_labels, "org.opencontainers.image."
    label = "" if f"{prefix}ref.name" in labels else labels.get(f"{prefix}version", "")
    tag = worker.image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    baked = worker.image_env.get("APP_VERSION")
    for text in (label, tag, baked if isinstance(baked, str) else ""):
        if found := _VERSION.match(text):
            return f"v{found[1]}"
    return None


def tag_of_files(compose_files: Iterable[Path], env_path: Path) -> tuple[str, Path] | None:
    """The release by the tag of the backend's image in the Compose files, with the file; none where it names no release.

    The tag may be left to OT_IMAGE_TAG of the ``.env``. Of several files the last one wins, as for Compose.
    """
    found = None
    for path in compose_files:
        for tag in _BACKEND_TAG.findall(_text_of(path)):
            tags = _PINNED.findall(_text_of(env_path)) if "OT_IMAGE_TAG" in tag else [tag]
            version = _VERSION.match(tags[-1]) if tags else None
            found = (f"v{version[1]}", path) if version else None
    return found


def _text_of(path: Path) -> str:
    try:
        return read_small(path, _LARGEST_FILE)[0].decode("utf-8", "replace")
    except (OSError, ValueError, TooLarge):
        return ""


def _by_role(containers: Iterable[Worker]) -> list[Worker]:
    return sorted(containers, key=lambda worker: list(Role).index(worker.role))


def _marks(worker: Worker) -> tuple[Release | None, str]:
    """The youngest line whose mark the container bears. The image's own value counts beside it: an .env line may hide either."""
    for release in reversed(releases()):
        for mark in release.marks:
            for env in (worker.image_env,) if mark.of_image else (worker.env, worker.image_env):
                if mark.fits(value := env.get(mark.variable)):
                    return release, f"{mark.variable}={value}" if mark.of_image else mark.variable
    return None, ""


def _is_one_of(worker: Worker, names: Iterable[str]) -> bool:
    return any(name in (worker.compose.service or worker.name) for name in names)


def _here(folder: str) -> Path | None:
    """A folder that the labels name, if it is on this machine: the engine may run on another one."""
    return Path(folder) if _exists(Path(folder)) else None


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _existing(names: Iterable[str], home: Path) -> tuple[Path, ...]:
    """The files that the labels name; none unless all of them are here: some alone would describe another stack."""
    paths = tuple(Path(os.path.normpath(home / name)) for name in names)
    return paths if all(_exists(path) for path in paths) else ()


def _env_path(home: Path, environment_files: tuple[Path, ...]) -> Path:
    """The ``.env`` that the services name; ``--env-file``, which only fills ``${…}``, stands in where there is none."""
    default = home / ".env"
    return environment_files[-1] if environment_files and not _exists(default) else default


def _same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):
        return False


def _checkout_version(directory: Path) -> str | None:
    try:
        found = _VERSION.match(read_small(directory / "VERSION", _LARGEST_VERSION)[0].decode("ascii", "replace").strip())
    except (OSError, ValueError, TooLarge):
        return None
    return f"v{found[1]}" if found else None


def _not_found(labelled: Worker | None, workers: Workers | Unavailable, cwd: Path) -> Unavailable:
    if labelled is not None:
        return Unavailable(
            f"{labelled.name} was started from {labelled.compose.working_dir}, but that folder is not on this machine.",
            hint="Either run ot-doctor on the machine that has it, or name the matching folder on this machine with --dir.",
        )
    why = "" if os.access(cwd, os.R_OK | os.X_OK) else f" You are not allowed to read {cwd}."
    if isinstance(workers, Unavailable):
        why += f" Docker could not be asked: {workers.reason}"
    elif workers.containers:
        names = ", ".join(worker.name for worker in workers.containers)
        why += f" Found containers ({names}) that were not created by Compose, so their folder is unknown."
    other = "Start the stack, so that Docker tells where it is."
    if isinstance(workers, Unavailable) and workers.command == AS_ROOT:
        other = f"Run ot-doctor as root, so that Docker tells where it is: {AS_ROOT}"
    ways = "".join(f"\n  - {way}" for way in (*_WAYS[:2], other, *_WAYS[2:]))
    return Unavailable(f"No OpenTranscribe installation was found.{why}", hint=f"One of these helps:{ways}")
