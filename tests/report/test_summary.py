from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ot_doctor.check import Cause, Family, Finding, Seen, Status, Step, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Outcome
from ot_doctor.evidence.releases import releases
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.report import summary
from ot_doctor.report.formats import render, text
from ot_doctor.report.formats.text_lines import Style
from ot_doctor.report.model import exit_code
from ot_doctor.report.versions import age
from ot_doctor.run.requirements import evaluate
from tests.checks.evidence import attempt, worker_log
from tests.report.reports import REPORTS, STARTED, healthy, report

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
    assert [(alike.finding.status, alike.checks) for alike in summary.not_run(made)] == [
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
    assert summary.verdict(made).line == "Nothing failed, but 1 check could not run"
    required = replace(made, required=(Family.TOKEN,))
    assert summary.verdict(required).line == "Not everything that is required could be checked: token (token-present)"
    assert summary.verdict(replace(made, required=(Family.ENV,))) == summary.verdict(made)


def test_the_verdict_says_that_all_is_well_with_what_was_looked_at() -> None:
    made = report({"worker-gpu": (skipped("left out"),)})
    assert summary.verdict(made).line == (
        "Everything works: 11 checks passed, 1 skipped · last diarization 2026-11-20 13:00 UTC, 2 speakers"
    )
    today = replace(made, log=worker_log(attempt(speakers=3, ended_at=STARTED - timedelta(minutes=9))))
    assert summary.verdict(today).line.endswith(" · last diarization 00:51 UTC, 3 speakers")
    assert summary.verdict(replace(made, log=worker_log())).line == "No problem found: 11 checks passed, 1 skipped"
    assert summary.verdict(report(log=worker_log())).line == "All checks passed"
    assert summary.verdict(replace(made, results=())).line == "Nothing was checked"


def test_what_only_a_log_shows_is_not_that_everything_works() -> None:
    alone = report(deployment=None, workers=None)
    assert summary.verdict(alone).text == "The log shows no problem"


def test_the_verdict_tells_of_a_failed_job_where_nothing_is_broken_now() -> None:
    failure = worker_log(attempt(Outcome.FAILED, ended_at=STARTED - timedelta(minutes=3)))
    fixed = report({"last-attempt": (warned("fixed since", cause=Cause.DISK_FULL),)}, log=failure)
    verdict = summary.verdict(fixed)
    assert (verdict.status, verdict.line) == (
        Status.WARN, "No problem found now, but the last diarization failed (00:57 UTC, 3 minutes ago)"
    )  # fmt: skip
    blind = report({"last-attempt": (warned("fixed since"),), "worker-gpu": (unknown("no answer"),)}, log=failure)
    assert summary.verdict(blind).line == (
        "Nothing failed, but 1 check could not run, and the last diarization failed (00:57 UTC, 3 minutes ago)"
    )


@pytest.mark.parametrize(("settings", "told"), [
    ("{'min_speakers': 1, 'max_speakers': 20}", True), ("", True), ("{'min_speakers': 1, 'max_speakers': 10}", True),
    ("{'min_speakers': 1, 'max_speakers': 1}", False), ("num_speakers=1", False),
])  # fmt: skip
def test_one_speaker_where_more_are_allowed_is_the_verdict(settings: str, told: bool) -> None:
    made = report(log=worker_log(attempt(speakers=1, settings=settings)))
    assert (summary.verdict(made).text == "The last diarization found only one speaker") is told


def test_warnings_that_fail_the_run_are_a_verdict() -> None:
    made = REPORTS["warnings"]()
    assert summary.verdict(made).status is Status.WARN
    strict = summary.verdict(replace(made, fail_on="warn"))
    assert strict.status is Status.FAIL and strict.line.startswith("Warnings count as failures: 10 checks passed, 2 warnings")


def test_a_requirement_that_is_not_met_counts_as_a_failure() -> None:
    made = report({"token-present": (unknown("no answer"),)}, required=(Family.TOKEN,))
    made = replace(made, results=evaluate(made.results, made.required))
    assert (made.summary[Status.FAIL], made.summary[Status.UNKNOWN], exit_code(made)) == (1, 1, 1)
    document = json.loads(render(made, "json"))
    assert document["summary"]["fail"] == 1 and document["checks"][-1]["status"] == "fail"
    assert "failures=\"1\"" in render(made, "junit") and "1 failed" in render(made, "text")
    assert exit_code(replace(made, fail_on="never")) == 3


@pytest.mark.parametrize(("before", "said"), [
    (timedelta(seconds=1), "00:59 UTC, 1 second ago"), (timedelta(minutes=59), "00:01 UTC, 59 minutes ago"),
    (timedelta(hours=2), "2026-11-20 23:00 UTC, 2 hours ago"), (timedelta(days=40), "2026-10-12 01:00 UTC, 40 days ago"),
    (timedelta(0), "01:00 UTC, 0 seconds ago"), (timedelta(minutes=-5), "01:05 UTC"),
])  # fmt: skip
def test_a_moment_is_told_with_how_long_ago_it_was(before: timedelta, said: str) -> None:
    assert summary.since(STARTED - before, report()) == said


def test_in_recorded_evidence_time_is_counted_from_the_recording() -> None:
    made = report(recorded_at=STARTED - timedelta(days=3))
    assert summary.since(STARTED - timedelta(days=3, minutes=5), made) == "00:55 UTC, 5 minutes before it was recorded"


def test_reasons_with_one_cause_and_one_remedy_are_one() -> None:
    def refused(repo: str) -> Finding:
        said = f"whether {repo} may be downloaded is not known: the name does not resolve"
        return unknown(said, cause=Cause.NETWORK_DNS, remedy=[Step("Look.", command="getent hosts x")])

    other = unknown("no", cause=Cause.NETWORK_DNS)
    made = report({"model-access": (refused("p/a"), refused("p/b")), "token-accepted": (refused("p/c"),), "worker-gpu": (other,)})
    assert [one.checks for one in summary.not_known(made)] == [("token-accepted", "model-access"), ("worker-gpu",)]


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("form", ["text", "markdown", "html", "github"])
def test_each_format_for_people_says_the_same_verdict(form: str, name: str) -> None:
    made = REPORTS[name]()
    assert summary.verdict(made).text in " ".join(render(made, form).split())


def test_how_old_the_knowledge_is_is_said_without_a_network() -> None:
    known = max(release.read for release in releases())
    at = datetime(known.year, known.month, known.day, 12, tzinfo=timezone.utc)
    young, old = (replace(healthy(), started_at=at + timedelta(days=days)) for days in (7, 181))
    assert f"from {known}, 7 days ago." in age(young)
    assert "look for a newer ot-doctor" in age(old)
    assert age(replace(young, started_at=at)) == ""
    assert "7 days ago" not in text.render(young, Style())
    assert "7 days ago" in " ".join(text.render(young, Style(verbose=True)).split())
