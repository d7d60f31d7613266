"""The cache from the host's side of the mounts."""

from __future__ import annotations

import os
import posixpath
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ot_doctor.evidence.deployment import Model
from ot_doctor.evidence.workers import Mount
from ot_doctor.sources.model_cache.fs_view import (
    HEAD_BYTES,
    CacheLook,
    Existence,
    Look,
    look_at,
)
from ot_doctor.sources.model_cache.location import on_host

_MOST_LINKS = 40  # as Linux has it
_MOST_ENTRIES = 10_000  # of one folder


def look_from_host(mounts: Sequence[Mount], root: str, models: Sequence[Model]) -> CacheLook:
    """Look at the needed files only, and at each as the container sees it through these mounts."""
    return look_at(_ContainerFsView(mounts), root, models)


@dataclass(frozen=True)
class _Place:
    """Where following a path has led."""

    found: Existence
    host: str | None  # the path on this machine; ``None``: not there, or in the container's own layer
    path: str  # in the container, without links
    links: int  # how many were followed


class _ContainerFsView:
    """Sees the host's files as the container does: links are followed by hand, in the container's own namespace."""

    thrifty = False

    def __init__(self, mounts: Sequence[Mount]) -> None:
        # The engine follows links in a mount's source once, when it mounts it.
        self._mounts = [replace(m, source=os.path.realpath(m.source)) if m.source.startswith("/") else m for m in mounts]
        self._points = {posixpath.normpath(m.destination) for m in self._mounts}
        self._followed: dict[str, _Place] = {}  # by the path of a folder

    def look(self, path: str, *, head: bool = False) -> Look:
        found, host = self._follow(path)
        if host is None:
            return Look(path, found)
        try:
            info = os.stat(host, follow_symlinks=False)
        except OSError:
            return Look(path, Existence.CLOSED)
        regular = stat.S_ISREG(info.st_mode)
        beginning = _beginning(host) if head and regular else None
        mode = stat.filemode(info.st_mode)
        return Look(
            path, Existence.YES, mode, info.st_uid, info.st_gid, info.st_size, beginning, info.st_ino, changed=info.st_ctime
        )

    def host_path(self, path: str) -> str | None:
        """Where a path of the container really lies on this machine; ``None`` when it is not there."""
        return self._follow(path)[1]

    def newest_first(self, folder: str, ending: str) -> list[str]:
        host = self.host_path(folder)

        def age(name: str) -> float:
            try:
                return -os.lstat(os.path.join(host or "", name)).st_mtime
            except OSError:
                return 0.0

        return sorted(self.names(folder, ending), key=lambda name: (age(name), name))

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

    def _follow(self, path: str) -> tuple[Existence, str | None]:
        """What is there, and where on this machine."""
        names = [name for name in path.split("/") if name]
        place, known = self._known_ancestor(names)
        for count in range(known, len(names)):
            if place.found is Existence.YES:
                place = self._step(names[count], place)
            self._followed["/" + "/".join(names[: count + 1])] = place
        if place.found is not Existence.YES or place.host is not None:
            return place.found, place.host
        return (Existence.DANGLING if place.links else Existence.CLOSED), None  # such a link means a folder of the host

    def _known_ancestor(self, names: Sequence[str]) -> tuple[_Place, int]:
        """The deepest folder above that was followed before, and how many names lead to it."""
        for count in range(len(names), 0, -1):
            if before := self._followed.get("/" + "/".join(names[:count])):
                return before, count
        return _Place(Existence.YES, on_host(self._mounts, "/"), "/", 0), 0

    def _step(self, name: str, folder: _Place) -> _Place:
        """One name further, and along the links that it may be.

        ``a`` in ``/x``, where ``/x/a`` links to ``../y/b``: pending ``a``; then ``..`` and ``y`` and ``b``, from ``/x`` on; then
        ``b`` alone in ``/y``; the place is ``/y/b``, one link further.
        """
        at, host, links = folder.path, folder.host, folder.links
        pending = deque([(name, False)])
        while pending:
            name, from_link = pending.popleft()
            if name == ".":
                continue
            at = posixpath.dirname(at) if name == ".." else posixpath.join(at, name)
            host = on_host(self._mounts, at)
            if name == ".." or host is None:
                continue  # without a host path: the container's own layer, which is not seen from here
            try:
                target = self._link_target(host, at)
            except (FileNotFoundError, NotADirectoryError):
                return _Place(Existence.DANGLING if from_link else Existence.NO, None, at, links)
            except (OSError, ValueError):
                return _Place(Existence.CLOSED, None, at, links)
            if target is None:
                continue
            links += 1
            if links > _MOST_LINKS:
                return _Place(Existence.DANGLING, None, at, links)
            at = "/" if target.startswith("/") else posixpath.dirname(at)
            pending.extendleft((part, True) for part in reversed([part for part in target.split("/") if part]))
        return _Place(Existence.YES, host, at, links)

    def _link_target(self, host: str, path: str) -> str | None:
        """Where a link leads; ``None`` for what is none. Raises ``OSError``. A mount point is what is mounted there."""
        info = os.stat(host) if path in self._points else os.lstat(host)
        return os.readlink(host) if stat.S_ISLNK(info.st_mode) else None


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


PUT_AWAY = ".ot-doctor-removed"  # where 'ot-doctor fix' puts models that are in the way
_NO_MODELS = (".locks", PUT_AWAY)  # .locks is the client's: folders there are named as models, and are none


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
            elif depth + 1 < _DEEPEST and not name.startswith("models--") and name not in _NO_MODELS:
                pending.append((path, depth + 1))


def _folders(folder: str, most: int) -> tuple[list[str], int]:
    """The folders among the first entries of a folder, and how many entries were read."""
    try:
        with os.scandir(folder) as entries:
            seen = list(islice(entries, most))
        return sorted(entry.name for entry in seen if entry.is_dir(follow_symlinks=False)), len(seen)
    except OSError:
        return [], 0
