"""A plan that is kept: actions with what they rest on, so that it is refused where that is not so any more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ot_doctor.actions import Action
from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.fix.catalogue import from_json, procedure_of, to_json
from ot_doctor.fix.loop import changed
from ot_doctor.fix.outcome import Attended
from ot_doctor.fix.procedure import NotPossible, Site

SCHEMA = "ot-doctor/fix-plan/1"
_LARGEST = 4 * 1024 * 1024  # bytes


class NoPlan(Exception):
    """The file is not a plan, or one that cannot be carried out any more. The text is a sentence."""


@dataclass(frozen=True)
class PlannedAction:
    """One action of a plan, and the cause that it is for."""

    cause: str
    subject: str | None
    action: Action
    rests_on: tuple[tuple[str, str], ...]


def render(installation: str, attended: Sequence[Attended]) -> str:
    """The plan as it is written. It holds no secret: texts are those that were shown, and actions have none."""
    steps = [
        {
            "cause": one.root.cause.value, "subject": one.root.subject, "action": to_json(deed.action), "does": deed.does,
            "lines": list(deed.lines), "risks": sorted(risk.value for risk in deed.risks), "rests_on": deed.rests_on,
        }
        for one in attended
        for deed in one.deeds
        if deed.does
    ]  # fmt: skip
    return json.dumps({"schema": SCHEMA, "installation": installation, "steps": steps}, indent=2) + "\n"


def read(path: Path, installation: str) -> tuple[PlannedAction, ...]:
    """The steps of a plan for this installation. Raises ``NoPlan``."""
    try:
        data: Any = json.loads(read_small(path, _LARGEST)[0])
        if data["schema"] != SCHEMA:
            raise ValueError("another schema")
        steps = tuple(
            PlannedAction(str(s["cause"]), s["subject"], from_json(s["action"]), tuple(dict(s["rests_on"]).items()))
            for s in data["steps"]
        )
        made_for = data["installation"]
    except (OSError, TooLarge) as error:
        raise NoPlan(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoPlan(f"{path} is not a plan of 'ot-doctor fix --plan'.") from error
    if made_for != installation:
        raise NoPlan(f"{path} was made for {made_for}, and not for {installation}.")
    return steps


def must_be_fresh(planned: Sequence[PlannedAction], site: Site) -> None:
    """Raises ``NoPlan`` with the names of what is not as it was when the plan was made."""
    stale: list[str] = []
    for step in planned:
        try:
            procedure = procedure_of(step.action, site)
            now = procedure.preview().rests_on if procedure.precondition() else {}
        except NotPossible as refused:
            raise NoPlan(f"The plan is stale: {refused}") from refused
        stale += changed(step.rests_on, now.items())
    if stale:
        raise NoPlan(
            f"The plan is stale, and nothing was done. Changed since: {', '.join(dict.fromkeys(stale))}. Make a new one."
        )
