"""Every cause can be fixed, also where nothing is known of the installation."""

from __future__ import annotations

import re

import pytest

from ot_doctor.check import Cause, Risk, Step
from ot_doctor.diagnosis.fix_steps import STEPS
from ot_doctor.testing import problems_of_command, risk_of_command

_BY_FOLDER = "works from one folder alone"  # which the heading above the steps says
_PLACES = {"<model>", "<model-cache>", "<token>"}
ALL = {f"{cause.value}-{number}": step for cause in Cause for number, step in enumerate(STEPS[cause], 1)}


def test_every_cause_has_steps() -> None:
    assert list(STEPS) == list(Cause) and all(STEPS.values())


@pytest.mark.parametrize("step", ALL.values(), ids=ALL)
def test_a_step_is_a_sentence_with_few_places_to_fill_in(step: Step) -> None:
    assert step.text[0].isupper() and step.text.endswith(".")
    assert set(re.findall(r"<[^>]*>", f"{step.text} {step.command} {step.url}")) <= _PLACES


@pytest.mark.parametrize("step", [step for step in ALL.values() if step.command])
def test_a_command_ends_asks_nothing_and_tells_its_risk(step: Step) -> None:
    filled = re.sub(r"<[\w-]+>", "/srv/x", step.command or "")
    assert [problem for problem in problems_of_command(filled) if _BY_FOLDER not in problem] == []
    shown = risk_of_command(filled)
    assert shown is step.risk or shown is Risk.SAFE
