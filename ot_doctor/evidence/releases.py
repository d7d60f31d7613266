"""What is known of each release line of OpenTranscribe, from the data file beside this module."""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class ReleaseLine(enum.Enum):
    """Releases that need the same models."""

    V0_3 = "v0.1-0.3"
    V0_4 = "v0.4"
    V0_5 = "v0.5"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Model:
    """A repository that a release line loads, and the files that it reads there."""

    repo: str
    gated: bool
    required: bool  # without it there are no speakers; else a fallback or an extra
    files: tuple[str, ...]
    purpose: str
    mb: int = 0  # of those files, rounded up; 0: not known

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{self.repo}"


@dataclass(frozen=True)
class Mark:
    """A variable of a container by which a line is told."""

    variable: str
    ends: str = ""  # what its value ends in
    begins: tuple[str, ...] = ()  # what its value begins with
    of_image: bool = False  # only the image's own value counts: an operator may set it for any release

    def fits(self, value: object) -> bool:
        return isinstance(value, str) and bool(value) and value.endswith(self.ends) and value.startswith(self.begins or "")


@dataclass(frozen=True)
class IgnoredSetting:
    """A setting that a line does not read, and the values for which that makes no difference (in lower case)."""

    setting: str
    why: str
    harmless: tuple[str, ...] = ()
    v0_1: bool = False  # only v0.1.0 ignores it


@dataclass(frozen=True)
class OldTemplateLine:
    """A line of ``.env`` that an older template has, or lacks, and what that does to this line of releases."""

    setting: str
    does: str
    instead: str
    values: tuple[str, ...] = ()  # in lower case
    missing: bool = False  # it is the absence that matters
    only_without_gpu: bool = False


@dataclass(frozen=True)
class NativeRules:
    """How a line uses the native engine."""

    default: bool  # it is used unless ``switch`` says otherwise
    switch: str
    required: str  # the variable that forbids the fallback
    url: str
    models: str  # in the containers
    marker: str
    mb: int  # that its models take
    scratch: str  # the volume through which audio is handed over, in the containers
    scratch_owner: str
    scratch_script: str  # upstream's, in the installation's folder


@dataclass(frozen=True)
class MemoryAdvice:
    """A size of memory at which a line was reported to run out of it."""

    gib: int
    why: str


@dataclass(frozen=True)
class Release:
    """A release line."""

    line: ReleaseLine
    versions: tuple[str, ...]  # "0.4"
    source: str
    read: date
    log_signs: tuple[str, ...]  # the names that log signatures use for it
    cache: str  # where its models are: "pyannote", "hub"
    services: Mapping[str, tuple[str, ...]]  # role to names
    marks: tuple[Mark, ...]
    models: tuple[Model, ...]
    ignored: tuple[IgnoredSetting, ...]
    old_template: tuple[OldTemplateLine, ...] = ()
    native: NativeRules | None = None
    memory: MemoryAdvice | None = None
    switch: str = ""  # how a user switches diarization on in the application, a sentence


def releases() -> tuple[Release, ...]:
    """Every line that is known, the oldest first."""
    return _read()[0]


def release_of(line: ReleaseLine) -> Release | None:
    """What is known of a line; ``None`` for the unknown one."""
    return next((release for release in releases() if release.line is line), None)


def ignored_settings(line: ReleaseLine) -> tuple[IgnoredSetting, ...]:
    release = release_of(line)
    return release.ignored if release else _read()[1]


@cache
def services(role: str) -> tuple[str, ...]:
    """The Compose services that have a role in any line: ``diarizer``, ``cloud``, ``engine``, ``exporter``, ``telling``."""
    return tuple(dict.fromkeys(name for release in releases() for name in release.services.get(role, ())))


def line_of_version(version: str | None) -> ReleaseLine:
    """The line of ``v0.4.1``; the newest that is known for a version that is newer than that."""
    number = _number(version)
    known = next((r.line for r in releases() if number is not None and f"{number[0]}.{number[1]}" in r.versions), None)
    if known is None and newer_than_known(version):
        return releases()[-1].line
    return known or ReleaseLine.UNKNOWN


def newer_than_known(version: str | None) -> bool:
    """Whether a version is of a line after the newest one that is known."""
    number = _number(version)
    return number is not None and number > max(n for v in releases()[-1].versions if (n := _number(v)))


def line_of_sign(sign: str) -> ReleaseLine:
    """The line that a log signature names with its ``release``."""
    return next((release.line for release in releases() if sign in release.log_signs), ReleaseLine.UNKNOWN)


def models(line: ReleaseLine) -> tuple[Model, ...]:
    """The models of a release line, required ones first; for an unknown line none is required by itself."""
    release = release_of(line)
    if release:
        return release.models
    known: dict[str, Model] = {}
    for model in (model for release in reversed(releases()) for model in release.models):
        former = known[model.repo].files if model.repo in known else ()
        merged = former + tuple(name for name in model.files if name not in former)
        purpose = known[model.repo].purpose if model.repo in known else model.purpose
        known[model.repo] = Model(model.repo, model.gated, False, merged, purpose, model.mb)
    return tuple(known.values())


def _number(version: str | None) -> tuple[int, int] | None:
    found = re.match(r"v?(\d{1,3})\.(\d{1,3})", version or "")
    return (int(found[1]), int(found[2])) if found else None


@cache
def _read() -> tuple[tuple[Release, ...], tuple[IgnoredSetting, ...]]:
    content = tomllib.loads((files("ot_doctor.evidence") / "releases.toml").read_text(encoding="utf-8"))
    return tuple(_release(table) for table in content["release"]), tuple(_ignored(table) for table in content["unknown"])


def _release(table: Mapping[str, Any]) -> Release:
    return Release(
        line=ReleaseLine(table["line"]),
        versions=tuple(table["versions"]),
        source=table["source"],
        read=table["read"],
        log_signs=tuple(table["log_signs"]),
        cache=table["cache"],
        services={role: tuple(names) for role, names in table["services"].items()},
        marks=tuple(Mark(**{**mark, "begins": tuple(mark.get("begins", ()))}) for mark in table["mark"]),
        models=tuple(Model(**{**model, "files": tuple(model["files"])}) for model in table["model"]),
        ignored=tuple(_ignored(one) for one in table["ignored"]),
        old_template=tuple(
            OldTemplateLine(**{**one, "values": tuple(one.get("values", ()))}) for one in table.get("old_template", ())
        ),
        native=NativeRules(**table["native"]) if "native" in table else None,
        memory=MemoryAdvice(**table["memory"]) if "memory" in table else None,
        switch=table.get("switch", ""),
    )


def _ignored(table: Mapping[str, Any]) -> IgnoredSetting:
    return IgnoredSetting(**{**table, "harmless": tuple(table.get("harmless", ()))})
