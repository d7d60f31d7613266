"""Reading a file of the user's that may be anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ot_doctor.core.receipt import note


class TooLarge(Exception):
    """The file has more bytes than anybody wants to read."""


class NotAFile(OSError):
    """A pipe, a socket or a device: reading one may wait for ever."""


def read_small(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """The file's bytes and what the system says of it.

    Raises ``TooLarge``, ``NotAFile``, and the ``OSError`` that the system gives (``IsADirectoryError`` among them).
    """
    _refuse_odd(path, os.stat(path))  # first: to open some devices does something, even if nothing is read
    note("files", str(path))
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
