"""``--wait DURATION``: runs until one passes, or until the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0  # seconds
_SHORTEST_TRY = 5.0  # seconds; with less, a report would only say that nothing answered in time


def retry_until_success(
    run: Callable[[float], T], failure_summary: Callable[[T], str], wait: float, tell: Callable[[str], None]
) -> T:
    """The first run that passes, or the last one that there was time for.

    ``run`` gets the longest time that it may take, in seconds; ``failure_summary`` is empty for one that passed, and says why
    another did not, for ``tell``. ``wait`` is in seconds; 0 is one run that takes its time. What ``run`` raises ends the
    wait. The last run begins when the time is over, so that the whole of it is waited.
    """
    if not wait:
        return run(float("inf"))
    over = time.monotonic() + wait
    pause = _FIRST_PAUSE
    while True:
        result = run(max(over - time.monotonic(), _SHORTEST_TRY))
        reason = failure_summary(result)
        left = over - time.monotonic()
        if not reason or left <= 0:
            return result
        now = min(pause, left)
        tell(f"Waiting: {reason}. Next try in {now:.3g} s.")
        time.sleep(now)
        pause = min(2 * pause, LONGEST_PAUSE)
