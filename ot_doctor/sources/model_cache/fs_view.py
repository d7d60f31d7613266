"""What is inspected in a cache, and what was seen there: from the host, or through the container, in the same words."""

from __future__ import annotations

import enum
import os
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Protocol

from ot_doctor.core.printable import printable
from ot_doctor.evidence.deployment import Model
from ot_doctor.evidence.model_cache import CachedFile, CachedModel, FileState

HEAD_BYTES = 64
MOST_LEFTOVERS = 50  # of each kind and model: enough to see what happened
_SMALLEST_WEIGHTS = 1_000_000  # the real ones have 5.9 and 26.6 MB
_COMMIT = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,63}")


class Existence(enum.Enum):
    YES = "yes"
    NO = "no"
    DANGLING = "a link to nothing"
    CLOSED = "could not be looked at"


@dataclass(frozen=True)
class Look:
    """One path, its links followed as the container follows them."""

    container_path: str
    found: Existence
    mode: str = ""  # "drwxr-xr-x"
    uid: int = -1
    gid: int = -1
    size: int = 0
    head: bytes | None = None  # the first bytes; ``None``: not asked for, or not allowed
    inode: int = 0
    rights: str | None = None  # of "rwx", as the container answered; ``None``: it was not asked
    changed: float = 0.0  # seconds since 1970, by the inode; 0: not known

    @property
    def there(self) -> bool:
        return self.found is Existence.YES


@dataclass(frozen=True)
class ModelLook:
    """One repository's folder in the cache."""

    folder: Look
    parts: tuple[Look, ...]  # blobs, refs, snapshots, snapshots/<commit> and the needed folders in it
    ref: Look  # refs/main
    files: tuple[Look, ...]  # in the order of ``Model.files``
    locks: tuple[Look, ...]  # .locks/models--…, and the lock files in it
    commit: str
    problem: str
    incomplete: tuple[str, ...]  # names in blobs/, newest first

    def all(self) -> Iterable[Look]:
        return (self.folder, *self.parts, self.ref, *self.files, *self.locks)


@dataclass(frozen=True)
class CacheLook:
    """One place with models: its ancestors, the last one is itself, and the models in it."""

    ancestors: tuple[Look, ...]
    locks: Look  # .locks
    models: tuple[ModelLook, ...]

    @property
    def root(self) -> Look:
        return self.ancestors[-1]

    def all(self) -> Iterable[Look]:
        return (*self.ancestors, self.locks, *(look for model in self.models for look in model.all()))


def folder_name(repo: str) -> str:
    return "models--" + repo.replace("/", "--")


def with_ancestors(path: str) -> tuple[str, ...]:
    """Every folder from the top to ``path``: ``/``, ``/home``, ``/home/appuser``."""
    names = [name for name in path.split("/") if name]
    return ("/", *("/" + "/".join(names[: count + 1]) for count in range(len(names))))


def part_paths(folder: str, commit: str, files: Iterable[str]) -> tuple[str, ...]:
    """The folders of a repository that reading and downloading go through."""
    paths = [f"{folder}/{name}" for name in ("blobs", "refs", "snapshots")]
    if commit:
        snapshot = f"{folder}/snapshots/{commit}"
        paths += dict.fromkeys(posixpath.dirname(f"{snapshot}/{name}") for name in ("config.yaml", *files))
    return tuple(paths)


def choose_commit(ref: str | None, newest: str) -> tuple[str, str]:
    """The snapshot to look at, and why the client would not find it; ``ref`` is what refs/main says, if it is there."""
    if ref is not None and _COMMIT.fullmatch(ref.strip()):
        return ref.strip(), ""
    problem = "no refs/main" if ref is None else "refs/main does not name a commit"
    return (newest if _COMMIT.fullmatch(newest) else ""), problem


class FsView(Protocol):
    """Somebody who sees the container's files and does not run anything to see them."""

    thrifty: bool  # what nobody needs to know is not looked at

    def look(self, path: str, *, head: bool = False) -> Look: ...

    def names(self, folder: str, ending: str) -> list[str]: ...

    def newest_first(self, folder: str, ending: str) -> list[str]: ...


def look_at(view: FsView, root: str, models: Iterable[Model]) -> CacheLook:
    """The needed files of one place with models, and nothing else."""
    ancestors = tuple(view.look(path) for path in with_ancestors(root))
    return CacheLook(ancestors, view.look(f"{root}/.locks"), tuple(_model(view, root, model) for model in models))


def _model(view: FsView, root: str, model: Model) -> ModelLook:
    folder = f"{root}/{folder_name(model.repo)}"
    seen = view.look(folder)
    ref = view.look(f"{folder}/refs/main", head=True)
    written = ref.head.decode("utf-8", "replace") if ref.head is not None else None
    newest = "" if written is not None else next(iter(view.newest_first(f"{folder}/snapshots", "")), "")
    commit, problem = choose_commit(written, newest)
    if ref.found is Existence.CLOSED or (ref.there and ref.head is None):
        problem = "refs/main cannot be read"
    locks = f"{root}/.locks/{folder_name(model.repo)}"
    held = view.names(locks, ".lock")[:MOST_LEFTOVERS]
    files = tuple(view.look(f"{folder}/snapshots/{commit or 'none'}/{name}", head=True) for name in model.files)
    whole = all(state_of(look, name) is FileState.OK for look, name in zip(files, model.files, strict=True))
    left = [] if whole and view.thrifty else view.newest_first(f"{folder}/blobs", ".incomplete")[:MOST_LEFTOVERS]
    return ModelLook(
        folder=seen,
        parts=tuple(view.look(path) for path in part_paths(folder, commit, model.files)),
        ref=ref,
        files=files,
        locks=tuple(view.look(path) for path in (locks, *(f"{locks}/{name}" for name in held))),
        commit=commit,
        problem=problem,
        incomplete=tuple(shown(name) for name in left),
    )


def shown(name: str) -> str:
    """A name from a disk as it may be shown: it need not be text."""
    readable = os.fsencode(name).decode("utf-8", "replace")
    return printable(readable).replace("\n", "?").replace("\t", "?")


def state_of(look: Look, name: str) -> FileState:
    """What a needed file is."""
    if look.found is not Existence.YES:
        return {Existence.NO: FileState.MISSING, Existence.DANGLING: FileState.DANGLING}.get(look.found, FileState.UNREADABLE)
    if not look.mode.startswith("-"):
        return FileState.NOT_A_FILE
    if look.size == 0:
        return FileState.EMPTY
    if look.head is None:
        return FileState.UNREADABLE
    if look.head.startswith(b"version https://git-lfs"):
        return FileState.LFS_POINTER
    if look.head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return FileState.HTML
    if name.endswith("pytorch_model.bin"):
        whole = look.size >= _SMALLEST_WEIGHTS and look.head.startswith((b"PK\x03\x04", b"\x80"))
        return FileState.OK if whole else FileState.TRUNCATED
    if name.endswith(".npz") and not look.head.startswith(b"PK\x03\x04"):
        return FileState.TRUNCATED
    return FileState.OK


def as_evidence(model: Model, look: ModelLook, display_path: Callable[[str], str]) -> CachedModel:
    """A repository as the checks see it; ``display_path`` turns a path of the container into the one to show."""
    folder = look.folder.container_path
    nowhere = "" if look.commit else f"{folder}/snapshots"
    files = tuple(
        CachedFile(name, state_of(seen, name), seen.size, display_path(nowhere or seen.container_path))
        for name, seen in zip(model.files, look.files, strict=True)
    )
    return CachedModel(
        repo=model.repo,
        required=model.required,
        path=display_path(folder),
        container_path=folder,
        files=files,
        present=look.folder.there,
        commit=look.commit,
        incomplete=tuple(f"{display_path(folder)}/blobs/{name}" for name in look.incomplete),
        problem=look.problem if look.folder.there else "",
        changed_at=_changed_at(look),
    )


def _changed_at(look: ModelLook) -> datetime | None:
    times = [seen.changed for seen in (look.ref, *look.files) if seen.there]
    return datetime.fromtimestamp(max(times), timezone.utc) if times and all(times) else None
