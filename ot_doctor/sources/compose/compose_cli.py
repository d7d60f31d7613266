"""Asks Compose itself what files say that use ``extends``, ``include``, ``!reset`` or ``!override``.

Compose's program is started, which nothing else here does, so that nothing of the examined folder can make it do more than read:

- it is the program of a folder that root alone can write to, started by itself: no ``docker``, whose settings name plug-ins;
- it gets none of the user's variables and settings, no ``.env``, no engine, and no search path to find ``git`` in;
- it does not fill in ``${…}``: that is done here, as for all other files;
- ``include`` and ``extends`` may name files on this machine alone. They are looked at first; Compose's own loaders are off.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from ot_doctor.core.debug_log import note
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request
from ot_doctor.evidence.deployment import Deployment
from ot_doctor.sources import programs
from ot_doctor.sources.compose.yaml_tree import Tree, Unusable, documents, parsed

PROGRAMS = (
    "/usr/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
    "/usr/local/libexec/docker/cli-plugins/docker-compose",
    "/usr/local/lib/docker/cli-plugins/docker-compose",
    "/usr/bin/docker-compose",
    "/usr/local/bin/docker-compose",
)
_ENVIRONMENT = {
    "PATH": "/nonexistent",
    "HOME": "/nonexistent",
    "DOCKER_CONFIG": "/nonexistent",
    "DOCKER_HOST": "unix:///nonexistent",
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
}
_LONGEST = 10.0  # seconds
_LARGEST = 4 * 1024 * 1024  # bytes of the answer
_MOST_FILES = 50  # that include or extend each other
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*:|git@|github\.com/|[^/]*@[^/]*:", re.IGNORECASE)
_TAGS = ("!reset", "!override")

Documents = Mapping[Path, list[yaml.Node]]


# -- what the files use ----------------------------------------------------------------------------------------------


class Construct(NamedTuple):
    """A place where a file uses what our own reading does not follow."""

    path: Path
    line: int
    name: str  # "include"


def unfollowed(files: Documents) -> list[Construct]:
    """All such places."""
    return [Construct(path, line, name) for path, nodes in files.items() for node in nodes for name, line in _constructs(node)]


def _constructs(document: yaml.Node) -> Iterator[tuple[str, int]]:
    tree = Tree()
    include = tree.get(document, "include")
    if include is not None:
        yield "include", include.start_mark.line + 1
    for _, (_, service) in tree.pairs(tree.get(document, "services")):
        extends = tree.get(service, "extends")
        if extends is not None:
            yield "extends", extends.start_mark.line + 1
    yield from _tags(document)


def _tags(document: yaml.Node) -> Iterator[tuple[str, int]]:
    waiting, seen = [document], {id(document)}
    while waiting:
        node = waiting.pop()
        if node.tag in _TAGS:
            yield node.tag, node.start_mark.line + 1
        inner = [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else []
        inner += node.value if isinstance(node, yaml.SequenceNode) else []
        new = [one for one in inner if id(one) not in seen]
        seen.update(map(id, new))
        waiting += new


def bases(files: Documents) -> Callable[[str], list[str]]:
    """A function from a service to itself and all that it extends, the nearest first."""
    extended: dict[str, dict[str, None]] = {}
    for nodes in files.values():
        for document in nodes:
            tree = Tree()
            for name, (_, service) in tree.pairs(tree.get(document, "services")):
                extends = tree.get(service, "extends")
                base = _text(extends) or _text(tree.get(extends, "service"))
                if base:
                    extended.setdefault(name, {})[base] = None

    def chain(service: str) -> list[str]:
        found = {service: None}
        waiting = [service]
        while waiting:
            new = [base for base in extended.get(waiting.pop(0), ()) if base not in found]
            found.update(dict.fromkeys(new))
            waiting += new
        return list(found)

    return chain


def local_files(files: Documents, home: Path) -> dict[Path, list[yaml.Node]]:
    """The files and all that they include and extend. Raises ``Unusable`` for one that is not a file of this machine.

    ``home`` is the folder that the paths of the files in use refer to.
    """
    found = dict(files)
    waiting = [(path, home) for path in files]
    while waiting:
        path, folder = waiting.pop(0)
        for named in _named_files(found[path]):
            other = _local(named, folder)
            if other in found:
                continue
            if len(found) >= _MOST_FILES:
                raise Unusable(f"more than {_MOST_FILES} files include or extend each other")
            try:
                found[other] = documents(other)
            except Unusable as error:
                raise Unusable(f"{other}: {error}") from None
            if other.parent != home and os.path.lexists(other.parent / ".env"):
                raise Unusable(f"{other.parent / '.env'} gives values to {other}, which ot-doctor does not follow")
            waiting.append((other, other.parent))
    return found


def _named_files(nodes: list[yaml.Node]) -> Iterator[str]:
    for document in nodes:
        tree = Tree()
        for entry in tree.items(tree.get(document, "include")):
            if tree.get(entry, "env_file") is not None or tree.get(entry, "project_directory") is not None:
                raise Unusable("an include with an env_file or a project_directory is not followed")
            path = tree.get(entry, "path") or entry
            yield from ([_text(one) for one in tree.items(path)] if isinstance(path, yaml.SequenceNode) else [_text(path)])
        for _, (_, service) in tree.pairs(tree.get(document, "services")):
            file = tree.get(service, "extends", "file")
            if file is not None:
                yield _text(file)


def _local(named: str, folder: Path) -> Path:
    if _REMOTE.match(named) or "$" in named or not named:
        raise Unusable(f"it names '{printable(named)}', which is not the path of a file on this machine: nothing is fetched")
    return Path(os.path.normpath(folder / named))


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


# -- the program -----------------------------------------------------------------------------------------------------


def program(request: Request, deployment: Deployment) -> str | None:
    """Compose's program in a folder that root alone can write to; never one of the examined or the working folder."""
    folders = {os.path.realpath(folder) for folder in (request.cwd, deployment.directory, deployment.home)}
    for name in PROGRAMS:
        real = os.path.realpath(name)
        if os.path.dirname(real) not in folders and os.path.isfile(real) and _only_root_writes(Path(real)):
            return real
    return None


def _only_root_writes(path: Path) -> bool:
    try:
        statuses = [os.stat(one) for one in (path, *path.parents)]
    except OSError:
        return False
    return all(status.st_uid == 0 and not status.st_mode & (0o002 if status.st_gid == 0 else 0o022) for status in statuses)


def ask(request: Request, deployment: Deployment) -> tuple[list[yaml.Node], str]:
    """Compose's reading of the files in use, and the program that gave it. Raises ``Unusable``."""
    if request.no_docker:
        raise Unusable("Docker checks are off (--no-docker)")
    found = program(request, deployment)
    if found is None:
        folders = ", ".join(dict.fromkeys(os.path.dirname(name) for name in PROGRAMS))
        raise Unusable(f"there is no docker-compose that root alone can change in {folders}")
    command = [found, "--project-name", "ot-doctor", "--project-directory", str(deployment.home), "--env-file", os.devnull]
    command += ["--profile", "*"]
    for path in deployment.compose_files:
        command += ["--file", str(path)]
    command += ["config", "--no-interpolate", "--format", "json"]
    seconds = max(0.1, min(_LONGEST, request.remaining() / 2))
    try:
        ended = programs.run(command, _ENVIRONMENT, "/", seconds, most=_LARGEST)
    except TimeoutError:
        raise Unusable("Compose did not end in time") from None
    except programs.TooMuchOutput:
        raise Unusable(f"Compose's answer is larger than {_LARGEST // 2**20} MiB") from None
    except OSError as error:
        note(found, error)
        raise Unusable(f"{found} cannot be started: {error.strerror or error}") from None
    if ended.code:
        lines = printable(ended.errors).strip().splitlines()
        raise Unusable(f"Compose refuses them: {lines[-1][:300] if lines else f'exit code {ended.code}'}")
    return parsed(ended.output), found
