"""Numbers and lengths of time as they are written on the command line."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)
_LONGEST = 7 * 24 * 3600  # seconds


def seconds_of(text: str) -> float:
    """Seconds of ``5m``, ``90s``, ``1h30m`` or plain seconds. Raises ``ValueError`` with a sentence for anything else."""
    parts = _DURATION.fullmatch(text.strip().lower())
    if not parts or not any(parts.groups()):
        raise ValueError(f"'{text}' is not a duration: use 5m, 90s, 1h or 1h30m.")
    seconds = sum(float(number) * unit for number, unit in zip(parts.groups(), _UNITS.values(), strict=True) if number)
    if seconds > _LONGEST:
        raise ValueError(f"'{text}' is longer than a week.")
    return seconds


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click alone
    """A length of time as an option's value, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Within(click.ParamType):  # type: ignore[type-arg]
    """A number between two others, ends included. Unlike click's own ranges it refuses NaN, and says which numbers in words."""

    def __init__(self, kind: type[int] | type[float], low: int, high: int, what: str) -> None:
        self.kind, self.low, self.high, self.name = kind, low, high, what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        try:
            number = self.kind(value)
        except (ValueError, OverflowError):
            number = self.low - 1
        if not self.low <= number <= self.high:
            self.fail(f"'{value}' is not a number of {self.name} from {self.low} to {self.high}.", param, ctx)
        return number
