from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import TOKEN_NAME, Answer, FileAnswer, ProcessEnvironment, Unavailable
from ot_doctor_checks.process_environment import process_environment
from tests.checks.evidence import cache, deployment, ladder, only, probe, statuses, workers

NEEDED = cache(complete=False)


def judge(answer: Answer = Answer.OK, *, sent: bool = True, **changes: object) -> list[Finding]:
    process = ProcessEnvironment(readable=True, **changes)  # type: ignore[arg-type]
    inside = ladder(files=(FileAnswer("pyannote/x", "config.yaml", answer),), token_sent=sent)
    return list(process_environment(probe(inside, process=process), NEEDED, workers(), deployment()))


def test_the_settings_of_the_container_pass() -> None:
    (finding,) = judge()
    assert finding.status is Status.PASS
    (finding,) = judge(added=("HF_HOME",))
    assert finding.status is Status.PASS and "It also has HF_HOME." in finding.message


def test_another_token_is_a_fault_where_the_hub_rejects_it() -> None:
    (finding,) = judge(Answer.BAD_TOKEN, differs=(TOKEN_NAME,))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.ENV_SHADOWED, TOKEN_NAME)
    (finding,) = judge(Answer.OK, differs=(TOKEN_NAME,))
    assert finding.status is Status.PASS
    (finding,) = judge(sent=False, added=(TOKEN_NAME,))
    assert finding.status is Status.WARN and "is not known" in finding.message


@pytest.mark.parametrize("changes", [{"removed": (TOKEN_NAME,)}, {"differs": (TOKEN_NAME,), "blank": (TOKEN_NAME,)}])
def test_no_token_in_the_process_is_a_missing_token(changes: dict[str, object]) -> None:
    (finding,) = judge(**changes)  # type: ignore[arg-type]
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_MISSING)


def test_other_values_are_a_warning_with_their_names() -> None:
    (finding,) = judge(differs=("HF_ENDPOINT", "MAX_SPEAKERS"))
    assert (finding.status, finding.subject) == (Status.WARN, "HF_ENDPOINT, MAX_SPEAKERS")
    assert statuses(judge(Answer.BAD_TOKEN, differs=(TOKEN_NAME, "HF_ENDPOINT"))) == [Status.FAIL, Status.WARN]


def test_what_was_not_read_is_skipped() -> None:
    closed = probe(process=ProcessEnvironment(False, "Permission denied"))
    assert only(process_environment, closed, NEEDED, workers(), deployment()).status is Status.SKIP
    assert only(process_environment, Unavailable("off"), NEEDED, workers(), deployment()).status is Status.SKIP
