from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Check, Family, Result, Risk, Seen, Status, Step, failed, passed, skipped, unknown, warned
from ot_doctor.diagnosis.ranking import diagnose
from ot_doctor.evidence import Answer, Identity, Outcome
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.report import summary
from ot_doctor.report.advice import TRY
from ot_doctor.report.formats import render as render_as
from ot_doctor.report.formats.text import render
from ot_doctor.report.formats.text_lines import Style, as_ascii, seen_lines
from ot_doctor.report.model import Report, exit_code
from tests.checks.evidence import attempt, hub, worker_log
from tests.report.golden_files import agrees
from tests.report.reports import CHECKS, REPORTS, STARTED, report

STYLES = {
    "": Style(),
    "-v": Style(verbose=True),
    "-q": Style(quiet=True),
    "--ascii": Style(ascii=True),
    "--color": Style(colour=True),
}
SHOWN = [(name, "") for name in REPORTS] + [("three-causes", style) for style in STYLES if style]
SHOWN += [("healthy", "-v"), ("healthy", "-q"), ("unknown-docker", "-v"), ("unknown-docker", "--ascii"), ("warnings", "-q")]
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(("name", "style"), SHOWN)
def test_the_golden_files(name: str, style: str) -> None:
    made = REPORTS[name]()
    agrees(f"{name}{style}.{exit_code(made)}.txt", render(made, STYLES[style]))


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("name", REPORTS)
def test_nothing_but_commands_and_links_is_wider_than_the_terminal(name: str, style: Style, width: int) -> None:
    made = REPORTS[name]()
    steps = [step for result in made.results for finding in result.findings for step in finding.remedy]
    whole = {as_ascii(text) if style.ascii else text for step in steps for text in (step.command, step.url) if text}
    for line in ESCAPES.sub("", render(made, replace(style, width=width))).splitlines():
        long_words = any(len(word) > width - 12 for word in line.split())
        assert len(line) <= width or line.strip() in whole or long_words, line


@pytest.mark.parametrize("name", REPORTS)
def test_a_command_stands_on_one_line_as_it_is(name: str) -> None:
    made = REPORTS[name]()
    lines = [line.strip() for line in render(made, Style(width=40)).splitlines()]
    for root in made.diagnosis:
        for step in root.remedy:
            assert step.command is None or step.command in lines
            assert step.url is None or step.url in lines


@pytest.mark.parametrize("name", REPORTS)
def test_colour_changes_nothing_else(name: str) -> None:
    plain, painted = render(REPORTS[name](), Style()), render(REPORTS[name](), Style(colour=True))
    assert "\x1b" not in plain and "\x1b" in painted
    assert ESCAPES.sub("", painted) == plain


@pytest.mark.parametrize("name", REPORTS)
def test_ascii_is_ascii(name: str) -> None:
    text = render(REPORTS[name](), Style(ascii=True))
    assert text.isascii() and "\\u" not in text


def test_other_characters_are_escaped_in_ascii() -> None:
    assert as_ascii("“话” – hf_…") == '"\\u8bdd" - hf_...'


@pytest.mark.parametrize("name", REPORTS)
def test_the_root_cause_comes_before_everything_else(name: str) -> None:
    made = REPORTS[name]()
    text = render(made)
    positions = [text.index(root.cause.value) for root in made.diagnosis]
    assert positions == sorted(positions)
    if positions:
        assert positions[-1] < text.index("\nHow to fix it:\n") < text.index("\nChecks: ")


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("name", REPORTS)
def test_the_verdict_is_first_and_last_where_the_report_is_longer_than_the_terminal(name: str, style: Style) -> None:
    made = REPORTS[name]()
    said = as_ascii(summary.verdict(made).text) if style.ascii else summary.verdict(made).text
    for width, height in ((100, 10), (100, 24), (60, 24), (100, 1000)):
        blocks = ESCAPES.sub("", render(made, replace(style, height=height, width=width))).split("\n\n")
        first, last = (" ".join(block.split()) for block in (blocks[0], blocks[-1]))
        assert said in first
        rows = [len(line) // width + 1 for block in blocks for line in (*block.splitlines(), "")]
        if sum(rows) - 1 > height + 3:  # its own last block, too
            assert last.startswith(f"{style.mark(summary.verdict(made).status)} {said}")
        if sum(rows) < height:
            assert len(blocks) == 1 or said not in last


def test_a_command_of_several_lines_is_counted_as_such() -> None:
    made = REPORTS["one-root-cause"]()
    lines = render(made, Style(height=1000)).splitlines()
    assert max(map(len, lines)) > 80
    assert len(render(made, Style(height=len(lines) + 1)).splitlines()) == len(lines) + 2
    assert len(render(made, Style(height=len(lines) + 3)).splitlines()) == len(lines)


LINES = {"healthy": 14, "warnings": 20, "one-root-cause": 25, "three-causes": 47, "unknown-docker": 29, "everything-skipped": 16}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_short(name: str) -> None:
    assert len(render(REPORTS[name](), Style()).splitlines()) <= LINES[name]


def test_a_healthy_report_with_many_skips_fits_a_terminal() -> None:
    off = (skipped("Docker checks are off (--no-docker)."),)
    no_hub = (skipped("Hub checks are off (--offline), whatever the reason. " * 9),)
    made = report({"worker-gpu": off, "worker-running": off, "last-attempt": off, "model-access": no_hub})
    lines = render(made, Style()).splitlines()
    assert len(lines) <= 18 and sum(line.startswith("  - ") and ":" in line for line in lines) == 2


def test_few_reasons_of_skips_are_told_and_more_are_counted() -> None:
    names = list(CHECKS)[:6]
    made = report({name: (skipped(f"reason {number} is one of its own"),) for number, name in enumerate(names)})
    assert [line for line in render(made).splitlines() if line.startswith("  - ") and ":" in line] == [
        *(f"  - {name}: reason {number} is one of its own" for number, name in enumerate(names[:1])),
        "  - 5 more checks: -v tells why",
    ]  # fmt: skip
    assert all(f"reason {number} is" in render(made, Style(verbose=True)) for number in range(6))


def test_two_causes_take_45_lines_and_each_step_once() -> None:
    made = REPORTS["three-causes"]()
    two = [result for result in made.results if result.check.name != "speaker-limits"]
    text = render(replace(made, results=tuple(two), diagnosis=diagnose(two)), Style())
    assert len(text.splitlines()) <= 45 and text.count(TRY.text) == 1
    assert "2 problems found; fix them in this order" in text.splitlines()[1]


def test_the_numbers_of_the_plan_go_on_from_cause_to_cause() -> None:
    steps = re.findall(r"^  (\d)\. ", render(REPORTS["three-causes"]()), re.MULTILINE)
    assert steps == ["1", "2", "3", "4", "5"]


def test_a_cause_has_its_name_at_the_right() -> None:
    lines = render(REPORTS["three-causes"](), Style(width=90)).splitlines()
    (line,) = (line for line in lines if line.startswith("1 The worker "))
    assert line.endswith("cache-permission") and len(line) == 90
    assert "(cache-permission)" in render(REPORTS["three-causes"](), Style(width=60))


def test_quiet_shows_problems_only() -> None:
    assert render(REPORTS["healthy"](), Style(quiet=True)).splitlines() == [
        "✓ Everything works: 12 checks passed", "  last diarization 2026-11-20 13:00 UTC, 2 speakers",
    ]  # fmt: skip
    text = render(REPORTS["one-root-cause"](), Style(quiet=True))
    assert "env-shadowed" in text and "How to fix it" in text
    assert not any(word in text for word in ("Checks:", "More:", "passed", "not checked, because"))
    assert "MAX_SPEAKERS=500" in render(REPORTS["warnings"](), Style(quiet=True))
    assert "No Docker engine answers" in render(REPORTS["unknown-docker"](), Style(quiet=True))


def test_each_check_that_did_not_pass_is_named_and_with_v_every_check() -> None:
    for name in REPORTS:
        made = REPORTS[name]()
        text, verbose = render(made), render(made, Style(verbose=True))
        for result in made.results:
            assert (result.check.name in text) or result.status is Status.PASS
            assert re.search(rf"^  . .*\b{result.check.name}\b", verbose, re.MULTILINE)


def test_a_family_has_a_line_with_the_worst_of_its_checks() -> None:
    text = render(report({
        "token-present": (failed(Cause.TOKEN_MISSING, "none", remedy=[Step("s")]),), "token-exposure": (warned("open"),),
        "worker-gpu": (skipped("no GPU"),), "docker-engine": (skipped("off"),),
    }))  # fmt: skip
    for line in (
        "  ✗ token  1 passed, 1 failed (token-present), 1 warning (token-exposure)", "  - host   1 skipped (docker-engine)",
        "  ✓ env, access, cache, worker, logs, speakers  7 passed, 1 skipped (worker-gpu)",
    ):  # fmt: skip
        assert line in text.splitlines()
    healthy = render(report({"worker-gpu": (skipped("no GPU"),)}))
    assert "  ✓ worker    1 passed, 1 skipped (worker-gpu)" in healthy.splitlines()


def test_a_warning_beside_a_root_cause_is_one_line_and_alone_has_its_steps() -> None:
    long = warned("every user can read it, " * 9, remedy=[Step("Close it.", command="chmod o-r /e")])
    alone = render(report({"token-exposure": (long,)}))
    assert "chmod o-r /e" in alone
    broken = failed(Cause.SPEAKERS_CONFIG, "m", remedy=[Step("s")])
    beside = render(report({"token-exposure": (long,), "speaker-limits": (broken,)}))
    (line,) = (line for line in beside.splitlines() if line.startswith("! token-exposure: "))
    assert len(line) <= 80 and line.endswith("…") and "chmod" not in beside


def test_a_step_that_several_warnings_advise_is_told_once() -> None:
    again = Step("Recreate the worker.", command="docker compose up -d x", risk=Risk.RESTARTS)
    both = {name: (warned(f"{name} is odd", remedy=[Step(f"Edit {name}."), again]),) for name in ("env-lines", "speaker-limits")}
    text = render(report(both))
    assert text.count("Recreate the worker.") == 1 and text.index("Edit speaker-limits.") < text.index("Recreate")


def test_the_risk_of_a_step_is_told() -> None:
    text = " ".join(render(REPORTS["three-causes"]()).split())
    assert "(changes the owner of files)" in text and "(restarts celery-worker; running jobs are interrupted)" in text


def test_what_was_hidden_is_told_with_v_and_in_files() -> None:
    made = report(hidden=(Hidden("HUGGINGFACE_TOKEN", 3),))
    assert "HUGGINGFACE_TOKEN (3)" not in render(made, Style())
    assert "Redacted: HUGGINGFACE_TOKEN (3)" in render(made, Style(verbose=True))
    assert "Redacted: HUGGINGFACE_TOKEN (3)" in render(made)


@pytest.mark.parametrize(("name", "line"), [
    ("healthy", "More: ot-doctor -v"),
    ("one-root-cause", "More: ot-doctor -v · ot-doctor explain env-shadowed · ot-doctor collect"),
    ("unknown-docker", "More: ot-doctor -v · ot-doctor explain token-accepted · ot-doctor collect"),
])  # fmt: skip
def test_a_last_line_leads_on(name: str, line: str) -> None:
    lines = render(REPORTS[name](), Style(height=1000)).splitlines()
    assert lines[-1] == line
    recorded = render(replace(REPORTS[name](), recorded_at=STARTED), Style(height=1000))
    assert "ot-doctor -v" not in recorded and "collect" not in recorded


def test_the_account_is_named_as_such_where_the_report_is_passed_on() -> None:
    said = "This report names the Hugging Face account 'ana'; --redact strict hides it."
    for form in ("text", "markdown", "html"):
        text = html.unescape(render_as(report(), form)).replace("`", "")
        assert said in " ".join(text.split())
    assert said not in render(report(), Style())
    strict = report(hub=hub(whoami=Identity(Answer.OK, account="account-1")))
    assert "names the Hugging Face account" not in render(strict)


def test_steps_of_a_recording_are_for_the_machine_that_was_recorded() -> None:
    assert "How to fix it, on the machine that was recorded:" in render(replace(REPORTS["three-causes"](), recorded_at=STARTED))


def test_of_a_check_with_several_warnings_a_line_is_shown_beside_a_root_cause() -> None:
    many = tuple(warned(f"warning number {n}", subject=f"{n}") for n in range(3))
    text = render(report({"env-lines": many, "speaker-limits": (failed(Cause.SPEAKERS_CONFIG, "m", remedy=[Step("s")]),)}))
    assert text.count("! env-lines: warning number") == 1


def test_the_words_of_an_unknown_failure_are_shown_longer() -> None:
    seen = [Seen("log", "w line 3", "ValueError: " + "the moon " * 40)]
    unknown_failure = failed(Cause.UNRECOGNISED, "It failed.", evidence=seen, remedy=[Step("Search.")])
    shown = render(report({"last-attempt": (unknown_failure,)})).count("moon")
    other = failed(Cause.DISK_FULL, "It failed.", evidence=seen, remedy=[Step("Search.")])
    assert shown > 2 * render(report({"last-attempt": (other,)})).count("moon")


@pytest.mark.parametrize("name", REPORTS)
def test_no_sentence_is_told_twice(name: str) -> None:
    text = " ".join(render(REPORTS[name]()).split())
    for result in REPORTS[name]().results:
        for finding in result.findings:
            if len(finding.message) > 20:
                assert text.count(finding.message) <= 1, finding.message


def test_evidence_of_passes_is_shown_with_v_alone() -> None:
    assert "HTTP 200" not in render(report())
    assert "Seen in pyannote/speaker-diarization-community-1: HTTP 200" in render(report(), Style(verbose=True))


def test_a_warning_beside_a_failure_of_the_same_cause_keeps_its_remedy() -> None:
    tracked = failed(Cause.TOKEN_EXPOSED, "tracked by git", subject="/e", remedy=[Step("Untrack it.")])
    readable = warned("all may read it", cause=Cause.TOKEN_EXPOSED, subject="/e", remedy=[Step("Close it.", command="chmod")])
    text = render(report({"token-exposure": (tracked, readable)}), Style(verbose=True))
    assert "→ Close it.\n        chmod\n" in text
    assert "✗ token-exposure: see token-exposed above" in text


def test_of_two_subjects_of_one_cause_the_row_says_which() -> None:
    both = [failed(Cause.GATED_NOT_ACCEPTED, f"not {n}", subject=n, remedy=[Step("Accept.")]) for n in ("p/a", "p/b")]
    text = render(report({"model-access": tuple(both)}), Style(verbose=True))
    assert "see gated-not-accepted above (p/a)" in text and "see gated-not-accepted above (p/b)" in text


def test_a_check_with_several_findings_of_one_kind_is_named_once() -> None:
    both = tuple(unknown("the Hub could not be reached: timeout", subject=n) for n in ("p/a", "p/b"))
    neither = tuple(skipped("it was left out by the user", subject=n) for n in ("p/a", "p/b"))
    made = report({"model-access": both, "worker-gpu": neither})
    text = render(made, Style(verbose=True))
    assert "? the Hub could not be reached: timeout (model-access)\n" in text
    assert "? model-access: could not run, see above\n" in text
    assert text.count("worker-gpu") == 1 and "- worker-gpu: it was left out by the user\n" in text
    assert render(made).count("- worker-gpu: it was left out by the user\n") == 1


def test_odd_texts_do_no_harm() -> None:
    odd = " \n\t" + "x" * 300 + "\n\nü" * 50
    check = Check("odd", odd, Family.ENV, lambda: [], "e")
    finding = failed(Cause.DISK_FULL, odd, subject=odd, evidence=[Seen(odd, odd, odd)], remedy=[Step(odd, odd, odd)])
    results = (Result(check, (finding, passed(" ")), 0.0),)
    for style in STYLES.values():
        assert render(Report(STARTED, 0.0, results, diagnose(results)), style).endswith("\n")


def test_no_check_at_all_is_said() -> None:
    assert "? Nothing was checked" in render(Report(STARTED, 0.0, (), ()))


def test_quiet_says_why_nothing_was_checked() -> None:
    text = render(REPORTS["everything-skipped"](), Style(quiet=True))
    assert text.splitlines()[1] == "? Nothing was checked"
    assert "Docker was left out (--no-docker)." in text and "the Hub was left out (--offline)" in text
    assert len(text.splitlines()) < 10


def test_of_several_subjects_of_one_cause_the_title_is_shown_once() -> None:
    both = [
        failed(
            Cause.GATED_NOT_ACCEPTED, f"The terms of {n} are not accepted.", subject=n,
            evidence=[Seen("hub", n, f"HTTP 403 of {n}")], remedy=[Step(f"Accept {n}.")],
        )
        for n in ("p/a", "p/b")
    ]  # fmt: skip
    made = report({"model-access": tuple(both)})
    text = render(made)
    assert text.count("Your Hugging Face account has not accepted") == 1 and "2 The terms of p/b are not accepted." in text
    assert "HTTP 403 of p/b" not in text and "HTTP 403 of p/b" in render(made, Style(verbose=True))


def test_evidence_of_one_of_several_causes_takes_two_lines() -> None:
    causes = {"last-attempt": Cause.DISK_FULL, "token-present": Cause.TOKEN_MISSING}
    seen = [Seen("log", "here", "word " * 60)]
    broken = {n: (failed(cause, "It failed.", evidence=seen, remedy=[Step("s")]),) for n, cause in causes.items()}
    lines = render(report(broken)).splitlines()
    assert sum("word word" in line for line in lines) == 4 and sum(line.endswith("word…") for line in lines) == 2


def test_one_speaker_where_more_were_allowed_is_said_in_full() -> None:
    said = "The last diarization succeeded, but found only 1 speaker (max_speakers=20). If more people speak, check the limits."
    log = worker_log(attempt(Outcome.SUCCEEDED, speakers=1, settings="{'max_speakers': 20}"))
    made = report({"last-attempt": (passed(said),)}, log=log)
    for form in ("text", "markdown", "html"):
        assert said in " ".join(html.unescape(render_as(made, form)).replace("\\", "").split()), form
    allowed = worker_log(attempt(Outcome.SUCCEEDED, speakers=1, settings="{'max_speakers': 1}"))
    assert said not in " ".join(render(report({"last-attempt": (passed(said),)}, log=allowed)).split())


def test_a_step_is_left_to_a_later_warning_only_where_the_order_stays() -> None:
    edit, one, both = Step("Remove HF_TOKEN."), Step("Recreate.", command="up a"), Step("Recreate.", command="up a b")
    first, second = warned("odd", remedy=[edit, both]), warned("the second", remedy=[edit, one])
    text = render(report({"env-lines": (first,), "speaker-limits": (second,)}))
    assert text.index("1. Remove HF_TOKEN.") < text.index("up a b") < text.index("the second")


def test_what_cannot_be_known_does_not_repeat_a_command_of_the_plan() -> None:
    step = Step("Test it.", command="docker exec w test")
    broken = failed(Cause.NETWORK_TIMEOUT, "It timed out.", remedy=[step])
    made = report({"last-attempt": (broken,), "model-access": (unknown("Not reached.", remedy=[step]),)})
    assert render(made).count("docker exec w test") == 1 and "? Not reached. (model-access)" in render(made)


def test_evidence_without_a_text_is_shown_by_its_place() -> None:
    assert list(seen_lines([Seen("log", "/x", "")], Style(verbose=True), indent=2)) == ["  Seen in /x:"]
