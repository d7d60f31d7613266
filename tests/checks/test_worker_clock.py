from __future__ import annotations

from ot_doctor.check import Status
from ot_doctor.evidence import Unavailable
from ot_doctor_checks.worker_clock import worker_clock
from tests.checks.evidence import ladder, only, probe


def test_a_clock_that_agrees_passes() -> None:
    assert only(worker_clock, probe()).status is Status.PASS
    assert only(worker_clock, probe(ladder(clock=None), ladder(clock=None), clock=200.0)).status is Status.PASS


def test_an_hour_off_is_a_warning() -> None:
    finding = only(worker_clock, probe(ladder(clock=-3600.0)))
    assert finding.status is Status.WARN and "60 min behind the Hub's" in finding.message
    finding = only(worker_clock, probe(ladder(clock=None), ladder(clock=None), clock=3 * 3600.0))
    assert finding.status is Status.WARN and "3 h ahead of this machine's" in finding.message


def test_this_machines_own_clock_is_no_measure_where_the_hub_told_its_date() -> None:
    assert only(worker_clock, probe(ladder(clock=None), ladder(clock=-3600.0), clock=3600.0)).status is Status.PASS
    assert only(worker_clock, probe(ladder(clock=None), ladder(clock=0.0), clock=3600.0)).status is Status.WARN


def test_not_looked_at_is_skipped() -> None:
    assert only(worker_clock, Unavailable("off")).status is Status.SKIP
