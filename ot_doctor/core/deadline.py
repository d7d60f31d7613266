"""Calls that may hang for ever: a dead network file system, a container that does not answer, a plug-in."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from ot_doctor.core.limits import limit_reached

T = TypeVar("T")


class TookTooLong(TimeoutError):
    """The call had not come back in time."""


class NoResources(RuntimeError):
    """The system grants this process no thread or no memory: the text is a sentence that names the limits."""

    hint = "Raise the limit and run ot-doctor again: see 'ulimit -u' and 'ulimit -v', in a container --pids-limit and --memory."


def start(thread: threading.Thread) -> None:
    """Start a thread, with the context of whoever starts it: the registry of secrets goes along.

    Raises ``NoResources`` where the system grants none.
    """
    context, run = copy_context(), thread.run
    thread.run = lambda: context.run(run)  # type: ignore[method-assign]
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        raise NoResources(limit_reached(error) or "The system grants this process no thread.") from error


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; ``TookTooLong`` when it takes longer than ``seconds``, ``NoResources`` without a thread.

    It runs in a daemon thread, which is left behind then: one that hangs in a system call cannot be stopped. What is no
    ``Exception``, such as a plug-in's ``sys.exit()``, becomes a ``RuntimeError``.
    """
    results: list[T] = []
    errors: list[Exception] = []
    depth = sys.getrecursionlimit()

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:
            errors.append(error)
        except BaseException as error:
            errors.append(RuntimeError(f"{type(error).__name__}: {words_of(error)}"))
        finally:
            sys.setrecursionlimit(depth)  # here, while nobody needs more of it than a plug-in has left

    thread = threading.Thread(target=run, daemon=True)
    start(thread)
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TookTooLong(f"no answer within {seconds:.1f} s")
    return results[0]


def words_of(error: BaseException) -> str:
    """What an exception says; empty when it fails even at that. It may take any time: a plug-in's own class says it."""
    try:
        return str(error)
    except BaseException:
        return ""
