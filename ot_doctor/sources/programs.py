"""Starts another program, and ends it and what it started in time. Which programs those are is in ``.github/SECURITY.md``."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ot_doctor.core.receipt import note

_FOLDERS = ("/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    output: str
    errors: str


def find(name: str) -> str | None:
    """The program in a system folder; the search path is not asked."""
    found = (os.path.join(folder, name) for folder in _FOLDERS)
    return next((path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def run(command: Sequence[str], environ: Mapping[str, str], folder: str, seconds: float) -> Ended:
    """Run it without a terminal. Raises ``OSError``, and ``TimeoutError`` when it was ended because it took too long."""
    code, output, errors = fed(command, None, environ, folder, seconds)
    return Ended(code, output.decode("utf-8", "replace"), errors)


def fed(
    command: Sequence[str], data: bytes | None, environ: Mapping[str, str], folder: str, seconds: float
) -> tuple[int, bytes, str]:
    """Run it with ``data`` on its standard input. The exit code, its output and what it complained of. Raises like ``run``."""
    import subprocess

    note("commands", f"{os.path.basename(command[0])} on this machine")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL if data is None else subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(environ), cwd=folder, start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(data, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{command[0]} did not end within {seconds:g} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode, output, errors.decode("utf-8", "replace")
