"""Logs as blocks of whole lines: from files of all kinds, and from the engine's socket."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ot_doctor.evidence import Engine
from ot_doctor.sources.docker.log_stream import LogProblem, container_lines, file_lines, moment, stamp_of, whole_lines

STAMP = b"2026-11-21T01:37:28.804123456Z "


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def test_blocks_are_cut_at_line_ends() -> None:
    blocks = [b"a\nb", b"c", b"\nd\ne", b"f"]
    assert list(whole_lines(iter(blocks))) == [b"a\n", b"bc\nd\n", b"ef"]


def test_a_line_without_an_end_does_not_grow_for_ever() -> None:
    pieces = list(whole_lines(iter([b"x" * (1 << 20)] * 20)))
    assert max(map(len, pieces)) <= (9 << 20)
    assert sum(piece.count(b"x") for piece in pieces) == 20 << 20


def test_a_file_that_grows_ends_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    reading = file_lines(str(path), soon())
    with path.open("ab") as file:
        file.write(b"three\n")
    first = next(reading)
    assert first in (b"one\ntwo\n", b"one\ntwo\nthree\n")
    assert list(reading) == []


def test_a_file_of_powershell_is_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes("first\r\nzwö\r\n".encode("utf-16"))
    assert b"".join(file_lines(str(path), soon())) == "first\r\nzwö\r\n".encode()


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert list(file_lines(str(tmp_path / "log"), soon())) == []


@pytest.mark.parametrize(
    "name, says", [("", "is a folder"), ("missing", "cannot be read: No such file"), ("a\0b", "is no file name")]
)
def test_what_is_no_log_is_said_so(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(LogProblem, match=says):
        list(file_lines(str(tmp_path / name), soon()))


def test_a_pipe_that_says_nothing_has_a_deadline(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, b"one\n")
    begun = time.monotonic()
    with pytest.raises(LogProblem, match="--timeout"):
        list(file_lines(str(pipe), soon(0.3)))
    assert time.monotonic() - begun < 2
    os.close(writer)


def test_a_pipe_that_nobody_writes_to_has_a_deadline(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    begun = time.monotonic()
    with pytest.raises(LogProblem, match="--timeout"):
        list(file_lines(str(tmp_path / "pipe"), soon(0.3)))
    assert time.monotonic() - begun < 2


def test_a_pipe_gives_little_at_a_time(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb") as file:
            for number in range(200):
                file.write(b"%d\n" % number)
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    assert b"".join(file_lines(str(pipe), soon())) == b"".join(b"%d\n" % number for number in range(200))
    writer.join()


def test_what_never_ends_has_a_deadline() -> None:
    size = 0
    with pytest.raises(LogProblem, match=r"/dev/zero was not read to its end .* --timeout"):
        for block in file_lines("/dev/zero", soon(0.3)):
            size = max(size, len(block))
    assert 0 < size <= (9 << 20)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_log_is_said_to_be_one(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "log").write_bytes(pack(b"[2026-11-21 01:37:28,804: INFO/MainProcess] x\n" * 100))
    with pytest.raises(LogProblem, match="is compressed: unpack it first"):
        list(file_lines(str(tmp_path / "log"), soon()))


def frame(text: bytes, stream: int = 2) -> bytes:
    return struct.pack(">BxxxL", stream, len(text)) + text


class OneAnswer:
    """A socket that gives every request the same bytes, in small pieces or never."""

    def __init__(self, folder: Path, answer: bytes, *, piece: int = 1 << 16, hangs: bool = False) -> None:
        self.path = folder / "s"
        self._answer, self._piece, self._hangs = answer, piece, hangs
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def engine(self) -> Engine:
        return Engine(f"unix://{self.path}", "the test")

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, contextlib.suppress(BrokenPipeError):
            connection.recv(4096)
            for at in range(0, len(self._answer), self._piece):
                connection.sendall(self._answer[at : at + self._piece])
            if self._hangs:
                time.sleep(5)


OK = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("s")


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_frames_are_taken_off_wherever_they_are_cut(folder: Path, piece: int) -> None:
    newline_in_the_header = STAMP + b"x" * (266 - len(STAMP) - 1) + b"\n"
    answer = OK + frame(STAMP + b"one\n") + frame(newline_in_the_header) + frame(STAMP + b"two\n", 1)
    lines = b"".join(container_lines(OneAnswer(folder, answer, piece=piece).engine, "c", 10, soon()))
    assert lines == STAMP + b"one\n" + newline_in_the_header + STAMP + b"two\n"


def test_a_long_line_comes_in_several_frames(folder: Path) -> None:
    answer = OK + frame(STAMP + b"begin") + frame(STAMP + b" middle") + frame(STAMP + b" end\n") + frame(STAMP + b"next\n")
    assert b"".join(container_lines(OneAnswer(folder, answer).engine, "c", 10, soon())) == (
        STAMP + b"begin middle end\n" + STAMP + b"next\n"
    )


def test_a_container_with_a_terminal_has_no_frames(folder: Path) -> None:
    answer = OK + STAMP + b"one\r\n" + STAMP + b"two\r\n"
    assert b"".join(container_lines(OneAnswer(folder, answer).engine, "c", 10, soon())) == answer[len(OK) :]


@pytest.mark.parametrize("answer, says", [
    (b'HTTP/1.0 501 x\r\n\r\n{"message":"configured logging driver does not support reading"}', "does not support reading"),
    (OK + frame(b"Error grabbing logs: unexpected EOF\n", 3), "unexpected EOF"),
    (b"", "no HTTP"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the engine refused"),
])  # fmt: skip
def test_what_the_engine_refuses_is_said(folder: Path, answer: bytes, says: str) -> None:
    with pytest.raises(LogProblem, match=says):
        list(container_lines(OneAnswer(folder, answer).engine, "c", 10, soon()))


def test_no_lines_at_all(folder: Path) -> None:
    assert list(container_lines(OneAnswer(folder, OK).engine, "c", 10, soon())) == []


def test_an_engine_that_stops_in_the_middle_has_a_deadline(folder: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(LogProblem, match="--timeout"):
        list(container_lines(OneAnswer(folder, OK + frame(STAMP + b"one\n"), hangs=True).engine, "c", 10, soon(0.4)))
    assert time.monotonic() - begun < 2


class Dribbles:
    """A socket that sends a line now and then, without end; or half of a frame, or of HTTP's head."""

    def __init__(self, folder: Path, first: bytes, again: bytes) -> None:
        self.path = folder / "s"
        self._first, self._again = first, again
        self._stop = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Engine:
        return Engine(f"unix://{self.path}", "the test")

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._listening.close()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(self._first)
            while not self._stop.wait(0.05):
                connection.sendall(self._again)


@pytest.mark.parametrize("again", [STAMP + b"hello\n", frame(STAMP + b"hello\n")], ids=["plain", "framed"])
def test_an_engine_that_dribbles_has_a_deadline_and_what_came_is_used(folder: Path, again: bytes) -> None:
    got = b""
    begun = time.monotonic()
    with Dribbles(folder, OK + again, again) as engine, pytest.raises(LogProblem, match="--timeout"):
        for block in container_lines(engine, "c", 100, soon(1.0)):
            got += block
    assert time.monotonic() - begun < 2
    assert got.count(STAMP + b"hello\n") >= 5


@pytest.mark.parametrize(
    "first, again",
    [(b"HTTP/1.0 200 OK\r\n", b"x"), (OK + frame(b"x" * 9_000_000)[:100], b"x"), (b"HTTP/1.0 500 x\r\n\r\n", b"x")],
)
def test_an_engine_that_dribbles_nothing_whole_has_a_deadline(folder: Path, first: bytes, again: bytes) -> None:
    begun = time.monotonic()
    with Dribbles(folder, first, again) as engine, pytest.raises(LogProblem):
        list(container_lines(engine, "c", 100, soon(1.0)))
    assert time.monotonic() - begun < 2


def test_a_frame_of_four_gigabytes_is_not_waited_for(folder: Path) -> None:
    answer = OK + frame(STAMP + b"one\n") + struct.pack(">BxxxL", 1, 0xFFFFFFF0) + b"x" * 1000
    with pytest.raises(LogProblem, match="cut in no way that is known"):
        list(container_lines(OneAnswer(folder, answer).engine, "c", 10, soon()))


# -- time stamps ---------------------------------------------------------------------------------

STAMPS = [
    (b"2026-11-21T01:37:28.804123456Z", 1795225048804123456),
    (b"2026-11-21T01:37:28Z", 1795225048000000000),
    (b"2026-11-21T02:37:28+01:00", 1795225048000000000),
    (b"2026-11-21T02:37:28.8+01:00", 1795225048800000000),
    (b"2026-11-21T01:37:28.804123456789Z", 1795225048804123456),
]


@pytest.mark.parametrize("stamp, nanoseconds", STAMPS)
def test_stamps_of_docker_and_podman(stamp: bytes, nanoseconds: int) -> None:
    assert moment(stamp + b" [2026-11-21 01:37:28,804: INFO/MainProcess] x") == nanoseconds
    assert stamp_of(stamp + b" x") == stamp


@pytest.mark.parametrize(
    "line",
    [b"", b"Z", b"2026-11-21", b"2026-13-45T01:37:28Z x", b"9999-99-99T99:99:99+99:99 x", b"2026-11-21T01:37:28Zx", b"\xff\0"],
)
def test_what_is_no_stamp_is_a_problem_of_the_log(folder: Path, line: bytes) -> None:
    assert stamp_of(line) == b"" and moment(line) is None
    with pytest.raises(LogProblem, match="time stamps"):
        list(container_lines(Engine(f"unix://{folder}/none", "the test"), "c", 10, soon(), before=line or b"x"))


@pytest.mark.parametrize("stamp", [stamp for stamp, _ in STAMPS])
def test_a_long_line_loses_the_stamps_in_its_middle_of_any_length(folder: Path, stamp: bytes) -> None:
    answer = OK + frame(stamp + b" begin") + frame(stamp + b"  middle") + frame(stamp + b" \n") + frame(stamp + b" next\n")
    lines = b"".join(container_lines(OneAnswer(folder, answer).engine, "c", 10, soon()))
    assert lines == stamp + b" begin middle\n" + stamp + b" next\n"


def test_no_engine_there(folder: Path) -> None:
    with pytest.raises(LogProblem, match="broke off"):
        list(container_lines(Engine(f"unix://{folder}/none", "the test"), "c", 10, soon()))


def test_who_has_seen_enough_goes_and_leaves_no_thread(folder: Path) -> None:
    before = threading.active_count()
    answer = OK + b"".join(frame(STAMP + b"x" * 200 + b"\n") for _ in range(40_000))
    reading = container_lines(OneAnswer(folder, answer).engine, "c", 10, soon())
    assert next(reading).startswith(STAMP)
    reading.close()  # type: ignore[attr-defined]
    time.sleep(0.2)
    assert threading.active_count() <= before + 1  # the server's own, which may still be sending
