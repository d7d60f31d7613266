"""Reading a file of the user's that may be anything, on a disk that may be gone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ot_doctor.core.deadline import TookTooLong, within
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.redaction.secret import printable

T = TypeVar("T")
_LONGEST = 5.0  # seconds for a look at one folder


class TooLarge(Exception):
    """The file has more bytes than anybody wants to read."""


class NotAFile(OSError):
    """A pipe, a socket or a device: reading one may wait for ever."""


def read_small(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """The file's bytes and what the system says of it.

    Raises ``TooLarge``, ``NotAFile``, and the ``OSError`` that the system gives (``IsADirectoryError`` among them).
    """
    _refuse_odd(path, os.stat(path))  # first: to open some devices does something, even if nothing is read
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        status = os.fstat(handle)
        _refuse_odd(path, status)
        with open(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise TooLarge(f"{path} has more than {limit // (1024 * 1024)} MB")
    return data, status


def _refuse_odd(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{path} is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise NotAFile(f"{path} is not a regular file")


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
