"""Where the engine is, found as the Docker CLI finds it, and then as Podman does: variables, contexts and sockets."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import LOG_ALONE, Request, Unavailable
from ot_doctor.sources.docker import podman_connections
from ot_doctor.sources.ssh import SshAddress, address_of

DEFAULT_SOCKET = Path("/var/run/docker.sock")
LARGEST_SETTINGS = 4 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class Endpoint:
    """Where an engine should be, before it is asked."""

    url: str
    found_by: str
    known_to_cli: bool = True  # the docker command finds it by itself
    known_to_podman: bool = False  # the podman command does
    certificates: Path | None = None  # a folder with ca.pem, cert.pem and key.pem
    tls: bool = False
    verify: bool = True
    context: str = ""  # the Docker context's name, where one led to it
    ssh: SshAddress | None = None  # it is on another machine, and its socket is forwarded

    def __str__(self) -> str:
        return f"{self.url} ({self.found_by})"

    @property
    def socket(self) -> Path | None:
        scheme, _, path = self.url.partition("://")
        return Path("/" + path.lstrip("/")) if scheme in ("unix", "http+unix") else None

    @property
    def is_default(self) -> bool:
        """Whether it is the system-wide engine's socket."""
        return self.socket == DEFAULT_SOCKET

    @property
    def of_podman(self) -> bool:
        """Whether it is a socket of Podman's, or a link to one, as the package podman-docker has it at Docker's place."""
        return self.socket is not None and os.path.realpath(self.socket).endswith("/podman/podman.sock")


def find(request: Request) -> Endpoint:
    """Where the Docker CLI would look; then where Podman would; without a default socket also the places of other engines.

    What Docker's variables name comes before what Podman's name, and a variable before a file or a socket.
    """
    if request.no_docker:
        raise Unavailable("Docker checks are off (--no-docker).", switched_off=True)
    if request.log_alone:
        raise Unavailable(LOG_ALONE, switched_off=True)
    environ = request.environ
    if request.engine_of:
        machine = address_of(request.engine_of).machine
        endpoint = Endpoint(machine, "--host")
    elif request.context:
        named = request.context
        found = _local(request) if named == "default" else _asked_for(request, named)
        endpoint = replace(found, known_to_cli=False)
    elif host := environ.get("DOCKER_HOST", "").strip():
        endpoint = _from_environment(request, host)
    else:
        config = _config_folder(request)
        name, found_by = environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
        named_by_podman = None if name else _podmans_variables(request)
        if not name:
            name, found_by = _current_context(config), str(config / "config.json")
        endpoint = named_by_podman or (_context(config, name, found_by) if name not in ("", "default") else _local(request))
    if _over_ssh(endpoint.url):
        return _by_ssh(endpoint)
    return replace(endpoint, known_to_podman=endpoint.known_to_podman or _of_this_users_podman(request, endpoint))


def _by_ssh(endpoint: Endpoint) -> Endpoint:
    """The path of such an address is the socket's."""
    try:
        return replace(endpoint, ssh=address_of(endpoint.url))
    except ValueError as error:
        raise Unavailable(
            f"The Docker engine at {printable(str(endpoint))} cannot be reached: its address {error}.",
            hint="Write it as ssh://user@machine, or as ssh://user@machine/path/to/docker.sock.",
        ) from None


def _over_ssh(url: str) -> bool:
    """As the SDK reads an address: in any case, with blanks and control characters in it and around it."""
    try:
        return urlsplit(url.strip()).scheme == "ssh"
    except ValueError:
        return False  # the SDK refuses it in its own words


def _home(request: Request) -> Path:
    return Path(request.environ.get("HOME") or os.path.expanduser("~"))


def _runtime(request: Request) -> Path:
    return Path(request.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def _podmans_sockets(request: Request) -> tuple[Path, Path]:
    """This user's own, and the system's."""
    return _runtime(request) / "podman/podman.sock", podman_connections.ROOTFUL_SOCKET


def _of_this_users_podman(request: Request, endpoint: Endpoint) -> bool:
    """Whether the podman command of whoever asks works on the same containers by itself."""
    if endpoint.socket is None or any(request.environ.get(name) for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION")):
        return False
    try:
        real, owner = os.path.realpath(endpoint.socket), os.stat(endpoint.socket).st_uid
    except (OSError, ValueError):
        return False
    return owner == os.geteuid() and real in map(os.path.realpath, _podmans_sockets(request))


def _config_folder(request: Request) -> Path:
    named = request.environ.get("DOCKER_CONFIG")
    return Path(named) if named else _home(request) / ".docker"


def _from_environment(request: Request, host: str) -> Endpoint:
    """As the CLI does: DOCKER_TLS_VERIFY with any value, or DOCKER_CERT_PATH, turns TLS on for tcp:// addresses."""
    if host.startswith("/"):
        shown = printable(host)
        raise Unavailable(f"DOCKER_HOST is a path, {shown}, and must be an address.", hint=f"Set DOCKER_HOST=unix://{shown}.")
    verify, folder = request.environ.get("DOCKER_TLS_VERIFY", ""), request.environ.get("DOCKER_CERT_PATH", "")
    if host.startswith("unix://") or not (verify or folder):
        return Endpoint(host, "DOCKER_HOST")
    return Endpoint(host, "DOCKER_HOST", certificates=Path(folder or _config_folder(request)), tls=True, verify=bool(verify))


def _podmans_variables(request: Request) -> Endpoint | None:
    """As the podman command does."""
    if host := request.environ.get("CONTAINER_HOST", "").strip():
        return Endpoint(_with_scheme(host), "CONTAINER_HOST", known_to_cli=False, known_to_podman=True)
    name = request.environ.get("CONTAINER_CONNECTION", "")
    if not name:
        return None
    if (found := _podman_connection(request, name)) is None:
        raise Unavailable(
            f"The Podman connection '{printable(name)}', which CONTAINER_CONNECTION names, does not exist.",
            hint="List the connections there are, then choose one with CONTAINER_CONNECTION.",
            command="podman system connection list",
        )
    return replace(found, known_to_podman=True)


def _podman_connection(request: Request, name: str = "") -> Endpoint | None:
    """A connection of ``podman system connection``; the default one without a name. ``None`` where there is none."""
    if (found := podman_connections.address(request, name)) is None:
        return None
    name, url = printable(found[0]), _with_scheme(found[1])
    return Endpoint(url, f"the Podman connection '{name}'", known_to_cli=False, context=name)


def _with_scheme(address: str) -> str:
    """Podman takes a path for a socket, and one slash after ``unix:``."""
    path = address.removeprefix("unix:") if address.startswith("unix:/") else address
    return f"unix:///{path.lstrip('/')}" if path.startswith("/") else address


def _asked_for(request: Request, name: str) -> Endpoint:
    """A Docker context, or a Podman connection, of that name."""
    try:
        return _context(_config_folder(request), name, "--context")
    except Unavailable:
        if found := _podman_connection(request, name):
            return found
        raise


def _current_context(config: Path) -> str:
    content = _json(config / "config.json")
    name = content.get("currentContext")
    return name if isinstance(name, str) else ""


def _context(config: Path, name: str, found_by: str) -> Endpoint:
    identity = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    name = printable(name)
    meta = config / "contexts" / "meta" / identity / "meta.json"
    endpoints = _json(meta).get("Endpoints")
    settings = endpoints.get("docker") if isinstance(endpoints, dict) else None
    url = settings.get("Host") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(url, str) or not url:
        raise Unavailable(
            f"The Docker context '{name}', which {found_by} names, does not exist or names no engine ({meta}).",
            hint="List the contexts there are, then choose one with 'docker context use NAME' or DOCKER_CONTEXT.",
            command="docker context ls",
        )
    certificates = config / "contexts" / "tls" / identity / "docker"
    skip = settings.get("SkipTLSVerify") is True
    tls = not url.startswith("unix://") and (certificates.is_dir() or (skip and url.startswith("https://")))
    return Endpoint(
        url, f"the Docker context '{name}'", certificates=certificates if tls else None, tls=tls, verify=not skip, context=name
    )


def _local(request: Request) -> Endpoint:
    default = Endpoint(f"unix://{DEFAULT_SOCKET}", "the default socket")
    if os.path.lexists(DEFAULT_SOCKET):
        return default
    home, runtime = _home(request), _runtime(request)
    others = (
        (runtime / "docker.sock", "the rootless socket"),
        (home / ".docker/run/docker.sock", "the rootless socket"),
        (home / ".docker/desktop/docker.sock", "Docker Desktop's socket"),
        *((path, "Podman's socket") for path in _podmans_sockets(request)),
        (home / ".local/share/containers/podman/machine/podman.sock", "the Podman machine's socket"),
    )
    for path, found_by in others:
        if os.path.exists(path):
            return Endpoint(f"unix://{path}", found_by, known_to_cli=False)
    return _podman_connection(request) or default


def _json(path: Path) -> dict[str, Any]:
    """A JSON object of the Docker CLI's; empty where the file is absent or is none: the CLI takes it so, too."""
    try:
        content = json.loads(read_small(path, LARGEST_SETTINGS)[0])
    except (OSError, TooLarge, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
