"""The libraries that are walked, as ``libraries.toml`` names them."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.corpus.coverage.sources import source
from tests.corpus.coverage.texts import Text, texts_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FILE = Path(__file__).parent / "libraries.toml"


@dataclass(frozen=True)
class Shown:
    """Errors of a module that the library shows only inside another one's text."""

    module: str
    type: str
    text: str  # with {text} where the module's own stands
    only: str  # of the classes that are shown so


@dataclass(frozen=True)
class Library:
    """One library; the head of the file tells the fields."""

    name: str
    versions: tuple[str, ...]
    modules: tuple[str, ...]
    why: str
    but: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    prints: bool = False
    called_by: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = field(default=())

    def texts(self, version: str, cache: Path) -> list[Text]:
        """Every text of a version. Raises ``NoSource`` where its source cannot be read."""
        return self.texts_in(source(self.name, version, self.modules, cache))

    def texts_in(self, files: Mapping[str, str]) -> list[Text]:
        counted = {path: text for path, text in files.items() if not _any(path, self.but)}
        found = texts_of(self.name, counted, without=self.functions, prints=self.prints)
        return [replace(self._as_shown(text), called_by=self.called_by) for text in found]

    def _as_shown(self, text: Text) -> Text:
        for shown in self.shown:
            if text.path == shown.module and text.type.endswith(shown.only) and text.kind == "raised":
                return replace(text, type=shown.type, text=shown.text.format(text=text.text))
        return text


def _any(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def libraries() -> tuple[Library, ...]:
    """All of them. Raises ``TypeError`` for a key that none has."""
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))["library"]
    return tuple(_library(table) for table in tables)


def _library(table: dict[str, Any]) -> Library:
    shown = tuple(Shown(**entry) for entry in table.pop("shown", ()))
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Library(**fields, shown=shown)
