"""Engines that lie: each lie is one clear sentence, in time, and in little memory."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.parts import ready_doctor
from tests.sources.lying_engine import ID, UPGRADED, Lie, Send, body, endless, frame, lying_engine, says, truth

TIMEOUT = 6.0  # seconds of the run
MEMORY = 300 * 1024  # kB

# Asks for the containers and runs one command, as a run does, and says what came of it and what it cost.
_RUN = """
import json, os, sys, time
from ot_doctor.evidence import Request, Unavailable, Workers
from ot_doctor.sources.docker.container_exec import run_in
from ot_doctor.sources.store import Store
began = time.monotonic()
request = Request(timeout=float(sys.argv[1]), environ=dict(os.environ))
found = Store(request).get(Workers)
if not isinstance(found, Unavailable):
    try:
        found = run_in(request, found.diarizers[0], "echo", []).decode()
    except Unavailable as reason:
        found = reason
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
text = f"{found.reason} {found.hint}" if isinstance(found, Unavailable) else ""
said = found if isinstance(found, str) else ""
print(json.dumps({"text": text, "said": said, "seconds": time.monotonic() - began, "kB": peak}))
sys.stdout.flush()
os._exit(0)
"""


def outcome(environ: Mapping[str, str]) -> dict[str, object]:
    done = ready_doctor.run_code(_RUN, str(TIMEOUT), cwd=Path("/"), env={"PATH": "/usr/bin:/bin", **environ}, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def cheap(result: Mapping[str, object]) -> str:
    """The sentence, once the bounds hold."""
    size = result["kB"]
    assert isinstance(size, int) and size < MEMORY, f"{size} kB"
    assert isinstance(result["seconds"], float) and result["seconds"] < TIMEOUT + 2
    text = str(result["text"])
    assert "fault of" not in text and "could not be read: " not in text, text
    return text


@functools.cache
def _packed() -> bytes:
    return gzip.compress(b" " * 100_000_000)


def bomb(send: Send) -> None:
    body(_packed(), "200 OK", "Content-Encoding: gzip")(send)


def slowly(send: Send) -> None:
    send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n")
    while True:
        send(b" ")
        time.sleep(0.1)


def _inspect(**changes: object) -> Lie:
    return says({**truth()[rf"/containers/{ID}/json"], **changes})


VERSION, INFO, LIST, INSPECT = "/version", "/info", "/containers/json", rf"/containers/{ID}/json"
EXEC, START = rf"/containers/{ID}/exec", "/exec/e1/start"
MOUNT = {"Type": "bind", "Source": "/a", "Destination": "/home/appuser/.cache", "RW": True}
DEEP = body(b"[" * 100_000 + b"]" * 100_000)
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
EVERYWHERE = {
    "endless": endless(b" " * 65536),
    "endless chunks": endless(b"10000\r\n" + b"x" * 65536 + b"\r\n", CHUNKED),
    "an endless error": endless(b"x" * 65536, b"HTTP/1.1 500 Internal Server Error\r\n\r\n"),
    "an endless redirect": endless(b"x" * 65536, b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n"),
    "a bomb": bomb,
    "null": says(None),
    "a number": says(7),
    "deep": DEEP,
    "broad": body(b"[" + b"[]," * 1_000_000 + b"[]]"),
    "a deep error": body(b"[" * 100_000, "500 Internal Server Error"),
    "an error that is a list": body(b"[]", "500 Internal Server Error"),
    "no JSON": body(b"<html>"),
    "cut": body(b'{"Id": "c0'),
}
LIES: dict[str, tuple[str, Lie]] = {
    **{f"{where} {name}": (where, lie) for where in (VERSION, INFO, LIST, INSPECT, EXEC) for name, lie in EVERYWHERE.items()},
    "the list is not found": (LIST, body(b'{"message": "no"}', "404 Not Found")),
    "the list is an object": (LIST, says({"Id": ID})),
    "the list holds numbers": (LIST, says([1, 2, 3])),
    "the list names nothing": (LIST, says([{"Names": ["/worker"]}])),
    "the list names numbers": (LIST, says([{"Id": 7}])),
    "inspect has no Id": (INSPECT, says({})),
    "inspect has 100,000 mounts": (INSPECT, _inspect(Mounts=[MOUNT] * 100_000)),
    "inspect has 2,000 mounts": (INSPECT, _inspect(Mounts=[{"Type": "bind"}] * 2_000)),
    "exec has no Id": (EXEC, says({})),
    "exec has an odd Id": (EXEC, says({"Id": [1]})),
    "the command never ends": (START, endless(frame(b"x" * 65536), UPGRADED)),
    "the command ends in an endless error": (START, EVERYWHERE["an endless error"]),
    "the frame is of 4 GB": (START, lambda send: send(UPGRADED + b"\1\0\0\0\xff\xff\xff\xff" + b"x" * 100_000)),
}
SLOW = {f"{where} slowly": (where, slowly) for where in (INFO, LIST, INSPECT, EXEC)}


def test_the_truth_is_understood(tmp_path: Path) -> None:
    with lying_engine(tmp_path / "d.sock", "", says(None)) as host:
        result = outcome({"DOCKER_HOST": host, "HOME": str(tmp_path)})
    assert (result["text"], result["said"]) == ("", "fine\n")
    cheap(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LIES, *SLOW])
def test_a_lie_is_one_clear_sentence_in_time_and_in_little_memory(tmp_path: Path, name: str) -> None:
    where, lie = {**LIES, **SLOW}[name]
    with lying_engine(tmp_path / "d.sock", where, lie) as host:
        result = outcome({"DOCKER_HOST": host, "HOME": str(tmp_path)})
    text = cheap(result)
    if name == "the frame is of 4 GB":  # it is cut off, as by an engine that went away
        return
    if name in SLOW:
        assert ("answer" in text and "within" in text) or "does not answer" in text, result
    elif where in (VERSION, INFO):  # whether it is an engine at all is not known then
        assert re.match(r"(What (answers|listens) at|The (Docker )?engine at) unix:\S+/d\.sock \(DOCKER_HOST\) ", text), result
    else:
        assert re.match(r"The (Docker )?engine at unix:\S+/d\.sock \(DOCKER_HOST\) ", text), result
        assert "gave an answer that is not Docker's: " in text or "error" in name, result


@pytest.mark.parametrize("kind", ["link to /dev/zero", "pipe", "large", "deep"])
def test_settings_of_the_docker_command_that_are_an_odd_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to /dev/zero":
        path.symlink_to("/dev/zero")
    else:
        path.write_text(" " * 5_000_000 if kind == "large" else "[" * 100_000)
    with lying_engine(tmp_path / "d.sock", "", says(None)) as host:
        text = cheap(outcome({"DOCKER_HOST": host, "DOCKER_CONFIG": str(tmp_path)}))
    assert f"settings of the Docker command cannot be read: {path} " in text


@pytest.mark.parametrize("kind", ["link to /dev/zero", "pipe", "large"])
def test_a_context_that_is_an_odd_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "contexts/meta" / hashlib.sha256(b"work").hexdigest() / "meta.json"
    path.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to /dev/zero":
        path.symlink_to("/dev/zero")
    else:
        path.write_text(" " * 5_000_000)
    text = cheap(outcome({"DOCKER_CONTEXT": "work", "DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}))
    assert "context 'work'" in text and str(path) in text
