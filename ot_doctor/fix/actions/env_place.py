"""Who else reads the ``.env``: its mode, and git."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ot_doctor.actions import ProtectEnv, UntrackEnv
from ot_doctor.fix import whole_file
from ot_doctor.fix.actions.env import examined
from ot_doctor.fix.procedure import NotDone, NotPossible, Preview, Saved, Site
from ot_doctor.sources.dotenv import git_program
from ot_doctor.sources.dotenv.git_program import GitRefused

_OTHERS = stat.S_IRWXO


class EnvMode:
    """``env.mode``: takes the rights of all others away; those of owner and group stay."""

    def __init__(self, action: ProtectEnv, site: Site) -> None:
        self.file = whole_file.read(examined(action.path, site))
        self.mode = stat.S_IMODE(self.file.status.st_mode)

    def precondition(self) -> bool:
        if not self.mode & _OTHERS:
            return False
        if os.geteuid() not in (0, self.file.status.st_uid):
            raise NotPossible(f"{self.file.path} belongs to somebody else. Run ot-doctor fix as its owner, or with sudo.")
        return True

    def preview(self) -> Preview:
        return Preview(
            f"Takes the rights of all other users on {self.file.path} away.",
            "Change its mode?",
            (f"mode {self.mode:04o} becomes {self.mode & ~_OTHERS:04o}",),
            {f"file {self.file.path}": self.file.digest},
        )

    def save(self, files: Path) -> Saved:
        return {"path": str(self.file.path), "mode": self.mode}

    def apply(self) -> None:
        _chmod(self.file.path, self.mode & ~_OTHERS)

    def verify(self) -> None:
        if os.stat(self.file.path).st_mode & _OTHERS:
            raise NotDone(f"{self.file.path} still has the mode {stat.S_IMODE(os.stat(self.file.path).st_mode):04o}.")

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        file = whole_file.read(Path(saved["path"]))
        now, old = stat.S_IMODE(file.status.st_mode), int(saved["mode"])
        if now == old:
            return False
        if now != old & ~_OTHERS:
            raise NotPossible(f"The mode of {file.path} was changed since, to {now:04o}. It was {old:04o}.")
        _chmod(file.path, old)
        return True


class EnvUntrack:
    """``env.untrack``: git forgets the file, which stays on the disk."""

    def __init__(self, action: UntrackEnv, site: Site) -> None:
        self.file = whole_file.read(examined(action.path, site)).path
        try:
            self.index = whole_file.read(git_program.index_of(self.file))
            self.entry = git_program.entry_of(self.file)
        except GitRefused as refused:
            raise NotPossible(str(refused)) from refused

    def precondition(self) -> bool:
        return bool(self.entry)

    def preview(self) -> Preview:
        return Preview(
            f"Takes {self.file} out of git's index; the file stays, and you commit that.",
            "Untrack it?",
            (f"git rm --cached {self.file.name}",),
            {f"git's index {self.index.path}": self.index.digest},
        )

    def save(self, files: Path) -> Saved:
        return {"file": str(self.file), "entry": self.entry}

    def apply(self) -> None:
        try:
            git_program.untrack(self.file)
        except GitRefused as refused:
            raise NotDone(str(refused)) from refused

    def verify(self) -> None:
        try:
            if git_program.entry_of(self.file):
                raise NotDone(f"git still tracks {self.file}.")
        except GitRefused as refused:
            raise NotDone(str(refused)) from refused

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        file = Path(saved["file"])
        try:
            if git_program.entry_of(file):
                return False
            git_program.track_again(file, str(saved["entry"]))
        except GitRefused as refused:
            raise NotPossible(str(refused)) from refused
        return True


def _chmod(path: Path, mode: int) -> None:
    try:
        os.chmod(path, mode)
    except OSError as error:
        raise NotPossible(f"The mode of {path} could not be changed: {error.strerror or error}.") from error
