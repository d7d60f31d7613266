"""An imitation of the Hugging Face Hub on this machine, for the real client.

Point the client at it with `HF_ENDPOINT=hub.url`. What it knows are plain dataclasses that a test may change at any
time; what it answers (status, headers, bodies) is how the real Hub was seen to answer. A `Fault` makes it misbehave
as networks do.
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import unquote, urlsplit

from .hub_answers import UNGATED, Answer, answer_for, beginning, etag, gateway_page, rate_limited

__all__ = ["UNGATED", "Account", "Fault", "LocalHub", "Repo", "Request", "Token", "beginning", "etag", "pyannote_hub"]

Role = Literal["read", "write", "fineGrained"]
FaultKind = Literal["slow", "blackhole", "429", "503", "cut", "portal", "proxy403"]


@dataclass
class Account:
    name: str
    type: Literal["user", "org", "app"] = "user"
    email: str | None = None


@dataclass
class Token:
    value: str
    account: Account
    role: Role = "read"
    display_name: str = "opentranscribe"
    can_read_gated: bool = True
    revoked: bool = False
    expired: bool = False


@dataclass
class Repo:
    """A model repository. `accepted`, `pending` and `rejected` hold names of accounts."""

    id: str
    gated: Literal[False, "auto", "manual"] = False
    files: dict[str, bytes | int] = field(default_factory=dict)  #: the content, or only its size
    accepted: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    private: bool = False
    owner: str = ""  #: the account that may read it when it is private
    renamed_to: str | None = None

    @property
    def commit(self) -> str:
        return hashlib.sha1(self.id.encode(), usedforsecurity=False).hexdigest()

    def content(self, name: str) -> bytes:
        """The bytes of a file; where only a size is known, bytes that look like the kind of file it is."""
        stored = self.files[name]
        if isinstance(stored, bytes):
            return stored
        return beginning(name).ljust(stored, b"\0")[:stored]


@dataclass
class Fault:
    """What goes wrong, for requests whose path matches `only` (a regular expression; None: for all).

    `seconds` is how long a slow answer waits, and what a 429 says of when it may be asked again.
    """

    kind: FaultKind
    seconds: float = 1.0
    only: str | None = None

    def hits(self, path: str) -> bool:
        return self.only is None or re.search(self.only, path) is not None


@dataclass(frozen=True)
class Request:
    """A request as it arrived. `authorization` is the raw header, to prove which token was sent."""

    method: str
    path: str
    authorization: str | None
    token: str | None  #: the display name of a known token; "unknown" for any other; None for none


class LocalHub:
    """The server; use it as a context manager. `fault` and all that it knows may be changed while it runs.

    With `certificate` (see `make_certificate`) it speaks TLS, as the real one does. That matters where the client
    looks at the address: a 401 without X-Error-Code is a RepositoryNotFoundError for https addresses only, and
    plain http gives HfHubHTTPError.
    """

    def __init__(
        self, repos: Iterable[Repo] = (), tokens: Iterable[Token] = (), *, certificate: Path | None = None, port: int = 0
    ) -> None:
        self.certificate = certificate
        self.port = port  #: 0: any that is free
        self.ahead = 0.0  #: seconds by which its clock is ahead
        self.repos = {repo.id: repo for repo in repos}
        self.tokens = {token.value: token for token in tokens}
        self.fault: Fault | None = None
        self.requests: list[Request] = []
        self._closing = threading.Event()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the hub is not running")
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def client_environment(self) -> dict[str, str]:
        """The variables that lead a client process here, past any proxy."""
        env = {"HF_ENDPOINT": self.url, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        if self.certificate:
            env |= {"SSL_CERT_FILE": str(self.certificate), "REQUESTS_CA_BUNDLE": str(self.certificate)}
        return env

    def add(self, *things: Repo | Token) -> None:
        for thing in things:
            if isinstance(thing, Repo):
                self.repos[thing.id] = thing
            else:
                self.tokens[thing.value] = thing

    def start(self) -> None:
        self._closing.clear()
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.hub = self
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            # The handshake is left to the thread of the connection: one bad client must not hold up the others.
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        # The short poll only makes closing quick; a request is answered as soon as it comes.
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="local-hub", daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> LocalHub:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- for the handler -------------------------------------------------------------------------

    def record(self, method: str, path: str, authorization: str | None) -> None:
        name = None
        if authorization is not None:
            known = self.tokens.get(authorization.removeprefix("Bearer ").strip())
            name = known.display_name if known else "unknown"
        self.requests.append(Request(method, path, authorization, name))

    def wait(self, seconds: float | None) -> None:
        """Waits, but not longer than the hub is open."""
        self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # a client that asks for all files at once must not lose a connection
    block_on_close = False
    hub: LocalHub

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is an ordinary thing here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((time.time() if timestamp is None else timestamp) + self.server.hub.ahead)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: `LocalHub.requests` is the log."""

    def _serve(self) -> None:
        hub = self.server.hub
        path = unquote(urlsplit(self.path).path)
        authorization = self.headers.get("Authorization")
        hub.record(self.command, path, authorization)
        fault = hub.fault if hub.fault is not None and hub.fault.hits(path) else None
        kind = fault.kind if fault else None
        if fault and kind == "blackhole":
            hub.wait(None)
            self.close_connection = True
            return
        if fault and kind == "slow":
            hub.wait(fault.seconds)
        if fault and kind == "429":
            answer = rate_limited(fault.seconds)
        elif kind == "503":
            answer = Answer(503, b"Service Unavailable", "text/plain")
        elif kind in ("portal", "proxy403"):
            answer = gateway_page(200 if kind == "portal" else 403)
        else:
            answer = answer_for(hub, path, authorization, self.headers.get("Range"), hub.url)
        self._send(answer, cut=kind == "cut")

    def _send(self, answer: Answer, *, cut: bool) -> None:
        body = b"" if self.command == "HEAD" else answer.body
        if cut and not body:
            self._drop(b"")  # half a header would do for some clients as a whole one
            return
        self.send_response(answer.status)
        # A HEAD tells the size that a GET would have.
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if cut:
            self._drop(body[: len(body) // 2])
        else:
            self.wfile.write(body)

    def _drop(self, beginning: bytes) -> None:
        """Sends only the beginning of something and hangs up."""
        with suppress(OSError):
            self.wfile.write(beginning)
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and localhost with its key, in one file that is its own authority. Needs openssl."""
    path = folder / "hub.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=a local hub", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", str(folder / "hub.key"), "-out", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (folder / "hub.key").read_text())
    return path


# -- the models that OpenTranscribe wants ----------------------------------------------------------

DIARIZATION_31 = "pyannote/speaker-diarization-3.1"
SEGMENTATION_30 = "pyannote/segmentation-3.0"
WESPEAKER = "pyannote/wespeaker-voxceleb-resnet34-LM"
EMBEDDING = "pyannote/embedding"
COMMUNITY_1 = "pyannote/speaker-diarization-community-1"


def pyannote_repos() -> list[Repo]:
    """The repositories of every release line, with the files that the libraries ask for.

    Weights are a little over a megabyte, not their real size: enough not to look like a stub, and quick.
    """
    config = b"version: 3.1.0\npipeline:\n  name: pyannote.audio.pipelines.SpeakerDiarization\n"
    model = b"task:\n  _target_: pyannote.audio.tasks.SpeakerDiarization\n"
    weights = 1_200_000
    repos = [
        Repo(DIARIZATION_31, "auto", {"config.yaml": config}),
        Repo(SEGMENTATION_30, "auto", {"config.yaml": model, "pytorch_model.bin": weights}),
        Repo(WESPEAKER, False, {"config.yaml": model, "pytorch_model.bin": weights}),
        Repo(EMBEDDING, "auto", {"config.yaml": model, "pytorch_model.bin": weights}),
        Repo(
            COMMUNITY_1,
            "auto",
            {
                "config.yaml": config,
                "segmentation/pytorch_model.bin": weights,
                "embedding/pytorch_model.bin": weights,
                "plda/xvec_transform.npz": 130_000,
                "plda/plda.npz": 130_000,
            },
        ),
    ]
    for repo in repos:
        repo.files |= {"README.md": b"---\nlicense: mit\n---\n", ".gitattributes": b"*.bin filter=lfs\n"}
    return repos


def pyannote_hub(
    accepted: Iterable[str] | None = None,
    *,
    token: str = "hf_" + "Ab3dEf7hIj" * 3 + "Kl9m",
    role: Role = "read",
    certificate: Path | None = None,
    port: int = 0,
) -> LocalHub:
    """A hub with the real repositories, one account ("ada") and one token of hers named "opentranscribe".

    `accepted` are the gated repositories whose conditions she has accepted; None: all of them.
    """
    account = Account("ada")
    repos = pyannote_repos()
    for repo in repos:
        if repo.gated and (accepted is None or repo.id in accepted):
            repo.accepted.add(account.name)
    return LocalHub(repos, [Token(token, account, role)], certificate=certificate, port=port)
