"""A proxy before the engine's socket that lets nothing but reading through, as a read-only socket proxy does."""

from __future__ import annotations

import http.client
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path


@contextmanager
def read_only_proxy(listen: Path, engine: Path) -> Iterator[list[str]]:
    """Requests but GET and HEAD get 403. Yields the list of those that came: "POST /v1.45/containers/…/exec"."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            engine_side = http.client.HTTPConnection("docker")
            engine_side.sock = socket.socket(socket.AF_UNIX)
            engine_side.sock.connect(str(engine))
            engine_side.request(self.command, self.path)
            answer = engine_side.getresponse()
            self._answer(answer.status, answer.read(), dict(answer.getheaders()))

        do_HEAD = do_GET

        def do_POST(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(403, b"<html><body><h1>403 Forbidden</h1></body></html>", {"Content-Type": "text/html"})

        do_PUT = do_DELETE = do_POST

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "socket"

        def log_message(self, format: str, *args: object) -> None:
            """Silent: the list is the log."""

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with Server(str(listen), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield asked
        server.shutdown()
