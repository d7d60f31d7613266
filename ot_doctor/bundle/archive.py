"""The zip or tar.gz around a bundle: made in memory, and taken apart in memory with every limit counted on the way."""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from ot_doctor.bundle import Refused

ENDINGS = (".zip", ".tar.gz", ".tgz")
LARGEST_FILE = 32 * 2**20  # bytes of the archive itself
LARGEST_MEMBER = 8 * 2**20
LARGEST_TOTAL = 32 * 2**20
MOST_MEMBERS = 200
_NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}/){0,2}[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_OF_MACOS = re.compile(r"__MACOSX/.*|(?:.*/)?(?:\._[^/]*|\.DS_Store)")  # what its Finder adds to an archive
_FIRST_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # a clock that nothing set may be earlier
_BLOCK = tarfile.BLOCKSIZE
_ZIP, _GZIP, _AGE = b"PK", b"\x1f\x8b", (b"age-encryption.org/", b"-----BEGIN AGE ")
_FOLLOWED_BY_MORE = (tarfile.XHDTYPE, tarfile.XGLTYPE)  # times and owners of the next member


def pack(members: Mapping[str, bytes], ending: str, moment: datetime) -> bytes:
    """The members as one archive, in their order and with ``moment`` as their time. ``ending`` is one of ``ENDINGS``."""
    return _zipped(members, moment) if ending == ".zip" else _tarred(members, moment)


def _zipped(members: Mapping[str, bytes], moment: datetime) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, max(moment.astimezone(timezone.utc).timetuple()[:6], _FIRST_OF_ZIP))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o600) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _tarred(members: Mapping[str, bytes], moment: datetime) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o600, max(int(moment.timestamp()), 0)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=max(moment.timestamp(), 0))


def unpack(data: bytes) -> dict[str, bytes]:
    """The members of an archive by name. Nothing is written to the disk.

    Raises ``Refused`` for whatever is no plain archive of plain files: damaged or cut off, encrypted, with links, devices, names
    that lead out of it or come twice, too many members or too large ones.
    """
    if len(data) > LARGEST_FILE:
        raise Refused(f"it is larger than any bundle ({LARGEST_FILE // 2**20} MiB)")
    if not data:
        raise Refused("it is empty")
    if data.startswith(_AGE):
        raise Refused("it is encrypted. Decrypt it first: age --decrypt --identity KEY --output REPORT.zip FILE")
    if not data.startswith((_ZIP, _GZIP)):
        raise Refused("it is neither a zip nor a tar.gz file")
    try:
        return _limited(_of_zip(data) if data.startswith(_ZIP) else _of_tar(data))
    except Refused:
        raise
    except Exception as error:  # the libraries raise nearly anything on what is not theirs
        raise Refused(f"it is damaged or cut off ({type(error).__name__})") from error


def _limited(members: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for name, data in members:
        if name in found:
            raise Refused(f"it holds {name} twice")
        total += len(data)
        if total > LARGEST_TOTAL:
            raise Refused(f"it unpacks to more than {LARGEST_TOTAL // 2**20} MiB")
        found[name] = data
    return found


def _of_zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    # Each entry of a zip's directory begins with PK\1\2, and ``zipfile`` makes an object of every one when it opens the archive.
    # A bundle of 9 files has 9 such marks; 32 MiB have room for 700,000 empty names, and marks cost next to nothing to count.
    # Compressed data may hold the mark by chance, once in 4 GiB: too many is refused, and too few is not possible.
    _count(data.count(b"PK\x01\x02"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            _check_kind(stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR))
            if _OF_MACOS.fullmatch(info.orig_filename) or (info.orig_filename.endswith("/") and not info.file_size):
                continue
            if info.flag_bits & 1:
                raise Refused("it is encrypted: ask for one without a password")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Refused("it is compressed in a way that no bundle is")
            with archive.open(info) as member:
                yield _checked_name(info.orig_filename), _sized(member.read(LARGEST_MEMBER + 1))


def _of_tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Block by block, and not with ``tarfile``: what may follow a header there (long names, sparse files) no bundle has."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        count, limit = 0, LARGEST_TOTAL + MOST_MEMBERS * 4 * _BLOCK
        while (block := stream.read(_BLOCK)) != bytes(_BLOCK):
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            _count(count := count + 1)
            if not 0 <= info.size <= LARGEST_MEMBER:
                raise Refused(_TOO_LARGE)
            body = stream.read(-(-info.size // _BLOCK) * _BLOCK)
            if len(body) < info.size:
                raise EOFError
            if (limit := limit - len(body)) < 0:
                raise Refused(f"it unpacks to more than {LARGEST_TOTAL // 2**20} MiB")
            if info.type in (*_FOLLOWED_BY_MORE, tarfile.DIRTYPE) or _OF_MACOS.fullmatch(info.name):
                continue
            _check_kind(info.type in (tarfile.REGTYPE, tarfile.AREGTYPE))
            yield _checked_name(info.name), body[: info.size]
        while rest := stream.read(2**20):  # to the end, so that its checksum is compared
            if (limit := limit - len(rest)) < 0:
                raise Refused(f"it unpacks to more than {LARGEST_TOTAL // 2**20} MiB")


_TOO_LARGE = f"it holds a file of more than {LARGEST_MEMBER // 2**20} MiB"


def _count(members: int) -> None:
    if members > MOST_MEMBERS:
        raise Refused(f"it holds more than {MOST_MEMBERS} files")


def _check_kind(plain: bool) -> None:
    if not plain:
        raise Refused("it holds a link, a device or something else that is not a plain file")


def _sized(data: bytes) -> bytes:
    if len(data) > LARGEST_MEMBER:
        raise Refused(_TOO_LARGE)
    return data


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name.removeprefix("./")):
        raise Refused(f"it holds a file with a name that no bundle has: {name[:80]!a}")
    return name.removeprefix("./")
