from __future__ import annotations

import re
import unicodedata

import pytest

from ot_doctor.check import Cause, Finding, Step, failed, skipped, unknown, warned
from ot_doctor.report.formats import nagios
from ot_doctor.report.model import Report, UsageError
from tests.report.golden_files import agrees
from tests.report.reports import HOSTILE, REPORTS, STARTED, everywhere, report

# As the guidelines for monitoring plug-ins have it: text, and labels with values behind one pipe.
LINE = re.compile(r"OT_DOCTOR (OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]+) \| ((?:[a-z]+=[0-9.]+s? ?)+)\n")
FAILED, WARNED = failed(Cause.DISK_FULL, "full", remedy=[Step("s")]), warned("nearly full")
UNKNOWN, SKIPPED = unknown("not known"), skipped("left out")


def with_findings(*findings: Finding, **more: object) -> Report:
    return report(dict(zip(("env-lines", "token-present", "worker-gpu"), ((f,) for f in findings), strict=False)), **more)


def read(text: str) -> tuple[str, str, dict[str, str]]:
    match = LINE.fullmatch(text)
    assert match, text
    return match[1], match[2], dict(pair.split("=") for pair in match[3].split())


@pytest.mark.parametrize("name", REPORTS)
def test_the_golden_files(name: str) -> None:
    made = REPORTS[name]()
    agrees(f"{name}.{nagios.exit_code(made)}.nagios", nagios.render(made))


@pytest.mark.parametrize("name", REPORTS)
def test_the_word_is_that_of_the_exit_code(name: str) -> None:
    made = REPORTS[name]()
    word, _, performance = read(nagios.render(made))
    assert word == ("OK", "WARNING", "CRITICAL", "UNKNOWN")[nagios.exit_code(made)]
    assert {key: int(count) for key, count in performance.items() if key != "time"} == {
        status.value: count for status, count in made.summary.items()
    }
    assert performance["time"] == "0.412s"


@pytest.mark.parametrize(
    ("findings", "fail_on", "code"),
    [
        ((), "fail", 0), ((SKIPPED,), "fail", 0), ((WARNED,), "fail", 1), ((WARNED,), "warn", 2), ((WARNED,), "never", 0),
        ((FAILED,), "fail", 2), ((FAILED, WARNED, UNKNOWN), "fail", 2), ((FAILED,), "never", 0), ((UNKNOWN,), "fail", 3),
        ((UNKNOWN, WARNED), "fail", 3), ((UNKNOWN, WARNED), "warn", 2), ((UNKNOWN, FAILED), "never", 3),
    ],
)  # fmt: skip
def test_the_exit_codes(findings: tuple[Finding, ...], fail_on: str, code: int) -> None:
    assert nagios.exit_code(with_findings(*findings, fail_on=fail_on)) == code


def test_nothing_that_could_be_checked_is_not_ok() -> None:
    assert nagios.exit_code(REPORTS["everything-skipped"]()) == 3
    assert nagios.exit_code(report(notices=("a plug-in is broken",))) == 3
    assert "a plug-in is broken" in nagios.render(report(notices=("a plug-in is broken",)))


def test_the_root_cause_comes_first_and_the_others_are_named() -> None:
    _, said, _ = read(nagios.render(REPORTS["three-causes"]()))
    assert said.startswith("cache-permission: appuser (1000) may not write")
    assert said.endswith("(also: gated-not-accepted, speakers-config)")


def test_many_others_are_counted() -> None:
    _, said, _ = read(nagios.render(REPORTS["unknown-docker"]()))
    assert said.endswith("(also: model-access, cache-permissions, worker-running and 3 more)")


def test_hostile_text_stays_in_its_line() -> None:
    for text in (nagios.render(everywhere(HOSTILE)), nagios.render(everywhere("x\r\ny|z\u2028"))):
        word, said, performance = read(text)
        assert word == "CRITICAL" and performance["fail"] == "2"
        assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in said}
        text.encode("utf-8")


@pytest.mark.parametrize("letter", ["x", "話", "|", "\n", "\udce9", "😀"])
@pytest.mark.parametrize("more", range(4))
def test_the_line_is_bounded_and_whole(letter: str, more: int) -> None:
    text = nagios.render(with_findings(failed(Cause.DISK_FULL, "x" * more + letter * 50_000, remedy=[Step("s")])))
    assert len(text.encode("utf-8")) <= 1001
    assert read(text)[2]["fail"] == "1"


def test_wrong_usage_is_unknown() -> None:
    text = nagios.render_error(UsageError("No installation was found.", STARTED))
    assert text == "OT_DOCTOR UNKNOWN - No installation was found.\n"
    agrees("wrong-usage.3.nagios", text)
    hostile = nagios.render_error(UsageError(HOSTILE, STARTED))
    assert hostile.count("\n") == 1 and "|" not in hostile


def test_a_message_without_any_character_that_can_be_shown_is_a_line_all_the_same() -> None:
    assert nagios.render(with_findings(warned("\x1b[31m\n"))).startswith("OT_DOCTOR WARNING - env-lines: ")
