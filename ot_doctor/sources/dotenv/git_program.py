"""Takes a file out of git's index, with git itself: the index is git's, and has many forms."""

from __future__ import annotations

from pathlib import Path

from ot_doctor.core.printable import clipped, printable
from ot_doctor.sources import programs

_SECONDS = 20.0
# Nothing that the repository names is run: no hook, no monitor, no remote.
_PLAIN = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0")
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_PAGER": "cat",
}  # fmt: skip


class GitRefused(Exception):
    """git did not do it. The text is a sentence, with git's own words."""


def index_of(file: Path) -> Path:
    """The index of the repository that the file is in. Raises ``GitRefused``."""
    return Path(_git(file.parent, "rev-parse", "--path-format=absolute", "--git-path", "index").strip())


def untrack(file: Path) -> None:
    """``git rm --cached``: the file itself stays. Raises ``GitRefused``."""
    _git(file.parent, "rm", "--cached", "--quiet", "--ignore-unmatch", "--", file.name)


def entry_of(file: Path) -> str:
    """The file's entry: mode, object and stage, as ``track_again`` takes it. Raises ``GitRefused``."""
    return _git(file.parent, "ls-files", "--stage", "--", file.name).partition("\t")[0]


def track_again(file: Path, entry: str) -> None:
    """Put the entry back that ``entry_of`` returned. Raises ``GitRefused``."""
    words = entry.split()
    if len(words) != 3:
        raise GitRefused(f"'{printable(entry)}' is not an entry of git's index.")
    name = _git(file.parent, "rev-parse", "--show-prefix").strip() + file.name
    _git(file.parent, "update-index", "--add", "--cacheinfo", f"{words[0]},{words[1]},{name}")


def _git(folder: Path, *arguments: str) -> str:
    git = programs.find("git")
    if git is None:
        raise GitRefused("There is no git on this machine.")
    try:
        ended = programs.run([git, "--literal-pathspecs", *_PLAIN, *arguments], _ENVIRONMENT, str(folder), _SECONDS)
    except OSError as error:
        raise GitRefused(f"git could not be run: {error}.") from error
    if ended.code:
        said = clipped(printable(ended.errors).strip() or f"exit code {ended.code}", 300)
        raise GitRefused(f"git refused: {said}")
    return ended.text
