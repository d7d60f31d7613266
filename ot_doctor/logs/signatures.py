"""The catalogue of log signatures: what a line of a worker's log says about diarization. The data is in TOML files.

A file of signatures is a list of ``[[signature]]`` tables. The built-in ones lie in ``checks/signatures``; ``--signatures FILE``
adds a user's own, which come first, and replace a built-in one of the same name.

    [[signature]]
    name = "site-proxy-says-no"
    patterns = ['''^SiteProxy: refused (?P<subject>[\\w.-]+)''']
    words = ["SiteProxy: refused"]
    excludes = ['''cached copy used''']
    kind = "cause"
    cause = "network-proxy"
    certain = true
    opens = true
    explain = "The site's own proxy does not let this host through."
    remedy = "Ask the network's administrator to allow the host that the line names."
    source = "the site's handbook"
    lines = ["v0.4"]
    matches = ["SiteProxy: refused huggingface.co"]
    not_matches = ["SiteProxy: refused huggingface.co (cached copy used)"]
    also = []
    marks = ""
    stage = 0
    engine = ""
    release = ""

``name``         how reports and ``ot-doctor explain`` call it: lower-case words with hyphens.
``patterns``     regular expressions, any of which finds it in a record's text (``^`` and ``$`` are ends of lines). Named groups:
                 ``subject`` (the repository, path, device or variable that it is about), and for marks ``speakers``, ``device``,
                 ``settings``, ``file``. Begin with a fixed text, and let no ``*`` or ``+`` stand beside another of the same
                 characters: a pattern that could take for ever is refused.
``words``        fixed texts of four characters or more, one of which is in whatever a pattern finds: a log is searched for them.
``excludes``     regular expressions that rule it out, wherever in the record they are found.
``kind``         ``cause`` decides what an attempt failed of; ``generic`` never does alone; ``noise`` is harmless or merely tells
                 how the work goes on, and is not looked for; ``note`` (the default) is looked for, and tells something else.
``cause``        one of the causes that ``ot-doctor explain`` knows; what a generic signature's cause is, it only suggests.
``certain``      ``false`` where the text has other explanations too.
``opens``        ``true`` where the text is about diarization by itself: outside an attempt it is one.
``explain``      what the text means, and what it does not mean.
``remedy``       what to do about it, where that is more special than what helps against the cause; in full sentences.
``source``       where it is known from: a public thread, a library's version.
``lines``        the release lines and library versions that it belongs to; empty: all.
``matches``      texts that it must find; all are tried, a user's when the file is read.
``not_matches``  texts close by that it must not find; they are tried, too.
``also``         signatures that its samples may match beside it.
``marks``        what it says of an attempt: ``start``, ``success``, ``failure``, ``disabled``, ``restart`` (of the worker),
                 ``retry``, ``stood-down`` (it is put off), ``fallback`` (PyAnnote stands in for the native engine),
                 ``native`` (which is ready), ``connected`` (the worker reached its broker), or nothing.
``stage``        a start or success of a higher stage goes on with the attempt that one of a lower stage began or ended.
``engine``       the engine that such lines come from: ``native`` or ``pyannote``.
``release``      the release line that only such lines come from.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ot_doctor.core.files import NotAFile, TooLarge, read_small
from ot_doctor.evidence.worker_log import Hit, Record
from ot_doctor.logs.multisearch import ManyWords

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

KINDS = ("cause", "generic", "noise", "note")
MARKS = (
    "", "start", "success", "failure", "disabled", "restart", "retry", "stood-down", "fallback", "native", "connected"
)  # fmt: skip
ENGINES = ("", "native", "pyannote")
_LISTS = ("patterns", "words", "excludes", "lines", "matches", "not_matches", "also")
_TYPES = {"stage": (int, "a whole number"), "certain": (bool, "true or false"), "opens": (bool, "true or false")}
_REQUIRED = ("name", "patterns", "words", "explain", "source")
_SHORTEST_WORD = 4
_LARGEST_FILE = 4 << 20


@dataclass(frozen=True)
class Signature:
    """One shape of log line, and what it means. The module's text tells the fields."""

    name: str
    patterns: tuple[str, ...]
    words: tuple[str, ...]
    explain: str
    source: str
    kind: str = "note"
    cause: str | None = None
    marks: str = ""
    stage: int = 0
    engine: str = ""
    certain: bool = True
    opens: bool = False
    excludes: tuple[str, ...] = ()
    remedy: str = ""
    release: str = ""
    lines: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    not_matches: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    origin: str = ""  # the user's file that it stands in; empty for a built-in one. No key of a file

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
class SignatureCatalogue:
    """All signatures, a user's own first, and how a record is looked up in them."""

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

        In the order in which they stand in the text, a user's own before the built-in ones. Noise tells nothing.
        """
        found = []
        for order in self._able(f"{said}\n{evidence}"):
            signature = self.signatures[order]
            match = signature.search(evidence if signature.kind in ("cause", "generic") else said)
            if match is not None:
                subject = match.groupdict().get("subject")
                generic = signature.kind == "generic"
                hit = Hit(signature.name, signature.cause, subject, signature.certain, generic, record, signature.remedy)
                found.append((not signature.origin, match.start(), order, hit))
        return tuple(hit for *_, hit in sorted(found, key=lambda item: item[:3]))

    def _able(self, text: str) -> list[int]:
        """Which signatures have a word in the text; noise has none."""
        present = self._finder.present(text.encode("utf-8", "replace"))
        return sorted({order for word in present for order in self._with_word[word]})

    @functools.cached_property
    def _finder(self) -> ManyWords:
        return ManyWords(self.words())

    @functools.cached_property
    def _with_word(self) -> Mapping[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        for order, signature in enumerate(self.signatures):
            for word in signature.words if signature.kind != "noise" else ():
                found.setdefault(word.encode(), []).append(order)
        return found


def _encoded(signatures: Iterable[Signature]) -> tuple[bytes, ...]:
    return tuple({word.encode(): None for signature in signatures for word in signature.words})


@functools.lru_cache(maxsize=4)
def catalogue(extra: tuple[Path, ...] = ()) -> SignatureCatalogue:
    """The signatures of the files ``extra``, then the built-in ones. Raises ``ValueError`` when a file is wrong."""
    own = [signature for path in dict.fromkeys(extra) for signature in read(path)]
    taken = {signature.name for signature in own}
    return assemble([*own, *(signature for signature in _built_in() if signature.name not in taken)])


@functools.cache
def _built_in() -> tuple[Signature, ...]:
    folder = importlib.resources.files("ot_doctor_checks") / "signatures"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(signature for file in files for signature in parse(file.read_text(encoding="utf-8"), file.name))


def read(path: Path) -> list[Signature]:
    """The signatures of a user's file. Raises ``ValueError``, in one sentence, where it cannot be read or is wrong."""
    try:
        content, _ = read_small(path, _LARGEST_FILE)
    except (NotAFile, IsADirectoryError) as error:
        raise ValueError(str(error)) from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except TooLarge as error:
        raise ValueError(f"{path} is larger than {_LARGEST_FILE >> 20} MiB, which no file of signatures is") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not TOML: it is not UTF-8 text") from error
    found = [replace(signature, origin=str(path)) for signature in parse(text, str(path))]
    if not found:
        raise ValueError(f"{path} holds no signature: begin each with the line [[signature]]")
    return found


def parse(text: str, name: str) -> list[Signature]:
    """The signatures of one TOML text; ``name`` is the file's, for the message. Raises ``ValueError``."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{name} is not TOML: {error}") from error
    tables = content.pop("signature", [])
    if content:
        raise ValueError(f"{name}: {', '.join(map(repr, content))} stands outside a signature: write [[signature]] above it")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{name}: 'signature' must be a list of tables: write [[signature]]")
    return [_signature(table, name, number) for number, table in enumerate(tables, 1)]


def _signature(table: Mapping[str, Any], file: str, number: int) -> Signature:
    where = f"{file}: signature {table['name']!r}" if table.get("name") else f"{file}: signature {number} (without a name)"
    known = {item.name for item in fields(Signature)} - {"origin"}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}")
        if key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise ValueError(f"{where}: {key} must be a list of strings")
            value = tuple(value)
        else:
            wanted, words = _TYPES.get(key, (str, "a string"))
            if type(value) is not wanted:
                raise ValueError(f"{where}: {key} has the wrong type: it must be {words}")
        values[key] = value
    missing = [key for key in _REQUIRED if not values.get(key)]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} missing")
    return Signature(**values)


def assemble(signatures: Iterable[Signature]) -> SignatureCatalogue:
    """A catalogue of them. Raises ``ValueError`` for a name given twice, and for an unknown kind or mark."""
    found = tuple(signatures)
    names: set[str] = set()
    for signature in found:
        where = _place(signature)
        if signature.name in names:
            raise ValueError(f"{where}: two signatures are named {signature.name!r}")
        names.add(signature.name)
        if signature.kind not in KINDS:
            raise ValueError(f"{where}: kind {signature.kind!r} is none of {', '.join(KINDS)}")
        if signature.marks not in MARKS:
            raise ValueError(f"{where}: marks {signature.marks!r} is none of {', '.join(filter(None, MARKS))}")
        if signature.engine not in ENGINES:
            raise ValueError(f"{where}: engine {signature.engine!r} is none of {', '.join(filter(None, ENGINES))}")
        if signature.kind == "cause" and signature.cause is None:
            raise ValueError(f"{where}: cause missing, which a signature of the kind 'cause' must name")
    return SignatureCatalogue(found)


def verify(signature: Signature, causes: frozenset[str]) -> None:
    """Raises ``ValueError`` for a pattern that is no regular expression or could take for ever, an unknown cause, and a
    sample that does not fit.

    Apart from ``assemble``, because a run compiles only the patterns that it needs.
    """
    from ot_doctor.logs.pattern_cost import fault

    where = _place(signature)
    if signature.cause is not None and signature.cause not in causes:
        raise ValueError(f"{where}: cause {signature.cause!r} is none that 'ot-doctor explain' knows")
    for word in signature.words:
        if len(word) < _SHORTEST_WORD or "\n" in word:
            raise ValueError(f"{where}: words: {word!r} is too short or has a line break; {_SHORTEST_WORD} characters at least")
    for key in ("patterns", "excludes"):
        for pattern in getattr(signature, key):
            try:
                slow = fault(pattern)
                empty = None if slow else _compiled(pattern).search("")
            except (re.error, RecursionError, OverflowError) as error:
                raise ValueError(f"{where}: {key}: {pattern!r} is not a regular expression: {error}") from error
            if slow:
                raise ValueError(f"{where}: {key}: a search for {_shortened(pattern)} could take for ever: {slow}")
            if empty is not None:
                raise ValueError(f"{where}: {key}: {pattern!r} matches an empty line, and so everything")
    for sample in signature.matches:
        if signature.search(sample) is None:
            raise ValueError(f"{where}: matches: it does not match {_shortened(sample)} (look at words and excludes, too)")
    for sample in signature.not_matches:
        if signature.search(sample) is not None:
            raise ValueError(f"{where}: not_matches: it matches {_shortened(sample)}")


def _place(signature: Signature) -> str:
    return f"{signature.origin}: signature {signature.name!r}" if signature.origin else f"signature {signature.name!r}"


def _shortened(sample: str) -> str:
    return repr(sample if len(sample) <= 80 else f"{sample[:80]}…")
