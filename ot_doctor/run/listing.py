"""Tables for ``ot-doctor list``, which fit a terminal of ``width`` columns."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from ot_doctor.check import Cause
from ot_doctor.diagnosis.causes import title
from ot_doctor.logs.faults.rule import rules
from ot_doctor.logs.signatures import Signature
from ot_doctor.run.discovery import CheckCatalogue

_NARROWEST = 16  # columns of the last column, whatever the terminal has
_OWN = "ot-doctor "
_RULES = "Where no signature knows an error, the first of these rules that holds tells its cause:"


def of_checks(catalogue: CheckCatalogue, width: int) -> str:
    """Every check: its name, family and title; a plug-in's also where it comes from."""
    rows = [
        (found.check.name, found.check.family.value, found.check.title + _origin(found.owner))
        for found in catalogue.checks.values()
    ]
    return _table(("check", "family", "the desired state"), rows, width)


def of_causes(width: int) -> str:
    """Every cause, in the order in which they must be fixed."""
    return _table(("cause", "meaning"), [(cause.value, title(cause)) for cause in Cause], width)


def of_signatures(signatures: Iterable[Signature], width: int) -> str:
    """Every log signature, and its cause or its kind, those of one cause together; then the rules, in their order."""
    order = {cause.value: cause.rank for cause in Cause}
    listed = sorted(signatures, key=lambda s: (order.get(s.cause or "", len(order)), s.kind, s.name))
    known = _table(("log signature", "cause"), [(s.name, s.cause or f"none ({s.kind})") for s in listed], width)
    judging = _table(("rule", "cause: what it finds"), [(rule.name, f"{rule.cause}: {rule.title}") for rule in rules()], width)
    return "\n\n".join((known, textwrap.fill(_RULES, width), judging))


def _origin(owner: str) -> str:
    return "" if owner.startswith(_OWN) else f" (from {owner})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    before = sum(max(len(cell) for cell in column) + 2 for column in list(zip(heads, *rows, strict=True))[:-1])
    last = max(width - before, _NARROWEST)
    # A long path is not broken, so that it can be copied.
    fill = functools.partial(textwrap.fill, width=last, break_long_words=False, break_on_hyphens=False)
    return tabulate([(*row[:-1], fill(row[-1])) for row in rows], headers=heads, tablefmt="simple", disable_numparse=True)
