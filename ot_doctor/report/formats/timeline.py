"""The time line of the attempts as a picture: a lane for each worker and outcome, markers at their times.

Positions across are percentages and sizes are pixels, so that the text stays readable at every width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from xml.etree.ElementTree import Element

from ot_doctor.evidence import Attempt, Outcome
from ot_doctor.report import summary
from ot_doctor.report.formats.html_elements import element
from ot_doctor.report.plain import shortened

_LEFT, _RIGHT = 6.0, 94.0  # per cent: where the axis begins and ends
_NEAR = 5.0  # per cent: markers that are nearer to each other become one with a number
_TICKS = 4
_LONGEST = 39  # characters of a label: what a phone's width holds
_WORKER, _LANE, _AXIS = 26, 54, 40  # heights in pixels
_MOST_LINES = 10**12
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    1, 2, 5, 10, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR,
    12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 60 * _DAY, 120 * _DAY, 365 * _DAY,
)  # fmt: skip
_SHAPES = {  # around 0,0
    Outcome.SUCCEEDED: "M6.5 0A6.5 6.5 0 1 1 -6.5 0A6.5 6.5 0 1 1 6.5 0Z",
    Outcome.RECOVERED: "M0 -7.5L7.5 0L0 7.5L-7.5 0Z",
    Outcome.FAILED: "M-6 -6H6V6H-6Z",
    Outcome.UNFINISHED: "M-5 -6.5L7 0L-5 6.5Z",
}


@dataclass(frozen=True)
class _Axis:
    """Where a value (seconds since 1970, or a line of the log) lies, and what is written below it."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str, str]]  # value, label, label of the second row

    def at(self, value: float) -> float:
        """Per cent of the picture's width."""
        return _LEFT + (_RIGHT - _LEFT) * (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class _Span:
    attempt: Attempt
    begin: float
    end: float


def timelines(attempts: Sequence[Attempt]) -> list[tuple[Element, str]]:
    """Pictures with their captions: by time, and by the log's line for the attempts whose time the log does not tell."""
    timed = [_Span(a, *_times(a)) for a in attempts if a.started_at or a.ended_at]
    others = [_Span(a, *_lines(a)) for a in attempts if not (a.started_at or a.ended_at)]
    pictures = []
    if timed:
        pictures.append((_picture(timed, _time_axis(timed), "time", "Times are UTC."), "Times are UTC."))
    if others:
        caption = "The log tells no time of these: they stand by its lines."
        pictures.append((_picture(others, _line_axis(others), "line", caption), caption))
    return pictures


def _times(attempt: Attempt) -> tuple[float, float]:
    begin, end = attempt.started_at or attempt.ended_at, attempt.ended_at or attempt.started_at
    return (begin.timestamp(), max(begin, end).timestamp()) if begin and end else (0.0, 0.0)


def _lines(attempt: Attempt) -> tuple[float, float]:
    """A stranger's bundle may hold any two numbers; the axis wants them in order, and small enough to tell ten lines apart."""
    begin, end = (float(min(max(line, 0), _MOST_LINES)) for line in attempt.lines)
    return begin, max(begin, end)


def _picture(spans: Sequence[_Span], axis: _Axis, kind: str, caption: str) -> Element:
    parts: list[Element] = []
    y = 0
    for worker in dict.fromkeys(span.attempt.worker for span in spans):
        parts.append(element("text", _short_name(worker), class_="worker", x="0", y=str(y + 17)))
        y += _WORKER
        of_worker = [span for span in spans if span.attempt.worker == worker]
        for key in dict.fromkeys(_lane_of(span.attempt) for span in of_worker):
            parts += _lane([span for span in of_worker if _lane_of(span.attempt) == key], axis, y)
            y += _LANE
    grid = [part for value, *labels in axis.ticks for part in _tick(axis.at(value), labels, y)]
    title, about = f"attempts-by-{kind}", f"attempts-by-{kind}-in-words"
    return element(
        "svg", element("title", "Diarization attempts", id=title), element("desc", f"{_in_words(spans)} {caption}", id=about),
        *grid, *parts, class_="timeline", role="img", aria_labelledby=f"{title} {about}", width="100%", height=str(y + _AXIS),
    )  # fmt: skip


def _lane_of(attempt: Attempt) -> tuple[Outcome, str]:
    return attempt.outcome, attempt.cause or ""


def _lane(spans: Sequence[_Span], axis: _Axis, y: int) -> list[Element]:
    """A label, a line, and on it the attempts of one worker that went alike."""
    outcome, middle = spans[0].attempt.outcome, y + 30
    number = f" · {len(spans)}" if len(spans) > 1 else ""
    parts = [
        _marker(outcome, "9", y + 9),
        element("text", shortened(_label(spans[0].attempt), _LONGEST) + number, class_="lane", x="24", y=str(y + 13)),
        element("line", class_="track", x1=_per_cent(_LEFT), x2=_per_cent(_RIGHT), y1=str(middle), y2=str(middle)),
    ]
    for span in spans:
        begin, end = axis.at(span.begin), axis.at(span.end)
        if outcome is Outcome.UNFINISHED:
            parts.append(element("line", class_="open", x1=_per_cent(begin), x2="99%", y1=str(middle), y2=str(middle)))
        elif end - begin > 1:
            width, top = _per_cent(end - begin), str(middle - 3)
            parts.append(element("rect", class_=f"bar {outcome.value}", x=_per_cent(begin), width=width, y=top, height="6"))
    for near in _clusters(spans, axis):
        places = [_place(span, axis) for span in near]
        tooltip = "\n".join(_tooltip(span.attempt) for span in near[:20])
        at = _per_cent(sum(places) / len(places))
        parts.append(_marker(outcome, at, middle, tooltip))
        if len(near) > 1:
            parts.append(element("text", str(len(near)), class_="number", x=at, y=str(middle + 18), text_anchor="middle"))
    return parts


def _place(span: _Span, axis: _Axis) -> float:
    """An attempt is marked where it ended, and one that did not end where it began."""
    return axis.at(span.begin if span.attempt.outcome is Outcome.UNFINISHED else span.end)


def _clusters(spans: Iterable[_Span], axis: _Axis) -> list[list[_Span]]:
    clusters: list[list[_Span]] = []
    for span in sorted(spans, key=lambda span: _place(span, axis)):
        if clusters and _place(span, axis) - _place(clusters[-1][0], axis) < _NEAR:
            clusters[-1].append(span)
        else:
            clusters.append([span])
    return clusters


def _marker(outcome: Outcome, x: str, y: int, tooltip: str = "") -> Element:
    shape = element("path", class_=f"marker {outcome.value}", d=_SHAPES.get(outcome, _SHAPES[Outcome.UNFINISHED]))
    return element("svg", element("title", tooltip) if tooltip else None, shape, x=x, y=str(y), overflow="visible")


def _tick(at: float, labels: Sequence[str], y: int) -> list[Element]:
    x = _per_cent(at)
    rows = [
        element("text", label, class_="tick", x=x, y=str(y + 17 + 14 * row), text_anchor="middle")
        for row, label in enumerate(labels)
        if label
    ]
    return [element("line", class_="grid", x1=x, x2=x, y1="22", y2=str(y + 4)), *rows]


def _time_axis(spans: Sequence[_Span]) -> _Axis:
    low, high = _around(spans, least=_MINUTE)
    step = next((step for step in _STEPS if (high - low) / step <= _TICKS), (high - low) / _TICKS)
    first, second = ("%d %b", "%Y") if step >= _DAY else ("%H:%M" if step >= _MINUTE else "%H:%M:%S", "%d %b")
    ticks: list[tuple[float, str, str]] = []
    shown = ""
    for value in _multiples(low, high, step):
        at = datetime.fromtimestamp(value, timezone.utc)
        below = f"{at:{second}}"
        ticks.append((value, f"{at:{first}}", below if below != shown else ""))
        shown = below
    return _Axis(low, high, ticks)


def _line_axis(spans: Sequence[_Span]) -> _Axis:
    low, high = _around(spans, least=10)
    rough = (high - low) / _TICKS
    ten = 10 ** math.floor(math.log10(rough))
    step = next(ten * n for n in (1, 2, 5, 10) if ten * n >= rough)
    values = _multiples(low, high, step)
    return _Axis(low, high, [(value, f"{value:,.0f}", "line" if value == values[0] else "") for value in values])


def _around(spans: Sequence[_Span], least: float) -> tuple[float, float]:
    """The lowest and the highest value, made wider where they are nearly the same."""
    low, high = min(span.begin for span in spans), max(span.end for span in spans)
    wider = max(0.0, least - (high - low)) / 2
    return low - wider, high + wider


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _label(attempt: Attempt) -> str:
    return f"{attempt.outcome.value}: {attempt.cause}" if attempt.cause else attempt.outcome.value


def _tooltip(attempt: Attempt) -> str:
    times = " to ".join(filter(None, (summary.moment(attempt.started_at), summary.moment(attempt.ended_at))))
    return ", ".join(filter(None, (_label(attempt), times, summary.lines(attempt))))


def _in_words(spans: Sequence[_Span]) -> str:
    kinds: Callable[[_Span], str] = lambda span: _label(span.attempt)  # noqa: E731
    names = [kinds(span) for span in spans]
    return f"{summary.counted(len(spans), 'attempt')}: " + ", ".join(f"{names.count(n)} {n}" for n in dict.fromkeys(names)) + "."


def _short_name(worker: str) -> str:
    """Of a path (the log of ``--logs``) the end tells more than the beginning."""
    return f"…{worker[1 - _LONGEST :]}" if "/" in worker and len(worker) > _LONGEST else shortened(worker, _LONGEST)


def _per_cent(value: float) -> str:
    return f"{value:.2f}%"
