"""What a proxy in front of the engine's socket, or an authorization plug-in, does not let through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ot_doctor.evidence.base import Unavailable

if TYPE_CHECKING:
    import requests

FORBIDDEN = 403
# By the path, without the version of the API; the first one that fits. The names are those of docker-socket-proxy.
_SWITCHES = (
    (r"(/containers/[^/]+)?/exec(/|$)", "run a command in a container", ("POST=1", "EXEC=1")),
    (r"/containers/[^/]+/archive", "read a file of a container", ("CONTAINERS=1",)),
    (r"/containers/[^/]+/logs", "read a container's log", ("CONTAINERS=1",)),
    (r"/containers/", "look at the containers", ("CONTAINERS=1",)),
    (r"/images/", "look at an image", ("IMAGES=1",)),
    (r"/(services|tasks|nodes)$", "ask the Swarm for its tasks", ("SERVICES=1", "TASKS=1", "NODES=1")),
    (r"/info", "ask what the engine is", ("INFO=1",)),
    (r"/version", "ask for the engine's version", ("VERSION=1",)),
)
_NEEDED = re.compile(r"/containers/json|/version")  # without these nothing is seen at all


def refusal(response: requests.Response | None) -> Unavailable | None:
    """What an answer with the status 403 becomes: left out by whoever set the proxy up, where something is seen without it."""
    if response is None or response.status_code != FORBIDDEN:
        return None
    return refused_path(urlsplit(str(response.url)).path)


def refused_path(path: str) -> Unavailable:
    """What it becomes that a path of the engine's API was refused."""
    plain = re.sub(r"^/v[\d.]+(?=/)", "", path)
    what, switches = next(((text, names) for form, text, names in _SWITCHES if re.match(form, plain)), ("do this", ()))
    named = f" ({' '.join(switches)})" if switches else ""
    return Unavailable(
        f"The Docker engine, or a proxy in front of its socket, does not allow to {what} (403){named}.",
        hint=f"Allow it in the socket proxy: {' and '.join(switches)} in docker-socket-proxy." if switches else "",
        switched_off=not _NEEDED.match(plain),
    )
