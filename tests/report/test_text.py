from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Check, Family, Result, Seen, Step, failed, passed, skipped, unknown, warned
from ot_doctor.diagnosis.ranking import diagnose
from ot_doctor.report.formats.text import Style, as_ascii, render
from ot_doctor.report.model import Report, exit_code
from tests.report.golden_files import agrees
from tests.report.reports import REPORTS, STARTED, report

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
    positions = [text.index(f"({root.cause.value}") for root in made.diagnosis]
    assert positions == sorted(positions)
    if positions:
        assert positions[-1] < text.index("\nenv\n")
        assert text.index("Root cause:" if len(positions) == 1 else "Mend first") < positions[0]


@pytest.mark.parametrize("name", REPORTS)
def test_no_sentence_is_told_twice(name: str) -> None:
    text = " ".join(render(REPORTS[name]()).split())
    for result in REPORTS[name]().results:
        for finding in result.findings:
            if len(finding.message) > 20:
                assert text.count(finding.message) <= 1, finding.message


def test_every_check_that_did_not_pass_has_a_row_and_with_q_no_other() -> None:
    made = REPORTS["three-causes"]()
    text, quiet = render(made), render(made, Style(quiet=True))
    for result in made.results:
        assert re.search(rf"^  . .*\b{result.check.name}\b", text, re.MULTILINE)
        assert (f" {result.check.name}:" in quiet) == (result.check.name in (
            "model-access", "cache-permissions", "last-attempt", "speaker-limits"))  # fmt: skip


def test_evidence_of_passes_is_shown_with_v_alone() -> None:
    assert "HTTP 200" not in render(report())
    assert "Seen in pyannote/speaker-diarization-community-1: HTTP 200" in render(report(), Style(verbose=True))


def test_a_warning_beside_a_failure_of_the_same_cause_keeps_its_remedy() -> None:
    tracked = failed(Cause.TOKEN_EXPOSED, "tracked by git", subject="/e", remedy=[Step("Untrack it.")])
    readable = warned("all may read it", cause=Cause.TOKEN_EXPOSED, subject="/e", remedy=[Step("Close it.", command="chmod")])
    text = render(report({"token-exposure": (tracked, readable)}))
    assert "→ Close it.\n        chmod\n" in text
    assert "✗ token-exposure: see token-exposed above" in text


def test_of_two_subjects_of_one_cause_the_row_says_which() -> None:
    both = [failed(Cause.GATED_NOT_ACCEPTED, f"not {n}", subject=n, remedy=[Step("Accept.")]) for n in ("p/a", "p/b")]
    text = render(report({"model-access": tuple(both)}))
    assert "see gated-not-accepted above (p/a)" in text and "see gated-not-accepted above (p/b)" in text


def test_a_check_with_several_findings_of_one_kind_is_named_once() -> None:
    both = tuple(unknown("the Hub could not be reached: timeout", subject=n) for n in ("p/a", "p/b"))
    neither = tuple(skipped("it was left out by the user", subject=n) for n in ("p/a", "p/b"))
    text = render(report({"model-access": both, "worker-gpu": neither}))
    assert "Could not be checked: model-access\n" in text
    assert "? model-access: could not be checked, see above\n" in text
    assert text.count("worker-gpu") == 1 and "- worker-gpu: it was left out by the user\n" in text


def test_odd_texts_do_no_harm() -> None:
    odd = " \n\t" + "x" * 300 + "\n\nü" * 50
    check = Check("odd", odd, Family.ENV, lambda: [], "e")
    finding = failed(Cause.DISK_FULL, odd, subject=odd, evidence=[Seen(odd, odd, odd)], remedy=[Step(odd, odd, odd)])
    results = (Result(check, (finding, passed(" ")), 0.0),)
    for style in STYLES.values():
        assert render(Report(STARTED, 0.0, results, diagnose(results)), style).endswith("\n")


def test_no_check_at_all_is_said() -> None:
    assert "nothing was checked" in render(Report(STARTED, 0.0, (), ()))
