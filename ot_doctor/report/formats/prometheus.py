"""The ``prometheus`` format: metrics for node_exporter's textfile collector.

It takes no time stamps of samples and no series twice, so every series is the newest run's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ot_doctor import __version__
from ot_doctor.evidence import Outcome
from ot_doctor.report.model import Report, UsageError, counts_as, exit_code
from ot_doctor.report.plain import one_line, shortened, writable

_CAUSES = 20  # series of diagnosed causes
_LONGEST_LABEL = 200  # characters
_Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True)
class _Metric:
    name: str  # without the prefix; a gauge
    help: str
    samples: tuple[_Sample, ...]


def render(report: Report) -> str:
    """All metrics of a run."""
    return _document([*_of_the_run(exit_code(report), report.started_at, report.duration), *_of_the_report(report)])


def render_error(error: UsageError) -> str:
    """The metrics of a run that could not begin, or broke off: its exit code and its time, so that an alert sees it."""
    return _document(_of_the_run(error.exit_code, error.started_at, 0.0), comment=error.message)


def _of_the_run(code: int, started_at: datetime, duration: float) -> Iterator[_Metric]:
    yield _Metric("info", "The version of ot-doctor that ran.", (({"version": __version__}, 1),))
    codes = "0 nothing failed, 1 something failed, 2 it could not begin, 3 not all could be checked, 4 ot-doctor itself failed."
    yield _single("exit_code", codes, code)
    yield _single("last_run_timestamp_seconds", "When the run began, in Unix time.", started_at.timestamp())
    yield _single("run_duration_seconds", "How long the run took.", duration)


def _of_the_report(report: Report) -> Iterator[_Metric]:
    counts = tuple(({"status": status.value}, count) for status, count in report.summary.items())
    yield _Metric("checks", "How many checks have this status.", counts)
    of_checks = [({"check": r.check.name, "family": r.check.family.value}, r) for r in report.results]
    yield _Metric(
        "check_status",
        "1 for the status that the check has, 0 for each other one.",
        tuple(({**labels, "status": s.value}, float(counts_as(r) is s)) for labels, r in of_checks for s in report.summary),
    )
    durations = tuple((labels, r.duration) for labels, r in of_checks)
    yield _Metric("check_duration_seconds", "How long the check took, waiting for evidence included.", durations)
    yield _single("causes", "How many causes were diagnosed.", len(report.diagnosis))
    causes = {(root.cause.value, shortened(root.subject or "", _LONGEST_LABEL)): None for root in report.diagnosis}
    yield _Metric(
        "cause",
        f"1 for each cause that was diagnosed, at most {_CAUSES} of them.",
        tuple(({"cause": cause, "subject": subject}, 1) for cause, subject in list(causes)[:_CAUSES]),
    )
    if report.deployment:
        version = shortened(report.deployment.version or "", _LONGEST_LABEL)
        labels = {"version": version, "line": report.deployment.line.value}
        yield _Metric("deployment_info", "The examined installation.", ((labels, 1),))
    if report.log:
        yield _Metric(
            "last_attempt_timestamp_seconds",
            "When the newest diarization attempt with this outcome ended, in Unix time; 0 where the log shows none.",
            tuple(({"outcome": o.value}, _newest(report, o)) for o in Outcome if o is not Outcome.DISABLED),
        )


def _newest(report: Report, outcome: Outcome) -> float:
    times = [a.ended_at or a.started_at for a in report.attempts if a.outcome is outcome]
    return max((moment.timestamp() for moment in times if moment), default=0.0)


def _single(name: str, help: str, value: float) -> _Metric:
    return _Metric(name, help, (({}, value),))


def _document(metrics: Iterable[_Metric], comment: str = "") -> str:
    lines = [f"# ot-doctor: {one_line(comment)}"] if comment else []
    for metric in metrics:
        name = f"ot_doctor_{metric.name}"
        if metric.samples:
            lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {value:.15g}" for labels, value in metric.samples]
    return writable("\n".join(lines)) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(value: str) -> str:
    return one_line(value).replace("\\", r"\\").replace('"', r"\"")
