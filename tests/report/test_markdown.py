from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ot_doctor.check import Cause, Confidence, Seen, Status, Step, failed, passed, skipped, warned
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.evidence import Outcome
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.report import summary
from ot_doctor.report.formats.markdown import LIMIT, render, render_error
from ot_doctor.report.formats.markdown_text import code, fence, inline, link
from ot_doctor.report.model import UsageError, exit_code
from tests.checks.evidence import attempt, record, worker_log
from tests.report.golden_files import agrees
from tests.report.reports import COMPOSE, REPORTS, STARTED, everywhere, forty_attempts, report
from tests.report.texts import HOSTILE, settled

GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": True})
OWN_HTML = re.compile(r"<details>\n<summary>[A-Z][a-z]+( of \d+ checks?)?</summary>\n?|</details>\n?")
CALLS_SOMEBODY = re.compile(r"(?:^|\W)@\w|#\d|\bGH-\d|://|www\.|:[a-z+]\w*:", re.IGNORECASE)
_PIECES = (*"`*_[]()<>!#|~\\@:/-+=.1a& \n\"'$", "www.", "http://", "evil.com", "mailto:", "```", "<b>", "-->", "](", "    ")
MADE_UP = st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)


def tokens(text: str) -> Iterator[Token]:
    for token in GITHUB.parse(text):
        yield token
        yield from token.children or ()


def skeleton(page: Iterable[Token]) -> list[tuple[str, str, str]]:
    """What the page is made of, without its texts; a link is known by where it leads."""
    inner = ("text", "text_special", "code_inline", "inline", "softbreak", "link_open", "link_close")
    return [(t.type, t.tag, t.info) for t in page if t.type not in inner]


@cache
def skeleton_with(text: str) -> list[tuple[str, str, str]]:
    return skeleton(tokens(render(everywhere(text))))


def words(text: str) -> str:
    return " ".join("".join(t.content for t in tokens(text) if t.type in ("text", "text_special", "code_inline")).split())


@pytest.mark.parametrize("name", REPORTS)
def test_the_golden_files(name: str) -> None:
    made = REPORTS[name]()
    agrees(f"{name}.{exit_code(made)}.md", settled(render(made)))


def test_an_error_is_a_document() -> None:
    agrees("wrong-usage.2.md", settled(render_error(UsageError("No installation was found.", STARTED))))


def held(text: str) -> None:
    """A report that has the text everywhere is made of the same elements as one that has harmless words there."""
    made = render(everywhere(text))
    assert len(made) < LIMIT
    page = list(tokens(made))
    if len(text) < 200:  # of longer ones escaping leaves less room
        assert skeleton(page) == skeleton_with(re.sub(r"[^\s\ud800-\udfff]+", "x", text))
    in_link = False
    for token in page:
        assert token.type != "html_inline", token.content
        in_link = token.type == "link_open" or (in_link and token.type != "link_close")
        if token.type == "html_block":
            assert OWN_HTML.fullmatch(token.content), token.content
        if token.type == "link_open":
            href = str(token.attrs["href"])
            assert href.startswith("https://huggingface.co/") or link(text).startswith(f"<{href[:12]}"), href
        if token.type == "text" and not in_link:
            assert not CALLS_SOMEBODY.search(token.content), token
    assert made.count("<details>") >= 3 and made.rstrip().splitlines()[-1] != "</details>"


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_makes_an_element(text: str) -> None:
    held(text)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(MADE_UP)
def test_no_made_up_text_makes_an_element(text: str) -> None:
    held(text)


@settings(max_examples=400, deadline=None)
@given(MADE_UP)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    for line in (f"{inline(text)}", f"- {inline(text)}", f"| {inline(text)} |\n|---|", f"x {code(text)} x"):
        assert words(line).removeprefix("x ").removesuffix(" x") == " ".join(text.split()) or not text.strip()
    blocks = [token for token in tokens(fence(text)) if token.type == "fence"]
    assert [block.content for block in blocks] == [re.sub(r"\r\n|\r", "\n", text) + "\n"]


@pytest.mark.parametrize("text", [t for t in HOSTILE if "\ud800" not in t and len(t) < 200])
def test_a_cell_stays_one_cell(text: str) -> None:
    table = f"| a | b |\n|---|---|\n| {inline(text)} | {code(text)} |"
    assert sum(token.type == "td_open" for token in tokens(table)) == 2
    cells = [token.content for token in tokens(table) if token.type == "inline"]
    assert len(cells) == 4


def test_plain_words_are_not_escaped() -> None:
    text = "hf_…(37), MAX_SPEAKERS=20, /srv/ot/.env:5, v0.4.1 (28.2.2), 'docker compose restart' - 100 %"
    assert inline(text) == text


def test_what_would_call_somebody_is_code() -> None:
    assert inline("ask @ana, or see (#12) at https://x.example/a.") == "ask `@ana`, or see (`#12`) at `https://x.example/a`."


def test_a_link_is_one_of_the_web() -> None:
    assert link("https://huggingface.co/a_b/c?d=e&f") == "<https://huggingface.co/a_b/c?d=e&f>"
    for other in ("javascript:alert(1)", "https://x.example/ y", "https://x>y", "file:///etc", "HTTPS:x", "https://[x](y)<"):
        assert not any(token.type == "link_open" for token in tokens(link(other))), other


@pytest.mark.parametrize("name", REPORTS)
def test_commands_stand_whole_in_fences_of_their_own(name: str) -> None:
    made = REPORTS[name]()
    shown = {token.content.rstrip("\n") for token in tokens(render(made)) if token.type == "fence" and token.info == "sh"}
    assert {step.command for root in made.diagnosis for step in root.remedy if step.command} <= shown


def test_the_diagnosis_comes_first_and_in_its_order() -> None:
    made = REPORTS["three-causes"]()
    text = render(made)
    places = [text.index(f"`{root.cause.value}`") for root in made.diagnosis]
    assert places == sorted(places) and places[-1] < text.index("### Checks")


def test_the_decisive_lines_cannot_leave_their_fence() -> None:
    lines = "first\n```\n</details>\n````\n# out"
    broken = attempt(Outcome.FAILED, cause="token-invalid", decisive=(record(lines), record("last")))
    shown = [token for token in tokens(render(report(log=worker_log(broken)))) if token.type == "fence" and token.info == "text"]
    assert [token.content for token in shown] == [f"{lines}\nlast\n"]


def test_of_many_decisive_lines_the_first_and_the_last_are_shown() -> None:
    broken = attempt(Outcome.FAILED, decisive=(record("begin " + "y" * 50_000 + " end"),))
    text = render(report(log=worker_log(broken)))
    assert "begin y" in text and "y end" in text and "characters left out" in text


def test_all_that_is_not_a_pass_is_in_the_table() -> None:
    made = REPORTS["one-root-cause"]()
    table = render(made).split("### Checks")[1].split("<details>")[0]
    for result in made.results:
        assert (f"`{result.check.name}`" in table) == (result.status is not Status.PASS)
    assert "follows from `env-shadowed`" in table


def test_checks_of_which_the_same_is_said_share_a_row() -> None:
    table = render(REPORTS["everything-skipped"]()).split("### Checks")[1].split("<details>")[0]
    assert table.count("| ➖ skip |") == 2
    assert "| ➖ skip | 10 checks | Docker was left out (--no-docker). |" in table, "behind words of its own too"
    assert "| `token-accepted`, `model-access` | the Hub was left out (--offline) |" in table


def test_the_details_name_each_check_that_was_not_made_once() -> None:
    made = REPORTS["everything-skipped"]()
    details = render(made).split("<summary>Details of 12 checks</summary>")[1].split("</details>")[0]
    assert details.count("Docker was left out") == details.count("the Hub was left out") == 1
    assert all(details.count(f"`{result.check.name}`") == 1 for result in made.results)


def test_a_check_that_was_skipped_in_part_keeps_what_else_it_found() -> None:
    both = (passed("p/a may be downloaded", subject="p/a"), skipped("p/b was left out", subject="p/b"))
    details = render(report({"model-access": both})).split("<summary>Details")[1]
    assert "p/a may be downloaded" in details and "p/b was left out" in details and "**not checked**" not in details


def test_decisive_lines_that_the_diagnosis_shows_are_not_told_again() -> None:
    broken = worker_log(attempt(Outcome.FAILED, cause="token-invalid", decisive=(record("403 Client Error"),)))
    seen = [Seen("log", "worker:7", "403 Client Error\nmore")]
    refused = failed(Cause.TOKEN_INVALID, "no", evidence=seen, remedy=[Step("Make a token.")])
    assert "### The last failure in the log" in render(report(log=broken))
    assert "### The last failure in the log" not in render(report({"token-accepted": (refused,)}, log=broken))


def test_a_warning_keeps_its_remedy() -> None:
    assert "chmod o-rwx /srv/ot/.env" in render(REPORTS["warnings"]())


def test_versions_of_everything_are_told() -> None:
    text = render(everywhere("1.2.3"))
    for name in ("Docker Engine", "Docker Compose", "OpenTranscribe", "Image of 1.2.3", "PYTHON_VERSION=1.2.3", "ot-doctor"):
        assert name in text


def test_what_was_hidden_is_the_last_line() -> None:
    hidden = (Hidden("HUGGINGFACE_TOKEN", 5), Hidden("home folder", 2))
    last = render(report(hidden=hidden)).splitlines()[-1]
    assert last == "7 values were hidden: HUGGINGFACE_TOKEN (5), home folder (2)."
    assert render(report(hidden=())).splitlines()[-1] == "No value had to be hidden."


HUGE = ["y" * 50_000, "|`<&@* " * 7_000, "`" * 50_000, "line\n" * 10_000, "@a|" * 16_000, "\udce9" * 50_000]


@pytest.mark.slow
@pytest.mark.parametrize("text", HUGE, ids=["plain", "special", "backticks", "lines", "pipes", "surrogates"])
def test_a_thousand_findings_of_fifty_thousand_characters_are_not_too_long(text: str) -> None:
    step = Step(text, command=text)
    seen = [Seen(text, text, text)] * 30
    many = tuple(warned(text, subject=f"{n}", expected=text, evidence=seen, remedy=[step] * 30) for n in range(1000))
    first = RootCause(
        Cause.CACHE_PERMISSION, text, text, Confidence.LIKELY, tuple(seen),
        (Step("Give the folder to the worker's user.", command="sudo chown -R 1000 /x"), *[step] * 30), ("cache-permissions",),
    )  # fmt: skip
    roots = (first, *(replace(first, cause=cause, subject=f"{n}") for n, cause in enumerate(Cause)))
    log = worker_log(*[attempt(Outcome.FAILED, worker=text, cause=text, decisive=(record(text),))] * 1000)
    made = report(
        {"token-exposure": many, "cache-permissions": many}, diagnosis=roots, log=log, notices=(text,) * 100,
        hidden=tuple(Hidden(f"{n} {text}", 1) for n in range(100)),
    )  # fmt: skip
    document = render(made)
    document.encode("utf-8")
    assert 30_000 < len(document) < LIMIT
    assert "left out for length" in document and "more characters" in document
    before = document.split("### Checks")[0]
    assert "### 1. The worker cannot read or write its model cache" in before and "sudo chown -R 1000 /x" in before
    assert before.count("### ") >= 8
    blocks = [token.content for token in tokens(document) if token.type == "html_block"]
    assert blocks and all(OWN_HTML.fullmatch(block) for block in blocks), blocks
    assert not [token for token in tokens(document) if token.type in ("html_inline", "link_open")]


def test_forty_attempts_are_all_told() -> None:
    made = forty_attempts()
    rows = re.findall(r"^\| .*\| lines? \d+.* \|$", render(made), re.MULTILINE)
    left = re.search(r"\*(\d+) more attempts left out", render(made))
    assert len(rows) + int(left[1] if left else 0) == len(summary.attempts(made)) == 40


def test_a_finding_of_many_signs_says_how_many_are_left_out() -> None:
    signs = [Seen("cache", f"/models/{n}", "owner 0") for n in range(30)]
    denied = failed(Cause.CACHE_PERMISSION, "no", evidence=signs, remedy=[Step("Give it.", command=COMPOSE)])
    text = render(report({"cache-permissions": (denied,)}))
    assert "25 more signs: see the details" in text


def test_a_report_on_a_bundle_says_when_it_was_recorded() -> None:
    assert " · recorded 2026-11-20 23:00:00 UTC · " in render(report(recorded_at=STARTED - timedelta(hours=2)))


def test_times_are_utc() -> None:
    late = report(started_at=STARTED.astimezone() + timedelta(hours=1))
    assert "2026-11-21 02:00:00 UTC" in render(late)
