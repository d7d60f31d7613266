"""The last lines of a log that may tell an error, with their numbers, in flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

KEPT = 1 << 17  # bytes


class LastLines:
    """Keeps the newest of the pieces that it is given."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._size = 0

    def add(self, number: int, piece: bytes) -> None:
        """Whole lines, the first of which has that number."""
        self._pieces.append((number, piece))
        self._size += len(piece)
        while self._size - len(self._pieces[0][1]) >= KEPT:
            self._size -= len(self._pieces.popleft()[1])

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for number, piece in self._pieces:
            yield from enumerate(piece.removesuffix(b"\n").split(b"\n"), number)
