"""Finding and greeting a Docker engine: real sockets, and the real engine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import Request, Unavailable
from ot_doctor.sources.docker import contexts
from ot_doctor.sources.docker import engine as source
from tests.checks.evidence import deployment
from tests.parts.engine import Engine as RealEngine
from tests.parts.fixtures import engine

__all__ = ["engine"]


def request(timeout: float = 3.0, *, no_docker: bool = False, **environ: str) -> Request:
    return Request(timeout=timeout, environ=environ, no_docker=no_docker)


def refusal(asked: Request) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        source.connect(asked)
    return caught.value


@contextlib.contextmanager
def listening(path: Path, answer: bytes | None) -> Iterator[str]:
    """A socket that takes every connection, and answers with ``answer`` and hangs up; ``None``: it never answers."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(8)
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            taken.append(connection)
            if answer is not None:
                connection.recv(65536)
                with contextlib.suppress(OSError):
                    connection.sendall(answer)
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in taken:
            connection.close()
        thread.join(2)


@pytest.fixture
def default_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The CLI's default socket, moved to where the test can do as it likes with it."""
    path = tmp_path / "default.sock"
    monkeypatch.setattr(contexts, "DEFAULT_SOCKET", path)
    return path


def write_context(config: Path, name: str, host: str, **endpoint: Any) -> None:
    folder = config / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, **endpoint}}}
    (folder / "meta.json").write_text(json.dumps(meta))


# -- where -----------------------------------------------------------------------------------------------------------


def test_docker_host_wins_over_every_context(tmp_path: Path) -> None:
    write_context(tmp_path, "work", "unix:///context.sock")
    found = contexts.find(request(DOCKER_HOST="unix:///mine.sock", DOCKER_CONTEXT="work", DOCKER_CONFIG=str(tmp_path)))
    assert (found.url, found.found_by, found.known_to_cli) == ("unix:///mine.sock", "DOCKER_HOST", True)


def test_a_context_that_is_asked_for_wins_over_the_environment(tmp_path: Path) -> None:
    write_context(tmp_path, "work", "unix:///work.sock")
    usual = request(DOCKER_HOST="unix:///mine.sock", DOCKER_CONTEXT="home", DOCKER_CONFIG=str(tmp_path))
    found = contexts.find(replace(usual, context="work"))
    assert (found.url, found.context, found.known_to_cli) == ("unix:///work.sock", "work", False)
    assert refusal(replace(usual, context="gone")).reason.startswith("The Docker context 'gone', which --context names")
    assert deployment(docker_context="work").docker("ps") == "docker --context work ps"


def test_docker_context_wins_over_the_current_one(tmp_path: Path) -> None:
    write_context(tmp_path, "work", "unix:///work.sock")
    write_context(tmp_path, "home", "unix:///home.sock")
    (tmp_path / "config.json").write_text('{"currentContext": "home"}')
    found = contexts.find(request(DOCKER_CONTEXT="work", DOCKER_CONFIG=str(tmp_path)))
    assert (found.url, found.found_by, found.context) == ("unix:///work.sock", "the Docker context 'work'", "work")


def test_the_current_context_is_read_from_the_home_folder(tmp_path: Path) -> None:
    config = tmp_path / ".docker"
    write_context(config, "rootless", "unix:///run/user/1000/docker.sock")
    (config / "config.json").write_text('{"currentContext": "rootless"}')
    assert contexts.find(request(HOME=str(tmp_path))).url == "unix:///run/user/1000/docker.sock"


@pytest.mark.parametrize(
    "content", ["", "not json", "[]", '{"currentContext": 5}', '{"currentContext": "default"}', "[" * 100_000]
)
def test_a_config_without_a_context_leads_to_the_default_socket(tmp_path: Path, default_socket: Path, content: str) -> None:
    default_socket.touch()
    (tmp_path / "config.json").write_text(content)
    found = contexts.find(request(DOCKER_CONFIG=str(tmp_path)))
    assert (found.url, found.found_by) == (f"unix://{default_socket}", "the default socket")


@pytest.mark.parametrize("meta", [None, "", "\0\xff", '{"Endpoints": []}', '{"Endpoints": {"docker": {"Host": 7}}}'])
def test_a_context_that_is_not_there_or_names_no_engine_is_named(tmp_path: Path, meta: str | None) -> None:
    if meta is not None:
        folder = tmp_path / "contexts/meta" / hashlib.sha256(b"gone").hexdigest()
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(meta, encoding="latin-1")
    refused = refusal(request(DOCKER_CONTEXT="gone", DOCKER_CONFIG=str(tmp_path)))
    assert "context 'gone'" in refused.reason and "DOCKER_CONTEXT" in refused.reason
    assert refused.command == "docker context ls"


@pytest.mark.parametrize(
    ("socket_path", "found_by"),
    [
        ("run/docker.sock", "the rootless socket"),
        ("home/.docker/run/docker.sock", "the rootless socket"),
        ("home/.docker/desktop/docker.sock", "Docker Desktop's socket"),
        ("run/podman/podman.sock", "Podman's socket"),
    ],
)
def test_rootless_sockets_are_found_and_the_command_line_is_told_of_them(
    tmp_path: Path, default_socket: Path, socket_path: str, found_by: str
) -> None:
    path = tmp_path / socket_path
    path.parent.mkdir(parents=True)
    path.touch()
    environ: dict[str, Any] = {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    found = contexts.find(request(**environ))
    assert (found.url, found.found_by, found.known_to_cli) == (f"unix://{path}", found_by, False)
    default_socket.touch()
    assert contexts.find(request(**environ)).known_to_cli, "the default socket comes first"


@pytest.mark.parametrize(
    "host",
    ["s\tsh://me@machine", "ssh\n://me@machine", "\x01ssh://me@machine", "ssh://me:secret@machine", "ssh://-oProxyCommand=x", "ssh://"],
)
def test_an_address_over_ssh_that_is_odd_is_refused_however_it_is_written(host: str, tmp_path: Path) -> None:
    assert "cannot be reached: its address" in refusal(request(DOCKER_HOST=host)).reason
    identity = hashlib.sha256(b"far").hexdigest()
    meta = tmp_path / "contexts/meta" / identity / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": f" {host}"}}}))
    refused = refusal(request(DOCKER_CONFIG=str(tmp_path), DOCKER_CONTEXT="far"))
    assert "cannot be reached: its address" in refused.reason and "ssh://user@machine" in refused.hint


@pytest.mark.parametrize(
    ("host", "machine", "socket_path"),
    [
        ("ssh://me@machine", "ssh://me@machine", ""),
        ("SSH://machine:22/run/user/1000/docker.sock", "ssh://machine:22", "/run/user/1000/docker.sock"),
    ],
)
def test_an_engine_on_another_machine(host: str, machine: str, socket_path: str) -> None:
    found = contexts.find(request(DOCKER_HOST=host)).ssh
    assert found and (found.machine, found.folder) == (machine, socket_path)
    assert contexts.find(request(DOCKER_HOST="tcp://machine")).ssh is None


def test_docker_left_out_is_no_trouble() -> None:
    refused = refusal(request(no_docker=True))
    assert (refused.reason, refused.switched_off) == ("Docker checks are off (--no-docker).", True)
    assert refusal(Request(logs=("worker.log",), log_alone=True)).switched_off, "a log alone is examined without Docker"


# -- ways in which it goes wrong -------------------------------------------------------------------------------------


def test_no_socket_says_how_to_start_docker(tmp_path: Path, default_socket: Path) -> None:
    refused = refusal(request(HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path)))
    assert str(default_socket) in refused.reason and "there is no such socket" in refused.reason
    assert "or install it" in refused.hint
    assert refused.command == "sudo systemctl start docker"


def test_no_socket_where_docker_host_points_names_docker_host(tmp_path: Path) -> None:
    refused = refusal(request(DOCKER_HOST=f"unix://{tmp_path}/none.sock"))
    assert "DOCKER_HOST" in refused.reason and f"{tmp_path}/none.sock" in refused.reason
    assert refused.command is None, "starting another engine would not help"


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "left.sock"))
    left.close()
    assert "nobody listens" in refusal(request(DOCKER_HOST=f"unix://{tmp_path}/left.sock")).reason


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_else_than_a_socket(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "docker.sock"
    path.mkdir() if kind == "folder" else path.touch()
    assert f"{path} is not a socket" in refusal(request(DOCKER_HOST=f"unix://{path}")).reason


def test_an_engine_that_accepts_and_never_answers_is_given_up_in_time(tmp_path: Path) -> None:
    with listening(tmp_path / "hang.sock", None) as host:
        began = time.monotonic()
        refused = refusal(request(timeout=1.2, DOCKER_HOST=host))
        took = time.monotonic() - began
    assert "did not reply within" in refused.reason and host in refused.reason
    assert took < 1.1, "a third of the time, not all of it"


def test_an_engine_that_sends_a_byte_now_and_then_is_given_up_in_time(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "drip.sock"))
    server.listen(1)

    def drip() -> None:
        connection, _ = server.accept()
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            for _ in range(100):
                connection.sendall(b" ")
                time.sleep(0.1)

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()
    refused = refusal(request(timeout=1.2, DOCKER_HOST=f"unix://{tmp_path}/drip.sock"))
    assert time.monotonic() - began < 6
    assert "did not reply within" in refused.reason
    server.close()


def test_a_full_queue_counts_as_no_answer(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "full.sock"))
    server.listen(0)
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(str(tmp_path / "full.sock"))
    refused = refusal(request(timeout=0.9, DOCKER_HOST=f"unix://{tmp_path}/full.sock"))
    for one in [*waiting, server]:
        one.close()
    assert "did not reply within" in refused.reason


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a Docker engine"),
        (bytes(range(256)) * 8, "is not a Docker engine"),
        (b"x" * 200_000, "is not a Docker engine"),
        (http(b"<html>"), "is not a Docker engine"),
        (http(b"{}"), "is not a Docker engine"),
        (http(b"[]"), "is not a Docker engine"),
        (http(b'{"ApiVersion": 7}'), "cannot be asked"),
        (http(b"<html>", "404 Not Found"), "is not a Docker engine"),
        (http(b'{"message": "\\u001b[31mno room"}', "500 Internal Server Error"), "no room"),
        (http(b'{"ApiVersion": "1.10"}'), "API version"),
        (b"", "closes the connection"),
    ],
)
def test_answers_that_are_no_engines(tmp_path: Path, answer: bytes, text: str) -> None:
    with listening(tmp_path / "odd.sock", answer) as host:
        refused = refusal(request(DOCKER_HOST=host))
    assert text in refused.reason and host in refused.reason
    assert refused.reason.isprintable(), refused.reason


@pytest.mark.parametrize(
    "host", ["nonsense", "gopher://x", "tcp://", "tcp://127.0.0.1:99999", "npipe:////./pipe/docker", "unix://" + "x" * 200]
)
def test_an_address_that_makes_no_sense(host: str) -> None:
    assert host in refusal(request(DOCKER_HOST=host)).reason


def test_a_name_that_does_not_resolve() -> None:
    assert "does not resolve" in refusal(request(DOCKER_HOST="tcp://engine.invalid:2375")).reason


def test_tls_without_certificates(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=lambda: server.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True).start()
        refused = refusal(request(DOCKER_HOST=host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path)))
    assert "TLS" in refused.reason and "DOCKER_CERT_PATH" in refused.hint


def test_a_socket_that_the_user_may_not_use(tmp_path: Path, let_others_in: Callable[[Path], None]) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    # The interpreter's own folders need not be open to that user, so it forks first and gives up its rights afterwards.
    script = (
        "import os, sys; from ot_doctor.evidence import Request, Unavailable; from ot_doctor.sources.docker import engine\n"
        "import docker, docker.tls, requests\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: engine.connect(Request(environ={'DOCKER_HOST': sys.argv[1]}))\n"
        "except Unavailable as refused: print(refused.reason); print(refused.hint); print(refused.command)"
    )
    with listening(tmp_path / "mine.sock", None) as host:
        (tmp_path / "mine.sock").chmod(0)
        let_others_in(tmp_path)
        done = subprocess.run([sys.executable, "-c", script, host], capture_output=True, text=True, timeout=30)
    reason, hint, command = done.stdout.splitlines()
    assert "not allowed" in reason and "permission denied" in reason and host in reason
    assert "sudo" in hint
    assert command == 'sudo "$(command -v ot-doctor)"'
    assert done.stderr == ""


# -- the real engine -------------------------------------------------------------------------------------------------


@pytest.mark.engine
def test_the_real_engine_is_described(engine: RealEngine) -> None:
    client, found = source.connect(request(30, DOCKER_HOST=engine.host))
    try:
        assert found.endpoint == engine.host and found.found_by == "DOCKER_HOST"
        assert found.version == engine.docker("version", "--format", "{{.Server.Version}}")
        assert found.data_root == str(engine.home / "data")
        assert found.same_user_ids and found.known_to_cli
        assert client.ping()
    finally:
        client.close()


@pytest.mark.engine
def test_another_source_gets_a_client_of_the_same_engine(engine: RealEngine) -> None:
    import docker.errors

    asked = request(30, DOCKER_HOST=engine.host)
    client, found = source.connect(asked)
    client.close()
    second = source.reconnect(found, asked)
    with source.asking(second, found, asked):
        assert second.api.version()["Version"] == found.version
    with pytest.raises(docker.errors.NotFound), source.asking(second, found, asked):
        second.api.inspect_container("no-such-container")
    with pytest.raises(KeyError), source.asking(second, found, asked):
        raise KeyError("a fault of the caller's own is none of the engine's")
    engine_that_stopped = contexts.Endpoint(f"unix://{engine.home}/stopped.sock", "DOCKER_HOST")
    with pytest.raises(Unavailable, match="no such socket"), source.Asking(engine_that_stopped, 1.0, greeted=True):
        raise ConnectionError(FileNotFoundError("gone"))
    second.close()


@pytest.mark.engine
def test_a_context_that_the_real_cli_made(engine: RealEngine, tmp_path: Path) -> None:
    environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": engine.environment()["PATH"]}
    for command in (("create", "mine", "--docker", f"host={engine.host}"), ("use", "mine")):
        subprocess.run(["docker", "context", *command], env=environ, check=True, capture_output=True)
    client, found = source.connect(request(30, DOCKER_CONFIG=str(tmp_path)))
    client.close()
    assert (found.endpoint, found.found_by) == (engine.host, "the Docker context 'mine'")


def test_importing_the_source_imports_no_sdk() -> None:
    script = "import sys, ot_doctor.sources.docker.engine; print('docker' in sys.modules, 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False False\n"
