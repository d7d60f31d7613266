"""Gathers what matters of this machine: free space, and the variables that bend network requests."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from ot_doctor.core.deadline import within
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.host import Host, Purpose, Space
from ot_doctor.evidence.model_cache import ModelCache
from ot_doctor.evidence.workers import Engine, Worker, Workers
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.disk import is_read_only
from ot_doctor.sources.docker.container_exec import run_in

_LONGEST = 5.0  # seconds for one file system
_WITH_CREDENTIALS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_ENDPOINT")
_NETWORK = (
    *_WITH_CREDENTIALS,
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HF_HUB_DISABLE_XET",
)
_CREDENTIALS = re.compile(r"^(\w[\w+.-]*://)?.*@", re.DOTALL)
_DF = r"""
path=$1
while [ ! -e "$path" ] && [ "$path" != / ]; do path=${path%/*}; path=${path:-/}; done
echo "blocks $(LC_ALL=C df -Pk "$path" 2>/dev/null | tail -n 1)"
echo "inodes $(LC_ALL=C df -Pi "$path" 2>/dev/null | tail -n 1)"
"""
_DF_LINE = re.compile(r"\s(\d+)\s+(\d+)\s+(\d+)\s+(?:\d+%|-)\s")


def gather(request: Request, workers: Workers | Unavailable, model_cache: ModelCache | Unavailable) -> Host:
    """Free space where the cache and the engine's data are, and the network settings of the doctor and the worker."""
    engine = None if isinstance(workers, Unavailable) else workers.engine
    worker = None if isinstance(workers, Unavailable) else next(iter(workers.diarizers), None)
    cache = None if isinstance(model_cache, Unavailable) else model_cache
    spaces = (
        _cache_space(request, worker, cache) if cache else None,
        _engine_space(request, engine) if engine else None,
    )
    return Host(
        spaces=tuple(space for space in spaces if space),
        doctor_network=network_settings(request.environ),
        worker_network=network_settings(worker.env) if worker else {},
        worker_elsewhere=engine.machine if engine else "",
    )


def network_settings(env: Mapping[str, str | Secret]) -> dict[str, str]:
    """The proxy, CA and Hub variables that are set, without credentials."""
    found = {name: value for name, value in env.items() if name.upper() in _NETWORK}
    return {name: _masked(name.upper(), str(value)) for name, value in sorted(found.items()) if str(value)}


def _masked(name: str, value: str) -> str:
    if name in _WITH_CREDENTIALS:
        value = _CREDENTIALS.sub(lambda m: f"{m[1] or ''}…@", value)
    return printable(value).strip()


def _cache_space(request: Request, worker: Worker | None, cache: ModelCache) -> Space | None:
    path = cache.root.path if cache.host_side else None
    here = _measured(request, path, Purpose.MODEL_CACHE, or_parent=True) if path else None
    return here or (_asked(request, worker, cache.root.container_path) if worker else None)


def _engine_space(request: Request, engine: Engine) -> Space | None:
    """Not of an engine in a virtual machine or on another one: its folder is not on this machine."""
    if not engine.data_root or not engine.endpoint.startswith("unix://") or engine.in_vm:
        return None
    return _measured(request, engine.data_root, Purpose.ENGINE_DATA, or_parent=False)


def _measured(request: Request, path: str, purpose: Purpose, *, or_parent: bool) -> Space | None:
    """``or_parent``: a folder that is not there yet is made in the nearest one that is."""

    def measure() -> Space | None:
        for candidate in (path, *map(str, PurePosixPath(path).parents)):
            try:
                seen = os.statvfs(candidate)
            except PermissionError:
                continue
            except (FileNotFoundError, NotADirectoryError):
                if or_parent:
                    continue
                return None
            if not seen.f_blocks:  # a file system without a size, or one that does not tell
                return None
            unit = seen.f_frsize
            return Space(
                path, purpose, seen.f_blocks * unit, seen.f_bavail * unit, seen.f_files, seen.f_favail, is_read_only(candidate)
            )
        return None

    try:
        return within(min(_LONGEST, request.remaining() / 2), measure)
    except (OSError, ValueError):  # TimeoutError is one: a network file system that is gone never answers
        return None


def _asked(request: Request, worker: Worker, path: str) -> Space | None:
    """The same as the container sees it."""
    try:
        output = run_in(request, worker, _DF, [path]).decode("utf-8", "replace")
    except Unavailable:
        return None
    found = {kind: _DF_LINE.search(line) for kind, _, line in (line.partition(" ") for line in output.split("\n"))}
    blocks, inodes = found.get("blocks"), found.get("inodes")
    if blocks is None or not int(blocks[1]):
        return None
    total, free = int(blocks[1]) * 1024, int(blocks[3]) * 1024
    return Space(path, Purpose.MODEL_CACHE, total, free, int(inodes[1]) if inodes else 0, int(inodes[3]) if inodes else 0)
