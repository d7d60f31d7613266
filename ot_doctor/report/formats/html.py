"""The ``html`` format: one page that needs nothing but itself.

Its tab Status has the causes first, then the attempts, then every check; its tab Facts what ``ot-doctor facts`` says. Without
scripts both stand one below the other.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from xml.etree.ElementTree import Element

from ot_doctor.check import Family, Finding, Result, Seen, Status, Step
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relation, Relations
from ot_doctor.evidence import Attempt
from ot_doctor.report import summary
from ot_doctor.report.advice import risk
from ot_doctor.report.formats import render as rendered
from ot_doctor.report.formats.html_elements import Child, document, element
from ot_doctor.report.formats.timeline import timelines
from ot_doctor.report.model import Report, Section, UsageError, counts_as

_MARKS = {Status.PASS: "✓", Status.WARN: "!", Status.FAIL: "✕", Status.SKIP: "–", Status.UNKNOWN: "?"}
_FAMILIES = {
    Family.ENV: "Settings", Family.TOKEN: "Token", Family.ACCESS: "Access to the models", Family.CACHE: "Model cache",
    Family.WORKER: "Worker", Family.LOGS: "Log", Family.SPEAKERS: "Speakers", Family.HOST: "This machine",
}  # fmt: skip


def render(report: Report) -> str:
    """The whole page."""
    verdict = summary.verdict(report)
    pills = [element("li", summary.number(count, s), class_=s.value) for s, count in report.summary.items() if count]
    last = [part for part in verdict.more[1:] if part]
    about = [*summary.place(report), summary.moment(report.started_at), *last]
    head = element(
        "header", element("p", summary.tool(), class_="tool"), element("h1", verdict.text),
        element("ul", *(element("li", part) for part in about), class_="about"),
        element("ul", *pills, class_="counts") if pills else None, class_=verdict.status.value,
    )  # fmt: skip
    status = element(
        "section", *_diagnosis(report), *_remark(report), _not_known(report),
        *(element("p", notice, class_="notice") for notice in report.notices), _warnings(report), _attempts(report),
        _checks(report), id="status", class_="panel", aria_label="Status",
    )  # fmt: skip
    said = (summary.offered(report), summary.names_account(report), summary.hidden(report))
    notes = [element("p", note) for note in said if note]
    main = element("main", _tabs(), status, _facts(report), _ticket(report))
    return _page(verdict.text, head, main, element("footer", *notes))


def render_error(error: UsageError) -> str:
    """The page for exit codes 2 and 4: what was wrong."""
    about = [summary.moment(error.started_at)]
    head = element(
        "header", element("p", summary.tool(), class_="tool"), element("h1", error.title),
        element("ul", *(element("li", part) for part in about), class_="about"), class_=Status.FAIL.value,
    )  # fmt: skip
    said = element("p", error.message, class_="message")
    return _page(error.title, head, element("main", element("section", element("article", said))))


def _page(name: str, *body: Element) -> str:
    style, script = _own("html_style.css"), _own("html_script.js")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head", element("meta", charset="utf-8"), element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"), element("meta", name="referrer", content="no-referrer"),
        element("title", f"{name} – ot-doctor"), element("style", style),
    )  # fmt: skip
    return document(element("html", head, element("body", *body, element("script", script)), lang="en"))


@cache
def _own(name: str) -> str:
    """A file of this package."""
    return files("ot_doctor.report.formats").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The only style, or script, that the page's policy lets in."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _section(heading: str, *children: Child, name: str) -> Element:
    return element("section", element("h2", heading, id=name), *children, aria_labelledby=name)


def _tabs() -> Element:
    """Links to both parts of the page; the script makes tabs of them, and puts the button for a ticket beside them."""
    links = (element("a", name, href=f"#{name.lower()}") for name in ("Status", "Facts"))
    return element("div", element("nav", *links, class_="tabs", aria_label="Parts of the report"), class_="bar")


def _diagnosis(report: Report) -> list[Element]:
    """The causes in their order, and the one plan for all of them.

    Broken now is what explains the last failure, with what must be fixed before that; the others would break the next run.
    """
    if not report.diagnosis:
        return []
    relations, count = Relations(report), len(report.diagnosis)
    cards = [_root(root, number, count, relations, report) for number, root in enumerate(report.diagnosis, 1)]
    explain = [number for number, root in enumerate(report.diagnosis, 1) if relations.of_root(root) is Relation.EXPLAINS]
    now = max(explain, default=0) if relations.any_failure and not report.upcoming else count
    steps = element("article", _steps([planned.step for planned in summary.steps(report)]), class_="plan")
    broken = f"What keeps {report.upcoming.name} from working here" if report.upcoming else "Broken now"
    parts = [_section(broken, *cards[:now], name="broken")] if now else []
    parts += [_section("Will break next", *cards[now:], name="next")] if now < count else []
    return [*parts, _section(summary.how(report), steps, name="how")]


def _root(root: RootCause, number: int, of: int, relations: Relations, report: Report) -> Element:
    order = f"{'Fix first' if number == 1 else 'Then fix'} ({number} of {of})"
    heading = [element("p", order, class_="order"), element("h3", summary.heading(root, report))]
    heading = heading if of > 1 else []  # else the page's own
    said = summary.relation(root, relations, report, granted=summary.is_the_failure(root))
    names = [element("code", root.cause.value)]
    names += [element("span", summary.confidence_text(root))] if summary.confidence_text(root) else []
    names += [element("code", root.subject)] if root.subject else []
    return element(
        "article", *heading, element("p", *(child for name in names for child in (name, " ")), class_="names"),
        element("p", root.message, class_="message"), element("p", said, class_="relation") if said else None,
        _folded(f"What was seen ({len(root.evidence)})", _evidence(root.evidence), open_=of == 1) if root.evidence else None,
        class_="first" if number == 1 else "then",
    )  # fmt: skip


def _remark(report: Report) -> list[Element]:
    remark = summary.remark(report)
    return [element("p", remark, class_="notice")] if remark else []


def _not_known(report: Report) -> Element | None:
    reasons = [_article(reason.finding, reason.who) for reason in summary.not_known(report)]
    return _section("Could not be checked", *reasons, name="not-known") if reasons else None


def _warnings(report: Report) -> Element | None:
    found = [(finding, result) for result in report.results for finding in result.findings if finding.status is Status.WARN]
    warnings = [_article(finding, result.check.name) for finding, result in found]
    return _section("Warnings", *warnings, name="warnings") if warnings else None


def _article(finding: Finding, head: str) -> Element:
    return element(
        "article", element("p", head, class_="order"), element("p", finding.message, class_="message"),
        element("p", element("code", finding.cause.value), class_="names") if finding.cause else None,
        _folded(f"What was seen ({len(finding.evidence)})", _evidence(finding.evidence)) if finding.evidence else None,
        _steps(finding.remedy) if finding.remedy else None,
    )  # fmt: skip


def _attempts(report: Report) -> Element | None:
    attempts = summary.attempts(report)
    if not attempts:
        return None
    pictures = [element("figure", svg, element("figcaption", caption)) for svg, caption in timelines(attempts)]
    failure = summary.last_failure(report)
    decisive = None
    if failure:
        text = summary.decisive(failure)
        heading = f"The last failure in the log ({summary.lines(failure)})"
        decisive = _folded(heading, element("pre", text, tabindex="0"), open_=not summary.is_evidence(text, report))
    heads = element("tr", *(element("th", name, scope="col") for name in ("Begun", "Ended", "Outcome", "Cause", "Where")))
    rows = element("tbody", *(_attempt_row(attempt) for attempt in attempts))
    table = element("div", element("table", element("thead", heads), rows), class_="wide", tabindex="0")
    return _section("Attempts", *pictures, decisive, _folded("All attempts as a table", table), name="attempts")


def _attempt_row(attempt: Attempt) -> Element:
    cells = [summary.moment(attempt.started_at) or "–", summary.moment(attempt.ended_at) or "–", attempt.outcome.value]
    cells += [attempt.cause or "–", f"{attempt.worker}, {summary.lines(attempt)}"]
    return element("tr", *(element("td", cell) for cell in cells))


def _checks(report: Report) -> Element | None:
    """Every check: those that did not pass, and folded those that did, and those that were not made."""
    made = [result for result in report.results if summary.was_run(result)]
    passed, skipped = ([result for result in made if counts_as(result) is status] for status in (Status.PASS, Status.SKIP))
    titles = {result.check.name: result.check.title for result in report.results}
    reasons = summary.not_run(report)
    not_made = [_not_made(reason, titles) for reason in reasons]
    count = len(skipped) + len({name for reason in reasons for name in reason.checks})
    others = [result for result in made if counts_as(result) not in (Status.PASS, Status.SKIP)]
    parts = _by_family(others, report)
    parts += [_folded(f"Passed: {len(passed)}", *_by_family(passed, report))] if passed else []
    rest = [*_by_family(skipped, report), *([element("div", *not_made, class_="checks")] if not_made else [])]
    parts += [_folded(f"Not checked: {count}", *rest, open_=not made)] if rest else []
    return _section("Checks", *parts, name="checks") if parts else None


def _by_family(results: Iterable[Result], report: Report) -> list[Element]:
    parts: list[Element] = []
    for family, group in groupby(results, key=lambda result: result.check.family):
        parts += _group(_FAMILIES[family], [_check(result, report) for result in group])
    return parts


def _group(heading: str, rows: Iterable[Element]) -> list[Element]:
    return [element("h3", heading, class_="family"), element("div", *rows, class_="checks")]


def _not_made(reason: summary.Shared, titles: Mapping[str, str]) -> Element:
    """A row for all checks that were not made for one reason."""
    head = titles[reason.checks[0]] if len(reason.checks) == 1 else summary.counted(len(reason.checks), "check")
    checks = (element("li", element("p", element("span", titles[name]), element("code", name))) for name in reason.checks)
    return _row(reason.finding.status, head, reason.finding.message, element("ul", *checks, class_="findings"))


def _row(status: Status, head: str, said: str, *content: Element) -> Element:
    words = element("span", element("strong", head), element("span", said, class_="said"))
    return element("details", element("summary", _mark(status), words), *content)


def _check(result: Result, report: Report) -> Element:
    findings = element("ul", *(_finding(f, summary.follows_from(result, f, report)) for f in result.findings), class_="findings")
    said = summary.worst(result)
    name = element("p", element("code", result.check.name), class_="names")
    return _row(counts_as(result), result.check.title, said.message if said else "", name, findings)


def _finding(finding: Finding, root: RootCause | None) -> Element:
    return element(
        "li", element("p", _mark(finding.status), element("span", finding.message)),
        element("p", "This follows from ", element("code", root.cause.value), " above.", class_="relation") if root else None,
        element("p", element("code", finding.cause.value), class_="names") if finding.cause else None,
        element("p", "Expected: ", finding.expected, class_="expected") if finding.expected else None,
        _evidence(finding.evidence) if finding.evidence else None,
    )  # fmt: skip


def _mark(status: Status) -> Element:
    return element("span", _MARKS[status], class_=f"mark {status.value}", role="img", aria_label=summary.WORDS[status])


def _evidence(evidence: Iterable[Seen]) -> Element:
    pairs = (element("div", element("dt", item.where), element("dd", item.text)) for item in evidence)
    return element("dl", *pairs, class_="evidence")


def _steps(steps: Sequence[Step]) -> Element:
    return element("ol", *(_step(step) for step in steps), class_="steps" if len(steps) > 1 else "steps single")


def _step(step: Step) -> Element:
    does = risk(step)
    return element(
        "li", element("p", step.text, *((" ", element("span", does, class_="risk")) if does else ())),
        element("pre", element("code", step.command), class_="command") if step.command else None,
        element("p", _link(step.url)) if step.url else None,
    )  # fmt: skip


def _link(url: str) -> Element:
    """A link to follow where the address is one of the web, else its text."""
    of_the_web = url.lower().startswith(("https://", "http://"))
    return element("a", url, href=url, rel="noopener noreferrer") if of_the_web else element("code", url)


def _facts(report: Report) -> Element:
    """What ``ot-doctor facts`` says."""
    facts = report.facts() if report.facts else None
    at = summary.moment(report.recorded_at or report.started_at)
    when = f"As it was at {at}, whether something is wrong or not. 'ot-doctor facts' shows the same."
    parts = [part for section in facts.sections for part in _facts_about(section)] if facts else []
    said = element("p", when if parts else "Nothing was gathered.", class_="relation")
    return element("section", element("h2", "Facts"), said, *parts, id="facts", class_="panel", aria_label="Facts")


def _facts_about(section: Section) -> list[Element]:
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in section.facts]
    missing = element("p", section.missing or "Nothing.", class_="missing")
    return [element("h3", section.title, class_="family"), element("dl", *pairs, class_="facts") if pairs else missing]


def _ticket(report: Report) -> Element:
    """The report as Markdown, to be copied by hand where there is no script; the same that ``--copy`` copies."""
    text = rendered(report, "markdown")
    hint = "This report as Markdown, redacted as this page is. Select all of it, copy it, and paste it into the ticket."
    area = element("textarea", text, readonly="", rows="12", spellcheck="false", aria_label="Text for a ticket")
    return element("details", element("summary", "Text for a ticket"), element("p", hint), area, class_="ticket")


def _folded(summary: str, *content: Element, open_: bool = False) -> Element:
    return element("details", element("summary", summary), *content, class_="folded", **({"open": ""} if open_ else {}))
