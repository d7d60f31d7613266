"""Known defects of OpenTranscribe, from the data file beside this module, and what to do about each."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from ot_doctor.check import Cause, Finding, Risk, Status, Step
from ot_doctor.evidence import Deployment, Hit, Unavailable

from ._remedies import run_again

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PIN = "OT_IMAGE_TAG"


@dataclass(frozen=True)
class Defect:
    """A defect, the releases that have it, and the one that has fixed it."""

    signature: str  # of the log
    releases: tuple[str, ...]
    where: str
    fixed_in: str
    needs: str  # what the fixed release needs
    link: str
    meanwhile: str = ""


@cache
def defects() -> tuple[Defect, ...]:
    content = tomllib.loads((files(__package__ or "ot_doctor_checks") / "defects.toml").read_text(encoding="utf-8"))
    return tuple(Defect(**{**table, "releases": tuple(table["releases"])}) for table in content["defect"])


def defect_of(hits: Iterable[Hit]) -> Defect | None:
    """The defect that a line of the log shows."""
    signatures = {hit.signature for hit in hits}
    return next((defect for defect in defects() if defect.signature in signatures), None)


def with_fix(found: Finding, hits: Iterable[Hit], deployment: Deployment | Unavailable) -> Finding:
    """A failure that a known defect brought about, with what to do about that defect."""
    defect = defect_of(hits)
    if defect is None or found.status is not Status.FAIL or found.cause is not Cause.KNOWN_DEFECT:
        return found
    return replace(found, remedy=(*defect_steps(defect, deployment), run_again()))


def defect_steps(defect: Defect, deployment: Deployment | Unavailable) -> list[Step]:
    """Go to the release that has fixed it."""
    known = f"This is a defect of {' and '.join(defect.releases)} {defect.where}."
    text = f"{known} {defect.fixed_in[0].upper()}{defect.fixed_in[1:]} has fixed it. {defect.needs}"
    steps = [Step(text, url=defect.link)]
    update = f"Update to it. Where {_PIN} is set in the .env, change it first."
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        steps.append(Step(update, risk=Risk.RESTARTS))
    else:
        pull = deployment.compose("up -d --pull always")
        steps.append(Step(update, command=pull, risk=Risk.RESTARTS))
    return [*steps, Step(defect.meanwhile)] if defect.meanwhile else steps
