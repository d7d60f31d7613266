"""Carries the probe into a worker's container, and its answer out. The answer is a stranger's: nothing in it is trusted."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.container_exec import talk_in
from ot_doctor.sources.hub.answers import clean

LONGEST = 8.0  # seconds; what is waited for inside takes less
_ROOM = 64 * 1024 * 1024  # bytes of memory that must be left: an interpreter takes a fifth of them
_LARGEST_LINE = 256 * 1024
_TEXTS = ("ladder", "nvml", "inside")
_TRIES = 4  # the engine's own helper takes some processes in a container that may have few
_NOT_STARTED = re.compile(rb"OCI runtime exec failed(?!.*(?:executable file not found|no such file))", re.DOTALL)

# The room is looked at before an interpreter is started: memory that runs out would mark the whole container as killed for it.
# Nothing is forked where python3 is found: a container may have few processes. It is sent as one line, see COMMAND.
_BOOT = r"""
m=/sys/fs/cgroup l= u= f=0;
if [ -r $m/memory.max ]; then read -r l <$m/memory.max; read -r u <$m/memory.current; s=$m/memory.stat;
elif [ -r $m/memory/memory.usage_in_bytes ]; then m=$m/memory;
  read -r l <$m/memory.limit_in_bytes; read -r u <$m/memory.usage_in_bytes; s=$m/memory.stat; fi;
case $l in ''|max) ;; *)
  while read -r k v; do case $k in inactive_file|total_inactive_file) f=$v ;; esac; done <$s;
  if [ $((l - u + f)) -lt $1 ]; then echo "$2 room $((l - u + f))"; exit 0; fi ;; esac;
if command -v python3 >/dev/null; then p=python3;
else p=$(readlink /proc/1/exe); case $p in *python3*|*python) ;; *) p=$(command -v python) || exit 127 ;; esac; fi;
exec "$p" -I -c 'import signal,sys;signal.signal(14,signal.SIG_DFL);signal.alarm(11);
exec(compile(sys.stdin.buffer.read(int(sys.argv[1])),"ot-doctor-probe","exec"))' "$3" "$4"
"""
# The engine writes the command into its events. A shell reads its input byte by byte: what follows the line is left to Python.
COMMAND = ["sh", "-c", 'read -r b;eval "$b"', "ot-doctor"]
_LOADER = """
import sys, types
for name, text in {texts!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""

Layers = Mapping[str, Mapping[str, Any]]


@cache
def program() -> bytes:
    """The probe as it is sent: both texts, and what makes modules of them."""
    folder = files("ot_doctor.sources.probe")
    texts = [(f"ot_doctor.sources.probe.{name}", folder.joinpath(f"{name}.py").read_text(encoding="utf-8")) for name in _TEXTS]
    return program_of(texts)


def program_of(texts: Sequence[tuple[str, str]]) -> bytes:
    """Modules by their names as one text, which calls the last one's ``main``."""
    return _LOADER.format(texts=list(texts)).encode("ascii")


def talk_of(mark: str, asked: bytes, room: int = _ROOM) -> bytes:
    """What is sent on standard input: the shell's line, the program, the request."""
    line = f"set -- {room} {mark} {len(program())} {len(asked)}; {' '.join(_BOOT.split())}\n"
    return line.encode("ascii") + program() + asked


def ask(request: Request, worker: Worker, wanted: Mapping[str, Any], enough: Callable[[bytes], bool]) -> tuple[Layers, str]:
    """What each layer found, by its name, and why the answer is not whole (empty where it is).

    ``{"ok": false, "detail": {"text": …}}`` is a layer that went wrong. ``enough`` ends the waiting. Raises ``Unavailable`` where
    nothing was answered.
    """
    mark = f"ot-doctor-{secrets.token_hex(16)}"
    asked = json.dumps({**wanted, "mark": mark}).encode("ascii")
    sent = talk_of(mark, asked)
    for _ in range(_TRIES):
        seconds = min(LONGEST, request.remaining() * 0.8)
        output, code = talk_in(request, worker, COMMAND, sent, seconds, enough)
        if not _NOT_STARTED.search(output):
            break
    lines = [line.partition(" ")[2] for line in output.decode("ascii", "replace").split("\n") if line.startswith(f"{mark} ")]
    if lines and (room := re.fullmatch(r"room (-?\d{1,18})", lines[0])):
        raise Unavailable(
            f"{worker.name} has too little memory left to be looked at from inside: {max(0, int(room[1])) // 1048576} MB below "
            "its limit.",
            hint="Look again while no job runs, or raise the container's memory limit.",
        )
    layers = {str(layer["layer"]): layer for line in lines if (layer := _layer(line))}
    if not layers:
        raise _nothing(worker, code, output)
    return layers, "" if "end" in lines else f"The look into {worker.name} ended early (exit code {code})."


def _layer(line: str) -> dict[str, Any] | None:
    if len(line) > _LARGEST_LINE:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(found, dict) and isinstance(found.get("layer"), str) and isinstance(found.get("detail"), dict)
    return found if fits else None


def _nothing(worker: Worker, code: int, output: bytes) -> Unavailable:
    if _NOT_STARTED.search(output):
        said = clean(output.decode("utf-8", "replace"))
        return Unavailable(f"The engine could not start a command in {worker.name}: {said}", "Raise the container's pids limit.")
    if code in (126, 127):
        return Unavailable(
            f"There is no Python in {worker.name}, so it was not looked at from inside. This machine's requests stand for it.",
            switched_off=True,
        )
    return Unavailable(
        f"The Python of {worker.name} could not look around (exit code {code}).",
        hint="Leave it out with --probe off; then the requests of this machine stand for the worker's.",
    )
