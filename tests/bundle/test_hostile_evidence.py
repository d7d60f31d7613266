"""Evidence that nobody would gather: it has the right types, and a stranger chose the values."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ot_doctor.check import Check
from ot_doctor.evidence import Request, Unavailable
from ot_doctor.report.build import report_of
from ot_doctor.report.formats import FORMATS, render
from ot_doctor.run.plan import Plan, chosen
from ot_doctor.run.session import catalogue_of, examine
from ot_doctor.sources.store import SOURCES, Store
from tests.bundle.recordings import healthy
from tests.bundle.test_codec import strategy_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checks() -> Mapping[str, Check]:
    return chosen(catalogue_of(()), (), ())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_a_bundle_holds_there_is_a_report_in_every_format(data: st.DataObject, checks: Mapping[str, Check]) -> None:
    evidence = healthy()
    for kind in data.draw(st.sets(st.sampled_from(list(SOURCES)), min_size=1)):
        evidence[kind] = data.draw(st.one_of(strategy_of(kind), st.just(Unavailable("it broke"))))
    request = Request(log_alone=True)
    report = report_of(examine(Plan(request), checks, Store(request, evidence), ()))
    assert len(report.results) == len(checks)
    for name in FORMATS:
        assert render(report, name).endswith("\n")
    assert json.loads(render(report, "json"))["schema"] == "ot-doctor/report/1"
