"""Looking at a disk that may be gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ot_doctor.core.deadline import TookTooLong, within
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable

T = TypeVar("T")
_MARKS_OF_A_CONTAINER = ("/.dockerenv", "/run/.containerenv")
_LONGEST = 5.0  # seconds for a look at one folder


def on_disk(request: Request, folder: Path, look: Callable[[], T]) -> T:
    """What ``look`` finds in a folder. Raises ``Unavailable`` where the file system does not answer, as a dead network share."""
    seconds = min(_LONGEST, request.remaining() / 3)
    try:
        return within(seconds, look)
    except TookTooLong:
        raise Unavailable(
            f"The file system of {printable(str(folder))} does not answer: nothing came back within {seconds:.1f} s.",
            hint="It may be a network share that is gone. Mount it again, or unmount it with 'umount -l'.",
        ) from None


def is_read_only(path: str) -> bool:
    """Whether the file system is. In a container of its own, the doctor may see one through a mount that is so for it alone.

    Raises ``OSError``.
    """
    if not os.statvfs(path).f_flag & os.ST_RDONLY:
        return False
    if not any(map(os.path.exists, _MARKS_OF_A_CONTAINER)):
        return True
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        told = [line.split() for line in mounts]
    return any(fields[2] == number and "ro" in fields[-1].split(",") for fields in told)
