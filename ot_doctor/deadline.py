"""Calls that may hang for ever: a dead network file system, a container that does not answer, a plug-in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TookTooLong(TimeoutError):
    """The call had not come back in time."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; ``TookTooLong`` when it takes longer than ``seconds``.

    It runs in a daemon thread, which is left behind then: one that hangs in a system call cannot be stopped. What is no
    ``Exception``, such as a plug-in's ``sys.exit()``, becomes a ``RuntimeError``.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        error = errors[0]
        raise error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
    if not results:
        raise TookTooLong(f"no answer within {seconds:.1f} s")
    return results[0]
