"""The native engine's exported models: read on the host, else in a container that has them mounted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath

from ot_doctor.core.deadline import within
from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.native_engine import NativeModels
from ot_doctor.evidence.releases import NativeRules
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.container_archive import ContainerArchive, PathRefused, may_be_read
from ot_doctor.sources.docker.container_exec import Unresponsive, run_in

_LARGEST = 1_000_000  # bytes of the marker
_MOST_FILES = 500
_MOST_WRONG = 5
_LONGEST = 5.0  # seconds
_IN_CONTAINER = r"""
cd "$1" || exit 1
find . -type f -exec stat -c '%s %n' {} + 2>/dev/null | head -n 2000
echo "== marker"
head -c 1000000 "$2" 2>/dev/null
"""
_SIZE = re.compile(r"^(\d{1,15}) \./(.{1,300})$", re.MULTILINE)


def models_of(request: Request, rules: NativeRules, containers: Sequence[Worker]) -> tuple[NativeModels | None, str]:
    """The models of the first container that has the folder, with the reason where they could not be looked at."""
    having = [(w, mount) for w in containers for mount in w.mounts if mount.destination == rules.models]
    if not having:
        return None, f"No container has the folder {rules.models}."
    reasons = []
    for worker, mount in having:
        if worker.engine.endpoint.startswith("unix://") and mount.source.startswith("/"):
            seen = _on_host(request, Path(mount.source), rules.marker)
            if seen is not None:
                return seen, ""
    for worker, mount in having:
        try:
            return _inside(request, worker, mount.source or rules.models, rules), ""
        except Unavailable as error:
            reasons.append(error.reason)
            if isinstance(error, Unresponsive) or mount.kind == "tmpfs" or not may_be_read(worker):
                continue
        try:
            return _by_archive(request, worker, mount.source or rules.models, rules), ""
        except (Unavailable, PathRefused):
            continue
    return None, reasons[0]


def _on_host(request: Request, folder: Path, marker: str) -> NativeModels | None:
    """``None`` where the folder is not here, or may not be looked at."""

    def look() -> NativeModels | None:
        os.listdir(folder)
        try:
            data, _ = read_small(folder / marker, _LARGEST)
        except FileNotFoundError:
            return NativeModels(printable(str(folder)), marked=False)
        expected = _expected(data)
        sizes = {name: _size(folder / name) for name in expected.sizes} if expected else {}
        return _judged(str(folder), expected, sizes)

    try:
        return within(min(_LONGEST, request.remaining() / 2), look)
    except (OSError, ValueError, TooLarge):  # TimeoutError is one
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _inside(request: Request, worker: Worker, shown: str, rules: NativeRules) -> NativeModels:
    answer = run_in(request, worker, _IN_CONTAINER, [rules.models, rules.marker]).decode("utf-8", "replace")
    listed, separator, marker = answer.partition("== marker\n")
    if not separator:
        raise Unavailable(f"{worker.name} could not look into {rules.models}.")
    if not marker:
        return NativeModels(shown, marked=False)
    return _judged(shown, _expected(marker.encode()), {name: int(size) for size, name in _SIZE.findall(listed)})


def _by_archive(request: Request, worker: Worker, shown: str, rules: NativeRules) -> NativeModels:
    with closing(ContainerArchive(request, worker)) as archive:
        if archive.first(rules.models) is None:
            raise Unavailable(f"{worker.name} does not show {rules.models}.")
        marker = archive.read(f"{rules.models}/{rules.marker}", _LARGEST)
        expected = _expected(marker) if marker is not None else None
        names = expected.sizes if expected else ()
        found = {name: archive.stat(f"{rules.models}/{name}") for name in names}
    return _judged(shown, expected, {name: stat.size for name, stat in found.items() if stat})


class _Marker:
    def __init__(self, tested: bool, sizes: Mapping[str, int]) -> None:
        self.tested = tested
        self.sizes = sizes


def _expected(data: bytes) -> _Marker | None:
    """What the marker says; ``None`` where it cannot be understood."""
    try:
        content = json.loads(data)
        sizes = {str(one["name"]): int(one["bytes"]) for one in content["files"][:_MOST_FILES]}
        tested = content["smoke"]["status"] == "pass"
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    inside = {name: size for name, size in sizes.items() if not name.startswith("/") and ".." not in PurePosixPath(name).parts}
    return _Marker(tested, inside)


def _judged(path: str, expected: _Marker | None, sizes: Mapping[str, int]) -> NativeModels:
    if expected is None:
        return NativeModels(printable(path), marked=False)
    wrong = [printable(name) for name, size in expected.sizes.items() if sizes.get(name, -1) != size]
    return NativeModels(printable(path), True, expected.tested, len(expected.sizes), tuple(wrong[:_MOST_WRONG]))
