"""What the worker sees from inside, and this machine beside it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from ot_doctor.evidence.hub import Answer, FileAnswer


class Stage(enum.Enum):
    """A rung of the way to the Hub, in the order in which they are climbed."""

    NAMES = "names"
    CONNECT = "connect"
    TLS = "tls"
    HUB = "hub"


@dataclass(frozen=True)
class Rung:
    stage: Stage
    answer: Answer  # OK: it held
    text: str  # "104.18.40.68", "through the proxy http://10.0.0.5:3128", or what went wrong
    ms: int


@dataclass(frozen=True)
class Ladder:
    """The way to the Hub, as one side goes it for a HEAD of one file of each required model."""

    endpoint: str  # scheme, host and port
    rungs: tuple[Rung, ...]  # up to the first that did not hold
    files: tuple[FileAnswer, ...] = ()
    token_sent: bool = False
    proxy: str = ""  # "http://10.0.0.5:3128", without credentials
    issuer: str = ""  # of the server's certificate
    trusted: str = ""  # the certificates that count: "SSL_CERT_FILE=/ca.pem", a file, "the system's own certificates"
    storage_host: str = ""  # where large files come from, if the Hub named it
    storage: Answer = Answer.NOT_ASKED
    storage_text: str = ""
    clock: float | None = None  # seconds by which this side's clock is ahead of the Hub's

    @property
    def fallen(self) -> Rung | None:
        """The rung that did not hold."""
        return next((rung for rung in self.rungs if rung.answer is not Answer.OK), None)

    @property
    def reached(self) -> bool:
        """The Hub itself answered."""
        return bool(self.rungs) and self.fallen is None

    def rung(self, stage: Stage) -> Rung | None:
        return next((rung for rung in self.rungs if rung.stage is stage), None)


@dataclass(frozen=True)
class ProcessEnvironment:
    """Settings of the process that works beside those that the container was created with (Config.Env): their names alone."""

    readable: bool
    text: str = ""  # why it could not be read
    differs: tuple[str, ...] = ()  # in both, with other values
    added: tuple[str, ...] = ()  # only in the process
    removed: tuple[str, ...] = ()  # only in Config.Env
    blank: tuple[str, ...] = ()  # empty in the process

    def lacks(self, name: str) -> bool:
        """The process does not have it, or has nothing in it, although Config.Env names it."""
        return self.readable and (name in self.removed or (name in self.blank and name in self.differs))

    def has_own(self, name: str) -> bool:
        """The process has another value than Config.Env."""
        return name not in self.blank and name in (*self.differs, *self.added)


@dataclass(frozen=True)
class SeenGpu:
    name: str
    total: int  # bytes of memory
    used: int


@dataclass(frozen=True)
class NvmlAnswer:
    """What NVIDIA's management library says in the container; no CUDA context is made for it."""

    library: bool  # libnvidia-ml.so.1 is there
    code: int  # of NVML; 0: fine
    text: str = ""
    driver: str = ""
    gpus: tuple[SeenGpu, ...] = ()


@dataclass(frozen=True)
class WriteTest:
    """Whether an empty file could be made, renamed and deleted in a folder."""

    path: str
    ok: bool
    text: str = ""


@dataclass(frozen=True)
class WorkerProbe:
    """What the first running diarizer's own Python sees, with the environment of the process that works."""

    worker: str  # the container
    user: str
    uid: int
    python: str  # "3.13.5"
    devices: tuple[str, ...]  # of GPUs, in /dev
    memory_limit: int  # bytes; 0: none
    memory_used: int
    clock: float  # seconds by which its clock is ahead of this machine's; 0 where they may agree
    libraries: Mapping[str, str]  # name to version
    process: ProcessEnvironment
    inside: Ladder | None = None  # None: not asked
    here: Ladder | None = None  # this machine's way to the same Hub, without a token
    gpu: NvmlAnswer | None = None  # None: none was requested
    writes: tuple[WriteTest, ...] = ()  # --probe deep
    incomplete: tuple[str, ...] = ()  # what could not be looked at, as sentences
    program: str = ""  # SHA-256 of what was run in the container
    took: Mapping[str, int] = field(default_factory=dict)  # milliseconds, by layer

    @property
    def reaches_hub(self) -> bool:
        return self.inside is not None and self.inside.reached


@dataclass(frozen=True)
class ImportTest:
    """Whether a module of the worker's image can be imported."""

    name: str
    ok: bool
    missing: bool  # it is not installed; else something in it goes wrong
    version: str = ""
    text: str = ""  # the error and its last line; of torch that is fine: "CUDA 12.8" or "no CUDA"


@dataclass(frozen=True)
class WorkerImports:
    """The worker's libraries, imported in a container of its own of the worker's image (``--probe deep``)."""

    worker: str
    image: str
    tests: tuple[ImportTest, ...]
    dying: str = ""  # the module at whose import the process ended
    exit_code: int = 0


@dataclass(frozen=True)
class WorkerCuda:
    """A small calculation on the GPU, in a container of its own with what the worker was given (``--probe gpu``)."""

    worker: str
    image: str
    ok: bool
    stage: str  # how far it came: "start", "import", "context", "calculate", "done"
    text: str = ""  # what went wrong
    torch: str = ""  # its version
    built_for: str = ""  # the version of CUDA that torch was built for; empty: none
    device: str = ""  # the GPU's name, as CUDA has it
    before: tuple[SeenGpu, ...] = ()  # NVML's answers before there was a context, and while there was one
    during: tuple[SeenGpu, ...] = ()
    exit_code: int = 0
