"""``--require FAMILY``: what could not be checked there makes the run fail."""

from __future__ import annotations

from collections.abc import Iterable

from ot_doctor.check import Check, Family, Finding, Result, Status, Step, passed, unknown

_LOOKED_AT = (Status.PASS, Status.WARN, Status.FAIL)

CHECK = Check(
    "required-families",
    "Every family that is required could be checked",
    Family.HOST,
    lambda: (),
    "--require FAMILY asks that a family is really checked: in a CI job, a check that looked at nothing must not be taken for a "
    "good one. A family is not met when one of its checks is unknown, or when none of them could look at anything. The run then "
    "ends with exit code 1.",
)


def unmet(results: Iterable[Result], required: Iterable[Family]) -> dict[Family, tuple[str, ...]]:
    """The required families that could not be checked, with the names of the checks that are unknown.

    No names: none of the family's checks looked at anything (all of them were skipped, left out, or there are none).
    """
    results = [result for result in results if result.check is not CHECK]
    found: dict[Family, tuple[str, ...]] = {}
    for family in dict.fromkeys(required):
        own = [(r.check.name, f.status) for r in results if r.check.family is family for f in r.findings]
        names = tuple(dict.fromkeys(name for name, status in own if status is Status.UNKNOWN))
        if names or not any(status in _LOOKED_AT for _, status in own):
            found[family] = names
    return found


def evaluate(results: Iterable[Result], required: Iterable[Family]) -> tuple[Result, ...]:
    """The results, and where families are required one more that says which could be checked."""
    results, required = tuple(results), tuple(dict.fromkeys(required))
    if not required:
        return results
    missed = unmet(results, required)
    findings = tuple(_finding(family, missed.get(family)) for family in required)
    return (*results, Result(CHECK, findings, 0.0))


def _finding(family: Family, names: tuple[str, ...] | None) -> Finding:
    if names is None:
        return passed(f"the required family {family.value} was checked", subject=family.value)
    why = f"{', '.join(names)} could not be checked" if names else "none of its checks looked at anything"
    more = "See what they say above." if names else f"Leave out what switches it off, or --require {family.value}."
    said = f"the family {family.value} is required (--require), and {why}: this run does not pass"
    return unknown(said, subject=family.value, remedy=[Step(more)])
