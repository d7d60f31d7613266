"""Archives from a stranger: each is read whole or refused in a sentence, and nothing of it reaches the disk."""

from __future__ import annotations

import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from ot_doctor.bundle import Refused, archive
from ot_doctor.bundle.archive import ENDINGS, LARGEST_FILE, LARGEST_MEMBER, MOST_MEMBERS, pack, unpack
from tests.bundle.recordings import CREATED

MEMBERS = {
    "top/README": b"Hello\n", "top/evidence/host.json": b"{}", "top/empty": b"", "top/block": bytes(512), "top/z": b"z" * 70_000,
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_packed_is_unpacked(ending: str) -> None:
    assert unpack(pack(MEMBERS, ending, CREATED)) == MEMBERS


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_members_make_the_same_bytes(ending: str) -> None:
    assert pack(MEMBERS, ending, CREATED) == pack(dict(MEMBERS), ending, CREATED)


def test_other_programs_can_read_it_and_only_its_owner_may() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(MEMBERS, ".zip", CREATED))) as zipped:
        assert zipped.testzip() is None and zipped.namelist() == list(MEMBERS)
        assert {info.external_attr >> 16 for info in zipped.infolist()} == {stat.S_IFREG | 0o600}
        assert zipped.infolist()[0].date_time == (2026, 11, 21, 6, 30, 12)
    with tarfile.open(fileobj=io.BytesIO(pack(MEMBERS, ".tgz", CREATED)), mode="r:gz") as tarred:
        assert tarred.getnames() == list(MEMBERS)
        assert {(info.mode, info.uid, info.uname, info.mtime) for info in tarred} == {(0o600, 0, "", CREATED.timestamp())}


def zipped(*entries: tuple[Any, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as made:
        for entry, data in entries:
            made.writestr(entry, data)
    return buffer.getvalue()


def tarred(*entries: tuple[Any, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=format) as made:
        for entry, data in entries:
            info = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def of_kind(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


NAMES = [
    "../evil", "top/../../evil", "/etc/passwd", "top//x", "top/./x", "top/..", "..", "C:/x", "top\\..\\x", "top/a/b/c",
    "top/\u202ex", "top/x\n", "x" * 101, "~/x", ".ssh/x", "top/.x", "top/a b",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_no_bundle_has_are_refused(make: Callable[..., bytes], name: str) -> None:
    data = tarred((name, b"x"), format=tarfile.GNU_FORMAT) if make is tarred else make((name, b"x"))
    with pytest.raises(Refused, match=r"a name that no bundle has|not a plain file"):
        unpack(data)


def test_a_name_with_an_end_within_it_is_refused() -> None:
    with pytest.raises(Refused, match="a name that no bundle has"):
        unpack(zipped(("top/READMEQ.exe", b"x")).replace(b"READMEQ", b"README\0"))
    with pytest.raises(Refused, match="a name that no bundle has"):
        unpack(tarred(("", b"x")))


@pytest.mark.parametrize(
    "data",
    [
        tarred((of_kind("top/link", tarfile.SYMTYPE, "/etc/passwd"), b"")),
        tarred((of_kind("top/link", tarfile.LNKTYPE, "top/README"), b"")),
        tarred((of_kind("top/device", tarfile.CHRTYPE), b"")),
        tarred((of_kind("top/device", tarfile.BLKTYPE), b"")),
        tarred((of_kind("top/pipe", tarfile.FIFOTYPE), b"")),
        tarred((of_kind("top/sparse", tarfile.GNUTYPE_SPARSE), b"")),
        tarred((of_kind("top/odd", b"Z"), b"")),
        zipped((zip_entry("top/link", stat.S_IFLNK | 0o777), b"/etc/passwd")),
        zipped((zip_entry("top/device", stat.S_IFCHR | 0o600), b"")),
        zipped((zip_entry("top/pipe", stat.S_IFIFO | 0o600), b"")),
    ],
)
def test_what_is_no_plain_file_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="a link, a device or something else"):
        unpack(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_name_given_twice_is_refused(make: Callable[..., bytes]) -> None:
    with pytest.raises(Refused, match="holds top/README twice"):
        unpack(make(("top/README", b"1"), ("top/README", b"2")))
    with pytest.raises(Refused, match="holds top/README twice"):
        unpack(make(("top/README", b"1"), ("./top/README", b"2")))


BOMB = bytes(LARGEST_MEMBER + 1)


@pytest.mark.parametrize("make", [lambda *e: zipped(*e, compression=zipfile.ZIP_DEFLATED), tarred], ids=["zip", "tar"])
def test_a_giant_member_is_refused(make: Callable[..., bytes]) -> None:
    with pytest.raises(Refused, match="a file of more than 8 MiB"):
        unpack(make(("top/bomb", BOMB)))


def test_a_member_that_is_larger_than_its_header_says_is_no_way_around() -> None:
    data = bytearray(zipped(("top/bomb", BOMB), compression=zipfile.ZIP_DEFLATED))
    directory = data.rindex(b"PK\x01\x02")
    for place in (22, directory + 24):  # the sizes in both headers
        data[place : place + 4] = struct.pack("<I", 10)
    with pytest.raises(Refused):
        unpack(bytes(data))


@pytest.mark.parametrize("make", [lambda *e: zipped(*e, compression=zipfile.ZIP_DEFLATED), tarred], ids=["zip", "tar"])
def test_members_that_are_too_much_together_are_refused(make: Callable[..., bytes]) -> None:
    with pytest.raises(Refused, match="unpacks to more than 32 MiB"):
        unpack(make(*[(f"top/{n}", BOMB[:-1]) for n in range(5)]))


def test_a_bomb_behind_the_end_of_a_tar_is_refused() -> None:
    with pytest.raises(Refused, match="unpacks to more than 32 MiB"):
        unpack(gzip.compress(bytes(200 * 2**20)))


@pytest.mark.parametrize("make", [zipped, tarred])
def test_thousands_of_members_are_refused(make: Callable[..., bytes]) -> None:
    assert len(unpack(make(*[(f"top/{n}", b"") for n in range(MOST_MEMBERS)]))) == MOST_MEMBERS
    with pytest.raises(Refused, match="more than 200 files"):
        unpack(make(*[(f"top/{n}", b"") for n in range(5000)]))


def test_a_tar_of_folders_without_end_is_refused() -> None:
    with pytest.raises(Refused, match="more than 200 files"):
        unpack(tarred(*[(of_kind(f"top{n}", tarfile.DIRTYPE), b"") for n in range(MOST_MEMBERS + 1)]))


def test_an_encrypted_zip_is_refused() -> None:
    data = bytearray(zipped(("top/README", b"secret")))
    for at in (6, data.rindex(b"PK\x01\x02") + 8):
        data[at] |= 1
    with pytest.raises(Refused, match="encrypted: ask for one without a password"):
        unpack(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(method: int) -> None:
    with pytest.raises(Refused, match="compressed in a way that no bundle is"):
        unpack(zipped(("top/README", b"x" * 100), compression=method))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"Hello", "neither a zip nor a tar.gz"),
        (b"\x7fELF" + bytes(1000), "neither a zip nor a tar.gz"),
        (random.Random(4).randbytes(4000), "neither a zip nor a tar.gz"),
        (b"PK", "damaged or cut off"),
        (b"PK\x03\x04" + random.Random(5).randbytes(4000), "damaged or cut off"),
        (b"\x1f\x8b" + random.Random(6).randbytes(4000), "damaged or cut off"),
        (gzip.compress(b"no tar at all" * 100), "damaged or cut off"),
        (gzip.compress(b""), "damaged or cut off"),
        (bytes(LARGEST_FILE + 1), "larger than any bundle"),
    ],
    ids=["empty", "text", "ELF", "random", "PK", "PK+random", "gzip+random", "gzip of text", "gzip of nothing", "huge"],
)  # fmt: skip
def test_what_is_no_archive_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        unpack(data)


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_an_archive_that_was_cut_off_is_refused_wherever_it_was(ending: str) -> None:
    data = pack(MEMBERS, ending, CREATED)
    for end in [*range(2, 200, 7), *range(200, len(data) - 1, 31), len(data) - 1]:
        with pytest.raises(Refused):
            unpack(data[:end])


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_a_damaged_archive_is_read_right_or_refused(ending: str) -> None:
    data = pack(MEMBERS, ending, CREATED)
    chance = random.Random(7)
    refused = 0
    for _ in range(600):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 4, 40))):
            damaged[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = unpack(bytes(damaged))
        except Refused:
            refused += 1
        else:  # what is not covered by a checksum: times, modes; and in a zip the names
            assert ending == ".zip" or found == MEMBERS
            assert set(found.values()) <= set(MEMBERS.values())
    assert refused > 100


def test_a_damaged_tar_within_a_sound_gzip_is_read_or_refused() -> None:
    data = gzip.decompress(pack(MEMBERS, ".tar.gz", CREATED))
    chance = random.Random(8)
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 4, 400))):
            damaged[chance.randrange(6 * 512)] = chance.randrange(256)
        try:
            found = unpack(gzip.compress(damaged, 1))
        except Refused:
            continue
        assert all(archive._NAME.fullmatch(name) for name in found)


def test_negative_and_enormous_sizes_in_a_tar_are_refused() -> None:
    for size in (b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"77777777777\0"):
        header = bytearray(tarfile.TarInfo("top/x").tobuf(tarfile.USTAR_FORMAT))
        header[124:136] = size
        header[148:156] = b" " * 8
        header[148:156] = f"{sum(header):06o}\0 ".encode()
        with pytest.raises(Refused, match=r"more than 8 MiB|damaged"):
            unpack(gzip.compress(bytes(header) + bytes(1024)))


def test_an_archive_in_an_archive_is_a_file_like_any_other() -> None:
    inner = pack(MEMBERS, ".zip", CREATED)
    assert unpack(zipped(("top/inner.zip", inner))) == {"top/inner.zip": inner}


def test_what_was_packed_again_by_a_file_manager_can_be_read() -> None:
    data = zipped(("top/", b""), ("top/README", b"x"), ("__MACOSX/top/._README", b"\0"), ("top/.DS_Store", b"\0"))
    assert unpack(data) == {"top/README": b"x"}
    folder = of_kind("top", tarfile.DIRTYPE)
    assert unpack(tarred((folder, b""), ("./top/README", b"x"), ("./top/._README", b""))) == {"top/README": b"x"}
    long = tarfile.TarInfo("top/README")
    long.pax_headers = {"comment": "x" * 300}
    assert unpack(tarred((long, b"x"), format=tarfile.PAX_FORMAT)) == {"top/README": b"x"}


def test_crafted_deflate_streams_are_refused() -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = stream.compress(bytes(512 * 3)) + stream.flush()
    assert unpack(data) == {}
    with pytest.raises(Refused, match="damaged or cut off"):
        unpack(data[:-4] + b"\0\0\0\0")


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
@pytest.mark.parametrize("year", [1904, 1970, 1979])
def test_a_clock_that_nobody_set_is_no_trouble(year: int, ending: str) -> None:
    moment = datetime(year, 1, 1, tzinfo=timezone.utc)
    assert unpack(pack({"manifest.json": b"{}"}, ending, moment)) == {"manifest.json": b"{}"}
