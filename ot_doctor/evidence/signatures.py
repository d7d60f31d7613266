"""The catalogue of log signatures: what a line of a worker's log says about diarization. The data is in TOML files."""

from __future__ import annotations

import functools
import importlib.resources
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ot_doctor.evidence.worker_log import Hit, Record

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

KINDS = ("cause", "generic", "noise", "note")
MARKS = ("", "start", "success", "failure", "disabled", "restart", "retry")
_LISTS = ("patterns", "words", "excludes", "lines", "matches", "not_matches", "also")


@dataclass(frozen=True)
class Signature:
    """One shape of log line, and what it means."""

    name: str
    patterns: tuple[str, ...]  # any of them; named groups: subject, speakers, device, settings
    words: tuple[str, ...]  # one of these strings is in every text that a pattern matches
    explain: str  # what it means, in the project's own words
    source: str  # where it is known from: a public thread, a library's version
    kind: str = "note"  # "cause" decides, "generic" never does alone, "noise" is harmless, "note" tells something else
    cause: str | None = None  # a cause of the contract; a generic signature's is only what it suggests
    marks: str = ""  # what it says of an attempt: "start", "success", "failure", "disabled", "restart" (of the worker), "retry"
    stage: int = 0  # a start of a higher stage goes on with the attempt that a lower one began
    certain: bool = True
    opens: bool = False  # tells of diarization by itself: outside an attempt it is one
    excludes: tuple[str, ...] = ()  # patterns that rule it out
    release: str = ""  # the release line that only such lines come from
    lines: tuple[str, ...] = ()  # release lines and library versions that it belongs to
    matches: tuple[str, ...] = ()
    not_matches: tuple[str, ...] = ()
    also: tuple[str, ...] = ()  # signatures that these samples match too

    def search(self, text: str) -> re.Match[str] | None:
        """The first place in ``text`` that the signature matches, or ``None``."""
        if not any(word in text for word in self.words):
            return None
        found = [match for pattern in self.patterns if (match := _compiled(pattern).search(text))]
        if not found or any(_compiled(pattern).search(text) for pattern in self.excludes):
            return None
        return min(found, key=lambda match: match.start())


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


@dataclass(frozen=True)
class Catalogue:
    """All signatures, and how a record is looked up in them."""

    signatures: tuple[Signature, ...]

    @functools.cached_property
    def named(self) -> Mapping[str, Signature]:
        return {signature.name: signature for signature in self.signatures}

    def words(self) -> tuple[bytes, ...]:
        """The strings to look for in a log before anything is parsed; noise is not looked for."""
        return _encoded(signature for signature in self.signatures if signature.kind != "noise")

    def marks(self) -> tuple[bytes, ...]:
        """Those of them that tell something at any level; causes do at WARNING and above, or without a level."""
        return _encoded(signature for signature in self.signatures if signature.kind == "note" or signature.marks)

    def hits(self, record: Record, said: str, evidence: str) -> tuple[Hit, ...]:
        """What a record tells: marks and notes by ``said``, its own message; causes by ``evidence``, what may prove one.

        In the order in which they stand in the text.
        """
        found = []
        for order, signature in enumerate(self.signatures):
            match = signature.search(evidence if signature.kind in ("cause", "generic") else said)
            if match is not None:
                subject = match.groupdict().get("subject")
                hit = Hit(signature.name, signature.cause, subject, signature.certain, signature.kind == "generic", record)
                found.append((match.start(), order, hit))
        return tuple(hit for _, _, hit in sorted(found, key=lambda item: item[:2]))


def _encoded(signatures: Iterable[Signature]) -> tuple[bytes, ...]:
    return tuple({word.encode(): None for signature in signatures for word in signature.words})


@functools.lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The built-in signatures. Raises ``ValueError`` when a data file is wrong."""
    folder = importlib.resources.files("ot_doctor_checks") / "signatures"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return assemble(signature for file in files for signature in parse(file.read_text(encoding="utf-8"), file.name))


def parse(text: str, name: str) -> list[Signature]:
    """The signatures of one TOML text; ``name`` is the file's, for the message. Raises ``ValueError``."""
    try:
        tables = tomllib.loads(text).get("signature", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not TOML: {error}") from error
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{name}: 'signature' must be a list of tables: write [[signature]]")
    return [_signature(table, name) for table in tables]


def _signature(table: Mapping[str, Any], file: str) -> Signature:
    where = f"{file}: signature {table.get('name', '(without a name)')!r}"
    known = {item.name: item.type for item in fields(Signature)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}")
        if key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise ValueError(f"{where}: {key} must be a list of strings")
            value = tuple(value)
        elif type(value) is not {"stage": int, "certain": bool, "opens": bool}.get(key, str):
            raise ValueError(f"{where}: {key} has the wrong type")
        values[key] = value
    missing = [key for key in ("name", "patterns", "words", "explain", "source") if not values.get(key)]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} missing")
    return Signature(**values)


def assemble(signatures: Iterable[Signature]) -> Catalogue:
    """A catalogue of them. Raises ``ValueError`` for a name given twice, and for an unknown kind or mark."""
    found = tuple(signatures)
    names: set[str] = set()
    for signature in found:
        where = f"signature {signature.name!r}"
        if signature.name in names:
            raise ValueError(f"two signatures are named {signature.name!r}")
        names.add(signature.name)
        if signature.kind not in KINDS:
            raise ValueError(f"{where}: kind {signature.kind!r} is none of {', '.join(KINDS)}")
        if signature.marks not in MARKS:
            raise ValueError(f"{where}: marks {signature.marks!r} is none of {', '.join(filter(None, MARKS))}")
        if signature.kind == "cause" and signature.cause is None:
            raise ValueError(f"{where}: it decides, and names no cause")
    return Catalogue(found)


def verify(signature: Signature, causes: frozenset[str]) -> None:
    """Raises ``ValueError`` for a pattern that is no regular expression, and for a cause that is not among ``causes``.

    Apart from ``assemble``, because a run compiles only the patterns that it needs.
    """
    where = f"signature {signature.name!r}"
    if signature.cause is not None and signature.cause not in causes:
        raise ValueError(f"{where}: {signature.cause!r} is no cause of the contract")
    for pattern in (*signature.patterns, *signature.excludes):
        try:
            _compiled(pattern)
        except re.error as error:
            raise ValueError(f"{where}: {pattern!r} is not a regular expression: {error}") from error
