"""The doctor as a process of its own that need not load its modules again: over half of the work of a short run.

A server has loaded them and forks for each run, which gets its own arguments, working folder, environment, streams and exit
code. What belongs to the start of the interpreter (the console script, locales, `PYTHON…`, the Hub's own variables, which are
read while modules are loaded) is a real start: `run` makes one by itself where the environment asks for it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

SCRIPT = Path(sys.executable).with_name("ot-doctor")
_LARGEST = 1 << 17  # bytes of a request
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "HF_", "HUGGINGFACE_HUB_", "XDG_")
_NO_DIFFERENCE = {("PYTHONUTF8", "1"), ("LANG", "C.UTF-8")}
_READ_BY_THE_RUN = ("HF_ENDPOINT", "HF_TOKEN", "XDG_STATE_HOME")
_PACKAGES = (
    "ot_doctor", "ot_doctor_checks", "docker", "dotenv.main", "yaml", "huggingface_hub.constants", "huggingface_hub.utils"
)  # fmt: skip


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str], input: str | None = None, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """What ``subprocess.run(["ot-doctor", *arguments], capture_output=True, text=True, …)`` gives."""
    if _asks_for_a_real_start(env):
        return script(*arguments, cwd=cwd, env=env, input=input, timeout=timeout)
    return _forked({"arguments": arguments}, cwd, env, input, timeout)


def _asks_for_a_real_start(env: Mapping[str, str]) -> bool:
    special = {name for name, value in env.items() if (name, value) not in _NO_DIFFERENCE and name not in _READ_BY_THE_RUN}
    return any(name.startswith(_READ_AT_THE_START) for name in special)


def run_code(
    code: str, *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """What ``python -c`` gives for code that uses the doctor's modules."""
    return _forked({"code": code, "arguments": arguments}, cwd, env, None, timeout)


def _forked(
    request: Mapping[str, object], cwd: Path, env: Mapping[str, str], input: str | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    with contextlib.ExitStack() as opened:
        given, out, err = (opened.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(3))
        if input is None:
            given = opened.enter_context(open(os.devnull, encoding="utf-8"))
        else:
            given.write(input)
            given.seek(0)
        files = [file.fileno() for file in (given, out, err)]
        code = _server().run({**request, "cwd": str(cwd), "environ": dict(env)}, files, timeout)
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(["ot-doctor"], code, out.read(), err.read())


def script(
    *arguments: str, cwd: Path, env: Mapping[str, str], input: str | None = None, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """The same, by the installed console script."""
    streams: dict[str, Any] = {"input": input, "stdin": subprocess.DEVNULL if input is None else None}
    streams = {name: value for name, value in streams.items() if value is not None}
    return subprocess.run([str(SCRIPT), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, **streams)


#: For ``before``: in a session of its own, which standard input's terminal controls.
IN_ITS_TERMINAL = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)"


class Started:
    """A run that goes on meanwhile: what a test needs of ``subprocess.Popen``.

    ``streams`` are descriptors: standard input, output and error. Where there is none, the input is empty, and what is written
    is what ``communicate`` gives. ``before`` is code that the process runs first.
    """

    def __init__(
        self, *arguments: str, cwd: Path, env: Mapping[str, str], streams: Sequence[int | None] = (None,) * 3, before: str = ""
    ) -> None:
        assert not _asks_for_a_real_start(env), "the interpreter has started"
        self.returncode: int | None = None
        self.peak = 0  # KiB, of the largest of its processes, when it has ended
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"arguments": arguments, "before": before, "cwd": str(cwd), "environ": dict(env)}
        with theirs, open(os.devnull, "rb") as nothing:
            usual = (nothing.fileno(), self._out.fileno(), self._err.fileno())
            files = [own if given is None else given for given, own in zip(streams, usual, strict=True)]
            _server().start(request, [*files, theirs.fileno()])
        self._told.settimeout(60)
        self.pid = int(self._told.recv(100))

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode, self.peak = map(int, self._told.recv(100).split())
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired("ot-doctor", timeout) from None
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Its output and its errors, when it has ended."""
        self.wait(timeout)
        with self._out, self._err:
            for file in (self._out, self._err):
                file.seek(0)
            return self._out.read().decode(), self._err.read().decode()


class _Server:
    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2], env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"},
            )  # fmt: skip

    def start(self, request: Mapping[str, object], files: list[int]) -> None:
        socket.send_fds(self._channel, [json.dumps(request).encode()], files)

    def run(self, request: Mapping[str, object], files: list[int], timeout: float) -> int:
        self.start(request, files)
        self._channel.settimeout(60)
        number = int(self._channel.recv(100))
        self._channel.settimeout(timeout)
        try:
            return int(self._channel.recv(100))
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
            self._channel.settimeout(60)
            self._channel.recv(100)
            raise subprocess.TimeoutExpired("ot-doctor", timeout) from None

    def close(self) -> None:
        self._channel.close()
        self._process.wait()


@functools.cache
def _server() -> _Server:
    """One for the whole test process."""
    server = _Server()
    atexit.register(server.close)
    return server


# -- the server's own side ---------------------------------------------------------------------------


def _serve(channel: socket.socket) -> None:
    for package in _PACKAGES:
        importlib.import_module(package)
    for package in _PACKAGES[:2]:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    _warm_up()
    setattr(importlib.import_module("ot_doctor.fix.actions.container"), "_LASTS", 0.3)  # noqa: B010  # sooner than a real worker
    gc.freeze()
    while True:
        request, files, _, _ = socket.recv_fds(channel, _LARGEST, 4)
        if not request:
            return
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        number = os.fork()
        if not number:
            channel.close()
            if len(files) == 4:
                _watch(files)
            _become_the_doctor(json.loads(request), files)
        for file in files:
            os.close(file)
        if len(files) < 4:  # otherwise it is told by who watches it
            channel.send(b"%d" % number)
            channel.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))


def _watch(files: list[int]) -> None:
    """Fork: the child returns and is the doctor; the parent tells the last of the files its number and how it ended."""
    with socket.socket(fileno=files.pop()) as told:
        number = os.fork()
        if not number:
            return
        for file in files:
            os.close(file)
        told.send(b"%d" % number)
        _, status, used = os.wait4(number, 0)
        told.send(b"%d %d" % (os.waitstatus_to_exitcode(status), used.ru_maxrss))
        os._exit(0)


def _warm_up() -> None:
    """What each run would do again: find plug-ins, compile patterns, resolve types, load the Hub's client and certificates."""
    discovery = importlib.import_module("ot_doctor.run.discovery")
    setattr(discovery, "entry_points", functools.cache(discovery.entry_points))  # noqa: B010  # no run installs one
    from ot_doctor.bundle.writing import make_bundle
    from ot_doctor.evidence import Request
    from ot_doctor.redaction.registry import new_registry
    from ot_doctor.report.build import redactor_of, report_of
    from ot_doctor.report.formats import render
    from ot_doctor.run.plan import Plan
    from ot_doctor.run.session import examine, prepare

    with tempfile.TemporaryDirectory() as folder, new_registry():
        Path(folder, "docker-compose.yml").write_text("services: {celery-worker: {image: x, env_file: .env}}\n")
        Path(folder, ".env").write_text("HUGGINGFACE_TOKEN=hf_x\n")
        log = Path(folder, "worker.log")
        log.write_text("[2026-01-01 00:00:00,000: ERROR/MainProcess] CUDA out of memory\n")
        plan = Plan(Request(directory=Path(folder), logs=(str(log),), offline=True, no_docker=True, environ={}))
        checks, store, notices = prepare(plan)
        redactor = redactor_of(plan)
        report = report_of(examine(plan, checks, store, notices), redactor)
        shown = {name: render(report, name) for name in ("json", "text", "markdown")}
        make_bundle(
            store.given(), request=plan.request, report_text=shown["markdown"], report_json=shown["json"],
            created=report.started_at, level=plan.redact, redactor=redactor,
        )  # fmt: skip
    _read_certificates_once()
    hub: Any = importlib.import_module("huggingface_hub.utils")
    hub.build_hf_headers(token=False)
    hub.get_session()  # each fork makes its own
    until = time.monotonic() + 10
    while threading.active_count() > 1 and time.monotonic() < until:  # a fork has only the thread that forks
        time.sleep(0.01)


def _read_certificates_once() -> None:
    """The machine's own take the client an eighth of a run; those that the environment names are read by each run."""
    with contextlib.suppress(ModuleNotFoundError):  # another release of the Hub's client has another library below it
        client: Any = importlib.import_module("httpcore2")
        read = client.default_ssl_context
        of_the_machine = read()
        named = ("SSL_CERT_FILE", "SSL_CERT_DIR")
        client.default_ssl_context = lambda **more: read(**more) if any(map(os.environ.get, named)) else of_the_machine


def _open_the_streams() -> None:
    """As the interpreter does at its start: those of the server remember that theirs can be sought in."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old: Any = getattr(sys, name)
        new = open(  # noqa: SIM115
            number, "w" if number else "r", -1 if number < 2 else 1, encoding=old.encoding, errors=old.errors, newline="\n",
            closefd=False,
        )  # fmt: skip
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _become_the_doctor(request: dict[str, object], files: list[int]) -> NoReturn:
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(str(request["cwd"]))
        os.environ.clear()
        os.environ.update(request["environ"])  # type: ignore[call-overload]
        _open_the_streams()
        tempfile.tempdir = None  # TMPDIR is read by the run
        sys.argv = ["ot-doctor", *request["arguments"]]  # type: ignore[misc]
        from ot_doctor.cli.main import main
        from ot_doctor.redaction import registry

        registry._OF_THE_PROCESS.__init__()  # type: ignore[misc]  # no two runs have their fingerprints in common
        if "code" in request:
            exec(str(request["code"]), {"__name__": "__main__"})
            sys.stdout.flush()
            os._exit(0)
        exec(str(request.get("before", "")), {})
        main()
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(70)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
