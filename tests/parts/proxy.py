"""A proxy before the engine's socket: it writes down what is asked, and lets through what its rule allows.

Its rule may be that of docker-socket-proxy (``switches``), which answers 403 to everything that was not switched on.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

FORBIDDEN = (
    b"HTTP/1.0 403 Forbidden\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n"
    b"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n"
)
_ALWAYS = ("VERSION", "EVENTS", "PING")

#: What becomes of a request, by its method and its path: ``None`` lets it through, bytes are the answer, nothing at all hangs.
Rule = Callable[[str, str], "bytes | None"]


def switches(*on: str) -> Rule:
    """The rule of docker-socket-proxy: a section of the API for each variable; POST=1 allows other methods than GET and HEAD."""

    def rule(method: str, path: str) -> bytes | None:
        section = path.strip("/").split("/")[0].removeprefix("_").upper()
        allowed = section in (*on, *_ALWAYS) and (method in ("GET", "HEAD") or "POST" in on)
        return None if allowed else FORBIDDEN

    return rule


def everything(method: str, path: str) -> bytes | None:
    return None


@dataclass
class EngineProxy:
    """Where it listens, and what was asked: method and path, without the API's version and the query."""

    address: str
    asked: list[tuple[str, str]] = field(default_factory=list)

    def endpoints(self) -> set[str]:
        """The same with names and ids left out, as the API's description has them."""
        found = set()
        for method, path in self.asked:
            general = re.sub(r"^/(containers|exec|images)/(?!json$)(.+?)(/(json|logs|archive|exec|start))?$", r"/\1/{id}\3", path)
            found.add(f"{method} {general}")
        return found


@contextlib.contextmanager
def engine_proxy(engine: Path, rule: Rule = everything, *, at: Path | None = None) -> Iterator[EngineProxy]:
    """At a socket, or at a TCP port of this machine: then the engine is a remote one for whoever asks."""
    if at is not None:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(at))
        proxy = EngineProxy(f"unix://{at}")
    else:
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        proxy = EngineProxy(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    server.listen(64)
    taken: list[socket.socket] = []
    over = threading.Event()

    def talk(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if (asked := read_request(client)) is None:
                return
            head, rest = asked[0], asked[1] + asked[2]
            method, target = head.decode("latin-1").split(" ")[:2]
            path = unquote(re.sub(r"^/v[\d.]+|\?.*", "", target))
            proxy.asked.append((method, path))
            answer = rule(method, path)
            if answer is not None:
                if answer:
                    client.sendall(answer)
                else:
                    over.wait(60)
                return
            with socket.socket(socket.AF_UNIX) as upstream:
                taken.append(upstream)
                upstream.connect(str(engine))
                if b"upgrade: tcp" not in head.lower():  # one request for each connection: none is missed
                    head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head) + b"\r\nConnection: close"
                upstream.sendall(head + b"\r\n\r\n" + rest)
                threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
                _pump(upstream, client)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                taken.append(client)
                threading.Thread(target=talk, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield proxy
    finally:
        over.set()
        for one in (server, *taken):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def read_request(connection: socket.socket, received: bytes = b"") -> tuple[bytes, bytes, bytes] | None:
    """Head and body of the next request, and what came behind it; ``None`` at the end. ``received`` came before.

    The body is taken in whole: a connection that is closed with something unread is reset, and the answer is lost with it.
    """
    while b"\r\n\r\n" not in received:
        if not (piece := connection.recv(65536)):
            return None
        received += piece
    head, _, received = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    size = int(length[1]) if length else 0
    while len(received) < size:
        if not (piece := connection.recv(65536)):
            return None
        received += piece
    return head, received[:size], received[size:]


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
