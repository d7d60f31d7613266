"""The ``reply`` format: what to tell whoever sent a report or a bundle, as Markdown to paste under their ticket."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Status
from ot_doctor.report import summary
from ot_doctor.report.formats.markdown import step_block
from ot_doctor.report.formats.markdown_text import clip, code, inline
from ot_doctor.report.model import Report, UsageError, exit_code

_SHOWN = 3  # pieces of evidence of a cause
_MOST = 5  # causes, and reasons why something is not known


def render(report: Report) -> str:
    """The cause, the steps, and what to run to see that it helped; where nothing is known, what to send."""
    return "\n\n".join(_blocks(report)) + "\n"


def render_error(error: UsageError) -> str:
    return f"The report could not be read: {inline(clip(error.message, 2_000))}\n"


def _blocks(report: Report) -> Iterator[str]:
    yield f"**{inline(summary.verdict(report).text)}.**"
    for root in report.diagnosis[:_MOST]:
        if len(report.diagnosis) > 1:
            yield f"**{inline(summary.heading(root, report))}**"
        sure = summary.confidence_text(root)
        named = f"({code(root.cause.value)}{f', {sure}, not certain' if sure else ''})"
        yield f"{inline(clip(root.message, 1_000))} {named}"
        if root.evidence:
            yield "\n".join(f"- {code(clip(seen.where, 200))}: {inline(clip(seen.text, 300))}" for seen in root.evidence[:_SHOWN])
    if steps := summary.steps(report):
        yield "To fix it, on the machine where it runs:"
        yield "\n".join(step_block(planned.number, planned.step, 1_500) for planned in steps)
    if unknown := summary.not_known(report)[:_MOST]:
        yield "This could not be checked:"
        yield "\n".join(f"- {inline(clip(reason.finding.message, 500))}" for reason in unknown)
    yield from _at_the_end(report)


def _at_the_end(report: Report) -> Iterator[str]:
    attach = "attach the file: it holds no secret."
    if report.diagnosis:
        yield f"If it does not help, please run `ot-doctor collect` after the next failed job, and {attach}"
    elif exit_code(report) or report.summary[Status.WARN] or report.log is None or report.log.newest_ended is None:
        yield f"Please transcribe a short file with two voices, run `ot-doctor collect` on that machine, and {attach}"
    else:
        yield "Nothing is broken as far as this shows. If speakers are still missing, please say in which file."
        yield f"Please run `ot-doctor collect` on that machine, too, and {attach}"
    yield f"<sub>{' · '.join([summary.tool(), *(inline(part) for part in summary.place(report)[:2])])}</sub>"
