"""Where a release line looks for its models, and what the container's mounts make of that."""

from __future__ import annotations

import functools
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ot_doctor.evidence.deployment import Deployment, ReleaseLine
from ot_doctor.evidence.env_file import EnvFile
from ot_doctor.evidence.model_cache import CacheRoot
from ot_doctor.evidence.releases import release_of
from ot_doctor.evidence.workers import Mount, Worker

HOME = "/home/appuser"
LONGEST_PATH = 4095  # bytes, as Linux has it
_WORKING_FOLDER = "/app"  # what a relative path of the environment refers to, in every image of OpenTranscribe
_TRUE = ("1", "ON", "YES", "TRUE")


@dataclass(frozen=True)
class CachePlace:
    """A folder with ``models--…`` folders in it, as the container names it, and the variable that says so."""

    path: str
    variable: str = ""


@dataclass(frozen=True)
class WorkerEnvironment:
    """What decides where a worker's models are: of a container, or as ``.env`` and the Compose files make them."""

    env: Mapping[str, str]
    image_env: Mapping[str, str]
    home: str
    mounts: tuple[Mount, ...]

    @classmethod
    def of(cls, worker: Worker) -> WorkerEnvironment:
        env = {name: value for name, value in worker.env.items() if isinstance(value, str)}
        image_env = {name: value for name, value in worker.image_env.items() if isinstance(value, str)}
        return cls(env, image_env, env.get("HOME") or worker.home, worker.mounts)

    @classmethod
    def supposed(cls, models_dir: str, env_file: EnvFile | None) -> WorkerEnvironment:
        """Without a container: the mounts of every release's Compose file, and the variables of ``.env``."""
        entries = env_file.entries if env_file else ()
        env = {entry.key: entry.value for entry in entries if isinstance(entry.value, str)}
        mounts = (
            Mount("bind", f"{models_dir}/huggingface", f"{HOME}/.cache/huggingface", True),
            Mount("bind", f"{models_dir}/torch", f"{HOME}/.cache/torch", True),
        )
        return cls(env, {}, HOME, mounts)


def places(line: ReleaseLine, env: Mapping[str, str], home: str) -> tuple[CachePlace, ...]:
    """Where the line looks: one place, or both where the line is not known (v0.4's first)."""
    release = release_of(line)
    if release is None:
        return _hub_cache(env, home), _pyannote_3(env, home)
    return (_PLACES[release.cache](env, home),)


def former_place(line: ReleaseLine, env: Mapping[str, str], home: str) -> CachePlace | None:
    """Where the other line looks, when this one is known."""
    release = release_of(line)
    if release is None:
        return None
    return next(place(env, home) for kind, place in _PLACES.items() if kind != release.cache)


def moved_by(place: CachePlace, line: ReleaseLine, around: WorkerEnvironment) -> str:
    """The variable that moved the place away from where the image has it; empty when it is there."""
    usual = places(line, around.image_env, around.home)[0]
    if place.path == usual.path or around.env.get(place.variable) == around.image_env.get(place.variable):
        return ""
    return place.variable


def offline_switch(env: Mapping[str, str]) -> str | None:
    """``HF_HUB_OFFLINE=1``: the setting that forbids downloads, as huggingface_hub decides it.

    A non-empty HF_HUB_OFFLINE hides TRANSFORMERS_OFFLINE, whatever it says.
    """
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if value := env.get(name):
            return f"{name}={value}" if value.upper() in _TRUE else None
    return None


def configured_models_dir(deployment: Deployment, env_file: EnvFile | None) -> str | None:
    """MODEL_CACHE_DIR of ``.env`` as Compose resolves it; ``None`` when it is not set there."""
    entry = env_file.entry("MODEL_CACHE_DIR") if env_file else None
    if entry is None or not entry.value or not isinstance(entry.value, str):
        return None
    if "\0" in entry.value:
        return None
    try:
        given = Path(entry.value).expanduser()
    except RuntimeError:  # a home folder that nobody has
        given = Path(entry.value)
    return os.path.normpath(deployment.home / given)


def models_dir(mounts: Sequence[Mount], place: CachePlace) -> str | None:
    """The host's folder to fix: the parent of ``huggingface`` and ``torch`` when both are mounted from it."""
    sources = {m.source.rstrip("/") for m in mounts if m.kind == "bind"}
    pairs = [s.rpartition("/")[0] for s in sources if s.endswith("/huggingface") and f"{s.rpartition('/')[0]}/torch" in sources]
    holding = mount_of(mounts, place.path)
    if holding is None:
        return min(pairs, default=None)
    source = holding.source.rstrip("/")
    parent, _, name = source.rpartition("/")
    return parent if parent in pairs and name in ("huggingface", "torch") else source or None


def mount_of(mounts: Sequence[Mount], path: str) -> Mount | None:
    """The mount that a path of the container lies on: the one with the longest destination."""
    holding = [m for m in mounts if path == _plain(m.destination) or path.startswith(_plain(m.destination).rstrip("/") + "/")]
    return max(holding, key=lambda m: len(_plain(m.destination)), default=None)


def on_host(mounts: Sequence[Mount], path: str) -> str | None:
    """A path of the container as the engine's machine names it; ``None`` when it lies on no mount of a folder there."""
    mount = mount_of(mounts, path)
    if mount is None or not mount.source.startswith("/"):
        return None
    below = path[len(_plain(mount.destination)) :].strip("/")
    return f"{mount.source.rstrip('/')}/{below}".rstrip("/") or "/"


def root_of(place: CachePlace, line: ReleaseLine, around: WorkerEnvironment, *, here: bool) -> CacheRoot:
    """The place as evidence, with nothing inspected yet; ``here``: the engine's paths are this machine's."""
    mount = mount_of(around.mounts, place.path)
    path = on_host(around.mounts, place.path) if here else None
    read_only = mount is not None and not mount.writable
    return CacheRoot(place.path, path, mount, moved_by(place, line, around), None, read_only)


# -- as the libraries read the environment ---------------------------------------------------------------------------


def _hub_cache(env: Mapping[str, str], home: str) -> CachePlace:
    """As ``huggingface_hub.constants`` computes HF_HUB_CACHE."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if name in env:
            return CachePlace(_absolute(_expanded(env[name], env, home)), name)
    if "HF_HOME" in env:
        return CachePlace(_absolute(posixpath.join(_expanded(env["HF_HOME"], env, home), "hub")), "HF_HOME")
    if "XDG_CACHE_HOME" in env:
        cache_home = _expanded(env["XDG_CACHE_HOME"], env, home)
        return CachePlace(_absolute(posixpath.join(cache_home, "huggingface/hub")), "XDG_CACHE_HOME")
    return CachePlace(_absolute(f"{home}/.cache/huggingface/hub"))


def _pyannote_3(env: Mapping[str, str], home: str) -> CachePlace:
    """As pyannote.audio 3 has it in ``core/model.py``: neither TORCH_HOME nor HF_HOME moves it."""
    if "PYANNOTE_CACHE" in env:
        return CachePlace(_absolute(env["PYANNOTE_CACHE"]), "PYANNOTE_CACHE")
    return CachePlace(_absolute(f"{home}/.cache/torch/pyannote"))


# What the data of the releases calls the places.
_PLACES = {"hub": _hub_cache, "pyannote": _pyannote_3}


def _expanded(value: str, env: Mapping[str, str], home: str) -> str:
    if value == "~" or value.startswith("~/"):
        value = home + value[1:]
    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: env.get(m[1] or m[2], m[0]), value)


def _absolute(path: str) -> str:
    joined = posixpath.normpath(posixpath.join(_WORKING_FOLDER, path or "."))
    return "/" + joined.lstrip("/")  # normpath keeps two leading slashes


@functools.lru_cache(2048)
def _plain(destination: str) -> str:
    return _absolute(destination)
