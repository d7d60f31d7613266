"""Interruptions (Ctrl-C): the first one ends the run in order, each further one at once."""

from __future__ import annotations

import os
import signal
from types import FrameType

CODE = 130


def heed_interruptions() -> None:
    """From now on. Where they are ignored, in a shell's background job for instance, they still are."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _first)


def _first(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _further)
    raise KeyboardInterrupt


def _further(number: int, frame: FrameType | None) -> None:
    """Nothing is left to be ended in order, and a second exception would be shown as a traceback."""
    os._exit(CODE)
