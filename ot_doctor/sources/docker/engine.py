"""The Docker engine, asked with a deadline."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import ssl
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ot_doctor.core.deadline import within
from ot_doctor.core.files import NotAFile, TooLarge, read_small
from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import AS_ROOT, Request, Unavailable
from ot_doctor.evidence.workers import Engine
from ot_doctor.sources.docker.contexts import LARGEST_SETTINGS, Endpoint, find
from ot_doctor.sources.docker.forwarding import forwarded, trouble
from ot_doctor.sources.docker.podman_connections import ROOTFUL_SOCKET
from ot_doctor.sources.docker.refusals import refusal
from ot_doctor.sources.docker.transport import NotDockers, an_object, bounded_client
from ot_doctor.sources.programs import find as find_program

if TYPE_CHECKING:
    import docker
    from docker.tls import TLSConfig

_LONGEST_ANSWER = 5.0  # seconds that one answer of the engine may take, however much time the run has
_SHORTEST_DEADLINE = 0.05  # the SDK takes 0 for "do not wait at all" and fails


def connect(request: Request) -> tuple[docker.DockerClient, Engine]:
    """Find the engine and greet it. Raises ``Unavailable``, with a text of its own for each way in which that goes wrong."""
    endpoint = find(request)
    deadline = answer_deadline(request)

    url = _url(endpoint, request)

    def greet() -> tuple[docker.DockerClient, Engine]:
        client = _client(endpoint, url, deadline)
        try:
            return client, _describe(client, endpoint)
        except BaseException:
            client.close()
            raise

    try:
        with Asking(endpoint, deadline):
            return within(2 * deadline, greet)  # the SDK's own deadline is for each piece of an answer, not for the whole
    except Unavailable as error:
        raise (endpoint.ssh and trouble(endpoint.ssh, request.environ, deadline)) or error from None


def reconnect(engine: Engine, request: Request) -> docker.DockerClient:
    """A client of its own for another source. No request is sent; wrap those that follow in ``asking``."""
    endpoint = find(request)
    if endpoint.url != engine.endpoint:
        raise Unavailable(f"The Docker engine at {engine.endpoint} is not the one that is found now ({endpoint}).")
    deadline = answer_deadline(request)
    url = _url(endpoint, request)
    with Asking(endpoint, deadline):
        return _client(endpoint, url, deadline, engine.api_version or None)


def asking(client: docker.DockerClient, engine: Engine, request: Request) -> Asking:
    """Around requests of a client: gives each what is left of the time, and turns its errors into ``Unavailable``.

    ``docker.errors.NotFound`` passes through: a container that went away is no trouble with the engine.
    """
    deadline = max(_SHORTEST_DEADLINE, min(2 * _LONGEST_ANSWER, request.remaining()))
    client.api.timeout = deadline  # type: ignore[assignment]  # a float is as good
    return Asking(Endpoint(engine.endpoint, engine.found_by), deadline, greeted=True)


def answer_deadline(request: Request) -> float:
    """Seconds to wait for the engine's first answer."""
    return max(_SHORTEST_DEADLINE, min(_LONGEST_ANSWER, request.remaining() / 3))


# -- asking ----------------------------------------------------------------------------------------------------------


def _url(endpoint: Endpoint, request: Request) -> str:
    """What the SDK connects to. Raises ``Unavailable`` where ``ssh`` does not get through to another machine."""
    if endpoint.ssh is None:
        return endpoint.url
    return f"unix://{forwarded(endpoint.ssh, request.environ, request.remaining() / 2)}"


def _client(endpoint: Endpoint, url: str, deadline: float, api_version: str | None = None) -> docker.DockerClient:
    _silence()
    _refuse_odd_settings()
    tls: TLSConfig | bool = _tls(endpoint) if endpoint.tls else False
    return bounded_client(base_url=url, version=api_version or "auto", timeout=deadline, tls=tls)


def _refuse_odd_settings() -> None:
    """The SDK reads the Docker CLI's settings by itself, whole, whatever the file is."""
    from docker.utils.config import find_config_file

    found = find_config_file()
    if found is None:
        return
    path = Path(str(found))
    try:
        json.loads(read_small(path, LARGEST_SETTINGS)[0])
    except (NotAFile, TooLarge) as error:
        what = str(error)
    except RecursionError:
        what = f"{path} is nested too deeply"
    except (OSError, ValueError):  # the SDK passes over such a file, as the CLI does
        return
    else:
        return
    raise Unavailable(
        f"The settings of the Docker command cannot be read: {printable(what)}.",
        hint="Put a regular file there, or name another folder with DOCKER_CONFIG.",
    )


def _tls(endpoint: Endpoint) -> TLSConfig:
    from docker.tls import TLSConfig

    folder = endpoint.certificates or Path()
    ca, cert, key = (str(path) if (path := folder / f"{name}.pem").is_file() else "" for name in ("ca", "cert", "key"))
    return TLSConfig(client_cert=(cert, key) if cert and key else None, ca_cert=ca or None, verify=endpoint.verify)


def _silence() -> None:
    """The SDK and the libraries under it must not write to the terminal: what goes wrong is in the report."""
    warnings.filterwarnings("ignore", module=r"(docker|requests|urllib3)(\.|$)")
    for name in ("docker", "requests", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _describe(client: docker.DockerClient, endpoint: Endpoint) -> Engine:
    from docker.errors import APIError

    told = True
    try:
        info = an_object(client.info())
    except APIError as error:
        if not refusal(error.response):
            raise
        info, told = {}, False  # a socket proxy need not allow it
    podman = "BuildahVersion" in info or (not told and endpoint.of_podman)
    options = " ".join(str(option) for option in info.get("SecurityOptions") or ())
    rootless = "name=rootless" in options or info.get("Rootless") is True  # Docker's word, and Podman's
    return Engine(
        endpoint=endpoint.url,
        found_by=endpoint.found_by,
        context=endpoint.context,
        version=printable(str(info.get("ServerVersion") or "")),
        operating_system=printable(str(info.get("OperatingSystem") or "")),
        rootless=rootless,
        owner=_owner(endpoint) if rootless else "",
        userns_remap="name=userns" in options,
        data_root=printable(str(info.get("DockerRootDir") or "")),
        memory=memory if isinstance(memory := info.get("MemTotal"), int) else 0,
        known_to_cli=endpoint.known_to_podman if podman else endpoint.known_to_cli,
        api_version=printable(client.api.api_version),
        podman=podman,
        selinux=podman or "name=selinux" in options,  # Podman does not tell, and what it leads to harms nobody without it
        swarm=_swarm(info.get("Swarm")),
        platform=sys.platform,
        told=told,
        machine=endpoint.ssh.machine if endpoint.ssh else "",
    )


def _owner(endpoint: Endpoint) -> str:
    """Whose the socket is; who forwards one from another machine has it, too."""
    try:
        of = endpoint.socket.stat() if endpoint.socket else None
    except (OSError, ValueError):
        of = None
    return f"{of.st_uid}:{of.st_gid}" if of else ""


def _swarm(told: object) -> str:
    if not isinstance(told, dict) or told.get("LocalNodeState") != "active":
        return ""
    return "manager" if told.get("ControlAvailable") is True else "worker"


# What the SDK raises over an answer of an unexpected shape, and ``NotDockers`` among them.
_NOT_UNDERSTOOD = (ValueError, TypeError, LookupError, AttributeError, RecursionError, MemoryError)


def not_dockers(endpoint: Endpoint | Engine, error: BaseException) -> Unavailable:
    """What an answer becomes that no engine gives."""
    where = endpoint if isinstance(endpoint, Endpoint) else f"{endpoint.endpoint} ({endpoint.found_by})"
    why = str(error) if isinstance(error, NotDockers) else "it does not have the expected shape"
    return Unavailable(
        f"The engine at {where} gave an answer that is not Docker's: {why}.",
        hint="Check the address: DOCKER_HOST, or 'docker context ls'. Then check with 'docker version' what answers there.",
        command="docker version",
    )


class Asking:
    """A context in which errors of the SDK, and of the four libraries under it, become ``Unavailable``."""

    def __init__(self, endpoint: Endpoint, deadline: float, *, greeted: bool = False) -> None:
        self._endpoint = endpoint
        self._deadline = deadline
        self._greeted = greeted

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, Unavailable):
            return
        from docker.errors import DockerException, NotFound
        from urllib3.exceptions import HTTPError

        troubles = (DockerException, OSError, http.client.HTTPException, HTTPError)
        if self._greeted and isinstance(error, NotFound):
            return
        if self._greeted and isinstance(error, _NOT_UNDERSTOOD) and (isinstance(error, NotDockers) or _in_the_sdk(trace)):
            raise not_dockers(self._endpoint, error) from error
        if self._greeted and not isinstance(error, troubles):
            return  # a fault of ours, and is to show as one
        raise _explain(error, self._endpoint, self._deadline) from error


def _in_the_sdk(trace: TracebackType | None) -> bool:
    """Whether an error was raised within the SDK: one of the caller's own is no answer's fault."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).startswith("docker."):
            return True
        trace = trace.tb_next
    return False


def _explain(error: Exception, endpoint: Endpoint, deadline: float) -> Unavailable:
    from docker.errors import APIError, InvalidVersion, NotFound, TLSParameterError
    from requests import Timeout

    chain = list(_chain(error))

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((e for e in chain if isinstance(e, kinds)), None)

    said = clipped(next((text for e in reversed(chain) if (text := printable(str(e)).strip())), type(error).__name__), 300)
    if isinstance(refused := among(APIError), APIError) and not among(NotFound):
        if left_out := refusal(refused.response):
            return left_out
        return Unavailable(f"The Docker engine at {endpoint} answers with an error: {clipped(printable(str(refused)), 300)}")
    if among(InvalidVersion):
        return Unavailable(f"The engine at {endpoint} speaks an API version that ot-doctor cannot use: {said}", "Update Docker.")
    if among(TLSParameterError, ssl.SSLError):
        return Unavailable(
            f"No TLS connection to the Docker engine at {endpoint}: {said}",
            hint="Check DOCKER_TLS_VERIFY, and ca.pem, cert.pem, key.pem in DOCKER_CERT_PATH or of the context.",
        )
    if among(FileNotFoundError, NotADirectoryError):
        return _not_started(endpoint, "there is no such socket")
    if among(ConnectionRefusedError):
        return _not_started(endpoint, _why_refused(endpoint))
    if among(PermissionError):
        return _not_allowed(endpoint)
    if among(Timeout, TimeoutError, BlockingIOError):
        return Unavailable(
            f"The Docker engine at {endpoint} accepted the connection but did not reply within {deadline:.1f} s.",
            hint="Restart Docker (running containers may stop), then check with 'docker version' that it answers.",
            command=_systemctl("restart", endpoint),
        )
    if among(socket.gaierror):
        return Unavailable(f"The Docker engine at {endpoint} cannot be reached: its name does not resolve ({said}).")
    if among(ConnectionError, BrokenPipeError):
        return Unavailable(f"What listens at {endpoint} closes the connection without an answer.", "Restart Docker.")
    if nonsense := among(NotDockers):
        return not_dockers(endpoint, nonsense)
    if among(NotFound, http.client.HTTPException, KeyError, TypeError, AttributeError, ValueError):
        return Unavailable(
            f"What answers at {endpoint} is not a Docker engine: its answer cannot be read ({said}).",
            hint="Check the address: DOCKER_HOST, or 'docker context ls'.",
        )
    return Unavailable(f"The Docker engine at {endpoint} cannot be asked: {said}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it came from: the libraries hide them in causes, contexts and arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _why_refused(endpoint: Endpoint) -> str:
    if endpoint.socket is None:
        return "the connection is refused"
    try:
        is_socket = stat.S_ISSOCK(endpoint.socket.stat().st_mode)
    except OSError:
        is_socket = True
    return "the socket is there, and nobody listens on it" if is_socket else f"{endpoint.socket} is not a socket"


def _systemctl(verb: str, endpoint: Endpoint) -> str | None:
    """For the system-wide engine and for Podman; others are started in too many ways."""
    if endpoint.of_podman:
        of_system = endpoint.is_default or endpoint.socket == ROOTFUL_SOCKET
        return f"{'sudo systemctl' if of_system else 'systemctl --user'} {verb} podman.socket"
    return f"sudo systemctl {verb} docker" if endpoint.is_default else None


def _not_started(endpoint: Endpoint, seen: str) -> Unavailable:
    if endpoint.of_podman or (endpoint.is_default and find_program("podman") and not find_program("docker")):
        scope = "systemctl --user" if os.geteuid() else "systemctl"
        return Unavailable(
            f"No engine answers at {endpoint}: {seen}.",
            hint="Podman answers only while its socket is enabled. Enable it as the user whose containers they are.",
            command=_systemctl("enable --now", endpoint) if endpoint.of_podman else f"{scope} enable --now podman.socket",
        )
    return Unavailable(
        f"No Docker engine answers at {endpoint}: {seen}.",
        hint="Either start Docker, or install it, or name its address (DOCKER_HOST, 'docker context ls').",
        command=_systemctl("start", endpoint),
    )


def _not_allowed(endpoint: Endpoint) -> Unavailable:
    return Unavailable(
        f"You are not allowed to use the Docker socket {endpoint} (permission denied).",
        hint="Run ot-doctor as root. (A member of the group docker needs no sudo, and has the rights of root.)",
        command=AS_ROOT,
    )
