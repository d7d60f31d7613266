"""What an error consists of once it is taken apart, and what was made of it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ot_doctor.logs.faults import details
from ot_doctor.logs.faults.details import Address
from ot_doctor.logs.faults.loose_lines import strong

_IDS = re.compile(r"\b0x[0-9a-f]{6,16}\b|\[[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\]")


@dataclass(frozen=True)
class Frame:
    """One line of a traceback: where a call stood."""

    path: str
    line: int
    function: str

    @property
    def library(self) -> str:
        """The package that the file belongs to (``"huggingface_hub"``); empty where it is no installed one."""
        return details.library_of(self.path)


@dataclass(frozen=True)
class Raised:
    """One error of a chain: an exception with its message, or a line that a program other than Python wrote."""

    type: str  # the class alone: "HTTPError"; empty where there is none
    module: str  # "requests.exceptions"; empty where the text does not tell
    message: str  # in one line: white space is folded
    frames: tuple[Frame, ...] = ()  # the innermost last, three at most
    link: str = ""  # to the one before: "cause", "context", "group", "record" (what it says above), or nothing for the first

    @functools.cached_property
    def text(self) -> str:
        """The error as one line, as Python would show it."""
        name = f"{self.module}.{self.type}" if self.module else self.type
        return f"{name}: {self.message}" if name and self.message else name or self.message


@dataclass(frozen=True)
class Fault:
    """An error as a log shows it. ``chain`` begins with the error that brought the others about."""

    kind: str  # "python", "rust", "go", "c++", "shell", "kernel", "supervisor", "engine", "celery", "record", "line"
    chain: tuple[Raised, ...]
    lines: tuple[int, int]  # the first and the last line in the text, from 1
    level: str = ""  # "WARNING", "ERROR", "CRITICAL", of the record that it stands in
    service: str = ""  # the container, in the output of Compose
    last_line: str = ""  # the line that tells most, as it stands in the log

    @functools.cached_property
    def text(self) -> str:
        """All messages of the chain, one line each."""
        return "\n".join(raised.text for raised in self.chain)

    @functools.cached_property
    def lasting(self) -> str:
        """The text without the addresses of objects and tasks' ids, which differ each time."""
        return _IDS.sub("", self.text)

    @functools.cached_property
    def key(self) -> str:
        """All that a verdict depends on: faults with the same key are judged once."""
        return "\n".join([self.kind, self.lasting, *(part for frame in self.frames for part in (frame.path, frame.function))])

    @functools.cached_property
    def shows_failure(self) -> bool:
        """Whether its words alone say that something failed."""
        return self.kind != "line" or strong(self.text)

    @functools.cached_property
    def types(self) -> frozenset[str]:
        """The exceptions' classes: of the chain, and those that a message quotes."""
        return frozenset(raised.type for raised in self.chain if raised.type) | details.types_in(self.text)

    @functools.cached_property
    def errors(self) -> frozenset[str]:
        """Names of operating system errors (``"EACCES"``), from numbers first, and from words where there is no number."""
        return details.os_errors(self.text, self.types)

    @functools.cached_property
    def status(self) -> int | None:
        """The HTTP status, of the last error that names one."""
        return next((found for raised in reversed(self.chain) if (found := details.status(raised.text)) is not None), None)

    @functools.cached_property
    def addresses(self) -> tuple[Address, ...]:
        return details.addresses(self.text)

    @functools.cached_property
    def address(self) -> Address | None:
        """The first address that it names, one on the Hub before any other."""
        return next((one for one in self.addresses if one.on_hub), self.addresses[0] if self.addresses else None)

    @functools.cached_property
    def paths(self) -> tuple[str, ...]:
        return details.paths(self.text)

    @functools.cached_property
    def signal(self) -> int | None:
        """The signal that ended a process: from its name, its number or the exit code."""
        return details.signal(self.text)

    @functools.cached_property
    def exit_code(self) -> int | None:
        return details.exit_code(self.text)

    @functools.cached_property
    def device(self) -> str | None:
        """``"cuda:0"``, ``"mps"``, or an index as ``"cuda:1"`` where the text says "GPU 1"."""
        return details.device(self.text)

    @functools.cached_property
    def frames(self) -> tuple[Frame, ...]:
        return tuple(frame for raised in self.chain for frame in raised.frames)

    @functools.cached_property
    def libraries(self) -> frozenset[str]:
        return frozenset(frame.library for frame in self.frames if frame.library)


@dataclass(frozen=True)
class FaultVerdict:
    """What a rule makes of a fault."""

    cause: str  # one of the closed vocabulary of causes
    subject: str | None  # the repository, path, host, module or signal that it is about
    rule: str
    confidence: str  # "likely", or "possible" where the text has other explanations too
