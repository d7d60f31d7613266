"""A rule over faults. The rules are data, in ``rules/*.toml``, in the order in which they are asked:

    [[rule]]
    name = "name-not-resolved"
    cause = "network-dns"
    title = "A name does not resolve"
    why = "The resolver's own error. The other side was never asked."
    patterns = ['''\\bdns error\\b''']
    words = ["dns"]
    types = ["gaierror"]
    errors = ["EAI"]
    where = ["outside"]

A rule holds where one of its signs is there (``patterns``, ``types``, ``errors``, ``signals``, ``kinds``; without any it needs
none), all of its conditions hold (``statuses``, ``roles``, ``where``), and nothing of ``unless`` is found.

``patterns``   regular expressions over the fault's text, without regard to case. A named group tells the subject.
``words``      fixed texts in lower case, one of which is in whatever a pattern finds.
``types``      classes of exceptions.
``errors``     names of operating system errors.
``signals``    numbers of signals.
``kinds``      kinds of faults.
``statuses``   HTTP statuses; 0 stands for none named.
``roles``      what the path is for: ``cache``, ``scratch``, ``elsewhere``, or nothing for no path.
``where``      names from ``conditions.CONDITIONS``, all of which must hold.
``unless``     regular expressions that rule it out.
``subject``    a name from ``conditions.SUBJECTS``, where no group tells.
``possible``   ``true`` where other explanations are about as good.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import sys
from dataclasses import dataclass
from typing import Any

from ot_doctor.logs.faults.conditions import CONDITIONS, SUBJECTS, role_of
from ot_doctor.logs.faults.fault import Fault

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib


@dataclass(frozen=True)
class Rule:
    """One rule; the module's text tells the fields."""

    name: str
    cause: str
    title: str
    why: str
    patterns: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    signals: frozenset[int] = frozenset()
    kinds: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    roles: frozenset[str] = frozenset()
    where: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    subject: str = ""
    possible: bool = False

    @functools.cached_property
    def _signs(self) -> bool:
        return bool(self.patterns or self.types or self.errors or self.signals or self.kinds)

    def holds(self, fault: Fault, lower: str) -> bool:
        """Whether the rule holds. ``lower`` is the fault's text in lower case."""
        if self.statuses and (fault.status or 0) not in self.statuses:
            return False
        if self._signs and not self._sign(fault, lower):
            return False
        if self.roles and role_of(fault) not in self.roles:
            return False
        if not all(CONDITIONS[name](fault) for name in self.where):
            return False
        return not (self.unless and _compiled(self.unless).search(fault.text))

    def _sign(self, fault: Fault, lower: str) -> bool:
        if self.types and not self.types.isdisjoint(fault.types):
            return True
        if self.errors and not self.errors.isdisjoint(fault.errors):
            return True
        if fault.kind in self.kinds or (self.signals and fault.signal in self.signals):
            return True
        return self._match(fault, lower) is not None

    def _match(self, fault: Fault, lower: str) -> re.Match[str] | None:
        if not self.patterns or not any(word in lower for word in self.words):
            return None
        return _compiled(self.patterns).search(fault.text)

    def names(self, fault: Fault, lower: str) -> str | None:
        """What the rule's verdict is about: the repository, path, module or signal."""
        match = self._match(fault, lower)
        named = next(filter(None, match.groupdict().values()), None) if match else None
        return named or (SUBJECTS[self.subject](fault) if self.subject else None)


@functools.cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


@functools.cache
def rules() -> tuple[Rule, ...]:
    """All rules, in their order. Raises ``TypeError`` for an unknown key: the files are ours, so that is a bug."""
    folder = importlib.resources.files("ot_doctor.logs.faults") / "rules"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    tables = [table for file in files for table in tomllib.loads(file.read_text(encoding="utf-8"))["rule"]]
    return tuple(Rule(**{key: _frozen(key, value) for key, value in table.items()}) for table in tables)


def _frozen(key: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return tuple(value) if key in ("patterns", "words", "where", "unless") else frozenset(value)
