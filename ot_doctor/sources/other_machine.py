"""Files of a machine of which only the engine is reached, over ssh: nothing on this machine's disk stands in for them."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import Deployment
from ot_doctor.sources.docker.contexts import find
from ot_doctor.sources.ssh import SshAddress


def of_the_engine(request: Request) -> SshAddress | None:
    """The machine whose engine is examined, where that is another one."""
    try:
        return find(request).ssh
    except Unavailable:
        return None


def unseen(request: Request, deployment: Deployment, what: str) -> Unavailable:
    """``what``: "The .env", the beginning of a sentence about something that is one thing."""
    hint = "The commands in this report are for that machine. "
    if request.engine_of:
        hint += "To see all of it from here, put a Python 3.10 or newer on it, or run ot-doctor there."
    else:
        hint += f"To see all of it, run ot-doctor there: ot-doctor --host {deployment.machine}{deployment.home}"
    return Unavailable(f"{what} is on {deployment.machine}, of which only the Docker engine was reached.", hint=hint)


def must_be_of(folder: Path, machine: str, folders: Set[str]) -> None:
    """Raises ``Unavailable`` where no container is of the folder that was asked for: no other stack is examined in its place."""
    if str(folder) in folders:
        return
    found = ", ".join(sorted(filter(None, folders)))
    others = f" There are containers of {printable(found)}." if found else ""
    raise Unavailable(
        f"No container of OpenTranscribe on {machine} was started from {folder}.{others}",
        hint=f"Name another folder, or none: ot-doctor --host {machine}",
    )
