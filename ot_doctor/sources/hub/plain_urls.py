"""Addresses that every client reads alike, so that the server that is compared is the one that is connected to."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin

# What RFC 3986 allows behind the server: no blank, backslash, control character or letter beyond ASCII.
_PLAIN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?#%-]*")
_SERVER = re.compile(r"(https?)://([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?=[/?#]|\Z)", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """A server: what decides whether a token may go there."""

    scheme: str  # in lower case
    host: str  # in lower case, as it is written
    port: int  # the scheme's own where none is written

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def origin(url: str) -> Origin | None:
    """The server of an absolute http or https address; ``None`` where clients might not agree which one it is."""
    server = _SERVER.match(url)
    if server is None or not _PLAIN.fullmatch(url, server.end()):
        return None
    scheme = server[1].lower()
    port = int(server[3]) if server[3] else _PORTS[scheme]
    return Origin(scheme, server[2].lower(), port) if 0 < port < 65536 else None


def same_server(url: str, location: str) -> str | None:
    """Where ``location``, the target of a redirect of ``url``, leads on the very same server; ``None`` where it leads elsewhere.

    The answer begins with the server as ``url`` spells it: no part of ``location`` is left to be read as a server.
    """
    server = _SERVER.match(url)
    if server is None or not location:
        return None
    if location.startswith("//"):
        location = f"{server[1]}:{location}"
    if _SCHEME.match(location):
        target = _SERVER.match(location)
        if target is None or origin(location) is None or origin(location) != origin(url):
            return None
        rest = location[target.end() :]
    elif _PLAIN.fullmatch(location):
        joined = urljoin(url, location)
        if not joined.startswith(server[0]):
            return None
        rest = joined[server.end() :]
    else:
        return None
    rest = rest.partition("#")[0]
    return server[0] + (rest if rest.startswith("/") else f"/{rest}")
