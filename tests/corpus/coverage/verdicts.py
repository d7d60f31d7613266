"""What ot-doctor says of each text, in one of four words."""

from __future__ import annotations

import fnmatch
import re
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ot_doctor.evidence import Request
from ot_doctor.logs.faults import harmless
from ot_doctor.logs.signatures import catalogue
from ot_doctor.report.build import report_of
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import examine, prepare
from tests.corpus.coverage.logged import as_logged
from tests.corpus.coverage.texts import Text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CAUSE, HARMLESS, NONE_OF_OURS, NOT_KNOWN = "cause", "harmless", "none of ours", "not known"
WORDS = (CAUSE, HARMLESS, NONE_OF_OURS, NOT_KNOWN)
_FAMILIES = Path(__file__).parent / "families.toml"


@dataclass(frozen=True)
class Family:
    """Errors that no user of OpenTranscribe meets, or can do anything about: a class of exception in named modules."""

    name: str
    library: str
    modules: tuple[str, ...]
    why: str
    kinds: tuple[str, ...] = ("raised",)
    types: tuple[str, ...] = ()  # the classes alone; none for what is logged
    functions: tuple[str, ...] = ("*",)
    pattern: str = ""  # of the text

    def holds(self, text: Text) -> bool:
        return (
            text.library == self.library
            and text.kind in self.kinds
            and (not text.type or text.type.rpartition(".")[2] in self.types)
            and any(fnmatch.fnmatchcase(text.path, module) for module in self.modules)
            and any(fnmatch.fnmatchcase(text.function, function) for function in self.functions)
            and re.search(self.pattern, text.text) is not None
        )


@dataclass(frozen=True)
class Verdict:
    """One of ``WORDS``, and what exactly: the cause, the entry, or the family; of what is not known, what was said instead."""

    word: str
    detail: str


def families() -> tuple[Family, ...]:
    """The whole list of what is none of ours. Raises ``TypeError`` for a key that none has."""
    tables = tomllib.loads(_FAMILIES.read_text(encoding="utf-8"))["family"]
    return tuple(_family(table) for table in tables)


def _family(table: dict[str, Any]) -> Family:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Family(**fields)


def family_of(text: Text, known: Iterable[Family]) -> Family | None:
    return next((family for family in known if family.holds(text)), None)


def cause_of(log: str) -> str:
    """The first cause that ``ot-doctor --logs FILE`` names; ``unrecognised`` for an error that nothing explains, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "worker.log"
        file.write_text(log, encoding="utf-8")
        plan = Plan(Request(logs=(str(file),), cwd=Path("/"), timeout=60))
        checks, store, notices = prepare(plan)
        report = report_of(examine(plan, checks, store, notices))
    return report.diagnosis[0].cause.value if report.diagnosis else ""


def verdict_of(text: Text, known: Iterable[Family]) -> Verdict:
    """What ot-doctor says of a text; where it names no cause, whether it is known to be harmless or none of ours."""
    cause = cause_of(as_logged(text))
    if cause not in ("", "unrecognised"):
        return Verdict(CAUSE, cause)
    noise = _noise(text) if text.kind != "raised" and not cause else ""
    if noise:
        return Verdict(HARMLESS, noise)
    family = family_of(text, known)
    if family is not None:
        return Verdict(NONE_OF_OURS, family.name)
    return Verdict(NOT_KNOWN, cause or "silent")


def _noise(text: Text) -> str:
    """The name of what knows a text that is no error; empty where nothing does."""
    log = as_logged(text)
    named = harmless(text.text) or harmless(log)
    if named:
        return named
    found = [one.name for one in catalogue(()).signatures if one.cause is None and one.search(log)]
    return found[0] if found else ""
