"""The user of a container by its configuration and its own /etc/passwd and /etc/group, as the engine finds it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ot_doctor.core.printable import printable
from ot_doctor.evidence.workers import Engine, Mount, Worker
from ot_doctor.sources.docker.container_archive import ContainerArchive, PathRefused

_LARGEST = 256 * 1024  # bytes of each of the two files
_MOST_GROUPS = 1_000


class Owned(Protocol):
    """A file with an owner."""

    @property
    def mode(self) -> str: ...  # "-rw-r--r--"

    @property
    def uid(self) -> int: ...

    @property
    def gid(self) -> int: ...


@dataclass(frozen=True)
class User:
    """Whom a container's processes run as."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()  # beside ``gid``

    def may(self, file: Owned, right: str) -> bool:
        """Whether owner, group and mode give it ``r``, ``w`` or ``x``; root needs none."""
        kind = 0 if self.uid == file.uid else 1 if file.gid in (self.gid, *self.groups) else 2
        return self.uid == 0 or file.mode[1 + 3 * kind :][:3]["rwx".index(right)] not in "-ST"


def owners_tell(engine: Engine, mounts: Iterable[Mount | None], owner_of_the_top: int) -> bool:
    """Whether the archive's owners on these mounts are those that the container's user sees.

    A folder of the host that is shared with a virtual machine belongs to whoever asks; with user namespaces the engine shows the
    ids of the host, and the container's top folder is not root's. In Podman's archive everything is the container's own user's.
    """
    shared = engine.in_vm and any(mount is not None and mount.kind == "bind" for mount in mounts)
    return not engine.userns_remap and not engine.podman and not shared and owner_of_the_top == 0


def user_of(archive: ContainerArchive, worker: Worker) -> User | None:
    """``None`` when its files do not tell. Raises ``Unavailable``."""
    users, groups = _records(archive, "/etc/passwd", 4), _records(archive, "/etc/group", 3)
    name, _, group = worker.user.partition(":")
    entry = next((one for one in users if one[0] == name), None)
    if entry is None and (name.isdecimal() or not name):
        entry = next((one for one in users if one[2] == (name or "0")), ["", "", name or "0", "0"])
    if entry is None:
        return None
    uid = _number(entry[2])
    gid = _group(group, groups) if group else _number(entry[3])
    if uid is None or gid is None:
        return None
    more = [] if group else [_number(one[2]) for one in groups if len(one) > 3 and entry[0] in one[3].split(",")]
    more += [_group(one, groups) for one in worker.group_add]
    return User(printable(entry[0]), uid, gid, frozenset(one for one in more[:_MOST_GROUPS] if one is not None))


def _records(archive: ContainerArchive, path: str, least: int) -> list[list[str]]:
    try:
        data = archive.read(path, _LARGEST) or b""
    except PathRefused:
        data = b""
    return list(_split(data.decode("utf-8", "replace").splitlines(), least))


def _split(lines: Iterable[str], least: int) -> Iterator[list[str]]:
    for line in lines:
        parts = line.strip().split(":")
        if len(parts) >= least:
            yield parts


def _group(name: str, groups: Iterable[list[str]]) -> int | None:
    """A group by its number or its name."""
    return _number(name) if name.isdecimal() else next((_number(one[2]) for one in groups if one[0] == name), None)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 11 else None
