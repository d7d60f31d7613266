from __future__ import annotations

import pytest

from ot_doctor.check import Status
from ot_doctor.evidence import ReleaseLine, Workers
from ot_doctor_checks.token_names import token_names
from tests.checks.evidence import ENGINE, OTHER_TOKEN, TOKEN, deployment, everything_said, worker, workers


def judge(env, line=ReleaseLine.V0_5):
    (finding,) = token_names(workers(worker(env=env)), deployment(line))
    return finding


@pytest.mark.parametrize(
    "env",
    [
        {"HUGGINGFACE_TOKEN": TOKEN},
        {"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": TOKEN},
        {"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": ""},
        {"HF_TOKEN": OTHER_TOKEN},
    ],
)
def test_one_token(env):
    assert judge(env).status is Status.PASS


def test_two_tokens_name_the_winner_for_each_purpose():
    finding = judge({"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": OTHER_TOKEN, "HUGGING_FACE_HUB_TOKEN": TOKEN})
    assert (finding.status, finding.subject) == (Status.WARN, "HF_TOKEN")
    assert "HF_TOKEN wins for the export" in finding.message and "HUGGINGFACE_TOKEN wins for PyAnnote" in finding.message
    assert TOKEN not in everything_said(finding) and OTHER_TOKEN not in everything_said(finding)
    assert "export" not in judge({"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": OTHER_TOKEN}, ReleaseLine.V0_4).message
    third = judge({"HUGGINGFACE_TOKEN": TOKEN, "HUGGING_FACE_HUB_TOKEN": OTHER_TOKEN})
    assert third.subject == "HUGGING_FACE_HUB_TOKEN"


def test_no_worker():
    (finding,) = token_names(Workers(ENGINE, ()), deployment())
    assert finding.status is Status.SKIP
