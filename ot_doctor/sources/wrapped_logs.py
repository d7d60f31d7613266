"""The lines of a file, as they were before a terminal or a mail program wrapped them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ot_doctor.logs.faults.unwrapping import LONGEST_WRAPPED, rejoined
from ot_doctor.sources.docker.log_stream import LogProblem


def unwrapped(blocks: Iterable[bytes], begins: list[int]) -> Iterator[bytes]:
    """The blocks; of a short log that was wrapped at a width, its lines joined again, and in ``begins`` where each began."""
    held: bytes | None = b""
    try:
        for block in blocks:
            if held is None:
                yield block
            elif len(held) + len(block) > LONGEST_WRAPPED:
                yield held + block
                held = None
            else:
                held += block
    except LogProblem:
        if held:
            yield held
        raise
    joined = rejoined(held) if held else None
    if joined is not None:
        begins += joined[1]
    if held:
        yield joined[0] if joined else held
