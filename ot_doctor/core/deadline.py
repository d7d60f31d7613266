"""Calls that may hang for ever: a dead network file system, a container that does not answer, a plug-in."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import closing
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

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


class Calls:
    """Calls one after the other in one daemon thread: to start one takes longer than most checks do. See ``within``."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises; ``TookTooLong`` and ``NoResources`` as of ``within``. The next call has a new thread
        where this one was left behind."""
        if self._thread is None:
            self._asked: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
            self._outcomes: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
            thread = threading.Thread(target=_answer, args=(self._asked, self._outcomes), daemon=True)
            start(thread)
            self._thread = thread
        thread, self._thread = self._thread, None  # until it has answered: one that hangs is never waited for again
        self._asked.put(call)
        try:
            result, error = self._outcomes.get(timeout=max(0.0, seconds))
        except Empty:
            self._asked.put(None)  # should it ever come back
            raise TookTooLong(f"no answer within {seconds:.1f} s") from None
        self._thread = thread
        if error is not None:
            raise error
        answer: T = result
        return answer

    def close(self) -> None:
        """End the thread. Afterwards there may be calls again."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join(1.0)  # a plug-in may have left something in it that holds it up
            self._thread = None


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; ``TookTooLong`` when it takes longer than ``seconds``, ``NoResources`` without a thread.

    It runs in a daemon thread, which is left behind then: one that hangs in a system call cannot be stopped. What is no
    ``Exception``, such as a plug-in's ``sys.exit()``, becomes a ``RuntimeError``.
    """
    with closing(Calls()) as calls:
        return calls.within(seconds, call)


def _answer(asked: SimpleQueue[Callable[[], Any] | None], outcomes: SimpleQueue[tuple[Any, Exception | None]]) -> None:
    while (call := asked.get()) is not None:
        outcomes.put(_outcome(call))


def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    depth = sys.getrecursionlimit()
    try:
        return call(), None
    except Exception as error:
        return None, error
    except BaseException as error:
        return None, RuntimeError(f"{type(error).__name__}: {words_of(error)}")
    finally:
        sys.setrecursionlimit(depth)  # here, while nobody needs more of it than a plug-in has left


def words_of(error: BaseException) -> str:
    """What an exception says; empty when it fails even at that. It may take any time: a plug-in's own class says it."""
    try:
        return str(error)
    except BaseException:
        return ""
