"""The containers of OpenTranscribe: which ones, and what the engine says of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import NoSuchWorker, Request, Unavailable
from ot_doctor.evidence.installation import Installation
from ot_doctor.evidence.releases import services
from ot_doctor.evidence.workers import ComposeLabels, Engine, GpuGrant, Mount, Role, Worker, Workers, fits
from ot_doctor.redaction.masking import redact_outside
from ot_doctor.redaction.names import is_secret, keep
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.disk import on_disk
from ot_doctor.sources.docker import swarm
from ot_doctor.sources.docker.engine import asking, connect, not_dockers
from ot_doctor.sources.docker.transport import NotDockers, an_object, objects_with_id, text_of
from ot_doctor.sources.other_machine import must_be_of

if TYPE_CHECKING:
    import docker

PROBE_LABEL = "ot-doctor.probe"  # of a container that the doctor itself makes for a moment
_COMPOSE = "com.docker.compose."
_PODMAN_COMPOSE = "io.podman.compose."
_TOKEN_NAMES = ("HUGGINGFACE_TOKEN", "HF_TOKEN")
_BACKEND_IMAGE = "opentranscribe-backend"
_INSPECTED_AT_ONCE = 4
_LONGEST_OUTPUT = 500  # characters of a health check's
_MOST_MOUNTS = 1_000  # of one container; each is compared with every ancestor of the models' folder
_LABELS = tuple(f"org.opencontainers.image.{name}" for name in ("version", "revision", "created", "ref.name"))

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Listed:
    """A container as the engine's list shows it: enough to tell whether it is worth a closer look."""

    id: str
    names: tuple[str, ...]
    image: str
    project: str
    service: str
    working_dir: str
    up: bool  # running, or about to be again
    created: float

    @property
    def name(self) -> str:
        return self.names[0] if self.names else self.id[:12]

    @property
    def is_opentranscribe(self) -> bool:
        return "opentranscribe" in self.image.lower() or "opentranscribe" in self.name.lower()

    @property
    def role(self) -> Role | None:
        """What it is for; ``None`` for a database, a proxy and the like."""
        if any(fits(self.service, self.name, name) for name in services("diarizer")):
            return Role.DIARIZER
        what = self.service or self.name
        if "celery" in what:
            return Role.CELERY
        if what in ("backend", "diar-native") or "diar-native" in what or _BACKEND_IMAGE in self.image:
            return Role.OTHER
        return None


def gather(request: Request, installation: Installation) -> Workers:
    """The containers of the one deployment that is examined, running or not. None at all is no error."""
    client, engine = connect(request)
    from docker.errors import NotFound  # after that: without Docker, nothing of it is loaded

    try:
        try:
            with asking(client, engine, request):
                entries = objects_with_id(client.api.containers(all=True))
        except NotFound as error:
            raise not_dockers(engine, error) from None
        listed = [c for entry in entries if (c := from_list(entry))]
        folder = installation.directory or request.cwd
        chosen = on_disk(request, folder, lambda: choose(listed, installation.directory, request.workers))
        if engine.machine and installation.directory:
            must_be_of(installation.directory, engine.machine, {container.working_dir for container, _ in chosen})
        workers, tasks = swarm.seen_here(client, engine, request, inspected(client, engine, request, chosen))
    finally:
        client.close()
    return Workers(engine, tuple(sorted(workers, key=_order)), tasks)


def _order(worker: Worker) -> tuple[bool, bool, int, str]:
    service = worker.compose.service
    diarizing = services("diarizer")
    rank = diarizing.index(service) if service in diarizing else len(diarizing)
    return (worker.role is not Role.DIARIZER, not worker.running, rank, worker.name)


# -- which containers ------------------------------------------------------------------------------------------------


def from_list(entry: Json) -> Listed | None:
    """One entry of ``docker ps --all``; ``None`` for what is no part of a running stack."""
    labels = _mapping(entry.get("Labels"))
    if str(labels.get(f"{_COMPOSE}oneoff", "")).lower() == "true" or PROBE_LABEL in labels:
        return None  # left over from 'docker compose run'
    created = entry.get("Created")
    return Listed(
        id=_text(entry.get("Id")),
        names=tuple(_text(name).lstrip("/") for name in _list(entry.get("Names"))),
        image=_text(entry.get("Image")),
        project=_text(labels.get(f"{_COMPOSE}project")),
        service=_text(labels.get(f"{_COMPOSE}service")),
        working_dir=_text(labels.get(f"{_COMPOSE}project.working_dir")),
        up=_text(entry.get("State")) in ("running", "restarting", "paused"),
        created=float(created) if isinstance(created, (int, float)) else 0.0,
    )


def choose(
    listed: Iterable[Listed], directory: Path | None, named: tuple[str, ...]
) -> tuple[tuple[Listed, Role], ...]:
    """The containers of the deployment with their roles."""
    everything = list(listed)
    diarizers = _named(everything, named) if named else []
    projects = {c.project for c in diarizers} if diarizers else _examined_projects(everything, directory)
    chosen = []
    for container in everything:
        role = Role.DIARIZER if container in diarizers else _role_in(container, projects)
        if named and role is Role.DIARIZER and container not in diarizers:
            role = Role.CELERY  # another one was named to be examined
        if role is not None:
            chosen.append((container, role))
    return tuple(chosen)


def _examined_projects(everything: list[Listed], directory: Path | None) -> set[str]:
    """The Compose projects of the folder; where it has none of OpenTranscribe, those that are most probably meant."""
    projects: dict[str, list[Listed]] = {}
    for container in everything:
        projects.setdefault(container.project, []).append(container)
    here = {c.project for c in everything if c.project and directory is not None and _same_folder(c.working_dir, directory)}
    candidates = {name: found for name, found in projects.items() if name in here or any(c.is_opentranscribe for c in found)}
    return (here & _with_a_role(candidates)) or _busiest(candidates)


def _with_a_role(projects: Mapping[str, list[Listed]]) -> set[str]:
    return {name for name, found in projects.items() if any(c.role for c in found)}


def _role_in(container: Listed, projects: set[str]) -> Role | None:
    """Its role in these projects. What Compose did not make counts by its own name or image."""
    ours = container.project in projects and (container.project or container.is_opentranscribe)
    return container.role if ours else None


def _named(everything: list[Listed], named: tuple[str, ...]) -> list[Listed]:
    found: list[Listed] = []
    for name in named:
        matches = [c for c in everything if name in (*c.names, c.service) or (len(name) >= 12 and c.id.startswith(name))]
        if not matches:
            there = sorted({c.name for c in everything if c.is_opentranscribe or c.role})
            what = f"There are: {', '.join(there)}." if there else "There is no container of OpenTranscribe at all."
            raise NoSuchWorker(f"No container and no Compose service is called '{printable(name)}' (--worker). {what}")
        found += [c for c in matches if c not in found]
    return found


def _busiest(candidates: Mapping[str, list[Listed]]) -> set[str]:
    """Without a folder to go by: the projects with a running diarizer, else with anything running, else the newest one.

    Containers that Compose did not make count only where there is no project.
    """
    pool = {name: candidates[name] for name in candidates if name and name in _with_a_role(candidates)} or dict(candidates)
    diarizing = {n for n, found in pool.items() if any(c.up and c.role is Role.DIARIZER for c in found)}
    running = {n for n, found in pool.items() if any(c.up and c.role for c in found)}
    if diarizing or running or len(pool) < 2:
        return diarizing or running or set(pool)
    return {max(pool, key=lambda name: max(c.created for c in pool[name]))}


def _same_folder(label: str, directory: Path) -> bool:
    if not label:
        return False
    try:
        return Path(label) == directory or Path(label).resolve() == directory.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a NUL byte
        return False


# -- what the engine says of each ------------------------------------------------------------------------------------


def inspected(
    client: docker.DockerClient, engine: Engine, request: Request, chosen: Iterable[tuple[Listed, Role]]
) -> list[Worker]:
    from docker.errors import NotFound

    def look(one: tuple[Listed, Role]) -> Json | None:
        try:
            with asking(client, engine, request):
                seen = an_object(client.api.inspect_container(one[0].id))
                text_of(seen, "Id")
                if len(_list(seen.get("Mounts"))) + len(_mapping(_mapping(seen.get("HostConfig")).get("Tmpfs"))) > _MOST_MOUNTS:
                    raise NotDockers(f"{one[0].name} has more than {_MOST_MOUNTS} mounts")
                return seen
        except NotFound:
            return None  # it went away after it was listed

    def look_at_image(image: str) -> Json:
        try:
            with asking(client, engine, request):
                return an_object(client.api.inspect_image(image))  # type: ignore[no-untyped-call]
        except (NotFound, Unavailable):
            return {}  # the image's own settings are a help, not a need

    them = list(chosen)
    with ThreadPoolExecutor(_INSPECTED_AT_ONCE, thread_name_prefix="inspect") as pool:
        looked = [pool.submit(copy_context().run, look, one) for one in them]  # the context: secrets and the receipt of this run
        found = [(role, inspect) for (_, role), one in zip(them, looked, strict=True) if (inspect := one.result())]
        images = sorted({_text(inspect.get("Image")) for _, inspect in found})
        known = [pool.submit(copy_context().run, look_at_image, image) for image in images]
        image_of = {image: one.result() for image, one in zip(images, known, strict=True)}
    return [parse(engine, role, inspect, image_of[_text(inspect.get("Image"))]) for role, inspect in found]


def parse(engine: Engine, role: Role, inspect: Json, image: Json) -> Worker:
    """A container from what ``docker inspect`` says of it and of its image. Nothing in it is trusted to be there."""
    config, state, host = (_mapping(inspect.get(part)) for part in ("Config", "State", "HostConfig"))
    health = _mapping(state.get("Health") or state.get("Healthcheck"))
    image_config = _mapping(image.get("Config"))
    env = _environment(config.get("Env"))
    _register_command([_text(word) for part in ("Entrypoint", "Cmd") for word in _list(config.get(part))])
    image_env = _environment(image_config.get("Env"))
    labels = {**_mapping(image_config.get("Labels")), **_mapping(config.get("Labels"))}
    user = _text(config.get("User"))
    return Worker(
        engine=engine,
        id=_text(inspect.get("Id")),
        name=_text(inspect.get("Name")).lstrip("/"),
        role=role,
        image=_text(config.get("Image") or inspect.get("ImageName")),
        compose=_compose(labels),
        status=_text(state.get("Status")),
        exit_code=_number(state.get("ExitCode")),
        oom_killed=state.get("OOMKilled") is True,
        error=redact_outside(_text(state.get("Error"))).strip(),
        restart_count=_number(inspect.get("RestartCount")),
        health=status if (status := _text(health.get("Status"))) != "none" else "",
        health_output=_health_output(health),
        created_at=moment(inspect.get("Created")),
        started_at=moment(state.get("StartedAt")),
        finished_at=moment(state.get("FinishedAt")),
        seen_at=datetime.now(timezone.utc),
        user=user,
        home=_home(user, env),
        env=env,
        mounts=_mounts(inspect, host),
        image_labels={name: redact_outside(_text(labels[name])) for name in _LABELS if name in labels},
        image_env_names=frozenset(image_env),
        image_env=image_env,
        gpu=_gpu(host, env),
        memory_limit=max(0, _number(host.get("Memory"))),
        log_driver=_text(_mapping(host.get("LogConfig")).get("Type")),
        group_add=tuple(_text(group) for group in _list(host.get("GroupAdd"))),
        own_users=engine.podman and _text(host.get("UsernsMode")) not in ("", "host"),
    )


def _health_output(health: Json) -> str:
    outputs = [_text(_mapping(entry).get("Output")).strip() for entry in _list(health.get("Log"))]
    return redact_outside(outputs[-1])[-_LONGEST_OUTPUT:] if outputs else ""


def moment(text: object) -> datetime | None:
    """Docker's time stamps: up to nine digits of fraction, any offset; the year 1 stands for "never"."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\d*(Z|[+-]\d\d:?\d\d)?$", str(text))
    if not found or found[1] < "1971":
        return None
    try:
        at = datetime.fromisoformat(found[1]).replace(microsecond=int((found[2] or "0").ljust(6, "0")[:6]), tzinfo=timezone.utc)
    except ValueError:
        return None
    if found[3] and found[3] != "Z":
        offset = timedelta(hours=int(found[3][1:3]), minutes=int(found[3][-2:]))
        try:
            at += offset if found[3][0] == "-" else -offset
        except OverflowError:  # the very end of the calendar
            return None
    return at


def _compose(labels: Json) -> ComposeLabels:
    def files(name: str) -> tuple[str, ...]:
        return tuple(part for part in _text(labels.get(f"{_COMPOSE}project.{name}")).split(",") if part)

    return ComposeLabels(
        project=_text(labels.get(f"{_COMPOSE}project")),
        service=_text(labels.get(f"{_COMPOSE}service")),
        working_dir=_text(labels.get(f"{_COMPOSE}project.working_dir")),
        config_files=files("config_files"),
        environment_files=files("environment_file"),
        version=_text(labels.get(f"{_COMPOSE}version")) or _text(labels.get(f"{_PODMAN_COMPOSE}version")),
        by_podman_compose=f"{_PODMAN_COMPOSE}project" in labels,
        stack=_text(labels.get("com.docker.stack.namespace")),
        swarm_service=_text(labels.get("com.docker.swarm.service.name")),
    )


def _environment(entries: object) -> dict[str, str | Secret]:
    env: dict[str, str | Secret] = {}
    for entry in _list(entries):
        name, equals, value = str(entry).partition("=")
        if name and equals:
            env[printable(name)] = Secret(value, name) if name in _TOKEN_NAMES else keep(name, value)
    return env


def _register_command(words: list[str]) -> None:
    """Remember the passwords among a command's words, which are not gathered: a log or the name of a mount may repeat them."""
    for word, after in pairwise([*words, ""]):
        if word.startswith("-"):
            option, equals, value = word.lstrip("-").partition("=")
            name, value = option.replace("-", "_"), value if equals else after
            keep(name, value)
            if ":" in value and is_secret(name, ""):  # --basic_auth=user:password
                keep(name, value.partition(":")[2])


def _home(user: str, env: Mapping[str, str | Secret]) -> str:
    """Where ``~`` leads in the container, as far as it shows from outside: an image for other GPUs has /home/user."""
    if isinstance(home := env.get("HOME"), str) and home:
        return home
    if user.partition(":")[0] in ("", "0", "root"):
        return "/root"
    for name in ("HF_HOME", "TORCH_HOME"):
        if isinstance(folder := env.get(name), str) and (found := re.match(r"(/home/[^/]+)/\.cache(?:/|$)", folder)):
            return found[1]
    return "/home/appuser"


def _mounts(inspect: Json, host: Json) -> tuple[Mount, ...]:
    mounts = [
        Mount(
            kind=_text(mount.get("Type")),
            source=_text(mount.get("Source")),
            destination=_text(mount.get("Destination")),
            writable=mount.get("RW") is not False,
            name=_text(mount.get("Name")),
        )
        for mount in map(_mapping, _list(inspect.get("Mounts")))
    ]
    known = {mount.destination for mount in mounts}
    for destination, options in _mapping(host.get("Tmpfs")).items():
        if destination not in known:
            mounts.append(Mount("tmpfs", "", _text(destination), writable="ro" not in _text(options).split(",")))
    return tuple(mounts)


def _gpu(host: Json, env: Mapping[str, str | Secret]) -> GpuGrant:
    runtime = _text(host.get("Runtime"))
    for asked in map(_mapping, _list(host.get("DeviceRequests"))):
        ids = tuple(_text(one) for one in _list(asked.get("DeviceIDs")))
        kinds = {_text(kind) for group in _list(asked.get("Capabilities")) for kind in _list(group)}
        if kinds & {"gpu", "nvidia"} or asked.get("Driver") in ("nvidia", "cdi"):
            return GpuGrant(True, ids, _number(asked.get("Count")))
    visible = env.get("NVIDIA_VISIBLE_DEVICES")
    if "nvidia" in runtime and isinstance(visible, str) and visible not in ("", "none", "void"):
        return GpuGrant(True, () if visible == "all" else tuple(visible.split(",")), -1 if visible == "all" else 0)
    paths = tuple(_text(_mapping(device).get("PathOnHost")) for device in _list(host.get("Devices")))
    given = tuple(path for path in paths if re.match(r"nvidia\.com/gpu=|/dev/nvidia\d|/dev/kfd", path))
    return GpuGrant(bool(given), given)


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return printable(value) if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
