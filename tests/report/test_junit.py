from __future__ import annotations

import functools
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from ot_doctor.check import Cause, Check, Family, Result, Seen, Status, Step, failed, passed, unknown, warned
from ot_doctor.report.advice import TRY
from ot_doctor.report.formats import junit
from ot_doctor.report.model import UsageError, exit_code
from tests.report.golden_files import agrees
from tests.report.reports import HOSTILE, REPORTS, STARTED, everywhere, report

OUTCOMES = ("failure", "error", "skipped", "system-out")


@functools.cache
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(Path(__file__).parent / "schemas" / "junit.xsd")


def document(text: str) -> ElementTree.Element:
    schema().validate(text)
    return ElementTree.fromstring(text)


def outcomes(root: ElementTree.Element) -> dict[str, str]:
    """The case's name and what stands in it."""
    return {case.get("name", ""): next((child.tag for child in case), "passed") for case in root.iter("testcase")}


@pytest.mark.parametrize("name", REPORTS)
def test_the_golden_files(name: str) -> None:
    made = REPORTS[name]()
    text = junit.render(made)
    document(text)
    agrees(f"{name}.{exit_code(made)}.xml", text)


@pytest.mark.parametrize("name", REPORTS)
def test_every_check_is_a_case_of_its_family(name: str) -> None:
    made = REPORTS[name]()
    root = document(junit.render(made))
    for result in made.results:
        family = result.check.family.value
        (case,) = root.findall(f"testsuite[@name='{family}']/testcase[@name='{result.check.name}']")
        assert case.get("classname") == f"ot-doctor.{family}"
        assert float(case.get("time", "")) == pytest.approx(result.duration, abs=0.001)


@pytest.mark.parametrize("name", REPORTS)
def test_the_counts_are_those_of_the_cases(name: str) -> None:
    root = document(junit.render(REPORTS[name]()))
    for element in (root, *root.iter("testsuite")):
        for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            if element is not root or key != "skipped":
                assert element.get(key) == str(len(list(element.iter(tag))))
        assert element.get("tests") == str(len(list(element.iter("testcase"))))


def test_each_status_is_told_in_its_own_way() -> None:
    found = {
        "env-lines": (failed(Cause.ENV_SHADOWED, "f", remedy=[Step("s")]),), "token-present": (unknown("u"),),
        "token-exposure": (warned("w"),),
    }  # fmt: skip
    made = replace(REPORTS["everything-skipped"](), results=report(found).results)
    read = outcomes(document(junit.render(made)))
    assert (read["env-lines"], read["token-present"], read["token-exposure"]) == ("failure", "error", "system-out")
    assert read["worker-gpu"] == "passed"
    assert outcomes(document(junit.render(REPORTS["everything-skipped"]())))["worker-gpu"] == "skipped"


def test_a_warning_fails_where_warnings_lead_to_exit_code_1() -> None:
    root = document(junit.render(replace(REPORTS["warnings"](), fail_on="warn")))
    assert outcomes(root)["token-exposure"] == "failure"
    types = {failure.get("type") for failure in root.iter("failure")}
    assert types == {"token-exposed", "warn"}  # the second has no cause


def test_a_failure_tells_everything_that_a_reader_needs() -> None:
    root = document(junit.render(REPORTS["one-root-cause"]()))
    failure = root.find(".//testcase[@name='env-shadowed']/failure")
    assert failure is not None and failure.get("type") == "env-shadowed"
    assert (failure.get("message") or "").startswith("line 9 of /srv/ot/.env")
    for line in (
        "Expected: one line with the token", "Seen in /srv/ot/.env:9: HUGGINGFACE_TOKEN is empty", "How to fix it:",
        "1. Delete line 9 of /srv/ot/.env. (changes this file)", "   sed -i '9d' /srv/ot/.env",
    ):  # fmt: skip
        assert line in (failure.text or "").splitlines()


def test_a_consequence_names_its_root_instead_of_its_own_remedy() -> None:
    root = document(junit.render(REPORTS["one-root-cause"]()))
    text = root.findtext(".//testcase[@name='token-present']/skipped") or ""
    assert text.startswith("This follows from env-shadowed (see env-shadowed).\n")
    assert "This follows from env-shadowed: line 9" in text and "Write a token." not in text


@pytest.mark.parametrize(("name", "faults"), [("one-root-cause", 1), ("three-causes", 3)])
def test_one_fault_is_one_failure(name: str, faults: int) -> None:
    root = document(junit.render(REPORTS[name]()))
    assert root.get("failures") == str(faults)
    assert {failure.get("type") for failure in root.iter("failure")} == {r.cause.value for r in REPORTS[name]().diagnosis}


def test_several_findings_of_a_check_are_one_case() -> None:
    three = [failed(Cause.GATED_NOT_ACCEPTED, f"not {n}", subject=n, remedy=[Step("Accept.")]) for n in ("p/a", "p/b", "p/c")]
    root = document(junit.render(report({"model-access": (passed("fine"), *three, warned("a note"))})))
    (failure,) = root.iter("failure")
    assert failure.get("message") == "not p/a (and 2 more)"
    assert all(said in (failure.text or "") for said in ("not p/a", "not p/b", "not p/c", "a note"))


def test_families_that_alternate_are_one_suite_each() -> None:
    results = tuple(
        Result(Check(f"c{n}", "t", family, lambda: (), "e"), (passed("p"),), 0.0)
        for n, family in enumerate((Family.ENV, Family.HOST, Family.ENV))
    )
    root = document(junit.render(replace(report(), results=results)))
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("env", "2"), ("host", "1")]


def test_a_broken_plug_in_is_an_error() -> None:
    root = document(junit.render(report(notices=("one is broken", "so is another"))))
    assert root.findtext(".//testcase[@name='plug-ins']/error") == "one is broken\nso is another"
    assert root.get("errors") == "1"


def test_much_evidence_is_cut_and_that_is_said() -> None:
    many = [Seen("cache", f"/srv/ot/models/{n}", "x" * 5000) for n in range(60)]
    root = document(junit.render(report({"env-lines": (failed(Cause.MODEL_CORRUPT, "m", evidence=many, remedy=[Step("s")]),)})))
    text = root.findtext(".//failure") or ""
    assert "and 10 more" in text and "x…\n" in text and len(text) < 150_000 and text.endswith(f"1. s\n2. {TRY.text}")


def test_hostile_text_stays_text() -> None:
    made = everywhere(HOSTILE)
    text = junit.render(made)
    root = document(text)
    text.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]|&#", re.sub("&#(10|13|09);", "", text))
    assert len(list(root.iter("testcase"))) == len(made.results) + bool(made.notices)
    assert {child.tag for case in root.iter("testcase") for child in case} <= set(OUTCOMES)
    assert "</failure></testcase><testcase name='x'/>]]>&amp;<!--" in (root.findtext(".//failure") or "")


def test_wrong_usage_is_one_error() -> None:
    text = junit.render_error(UsageError("No installation was found.", STARTED))
    root = document(text)
    assert root.get("errors") == "1" and root.findtext(".//error") == "No installation was found."
    agrees("wrong-usage.2.xml", text)
    document(junit.render_error(UsageError(HOSTILE, STARTED)))


def test_a_report_without_checks_is_a_document() -> None:
    assert document(junit.render(report(results=(), diagnosis=()))).get("tests") == "0"


def test_every_status_has_a_test() -> None:
    seen = {result.status for name in REPORTS for result in REPORTS[name]().results}
    assert seen == set(Status)
