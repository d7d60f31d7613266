"""The closed list: each action has a class, survives JSON, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from ot_doctor.actions import ACTIONS, Action, EditEnv, Encoding, LineChange, LineEdit, RecreateServices, ReencodeEnv, Risk
from ot_doctor.check import Step
from ot_doctor.diagnosis.fixable import actions_of
from ot_doctor.fix import catalogue, plan_file
from ot_doctor.fix.catalogue import from_json, to_json
from ot_doctor.fix.plan_file import NoPlan

EDIT = EditEnv(
    "/srv/ot/.env", (LineEdit(3, LineChange.RENAME, "HF_TOKEN", "HUGGINGFACE_TOKEN"), LineEdit(4, LineChange.COMMENT_OUT))
)


def test_each_action_has_a_procedure_and_no_procedure_is_left_over() -> None:
    assert set(catalogue._PROCEDURES) == set(catalogue.BY_NAME) and len(catalogue.BY_NAME) == len(ACTIONS)


@pytest.mark.parametrize("action", [EDIT, ReencodeEnv("/x", Encoding.NUL), RecreateServices(("a", "b"))])
def test_an_action_is_the_same_after_json(action: Action) -> None:
    assert from_json(to_json(action)) == action


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"name": "rm"}, {"name": "env.edit", "path": "/x"}, {"name": "env.mode", "path": "/x", "more": 1},
        {"name": "env.mode", "path": 3}, {"name": "worker.recreate", "services": "abc"},
        {"name": "worker.recreate", "services": [1]},
        {"name": "env.edit", "path": "/x", "edits": [{"line": True, "change": "write", "key": None, "to": ""}]},
        {"name": "env.reencode", "path": "/x", "wrong": "latin-1"},
    ],
)  # fmt: skip
def test_what_is_no_action_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="not an action"):
        from_json(data)


def test_a_plug_in_may_name_an_action_and_invent_none() -> None:
    class Invented(Action):
        name = "rm"
        risk = Risk.SAFE

    Step("Do it.", action=EDIT)
    with pytest.raises(TypeError, match="none of those that there are"):
        Step("Do it.", action=Invented())


def test_a_remedy_with_a_change_that_has_no_action_is_not_begun() -> None:
    restart = Step("Recreate it.", risk=Risk.RESTARTS, action=RecreateServices(("celery-worker",)))
    by_hand = Step("Remove ':ro' from the Compose file.", risk=Risk.CHANGES_FILES)
    assert actions_of([by_hand, restart]) == () and actions_of([Step("Look."), restart, restart]) == (restart.action,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a plan"), ("[]", "is not a plan"), ('{"schema": "ot-doctor/report/1"}', "is not a plan"),
        ('{"schema": "ot-doctor/fix-plan/1", "installation": "/a", "steps": [{}]}', "is not a plan"),
        ("[" * 100_000, "is not a plan"),
        ('{"schema": "ot-doctor/fix-plan/1", "installation": "/a", "steps": []}', "was made for /a, and not for /srv/ot"),
    ],
)  # fmt: skip
def test_what_is_no_plan_for_this_installation_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(NoPlan, match=why):
        plan_file.read(path, "/srv/ot")
