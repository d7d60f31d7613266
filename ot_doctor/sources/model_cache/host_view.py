"""The cache from the host's side of the mounts."""

from __future__ import annotations

import os
import posixpath
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ot_doctor.evidence.deployment import Model
from ot_doctor.evidence.workers import Mount
from ot_doctor.sources.model_cache.fs_view import (
    HEAD_BYTES,
    MOST_LEFTOVERS,
    CacheLook,
    Found,
    Look,
    ModelLook,
    choose_commit,
    folder_name,
    part_paths,
    shown,
    way_to,
)
from ot_doctor.sources.model_cache.location import on_host

_MOST_LINKS = 40  # as Linux has it
_MOST_ENTRIES = 10_000  # of one folder


def look_from_host(mounts: Sequence[Mount], root: str, models: Sequence[Model]) -> CacheLook:
    """Look at the needed files only, and at each as the container sees it through these mounts."""
    eye = _Eye(mounts)
    way = tuple(eye.look(path) for path in way_to(root))
    return CacheLook(way, eye.look(f"{root}/.locks"), tuple(_model(eye, root, model) for model in models))


def _model(eye: _Eye, root: str, model: Model) -> ModelLook:
    folder = f"{root}/{folder_name(model.repo)}"
    ref = eye.look(f"{folder}/refs/main", head=True)
    written = ref.head.decode("utf-8", "replace") if ref.head is not None else None
    commit, problem = choose_commit(written, "" if written is not None else _newest(eye, f"{folder}/snapshots"))
    if ref.found is Found.CLOSED or (ref.there and ref.head is None):
        problem = "refs/main cannot be read"
    snapshot = f"{folder}/snapshots/{commit or 'none'}"
    locks = f"{root}/.locks/{folder_name(model.repo)}"
    return ModelLook(
        folder=eye.look(folder),
        parts=tuple(eye.look(path) for path in part_paths(folder, commit, model.files)),
        ref=ref,
        files=tuple(eye.look(f"{snapshot}/{name}", head=True) for name in model.files),
        locks=(eye.look(locks), *(eye.look(f"{locks}/{name}") for name in eye.names(locks, ".lock")[:MOST_LEFTOVERS])),
        commit=commit,
        problem=problem,
        incomplete=tuple(shown(name) for name in _newest_first(eye, f"{folder}/blobs", ".incomplete")[:MOST_LEFTOVERS]),
    )


def _newest(eye: _Eye, folder: str) -> str:
    return next(iter(_newest_first(eye, folder, "")), "")


def _newest_first(eye: _Eye, folder: str, ending: str) -> list[str]:
    host = eye.host_path(folder)

    def age(name: str) -> float:
        try:
            return -os.lstat(os.path.join(host or "", name)).st_mtime
        except OSError:
            return 0.0

    return sorted(eye.names(folder, ending), key=lambda name: (age(name), name))


class _Eye:
    """Sees the host's files as the container does: links are followed by hand, in the container's own namespace."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        # The engine follows links in a mount's source once, when it mounts it.
        self._mounts = [replace(m, source=os.path.realpath(m.source)) if m.source.startswith("/") else m for m in mounts]
        self._points = {posixpath.normpath(m.destination) for m in self._mounts}
        self._followed: dict[str, tuple[Found, str | None, str, int]] = {}  # by the path of a folder

    def look(self, path: str, *, head: bool = False) -> Look:
        found, host = self._follow(path)
        if host is None:
            return Look(path, found)
        try:
            info = os.stat(host, follow_symlinks=False)
        except OSError:
            return Look(path, Found.CLOSED)
        regular = stat.S_ISREG(info.st_mode)
        beginning = _beginning(host) if head and regular else None
        mode = stat.filemode(info.st_mode)
        return Look(
            path, Found.YES, mode, info.st_uid, info.st_gid, info.st_size, beginning, info.st_ino, changed=info.st_ctime
        )

    def host_path(self, path: str) -> str | None:
        """Where a path of the container really lies on this machine; ``None`` when it is not there."""
        return self._follow(path)[1]

    def names(self, folder: str, ending: str) -> list[str]:
        """Names in a folder; as many as are reasonable there."""
        host = self.host_path(folder)
        if host is None:
            return []
        try:
            with os.scandir(host) as entries:
                return sorted(entry.name for entry in islice(entries, _MOST_ENTRIES) if entry.name.endswith(ending))
        except OSError:
            return []

    def _follow(self, path: str) -> tuple[Found, str | None]:
        """What is there, and where on this machine."""
        names = [name for name in path.split("/") if name]
        seen: tuple[Found, str | None, str, int] = (Found.YES, on_host(self._mounts, "/"), "/", 0)
        known = 0
        for count in range(len(names), 0, -1):  # the folders above were mostly looked at before
            if before := self._followed.get("/" + "/".join(names[:count])):
                seen, known = before, count
                break
        for count in range(known, len(names)):
            if seen[0] is Found.YES:
                seen = self._step(names[count], *seen[1:])
            self._followed["/" + "/".join(names[: count + 1])] = seen
        found, host, _, links = seen
        if found is not Found.YES or host is not None:
            return found, host
        return (Found.DANGLING if links else Found.CLOSED), None  # such a link means a folder of the host

    def _step(self, name: str, host: str | None, at: str, links: int) -> tuple[Found, str | None, str, int]:
        """One name further from ``at``, and along the link that it may be; ``links`` were followed so far."""
        pending = deque([(name, False)])
        while pending:
            name, from_link = pending.popleft()
            if name == ".":
                continue
            if name == "..":
                at = posixpath.dirname(at)
                host = on_host(self._mounts, at)
                continue
            at = posixpath.join(at, name)
            host = on_host(self._mounts, at)
            if host is None:
                continue  # the container's own layer, which is not seen from here
            try:
                info = os.stat(host) if at in self._points else os.lstat(host)
            except (FileNotFoundError, NotADirectoryError):
                return (Found.DANGLING if from_link else Found.NO), None, at, links
            except (OSError, ValueError):
                return Found.CLOSED, None, at, links
            if not stat.S_ISLNK(info.st_mode):
                continue
            links += 1
            try:
                target = os.readlink(host)
            except OSError:
                return Found.CLOSED, None, at, links
            if links > _MOST_LINKS:
                return Found.DANGLING, None, at, links
            at = "/" if target.startswith("/") else posixpath.dirname(at)
            pending.extendleft((part, True) for part in reversed([part for part in target.split("/") if part]))
        return Found.YES, host, at, links


def _beginning(path: str) -> bytes | None:
    """The first bytes of a regular file. What became something else meanwhile is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return os.read(descriptor, HEAD_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


# -- models in the wrong place ---------------------------------------------------------------------------------------

_DEEPEST = 7
_MOST_SEARCHED = 20_000
_MOST_SEARCHED_IN_ONE = 2_000  # a large folder must not hide the others


def find_models(top: str, names: Sequence[str]) -> Iterator[str]:
    """Folders ``models--pyannote--…``, and folders of these names under one called ``pyannote``. Links are not followed."""
    pending, left = deque([(top, 0)]), _MOST_SEARCHED
    while pending and left > 0:
        folder, depth = pending.popleft()
        folders, searched = _folders(folder, min(left, _MOST_SEARCHED_IN_ONE))
        left -= searched
        for name in folders:
            path = os.path.join(folder, name)
            if name.startswith("models--pyannote--") or (name in names and os.path.basename(folder) == "pyannote"):
                yield path
            elif depth + 1 < _DEEPEST and not name.startswith("models--"):
                pending.append((path, depth + 1))


def _folders(folder: str, most: int) -> tuple[list[str], int]:
    """The folders among the first entries of a folder, and how many entries were looked at."""
    try:
        with os.scandir(folder) as entries:
            seen = list(islice(entries, most))
        return sorted(entry.name for entry in seen if entry.is_dir(follow_symlinks=False)), len(seen)
    except OSError:
        return [], 0
