from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Family, Finding, Seen, Status, Step, failed, passed, skipped, unknown, warned
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.report import summary
from ot_doctor.report.formats import render
from tests.checks.evidence import worker_log
from tests.report.reports import REPORTS, report

PEOPLE = ("text", "markdown", "html", "github")


@pytest.mark.parametrize("name", PEOPLE)
def test_what_was_hidden_is_told_in_each_format_for_people(name: str) -> None:
    text = render(report(hidden=(Hidden("HUGGINGFACE_TOKEN", 3), Hidden("proxy", 1))), name)
    assert "(3), proxy (1)" in text


def test_a_reason_is_given_once_that_of_the_most_checks_first() -> None:
    gone, behind = "the engine does not answer at all", "the memory is not known: the engine does not answer at all"
    made = report({
        "token-present": (unknown("another reason"),), "worker-gpu": (unknown(f"{gone}."), unknown(behind)),
        "docker-engine": (unknown(f"{gone}."),),
    })  # fmt: skip
    found = summary.shared(made, Status.UNKNOWN)
    assert [(alike.finding.message, alike.checks) for alike in found] == [
        (f"{gone}.", ("worker-gpu", "docker-engine")), ("another reason", ("token-present",)),
    ]  # fmt: skip


def test_few_checks_are_named_and_many_are_counted() -> None:
    said = warned("w")
    assert summary.Shared(said, ("a", "b", "c", "d")).who == "a, b, c, d"
    assert summary.Shared(said, ("a", "b", "c", "d", "e")).who == "5 checks"


def test_of_a_check_that_was_not_made_there_is_nothing_to_say_but_why() -> None:
    half = (passed("fine", subject="p/a"), skipped("left out", subject="p/b"))
    seen = unknown("no answer", evidence=[Seen("hub", "hub.lan", "timeout")])
    made = report({
        "model-access": half, "token-accepted": (seen,), "worker-gpu": (skipped("left out"),), "last-attempt": (unknown("gone"),),
    })  # fmt: skip
    assert [(alike.finding.status, alike.checks) for alike in summary.not_made(made)] == [
        (Status.UNKNOWN, ("last-attempt",)), (Status.SKIP, ("worker-gpu",)),
    ]  # fmt: skip


@pytest.mark.parametrize(("finding", "root"), [
    (failed(Cause.TOKEN_MISSING, "none", subject="HUGGINGFACE_TOKEN", remedy=[Step("s")]), Cause.ENV_SHADOWED),
    (failed(Cause.ENV_SHADOWED, "it wins", subject="HUGGINGFACE_TOKEN", remedy=[Step("s")]), None),
    (warned("in part", cause=Cause.TOKEN_MISSING), None),
    (passed("fine"), None),
])  # fmt: skip
def test_what_follows_from_a_cause_is_a_failure_that_the_diagnosis_does_not_show(finding: Finding, root: Cause | None) -> None:
    made = REPORTS["one-root-cause"]()
    result = next(result for result in made.results if result.check.name == "token-present")
    found = summary.follows_from(result, finding, made)
    assert (found and found.cause) is root


def test_where_there_is_no_installation_the_logs_are_what_was_examined() -> None:
    alone = report(deployment=None, workers=None, log=worker_log())
    assert summary.place(alone) == [source.name for source in worker_log().sources] != []


def test_the_verdict_says_when_what_is_required_could_not_be_checked() -> None:
    made = report({"token-present": (unknown("no answer"),)})
    assert summary.verdict(made) == "Nothing failed, but 1 check could not be made"
    assert summary.verdict(replace(made, required=(Family.TOKEN,))) == "Not everything that is required could be checked"
    assert summary.verdict(replace(made, required=(Family.ENV,))) == summary.verdict(made)


def test_the_verdict_says_what_was_skipped() -> None:
    made = report({"worker-gpu": (skipped("left out"),)})
    assert summary.verdict(made) == "Everything that was checked is as it should be; 1 check was skipped"
    assert summary.verdict(report()) == "Everything that was checked is as it should be"
    assert summary.verdict(replace(made, results=())) == "Nothing was checked"
