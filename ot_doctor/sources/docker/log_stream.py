"""Reads logs as blocks of whole lines: files, standard input, and a container's log straight from the engine's socket.

The Docker SDK's own stream needs twice the time: the engine frames every line, and the SDK takes one frame at a time.
HTTP/1.0 keeps the chunked encoding away, large reads and a tight loop do the rest.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import json
import os
import queue
import re
import select
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from ot_doctor.core.deadline import start
from ot_doctor.core.printable import clipped, printable
from ot_doctor.core.receipt import note, note_call
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Engine
from ot_doctor.sources.docker.refusals import FORBIDDEN, refused_path

BLOCK = 1 << 20
_PIPE = 1 << 20  # bytes that a pipe is asked to hold: the writer need not wait for each piece to be taken
_CHUNK = 1 << 19  # of a container's log
_CHUNKS_AHEAD = 4
_LONGEST_LINE = 8 << 20  # what has no line end for so long is cut into pieces
_LONGEST_STAMP = 50  # bytes
_LONGEST_FRAME = 16 << 20  # engines send 16 KiB at most
# Docker's stamp has nine digits of a second and Z, Podman's any number and a zone.
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,18}))?(Z|[+-]\d\d:\d\d)(?= |$)")
_HEADER = struct.Struct(">BxxxL")
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0")  # gzip, zstd, bzip2, xz
_GULP, _NAP = 1 << 15, 0.0003  # the engine writes line by line: to let it, instead of waking for each, doubles the speed
_NO_STAMP = "the engine's time stamps cannot be understood"
_LATE = "the engine did not send the log in the time given; --timeout allows more"
_GRACE = 0.3  # seconds
_ENGINE_ERROR = 3  # the stream number of an error of the engine's own


class LogProblem(Exception):
    """A log that cannot be read (any further); the text is one sentence for the user."""


def whole_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut at line ends; at the very end a line may lack its own."""
    rest = b""
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            if len(rest) >= _LONGEST_LINE:
                yield rest + b"\n"
                rest = b""
            continue
        yield rest + block[:end]
        rest = block[end:]
    if rest:
        yield rest


# -- files ---------------------------------------------------------------------------------------


def file_lines(name: str, until: float) -> Iterator[bytes]:
    """The lines of a file, or of standard input for ``-``. Raises ``LogProblem``."""
    if name == "-":
        if sys.stdin is None:  # closed; its number may be another file's by now
            raise LogProblem("standard input is closed")
        yield from whole_lines(_blocks(sys.stdin.fileno(), until, "standard input", limit=None))
        return
    path = Path(name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise LogProblem(f"{path} is a folder, not a log: name the file in it")
        limit = path.stat().st_size if stat.S_ISREG(mode) else None  # a log that grows meanwhile has an end all the same
        note("files", str(path))
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            yield from whole_lines(_blocks(file.fileno(), until, str(path), limit=limit))
    except OSError as error:
        raise LogProblem(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the name
        raise LogProblem(f"{printable(name)!r} is no file name: {error}") from error


def _open_at_once(path: str, flags: int) -> int:
    """Without waiting for a named pipe's writer: the deadline counts for that too."""
    return os.open(path, flags | os.O_NONBLOCK)


def _blocks(descriptor: int, until: float, name: str, *, limit: int | None) -> Iterator[bytes]:
    decoder = None
    first = True
    left = limit
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # no pipe, or more than the system allows
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)
    while left is None or left > 0:
        block = _read_block(descriptor, until, name, left)
        if not block:
            break
        left = left - len(block) if left is not None else None
        if first and block[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # what PowerShell's '>' writes
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
        if first and block.startswith(_COMPRESSED):
            raise LogProblem(f"{name} is compressed: unpack it first, for example with: zcat FILE | ot-doctor --logs -")
        first = False
        yield decoder.decode(block).encode("utf-8", "replace") if decoder else block


def _read_block(descriptor: int, until: float, name: str, left: int | None) -> bytes:
    """The next bytes; of a pipe, which gives little at a time, as many as make a block. Nothing at its end."""
    parts: list[bytes] = []
    size = 0
    while size < BLOCK // 2:
        wait = until - time.monotonic()
        if wait <= 0 or (left is None and not select.select([descriptor], [], [], wait)[0]):
            if parts:
                break  # what came counts; the next call says that time is up
            raise LogProblem(f"{name} was not read to its end in the time given; --timeout allows more")
        part = os.read(descriptor, BLOCK if left is None else min(BLOCK, left))
        if not part:
            break
        if left is not None:
            return part
        parts.append(part)
        size += len(part)
    return b"".join(parts)


# -- the engine ----------------------------------------------------------------------------------


def container_lines(
    engine: Engine, container: str, tail: int | None, until: float, *, before: bytes = b""
) -> Iterator[bytes]:
    """A container's last ``tail`` lines (``None``: all), each with the engine's time stamp. Raises ``LogProblem``.

    With ``before``, one of those stamps, only the lines that are older, and without their stamps, which cost the engine a fifth
    of the time. For an engine at a Unix socket, or at a TCP port without TLS.
    """
    more = f"until={_just_before(before)}" if before else "timestamps=1"
    query = f"stdout=1&stderr=1&{more}&tail={'all' if tail is None else tail}"
    request = f"GET /containers/{container}/logs?{query} HTTP/1.0\r\nHost: docker\r\n\r\n"
    try:
        with _connect(engine.endpoint, until) as connection:
            note_call("GET", f"/containers/{container}/logs")
            connection.sendall(request.encode())
            yield from whole_lines(_body(connection, until, stamped=not before))
    except TimeoutError as error:
        raise LogProblem(_LATE) from error
    except OSError as error:
        raise LogProblem(f"the engine broke off while sending the log: {error.strerror or error}") from error


def stamp_of(line: bytes) -> bytes:
    """The engine's time stamp that a line begins with; empty where it has none."""
    found = _STAMP.match(line)
    return found[0] if found and moment(found[0]) is not None else b""


def moment(stamp: bytes) -> int | None:
    """Nanoseconds since 1970 of the stamp that a line begins with; ``None`` where it is no point in time."""
    found = _STAMP.match(stamp)
    if found is None:
        return None
    zone = "+00:00" if found[3] == b"Z" else found[3].decode("ascii")
    try:
        seconds = int(datetime.fromisoformat(f"{found[1].decode('ascii')}{zone}").timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds * 10**9 + int((found[2] or b"0")[:9].ljust(9, b"0"))


def _just_before(stamp: bytes) -> str:
    """A nanosecond before a stamp of the engine, as it takes points in time: seconds and nanoseconds since 1970."""
    at = moment(stamp)
    if at is None:
        raise LogProblem(_NO_STAMP)
    return f"{(at - 1) // 10**9}.{(at - 1) % 10**9:09d}"


def _connect(endpoint: str, until: float) -> socket.socket:
    parts = urlsplit(endpoint)
    wait = max(0.01, until - time.monotonic())
    if "unix" in parts.scheme:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(wait)
        connection.connect(parts.path)
        return connection
    return socket.create_connection((parts.hostname or "localhost", parts.port or 2375), timeout=wait)


def _body(connection: socket.socket, until: float, *, stamped: bool) -> Iterator[bytes]:
    """The log's text, without HTTP's head and without the frames. ``stamped``: the engine's time stands before each entry."""
    received = _ahead(_received(connection, until), lambda: connection.shutdown(socket.SHUT_RDWR), until)
    start = b""
    while b"\r\n\r\n" not in start:
        more = next(received, b"")
        if not more or len(start) > _CHUNK:
            raise LogProblem("the engine's answer to a request for the log is no HTTP")
        start += more
    head, _, rest = start.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        for more in received:
            rest += more
            if len(rest) > _CHUNK:
                break
        refused = status == [str(FORBIDDEN).encode()]
        raise LogProblem(refused_path("/containers/ID/logs").reason if refused else _message(rest))
    if len(rest) < 8:
        rest += next(received, b"")
    framed = _HEADER.size <= len(rest) and rest[1:4] == b"\0\0\0"
    yield from _unframed(rest, received, stamped) if framed else _joined(rest, received)


def _received(connection: socket.socket, until: float) -> Iterator[bytes]:
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    while True:
        filled = 0
        count = None
        while filled < _CHUNK // 2:  # a socket gives little at a time, and large blocks are searched faster
            wait = until - time.monotonic()
            try:
                if wait <= 0:
                    raise TimeoutError
                connection.settimeout(wait)
                count = connection.recv_into(view[filled:])
            except TimeoutError:
                if not filled:
                    raise
                break  # what came counts; the next turn says that time is up
            if not count:
                break
            filled += count
            if count < _GULP:
                time.sleep(_NAP)
        if filled:
            yield bytes(view[:filled])
        if count == 0:
            return


def _ahead(chunks: Iterator[bytes], interrupt: Callable[[], None], until: float) -> Iterator[bytes]:
    """The same chunks, read by a thread: the engine would stand still while a chunk is searched.

    Raises ``TimeoutError`` when nothing has come for a while after ``until``, by when the thread should have said so itself.
    """
    ready: queue.Queue[bytes | Exception | None] = queue.Queue(maxsize=_CHUNKS_AHEAD)
    stopped = threading.Event()

    def put(item: bytes | Exception | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def read() -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if stopped.is_set():
                    return
        except Exception as error:  # a daemon thread's error would end on the terminal
            put(error)
        put(None)

    thread = threading.Thread(target=read, daemon=True)
    start(thread)
    try:
        while True:
            item = ready.get(timeout=max(0.0, until - time.monotonic()) + _GRACE)
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
    except queue.Empty:
        raise TimeoutError from None
    finally:
        stopped.set()
        with contextlib.suppress(OSError):
            interrupt()
        thread.join(1.0)  # before the descriptor is closed, and its number is somebody else's


def _message(body: bytes) -> str:
    try:
        text = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        text = body.decode("utf-8", "replace")
    return clipped(printable(text.strip()), 500) or "the engine refused to show the log"


def _joined(first: bytes, received: Iterator[bytes]) -> Iterator[bytes]:
    """A container with a terminal: no frames."""
    yield first
    yield from received


def _unframed(first: bytes, received: Iterator[bytes], stamped: bool) -> Iterator[bytes]:
    """Takes the frames off. A long line comes in several, each with a stamp of its own."""
    buffer = first
    continues = False
    unpack = _HEADER.unpack_from
    while True:
        parts: list[bytes] = []
        at, end = 0, len(buffer)
        while at + 8 <= end:
            stream, size = unpack(buffer, at)
            stop = at + 8 + size
            if stop > end:
                if size > _LONGEST_FRAME:
                    yield b"".join(parts)
                    raise LogProblem("the engine's answer to a request for the log is cut in no way that is known")
                break
            if stream == _ENGINE_ERROR:
                yield b"".join(parts)
                raise LogProblem(_message(buffer[at + 8 : stop]))
            text = at + 8
            if continues and stamped:
                text += _stamp_length(buffer[text : min(stop, text + _LONGEST_STAMP)])
            parts.append(buffer[text:stop])
            continues = buffer[stop - 1] != 10
            at = stop
        if parts:
            yield b"".join(parts)
        more = next(received, None)
        if more is None:
            return
        buffer = buffer[at:] + more


def _stamp_length(text: bytes) -> int:
    """Of the stamp and the blank behind it."""
    found = _STAMP.match(text)
    return min(found.end() + 1, len(text)) if found else 0


def sdk_lines(engine: Engine, container: str, tail: int | None, request: Request, until: float) -> Iterator[bytes]:
    """The same through the Docker SDK, which can do TLS and SSH. Raises ``LogProblem``."""
    from ot_doctor.sources.docker.engine import asking, reconnect

    try:
        client = reconnect(engine, request)
        with contextlib.closing(client), asking(client, engine, request):
            stream = client.api.logs(container, stream=True, follow=False, timestamps=True, tail="all" if tail is None else tail)
            yield from whole_lines(_in_time(_ahead(stream, client.close, until), until))
    except TimeoutError as error:
        raise LogProblem(_LATE) from error
    except Unavailable as error:
        raise LogProblem(error.reason) from error


def _in_time(stream: Iterable[bytes], until: float) -> Iterator[bytes]:
    for piece in stream:
        if time.monotonic() > until:
            raise LogProblem(_LATE)
        yield piece
