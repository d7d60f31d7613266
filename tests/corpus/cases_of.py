"""The corpus as it lies on the disk: each log, and what is true of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.toml"))


@dataclass(frozen=True)
class Case:
    """A log with its truth; see ``tests.corpus.case.Truth``."""

    name: str
    outcome: str
    cause: str
    also: tuple[str, ...]
    made: str
    folder: Path = CASES

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def answers(self) -> tuple[str, ...]:
        """The causes that are right answers; ``(none)`` where nothing is wrong, or a cause does not break a job."""
        failing = self.cause and (self.outcome == "failed" or self.outcome == "none")
        return (self.cause, *self.also) if failing else ("(none)",)


def case_of(name: str) -> Case:
    truth = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))
    return Case(name, truth["outcome"], truth["cause"], tuple(truth["also"]), truth["made"])
