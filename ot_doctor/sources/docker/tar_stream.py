"""The headers of a tar that somebody else wrote, as they come in: nothing is unpacked, and little is kept."""

from __future__ import annotations

import posixpath
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ot_doctor.sources.docker.transport import NotDockers

_BLOCK = 512
_PIECE = 64 * 1024
_LONGEST_EXTRA = 64 * 1024  # bytes of a long name, or of the records of one member
_MOST_MEMBERS = 20_000
_LONGEST_PATH = 4096  # characters
_KINDS = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.AREGTYPE: stat.S_IFREG,
    tarfile.CONTTYPE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
_EXTRAS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class Cut(Exception):
    """The bound was reached before the end."""


@dataclass(frozen=True)
class TarMember:
    """One file, folder or link."""

    name: str  # below the path that was asked for: "main", "a/b"; empty for that path itself
    mode: str  # "drwxr-xr-x"
    uid: int
    gid: int
    size: int  # bytes
    modified: float  # seconds since 1970
    link: str = ""  # the target of a symbolic link, as it is written
    head: bytes = b""  # the first bytes of a file, as many as were asked for
    kind: int = 0  # of ``stat``: S_IFREG, …; 0: another name of a file that came before


def members(read: Callable[[int], bytes], *, head: int, most: int) -> Iterator[TarMember]:
    """What a tar has in it, in its order; what leads out of it is passed over.

    Raises ``Cut`` before more than ``most`` bytes are read, ``NotDockers`` for what is no tar.
    """
    source = _Source(read, most)
    top: str | None = None
    extra: dict[str, str] = {}
    for _ in range(_MOST_MEMBERS):
        block = source.take(_BLOCK)
        if not block.strip(b"\0"):
            return
        info = _header(block)
        if info.type in _EXTRAS:
            extra |= _extra(info, source)
            continue
        name, link, size, uid, gid = _told(info, extra)
        extra = {}
        kind = _KINDS.get(info.type, 0)
        regular = stat.S_ISREG(kind)
        beginning = source.take(min(size, head)) if regular else b""
        clean = _clean(name)
        if top is None:
            top, clean = clean or "", ""
        elif clean is not None:
            clean = _below(clean, top)
        if clean is not None:
            mode = stat.filemode(kind | (info.mode & 0o7777)) if kind else "?"
            target = link if stat.S_ISLNK(kind) else ""
            yield TarMember(clean, mode, uid, gid, size if regular else 0, float(info.mtime), target, beginning, kind)
        if regular:
            source.skip(size - len(beginning) + -size % _BLOCK)
    raise Cut


class _Source:
    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        self._read = read
        self._left = most

    def take(self, size: int) -> bytes:
        if size > self._left:
            raise Cut
        self._left -= size
        data = self._read(size) if size else b""
        if len(data) != size:
            raise NotDockers("its tar breaks off")
        return data

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.take(min(size, _PIECE)))


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        raise NotDockers("it is not a tar") from None
    if info.size < 0:
        raise NotDockers("its tar has a file of less than nothing")
    return info


def _extra(info: tarfile.TarInfo, source: _Source) -> Mapping[str, str]:
    """What belongs to the next member: its long name, or its records."""
    if info.size > _LONGEST_EXTRA:
        raise NotDockers("its tar has a name that is too long")
    data = source.take(info.size)
    source.skip(-info.size % _BLOCK)
    if info.type == tarfile.XGLTYPE:
        return {}
    if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        key = "path" if info.type == tarfile.GNUTYPE_LONGNAME else "linkpath"
        return {key: _text(data.rstrip(b"\0"))}
    return dict(_records(data))


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """``27 path=a/very/long/name\\n``, one after the other."""
    at = 0
    while at < len(data):
        digits, blank, _ = data[at : at + 12].partition(b" ")
        if not blank or not digits.isdigit() or not 0 < int(digits) <= len(data) - at:
            raise NotDockers("its tar has a record that cannot be read")
        key, _, value = data[at + len(digits) + 1 : at + int(digits)].removesuffix(b"\n").partition(b"=")
        yield _text(key), _text(value)
        at += int(digits)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _told(info: tarfile.TarInfo, extra: Mapping[str, str]) -> tuple[str, str, int, int, int]:
    def number(key: str, otherwise: int) -> int:
        value = extra.get(key, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else otherwise

    size, uid, gid = (number(key, otherwise) for key, otherwise in (("size", info.size), ("uid", info.uid), ("gid", info.gid)))
    return extra.get("path", info.name), extra.get("linkpath", info.linkname), size, uid, gid


def _clean(name: str) -> str | None:
    """A name within the tar; ``None`` for one that leads out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name or len(name) > _LONGEST_PATH:
        return None
    return "/".join(parts)


def _below(name: str, top: str) -> str | None:
    if not top:
        return name or None
    return posixpath.relpath(name, top) if name.startswith(f"{top}/") else None
