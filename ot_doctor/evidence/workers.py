"""The containers of OpenTranscribe, as the Docker engine tells."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ot_doctor.evidence.releases import services
from ot_doctor.redaction.secret import Secret

_JUST_STARTED = 10.0  # seconds
_SYSTEMS_IN_A_VM = ("docker desktop", "rancher desktop", "orbstack")
_SOCKETS_OF_A_VM = ("/.docker/desktop/", "/.colima/", "/.lima/", "/.rd/", "/.orbstack/", "/podman/machine/", "/podman-machine")


@dataclass(frozen=True)
class Engine:
    """A Docker engine, and how it was found."""

    endpoint: str  # "unix:///var/run/docker.sock"
    found_by: str  # "DOCKER_HOST", "the Docker context 'x'", "the default socket", "the rootless socket"
    context: str = ""  # the Docker context's name, where one led to it
    version: str = ""
    operating_system: str = ""  # "Docker Desktop", "Ubuntu 24.04 LTS"
    rootless: bool = False
    owner: str = ""  # "1000:1000": user and group that a rootless one runs as, where they are known
    userns_remap: bool = False
    data_root: str = ""  # DockerRootDir
    memory: int = 0  # bytes of the machine that it runs on; 0: not known
    known_to_cli: bool = True  # False: the docker command does not find it by itself, and needs DOCKER_HOST
    api_version: str = ""
    podman: bool = False  # Podman, which speaks Docker's language
    selinux: bool = False  # it labels containers: one sees only folders of the host that have a label for it
    swarm: str = ""  # what it is in a Swarm: "manager", "worker"
    platform: str = "linux"  # sys.platform of the machine that asked it
    told: bool = True  # it said what it is; False: a socket proxy refuses that
    machine: str = ""  # "ssh://me@server": another machine, which it was reached on over ssh

    @property
    def kind(self) -> str:
        """What it is called."""
        return "Podman" if self.podman else "Docker"

    @property
    def program(self) -> str:
        """The command that speaks to it."""
        return "podman" if self.podman else "docker"

    @property
    def in_vm(self) -> bool:
        """Whether it runs in a virtual machine, so that paths, owners and modes of the host are not those that it sees.

        It does wherever the host is not Linux, whatever it is called: Colima and a Podman machine name only the Linux in them.
        """
        system = self.operating_system.lower()
        return (
            self.platform != "linux"
            or any(name in system for name in _SYSTEMS_IN_A_VM)
            or any(folder in self.endpoint for folder in _SOCKETS_OF_A_VM)
        )

    @property
    def same_user_ids(self) -> bool:
        """Whether a user id in a container is the same user id on this machine's disk."""
        return self.told and not (self.rootless or self.userns_remap or self.in_vm)


class Role(enum.Enum):
    DIARIZER = "diarizer"  # runs local diarization
    CELERY = "celery"  # another celery worker: for comparison only
    OTHER = "other"  # backend, diar-native, ...: says which release and edition this is


@dataclass(frozen=True)
class Mount:
    kind: str  # "bind", "volume", "tmpfs"
    source: str  # a path on the engine's machine
    destination: str
    writable: bool
    name: str = ""  # of a volume


@dataclass(frozen=True)
class GpuGrant:
    """What the container was given."""

    requested: bool  # device requests with the gpu capability, the nvidia runtime, or CDI devices
    device_ids: tuple[str, ...] = ()
    count: int = 0  # -1: all


@dataclass(frozen=True)
class ComposeLabels:
    """The labels that Compose put on the container; empty where it was not Compose."""

    project: str = ""
    service: str = ""
    working_dir: str = ""
    config_files: tuple[str, ...] = ()
    environment_files: tuple[str, ...] = ()
    version: str = ""  # of Compose
    by_podman_compose: bool = False  # made by podman-compose, which knows fewer options than Docker's
    stack: str = ""  # a Swarm's, which no Compose command recreates
    swarm_service: str = ""  # "ot_celery-worker": the service of a Swarm that the container is a task of


@dataclass(frozen=True)
class Worker:
    """One container, running or not."""

    engine: Engine
    id: str
    name: str
    role: Role
    image: str  # as the container names it: "davidamacey/opentranscribe-backend:v0.4.1"
    compose: ComposeLabels
    status: str  # "running", "exited", "restarting", "created", "paused", "dead"
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""  # State.Error: why the engine could not start it
    restart_count: int = 0
    health: str = ""  # "", "starting", "healthy", "unhealthy"
    health_output: str = ""  # what the health check printed last
    created_at: datetime | None = None  # aware, UTC
    started_at: datetime | None = None
    finished_at: datetime | None = None
    seen_at: datetime | None = None  # when it was looked at, by this machine's clock
    user: str = ""  # Config.User: "appuser", "1000:1000", "" is root
    home: str = "/home/appuser"
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    image_labels: Mapping[str, str] = field(default_factory=dict)  # of org.opencontainers.image.* those that are read
    image_env_names: frozenset[str] = frozenset()  # the variables that the image sets by itself; empty where unread
    image_env: Mapping[str, str | Secret] = field(default_factory=dict)  # and their values
    gpu: GpuGrant = GpuGrant(requested=False)
    memory_limit: int = 0  # bytes; 0: none
    log_driver: str = "json-file"
    group_add: tuple[str, ...] = ()  # more groups of its user: "44", "video"
    own_users: bool = False  # it has user ids of its own ('--userns keep-id'): another container's are other users

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def has_just_started(self) -> bool:
        """Whether it had run for a few seconds only: one that dies at its start is often seen so between two restarts."""
        ran = (self.seen_at - self.started_at).total_seconds() if self.seen_at and self.started_at else None
        return self.running and ran is not None and ran < _JUST_STARTED

    @property
    def where(self) -> str:
        """How a finding names the container's environment as a source."""
        return f"the environment of {self.name}"

    def setting(self, name: str) -> str | None:
        """The plain value of a variable that is no secret; ``None`` when it is absent or secret."""
        value = self.env.get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True)
class SwarmTask:
    """What a Swarm's manager says of the newest task in one place of a service that diarizes."""

    service: str  # "ot_celery-worker"
    state: str  # "running", "preparing", "pending", "failed"
    error: str = ""  # of this task, else the last one of those before it
    failures: int = 0  # tasks of this place that failed, as far as they are kept
    node: str = ""  # its node's name; empty where it has none
    node_state: str = ""  # "ready", "down"
    container: str = ""  # the container's id on that node

    @property
    def up(self) -> bool:
        return self.state == "running" and self.node_state != "down"

    @property
    def said(self) -> str:
        """``running on node-3``, with the node's trouble and the error."""
        where = f" on {self.node}" if self.node else ", on no node"
        trouble = f", which is {self.node_state}" if self.node_state not in ("", "ready") else ""
        return f"{self.state}{where}{trouble}" + (f": {self.error}" if self.error else "")


@dataclass(frozen=True)
class Workers:
    """The containers of the deployment that is examined, on one engine (several, one day: each names its own)."""

    engine: Engine
    containers: tuple[Worker, ...]
    tasks: tuple[SwarmTask, ...] = ()  # of a Swarm, that have no container on this engine

    @property
    def diarizers(self) -> tuple[Worker, ...]:
        """The containers that diarize, running ones first."""
        return tuple(w for w in self.containers if w.role is Role.DIARIZER)

    @property
    def celery(self) -> tuple[Worker, ...]:
        """All celery workers, the diarizing ones first."""
        return self.diarizers + tuple(w for w in self.containers if w.role is Role.CELERY)

    @property
    def lite(self) -> bool:
        """A lite install: no local worker, and a cloud worker, the lite image or DEPLOYMENT_MODE=lite.

        A cloud provider diarizes there.
        """
        return not self.diarizers and any(
            w.compose.service in services("cloud") or w.setting("DEPLOYMENT_MODE") == "lite" or lite_image(w.image)
            for w in self.containers
        )

    def of(self, role: str) -> tuple[Worker, ...]:
        """The containers of the services that have a role in some release, running ones first: ``engine``, ``exporter``."""
        found = [w for w in self.containers if any(fits(w.compose.service, w.name, name) for name in services(role))]
        return tuple(sorted(found, key=lambda w: not w.running))


def lite_image(image: str) -> bool:
    """Whether an image is the one without the programs for local diarization."""
    return image.rpartition("/")[2].partition(":")[0].endswith("-backend-lite")


def fits(service: str, container: str, name: str) -> bool:
    """Whether a container is of the service ``name``: by Compose's label, else by its own name."""
    return service == name if service else re.search(rf"(?:^|[-_.]){re.escape(name)}(?:[-_.]\d.*)?$", container) is not None
