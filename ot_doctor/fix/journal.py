"""What runs of ``fix`` did, in the user's state folder: enough to take each back, also one that was cut off anywhere.

``<state>/ot-doctor/runs/<UTC>-<n>/`` holds ``journal.jsonl``, one line before and one after each action, each on the disk before
the run goes on; and ``files/<number>/``, what was there before. It is private, and never part of a bundle.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

KEPT = 10  # runs; older ones are deleted
_NAME = "journal.jsonl"


class NoJournal(Exception):
    """Nothing can be noted there, so nothing is changed. The text is a sentence."""


class Busy(Exception):
    """Another run works on the same installation. The text is a sentence."""


def state_folder(environ: Mapping[str, str], home: str) -> Path:
    """Where this user's programs keep their state; for root not in the home folder that sudo left in the environment."""
    base = environ.get("XDG_STATE_HOME", "")
    if os.geteuid() == 0 and os.path.isdir(home) and os.stat(home).st_uid != 0:
        home = "/root"
    return Path(base if base.startswith("/") else os.path.join(home or "/", ".local", "state")) / "ot-doctor"


@dataclass
class Entry:
    """One action of a run."""

    number: int
    action: Mapping[str, Any]  # as ``catalogue.to_json`` writes it
    does: str  # what was told of it, in a sentence
    saved: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""  # empty: it was cut off
    undone: bool = False
    lasting: bool = False  # it was tried to take it back, and it cannot be

    @property
    def settled(self) -> bool:
        """Whether nothing is left to take back."""
        return self.undone or self.lasting


@dataclass
class Run:
    """A run, as its journal tells it."""

    name: str
    folder: Path
    installation: str = ""
    began: str = ""  # UTC, ISO 8601
    entries: list[Entry] = field(default_factory=list)
    ended: bool = False
    left: bool = False  # cut off, and somebody decided to leave it so

    @property
    def cut_off(self) -> bool:
        """Whether it ended in the middle of an action, and nobody looked after that."""
        return not self.left and any(not e.outcome and not e.settled for e in self.entries)

    @property
    def to_undo(self) -> list[Entry]:
        """What can be taken back, the newest first."""
        return [e for e in reversed(self.entries) if not e.settled]


class Journal:
    """The journal of the run that goes on now."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @classmethod
    def begin(cls, state: Path, installation: str) -> Journal:
        """A new run's journal. Raises ``NoJournal``."""
        runs = _private(state / "runs")
        now = datetime.now(timezone.utc)
        highest = max((_number(name) for name in os.listdir(runs) if name.startswith(f"{now:%Y%m%d-%H%M}-")), default=0)
        for number in range(highest + 1, highest + 100):
            folder = runs / f"{now:%Y%m%d-%H%M}-{number}"
            with contextlib.suppress(FileExistsError):
                try:
                    folder.mkdir(mode=0o700)
                except FileExistsError:
                    raise
                except OSError as error:
                    raise NoJournal(_no_journal(folder, error)) from error
                break
        else:
            raise NoJournal(f"There are too many runs in {runs}.")
        journal = cls(Run(folder.name, folder, installation, now.strftime("%Y-%m-%dT%H:%M:%SZ")))
        journal.note("begin", installation=installation, began=journal.run.began)
        _sync(runs)
        for old in stored(state)[KEPT:]:
            shutil.rmtree(old.folder, ignore_errors=True)
        return journal

    def files(self, number: int) -> Path:
        """The folder for what an action saves; made here. Raises ``NoJournal``."""
        folder = self.run.folder / "files" / str(number)
        try:
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise NoJournal(_no_journal(folder, error)) from error
        return folder

    def doing(self, entry: Entry) -> None:
        """Before the first change of an action."""
        self.run.entries.append(entry)
        self.note("doing", number=entry.number, action=entry.action, does=entry.does, saved=entry.saved)

    def done(self, entry: Entry, outcome: str) -> None:
        entry.outcome = outcome
        self.note("done", number=entry.number, outcome=outcome)

    def undone(self, entry: Entry) -> None:
        entry.undone = True
        self.note("undone", number=entry.number)

    def lasts(self, entry: Entry) -> None:
        entry.lasting = True
        self.note("lasting", number=entry.number)

    def end(self) -> None:
        self.run.ended = True
        self.note("end")

    def leave(self) -> None:
        self.run.left = True
        self.note("left")

    def note(self, event: str, **more: Any) -> None:
        """One line, on the disk before this returns. Raises ``NoJournal``."""
        line = json.dumps({"event": event, "at": datetime.now(timezone.utc).isoformat(timespec="seconds"), **more}) + "\n"
        path = self.run.folder / _NAME
        try:
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
            try:
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":  # a line that was cut off
                    line = f"\n{line}"
                os.write(handle, line.encode())
                os.fsync(handle)
            finally:
                os.close(handle)
            if event == "begin":
                _sync(self.run.folder)
        except OSError as error:
            raise NoJournal(_no_journal(path, error)) from error


def stored(state: Path) -> list[Run]:
    """All runs, the newest first; what is no journal is passed over."""
    try:
        folders = [path for path in (state / "runs").iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
    runs = [_read(folder) for folder in folders]
    return sorted((run for run in runs if run.began), key=lambda run: (run.began, _number(run.name)), reverse=True)


def _number(name: str) -> int:
    last = name.rpartition("-")[2]
    return int(last) if last.isdigit() else 0


def _read(folder: Path) -> Run:
    """A run; a last line that was cut off counts as not written."""
    run = Run(folder.name, folder)
    try:
        lines = (folder / _NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return run
    for line in lines:
        try:
            _take(run, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return run


def _take(run: Run, said: Mapping[str, Any]) -> None:
    event = said["event"]
    if event == "begin":
        run.installation, run.began = str(said["installation"]), str(said["began"])
    elif event == "doing":
        run.entries.append(Entry(int(said["number"]), dict(said["action"]), str(said["does"]), dict(said["saved"])))
    elif event == "end":
        run.ended = True
    elif event == "left":
        run.left = True
    else:
        entry = next((e for e in run.entries if e.number == said["number"]), None) or Entry(0, {}, "")
        entry.outcome, entry.undone = said.get("outcome", entry.outcome), entry.undone or event == "undone"
        entry.lasting = entry.lasting or event == "lasting"


@contextlib.contextmanager
def locked(state: Path, installation: str) -> Iterator[None]:
    """Nobody else changes the installation meanwhile. Raises ``Busy`` and ``NoJournal``. The system frees it when we die."""
    name = hashlib.sha256(installation.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    path = _private(state / "locks") / name
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise NoJournal(_no_journal(path, error)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(f"Another 'ot-doctor fix' or 'undo' works on {installation}. Wait until it ends.") from None
        yield
    finally:
        os.close(handle)


def _private(folder: Path) -> Path:
    """The folder, made private; refused where somebody else could change what is in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in (folder.parent, folder):
            status = os.lstat(one)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                raise NoJournal(f"{one} is not a folder of yours, so nothing can be noted there, and nothing was changed.")
            if stat.S_IMODE(status.st_mode) & 0o077:
                os.chmod(one, 0o700)
    except OSError as error:
        raise NoJournal(_no_journal(folder, error)) from error
    return folder


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _no_journal(path: Path, error: OSError) -> str:
    return f"{path} could not be written ({error.strerror or error}). Without a journal nothing is changed."
