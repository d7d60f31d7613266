"""The speaker limits as the worker has them, and the place that each comes from."""

from __future__ import annotations

from dataclasses import dataclass

from ot_doctor.check import Seen
from ot_doctor.evidence import ComposeConfig, ComposeSetting, EnvFile, Secret, Unavailable, Worker, Workers

DEFAULTS = {"MIN_SPEAKERS": 1, "MAX_SPEAKERS": 20, "NUM_SPEAKERS": None}


@dataclass(frozen=True)
class Limit:
    name: str
    raw: str | None  # None: not set
    seen: tuple[Seen, ...]
    lines: tuple[int, ...] = ()  # of the .env: several where a quoted value spans them
    entry: ComposeSetting | None = None  # of a Compose file, with a value of its own: it wins over the .env

    @property
    def line(self) -> int | None:
        return self.lines[0] if self.lines else None

    @property
    def place(self) -> str:
        """In a few words."""
        if self.entry:
            return str(self.entry.where)
        if self.line:
            return f"line {self.line}"
        return "the default" if self.raw is None else "set"

    @property
    def number(self) -> int | None:
        """As the worker reads it: with Python's ``int()``. ``ValueError`` where that stops the worker."""
        if self.raw is None or (self.name == "NUM_SPEAKERS" and not self.raw):
            return DEFAULTS[self.name]
        return int(self.raw)


def limits_of(
    workers: Workers | Unavailable, env_file: EnvFile | Unavailable, compose: ComposeConfig | Unavailable
) -> list[Limit]:
    """Those of the container, else those of the ``.env``; none where neither can be read."""
    diarizers = () if isinstance(workers, Unavailable) else workers.diarizers
    if diarizers:
        return [_in_container(name, diarizers[0], env_file, compose) for name in DEFAULTS]
    if isinstance(env_file, EnvFile) and env_file.problem is None:
        return [_in_file(name, env_file) for name in DEFAULTS]
    return []


def _in_container(name: str, worker: Worker, env_file: EnvFile | Unavailable, compose: ComposeConfig | Unavailable) -> Limit:
    raw = as_text(worker.env.get(name))
    seen = Seen("container", worker.where, _said(name, raw))
    if overriding := _overriding(compose, worker, name):
        sets = Seen("compose", overriding.where, f"'environment:' of {overriding.service} sets {name}")
        return Limit(name, raw, (seen, sets), entry=overriding)
    entry = env_file.entry(name) if isinstance(env_file, EnvFile) else None
    if isinstance(env_file, Unavailable) or entry is None:
        return Limit(name, raw, (seen,))
    same = as_text(entry.value) == raw
    also = (Seen(".env", env_file.where(entry.line), f"sets {name}"),) if same else ()
    return Limit(name, raw, (seen, *also), tuple(entry.lines))


def _in_file(name: str, env_file: EnvFile) -> Limit:
    entry = env_file.entry(name)
    raw = as_text(entry.value if entry else None)
    where = env_file.where(entry.line) if entry else ".env"
    return Limit(name, raw, (Seen(".env", where, _said(name, raw)),), tuple(entry.lines) if entry else ())


def _said(name: str, raw: str | None) -> str:
    return f"{name}={raw!r}" if raw is not None else f"{name} is not set"


def _overriding(compose: ComposeConfig | Unavailable, worker: Worker, name: str) -> ComposeSetting | None:
    """The entry that decides; not one that takes its value from the shell or the ``.env``."""
    setting = None if isinstance(compose, Unavailable) else compose.setting(worker.compose.service, name)
    return setting if setting and setting.value is not None and not setting.references else None


def as_text(value: str | Secret | None) -> str | None:
    """A token that was pasted into the wrong line is not a number either, and stays hidden."""
    return None if value is None else str(value)
