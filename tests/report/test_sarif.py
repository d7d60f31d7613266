from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from ot_doctor import __version__
from ot_doctor.check import Cause, Finding, Result, Seen, Step, failed, passed, skipped, unknown, warned
from ot_doctor.diagnosis.causes import title
from ot_doctor.report.formats import sarif
from ot_doctor.report.model import Report, UsageError, exit_code
from ot_doctor.run.discovery import discover
from tests.checks.evidence import deployment
from tests.report.golden_files import agrees
from tests.report.reports import HOSTILE, REPORTS, STARTED, everywhere, forty_attempts, report
from tests.report.schemas.sarif import sarif_schema

VALIDATOR = jsonschema.Draft7Validator(sarif_schema(), format_checker=jsonschema.FormatChecker())
GOLDEN = ("warnings", "one-root-cause", "three-causes", "unknown-docker")


@pytest.fixture(autouse=True)
def _no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)


def run_of(text: str) -> dict[str, Any]:
    document = json.loads(text)
    VALIDATOR.validate(document)
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def results(made: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run_of(sarif.render(made))["results"]
    return found


def notifications(made: Report, kind: str = "toolExecutionNotifications") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run_of(sarif.render(made))["invocations"][0][kind]
    return found


def place(location: dict[str, Any]) -> tuple[str, int]:
    physical = location["physicalLocation"]
    assert physical["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
    return unquote(physical["artifactLocation"]["uri"]), physical["region"]["startLine"]


def broken(*where: str, source: str = ".env", subject: str | None = None) -> Finding:
    evidence = [Seen(source, one, "seen") for one in where]
    return failed(Cause.ENV_SHADOWED, "broken", subject=subject, evidence=evidence, remedy=[Step("s")])


def test_the_schema_refuses_what_is_no_sarif() -> None:
    VALIDATOR.check_schema(VALIDATOR.schema)
    assert not VALIDATOR.is_valid({"version": "2.1.0", "runs": [{}]})
    assert not VALIDATOR.is_valid({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "odd": 1}}}]})


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_files(name: str) -> None:
    made = REPORTS[name]()
    text = sarif.render(made)
    run_of(text)
    agrees(f"{name}.{exit_code(made)}.sarif", text.replace(f'"version": "{__version__}"', '"version": "0.0.0"', 1))


@pytest.mark.parametrize("made", [*(REPORTS[name]() for name in REPORTS), forty_attempts(), everywhere(HOSTILE)])
def test_code_scanning_would_take_it(made: Report) -> None:
    """One result without a file, or a path that is no relative one, and it refuses everything."""
    run = run_of(sarif.render(made))
    for result in run["results"]:
        path, line = place(result["locations"][0])
        assert not path.startswith(("/", "~", "file:")) and ".." not in path.split("/") and line >= 1
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning") and result["message"]["text"]
    names = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(names)) == len(names), "a check and a cause may have one name"
    fingerprints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)


def test_a_finding_with_a_file_is_a_result() -> None:
    (result,) = results(REPORTS["one-root-cause"]())
    assert (result["ruleId"], result["level"]) == ("env-shadowed", "error")
    assert [place(location) for location in result["locations"]] == [(".env", 9)], "the line that the message names first"
    assert [place(location) for location in result["relatedLocations"]] == [(".env", 2)]
    assert result["message"]["text"].startswith("line 9 of /srv/ot/.env")
    assert "Delete line 9" in result["message"]["text"]
    assert result["properties"]["relation"] == "would-break-the-next-run"


def test_a_warning_with_a_file_is_one_too() -> None:
    (result,) = results(REPORTS["warnings"]())
    assert (result["level"], place(result["locations"][0])) == ("warning", (".env", 1))


def test_a_fault_is_one_result_with_its_cause_as_the_rule() -> None:
    run = run_of(sarif.render(REPORTS["three-causes"]()))
    assert [result["ruleId"] for result in run["results"]] == ["cache-permission", "gated-not-accepted", "speakers-config"]
    assert run["invocations"][0]["toolExecutionNotifications"] == []
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert rules["gated-not-accepted"]["shortDescription"]["text"] == title(Cause.GATED_NOT_ACCEPTED)
    assert len(rules["gated-not-accepted"]["help"]["text"]) > 80


def test_a_cause_without_a_file_is_put_to_the_settings_of_the_installation() -> None:
    agreement = results(REPORTS["three-causes"]())[1]
    assert [place(location) for location in agreement["locations"]] == [(".env", 1)]
    assert "2. Log in at huggingface.co" in agreement["message"]["text"], "with its number in the plan for all causes"


def test_what_has_no_file_is_told_as_a_notification() -> None:
    made = replace(REPORTS["three-causes"](), deployment=None)
    told = {n["associatedRule"]["id"]: n for n in notifications(made)}
    assert results(made) == [] and told.keys() == {"cache-permission", "gated-not-accepted", "speakers-config"}
    assert told["gated-not-accepted"]["message"]["text"].startswith("gated-not-accepted: the account 'ana'")
    # An error there would mean that the run itself failed.
    assert {notification["level"] for notification in told.values()} == {"warning"}


def test_what_could_not_be_checked_is_told_even_where_a_file_is_named() -> None:
    made = report({"env-lines": (unknown("unreadable", evidence=[Seen(".env", "/srv/ot/.env", "permission denied")]),)})
    assert results(made) == []
    (told,) = notifications(made)
    assert told["message"]["text"].startswith("env-lines could not be run: unreadable")


def test_passes_and_skips_are_no_results() -> None:
    seen = [Seen(".env", "/srv/ot/.env:1", "fine")]
    made = report({"env-lines": (passed("p", evidence=seen),), "token-present": (skipped("s", evidence=seen),)})
    assert results(made) == [] and notifications(made) == []


def test_broken_plug_ins_are_told() -> None:
    told = notifications(REPORTS["unknown-docker"](), "toolConfigurationNotifications")
    assert [notification["level"] for notification in told] == ["warning"] and "acme 2.1" in told[0]["message"]["text"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("/srv/ot/.env:5", (".env", 5)), ("/srv/ot/.env", (".env", 1)), ("/srv/ot/a b/c:d.yml:12", ("a b/c:d.yml", 12)),
        ("/srv/ot/odd:0", ("odd:0", 1)), ("/srv/ot/line 3/x", ("line 3/x", 1)), ("/srv/ot/é%20#?.yml:1", ("é%20#?.yml", 1)),
    ],
)  # fmt: skip
def test_places_in_the_installation(where: str, expected: tuple[str, int]) -> None:
    (result,) = results(report({"env-lines": (broken(where),)}))
    assert place(result["locations"][0]) == expected


@pytest.mark.parametrize(
    "where",
    [
        "/srv/other/.env:5", "/srv/ot", "/srv/ot/", "/srv/ot2/.env", "/srv/ot/../secret:1", "/srv/ot//x", "/srv/ot/./x", "",
        "the environment of opentranscribe-celery-worker", "pyannote/segmentation-3.0", ".env:5", "https://hub.lan/srv/ot/x", "~",
    ],
)  # fmt: skip
def test_what_is_no_place_in_the_installation(where: str) -> None:
    made = report({"env-lines": (broken(where),)})
    assert [place(result["locations"][0]) for result in results(made)] == [(".env", 1)], "the installation's own file"
    odd = report({"env-lines": (warned("odd", evidence=[Seen(".env", where, "seen")]),)})
    assert results(odd) == [] and len(notifications(odd)) == 1


def test_a_home_folder_that_is_not_shown_is_still_the_same_place() -> None:
    hidden = deployment(directory=Path("~/ot"), running_dir=Path("~/ot"))
    (result,) = results(report({"env-lines": (broken("~/ot/.env:5"),)}, deployment=hidden))
    assert place(result["locations"][0]) == (".env", 5)


def test_without_an_installation_there_is_no_place() -> None:
    assert results(report({"env-lines": (broken("/srv/ot/.env:5"),)}, deployment=None)) == []


def test_a_line_is_told_before_a_file_alone() -> None:
    (result,) = results(report({"env-lines": (broken("/srv/ot/.env", "/srv/ot/docker-compose.yml:7", "/srv/ot/.env"),)}))
    assert place(result["locations"][0]) == ("docker-compose.yml", 7)
    assert [place(location) for location in result["relatedLocations"]] == [(".env", 1)]


@pytest.mark.parametrize(
    ("workspace", "home", "expected"),
    [
        ("/srv", "/home/ci", "ot/.env"), ("/srv/", "/home/ci", "ot/.env"), ("/srv/ot", "/home/ci", ".env"),
        ("/elsewhere", "/home/ci", ".env"), ("/srv/ot/deeper", "/home/ci", ".env"),
    ],
)  # fmt: skip
def test_in_a_job_paths_are_those_of_the_workspace(
    workspace: str, home: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", workspace)
    monkeypatch.setenv("HOME", home)
    (result,) = results(report({"env-lines": (broken("/srv/ot/.env:5"),)}))
    assert place(result["locations"][0]) == (expected, 5)


def test_a_workspace_in_the_home_folder_is_found_where_the_report_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/runner")
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/runner/work/ot/ot")
    hidden = deployment(directory=Path("~/work/ot/ot/stack"), running_dir=None)
    (result,) = results(report({"env-lines": (broken("~/work/ot/ot/stack/.env:5"),)}, deployment=hidden))
    assert place(result["locations"][0]) == ("stack/.env", 5)


def test_fingerprints_stay_when_the_line_moves_and_tell_findings_apart() -> None:
    def fingerprints(*findings: Finding) -> list[str]:
        found = results(report({"env-lines": findings}, started_at=STARTED))
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in found]

    before = fingerprints(broken("/srv/ot/.env:5", subject="A"))
    assert before == fingerprints(replace(broken("/srv/ot/.env:50", subject="A"), message="said in other words"))
    assert before != fingerprints(broken("/srv/ot/.env:5", subject="B"))
    assert before != fingerprints(broken("/srv/ot/.env.local:5", subject="A"))
    assert fingerprints(broken("/srv/ot/.env:5", subject="A"), broken("/srv/ot/.env:6", subject="A")) == before, "one fault"

    def odd(line: int) -> Finding:
        return warned("odd", subject="A", evidence=[Seen(".env", f"/srv/ot/.env:{line}", "seen")])

    first, second = fingerprints(odd(5), odd(6))
    assert first.endswith(":1") and second == first.removesuffix(":1") + ":2"


def test_no_link_can_be_written_into_a_message() -> None:
    bad = warned("see [the manual](https://evil.example)", evidence=[Seen(".env", "/srv/ot/.env:1", "[x](1)")])
    (result,) = results(report({"env-lines": (bad,)}))
    assert "](" not in result["message"]["text"] and "the manual" in result["message"]["text"]


def test_no_folder_of_the_machine_is_told_as_a_base() -> None:
    base = run_of(sarif.render(report()))["originalUriBaseIds"]["%SRCROOT%"]
    assert "uri" not in base


@pytest.mark.parametrize("name", REPORTS)
def test_the_invocation(name: str) -> None:
    made = REPORTS[name]()
    (invocation,) = run_of(sarif.render(made))["invocations"]
    assert invocation["exitCode"] == exit_code(made) and invocation["executionSuccessful"] is True
    assert (invocation["startTimeUtc"], invocation["endTimeUtc"]) == ("2026-11-21T01:00:00.000Z", "2026-11-21T01:00:00.412Z")


def test_wrong_usage_is_one_error_and_never_taken_for_a_run_that_found_nothing() -> None:
    text = sarif.render_error(UsageError("No installation was found.", STARTED))
    run = run_of(text)
    (invocation,) = run["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (2, False)
    for told in (*invocation["toolConfigurationNotifications"], *run["results"]):
        assert (told["level"], told["message"]["text"]) == ("error", "No installation was found.")
    assert [(result["ruleId"], "locations" in result) for result in run["results"]] == [("usage", False)]
    agrees("wrong-usage.2.sarif", text.replace(f'"version": "{__version__}"', '"version": "0.0.0"', 1))
    run_of(sarif.render_error(UsageError(HOSTILE, STARTED)))


def test_the_rules_of_the_built_in_checks_have_everything_that_is_shown() -> None:
    checks = [found.check for found in discover(()).checks.values()]
    assert len(checks) >= 28
    made = report(results=tuple(Result(check, (passed("p"),), 0.0) for check in checks), diagnosis=())
    for rule, check in zip(run_of(sarif.render(made))["tool"]["driver"]["rules"], checks, strict=True):
        assert (rule["id"], rule["shortDescription"]["text"]) == (check.name, check.title)
        assert 20 < len(rule["fullDescription"]["text"]) <= 1024 and "\n" not in rule["fullDescription"]["text"]
        assert rule["help"]["text"] and rule["properties"]["tags"] == [check.family.value]


def test_hostile_text_stays_text() -> None:
    text = sarif.render(everywhere(HOSTILE))
    text.encode("utf-8")
    assert "\ufffd" in text and not any("\ud800" <= character <= "\udfff" for character in str(json.loads(text)))
    run_of(text)
