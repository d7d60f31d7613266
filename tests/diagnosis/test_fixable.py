"""What a report says that ``ot-doctor fix`` would do: counted from the actions, and the same in each format."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from ot_doctor.actions import (
    AcceptTerms,
    Action,
    EditEnv,
    FetchModels,
    LineChange,
    LineEdit,
    OwnCache,
    PutToken,
    RecreateServices,
    RestartContainer,
)
from ot_doctor.check import Cause, Confidence, Step
from ot_doctor.diagnosis.fixable import offer
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.report.formats import render
from ot_doctor.report.model import Report

ENV = "/srv/ot/.env"


def edit(*lines: int) -> EditEnv:
    return EditEnv(ENV, tuple(LineEdit(line, LineChange.COMMENT_OUT) for line in lines))


def root(cause: Cause, *actions: Action | None) -> RootCause:
    steps = tuple(Step("Do it.", risk=action.risk, action=action) if action else Step("By hand.") for action in actions)
    return RootCause(cause, None, "It is so.", Confidence.CERTAIN, (), steps, ())


RECREATE = RecreateServices(("celery-worker",))
TWO = (
    root(Cause.ENV_SHADOWED, edit(3), RECREATE),
    root(Cause.SPEAKERS_CONFIG, edit(3, 9), RECREATE),
)


@pytest.mark.parametrize(
    ("diagnosis", "said"),
    [
        ((), ""),
        ((root(Cause.UNRECOGNISED, None),), ""),
        (TWO, "'ot-doctor fix' would change 2 lines of .env and restart 1 container. It asks before each step."),
        (
            (*TWO, root(Cause.UNRECOGNISED, None)),
            "'ot-doctor fix' can fix 2 of these 3 causes: it would change 2 lines of .env and restart 1 container. "
            "It asks before each step.",
        ),
        (
            (root(Cause.TOKEN_MISSING, None, PutToken(ENV), RECREATE), root(Cause.GATED_NOT_ACCEPTED, AcceptTerms("a/b"))),
            "'ot-doctor fix' would ask for a token, try it, and write it, guide you through 1 step and restart 1 container. "
            "It asks before each step.",
        ),
        (
            (root(Cause.CACHE_PERMISSION, OwnCache("/m", "w")), root(Cause.CACHE_MISSING, FetchModels(("a/b", "c/d"), "w"))),
            "'ot-doctor fix' would give files to the worker's user and download 2 models. It asks before each step.",
        ),
        (
            (root(Cause.WORKER_DOWN, RestartContainer("w")),),
            "'ot-doctor fix' would restart 1 container. It asks before each step.",
        ),
    ],
)  # fmt: skip
def test_the_offer_counts_what_would_be_done(diagnosis: tuple[RootCause, ...], said: str) -> None:
    assert offer(diagnosis).sentence == said


def test_all_formats_say_it_and_a_bundle_says_whose_machine_it_is() -> None:
    report = Report(datetime(2026, 11, 28, tzinfo=timezone.utc), 1.0, (), TWO)
    said = "'ot-doctor fix' would change 2 lines of .env and restart 1 container. It asks before each step."
    for name in ("text", "markdown"):
        assert said in " ".join(render(report, name).split()), name
    assert said.replace("'", "&#x27;") in render(report, "html") or said in render(report, "html")
    assert json.loads(render(report, "json"))["fix"] == {"fixable": 2, "would": "change 2 lines of .env and restart 1 container"}
    assert json.loads(render(replace(report, diagnosis=()), "json"))["fix"] is None
    recorded = render(replace(report, recorded_at=report.started_at), "text")
    assert f"On the machine that was recorded, {said}" in " ".join(recorded.split())
