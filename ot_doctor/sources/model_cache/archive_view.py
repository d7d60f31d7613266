"""The cache through the engine's archive: for a worker in which nothing can be run, and whose host's disk need not be here."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from ot_doctor.evidence.base import Unavailable
from ot_doctor.evidence.deployment import Model
from ot_doctor.evidence.workers import Mount
from ot_doctor.sources.docker.container_archive import ContainerArchive, PathRefused
from ot_doctor.sources.docker.tar_stream import TarMember
from ot_doctor.sources.model_cache.fs_view import HEAD_BYTES, CacheLook, Existence, Look, look_at
from ot_doctor.sources.model_cache.location import mount_of

_SMALL = 1024 * 1024  # bytes of a folder's tar that has links alone in it
_MUCH = 8 * 1024 * 1024  # of one that has the models in it, of which only the names matter
_MOST_NAMES = 10_000


def look_by_archive(
    archive: ContainerArchive, mounts: Sequence[Mount], roots: Mapping[str, Sequence[Model]]
) -> dict[str, CacheLook]:
    """Look at each root and its models. Raises ``Unavailable``, also when there is no such container any more."""
    view = ArchiveView(archive, mounts)
    if not view.look("/").there:
        raise Unavailable("The container no longer exists.")
    return {root: look_at(view, root, models) for root, models in roots.items()}


class ArchiveView:
    """Sees files as the container has them mounted. The engine follows links in the container's own namespace.

    What lies on a tmpfs is not in the archive, and counts as closed. A file's last change is not known: a tar tells when it was
    written, and not when it got another owner or mode.
    """

    thrifty = True

    def __init__(self, archive: ContainerArchive, mounts: Sequence[Mount]) -> None:
        self._archive = archive
        self._mounts = mounts
        self._seen: dict[str, Look | TarMember] = {}  # a link's member waits until somebody looks at it
        self._times: dict[str, float] = {}
        self._folders: dict[str, bool] = {}  # that were listed, and whether to their ends

    def look(self, path: str, *, head: bool = False) -> Look:
        if path not in self._seen:
            self._list_around(path)
        seen = self._seen.get(path)
        if seen is None or (isinstance(seen, Look) and head and seen.mode.startswith("-") and seen.head is None):
            seen = self._asked(path, head)
        if isinstance(seen, TarMember):
            seen = self._resolved(path, seen, head)
        self._seen[path] = seen
        return seen

    def names(self, folder: str, ending: str) -> list[str]:
        """Names in a folder, as far as its tar was read."""
        self._list(folder, _MUCH if folder.endswith("/blobs") else _SMALL)
        inside = (path for path in self._times if posixpath.dirname(path) == folder and path.endswith(ending))
        return sorted(posixpath.basename(path) for path in inside)[:_MOST_NAMES]

    def newest_first(self, folder: str, ending: str) -> list[str]:
        return sorted(self.names(folder, ending), key=lambda name: (-self._times[f"{folder}/{name}"], name))

    # -- asking ------------------------------------------------------------------------------------------------------

    def _asked(self, path: str, head: bool) -> Look | TarMember:
        if self._nothing_above(path):
            return Look(path, Existence.NO)
        if self._in_memory(path):
            return Look(path, Existence.CLOSED)
        try:
            member = self._archive.first(path, HEAD_BYTES if head else 0)
        except PathRefused as error:
            return Look(path, _why(error))
        if member is None:
            return Look(path, Existence.NO)
        return member if member.link else _look(path, member, head)

    def _resolved(self, path: str, link: TarMember, head: bool) -> Look:
        try:
            where = self._archive.stat(path)
        except PathRefused:  # a HEAD does not say why
            return Look(path, self._why_refused(path))
        try:
            if where is None:
                return Look(path, Existence.DANGLING)
            target = where.target or path  # Podman has followed the link, and says so of neither
            if self._in_memory(target):
                return Look(path, Existence.CLOSED)
            member = self._archive.first(target, HEAD_BYTES if head else 0)
        except PathRefused as error:
            why = _why(error)
            return Look(path, Existence.DANGLING if why is Existence.NO else why)
        if member is None or member.link:
            return Look(path, Existence.DANGLING)
        return _look(path, member, head)

    def _why_refused(self, path: str) -> Existence:
        try:
            self._archive.first(path)
        except PathRefused as error:
            return _why(error)
        return Existence.CLOSED

    def _list_around(self, path: str) -> None:
        """One small answer tells of all links of a snapshot, and one of the lock files."""
        folder = posixpath.dirname(path)
        for name in ("/snapshots", "/refs"):
            if path.endswith(name):
                folder = path
            elif f"{name}/" in path:
                folder = path[: path.rindex(f"{name}/")] + name
        if folder.endswith(("/snapshots", "/refs")):
            self._list(folder, _SMALL)

    def _list(self, folder: str, most_bytes: int) -> None:
        if folder in self._folders:
            return
        self._folders[folder] = False
        if self._nothing_above(folder) or self._in_memory(folder):
            return
        try:
            found, whole = self._archive.below(folder, most_bytes, HEAD_BYTES)
        except PathRefused:
            return
        if not found or not found[0].mode.startswith("d"):
            return  # a link to a folder: looked at piece by piece
        for member in found:
            path = posixpath.join(folder, member.name) if member.name else folder
            if self._in_memory(path):
                continue
            self._times[path] = member.modified
            if member.link:
                self._seen.setdefault(path, member)
            elif member.kind:
                self._seen.setdefault(path, _look(path, member, head=True))
            if member.mode.startswith("d"):
                self._folders[path] = whole
        self._times.pop(folder, None)

    def _nothing_above(self, path: str) -> bool:
        """Whether a folder above is known not to be there, or was listed to its end without this."""
        above = posixpath.dirname(path)
        seen = self._seen.get(above)
        if isinstance(seen, Look) and seen.found in (Existence.NO, Existence.DANGLING):
            return True
        return self._folders.get(above, False) and path not in self._times and not self._in_memory(path)

    def _in_memory(self, path: str) -> bool:
        mount = mount_of(self._mounts, path)
        return mount is not None and mount.kind == "tmpfs"


def _look(path: str, member: TarMember, head: bool) -> Look:
    regular = member.mode.startswith("-")
    return Look(
        path, Existence.YES, member.mode, member.uid, member.gid, member.size, member.head if head and regular else None
    )


def _why(error: PathRefused) -> Existence:
    """By the engine's own words."""
    if "too many links" in str(error):
        return Existence.DANGLING
    return Existence.NO if "not a directory" in str(error) else Existence.CLOSED
