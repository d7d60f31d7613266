"""What nobody reads is not gathered: it could only leak."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import ot_doctor
import ot_doctor_checks
from ot_doctor.sources.store import SOURCES

_PACKAGE, _CHECKS = Path(ot_doctor.__file__).parent, Path(ot_doctor_checks.__file__).parent
_TYPES = sorted((_PACKAGE / "evidence").glob("*.py"))
_NO_READERS = ("bundle/codec.py", "redaction.py", "redaction_places.py")  # they walk over every field
_OTHERS = ("step", "ctx", "self", "cls", "subprocess")  # names that never stand for evidence


def evidence_types() -> list[type]:
    """The dataclasses that evidence is made of, from those that checks may ask for."""
    found: dict[type, None] = dict.fromkeys(SOURCES)
    waiting: list[Any] = list(found)
    while waiting:
        for hint in get_type_hints(waiting.pop()).values():
            for kind in parts_of(hint):
                if is_dataclass(kind) and kind not in found:
                    found[kind] = None  # type: ignore[index]
                    waiting.append(kind)
    return list(found)


def parts_of(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from parts_of(part)


def read_names(path: Path, *, within: bool) -> set[str]:
    """The attributes that a module reads; ``within``: also of ``self``, as the properties of evidence do."""
    skipped = set(_OTHERS) - ({"self"} if within else set())
    return {
        node.attr for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        and not (isinstance(node.value, ast.Name) and node.value.id in skipped)
    }  # fmt: skip


@cache
def everything_read() -> set[str]:
    names: set[str] = set()
    for root in (_PACKAGE, _CHECKS):
        for path in root.rglob("*.py"):
            if not str(path).endswith(_NO_READERS):
                names |= read_names(path, within=path in _TYPES)
    return names


def unread(kind: type, names: set[str]) -> list[str]:
    return [field.name for field in fields(kind) if field.name not in names]


@pytest.mark.parametrize("kind", evidence_types(), ids=lambda kind: kind.__name__)
def test_every_field_of_evidence_is_read(kind: type) -> None:
    assert unread(kind, everything_read()) == []


def test_a_field_that_nobody_reads_is_found() -> None:
    @dataclass(frozen=True)
    class Gathered:
        entry_point: str
        status: str

    assert unread(Gathered, everything_read()) == ["entry_point"]
