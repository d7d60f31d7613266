from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ot_doctor import __version__
from ot_doctor.check import Cause, Family, Seen, Step, failed, unknown, warned
from ot_doctor.report import summary
from ot_doctor.report.advice import TRY
from ot_doctor.report.formats import github
from ot_doctor.report.model import Report, UsageError, exit_code
from ot_doctor.run.requirements import evaluate
from tests.report.golden_files import agrees
from tests.report.reports import HOSTILE, REPORTS, STARTED, everywhere, report


@pytest.fixture(autouse=True)
def _workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", "/srv")


@dataclass(frozen=True)
class Command:
    """What the runner makes of a line."""

    name: str
    properties: dict[str, str]
    data: str


def unescaped(text: str, escapes: str) -> str:
    for character in escapes:
        text = text.replace(f"%{ord(character):02X}", character)
    return text.replace("%25", "%")


def commands(text: str) -> list[Command]:
    """The commands that the runner finds: '::name key=value::data' on a line's start, '##[name]data' anywhere.

    Its comparisons overlook what has no width, so such characters are left out first; any name counts as a command here.
    """
    found = []
    for line in re.split("\r\n|\r|\n", text):
        line = "".join(c for c in line if unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Cs", "Cn")).lstrip()
        if match := re.match(r"::(\S*?)(?: (.*?))?::(.*)", line):
            pairs = [pair.split("=", 1) for pair in (match[2] or "").split(",") if "=" in pair]
            properties = {key: unescaped(value, "\r\n:,") for key, value in pairs}
            found.append(Command(match[1], properties, unescaped(match[3], "\r\n")))
        elif match := re.search(r"##\[([^\]]*)\](.*)", line):
            found.append(Command(f"##[{match[1]}]", {}, match[2]))
    return found


def annotated(made: Report) -> list[Command]:
    return [command for command in commands(github.render(made)) if command.name not in ("group", "endgroup")]


def test_the_reader_of_the_tests_finds_what_the_runner_would_find() -> None:
    lines = "  ::error title=a%2Cb%3A%25::x%0Ay", "\u200b:\u200b:stop-commands::t", "no ::x::", "a #\u200b#[add-mask]b", ": :x::"
    assert commands("\n".join(lines)) == [
        Command("error", {"title": "a,b:%"}, "x\ny"), Command("stop-commands", {}, "t"), Command("##[add-mask]", {}, "b"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_the_golden_files(name: str) -> None:
    made = REPORTS[name]()
    text = github.render(made).replace(f"ot-doctor {__version__}", "ot-doctor 0.0.0", 1)
    agrees(f"{name}.{exit_code(made)}.github", text)


@pytest.mark.parametrize("name", REPORTS)
def test_the_checklist_is_folded_and_the_verdict_is_not(name: str) -> None:
    lines = github.render(REPORTS[name]()).splitlines()
    assert lines[0] == "::group::ot-doctor: the whole report" and lines.count("::endgroup::") == 1
    end = lines.index("::endgroup::")
    folded = "\n".join(lines[1:end])
    for result in REPORTS[name]().results:
        assert result.check.name in folded
    assert summary.verdict(REPORTS[name]()).line in lines[end + 1] and all(line.startswith("::") for line in lines[end + 2 :])


def test_passes_are_not_annotated() -> None:
    assert annotated(REPORTS["healthy"]()) == []


def test_each_root_cause_is_one_error_the_one_to_fix_first_in_front() -> None:
    found = annotated(REPORTS["three-causes"]())
    assert [command.name for command in found] == ["error"] * 3
    assert [command.properties["title"] for command in found] == [
        "The worker cannot read or write its model cache (cache-permission)",
        "Your Hugging Face account has not accepted a model's terms (gated-not-accepted)",
        "The speaker limits are not usable (speakers-config)",
    ]
    assert "sudo chown -R 1000:1000" in found[0].data
    assert found[1].data.endswith("Checks that fail because of it: model-access, last-attempt")


def test_an_annotation_stands_at_its_line_in_the_workspace() -> None:
    (found,) = annotated(REPORTS["one-root-cause"]())
    assert (found.properties["file"], found.properties["line"]) == ("ot/.env", "9"), "the line that the message names first"
    assert list(found.properties) == ["file", "line", "title"]


def test_a_file_without_a_line() -> None:
    found = annotated(REPORTS["warnings"]())
    assert [command.name for command in found] == ["warning", "warning"]
    assert found[0].properties == {"title": "speaker-limits"}
    assert found[1].properties == {"file": "ot/.env", "title": "token-exposure"}


def test_a_file_outside_of_the_workspace_is_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/runner/work/ot/ot")
    (found,) = annotated(REPORTS["one-root-cause"]())
    assert list(found.properties) == ["title"]


def test_outside_of_a_job_files_are_those_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE")
    (found,) = annotated(REPORTS["one-root-cause"]())
    assert found.properties["file"] == ".env"


def test_warnings_that_fail_the_run_are_errors() -> None:
    assert {c.name for c in annotated(replace(REPORTS["warnings"](), fail_on="warn"))} == {"error"}


def test_a_reason_is_given_once_however_many_checks_it_stops() -> None:
    found = annotated(REPORTS["unknown-docker"]())
    assert {command.name for command in found} == {"warning"}
    assert [command.properties["title"] for command in found] == [
        "Could not run: 5 checks",
        "Could not run: token-accepted, model-access",
        "ot-doctor",
    ]
    assert found[0].data.startswith("No Docker engine answers") and "acme 2.1" in found[2].data


def test_what_is_required_and_could_not_be_checked_is_an_error() -> None:
    made = report({"token-present": (unknown("the engine does not answer"),)}, required=(Family.TOKEN,))
    made = replace(made, results=evaluate(made.results, made.required))
    assert exit_code(made) == 1
    found = annotated(made)
    assert [(command.name, command.properties["title"]) for command in found] == [
        ("warning", "Could not run: token-present"), ("error", "Could not run: required-families"),
    ]  # fmt: skip


def test_short_messages_are_not_taken_for_parts_of_others() -> None:
    made = report({"env-lines": (unknown("no"),), "token-present": (unknown("not known"),)})
    assert [command.data for command in annotated(made)] == ["no", "not known"]


def test_a_run_that_checked_nothing_says_why_it_is_no_success() -> None:
    made = REPORTS["everything-skipped"]()
    assert exit_code(made) == 3
    assert [(c.name, c.data) for c in annotated(made)] == [("warning", "Nothing was checked: every check was skipped.")]


def test_an_annotation_tells_what_the_cause_has_to_do_with_the_last_failure() -> None:
    found = annotated(REPORTS["three-causes"]())
    explains = "It explains the last failure (00:58 UTC, 1 minute ago)."
    assert [explains in command.data for command in found] == [False, True, False]
    assert found[2].data.splitlines()[1].startswith("It would break the next run.")


def test_an_annotation_is_shorter_than_what_the_runner_cuts() -> None:
    seen = [Seen("cache", f"/srv/ot/{n}", "x" * 50_000) for n in range(100)]
    long = failed(Cause.MODEL_CORRUPT, "y" * 50_000, evidence=seen, remedy=[Step("s")])
    usual = failed(Cause.DISK_FULL, "full", evidence=seen, remedy=[Step("Make room.")])
    found = annotated(report({"env-lines": (usual,), "env-shadowed": (long,)}))
    assert all(len(command.data) < 4096 for command in found)
    assert found[0].data.endswith(f"How to fix it:\n1. Make room.\n3. {TRY.text}") and "and 96 more" in found[0].data


def test_hostile_text_makes_no_command() -> None:
    for made in (everywhere(HOSTILE), everywhere("::" + HOSTILE), everywhere(f"##[{HOSTILE}]"), report(notices=(HOSTILE,))):
        text = github.render(made)
        text.encode("utf-8")
        names = [command.name for command in commands(text)]
        assert names[0] == "group" and names.count("group") == names.count("endgroup") == 1
        assert set(names) <= {"group", "endgroup", "error", "warning"}
        assert len(names) == 2 + sum(line.startswith(("::error ", "::warning ")) for line in text.split("\n"))


SPACES = ("", " ", "\t", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u00ad", "\u200b \u2060", ":", "\x0b", "\x85")


@pytest.mark.parametrize("space", SPACES)
def test_no_line_begins_a_command_whatever_stands_before_it(space: str) -> None:
    within = space.strip()
    for text in (f"x\n{space}::set-env name=A::b", f"{space}:{within}:add-path::b", f"a #{within}#{within}[x]b"):
        made = report({"env-lines": (warned(text, evidence=[Seen(text, text, text)]),)})
        assert [command.name for command in commands(github.render(made))] == ["group", "endgroup", "warning"]


@pytest.mark.parametrize("odd", ["100%", "%0A", "%25", "a:b,c=d", "x::y", "line\nline", "%3A%2C", "話"])
def test_what_is_read_is_what_was_meant(odd: str) -> None:
    (found,) = annotated(report({"env-lines": (warned(odd, evidence=[Seen(".env", f"/srv/ot/{odd}/x:3", "s")]),)}))
    assert found.data.startswith(odd)
    assert found.properties["title"] == "env-lines" and found.properties["file"] == f"ot/{odd}/x"


def test_wrong_usage_is_one_error() -> None:
    text = github.render_error(UsageError("No installation was found.", STARTED))
    assert commands(text) == [Command("error", {"title": "ot-doctor could not begin"}, "No installation was found.")]
    agrees("wrong-usage.2.github", text)
    assert [c.name for c in commands(github.render_error(UsageError(HOSTILE, STARTED)))] == ["error"]


def test_without_an_installation_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE")
    made = replace(REPORTS["one-root-cause"](), deployment=None)
    assert list(annotated(made)[0].properties) == ["title"]


def test_the_summary_is_put_behind_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("# Before", encoding="utf-8")
    assert github.append_summary("# After \udce9 話\n", file) == ""
    assert file.read_text(encoding="utf-8") == "# Before\n# After \\udce9 話\n"
    assert github.append_summary("# New\n", tmp_path / "new.md") == ""


def test_a_summary_that_would_be_too_large_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_bytes(b"x" * (1024 * 1024 - 4))
    assert "1 MiB" in github.append_summary("more", file)
    assert file.stat().st_size == 1024 * 1024 - 4
    assert github.append_summary("fit", file) == ""
    assert file.stat().st_size == 1024 * 1024


@pytest.mark.parametrize("name", ["", "no/such/folder.md", "null\0character"])
def test_a_summary_that_cannot_be_written_is_a_sentence(name: str, tmp_path: Path) -> None:
    assert github.append_summary("text", tmp_path / name).startswith("the job summary could not be written to ")
