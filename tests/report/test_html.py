from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import Attempt, NextRelease, Outcome, ReleaseLine
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.report import summary
from ot_doctor.report.advice import plan
from ot_doctor.report.formats import markdown
from ot_doctor.report.formats.html import render, render_error
from ot_doctor.report.formats.timeline import timelines
from ot_doctor.report.model import UsageError, exit_code
from tests.checks.evidence import attempt, record, worker_log
from tests.report.golden_files import agrees
from tests.report.reports import REPORTS, STARTED, everywhere, forty_attempts, report
from tests.report.texts import HOSTILE, settled

ALL = {**REPORTS, "forty-attempts": forty_attempts}
ALLOWED_ADDRESS = re.compile(r"https?://|#(?:status|facts)$")
IN_HTML = (
    "<b>", "</style><style>*{}", "</title><script>", "</summary></details>", "\"><img src=x onerror=alert(1)>", "' onclick='x",
    "]]>", "</svg><p>", "</desc></title>", "<!--", "-->", "&amp;&lt;&#60;&nosuch;", "javascript:alert(1)", "data:text/html,x",
    "https://evil.example/\"onmouseover=\"x", "\x00\x07\x1b[31m", "\ufffe\uffff\U0001fffe", "\udce9", "http://[", "\u202e",
)  # fmt: skip


def parsed(text: str) -> Element:
    """The page as a browser reads it; any error of its markup is one here."""
    root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    return root


def tag(element: Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def skeleton(page: Element) -> list[tuple[str, tuple[str, ...]]]:
    """The elements with the names of their attributes, in their order; without links and code, which an address may be."""
    return [(tag(e), tuple(sorted(map(str, e.attrib)))) for e in page.iter() if tag(e) not in ("a", "code")]


@cache
def skeleton_with(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return skeleton(parsed(render(everywhere(text))))


def texts(element: Element) -> list[str]:
    return [text for e in element.iter() if tag(e) not in ("style", "script") for text in (e.text or "", e.tail or "")]


@pytest.mark.parametrize("name", ALL)
def test_the_golden_files(name: str) -> None:
    made = ALL[name]()
    agrees(f"{name}.{exit_code(made)}.html", settled(render(made)))


def test_an_error_is_a_page() -> None:
    text = render_error(UsageError("No installation was found: <b> & \"x\"", STARTED))
    agrees("wrong-usage.2.html", settled(text))
    assert "No installation was found: <b> & \"x\"" in texts(parsed(text))


def held(text: str) -> None:
    made = render(everywhere(text))
    made.encode("utf-8")
    page = parsed(made)
    assert skeleton(page) == skeleton_with(re.sub(r"(?s)\S(?:.*\S)?", "x", text))
    for element in page.iter():
        for name, value in element.attrib.items():
            assert not str(name).startswith("on") and name not in ("src", "style", "srcset", "action")
            assert name != "href" or (tag(element) == "a" and ALLOWED_ADDRESS.match(value))


@pytest.mark.slow
@pytest.mark.parametrize("text", [*IN_HTML, *(t for t in HOSTILE if len(t) < 100)])
def test_no_text_makes_an_element(text: str) -> None:
    held(text)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("<>&\"'/=-! abhtps:#;x\n\r\t\x00\ud800\ufffe"), max_size=40))
def test_no_made_up_text_makes_an_element(text: str) -> None:
    held(text)


def test_a_text_is_read_as_it_was_written() -> None:
    text = "<b>&amp; \"quoted\" 'x' </dd> é 話"
    found = Counter(texts(parsed(render(everywhere(text)))))
    assert found[text] > 30


@pytest.mark.parametrize("name", ALL)
def test_the_page_needs_nothing_but_itself(name: str) -> None:
    text = render(ALL[name]())
    root = parsed(text)
    for element in root.iter():
        assert tag(element) not in ("link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "input")
    style = next(e.text or "" for e in root.iter() if tag(e) == "style")
    assert "url(" not in style and "@import" not in style and "@font-face" not in style
    policy = next(e.attrib["content"] for e in root.iter() if e.attrib.get("http-equiv") == "Content-Security-Policy")
    (script,) = (e for e in root.iter() if tag(e) == "script")
    assert not script.attrib and not re.search(r"https?:|fetch|XMLHttp|import|innerHTML|eval", script.text or "")
    digests = [b64encode(hashlib.sha256((own or "").encode()).digest()).decode() for own in (style, script.text)]
    assert policy.split("; ")[:3] == [
        "default-src 'none'", f"style-src 'sha256-{digests[0]}'", f"script-src 'sha256-{digests[1]}'",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_the_page_is_built_for_screen_readers_and_phones(name: str) -> None:
    root = parsed(render(ALL[name]()))
    assert root.attrib["lang"] == "en"
    assert any(e.attrib.get("content", "").startswith("width=device-width") for e in root.iter())
    levels = [int(tag(e)[1]) for e in root.iter() if re.fullmatch(r"h[1-6]", tag(e))]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        assert set(element.attrib.get("aria-labelledby", "").split()) <= set(ids)
        if "mark" in element.attrib.get("class", "").split():
            assert element.attrib["role"] == "img" and element.attrib["aria-label"] in summary.WORDS.values()


def test_the_cause_comes_first_and_its_commands_are_whole() -> None:
    made = REPORTS["three-causes"]()
    root = parsed(render(made))
    status = next(e for e in root.iter() if e.attrib.get("id") == "status")
    assert [e.attrib.get("aria-labelledby") for e in status] == ["broken", "next", "how", "attempts", "checks"]
    commands = ["".join(e.itertext()) for e in root.iter() if e.attrib.get("class") == "command"]
    assert commands == [planned.step.command for planned in plan(made.diagnosis) if planned.step.command]
    assert ".command { margin-top: .45rem; user-select: all;" in render(made)


def test_all_checks_are_there() -> None:
    made = REPORTS["one-root-cause"]()
    root = parsed(render(made))
    folded = [e for e in root.iter() if tag(e) == "details" and e.attrib.get("class") == "folded"]
    assert ["".join(e[0].itertext()) for e in folded if "open" not in e.attrib][-2:] == ["Passed: 8", "Not checked: 2"]
    rows = [e for box in root.iter() if box.attrib.get("class") == "checks" for e in box]
    marks = [next(e for e in row.iter() if "mark" in e.attrib.get("class", "")).attrib["class"] for row in rows]
    looked_at = [result for result in made.results if result.status is not Status.SKIP]
    worst_first = sorted(looked_at, key=lambda result: result.status is Status.PASS)
    assert marks == [f"mark {result.status.value}" for result in worst_first] + ["mark skip"]
    names = [e.text for row in rows for e in row.iter() if tag(e) == "code"]
    assert {result.check.name for result in made.results} <= set(names)
    assert "This follows from " in texts(root)


def test_checks_that_were_skipped_for_one_reason_share_a_row() -> None:
    root = parsed(render(REPORTS["everything-skipped"]()))
    box, = (e for e in root.iter() if e.attrib.get("class") == "checks")
    said = ["".join(next(e for e in row if tag(e) == "summary").itertext()) for row in box]
    assert said == ["–10 checksDocker was left out (--no-docker).", "–2 checksthe Hub was left out (--offline)"]


def of_section(page: Element, name: str) -> list[str]:
    """The messages of the causes below a heading."""
    section = next(e for e in page.iter() if e.attrib.get("aria-labelledby") == name)
    return ["".join(e.itertext()) for e in section.iter() if e.attrib.get("class") == "message"]


def test_what_is_broken_now_is_what_explains_the_failure_and_what_comes_before_it() -> None:
    made = REPORTS["three-causes"]()
    said = [root.message for root in made.diagnosis]
    page = parsed(render(made))
    assert (of_section(page, "broken"), of_section(page, "next")) == (said[:2], said[2:])
    page = parsed(render(replace(made, log=None)))  # no failure is known that the causes could explain
    assert of_section(page, "broken") == said and not [e for e in page.iter() if e.attrib.get("id") == "next"]
    other = worker_log(attempt(Outcome.FAILED, cause=Cause.AUDIO_UNREADABLE.value))
    page = parsed(render(replace(made, log=other)))
    assert of_section(page, "next") == said and not [e for e in page.iter() if e.attrib.get("id") == "broken"]
    page = parsed(render(replace(made, upcoming=NextRelease(ReleaseLine.V0_5, "v0.5", asked=True))))
    heading = next(e.text for e in page.iter() if e.attrib.get("id") == "broken")
    assert (heading, of_section(page, "broken")) == ("What keeps v0.5 from working here", said)


def test_the_facts_are_those_of_the_report() -> None:
    made = REPORTS["unknown-docker"]()
    assert made.facts
    sections = made.facts().sections
    facts = next(e for e in parsed(render(made)).iter() if e.attrib.get("id") == "facts")
    assert [e.text for e in facts if tag(e) == "h3"] == [section.title for section in sections]
    pairs = list(zip(*([e.text for e in facts.iter() if tag(e) == kind] for kind in ("dt", "dd")), strict=True))
    assert pairs == [fact for section in sections for fact in section.facts]
    missing = [e.text for e in facts if e.attrib.get("class") == "missing"]
    assert missing == [section.missing for section in sections if not section.facts]
    assert "Nothing was gathered." in texts(parsed(render(replace(made, facts=None))))


@pytest.mark.parametrize("name", ALL)
def test_the_text_for_a_ticket_is_the_markdown_report(name: str) -> None:
    made = ALL[name]()
    area, = (e for e in parsed(render(made)).iter() if tag(e) == "textarea")
    assert area.text == markdown.render(made) and "readonly" in area.attrib


def test_what_was_hidden_is_told() -> None:
    assert "3 values were hidden: HUGGINGFACE_TOKEN (3)." in render(report(hidden=(Hidden("HUGGINGFACE_TOKEN", 3),)))


def colours(style: str) -> list[dict[str, str]]:
    light, dark = re.findall(r":root \{([^}]*--page[^}]*#[^}]*--skip-soft[^}]*)\}", style)
    palettes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", part)) for part in (light, dark)]
    assert palettes[0].keys() == palettes[1].keys()
    return palettes


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(d * 2 for d in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_colours_have_the_contrast_that_wcag_asks_for() -> None:
    style = next(e.text or "" for e in parsed(render(report())).iter() if tag(e) == "style")
    words = [status.value for status in Status]
    for palette in colours(style):
        pairs = [(name, back) for name in ("text", "muted", "link", *words) for back in ("page", "card", "sunk")]
        pairs += [(name, f"{name}-soft") for name in words]
        for name, back in pairs:
            high, low = sorted((luminance(palette[name]), luminance(palette[back])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (name, back)


# -- the time line ---------------------------------------------------------------------------------------------------


def picture(*attempts: Attempt) -> Element:
    (svg, _), = timelines(attempts)
    return svg


def named(svg: Element, name: str) -> list[Element]:
    return [e for e in svg.iter() if name in e.attrib.get("class", "").split()]


def per_cent(element: Element, name: str) -> float:
    return float(element.attrib[name].removesuffix("%"))


def at(minutes: float, **changes: object) -> Attempt:
    begun = STARTED + timedelta(minutes=minutes)
    usual: dict[str, object] = {"started_at": begun, "ended_at": begun + timedelta(minutes=1), **changes}
    return attempt(**usual)  # type: ignore[arg-type]


def test_the_picture_tells_what_it_shows() -> None:
    svg = picture(at(0), *(at(minutes, outcome=Outcome.FAILED, cause="token-invalid") for minutes in (60, 90)))
    assert svg.attrib["role"] == "img"
    title, about = svg.attrib["aria-labelledby"].split()
    said = {e.attrib["id"]: e.text for e in svg if tag(e) in ("title", "desc")}
    assert said == {
        title: "Diarization attempts", about: "3 attempts: 1 succeeded, 2 failed: token-invalid. Times are UTC.",
    }  # fmt: skip


def test_outcomes_differ_in_colour_shape_and_words() -> None:
    ways = [o for o in Outcome if o is not Outcome.DISABLED]
    svg = picture(*(at(60 * n, outcome=outcome) for n, outcome in enumerate(ways)))
    assert [e.text for e in named(svg, "lane")] == [outcome.value for outcome in ways]
    shapes = {e.attrib["class"]: e.attrib["d"] for e in named(svg, "marker")}
    assert len(shapes) == len(set(shapes.values())) == len(ways)


def test_attempts_stand_in_the_order_of_their_times() -> None:
    svg = picture(*(at(n * n) for n in range(6, 0, -1)))
    places = [per_cent(e, "x") for e in svg if tag(e) == "svg" and e.attrib["x"].endswith("%")]
    assert places == sorted(places) and len(places) >= 4
    assert all(0 < place < 100 for place in places)


def test_a_long_attempt_is_a_bar_and_an_unfinished_one_is_open() -> None:
    svg = picture(at(0, ended_at=STARTED + timedelta(hours=5)), at(200, outcome=Outcome.UNFINISHED, ended_at=None))
    bar, = named(svg, "bar")
    assert per_cent(bar, "width") > 80
    line, = named(svg, "open")
    assert per_cent(line, "x1") < per_cent(line, "x2") == 99


def test_attempts_without_a_time_stand_by_their_lines() -> None:
    timeless = [at(0, started_at=None, ended_at=None, lines=(line, line + 5)) for line in (900, 40)]
    (_, by_time), (svg, by_line) = timelines([at(0), *timeless])
    assert "UTC" in by_time and "lines" in by_line
    assert len(named(svg, "tick")) >= 2 and any(e.text == "line" for e in named(svg, "tick"))
    assert "lines 900 to 905" in "".join(svg.itertext())


@pytest.mark.parametrize("hours", [0, 0.002, 0.3, 9, 700, 20_000, 2_000_000])
def test_the_axis_has_few_ticks_at_any_scale(hours: float) -> None:
    later = STARTED + timedelta(hours=hours)
    svg = picture(at(0), at(0, started_at=later, ended_at=later))
    ticks = named(svg, "grid")
    places = [per_cent(e, "x1") for e in ticks]
    assert 1 <= len(ticks) <= 5 and all(b - a > 15 for a, b in pairwise(places))


def test_the_first_moments_and_the_last_are_no_obstacle() -> None:
    far = [datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, 23, 59, tzinfo=timezone.utc)]
    assert "9999-12-31" in "".join(picture(*(at(0, started_at=day, ended_at=day) for day in far)).itertext())


def test_an_end_before_the_begin_is_no_obstacle() -> None:
    assert len(named(picture(at(0, ended_at=STARTED - timedelta(hours=1))), "marker")) == 2


@pytest.mark.parametrize("lines", [(0, -(10**18)), (10**18, 10**18), (-(10**18), 10**18), (7, 3)])
def test_lines_that_no_log_has_are_no_obstacle(lines: tuple[int, int]) -> None:
    svg = picture(at(0, started_at=None, ended_at=None, lines=lines), at(0, started_at=None, ended_at=None, lines=(3, 9)))
    assert 1 <= len(named(svg, "grid")) <= 6
    assert all(0 <= per_cent(line, "x1") <= 100 for line in named(svg, "grid"))


def test_forty_attempts_are_all_counted() -> None:
    made = forty_attempts()
    (svg, _), = timelines(summary.attempts(made))
    told = [line for e in svg.iter() if tag(e) == "title" for line in (e.text or "").split("\n") if "line" in line]
    assert len(told) == len(summary.attempts(made)) == 40
    assert [e.text for e in named(svg, "worker")] == ["opentranscribe-celery-worker", "opentranscribe-celery-worker-gpu-scale…"]
    assert any(e.text == "failed: gated-not-accepted · 6" for e in named(svg, "lane"))


def test_of_a_long_path_the_end_is_shown() -> None:
    label, = named(picture(at(0, worker="/home/user/opentranscribe/logs/from-the-server/worker-2026-11-21.log")), "worker")
    assert label.text == "…/from-the-server/worker-2026-11-21.log"


def test_the_decisive_lines_are_shown() -> None:
    broken = attempt(Outcome.FAILED, cause=Cause.TOKEN_INVALID.value, decisive=(record("<one>\n  two"), record("three")))
    shown = [e.text for e in parsed(render(report(log=worker_log(broken)))).iter() if tag(e) == "pre"]
    assert shown == ["<one>\n  two\nthree"]


def test_without_attempts_there_is_no_picture() -> None:
    text = render(report(log=worker_log(attempt(Outcome.DISABLED))))
    assert "<svg" not in text and "Attempts" not in text
