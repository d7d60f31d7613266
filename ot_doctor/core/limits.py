"""Limits of the system that a run can reach: memory, threads, open files. Each in a sentence that names it."""

from __future__ import annotations

import errno

try:
    import resource
except ImportError:  # not a Unix
    resource = None  # type: ignore[assignment]

_NO_MEMORY = ("failed to map segment", "cannot allocate memory")  # what the loader says of a library


def limit_reached(error: BaseException) -> str | None:
    """A sentence about the limit that ``error``, or what brought it about, is a sign of; ``None`` for any other error."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if said := _sentence(cause):
            return said
        cause = cause.__cause__ or cause.__context__
    return None


def _sentence(error: BaseException) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error).lower() if isinstance(error, (ImportError, RuntimeError)) else ""
    if number in (errno.EMFILE, errno.ENFILE):
        return f"Too many files are open{_limit('RLIMIT_NOFILE', 'ulimit -n', 1)}. Raise the limit and run ot-doctor again."
    if "can't start new thread" in text:
        return (
            f"No more threads can be started: the limit on memory{_limit('RLIMIT_AS', 'ulimit -v', 2**20)} or on processes"
            f"{_limit('RLIMIT_NPROC', 'ulimit -u', 1)} is too low. Raise it and run ot-doctor again."
        )
    allowed = _limit("RLIMIT_AS", "ulimit -v", 2**20)
    # What an allocation that fails becomes where nothing looks for it, and what another thread sees of a module that needed it.
    partial = isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError)
    unnoticed = bool(allowed) and (isinstance(error, SystemError) or partial)
    if isinstance(error, MemoryError) or unnoticed or number == errno.ENOMEM or any(words in text for words in _NO_MEMORY):
        return f"There is too little memory for ot-doctor{allowed}. Raise the limit, or free memory, and run it again."
    return None


def _limit(name: str, command: str, unit: int) -> str:
    """The limit as the shell names it; empty where none is set."""
    if resource is None:
        return ""
    soft = resource.getrlimit(getattr(resource, name))[0]
    return "" if soft == resource.RLIM_INFINITY else f" ({command} allows {soft // unit}{' MB' if unit > 1 else ''})"
