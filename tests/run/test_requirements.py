"""``--require FAMILY`` on results built by hand."""

from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Check, Family, Finding, Result, Status, Step, failed, passed, skipped, unknown, warned
from ot_doctor.run.requirements import CHECK, evaluate, unmet

NO_ANSWER = unknown("the Hub did not answer")
LEFT_OUT = skipped("the Hub was left out (--offline)")


def result(name: str, family: Family, *findings: Finding) -> Result:
    return Result(Check(name, "It is so", family, lambda: (), "Because."), findings, 0.1)


def access(*findings: Finding) -> tuple[Result, ...]:
    return (result("env-lines", Family.ENV, passed("fine")), result("model-access", Family.ACCESS, *findings))


@pytest.mark.parametrize(
    "findings",
    [
        [passed("fine")],
        [passed("fine"), skipped("not needed")],
        [warned("hm")],
        [failed(Cause.GATED_PENDING, "no", remedy=[Step("Wait.")])],  # it was checked: the failure counts by itself
    ],
)
def test_a_family_that_was_checked_is_met(findings: list[Finding]) -> None:
    assert unmet(access(*findings), [Family.ACCESS]) == {}


@pytest.mark.parametrize("findings", [[NO_ANSWER], [passed("fine"), NO_ANSWER]])
def test_an_unknown_finding_is_enough_for_it_not_to_be_met(findings: list[Finding]) -> None:
    assert unmet(access(*findings), [Family.ACCESS]) == {Family.ACCESS: ("model-access",)}
    assert unmet(access(*findings), [Family.ENV]) == {}


@pytest.mark.parametrize("results", [access(LEFT_OUT), access()[:1]])
def test_a_family_where_nothing_was_looked_at_is_not_met(results: tuple[Result, ...]) -> None:
    assert unmet(results, [Family.ACCESS]) == {Family.ACCESS: ()}


def test_without_requirements_the_results_are_what_they_were() -> None:
    results = access(NO_ANSWER)
    assert evaluate(results, []) == results


def test_the_verdict_is_a_result_that_every_format_shows() -> None:
    *_, last = evaluate(access(NO_ANSWER), [Family.ACCESS, Family.ENV, Family.CACHE, Family.ACCESS])
    assert last.check is CHECK and last.status is Status.UNKNOWN
    assert [(f.status, f.subject, f.message) for f in last.findings] == [
        (Status.UNKNOWN, "access",
         "the family access is required (--require), and model-access could not be checked: this run does not pass"),
        (Status.PASS, "env", "the required family env was checked"),
        (Status.UNKNOWN, "cache",
         "the family cache is required (--require), and none of its checks looked at anything: this run does not pass"),
    ]  # fmt: skip


def test_the_verdict_does_not_judge_itself() -> None:
    results = (result("docker-engine", Family.HOST, passed("fine")), *access(NO_ANSWER))
    results = evaluate(results, [Family.ACCESS, Family.HOST])
    assert unmet(results, [Family.HOST]) == {}
