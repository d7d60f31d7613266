"""The ``.env`` as Compose reads it, and who else reads it differently."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ot_doctor.evidence.base import Location
from ot_doctor.redaction.secret import Secret


class EnvProblem(enum.Enum):
    MISSING = "missing"
    FOLDER = "a folder"
    UNREADABLE = "unreadable"  # for the user who runs the doctor
    UTF16 = "UTF-16"
    REFUSED = "refused by Compose"
    TOO_LARGE = "too large"


class Refusal(enum.Enum):
    """What Compose does not accept in a ``.env``."""

    NUL = "a NUL byte"
    QUOTE = "a quote that is not closed"
    SPACE = "a space in a name"
    OTHER = "another fault"


class Reader(enum.Enum):
    """A program beside Compose that reads the ``.env``."""

    BASH = "bash (opentr.sh)"
    PYTHON = "python-dotenv"


@dataclass(frozen=True)
class EnvEntry:
    """One assignment, in the file's order; a later one of the same key wins."""

    key: str
    value: str | Secret | None  # as Compose hands it to the container; None: a bare key
    line: int  # from 1
    last_line: int = 0  # where a quoted value that spans several lines ends; 0: on the same line

    @property
    def lines(self) -> range:
        """Every line that it takes."""
        return range(self.line, max(self.line, self.last_line) + 1)

    @property
    def empty(self) -> bool:
        return not self.value


@dataclass(frozen=True)
class ReaderDifference:
    """A line that another reader of the file takes differently than Compose."""

    line: int
    key: str
    reader: Reader
    what: str  # "keeps the carriage return at its end", "does not see the line", ...
    carriage_return: bool = False  # it is about the carriage return of a Windows line end


@dataclass(frozen=True)
class OddLine:
    """A line that a person should look at: ``U+200B ZERO WIDTH SPACE``, ``a comment that stayed in the value``, ..."""

    line: int
    key: str
    what: str
    harmful: bool  # the value that reaches the container is not the one that was meant


@dataclass(frozen=True)
class EnvFile:
    """A ``.env``. ``problem`` is set when Compose could not read it either; then it has no entries and no lines to look at."""

    path: Path
    problem: EnvProblem | None = None
    problem_text: str = ""  # Compose's or the system's own words, made printable and redacted
    problem_line: int | None = None
    refusal: Refusal | None = None  # with ``EnvProblem.REFUSED``
    encoding: str = ""  # with ``EnvProblem.UTF16``, as iconv names it: "UTF-16" where the file itself says the order of its bytes
    template: str = ""  # the .env.example beside it, where there is one
    entries: tuple[EnvEntry, ...] = ()
    odd_lines: tuple[OddLine, ...] = ()
    differences: tuple[ReaderDifference, ...] = ()
    modified_at: datetime | None = None  # aware, UTC
    mode: int = 0  # permission bits
    owner: int = -1  # user id
    editable: bool = True  # for the user who runs the doctor (behind sudo: who called it)
    tracked_by_git: bool | None = None  # None: in a repository that cannot be read; of a link, its target
    target: Path | None = None  # the file itself, where the path is a symbolic link
    shell_wins: Mapping[str, str | Secret] = field(default_factory=dict)  # variables of the doctor's own environment

    def entry(self, key: str) -> EnvEntry | None:
        """The assignment of ``key`` that counts: the last one; a bare key only where nothing else is there."""
        same = self.all(key)
        return next((e for e in reversed(same) if e.value is not None), same[-1] if same else None)

    def all(self, key: str) -> tuple[EnvEntry, ...]:
        return tuple(e for e in self.entries if e.key == key)

    def where(self, line: int) -> Location:
        return Location(str(self.path), line=line)

    @property
    def itself(self) -> Path:
        """The file that a command must edit: not the link to it."""
        return self.target or self.path


@dataclass(frozen=True)
class AskedEnvFile:
    """The ``.env`` of the folder that the user stands in, when the running stack came from another one."""

    file: EnvFile | None  # None: it is the same folder
    differing_keys: tuple[str, ...] = ()  # whose effective values differ between the two files


@dataclass(frozen=True)
class ComposeSetting:
    """One ``environment:`` entry of a service."""

    service: str
    key: str
    value: str | Secret | None  # after interpolation with the shell and .env as Compose does it; None: a bare key
    path: Path
    line: int
    references: tuple[str, ...] = ()  # names in ${…}
    block_line: int | None = None  # the line of ``environment:`` where this is its only entry: Compose refuses an empty block

    @property
    def where(self) -> Location:
        return Location(str(self.path), line=self.line)


@dataclass(frozen=True)
class ComposeService:
    name: str
    path: Path
    line: int
    image: str = ""
    pull_policy: str = ""  # "always", "missing", …
    container_name: str = ""
    replicas: int | None = None  # ``scale`` or ``deploy.replicas``
    gpu: bool = False  # asks for a GPU: deploy.resources.reservations.devices, runtime, gpus
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()

    @property
    def where(self) -> Location:
        return Location(str(self.path), line=self.line)


@dataclass(frozen=True)
class ComposeConfig:
    """What the Compose files in use say, later files over earlier ones; no more than the checks need."""

    files: tuple[Path, ...]
    services: Mapping[str, ComposeService] = field(default_factory=dict)
    environment: tuple[ComposeSetting, ...] = ()
    problems: tuple[str, ...] = ()  # files that could not be read, with the reason
    read_by: str = ""  # Compose's own program, where it was asked; empty: our own reader alone read them
    why_read_by: str = ""  # "/srv/ot/compose.yml:3 uses include"

    def setting(self, service: str, key: str) -> ComposeSetting | None:
        """The ``environment:`` entry that counts for a service: the last one."""
        return next((s for s in reversed(self.environment) if s.service == service and s.key == key), None)
