"""All formats are rendered from one summary: nothing is in one of them and untrue in another."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ot_doctor.check import Cause, Seen, Status, Step, failed
from ot_doctor.evidence import COMMUNITY_1, Outcome
from ot_doctor.report import summary
from ot_doctor.report.formats import FORMATS, nagios, render
from ot_doctor.report.model import Report, exit_code
from tests.checks.evidence import attempt, worker_log
from tests.report.reports import REPORTS, report

PEOPLE = ("text", "markdown", "html")


def plain(document: str) -> str:
    """The words of a document, without what its format adds."""
    return " ".join(html.unescape(re.sub(r"</?[a-z](?!ttps?:)[^<>]*>", "", document)).replace("\\", "").replace("`", "").split())


def documents(made: Report) -> dict[str, str]:
    shown = {name: render(made, name) for name in FORMATS}
    page, rest = re.subn(r"<textarea.*?</textarea>", "", shown["html"], flags=re.DOTALL)  # the Markdown, for a ticket
    assert rest == 1
    return {**shown, "html": page}


@pytest.mark.parametrize("name", REPORTS)
def test_every_format_has_the_same_counts_and_exit_code(name: str) -> None:
    made = REPORTS[name]()
    shown, code = documents(made), exit_code(made)
    read = json.loads(shown["json"])
    counts = {status.value: count for status, count in made.summary.items()}
    assert (read["exit_code"], read["summary"]) == (code, counts)
    assert f"ot_doctor_exit_code {code}\n" in shown["prometheus"]
    assert all(f'ot_doctor_checks{{status="{status}"}} {count}\n' in shown["prometheus"] for status, count in counts.items())
    assert all(f"{status}={count}" in shown["nagios"] for status, count in counts.items())
    assert (nagios.exit_code(made) == 0) == (code == 0 and not counts["warn"])
    assert json.loads(shown["sarif"])["runs"][0]["invocations"][0]["exitCode"] == code
    assert summary.counts(made) in plain(shown["markdown"])
    for status, count in made.summary.items():
        assert not count or summary.number(count, status) in plain(shown["html"])


@pytest.mark.parametrize("name", REPORTS)
def test_every_format_has_the_same_causes_and_steps(name: str) -> None:
    made = REPORTS[name]()
    shown = documents(made)
    causes = [root.cause.value for root in made.diagnosis]
    assert [root["cause"] for root in json.loads(shown["json"])["diagnosis"]] == causes
    errors = [result for result in json.loads(shown["sarif"])["runs"][0]["results"] if result["level"] == "error"]
    assert {result["ruleId"] for result in errors} <= {*causes, *(result.check.name for result in made.results)}
    assert shown["github"].count("\n::error ") == len(causes)
    failures = ElementTree.fromstring(shown["junit"]).findall(".//failure")
    assert (len(failures) > 0) == bool(made.summary[Status.FAIL]) and len(failures) <= max(len(causes), 1)
    assert f"ot_doctor_causes {len(causes)}\n" in shown["prometheus"]
    assert not causes or causes[0] in shown["nagios"]
    for form in PEOPLE:
        words = plain(shown[form])
        assert summary.verdict(made).text in words
        for root in made.diagnosis:
            assert root.cause.value in words and " ".join(root.message.split()) in words, form
            said = [" ".join(text.split()) for step in root.remedy for text in (step.command, step.url) if text]
            assert all(text in words for text in said), form
        for reason in summary.not_known(made):
            assert " ".join(reason.finding.message.split()) in words, form


@pytest.mark.parametrize("name", REPORTS)
def test_a_verdict_is_as_bad_as_the_exit_code(name: str) -> None:
    made = REPORTS[name]()
    status = summary.verdict(made).status
    assert {0: status in (Status.PASS, Status.WARN), 1: status is Status.FAIL, 3: status is Status.UNKNOWN}[exit_code(made)]


def test_the_last_failure_has_the_cause_that_explains_it_wherever_attempts_are_shown() -> None:
    seen = [Seen("hub", COMMUNITY_1, "HTTP 403")]
    steps = [Step("Accept.")]
    gated = failed(Cause.GATED_NOT_ACCEPTED, "Not accepted.", subject=COMMUNITY_1, evidence=seen, remedy=steps)
    said = failed(Cause.UNRECOGNISED, "It failed.", subject="huggingface.co", remedy=[Step("Search.")])
    newest = attempt(Outcome.FAILED, cause="unrecognised", subject="huggingface.co")
    older = replace(newest, task="older", lines=(1, 2))
    made = report({"model-access": (gated,), "last-attempt": (said,)}, log=worker_log(newest, older))
    assert [root.cause for root in made.diagnosis] == [Cause.GATED_NOT_ACCEPTED]
    assert [one["cause"] for one in json.loads(render(made, "json"))["attempts"]] == ["gated-not-accepted", "unrecognised"]
    assert "failed | `gated-not-accepted` |" in render(made, "markdown")
    assert "failed: gated-not-accepted" in plain(render(made, "html"))
