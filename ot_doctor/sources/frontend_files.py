"""Searches what browsers get for the secrets that this run knows: the served files, through the engine's archive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.env_file import ComposeConfig, EnvFile
from ot_doctor.evidence.frontend import Frontend, ServedSecret
from ot_doctor.evidence.workers import Role, Worker, Workers, fits
from ot_doctor.redaction.quick_search import QuickSearch
from ot_doctor.redaction.registry import current
from ot_doctor.sources.docker.container_archive import ContainerArchive, PathRefused, may_be_read
from ot_doctor.sources.docker.containers import Listed, from_list, inspected
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.tar_stream import TarMember
from ot_doctor.sources.docker.transport import objects_with_id

_IMAGE = "opentranscribe-frontend"
_USUAL = ("/usr/share/nginx/html", "/app/dist", "/app/build")
_SETTINGS = "/etc/nginx/conf.d"
_ROOT = re.compile(rb"""^[ \t]*root[ \t]+["']?(/[^\s;"']{1,200})["']?[ \t]*;""", re.MULTILINE)
_TOKEN = re.compile(r"hf_\w{30,}")
_TEXTS = (".js", ".mjs", ".cjs", ".html", ".htm", ".json", ".map", ".css", ".txt", ".xml", ".webmanifest", ".env", ".svg")
_MOST_SETTINGS = 256 * 1024  # bytes
_LARGEST_FILE = 8 * 1024 * 1024  # bytes that are searched of one file
_MOST_FILES = 48 * 1024 * 1024  # bytes of all of them, images and fonts with them
_MOST_SECRETS = 50


def gather(
    request: Request, workers: Workers, env: EnvFile | Unavailable, compose: ComposeConfig | Unavailable
) -> Frontend:
    """The first such container of the deployment. Raises ``Unavailable`` where there is none.

    ``env`` and ``compose``: what they know as secrets is looked for, so they are read before.
    """
    found = _container(request, workers)
    if found is None:
        raise Unavailable("No container that serves the web pages was found.", switched_off=True)
    search = _Search(found, QuickSearch({value: _called(value, name) for value, name in current().named().items()}))
    try:
        if not may_be_read(found):
            raise Unavailable(f"A folder that {found.name} has mounted is gone.")
        with closing(ContainerArchive(request, found)) as archive:
            search.run(archive)
    except (Unavailable, PathRefused) as error:
        search.not_searched = str(error)
    return search.result()


def _called(value: str, name: str) -> str:
    """A token is one whatever its variable is called: VITE_… says that it was meant for browsers, and it is not."""
    return "" if _TOKEN.fullmatch(value) and name not in ("HUGGINGFACE_TOKEN", "HF_TOKEN") else name


def _container(request: Request, workers: Workers) -> Worker | None:
    projects = {worker.compose.project for worker in workers.containers}
    client = reconnect(workers.engine, request)
    with closing(client):
        with asking(client, workers.engine, request):
            entries = objects_with_id(client.api.containers(all=True))
        listed = [one for entry in entries if (one := from_list(entry)) and one.project in projects and _serves(one)]
        listed.sort(key=lambda one: (not one.up, one.name))
        return next(iter(inspected(client, workers.engine, request, [(one, Role.OTHER) for one in listed[:1]])), None)


def _serves(one: Listed) -> bool:
    return fits(one.service, one.name, "frontend") or _IMAGE in one.image


class _Search:
    def __init__(self, container: Worker, known: QuickSearch) -> None:
        self._container = container
        self._known = known
        self._folder = ""
        self._files = 0
        self._found: list[ServedSecret] = []
        self.not_searched = ""

    def run(self, archive: ContainerArchive) -> None:
        for folder in dict.fromkeys((*_configured(archive), *_USUAL)):
            top = archive.first(folder)
            if top is not None and top.mode.startswith("d"):
                self._folder = folder
                if not archive.walk(folder, _MOST_FILES, _LARGEST_FILE, self._look):
                    self.not_searched = f"{folder} holds more than {_MOST_FILES // 2**20} MB"
                return
        self.not_searched = f"it has none of the usual folders ({', '.join(_USUAL)})"

    def _look(self, member: TarMember) -> None:
        if not member.name.lower().endswith(_TEXTS) or not member.mode.startswith("-"):
            return
        path = printable(f"{self._folder}/{member.name}").replace("\n", "?")
        for name in self._known.names_in(member.head):
            if len(self._found) < _MOST_SECRETS:
                self._found.append(ServedSecret(path, name))
        if member.size > len(member.head):
            self.not_searched = f"{path} has more than {_LARGEST_FILE // 2**20} MB"
        else:
            self._files += 1

    def result(self) -> Frontend:
        one = self._container
        found = tuple(self._found)
        return Frontend(one.name, one.compose.service, self._folder, self._files, found, self.not_searched, one.env)


def _configured(archive: ContainerArchive) -> Iterator[str]:
    """The folders that nginx' own settings name."""
    found: list[TarMember] = []
    try:
        archive.walk(_SETTINGS, _MOST_SETTINGS, _MOST_SETTINGS, found.append)
    except PathRefused:
        return
    for member in found:
        for folder in _ROOT.findall(member.head):
            yield printable(folder.decode("utf-8", "replace")).rstrip("/") or "/"
