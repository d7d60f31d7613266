"""``python -m tests.corpus.accuracy`` writes docs/accuracy.md: what ot-doctor says of every log of the corpus, alone.

Each log is examined as ``ot-doctor --logs FILE`` does, with no installation, no Docker and no network.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ot_doctor.check import Check
from ot_doctor.evidence import Request, WorkerLog
from ot_doctor.report.build import report_of
from ot_doctor.report.model import Report
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import checks_of, examine
from ot_doctor.sources.store import SOURCES, Store
from tests.corpus.cases_of import CASES, NAMES, Case, case_of
from tests.logs import mutations

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
PUBLIC = Path(__file__).parents[1] / "logs" / "public" / "index.json"
COVERAGE = "## How much of what the libraries can say is known"  # the last section: `python -m tests.corpus.coverage` writes it
NOTHING = "(none)"
#: How the logs of the second half were judged before anything was changed for them.
FIRST = {"right": 173, "wrong": 13, "unrecognised": 31, "silent": 2}
GUIDE = ("Cannot access gated repository", "Invalid HuggingFace token", "Model agreement not accepted")

_PAGE = """\
# How often ot-doctor is right

Made by `python -m tests.corpus.accuracy` from the {count} logs of the corpus in `tests/corpus`: {run} of them are the output of
the real libraries under real faults, {composed} are put together from published error texts where the fault could not be made.
Each log is examined alone, as `ot-doctor --logs FILE` does. With a running stack there is more to go by: the container, the Hub,
the cache.

**{right} of {count}** are right: the cause of the newest attempt stands first in the diagnosis, and healthy, recovered, noisy and
unfinished logs get none. {undecided} of these are logs whose text alone does not tell, and for which `unrecognised` or a
neighbouring cause is a right answer too.

The signatures were written with these logs at hand: the figure says that no known text is misread, and nothing about a text that
nobody has seen yet.

The setup guide's `grep` for its three error texts finds something in **{grep}** of the {failing} logs that hold a failure.

## Faults that were new

{new} of the logs were made after the signatures and rules of the others: faults of single programs, of the Hub's own command,
of Xet, of Celery's pools and brokers, and of a real engine, provoked and labelled before anything was changed for them. Of these
{new}, **{new_right} were right before any change**: {new_wrong} got a wrong cause (one of them healthy), {new_unknown} were shown
as `unrecognised`, and {new_silent} ended in silence. What was missing there was added by kind; all {new} are right now, which
again says nothing about the next ones. (For two of them a second cause was allowed afterwards, since the text fits both.)

## Logs that no signature was written for

Where no signature knows a text, rules judge how the error is built: the class of the exception, the number of the operating
system's error, the HTTP status and the host, the signal, the library. They were written beside {public} public bug reports of
people who run such workers; `tests/logs/public` holds them, re-created from what the programs printed, with the causes that are
right. Each is examined as `ot-doctor --logs FILE` does, and **{public_right} of {public}** get a right cause: as they are, behind
300 healthy lines of Celery, and as journald shows them. `make test` tries each with one more of {wordings} rewordings
(other names, paths and times, wrapped at 80 columns, other prefixes, another container's lines or 1,000 healthy ones in
between, without its beginning), `make bench` with all: every one keeps its cause. None of them ends in silence: an error that
neither a signature nor a rule explains is `unrecognised`, and shown.

The logs of the corpus are reworded in the same ways, every second of them in `make test`, all in `make bench rewordings`. All
keep their verdicts but for one, of which the cut leaves nothing that tells, and for whole logs that a mail program broke between
words: it drops the spaces, so that what was one line cannot always be told.

The rules were written with these reports at hand too. What they make of reports that were not at hand is not measured here.

What must change a verdict does: a success behind any of the failures of both sets ends it, and another number of the operating
system's error, another status or another signal in a log is another cause (`make bench must-change`).

## What was there, and what was said

A row for each cause that was there, in the corpus and in the public reports; "(none)" is a log in which nothing is wrong.

| there was | logs | said | public reports | said |
|---|---|---|---|---|
{matrix}

{wrong}"""


@dataclass(frozen=True)
class Verdict:
    """What was said of a case; ``NOTHING`` where no cause was named."""

    case: Case
    said: str

    @property
    def right(self) -> bool:
        return self.said in self.case.answers

    @property
    def undecided(self) -> bool:
        return self.right and self.said != (self.case.cause or NOTHING)


def judge(case: Case) -> Verdict:
    """Examine a case's log alone; the first cause of the diagnosis counts."""
    return Verdict(case, said(original(case.name) if case.folder == CASES else examined(case.log)))


def examined(log: Path) -> Report:
    """What ``ot-doctor --logs FILE`` says of a log where there is no installation."""
    plan = Plan(Request(logs=(str(log),), log_alone=True, timeout=60))
    return report_of(examine(plan, _checks(), Store(plan.request, _beside_the_log()), ()))


@cache
def original(name: str) -> Report:
    """The same of the log of a case, which several tests look at."""
    return examined(case_of(name).log)


@cache
def _checks() -> Mapping[str, Check]:
    return checks_of(Plan(Request()))[0]


@cache
def _beside_the_log() -> Mapping[type, object]:
    """What there is to know beside a log alone, whatever is in it."""
    store = Store(Request(log_alone=True))
    return {kind: store.get(kind) for kind in SOURCES if kind is not WorkerLog}


def said(report: Report) -> str:
    """The first cause of the diagnosis; ``NOTHING`` where there is none."""
    return report.diagnosis[0].cause.value if report.diagnosis else NOTHING


def judged_reports() -> list[Verdict]:
    """The public reports; the first of the causes that are right counts as the one that was there."""
    cases = [
        Case(
            name=entry["file"].removesuffix(".log"),
            outcome="none",
            cause=entry["expected"][0].replace("none", ""),
            also=tuple(NOTHING if cause == "none" else cause for cause in entry["expected"][1:]),
            made="public",
            folder=PUBLIC.parent,
        )
        for entry in json.loads(PUBLIC.read_text(encoding="utf-8"))["cases"]
    ]
    return [judge(case) for case in cases]


def page(verdicts: list[Verdict], reports: list[Verdict]) -> str:
    """The text of docs/accuracy.md."""
    cases = [verdict.case for verdict in verdicts]
    failing = [case for case in cases if case.cause]
    wrong = [v for v in (*verdicts, *reports) if not v.right]
    listed = "".join(f"- `{v.case.name}`: {v.case.cause or NOTHING}, said: {v.said}\n" for v in wrong)
    return _PAGE.format(
        count=len(cases),
        run=sum(case.made == "run" for case in cases),
        composed=sum(case.made != "run" for case in cases),
        right=sum(v.right for v in verdicts),
        undecided=sum(v.undecided for v in verdicts),
        grep=sum(any(text in case.text for text in GUIDE) for case in failing),
        failing=len(failing),
        new=sum(FIRST.values()),
        new_right=FIRST["right"],
        new_wrong=FIRST["wrong"],
        new_unknown=FIRST["unrecognised"],
        new_silent=FIRST["silent"],
        public=len(reports),
        public_right=sum(v.right for v in reports),
        wordings=len(mutations.KEEP),
        matrix=_matrix(verdicts, reports),
        wrong=f"Wrong today:\n\n{listed}" if wrong else "",
    ).rstrip() + "\n"


def _matrix(verdicts: list[Verdict], reports: list[Verdict]) -> str:
    """The confusion matrix, a row for each cause that was there; what was said is listed, since most of it is one word."""
    sides = [_by_cause(verdicts), _by_cause(reports)]
    causes = sorted({cause for side in sides for cause in side})
    return "\n".join(f"| {cause} | {' | '.join(_cells(side.get(cause, Counter())) for side in sides)} |" for cause in causes)


def _by_cause(verdicts: list[Verdict]) -> dict[str, Counter[str]]:
    rows: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        rows.setdefault(verdict.case.cause or NOTHING, Counter())[verdict.said] += 1
    return rows


def _cells(said: Counter[str]) -> str:
    return f"{sum(said.values()) or ''} | {', '.join(f'{word} {count}' for word, count in said.most_common())}"


def made_here(text: str) -> str:
    """The page without its last section, which is made of other things."""
    return text.partition(COVERAGE)[0].rstrip() + "\n"


def main() -> None:
    _, heading, rest = PAGE.read_text(encoding="utf-8").partition(COVERAGE)
    kept = f"\n{heading}{rest}" if heading else ""
    PAGE.write_text(page([judge(case_of(name)) for name in NAMES], judged_reports()) + kept, encoding="utf-8")


if __name__ == "__main__":
    assert CASES.is_dir()
    main()
