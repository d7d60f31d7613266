"""Running a small POSIX shell script, or a talk over standard input, in a worker's container, as the container's own user."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ot_doctor.core.deadline import within
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.transport import LARGEST_ANSWER, NotDockers, text_of

if TYPE_CHECKING:
    from docker.errors import APIError

_LONGEST = 10.0  # seconds; what is asked takes a tenth of one


def run_in(request: Request, worker: Worker, script: str, arguments: Sequence[str]) -> bytes:
    """What ``script`` prints; its arguments reach it as ``$1``, ``$2``, … and are never read as code.

    Raises ``Unavailable`` when nothing may be run there, when it is not running, and when no answer comes in time.
    """
    if request.no_exec:
        raise Unavailable("Commands inside containers are off (--no-exec).", switched_off=True)
    if not worker.running:
        raise Unavailable(f"{worker.name} is not running.")
    deadline = min(_LONGEST, request.remaining() / 2)
    try:
        return within(deadline, lambda: _run(request, worker, ["sh", "-c", script, "ot-doctor", *arguments]))
    except TimeoutError:
        raise Unavailable(f"{worker.name} did not answer within {deadline:.1f} s.") from None


def _run(request: Request, worker: Worker, command: list[str]) -> bytes:
    from docker.errors import NotFound

    client = reconnect(worker.engine, request)
    try:
        with asking(client, worker.engine, request):
            created = client.api.exec_create(worker.id, command, stderr=False)
            output = bytearray()
            for piece in client.api.exec_start(text_of(created, "Id"), stream=True):
                output += piece
                if len(output) > LARGEST_ANSWER:
                    raise NotDockers(f"a command in {worker.name} printed more than {LARGEST_ANSWER // (1024 * 1024)} MB")
            return bytes(output)
    except NotFound:
        raise Unavailable(f"{worker.name} no longer exists.") from None
    finally:
        client.close()


def talk_in(request: Request, worker: Worker, command: list[str], data: bytes, seconds: float) -> tuple[bytes, int]:
    """What ``command`` prints when it is given ``data`` on its standard input, and its exit code (-1: not known).

    The input is not closed behind the data, which TLS and SSH cannot do: the command must know its length. Raises
    ``Unavailable`` like ``run_in``; ``switched_off`` where somebody has forbidden that anything is run there.
    """
    if request.no_exec:
        raise Unavailable("Commands inside containers are off (--no-exec).", switched_off=True)
    if not worker.running:
        raise Unavailable(f"{worker.name} is not running.", switched_off=True)
    try:
        return within(seconds + 0.5, lambda: _talk(request, worker, command, data, time.monotonic() + seconds))
    except TimeoutError:
        raise Unavailable(f"{worker.name} did not answer within {seconds:.1f} s.") from None


def _talk(request: Request, worker: Worker, command: list[str], data: bytes, until: float) -> tuple[bytes, int]:
    from docker.errors import APIError, NotFound

    client = reconnect(worker.engine, request)
    try:
        with asking(client, worker.engine, request):
            try:
                created = text_of(client.api.exec_create(worker.id, command, stdin=True, stderr=False), "Id")
                started: Any = client.api.exec_start(created, socket=True)
            except NotFound:
                raise
            except APIError as error:
                raise _refused(worker, error) from None
            connection = getattr(started, "_sock", started)
            try:
                connection.settimeout(max(0.05, until - time.monotonic()))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended unread: what it printed says why
                    connection.sendall(data)
                output = _frames(started._response.raw._fp.fp, connection, until)
            finally:
                connection.close()
                started._response.close()
            code = client.api.exec_inspect(created).get("ExitCode")
            return output, code if isinstance(code, int) else -1
    except NotFound:
        raise Unavailable(f"{worker.name} no longer exists.") from None
    finally:
        client.close()


def _refused(worker: Worker, error: APIError) -> Unavailable:
    if error.status_code == 403:
        return Unavailable(
            f"What stands before the Docker engine does not allow that a command is run in {worker.name} (HTTP 403).",
            hint="Allow POST and EXEC in the settings of the socket proxy, or ask the engine itself.", switched_off=True,
        )  # fmt: skip
    return Unavailable(f"No command can be run in {worker.name} now: {printable(str(error.explanation or error))}")


def _frames(reader: Any, connection: Any, until: float) -> bytes:
    """The output without the engine's frames: a byte for the stream, three zeros, four bytes for the length."""
    received, output = bytearray(), bytearray()
    while True:
        connection.settimeout(max(0.05, until - time.monotonic()))
        try:
            piece = reader.read1(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return bytes(output)
        received += piece
        while len(received) >= 8 and len(received) >= 8 + (size := struct.unpack(">I", received[4:8])[0]):
            output += received[8 : 8 + size]
            del received[: 8 + size]
        if len(output) + len(received) > LARGEST_ANSWER:
            raise NotDockers(f"a command printed more than {LARGEST_ANSWER // (1024 * 1024)} MB")
