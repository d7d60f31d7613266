"""Evidence that a gatherer uses when it is there, and does not wait for."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Generic, TypeVar

from ot_doctor.evidence.base import Unavailable

E = TypeVar("E")


class Soon(Generic[E]):
    """What is gathered beside it: ``Soon[ModelCache]`` as the type of a gatherer's parameter."""

    def __init__(self, future: Future[E | Unavailable]) -> None:
        self._future = future

    @classmethod
    def of(cls, value: E | Unavailable) -> Soon[E]:
        """What is known already."""
        future: Future[E | Unavailable] = Future()
        future.set_result(value)
        return cls(future)

    def known(self) -> E | None:
        """The evidence; ``None`` while it is not there, and where it is unavailable."""
        value = self._future.result() if self._future.done() else None
        return None if isinstance(value, Unavailable) else value
