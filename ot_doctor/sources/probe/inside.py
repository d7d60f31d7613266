"""What looks at a worker from inside: sent through exec's standard input to the worker's own Python, and installed nowhere.

The standard library alone, Python 3.8 and later. It prints one line of JSON for each layer, behind a mark that the request names,
and never the value of a variable. Nothing is left, no file and no process: an alarm ends it, whatever hangs.
``sources.probe.worker_exec`` sends it, with ``ladder`` and ``nvml`` in front of it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ot_doctor.sources.probe.ladder import climb, ms_since, text_of, versions
from ot_doctor.sources.probe.nvml import ask_nvml

_ALARM = 10  # seconds, for everything
_LARGEST = 256 * 1024  # bytes of all that is printed
_MEGABYTE = 1024 * 1024
_CGROUP = "/sys/fs/cgroup"
_INITS = ("tini", "docker-init", "dumb-init", "catatonit")
_DEVICES = re.compile(r"nvidia(?:\d+|ctl|-uvm)|dxg|kfd")


def main() -> None:
    """Read the request that follows this text on standard input, and answer it."""
    request = json.loads(sys.stdin.buffer.read(int(sys.argv[2])))
    _limit()
    output = _Output(request["mark"])
    environ, process = _process(request)
    sites = _sites(environ)
    network = None
    if request["files"]:
        network = _begun(lambda: climb(request["files"], environ, sites, request["token_name"], request["seconds"]))
    output.layer("identity", _identity)
    output.layer("process", lambda: process)
    output.layer("memory", _memory)
    output.layer("libraries", lambda: versions(sites, request["packages"]))
    if request["write"]:
        output.layer("write", lambda: {"folders": [_written(folder) for folder in _cache_folders(environ)]})
    if request["gpu"]:
        output.layer("gpu", ask_nvml)
    if network is not None:
        output.layer("network", network)  # the last one: nobody may wait for it
    output.put("end")


def _begun(begin: Callable[[], Callable[[], Any]]) -> Callable[[], Any]:
    """What waits for the answer; where it could not even begin, what says why when it is waited for."""
    try:
        return begin()
    except Exception as error:
        problem = error

    def fail() -> Any:
        raise problem

    return fail


class _Output:
    def __init__(self, mark: str) -> None:
        self._mark, self._left = mark, _LARGEST

    def layer(self, name: str, look: Callable[[], Any]) -> None:
        """Print what ``look`` finds, or what went wrong in it: that is this layer's answer, and the others come all the same."""
        began = time.monotonic()
        found: dict[str, Any] = {"v": 1, "layer": name}
        try:
            found.update(ok=True, detail=look())
        except Exception as error:
            found.update(ok=False, detail={"text": text_of(f"{type(error).__name__}: {error}")})
        found["ms"] = ms_since(began)
        self.put(json.dumps(found))

    def put(self, text: str) -> None:
        data = f"{self._mark} {text}\n".encode("ascii", "replace")
        self._left -= len(data)
        while data and self._left > 0:
            data = data[os.write(1, data) :]


def _limit() -> None:
    """Be the first to go and the last to get anything, and end in time."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_ALARM)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    import resource

    for kind, most in (("CPU", 5), ("DATA", 512 * _MEGABYTE), ("CORE", 0), ("FSIZE", 0)):
        hard = resource.getrlimit(getattr(resource, "RLIMIT_" + kind))[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(getattr(resource, "RLIMIT_" + kind), (most, most))
    os.nice(10)
    threading.stack_size(512 * 1024)


def _read(path: str, most: int = 4096) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(most).decode("utf-8", "replace")
    except OSError:
        return ""


# -- who, with what environment, with what room ------------------------------------------------------------------------


def _identity() -> dict[str, Any]:
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = ""
    version = ".".join(map(str, sys.version_info[:3]))
    devices = sorted(name for name in os.listdir("/dev") if _DEVICES.fullmatch(name))[:64]
    return {"uid": os.getuid(), "user": text_of(name), "python": version, "devices": devices, "now": time.time()}


def _process(request: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """The environment of the process that works, and what may be said of it beside the one that exec gives: the container's."""
    own = dict(os.environ)
    pid = "1"
    if _read("/proc/1/comm").strip() in _INITS:
        pid = (_read("/proc/1/task/1/children").split() or ["1"])[0]
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = (entry.partition(b"=") for entry in file.read(_MEGABYTE).split(b"\0") if b"=" in entry)
            theirs = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    except OSError as error:
        return own, {"readable": False, "text": text_of(error.strerror)}
    prints = [{n: _fingerprint(request["key"], n, env[n]) for n in request["names"] if n in env} for env in (own, theirs)]
    blank = [name for name in request["names"] if name in theirs and not theirs[name].strip()]
    return theirs, {"readable": True, "own": prints[0], "theirs": prints[1], "blank": blank}


def _fingerprint(key: str, name: str, value: str) -> str:
    return hmac.new(bytes.fromhex(key), os.fsencode(f"{name}={value}"), hashlib.sha256).hexdigest()[:16]


def _memory() -> dict[str, int]:
    """Bytes; a limit of 0 is none."""
    limit, used = _read(f"{_CGROUP}/memory.max"), _read(f"{_CGROUP}/memory.current")
    if not used:
        limit, used = (_read(f"{_CGROUP}/memory/memory.{name}_in_bytes") for name in ("limit", "usage"))
    number = int(limit) if limit.strip().isdigit() else 0
    return {"limit": number if number < 1 << 60 else 0, "used": int(used) if used.strip().isdigit() else 0}


def _sites(environ: Mapping[str, str]) -> list[str]:
    """Where packages lie; the user's own, too, which Python was told to leave out."""
    import site

    folders = [*site.getsitepackages(), site.getusersitepackages()]
    if environ.get("VIRTUAL_ENV"):
        folders.append("{}/lib/python{}.{}/site-packages".format(environ["VIRTUAL_ENV"], *sys.version_info))
    return [folder for folder in folders if os.path.isdir(folder)]


def _cache_folders(environ: Mapping[str, str]) -> list[str]:
    """The folders that a download writes to, as the Hub's client finds them; the nearest one where they are not there yet."""
    home = environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")
    hub = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    while not os.path.isdir(hub):
        hub = os.path.dirname(hub) or "/"
    return [folder for folder in (hub, f"{hub}/.locks") if os.path.isdir(folder)]


def _written(folder: str) -> dict[str, Any]:
    """Whether a file can be made, renamed and deleted in a folder. It is empty, and always deleted."""
    name = f"{folder}/.ot-doctor-{os.urandom(8).hex()}"
    made = None
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        made = name
        os.rename(name, name + "-2")
        made = name + "-2"
    except OSError as error:
        return {"path": folder, "ok": False, "text": text_of(error.strerror)}
    finally:
        if made:
            os.unlink(made)
    return {"path": folder, "ok": True, "text": ""}
