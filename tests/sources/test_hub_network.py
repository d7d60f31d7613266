"""What stands between the doctor and the Hub: networks, proxies, deadlines, and a client that wants to be helpful."""

from __future__ import annotations

import gzip
import importlib
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ot_doctor.evidence import Answer, Deployment, Hub, ModelCache, ReleaseLine, Request, Unavailable, WorkerToken
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.hub.client import gather
from ot_doctor.sources.soon import Soon
from tests.checks.evidence import cache
from tests.parts.hub import Fault, LocalHub, pyannote_hub

ROOT = Path(__file__).parents[2]
NOTHING_KNOWN: Soon[ModelCache] = Soon.of(Unavailable("not looked at"))
VALUE = "hf_" + "Kw7" * 11 + "Z"
PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CA_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def ask(endpoint: str, *, timeout: float = 30.0, known: Soon[ModelCache] = NOTHING_KNOWN) -> Hub:
    return gather(
        Request(environ={"HF_ENDPOINT": endpoint}, timeout=timeout),
        Deployment(Path("/srv/ot"), "--dir", Path("/srv/ot/.env"), line=ReleaseLine.V0_4),
        Unavailable("Docker was left out", switched_off=True),
        WorkerToken(Secret(VALUE), "the environment of opentranscribe-celery-worker", True),
        Unavailable("no other release is asked about"),
        known,
    )


def all_answers(hub: Hub) -> set[Answer]:
    return {hub.public.answer, hub.identity.answer, *(f.answer for f in hub.files)}


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with pyannote_hub(token=VALUE) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has read the proxy and CA variables of this test, not of another."""
    for name in (*PROXY_NAMES, *(n.upper() for n in PROXY_NAMES), *CA_NAMES):
        monkeypatch.delenv(name, raising=False)
    forget_client()


def forget_client() -> None:
    http = importlib.import_module("huggingface_hub.utils._http")
    (getattr(http, "close_session", None) or http.reset_sessions)()


@contextmanager
def server(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server with one behaviour; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                handle(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64  # many connections come in the same instant

    with Server(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- the Hub misbehaves -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "answer", "text"),
    [
        (Fault("429", 53), Answer.RATE_LIMITED, "again in 53 s"),
        (Fault("503"), Answer.UNAVAILABLE, "503"),
        (Fault("cut"), Answer.REFUSED, ""),
        (Fault("portal"), Answer.PROXY, "something else answered"),
        (Fault("proxy403"), Answer.PROXY, "403"),
    ],
)
def test_a_fault_is_known_at_once(hub: LocalHub, fault: Fault, answer: Answer, text: str) -> None:
    hub.fault = fault
    started = time.monotonic()
    found = ask(hub.url)
    assert all_answers(found) == {answer}
    assert time.monotonic() - started < 5  # no retry of the client, and no sleep until the limit is reset
    assert answer.unreachable
    assert found.public.text
    assert text in found.public.text
    assert len(hub.requests) == 2 + len(found.files)


@pytest.mark.slow
@pytest.mark.parametrize("spared", [cache(), cache(False, offline="HF_HUB_OFFLINE=1"), cache(False, native=True)])
def test_a_worker_that_needs_no_hub_is_not_kept_waiting(hub: LocalHub, spared: ModelCache) -> None:
    """Nothing comes back: the Hub has a second, also where that becomes known while it is waited for."""
    hub.fault = Fault("blackhole")
    began = time.monotonic()
    found = ask(hub.url, known=Soon.of(spared))
    assert 1 <= time.monotonic() - began < 1 + 1.5
    assert all_answers(found) == {Answer.TIMEOUT} and found.public.text == "no answer within 1 s"
    future: Future[ModelCache | Unavailable] = Future()
    later = threading.Timer(1.5, lambda: future.set_result(spared))
    later.start()
    began = time.monotonic()
    assert all_answers(ask(hub.url, known=Soon(future))) == {Answer.TIMEOUT}
    assert 1.5 <= time.monotonic() - began < 1.5 + 1.5


@pytest.mark.slow
def test_a_worker_that_needs_the_hub_waits_for_it(hub: LocalHub) -> None:
    hub.fault = Fault("slow", seconds=1.5)
    assert Answer.TIMEOUT not in all_answers(ask(hub.url, known=Soon.of(cache(False))))
    assert all_answers(ask(hub.url, known=Soon.of(cache()))) == {Answer.TIMEOUT}


def test_a_black_hole_ends_with_the_deadline(hub: LocalHub) -> None:
    hub.fault = Fault("blackhole")
    started = time.monotonic()
    found = ask(hub.url, timeout=2.0)
    assert time.monotonic() - started < 2 + 2
    assert all_answers(found) == {Answer.TIMEOUT}
    assert found.public.text


def test_one_slow_answer_does_not_hide_the_others(hub: LocalHub) -> None:
    hub.fault = Fault("blackhole", only="/api/whoami-v2")
    found = ask(hub.url, timeout=2.0)
    assert found.identity.answer is Answer.TIMEOUT
    assert {f.answer for f in found.files} == {Answer.OK}


def test_an_answer_in_drops_ends_with_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drop: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.1)

    with server(drip) as port:
        started = time.monotonic()
        assert all_answers(ask(f"http://127.0.0.1:{port}", timeout=1.5)) == {Answer.TIMEOUT}
        assert time.monotonic() - started < 10


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            connection.sendall(b'{"name": ' * 10_000)

    with server(flood) as port:
        assert all_answers(ask(f"http://127.0.0.1:{port}")) == {Answer.PROXY}


@pytest.mark.parametrize("encoding", [b"gzip", b"gzip, gzip, gzip"])
def test_a_packed_answer_that_would_fill_the_memory(encoding: bytes) -> None:
    content = bytes(100_000_000)
    for _ in encoding.split(b","):
        content = gzip.compress(content)

    def send(connection: socket.socket) -> None:
        connection.recv(65_536)
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Encoding: " + encoding
        connection.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    with server(send) as port:
        ask(f"http://127.0.0.1:{port}")  # the client is loaded
        tracemalloc.start()
        try:
            assert all_answers(ask(f"http://127.0.0.1:{port}")) == {Answer.PROXY}
            assert tracemalloc.get_traced_memory()[1] < 30_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("line", [b"X-%d: " + b"x" * 1000 + b"\r\n", b"%d" + b"x" * 60_000])
def test_headers_without_an_end(line: bytes) -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000_000):
            connection.sendall(line % number)

    with server(flood) as port:
        started = time.monotonic()
        assert all_answers(ask(f"http://127.0.0.1:{port}")) == {Answer.REFUSED}
        assert time.monotonic() - started < 8


def test_a_server_that_speaks_something_else() -> None:
    with server(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as port:
        assert all_answers(ask(f"http://127.0.0.1:{port}")) == {Answer.REFUSED}


def test_a_redirect_in_a_circle() -> None:
    def again(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with server(again) as port:
        assert all_answers(ask(f"http://127.0.0.1:{port}")) == {Answer.PROXY}


# -- it cannot be reached ---------------------------------------------------------------------------


def test_a_name_that_does_not_resolve() -> None:
    found = ask("https://hub.invalid")
    assert all_answers(found) == {Answer.DNS}
    assert found.public.text


def test_a_port_where_nobody_listens() -> None:
    found = ask(f"http://127.0.0.1:{free_port()}")
    assert all_answers(found) == {Answer.REFUSED}
    assert "refused" in found.public.text.lower()


def test_encryption_spoken_to_a_plain_server(hub: LocalHub) -> None:
    assert all_answers(ask(hub.url.replace("http:", "https:"))) == {Answer.TLS}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(path.parent / "key.pem"), "-out", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


@pytest.fixture
def https_port(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(65_536)
            encrypted.sendall(
                b"HTTP/1.1 200 OK\r\nX-Repo-Commit: 0000\r\nContent-Length: 15\r\nConnection: close\r\n\r\n" + b'{"name": "ada"}'
            )

    with server(serve) as port:
        yield port


def test_a_certificate_that_nobody_signed(https_port: int) -> None:
    found = ask(f"https://localhost:{https_port}")
    assert all_answers(found) == {Answer.TLS}
    assert "certificate" in found.public.text


def test_the_ca_variables_are_obeyed(https_port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # httpx
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # requests
    assert all_answers(ask(f"https://localhost:{https_port}")) == {Answer.OK}


def test_a_ca_file_that_is_not_there(https_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert all_answers(ask(f"https://localhost:{https_port}")) == {Answer.TLS}


# -- proxies ----------------------------------------------------------------------------------------


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:secret-word@127.0.0.1:{port}")
    found = ask("https://huggingface.co")
    assert all_answers(found) == {Answer.PROXY}
    assert f"through the proxy 127.0.0.1:{port}" in found.public.text
    assert "secret-word" not in repr(found)


def test_a_proxy_whose_name_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    assert all_answers(ask("https://huggingface.co")) == {Answer.PROXY}


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_refuses_the_tunnel(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    with server(refuse) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        found = ask("https://huggingface.co")
    assert all_answers(found) == {Answer.PROXY}
    assert status[:3] in found.public.text


@pytest.mark.parametrize("proxy", ["nonsense://127.0.0.1:3128", "http://127.0.0.1:port"])
def test_a_proxy_setting_that_no_client_can_use(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert all_answers(ask("https://huggingface.co")) == {Answer.PROXY}


def test_a_proxy_in_plain_http_sees_no_token(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        seen.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with server(listen) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        found = ask(hub.url)
        assert not found.token_sent
        assert found.public.answer is Answer.PROXY
        assert seen
        assert VALUE.encode() not in b"".join(seen)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        forget_client()
        assert all_answers(ask(hub.url)) == {Answer.OK}


# -- a process of its own ---------------------------------------------------------------------------


SCRIPT = """
import os, sys
from pathlib import Path
from ot_doctor.evidence import *
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.hub.client import gather
assert "huggingface_hub" not in sys.modules
here = Deployment(Path("/srv/ot"), "--dir", Path("/srv/ot/.env"), line=ReleaseLine.V0_4)
token = WorkerToken(Secret(sys.argv[1]), "x", True)
request = Request(environ=dict(os.environ), timeout=float(sys.argv[2]))
try:
    hub = gather(request, here, Unavailable("no Docker"), token)
except Unavailable as nothing:
    print(nothing)
else:
    print(hub.identity.answer.name, *(f.answer.name for f in hub.files))
"""


def run(tmp_path: Path, endpoint: str, timeout: str = "30", **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LD_LIBRARY_PATH")}
    places = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(ROOT), "HF_ENDPOINT": endpoint}
    return subprocess.run(
        [sys.executable, "-B", "-c", SCRIPT, VALUE, timeout],
        env=kept | places | env, capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip


@pytest.mark.parametrize(
    "env",
    [
        {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        {"HF_DEBUG": "1", "HF_HUB_VERBOSITY": "debug"},
        {"HF_HUB_ENABLE_HF_TRANSFER": "1"},
        {"HF_TOKEN": "hf_" + "Q4x" * 11 + "B", "HUGGINGFACE_CO_STAGING": "1"},
    ],
)
def test_the_doctors_own_settings_do_not_matter(hub: LocalHub, tmp_path: Path, env: dict[str, str]) -> None:
    done = run(tmp_path, hub.url, **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == {"OK"}
    assert {r.authorization for r in hub.requests} == {f"Bearer {VALUE}", None}
    assert not list(tmp_path.iterdir())  # nothing is written


def test_a_setting_that_the_client_cannot_read(hub: LocalHub, tmp_path: Path) -> None:
    done = run(tmp_path, hub.url, HF_HUB_ETAG_TIMEOUT="ten")
    assert (done.returncode, done.stderr) == (0, "")
    assert "huggingface_hub library cannot be loaded" in done.stdout


@pytest.mark.slow
def test_a_black_hole_does_not_hold_up_the_end_of_the_process(hub: LocalHub, tmp_path: Path) -> None:
    hub.fault = Fault("blackhole")
    started = time.monotonic()
    done = run(tmp_path, hub.url, timeout="2")
    assert time.monotonic() - started < 2 + 4  # loading the client takes its time
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == {"TIMEOUT"}
