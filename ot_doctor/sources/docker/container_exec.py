"""Running a small POSIX shell script, or a talk over standard input, in a worker's container, as the container's own user."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ot_doctor.core.deadline import start, within
from ot_doctor.core.receipt import note
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.transport import LARGEST_ANSWER, NotDockers, text_of

if TYPE_CHECKING:
    from docker import DockerClient

_LONGEST = 10.0  # seconds; what is asked takes a tenth of one
_CONFLICT = 409  # the engine's answer for a container that does not run
_GRACE, _LOOK_AGAIN = 0.5, 0.05  # seconds: beside a deadline, and between two looks at whether it is enough


class Unresponsive(Unavailable):
    """It did not answer in time: what it looked at may hang, and would hang for anybody else."""


def run_in(request: Request, worker: Worker, script: str, arguments: Sequence[str]) -> bytes:
    """What ``script`` prints; its arguments reach it as ``$1``, ``$2``, … and are never read as code.

    Raises ``Unavailable`` when nothing may be run there, and when it is not running; ``Unresponsive`` when no answer comes.
    """
    if request.no_exec:
        raise Unavailable("Commands inside containers are off (--no-exec).", switched_off=True)
    if not worker.running:
        raise Unavailable(f"{worker.name} is not running.")
    note("commands", f"sh with a fixed script in {worker.name}")
    deadline = min(_LONGEST, request.remaining() / 2)
    try:
        until = time.monotonic() + deadline + _GRACE  # later, so that the container is named and not the engine
        return within(deadline, lambda: _run(request, worker, ["sh", "-c", script, "ot-doctor", *arguments], until))
    except TimeoutError:
        raise Unresponsive(f"{worker.name} did not answer within {deadline:.1f} s.") from None


def _run(request: Request, worker: Worker, command: list[str], until: float) -> bytes:
    from docker.errors import NotFound

    client = reconnect(worker.engine, request)
    try:
        with asking(client, worker.engine, request):
            created = client.api.exec_create(worker.id, command, stderr=False)
            return b"".join(_printed(client, text_of(created, "Id"), worker, b"", until))
    except NotFound:
        raise Unavailable(f"{worker.name} no longer exists.") from None
    finally:
        client.close()


def talk_in(
    request: Request, worker: Worker, command: list[str], data: bytes, seconds: float, enough: Callable[[bytes], bool]
) -> tuple[bytes, int]:
    """What ``command`` prints when it is given ``data`` on its standard input, and its exit code (-1: not known).

    The input is not closed behind the data, which TLS and SSH cannot do: the command must know its length. What was printed so
    far is returned when ``enough`` says that it is; the command must end by itself. Raises ``Unavailable`` like ``run_in``.
    """
    if request.no_exec:
        raise Unavailable("Commands inside containers are off (--no-exec).", switched_off=True)
    if not worker.running:
        raise Unavailable(f"{worker.name} is not running.", switched_off=True)
    note("commands", f"the probe in {worker.name}")
    output, codes, errors = bytearray(), list[int](), list[Exception]()
    until = time.monotonic() + seconds

    def talk() -> None:
        try:
            codes.append(_talk(request, worker, command, data, until, output))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=talk, name="probe", daemon=True)
    start(thread)
    stopped = False
    while thread.is_alive() and not stopped and time.monotonic() < until + _GRACE:
        thread.join(_LOOK_AGAIN)
        stopped = enough(bytes(output))
    if errors and not isinstance(errors[0], TimeoutError):
        raise errors[0]
    if codes or (stopped and not errors):
        return bytes(output), codes[0] if codes else -1
    raise Unavailable(f"{worker.name} did not answer within {seconds:.1f} s.")


def _talk(request: Request, worker: Worker, command: list[str], data: bytes, until: float, output: bytearray) -> int:
    from docker.errors import APIError, NotFound

    client = reconnect(worker.engine, request)
    try:
        with asking(client, worker.engine, request):
            try:
                created = text_of(client.api.exec_create(worker.id, command, stdin=True, stderr=False), "Id")
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                raise Unavailable(f"{worker.name} is not running now: it restarts, or is paused.", switched_off=True) from None
            for piece in _printed(client, created, worker, data, until):
                output += piece
            code = client.api.exec_inspect(created).get("ExitCode")
            return code if isinstance(code, int) else -1
    except NotFound:
        raise Unavailable(f"{worker.name} no longer exists.") from None
    finally:
        client.close()


def _printed(client: DockerClient, created: str, worker: Worker, data: bytes, until: float) -> Iterator[bytes]:
    """Start what was created, give it the data, and read what it prints.

    It is read where the answer's head was: the SDK's own stream loses what came together with that.
    """
    started: Any = client.api.exec_start(created, socket=True)
    connection = getattr(started, "_sock", started)
    size = 0
    try:
        connection.settimeout(max(0.05, until - time.monotonic()))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended unread: what it printed says why
            connection.sendall(data)
        for piece in _frames(started._response.raw._fp.fp, connection, until):
            yield piece
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise NotDockers(f"a command in {worker.name} printed more than {LARGEST_ANSWER // (1024 * 1024)} MB")
    finally:
        connection.close()
        started._response.close()


def _frames(reader: Any, connection: Any, until: float) -> Iterator[bytes]:
    """The output without the engine's frames: a byte for the stream, three zeros, four bytes for the length."""
    received = bytearray()
    while len(received) <= LARGEST_ANSWER:
        connection.settimeout(max(0.05, until - time.monotonic()))
        try:
            piece = reader.read1(65536)
        except ConnectionResetError:
            return
        if not piece:
            return
        received += piece
        while len(received) >= 8 and len(received) >= 8 + (size := struct.unpack(">I", received[4:8])[0]):
            yield bytes(received[8 : 8 + size])
            del received[: 8 + size]
