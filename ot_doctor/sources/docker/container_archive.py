"""A container's files through the engine's archive: of a stopped one too, with nothing run in it and no tar taken whole.

While an archive is read, the engine keeps the container locked, and it mounts what the container has mounted: a source of a bind
mount that is gone is made again by the engine, as an empty folder. So each answer is closed at once, and ``may_be_read`` looks
first where it can.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from ot_doctor.core.deadline import TookTooLong, within
from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.refusals import refusal
from ot_doctor.sources.docker.tar_stream import Cut, TarMember, members
from ot_doctor.sources.docker.transport import NotDockers

if TYPE_CHECKING:
    import requests

_T = TypeVar("_T")
_LONGEST = 10.0  # seconds for everything that is read of one container
_LONGEST_REQUEST = 3.0  # seconds; one takes some milliseconds
_MOST_REQUESTS = 250
_MOST_BYTES = 64 * 1024 * 1024  # of all answers together
_HEADER = "X-Docker-Container-Path-Stat"
_LONGEST_STAT = 64 * 1024  # characters
_GO_SYMLINK = 1 << 27


class PathRefused(ValueError):
    """The engine could not look at this one path; the text is its own, such as ``lstat /a/b: not a directory``."""


@dataclass(frozen=True)
class PathStat:
    """What a HEAD tells: links are resolved in the container."""

    size: int  # bytes; of a link itself, the length of its target
    target: str  # where a link leads in the end, absolute; empty for what is no link


def may_be_read(worker: Worker) -> bool:
    """Whether nothing shows that the engine would have to make a folder on the host for it."""
    if not worker.engine.endpoint.startswith("unix://") or worker.engine.in_vm:
        return True
    return not any(mount.kind == "bind" and mount.source.startswith("/") and _gone(mount.source) for mount in worker.mounts)


def _gone(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # not for us to see
        return False
    return False


class ContainerArchive:
    """Asks one engine about one container, within one deadline and one bound on requests and bytes. Close it.

    Each method raises ``Unavailable`` when the engine does not answer, when it, or a proxy, refuses, and when a bound is reached,
    and ``PathRefused`` for a path that it cannot look at.
    """

    def __init__(self, request: Request, worker: Worker) -> None:
        self._request = request
        self._worker = worker
        self._until = time.monotonic() + min(_LONGEST, request.remaining() / 2)
        self._requests_left = _MOST_REQUESTS
        self._bytes_left = _MOST_BYTES
        self._client = reconnect(worker.engine, request)

    def close(self) -> None:
        self._client.close()

    def stat(self, path: str) -> PathStat | None:
        """``None`` when nothing is there."""

        def ask(seconds: float) -> PathStat | None:
            response = self._client.api.head(self._url(), params={"path": path}, timeout=seconds)
            return _path_stat(response) if self._found(response) else None

        return self._ask(ask)

    def first(self, path: str, head: int = 0) -> TarMember | None:
        """What is there, without following a link, and the first bytes of a file; ``None`` when nothing is there."""
        return self._members(path, head, head + 256 * 1024, lambda members: next(members, None), nothing=None)

    def below(self, path: str, most_bytes: int, head: int = 0) -> tuple[list[TarMember], bool]:
        """What is there and everything below it, as far as ``most_bytes`` of the tar tell; and whether that was all."""
        found: list[TarMember] = []
        return found, self.walk(path, most_bytes, head, found.append)

    def walk(self, path: str, most_bytes: int, head: int, visit: Callable[[TarMember], None]) -> bool:
        """The same, one after the other; what was visited before a bound was reached, or an error, counts."""

        def each(members: Iterator[TarMember]) -> bool:
            try:
                for member in members:
                    visit(member)
            except Cut:
                return False
            return True

        return self._members(path, head, most_bytes, each, nothing=True)

    def read(self, path: str, most: int) -> bytes | None:
        """A regular file's content, cut off; ``None`` when there is none. A link is followed."""
        member = self.first(path, most)
        if member is not None and member.link:
            where = self.stat(path)
            member = self.first(where.target, most) if where and where.target else None
        return member.head if member is not None and member.mode.startswith("-") else None

    # -- asking ------------------------------------------------------------------------------------------------------

    def _members(
        self, path: str, head: int, most_bytes: int, use: Callable[[Iterator[TarMember]], _T], *, nothing: _T
    ) -> _T:
        def ask(seconds: float) -> _T:
            headers = {"Accept-Encoding": "identity"}  # the engine would pack the whole of it
            asked = self._client.api.get(self._url(), params={"path": path}, stream=True, headers=headers, timeout=seconds)
            with closing(asked) as response:
                if not self._found(response):
                    return nothing
                return use(members(self._counted(response), head=head, most=min(most_bytes, self._bytes_left)))

        return self._ask(ask)

    def _counted(self, response: requests.Response) -> Callable[[int], bytes]:
        def read(size: int) -> bytes:
            data: bytes = response.raw.read(size, decode_content=False)
            self._bytes_left -= len(data)
            return data

        return read

    def _url(self) -> str:
        api = self._client.api
        return f"{api.base_url}/v{api.api_version}/containers/{quote(self._worker.id)}/archive"

    def _found(self, response: requests.Response) -> bool:
        if response.status_code == 404:
            return False
        if refused := refusal(response):
            raise refused
        if response.status_code != 200:
            raise PathRefused(_message(response))
        return True

    def _ask(self, ask: Callable[[float], _T]) -> _T:
        seconds = min(_LONGEST_REQUEST, self._until - time.monotonic())
        if seconds <= 0 or self._requests_left <= 0 or self._bytes_left <= 0:
            raise Unavailable(f"The engine's archive of {self._worker.name} was not read to the end: it takes too much.")
        self._requests_left -= 1

        def asked() -> _T:
            with asking(self._client, self._worker.engine, self._request):
                return ask(seconds + 1)  # the socket's own, for whoever is left behind

        try:
            return within(seconds, asked)
        except TookTooLong:
            raise Unavailable(f"The engine did not show a file of {self._worker.name} within {seconds:.1f} s.") from None


def _path_stat(response: requests.Response) -> PathStat:
    text = response.headers.get(_HEADER, "")
    try:
        if len(text) > _LONGEST_STAT:
            raise ValueError
        header = json.loads(base64.b64decode(text, validate=True))
        size, mode, target = header["size"], header["mode"], header.get("linkTarget") or ""
        if not (isinstance(size, int) and isinstance(mode, int) and isinstance(target, str)):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotDockers(f"its {_HEADER} cannot be read") from None
    link = posixpath.normpath(posixpath.join("/", target)) if mode & _GO_SYMLINK and target and "\0" not in target else ""
    return PathStat(max(size, 0), link)


def _message(response: requests.Response) -> str:
    try:
        text = str(response.json()["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = f"HTTP {response.status_code}"
    return clipped(printable(text), 300)
