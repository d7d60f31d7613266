"""The data file of known defects, and what the last attempt says to do about one."""

from __future__ import annotations

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import COMMUNITY_1, Outcome, Unavailable
from ot_doctor.logs.signatures import catalogue
from ot_doctor_checks._defects import defect_of, defects
from ot_doctor_checks.last_attempt import last_attempt
from tests.checks.evidence import (
    attempt,
    cache,
    deployment,
    env_file,
    everything_said,
    hit,
    host,
    hub,
    token,
    worker_log,
    workers,
)


def test_each_defect_has_its_signature() -> None:
    known = {signature.name: signature for signature in catalogue(()).signatures}
    for defect in defects():
        assert known[defect.signature].cause == Cause.KNOWN_DEFECT.value
        assert defect.releases and defect.fixed_in and defect.needs and defect.link.startswith("https://")


def test_every_signature_of_a_defect_has_its_entry() -> None:
    named = {signature.name for signature in catalogue(()).signatures if signature.cause == Cause.KNOWN_DEFECT.value}
    assert named == {defect.signature for defect in defects()}


def test_the_remedy_says_where_to_go_and_what_that_needs() -> None:
    shown = hit("defect-empty-cache-mps", "known-defect", "Cannot execute emptyCache() without MPS backend.")
    failed = attempt(Outcome.FAILED, cause="known-defect", certain=True, hits=(shown,), decisive=(shown.record,))
    evidence = (hub(), token(), cache(), host(), workers(), deployment(), env_file())
    (finding,) = last_attempt(worker_log(failed), *evidence)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.KNOWN_DEFECT)
    said = everything_said(finding)
    assert "after v0.5.1" in said and COMMUNITY_1 in said and "up -d --pull always" in said and "OT_IMAGE_TAG" in said
    nothing = Unavailable("not looked at")
    (alone,) = last_attempt(worker_log(failed), *([nothing] * 7))
    assert "after v0.5.1" in everything_said(alone)


def test_other_lines_show_none() -> None:
    assert defect_of([hit("v4-job-failed", None)]) is None
