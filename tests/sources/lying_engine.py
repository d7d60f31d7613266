"""An engine at a Unix socket that answers as Docker does, but for one path, where it lies."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.parts.proxy import read_request

ID = "c0" * 32
Send = Callable[[bytes], None]
Lie = Callable[[Send], None]


def truth() -> dict[str, Any]:
    labels = {"com.docker.compose.project": "opentranscribe", "com.docker.compose.service": "celery-worker"}
    image = "davidamacey/opentranscribe-backend:v0.4.1"
    return {
        r"/version": {"ApiVersion": "1.41", "Version": "26.1"},
        r"/info": {"ServerVersion": "26.1", "OperatingSystem": "Debian", "DockerRootDir": "/var/lib/docker"},
        r"/containers/json": [{"Id": ID, "Names": ["/worker"], "Image": image, "Labels": labels, "State": "running"}],
        rf"/containers/{ID}/json": {
            "Id": ID, "Name": "/worker", "Image": "sha256:1", "Config": {"Image": image, "Labels": labels, "User": "appuser"},
            "State": {"Status": "running"}, "Mounts": [], "HostConfig": {},
        },
        r"/images/.*/json": {"Id": "sha256:1", "Config": {}},
        rf"/containers/{ID}/exec": {"Id": "e1"},
        r"/exec/e1/start": None,
    }  # fmt: skip


def body(content: bytes, status: str = "200 OK", *headers: str) -> Lie:
    lines = "".join(f"{line}\r\n" for line in headers)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{lines}\r\n"
    return lambda send: send(head.encode() + content)


def says(value: object) -> Lie:
    return body(json.dumps(value).encode())


def endless(piece: bytes, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n") -> Lie:
    def lie(send: Send) -> None:
        send(head)
        while True:
            send(piece)

    return lie


def frame(content: bytes) -> bytes:
    return struct.pack(">BxxxL", 1, len(content)) + content


UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@contextlib.contextmanager
def lying_engine(path: Path, where: str, lie: Lie) -> Iterator[str]:
    """The engine's address. ``where`` is one of the keys of ``truth``."""
    answers = truth()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(16)
    taken: list[socket.socket] = []

    def talk(connection: socket.socket) -> None:
        received = b""
        with contextlib.suppress(OSError):
            while request := read_request(connection, received):
                head, _, received = request
                asked = re.sub(r"^/v[\d.]+|\?.*", "", head.split(b" ")[1].decode())
                key = next((key for key in answers if re.fullmatch(key, asked)), "")
                if key == where:
                    lie(connection.sendall)
                    return connection.close()
                if key == r"/exec/e1/start":
                    connection.sendall(UPGRADED + frame(b"fine\n"))  # as on a busy machine
                    return connection.close()
                (says(answers[key]) if key else body(b'{"message": "page not found"}', "404 Not Found"))(connection.sendall)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                taken.append(connection)
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"unix://{path}"
    finally:
        for one in (server, *taken):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
