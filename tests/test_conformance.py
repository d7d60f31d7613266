"""Every check that is installed keeps to the contract."""

from __future__ import annotations

import re

import pytest

from ot_doctor import causes
from ot_doctor.check import Cause, Check, Family, Status
from ot_doctor.discovery import discover
from ot_doctor.evidence import Request, Unavailable
from ot_doctor.evidence.store import SOURCES, Store, parameters
from ot_doctor.explanation import explanation_of
from ot_doctor.runner import Result, run

CATALOGUE = discover()
CHECKS = [pytest.param(found.check, id=name) for name, found in CATALOGUE.checks.items()]
SWITCHED_OFF = Unavailable("it was left out", switched_off=True)
NOT_HAD = Unavailable("it could not be had", hint="Make it so.", command="make it so")


def test_every_check_that_is_installed_could_be_loaded() -> None:
    assert len(CHECKS) >= 20 and not CATALOGUE.broken and not CATALOGUE.duplicates


def test_every_family_has_a_check() -> None:
    assert {found.check.family for found in CATALOGUE.checks.values()} == set(Family)


@pytest.mark.parametrize("check", CHECKS)
def test_its_metadata_is_complete(check: Check) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", check.name)
    assert check.name not in {family.value for family in Family}
    assert isinstance(check.family, Family)
    assert 10 <= len(check.title) <= 60 and check.title[0].isupper() and not check.title.endswith(".")
    assert all(isinstance(cause, Cause) for cause in check.causes) and len(set(check.causes)) == len(check.causes)


@pytest.mark.parametrize("check", CHECKS)
def test_its_explanation_says_enough_and_fits_the_terminal_of_a_programmer(check: Check) -> None:
    assert len(check.explanation) >= 80
    assert max(map(len, check.explanation.splitlines())) <= 130
    assert "TODO" not in check.explanation


@pytest.mark.parametrize("check", CHECKS)
def test_what_it_asks_for_is_evidence(check: Check) -> None:
    wanted = parameters(check.function)
    assert wanted and {kind for kind, _ in wanted.values()} <= {*SOURCES, Request}


@pytest.mark.parametrize("check", CHECKS)
def test_what_it_comes_after_is_there_and_not_itself(check: Check) -> None:
    assert set(check.after) <= set(CATALOGUE.checks) - {check.name}


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_reported_by_some_check_and_has_a_meaning(cause: Cause) -> None:
    assert causes.title(cause) and causes.explanation(cause)
    assert any(cause in found.check.causes for found in CATALOGUE.checks.values())


def ran_on(check: Check, evidence: Unavailable) -> Result:
    (result,) = run({check.name: check}, Store(Request(), {kind: evidence for kind in SOURCES}))
    return result


@pytest.mark.parametrize("check", CHECKS)
def test_without_any_evidence_it_neither_passes_nor_fails(check: Check) -> None:
    result = ran_on(check, NOT_HAD)
    assert result.status in (Status.UNKNOWN, Status.SKIP)
    assert {finding.status for finding in result.findings} <= {Status.UNKNOWN, Status.SKIP}
    assert not any("itself failed" in finding.message for finding in result.findings)
    assert all(finding.remedy for finding in result.findings if finding.status is Status.UNKNOWN)


@pytest.mark.parametrize("check", CHECKS)
def test_what_the_user_switched_off_is_a_skip(check: Check) -> None:
    assert {finding.status for finding in ran_on(check, SWITCHED_OFF).findings} == {Status.SKIP}


@pytest.mark.parametrize("check", CHECKS)
def test_it_has_an_explanation_on_the_command_line(check: Check) -> None:
    text = explanation_of(check.name, CATALOGUE)
    assert check.title in text and check.explanation in text and CATALOGUE.checks[check.name].owner in text
    assert all(cause.value in text for cause in check.causes)


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_names_the_checks_that_report_it(cause: Cause) -> None:
    text = explanation_of(cause.value, CATALOGUE)
    assert causes.title(cause) in text and "no check that is installed" not in text
