"""Suppressions on results built by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ot_doctor.check import Cause, Check, Family, Finding, Result, Status, Step, failed, passed, skipped, unknown, warned
from ot_doctor.diagnosis.ranking import diagnose
from ot_doctor.run.suppressions import CHECK, Suppression, apply, read

TODAY = date(2026, 11, 21)
ENV = "/srv/ot/.env"
OPEN = warned(f"every user can read {ENV}", cause=Cause.TOKEN_EXPOSED, subject=ENV)
MISSING = failed(Cause.TOKEN_MISSING, "the worker has no token", subject="HUGGINGFACE_TOKEN", remedy=[Step("Write one.")])
NO_ANSWER = unknown("the Hub did not answer", cause=Cause.NETWORK_TIMEOUT)


def result(name: str, *findings: Finding, causes: tuple[Cause, ...] = ()) -> Result:
    return Result(Check(name, "It is so", Family.TOKEN, lambda: (), "Because.", causes), findings, 0.1)


def suppression(check: str = "token-exposure", **more: Any) -> Suppression:
    return Suppression(check, "one user alone", where="x.toml, suppress 1", **more)


def judged(results: tuple[Result, ...]) -> list[tuple[Status, str]]:
    assert results[-1].check is CHECK
    return [(finding.status, finding.message) for finding in results[-1].findings]


def test_without_suppressions_the_results_are_what_they_were() -> None:
    results = (result("token-exposure", OPEN), result("token-present", MISSING))
    assert apply(results, [], TODAY) == results


@pytest.mark.parametrize("finding", [OPEN, MISSING, NO_ANSWER])
def test_a_suppressed_finding_is_a_skip_that_says_why_and_what_it_was(finding: Finding) -> None:
    one, last = apply([result("token-exposure", finding)], [suppression(until=date(2026, 12, 31))], TODAY)
    (changed,) = one.findings
    assert (changed.status, changed.cause, changed.subject) == (Status.SKIP, None, finding.subject)
    assert changed.message.startswith("suppressed until 2026-12-31: one user alone (was: ")
    assert f"(was: {finding.status.value}, {finding.cause.value if finding.cause else ''}: {finding.message})" in changed.message
    assert last.status is Status.PASS
    assert diagnose([one, last]) == ()


def test_the_last_day_is_one_on_which_it_holds() -> None:
    assert apply([result("token-exposure", OPEN)], [suppression(until=TODAY)], TODAY)[0].status is Status.SKIP
    expired = apply([result("token-exposure", OPEN)], [suppression(until=date(2026, 11, 20))], TODAY)
    assert expired[0].findings == (OPEN,)
    assert judged(expired) == [
        (Status.WARN, "the suppression of token-exposure ended on 2026-11-20; what it was about counts again")
    ]
    assert expired[-1].findings[0].remedy[0].text == "Delete it (x.toml, suppress 1), or give it a later date."


def test_without_a_date_it_holds_for_ever() -> None:
    assert apply([result("token-exposure", OPEN)], [suppression()], date(2099, 1, 1))[0].findings[0].message.startswith(
        "suppressed: one user alone (was: warn, token-exposed: "
    )


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (ENV, True), ("/srv/*/.env", True), ("*", True), (None, True),
        ("/srv/ot/.ENV", False), ("/srv", False), ("", True), ("/srv/ot/.en[xy]", False),
    ],
)  # fmt: skip
def test_the_subject_is_exact_or_a_pattern(pattern: str | None, matches: bool) -> None:
    first, _ = apply([result("token-exposure", OPEN)], [suppression(subject=pattern or None)], TODAY)
    assert (first.status is Status.SKIP) is matches


def test_a_subject_with_brackets_is_matched_as_it_stands() -> None:
    odd = warned("odd", subject="/srv/[ot]/.env")
    assert apply([result("a", odd)], [suppression("a", subject="/srv/[ot]/.env")], TODAY)[0].status is Status.SKIP


def test_only_its_own_check_and_subject_are_touched() -> None:
    other = warned("a log line shows it", cause=Cause.TOKEN_EXPOSED, subject="worker.log")
    results = apply([result("token-exposure", OPEN, other), result("x", OPEN)], [suppression(subject=ENV)], TODAY)
    assert [f.status for f in results[0].findings] == [Status.SKIP, Status.WARN]
    assert results[1].findings == (OPEN,)
    assert judged(results) == [
        (Status.PASS, f"the suppression of token-exposure ({ENV}) took 1 finding out of the count: one user alone")
    ]


def test_passes_and_skips_are_never_suppressed() -> None:
    results = apply([result("token-exposure", passed("fine", subject=ENV), skipped("no"))], [suppression()], TODAY)
    assert results[0].findings == (passed("fine", subject=ENV), skipped("no"))


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([passed("fine")], Status.WARN),
        ([warned("another", subject="/other")], Status.WARN),
        ([passed("fine"), skipped("not asked for")], Status.SKIP),
        ([unknown("no answer", subject="/other")], Status.SKIP),
    ],
)
def test_one_that_matches_nothing_is_a_warning_where_all_was_looked_at(findings: list[Finding], status: Status) -> None:
    results = apply([result("token-exposure", *findings)], [suppression(subject=ENV)], TODAY)
    assert [kind for kind, _ in judged(results)] == [status]
    assert results[0].findings == tuple(findings)


def test_one_whose_check_was_not_run_is_not_judged() -> None:
    assert judged(apply([result("x", OPEN)], [suppression()], TODAY)) == [
        (Status.SKIP, "the suppression of token-exposure was not needed, because its check was not run")
    ]


def test_each_suppression_is_judged() -> None:
    several = [suppression(), suppression("x"), suppression("y", until=date(2020, 1, 1))]
    results = apply([result("token-exposure", OPEN), result("x", passed("fine"))], several, TODAY)
    assert [kind for kind, _ in judged(results)] == [Status.PASS, Status.WARN, Status.WARN]
    assert judged(results)[2][1] == "the suppression of y ended on 2020-01-01"


def test_a_reason_is_one_printable_line() -> None:
    (one,) = read([{"check": "a", "reason": "red \x1b[31malert\n\nagain"}], "x.toml")
    assert one.reason == "red alert again"


BY_CAUSE = Suppression("", "known here", where="x.toml, suppress 1", cause=Cause.TOKEN_EXPOSED)


def test_a_cause_is_suppressed_whichever_check_sees_it() -> None:
    results = apply([result("token-exposure", OPEN, MISSING), result("last-attempt", OPEN)], [BY_CAUSE], TODAY)
    assert [[f.status for f in r.findings] for r in results[:2]] == [[Status.SKIP, Status.FAIL], [Status.SKIP]]
    assert judged(results) == [(Status.PASS, "the suppression of token-exposed took 2 findings out of the count: known here")]


def test_a_check_and_a_cause_narrow_each_other() -> None:
    both = Suppression("token-exposure", "known here", where="x.toml, suppress 1", cause=Cause.TOKEN_EXPOSED)
    results = apply([result("token-exposure", OPEN, MISSING), result("last-attempt", OPEN)], [both], TODAY)
    assert [[f.status for f in r.findings] for r in results[:2]] == [[Status.SKIP, Status.FAIL], [Status.WARN]]


@pytest.mark.parametrize(
    ("reports", "finding", "status"),
    [
        ((Cause.TOKEN_EXPOSED,), passed("fine"), Status.WARN),
        ((Cause.TOKEN_EXPOSED,), unknown("no answer"), Status.SKIP),
        ((Cause.DISK_FULL,), passed("fine"), Status.SKIP),
    ],
)
def test_a_cause_that_nothing_names_is_a_warning_where_all_its_checks_looked(
    reports: tuple[Cause, ...], finding: Finding, status: Status
) -> None:
    results = apply([result("token-exposure", finding, causes=reports)], [BY_CAUSE], TODAY)
    assert [kind for kind, _ in judged(results)] == [status]


def test_a_cause_must_be_one_that_there_is() -> None:
    (one,) = read([{"cause": "disk-full", "reason": "small"}], "x.toml")
    assert (one.check, one.cause) == ("", Cause.DISK_FULL)
    with pytest.raises(ValueError, match=r"x\.toml, suppress 1: There is no cause 'disk-fill'. Did you mean disk-full\?"):
        read([{"cause": "disk-fill", "reason": "small"}], "x.toml")
    with pytest.raises(ValueError, match="check or cause is missing"):
        read([{"reason": "small"}], "x.toml")
