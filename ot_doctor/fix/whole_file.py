"""Changing a small file of the user's: whole or not at all, where it is, whoever owns it, and only if nobody else changed it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.fix.procedure import NotDone, NotPossible

_LARGEST = 1024 * 1024  # bytes
_IN_PLACE = (errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTSUP)
TORN = "being-written"  # in an action's folder, while a file is written where it is


@dataclass(frozen=True)
class WholeFile:
    """A file as it was read: the file itself, not a link to it."""

    path: Path
    data: bytes
    status: os.stat_result

    @property
    def digest(self) -> str:
        """Changes with the content, and where another file takes its place."""
        return f"sha256:{digest(self.data)} inode:{self.status.st_dev}:{self.status.st_ino} mode:{self.status.st_mode:o}"

    def same(self) -> bool:
        """Whether the file is still what was read."""
        try:
            return read(self.path).digest == self.digest
        except NotPossible:
            return False


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read(path: Path) -> WholeFile:
    """The file that the path leads to. Raises ``NotPossible``."""
    real = Path(os.path.realpath(path))
    try:
        if not stat.S_ISREG(os.lstat(real).st_mode):
            raise NotPossible(f"{real} is not a regular file.")
        data, status = read_small(real, _LARGEST)
    except TooLarge as error:
        raise NotPossible(f"{error}.") from error
    except OSError as error:
        raise NotPossible(f"{real} cannot be read: {error.strerror or error}.") from error
    return WholeFile(real, data, status)


def may_be_written(file: WholeFile) -> None:
    """Raises ``NotPossible`` where this user is not allowed to change it."""
    if os.statvfs(file.path).f_flag & getattr(os, "ST_RDONLY", 1):
        raise NotPossible(f"{file.path} is on a file system that is mounted read-only.")
    if not os.access(file.path, os.W_OK):
        raise NotPossible(f"You are not allowed to change {file.path}. Run ot-doctor fix as its owner, or with sudo.")


def write(file: WholeFile, data: bytes, files: Path) -> None:
    """Put ``data`` in the place of what was read. It is on the disk, and read back, when this returns.

    Owner, mode, attributes and links stay. ``files`` is the action's folder in the journal: a note stands there for as long as a
    file that cannot be replaced is written where it is. Raises ``NotPossible`` where nothing was changed, and ``NotDone``.
    """
    if not file.same():
        raise NotPossible(f"{file.path} was changed meanwhile, so it was left alone.")
    try:
        if file.status.st_nlink > 1 or not _replaced(file, data):
            _written_in_place(file, data, files)
    except OSError as error:
        said = f"{file.path} could not be written: {error.strerror or error}."
        if read(file.path).data == file.data:
            raise NotPossible(f"{said} It is as it was.") from error
        raise NotDone(said) from error
    if read(file.path).data != data:
        raise NotDone(f"{file.path} was written, but something else was read back.")


def _replaced(file: WholeFile, data: bytes) -> bool:
    """Put a new file in its place; false where that would lose its owner, or is not allowed there. Raises ``OSError``."""
    temporary = file.path.with_name(f".ot-doctor-{secrets.token_hex(6)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        if error.errno in _IN_PLACE:
            return False
        raise
    try:
        try:
            with open(handle, "wb") as out:
                out.write(data)
                out.flush()
                made = os.fstat(handle)
                if (made.st_uid, made.st_gid) != (file.status.st_uid, file.status.st_gid):
                    os.fchown(handle, file.status.st_uid, file.status.st_gid)
                shutil.copystat(file.path, temporary)  # mode, access list and security label; the times are made new below
                os.fchmod(handle, stat.S_IMODE(file.status.st_mode))
                os.utime(temporary)
                os.fsync(handle)
            if not file.same():
                raise NotPossible(f"{file.path} was changed meanwhile, so it was left alone.")
            os.replace(temporary, file.path)
        except OSError as error:
            if error.errno in _IN_PLACE:
                return False
            raise
        _sync_folder(file.path.parent)
        return True
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _written_in_place(file: WholeFile, data: bytes, files: Path) -> None:
    note = files / TORN
    handle = os.open(file.path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if os.fstat(handle).st_ino != file.status.st_ino or os.pread(handle, len(file.data) + 1, 0) != file.data:
            raise NotPossible(f"{file.path} was changed meanwhile, so it was left alone.")
        note.touch(0o600)
        _sync_folder(files)
        try:
            _fill(handle, data)
        except OSError:  # a full disk: what was there fits again
            _fill(handle, file.data)
            raise
        finally:
            if os.pread(handle, len(data) + len(file.data) + 1, 0) in (data, file.data):
                note.unlink()
    finally:
        os.close(handle)


def _fill(handle: int, data: bytes) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(handle, data[done:], done)
    os.ftruncate(handle, len(data))
    os.fsync(handle)


def keep(data: bytes, path: Path) -> None:
    """Keep bytes in the journal, on the disk. Raises ``NotPossible``."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(handle)
        _sync_folder(path.parent)
    except OSError as error:
        raise NotPossible(f"{path} could not be written: {error.strerror or error}. Nothing was changed.") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
