"""Names that users give: what has a name, and what may have been meant by one that nothing has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from ot_doctor.check import Cause, Check, Family
from ot_doctor.evidence import NextRelease
from ot_doctor.run.runner import requires

LISTS = "'ot-doctor list' shows the checks; list --causes and list --signatures show the others."
_MOST = 3  # names that are suggested
_SHORTEST = 4  # characters of the beginning of a name that tell which is meant
_Kinds = Mapping[str, str]  # names, each with what it is: "family", "check", "cause", "log signature", "rule"


def kinds_of(checks: Iterable[str], signatures: Iterable[str] | None = None) -> _Kinds:
    """Every name that there is. ``signatures``: those of the user's files are among them; by default the built-in ones."""
    from ot_doctor.logs.faults import named as rules
    from ot_doctor.logs.signatures import catalogue

    named = {
        "family": [family.value for family in Family],
        "check": checks,
        "cause": [cause.value for cause in Cause],
        "log signature": catalogue(()).named if signatures is None else signatures,
        "rule": rules(),
    }
    kinds: dict[str, str] = {}
    for kind, names in named.items():
        for name in names:
            kinds.setdefault(name, kind)
    return kinds


def meant(name: str, known: Collection[str], otherwise: str = "") -> str:
    """What may have been meant, as a question; ``otherwise`` where nothing is close."""
    found = _close(name, known)
    return f"Did you mean {_listed(found, 'or')}?" if found else otherwise


def no_such(name: str, known: Collection[str], what: str, lists: str = LISTS) -> str:
    """The sentences for a name that nothing has: what may have been meant, or where the names are listed."""
    return f"There is no {what} '{name}'. {meant(name, known, lists)}"


def not_taken(name: str, taken: Collection[str], checks: Mapping[str, Check]) -> str:
    """The sentences for a name where only those of some kinds are taken: ``check``, ``family`` or both.

    A cause, signature or rule is not taken, and neither is a check where a family is: then what it is, and what to give instead.
    """
    kinds = kinds_of(checks)
    what = " or ".join(kind for kind in ("check", "family") if kind in taken)
    if name in kinds:
        return f"'{name}' is a {kinds[name]}, not a {what}. {_instead(name, kinds[name], taken, checks)}"
    usable = [known for known, kind in kinds.items() if kind in taken]
    if found := meant(name, usable):
        return f"There is no {what} '{name}'. {found}"
    other = next(iter(_close(name, list(kinds))), None)
    if other is None:
        return f"There is no {what} '{name}'. 'ot-doctor list' shows what there is."
    return f"There is no {what} '{name}'. Did you mean the {kinds[other]} {other}? {_instead(other, kinds[other], taken, checks)}"


def _instead(name: str, kind: str, taken: Collection[str], everything: Mapping[str, Check]) -> str:
    """What to give in place of a name that is something else; no check of ``preflight``, which takes no names."""
    checks = {known: check for known, check in everything.items() if not requires(check, NextRelease)}
    if kind == "check":
        return f"Its family is {everything[name].family.value}." if "family" in taken else ""
    if kind == "family":
        own = [check.name for check in checks.values() if check.family.value == name]
        return f"Its checks are {_listed(own)}."
    if kind == "cause" and tuple(taken) == ("check",):  # of a suppression, which can name a cause, too
        return f'Write cause = "{name}".'
    if kind == "cause":
        found = [check for check in checks.values() if any(cause.value == name for cause in check.causes)]
        if not found:
            return f"'ot-doctor explain {name}' tells more."
        if "check" in taken:
            return f"{_listed([check.name for check in found])} can report it."
        return f"Checks of {_listed(dict.fromkeys(check.family.value for check in found))} can report it."
    return "Use logs, the family of checks that read the log."


def _close(name: str, known: Collection[str]) -> list[str]:
    """Names that begin like it, and then those that are nearly the same."""
    whole = name.casefold()
    if whole in known:
        return [whole]
    begins = [other for other in known if len(whole) >= _SHORTEST and other.startswith(whole)]
    return list(dict.fromkeys([*begins, *get_close_matches(whole, list(known), n=_MOST)]))[:_MOST]


def _listed(names: Iterable[str], word: str = "and") -> str:
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
