"""Looking at a disk that may be gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ot_doctor.core.deadline import TookTooLong, within
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable

T = TypeVar("T")
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
