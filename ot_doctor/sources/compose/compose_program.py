"""Runs the ``docker compose`` command that a report prints, for ``ot-doctor fix`` and ``undo`` alone.

It is the program that the user's own shell would run, with the user's own environment: what else would not be what was printed.
A program in the examined or the working folder is passed over.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from typing import Any

from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import Deployment
from ot_doctor.sources import programs

_READS = 30.0  # seconds
_CHANGES = 600.0  # seconds: a worker that is at work may take minutes to stop


def described(request: Request, deployment: Deployment) -> Mapping[str, Any]:
    """The stack as Compose would make it now, with all values filled in. It holds secrets. Raises ``Unavailable``."""
    # 'up' follows the profile of a service that is named. Compose doubles each $, so that the text could be a file again.
    output = _run(request, deployment, "--profile '*' config --format json", _READS).replace("$$", "$")
    try:
        data = json.loads(output)
    except ValueError as error:
        raise Unavailable("Compose's description of the stack is not JSON.") from error
    if not isinstance(data, Mapping) or not isinstance(data.get("services"), Mapping):
        raise Unavailable("Compose's description of the stack names no services.")
    return data


def change(request: Request, deployment: Deployment, arguments: str) -> None:
    """Run ``docker compose … ARGUMENTS``, which are quoted for a shell. Raises ``Unavailable`` where Compose refuses."""
    _run(request, deployment, arguments, _CHANGES)


def _run(request: Request, deployment: Deployment, arguments: str, seconds: float) -> str:
    words = shlex.split(deployment.compose(arguments))
    environ = dict(request.environ)
    while "=" in words[0]:
        name, _, environ[name] = words.pop(0).partition("=")
    program = _program(words[0], request, deployment)
    if program is None:
        raise Unavailable(f"There is no {words[0]} on this shell's search path (PATH).")
    try:
        ended = programs.run([program, *words[1:]], environ, "/", seconds)
    except OSError as error:  # and TimeoutError
        raise Unavailable(f"{program} could not be run: {error}") from error
    if ended.code:
        lines = printable(ended.errors).strip().splitlines() or [f"exit code {ended.code}"]
        raise Unavailable(f"Compose refuses: {clipped(lines[-1], 300)}")
    return ended.text


def _program(name: str, request: Request, deployment: Deployment) -> str | None:
    passed_over = {os.path.realpath(folder) for folder in (request.cwd, deployment.directory, deployment.home)}
    for folder in request.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name)
        known = os.path.isabs(folder) and os.path.realpath(folder) not in passed_over
        if known and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None
