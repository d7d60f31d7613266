"""Finding Podman: its variables, its connections, its sockets; and what is said where it does not answer."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import Request
from ot_doctor.sources.docker import contexts, podman_connections
from ot_doctor.sources.docker import engine as source
from ot_doctor.sources.docker.contexts import Endpoint
from tests.sources.test_engine import refusal, write_context

TOML = """
[engine]
active_service = "lab"
[engine.service_destinations.lab]
uri = "ssh://core@lab:22/run/user/1000/podman/podman.sock"
[engine.service_destinations.here]
uri = "unix:///here.sock"
"""
JSON = json.dumps({"Connection": {"Default": "new", "Connections": {"new": {"URI": "unix:///new.sock"}, "here": {"URI": "unix:///5.sock"}}}})


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No socket of Docker's or of the system's Podman, and no settings of the system; the folder where they would be."""
    monkeypatch.setattr(contexts, "DEFAULT_SOCKET", tmp_path / "default.sock")
    monkeypatch.setattr(podman_connections, "ROOTFUL_SOCKET", tmp_path / "system/podman/podman.sock")
    monkeypatch.setattr(podman_connections, "_SYSTEM", (tmp_path / "system.conf",))
    return tmp_path


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Request]:
    def ask(*, context: str = "", **environ: str) -> Request:
        usual = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
        return Request(timeout=3.0, environ=usual | environ, context=context)

    return ask


def settings(tmp_path: Path, **files: str) -> None:
    folder = tmp_path / ".config/containers"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / {"toml": "containers.conf", "json": "podman-connections.json"}[name]).write_text(text)


def put_socket(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("unix:///p.sock", "unix:///p.sock"),
        ("unix:/p.sock", "unix:///p.sock"),
        ("/p.sock", "unix:///p.sock"),
        (" tcp://127.0.0.1:8080 ", "tcp://127.0.0.1:8080"),
    ],
)
def test_podmans_variable_is_read_as_podman_reads_it(asked: Callable[..., Request], given: str, url: str) -> None:
    found = contexts.find(asked(CONTAINER_HOST=given))
    assert (found.url, found.found_by, found.known_to_cli, found.known_to_podman) == (url, "CONTAINER_HOST", False, True)


def test_dockers_variables_come_before_podmans_and_both_before_files_and_sockets(
    asked: Callable[..., Request], tmp_path: Path
) -> None:
    write_context(tmp_path / ".docker", "work", "unix:///work.sock")
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "work"}')
    put_socket(tmp_path / "default.sock")
    variables = {"DOCKER_HOST": "unix:///docker.sock", "DOCKER_CONTEXT": "work", "CONTAINER_HOST": "unix:///podman.sock"}
    urls = []
    for name in ("", *variables):
        variables.pop(name, None)
        urls.append(contexts.find(asked(**variables)).url)
    assert urls == ["unix:///docker.sock", "unix:///work.sock", "unix:///podman.sock", "unix:///work.sock"]


@pytest.mark.parametrize(
    ("files", "name", "url"),
    [
        ({"toml": TOML}, "here", "unix:///here.sock"),
        ({"toml": TOML, "json": JSON}, "here", "unix:///5.sock"),
        ({"json": JSON}, "new", "unix:///new.sock"),
    ],
)
def test_a_connection_by_its_name(
    asked: Callable[..., Request], tmp_path: Path, files: dict[str, str], name: str, url: str
) -> None:
    settings(tmp_path, **files)
    by_variable, by_option = contexts.find(asked(CONTAINER_CONNECTION=name)), contexts.find(asked(context=name))
    assert (by_variable.url, by_variable.known_to_podman) == (url, True)
    assert (by_option.url, by_option.known_to_podman, by_option.found_by) == (url, False, f"the Podman connection '{name}'")


def test_a_docker_context_of_the_same_name_comes_first(asked: Callable[..., Request], tmp_path: Path) -> None:
    settings(tmp_path, json=JSON)
    write_context(tmp_path / ".docker", "new", "unix:///context.sock")
    assert contexts.find(asked(context="new")).url == "unix:///context.sock"
    assert "context 'gone'" in refusal(asked(context="gone")).reason


def test_the_default_connection_is_the_last_resort(asked: Callable[..., Request], tmp_path: Path) -> None:
    settings(tmp_path, json=JSON)
    assert contexts.find(asked()).url == "unix:///new.sock"
    own, system = put_socket(tmp_path / "run/podman/podman.sock"), put_socket(tmp_path / "system/podman/podman.sock")
    assert contexts.find(asked()).url == f"unix://{own}"
    own.unlink()
    assert contexts.find(asked()).url == f"unix://{system}"
    system.unlink()
    machine = put_socket(tmp_path / ".local/share/containers/podman/machine/podman.sock")
    assert contexts.find(asked()).url == f"unix://{machine}"


def test_containers_conf_may_be_named(asked: Callable[..., Request], tmp_path: Path) -> None:
    (tmp_path / "my.conf").write_text(TOML)
    named = asked(CONTAINERS_CONF=str(tmp_path / "my.conf"), CONTAINER_CONNECTION="here")
    assert contexts.find(named).url == "unix:///here.sock"


def test_a_connection_that_is_not_there(asked: Callable[..., Request]) -> None:
    refused = refusal(asked(CONTAINER_CONNECTION="lab"))
    assert "connection 'lab'" in refused.reason and refused.command == "podman system connection list"


@pytest.mark.parametrize(
    "text", ["", "\0\xff", "[" * 100_000, "engine = 5", "[engine]\nservice_destinations = 1", '{"Connection": []}']
)
def test_settings_that_cannot_be_read_name_nothing(asked: Callable[..., Request], tmp_path: Path, text: str) -> None:
    settings(tmp_path, toml=text, json=text)
    assert contexts.find(asked()).found_by == "the default socket"


@pytest.mark.parametrize(
    ("place", "more", "known"),
    [
        ("run/podman/podman.sock", {}, True),
        ("system/podman/podman.sock", {}, True),
        ("other/podman/podman.sock", {}, False),
        ("run/podman/podman.sock", {"CONTAINER_CONNECTION": "lab"}, False),
    ],
)
def test_podmans_own_command_needs_no_address_for_its_users_socket_alone(
    asked: Callable[..., Request], tmp_path: Path, place: str, more: dict[str, str], known: bool
) -> None:
    path = put_socket(tmp_path / place)
    assert contexts.find(asked(DOCKER_HOST=f"unix://{path}", **more)).known_to_podman is known
    os.chown(path, 12345, 12345)
    assert not contexts.find(asked(DOCKER_HOST=f"unix://{path}", **more)).known_to_podman, "it is another user's"


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("run/podman/podman.sock", "systemctl --user enable --now podman.socket"),
        ("system/podman/podman.sock", "sudo systemctl enable --now podman.socket"),
        ("default.sock", "sudo systemctl enable --now podman.socket"),  # a link, as the package podman-docker makes it
    ],
)
def test_a_socket_of_podmans_that_nobody_listens_on(
    asked: Callable[..., Request], tmp_path: Path, place: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / place
    if place == "default.sock":
        path.symlink_to(tmp_path / "system/podman/podman.sock")
    else:
        path.parent.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    monkeypatch.setattr(source, "ROOTFUL_SOCKET", podman_connections.ROOTFUL_SOCKET)
    refused = refusal(asked(DOCKER_HOST=f"unix://{path}"))
    assert (refused.command, "Podman" in refused.hint) == (command, True)


@pytest.mark.parametrize(("there", "is_podman"), [(("podman",), True), (("podman", "docker"), False), ((), False)])
def test_podman_without_its_socket(
    asked: Callable[..., Request], there: tuple[str, ...], is_podman: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "find_program", lambda name: f"/usr/bin/{name}" if name in there else None)
    refused = refusal(asked())
    assert ("podman.socket" in str(refused.command)) is is_podman


def _described(tmp_path: Path, **info: Any) -> Any:
    """What becomes of an engine that says this of itself; the version and the rest of the talk are Podman's."""

    class Client:
        api = type("Api", (), {"api_version": "1.41"})

        def info(self) -> dict[str, Any]:
            return info

    return source._describe(Client(), Endpoint(f"unix://{tmp_path}", "DOCKER_HOST"))  # type: ignore[arg-type]


def test_what_podman_says_of_itself(tmp_path: Path) -> None:
    found = _described(tmp_path, BuildahVersion="1.28.2", ServerVersion="4.3.1", Rootless=True, SecurityOptions=["name=seccomp"])
    assert (found.podman, found.rootless, found.version, found.program) == (True, True, "4.3.1", "podman")
    assert found.owner == f"{os.getuid()}:{os.getgid()}" and not found.same_user_ids
    assert found.selinux, "it does not tell, so the commands that are printed allow for it"
    rootful = _described(tmp_path, BuildahVersion="1.28.2", Rootless=False)
    assert (rootful.rootless, rootful.owner, rootful.same_user_ids) == (False, "", True)


@pytest.mark.parametrize(
    ("told", "role"),
    [
        ({"LocalNodeState": "active", "ControlAvailable": True}, "manager"),
        ({"LocalNodeState": "active", "ControlAvailable": False}, "worker"),
        ({"LocalNodeState": "inactive", "ControlAvailable": True}, ""),
        (None, ""),
        ("active", ""),
    ],
)
def test_what_an_engine_is_in_a_swarm(tmp_path: Path, told: object, role: str) -> None:
    assert _described(tmp_path, Swarm=told).swarm == role


def test_a_path_is_no_address_of_dockers(asked: Callable[..., Request]) -> None:
    refused = refusal(asked(DOCKER_HOST="/run/podman/podman.sock"))
    assert "unix:///run/podman/podman.sock" in refused.hint
