"""Tars that somebody else wrote: real ones, and those that are made to harm."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ot_doctor.sources.docker.tar_stream import Cut, TarMember, members
from ot_doctor.sources.docker.transport import NotDockers

_MB = 1024 * 1024


def tar(*entries: tuple[str, dict[str, Any], bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as made:
        for name, settings, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in settings.items():
                setattr(info, key, value)
            made.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


FOLDER: tuple[str, dict[str, Any], bytes] = ("top", {"type": tarfile.DIRTYPE, "mode": 0o755, "uid": 1000, "gid": 998}, b"")


def read(data: bytes, *, head: int = 8, most: int = _MB) -> list[TarMember]:
    return list(members(io.BytesIO(data).read, head=head, most=most))


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_folder_with_links_and_long_names(kind: int) -> None:
    long, target = "n" * 180, "../../blobs/" + "b" * 120
    link = {"type": tarfile.SYMTYPE, "linkname": target, "mode": 0o777}
    data = tar(FOLDER, (f"top/{long}", link, b""), ("top/file", {"uid": 3_000_000, "mode": 0o640}, b"0123456789"), kind=kind)
    top, linked, file = read(data)
    assert (top.name, top.mode, top.uid, top.gid) == ("", "drwxr-xr-x", 1000, 998)
    assert (linked.name, linked.link, linked.mode) == (long, target, "lrwxrwxrwx")
    assert (file.name, file.mode, file.uid, file.size, file.head) == ("file", "-rw-r-----", 3_000_000, 10, b"01234567")


def test_what_leads_out_of_it_is_passed_over() -> None:
    odd = ["../up", "/etc/passwd", "top/../../up", "beside", "top/a/../../../b", "topside/x"]
    data = tar(FOLDER, *((name, {}, b"x") for name in odd), ("top/./kept\n\x1b[31m", {}, b"x"))
    assert [member.name for member in read(data)] == ["", "kept\n\x1b[31m"]


def test_a_huge_file_is_not_read() -> None:
    taken = 0
    data = tar(FOLDER, ("top/huge", {}, b"x" * 100))
    data = data.replace(b"00000000144\0", b"77777777777\0")  # 8 GiB
    at = data.index(b"top/huge")
    block = bytearray(data[at : at + 512])
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    data = data[:at] + bytes(block) + data[at + 512 :]

    def endless(size: int) -> bytes:
        nonlocal taken
        taken += size
        return data[taken - size : taken] if taken <= len(data) else b"x" * size

    found = []
    with pytest.raises(Cut):
        found += [member for member in members(endless, head=4, most=_MB)]
    assert taken <= _MB


def _header(**fields: bytes) -> bytes:
    """A header with any bytes in its fields, and the right sum."""
    at = {"name": (0, 100), "size": (124, 12), "type": (156, 1), "link": (157, 100)}
    block = bytearray(tarfile.TarInfo("top").tobuf())
    for name, value in fields.items():
        start, length = at[name]
        block[start : start + length] = value.ljust(length, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x" * 512, b"no tar", _header()[:-1],
        _header(size=b"\xff" * 12),  # less than nothing
        _header(size=b"\x80" + b"\xff" * 11),  # 2 to the power of 88
        _header(type=b"x", size=b"77777777777"),
        _header(type=b"x", size=b"00000000010") + b"9 path=a" + bytes(504),
        _header(type=b"x", size=b"00000000010") + b"0 path=a" + bytes(504),
        _header(type=b"x", size=b"00000000010") + b"x path=a" + bytes(504),
        _header(type=b"L", size=b"77777777777"),
        _header(size=b"00000001000") + b"short",
    ],
)  # fmt: skip
def test_what_is_no_tar_is_told_from_one(data: bytes) -> None:
    with pytest.raises((NotDockers, Cut)):
        list(members(io.BytesIO(data).read, head=8, most=_MB))


def test_headers_without_end_are_given_up() -> None:
    block = _header(type=b"5", size=b"0")
    began = time.process_time()
    with pytest.raises(Cut):
        for _ in members(lambda size: block[:size], head=0, most=1 << 40):
            pass
    assert time.process_time() - began < 5
    extra = _header(type=b"g", size=b"0")
    with pytest.raises(Cut):
        list(members(lambda size: extra[:size], head=0, most=_MB))


def _sabotaged(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :] if data else data


@given(st.integers(0, 4000), st.integers(0, 255), st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_a_damaged_byte_ends_in_no_other_error(at: int, value: int, kind: int) -> None:
    data = tar(FOLDER, ("top/" + "n" * 150, {}, b"0123"), ("top/b", {"type": tarfile.SYMTYPE, "linkname": "x"}, b""), kind=kind)
    reading: Callable[[int], bytes] = io.BytesIO(_sabotaged(data, at % len(data), value)).read
    try:
        for member in members(reading, head=8, most=_MB):
            assert ".." not in member.name.split("/") and not member.name.startswith("/")
    except (NotDockers, Cut):
        pass
