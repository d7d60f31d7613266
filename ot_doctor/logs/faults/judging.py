"""The rules in their order, and what they make of one fault or of all faults of a log."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from ot_doctor.logs.faults.fault import Fault, FaultVerdict
from ot_doctor.logs.faults.harmless import Harmless, entry_for
from ot_doctor.logs.faults.rule import Rule, rules

_FIRST = frozenset({
    "out-of-memory", "gpu-out-of-memory", "disk-full", "cache-permission", "cache-readonly", "scratch-permission",
    "env-unreadable", "time-limit",
})  # fmt: skip
_HINTS = (1, 3, 4)  # weights of what decides nothing beside an error that is explained
_LAST = frozenset({"worker-crashed", "worker-down", "unrecognised"})


def _excuse(fault: Fault) -> Harmless | None:
    """Why a fault may be harmless. An exception that ended something is never, whatever its text quotes."""
    return None if fault.kind == "python" else entry_for(fault.lasting)


@functools.cache
def named() -> dict[str, Rule]:
    """Every rule by its name, for those who explain one."""
    return {rule.name: rule for rule in rules()}


def judge(fault: Fault) -> FaultVerdict | None:
    """What the first rule that holds makes of the fault; ``None`` where none does, or where the text is harmless."""
    return _judged(_Alike(fault))


class _Alike:
    """A fault, equal to all others that differ in ids alone: a log of tracebacks repeats the same ones."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def __hash__(self) -> int:
        return hash(self.fault.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Alike) and self.fault.key == other.fault.key


@functools.lru_cache(maxsize=1024)
def _judged(alike: _Alike) -> FaultVerdict | None:
    fault = alike.fault
    entry = _excuse(fault)
    if entry is not None and not entry.ignored:
        return None
    lower = fault.text.lower()
    rule = next((rule for rule in rules() if rule.holds(fault, lower)), None)
    if rule is None:
        return None
    return FaultVerdict(rule.cause, rule.names(fault, lower), rule.name, "possible" if rule.possible else "likely")


def is_error(fault: Fault) -> bool:
    """Whether the fault says by its shape that something failed, whatever it is: what nobody may pass over in silence."""
    if fault.level in ("INFO", "DEBUG") or _excuse(fault) is not None:
        return False
    if fault.kind == "line" and fault.level == "WARNING":  # a warning's words are not an error, an exception in it is
        return any(raised.type for raised in fault.chain)
    return fault.kind != "line" or fault.shows_failure


def decide(faults: Iterable[Fault]) -> tuple[Fault, FaultVerdict] | None:
    """The fault of a stretch of text that explains the others, and what it means; ``None`` where no rule holds.

    A lack of memory, room or permission is before anything else; a crash and a stopped worker are what others end in. Hints
    (lines at INFO, warnings of what was ignored or tried again) decide only where an error stands that nothing explains.
    """
    seen = list(faults)
    verdicts = [(fault, judge(fault)) for fault in seen]
    judged = [(_rank(fault, verdict, order), fault, verdict) for order, (fault, verdict) in enumerate(verdicts) if verdict]
    if not judged:
        return None
    rank, fault, verdict = min(judged, key=lambda item: item[0])
    if rank[0] in _HINTS and not any(is_error(one) or (one.shows_failure and _excuse(one) is None) for one in seen):
        return None
    return fault, verdict


def _rank(fault: Fault, verdict: FaultVerdict, order: int) -> tuple[int, int, int, int]:
    """How near it is to what brought all about. A hint that is sure goes before an error that says little."""
    entry = _excuse(fault)
    hint = entry is not None and entry.ignored and verdict.cause != "broker-unreachable"
    weight = 4 if fault.level in ("INFO", "DEBUG") else int(hint) + 2 * (verdict.confidence == "possible")
    tier = 0 if verdict.cause in _FIRST else 2 if verdict.cause in _LAST else 1
    return weight, tier, int(fault.level == "WARNING"), order
