"""Faults: the errors of a log, taken apart by structure and judged by rules.

So a text that nobody has seen still tells its kind.

    faults = faults_in(text)          # every error of it
    judge(faults[0])                  # what a rule makes of one
    decide(faults)                    # which one explains the others
    unexplained(text)                 # the decisive lines of errors that nothing explains
    harmless(text)                    # why a text that looks like an error is none

Pure functions over text: no disk, no Docker, no network.
"""

from __future__ import annotations

from ot_doctor.logs.faults.anatomy import candidates
from ot_doctor.logs.faults.fault import Fault, FaultVerdict, Frame, Raised
from ot_doctor.logs.faults.harmless import harmless
from ot_doctor.logs.faults.judging import decide, is_error, judge, named

__all__ = [
    "Fault", "FaultVerdict", "Frame", "Raised", "decide", "faults_in", "harmless", "is_error", "judge", "named", "unexplained",
]  # fmt: skip


def faults_in(text: str) -> tuple[Fault, ...]:
    """Every error in a log or in a record, in order; of several containers, one after the other.

    A line that has no shape of an error counts only where a rule knows what it means.
    """
    found = _telling(candidates(text))
    if any(is_error(fault) for fault in found) and decide(found) is None:  # then hints count as well
        return _telling(candidates(text, quiet=True))
    return found


def _telling(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(fault for fault in faults if fault.kind != "line" or fault.shows_failure or judge(fault) is not None)


def unexplained(text: str) -> tuple[str, ...]:
    """The decisive lines of an error that no rule explains: empty where there is none, or where another error explains them."""
    faults = faults_in(text)
    if decide(faults) is not None:
        return ()
    return tuple(dict.fromkeys(fault.last_line for fault in faults if is_error(fault)))
