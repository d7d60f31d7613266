"""Where Podman's own variables and settings say that its service is: CONTAINER_HOST, and ``podman system connection``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.evidence.base import Request

ROOTFUL_SOCKET = Path("/run/podman/podman.sock")
_SYSTEM = (Path("/etc/containers/containers.conf"), Path("/usr/share/containers/containers.conf"))
_LARGEST = 1024 * 1024  # bytes of a file of settings


def address(request: Request, name: str = "") -> tuple[str, str] | None:
    """The name and the address of a connection, of the default one without a name; ``None`` where there is none."""
    settings = list(_settings(request))
    name = name or next((one for one, _ in settings if one), "")
    found = next((known[name] for _, known in settings if name in known), "")
    return (name, found) if found else None


def _settings(request: Request) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Of each file, the one that decides first: the name of its default connection, and the addresses by name.

    Podman 5 keeps what the user adds in a file of its own; before, it was in the user's containers.conf.
    """
    environ = request.environ
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
    own = Path(home) / "containers"
    path = Path(environ.get("PODMAN_CONNECTIONS_CONF") or own / "podman-connections.json")
    added = _object(_read(path, json.loads), "Connection")
    yield _text(added.get("Default")), _addresses(_object(added, "Connections"), "URI")
    only = environ.get("CONTAINERS_CONF")
    for path in (Path(only),) if only else (own / "containers.conf", *_SYSTEM):
        engine = _object(_read(path, _toml), "engine")
        yield _text(engine.get("active_service")), _addresses(_object(engine, "service_destinations"), "uri")


def _addresses(connections: Mapping[str, Any], key: str) -> dict[str, str]:
    return {name: uri for name in connections if (uri := _text(_object(connections, name).get(key)))}


def _read(path: Path, parse: Any) -> Mapping[str, Any]:
    """What a file of settings says; nothing where it is absent or cannot be read."""
    try:
        content = parse(read_small(path, _LARGEST)[0].decode("utf-8"))
    except (OSError, TooLarge, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _toml(text: str) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # pragma: no cover
        import tomli as tomllib

    found: Mapping[str, Any] = tomllib.loads(text)
    return found


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
