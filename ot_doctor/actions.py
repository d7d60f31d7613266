"""What ``ot-doctor fix`` can do, as plain data: a closed list. A check's ``Step`` names one beside its command.

An action says what is done, and to what; never how, which ``ot_doctor.fix`` knows. A plug-in may name one of these; it cannot
add one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar


class Risk(enum.Enum):
    """What running a remedy's step, or an action, does to the installation."""

    SAFE = "safe"
    RESTARTS = "restarts"
    CHANGES_FILES = "changes-files"
    DOWNLOADS = "downloads"
    REMOVES = "removes"
    INTERRUPTS = "interrupts"  # a job that runs now is lost


@dataclass(frozen=True)
class Action:
    """One thing to do. Parameters are names, numbers and paths, never a shell's words and never a secret."""

    name: ClassVar[str]
    risk: ClassVar[Risk]


class LineChange(enum.Enum):
    """What becomes of one line of a ``.env``."""

    COMMENT_OUT = "comment-out"
    RENAME = "rename"  # the variable; the value stays
    WRITE = "write"  # the whole line, which holds no secret
    KEEP_TOKEN = "keep-token"  # the one token on the line, and nothing around it
    DROP_SET = "drop-set"  # the word that Windows' command line wants before a name


@dataclass(frozen=True)
class LineEdit:
    """One line, told by its number (from 1) and by the name that stands on it; ``None``: whatever does."""

    line: int
    change: LineChange
    key: str | None = None
    to: str = ""  # of RENAME the new name, of WRITE the new line


@dataclass(frozen=True)
class EditEnv(Action):
    """Change lines of the ``.env`` that Compose reads."""

    name: ClassVar[str] = "env.edit"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    path: str
    edits: tuple[LineEdit, ...]


class Encoding(enum.Enum):
    """What is wrong with a ``.env``'s bytes."""

    UTF16 = "utf-16"
    NUL = "nul"
    CARRIAGE_RETURN = "carriage-return"


@dataclass(frozen=True)
class ReencodeEnv(Action):
    """Make the ``.env`` a plain text that every reader of it understands."""

    name: ClassVar[str] = "env.reencode"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    path: str
    wrong: Encoding


@dataclass(frozen=True)
class ProtectEnv(Action):
    """Let the owner alone read the ``.env``."""

    name: ClassVar[str] = "env.mode"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    path: str


@dataclass(frozen=True)
class UntrackEnv(Action):
    """Take the ``.env`` out of git's index; the file stays."""

    name: ClassVar[str] = "env.untrack"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    path: str


@dataclass(frozen=True)
class PutToken(Action):
    """Ask for a token, try it at the Hub, and write it into the ``.env``."""

    name: ClassVar[str] = "env.put-token"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    path: str


@dataclass(frozen=True)
class OwnCache(Action):
    """Give a folder of the host, or a volume by its name, to the worker's user."""

    name: ClassVar[str] = "cache.own"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    path: str
    container: str  # whose image does it
    uid: int = 1000
    gid: int = 1000


@dataclass(frozen=True)
class OpenCache(Action):
    """Let the owner of a model cache read and write it."""

    name: ClassVar[str] = "cache.chmod"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    path: str
    container: str


@dataclass(frozen=True)
class QuarantineModels(Action):
    """Put models that are broken out of the way, on the same file system."""

    name: ClassVar[str] = "cache.quarantine"
    risk: ClassVar[Risk] = Risk.REMOVES
    cache: str  # the folder that holds the models--… folders
    models: tuple[str, ...]
    container: str


@dataclass(frozen=True)
class MoveCache(Action):
    """Move models to where the release looks. What is in their place is put out of the way."""

    name: ClassVar[str] = "cache.move"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    models: tuple[str, ...]  # models--… folders
    cache: str  # the folder that holds such folders, for this release
    container: str
    uid: int = 1000
    gid: int = 1000


@dataclass(frozen=True)
class OwnScratch(Action):
    """Give the volume through which the workers hand audio over to their user."""

    name: ClassVar[str] = "scratch.own"
    risk: ClassVar[Risk] = Risk.CHANGES_FILES
    volume: str
    container: str
    uid: int = 1000
    gid: int = 999


@dataclass(frozen=True)
class FetchModels(Action):
    """Download models with the worker's own libraries, into its own cache."""

    name: ClassVar[str] = "models.fetch"
    risk: ClassVar[Risk] = Risk.DOWNLOADS
    repos: tuple[str, ...]
    container: str  # a running worker


@dataclass(frozen=True)
class RecreateServices(Action):
    """Recreate the containers of some services, and of no other, from the images that are there."""

    name: ClassVar[str] = "worker.recreate"
    risk: ClassVar[Risk] = Risk.RESTARTS
    services: tuple[str, ...]


@dataclass(frozen=True)
class StartServices(Action):
    """Create and start what is not running; what runs is left alone."""

    name: ClassVar[str] = "worker.start"
    risk: ClassVar[Risk] = Risk.RESTARTS
    services: tuple[str, ...]


@dataclass(frozen=True)
class UnpauseContainer(Action):
    name: ClassVar[str] = "worker.unpause"
    risk: ClassVar[Risk] = Risk.RESTARTS
    container: str


@dataclass(frozen=True)
class RestartContainer(Action):
    """Start a container that Compose does not know, or that is to keep its settings, again."""

    name: ClassVar[str] = "worker.restart"
    risk: ClassVar[Risk] = Risk.RESTARTS
    container: str


class DockerWaste(enum.Enum):
    """What Docker can make or fetch again. Volumes and containers are not."""

    BUILD_CACHE = "build-cache"
    UNTAGGED_IMAGES = "untagged-images"


@dataclass(frozen=True)
class FreeDisk(Action):
    """Delete what Docker can make again, and nothing uses."""

    name: ClassVar[str] = "disk.free"
    risk: ClassVar[Risk] = Risk.REMOVES
    what: DockerWaste


@dataclass(frozen=True)
class AcceptTerms(Action):
    """A person accepts a model's terms, or asks for access; the Hub is asked until it says yes."""

    name: ClassVar[str] = "guide.accept-terms"
    risk: ClassVar[Risk] = Risk.SAFE
    repo: str


@dataclass(frozen=True)
class AllowGated(Action):
    """A person gives a fine-grained token the permission that it lacks; the Hub is asked until it says yes."""

    name: ClassVar[str] = "guide.allow-gated"
    risk: ClassVar[Risk] = Risk.SAFE
    repo: str


@dataclass(frozen=True)
class InstallToolkit(Action):
    """A person installs NVIDIA's driver and container toolkit."""

    name: ClassVar[str] = "guide.install-toolkit"
    risk: ClassVar[Risk] = Risk.SAFE


ACTIONS: tuple[type[Action], ...] = (
    EditEnv, ReencodeEnv, ProtectEnv, UntrackEnv, PutToken,
    OwnCache, OpenCache, QuarantineModels, MoveCache, OwnScratch, FetchModels,
    RecreateServices, StartServices, UnpauseContainer, RestartContainer, FreeDisk,
    AcceptTerms, AllowGated, InstallToolkit,
)  # fmt: skip
GUIDED: tuple[type[Action], ...] = (AcceptTerms, AllowGated, InstallToolkit)  # a person does them
