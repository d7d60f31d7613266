from __future__ import annotations

from collections.abc import Mapping

import pytest

from ot_doctor.check import Finding, Status
from ot_doctor.evidence import ReleaseLine, Workers
from ot_doctor_checks.token_names import token_names
from tests.checks.evidence import ENGINE, OTHER_TOKEN, TOKEN, deployment, everything_said, only, worker, workers


def judge(env: Mapping[str, str], line: ReleaseLine = ReleaseLine.V0_5) -> Finding:
    return only(token_names, workers(worker(env=env)), deployment(line))


@pytest.mark.parametrize(
    "env",
    [
        {"HUGGINGFACE_TOKEN": TOKEN},
        {"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": TOKEN},
        {"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": ""},
        {"HF_TOKEN": OTHER_TOKEN},
    ],
)
def test_one_token(env: dict[str, str]) -> None:
    assert judge(env).status is Status.PASS


def test_two_tokens_name_the_winner_for_each_purpose() -> None:
    finding = judge({"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": OTHER_TOKEN, "HUGGING_FACE_HUB_TOKEN": TOKEN})
    assert (finding.status, finding.subject) == (Status.WARN, "HF_TOKEN")
    assert "HF_TOKEN wins for the export" in finding.message and "HUGGINGFACE_TOKEN wins for PyAnnote" in finding.message
    assert TOKEN not in everything_said(finding) and OTHER_TOKEN not in everything_said(finding)
    assert "export" not in judge({"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": OTHER_TOKEN}, ReleaseLine.V0_4).message
    third = judge({"HUGGINGFACE_TOKEN": TOKEN, "HUGGING_FACE_HUB_TOKEN": OTHER_TOKEN})
    assert third.subject == "HUGGING_FACE_HUB_TOKEN"


def test_no_worker() -> None:
    (finding,) = token_names(Workers(ENGINE, ()), deployment())
    assert finding.status is Status.SKIP
