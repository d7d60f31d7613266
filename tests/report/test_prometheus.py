from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ot_doctor import __version__
from ot_doctor.check import Cause, Step, failed
from ot_doctor.evidence import Outcome
from ot_doctor.report.formats import prometheus
from ot_doctor.report.model import Report, UsageError, exit_code
from tests.checks.evidence import attempt, worker_log
from tests.report.golden_files import agrees
from tests.report.reports import HOSTILE, REPORTS, STARTED, everywhere, forty_attempts, report

GOLDEN = ("healthy", "three-causes", "unknown-docker", "everything-skipped")


def read(text: str) -> dict[str, Metric]:
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {family.name: family for family in families}


def series(metrics: Iterable[Metric]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    return [(sample.name, tuple(sorted(sample.labels.items()))) for metric in metrics for sample in metric.samples]


def values(metric: Metric, label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for sample in metric.samples}


def the_value(metrics: dict[str, Metric], name: str) -> float:
    (sample,) = metrics[f"ot_doctor_{name}"].samples
    return sample.value


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_files(name: str) -> None:
    made = REPORTS[name]()
    text = prometheus.render(made).replace(f'version="{__version__}"', 'version="0.0.0"', 1)
    agrees(f"{name}.{exit_code(made)}.prom", text)


@pytest.mark.parametrize("made", [*(REPORTS[name]() for name in REPORTS), forty_attempts(), everywhere(HOSTILE)])
def test_each_metric_is_a_described_gauge_and_no_series_comes_twice(made: Report) -> None:
    text = prometheus.render(made)
    metrics = read(text)
    for metric in metrics.values():
        assert metric.type == "gauge" and metric.documentation and metric.name.startswith("ot_doctor_")
        assert metric.samples and all(sample.timestamp is None for sample in metric.samples)  # the collector takes none
    found = series(metrics.values())
    assert len(found) == len(set(found))


def test_the_run() -> None:
    metrics = read(prometheus.render(REPORTS["three-causes"]()))
    assert the_value(metrics, "exit_code") == 1
    assert the_value(metrics, "last_run_timestamp_seconds") == STARTED.timestamp()
    assert the_value(metrics, "run_duration_seconds") == pytest.approx(0.412)
    assert metrics["ot_doctor_info"].samples[0].labels == {"version": __version__}


def test_each_check_has_exactly_one_status() -> None:
    made = REPORTS["three-causes"]()
    metrics = read(prometheus.render(made))
    samples = metrics["ot_doctor_check_status"].samples
    shown = {s.labels["check"]: (s.labels["family"], s.labels["status"]) for s in samples if s.value == 1}
    assert shown == {r.check.name: (r.check.family.value, r.status.value) for r in made.results}
    assert len(samples) == 5 * len(made.results) and {s.value for s in samples} == {0, 1}
    assert values(metrics["ot_doctor_checks"], "status") == {status.value: n for status, n in made.summary.items()}


def test_the_series_of_checks_do_not_depend_on_what_was_found() -> None:
    names = ("ot_doctor_checks", "ot_doctor_check_status", "ot_doctor_check_duration_seconds")
    found = [read(prometheus.render(REPORTS[name]())) for name in REPORTS]
    assert len({tuple(series(metrics[name] for name in names)) for metrics in found}) == 1


def test_causes_are_shown_with_their_subject() -> None:
    metrics = read(prometheus.render(REPORTS["three-causes"]()))
    assert values(metrics["ot_doctor_cause"], "cause") == {
        "cache-permission": 1, "gated-not-accepted": 1, "speakers-config": 1,
    }  # fmt: skip
    assert values(metrics["ot_doctor_cause"], "subject").keys() >= {"/srv/ot/models/huggingface/hub", "MAX_SPEAKERS"}
    assert the_value(metrics, "causes") == 3
    healthy = read(prometheus.render(REPORTS["healthy"]()))
    assert the_value(healthy, "causes") == 0 and "ot_doctor_cause" not in healthy


@pytest.mark.parametrize("subject", ["/srv/ot/{n}", "x" * 5000 + "{n}"])
def test_the_number_of_causes_is_bounded(subject: str) -> None:
    many = [failed(Cause.MODEL_CORRUPT, "m", subject=subject.format(n=n), remedy=[Step("s")]) for n in range(100)]
    metrics = read(prometheus.render(report({"cache-permissions": tuple(many)})))
    samples = metrics["ot_doctor_cause"].samples
    assert len(samples) == (20 if len(subject) < 200 else 1)
    assert all(len(sample.labels["subject"]) <= 200 for sample in samples)
    assert the_value(metrics, "causes") == 100


def test_the_newest_attempt_of_each_outcome() -> None:
    older, newer = STARTED - timedelta(hours=2), STARTED - timedelta(hours=1)
    log = worker_log(
        attempt(Outcome.UNFINISHED, started_at=newer, ended_at=None), attempt(Outcome.FAILED, started_at=older, ended_at=newer),
        attempt(Outcome.FAILED, started_at=older, ended_at=older), attempt(Outcome.DISABLED, ended_at=STARTED),
    )  # fmt: skip
    shown = values(read(prometheus.render(report(log=log)))["ot_doctor_last_attempt_timestamp_seconds"], "outcome")
    assert shown == {"succeeded": 0, "recovered": 0, "failed": newer.timestamp(), "unfinished": newer.timestamp()}


def test_a_log_that_was_not_read_says_nothing() -> None:
    assert "ot_doctor_last_attempt_timestamp_seconds" not in read(prometheus.render(report(log=None)))


def test_the_installation() -> None:
    (sample,) = read(prometheus.render(report()))["ot_doctor_deployment_info"].samples
    assert sample.labels == {"version": "v0.4.1", "line": "v0.4"}


def test_hostile_text_stays_in_its_label() -> None:
    text = prometheus.render(everywhere(HOSTILE))
    text.encode("utf-8")
    metrics = read(text)
    assert metrics.keys() == read(prometheus.render(REPORTS["three-causes"]())).keys()
    assert the_value(metrics, "exit_code") == 1
    (subject,) = values(metrics["ot_doctor_cause"], "subject")
    assert subject.startswith("::error::one ::set-output") and len(subject) <= 200


@pytest.mark.parametrize("odd", ['"', "\\", "\\n", 'a\\"b', "x\\", '\\\\"', "a{b=\"c\"} 1", "#", "話"])
def test_a_label_says_what_was_meant(odd: str) -> None:
    made = report({"env-lines": (failed(Cause.ENV_SHADOWED, "m", subject=odd, remedy=[Step("s")]),)})
    assert values(read(prometheus.render(made))["ot_doctor_cause"], "subject") == {odd: 1}


def test_wrong_usage_is_seen_by_an_alert() -> None:
    text = prometheus.render_error(UsageError("No installation was found.", STARTED))
    metrics = read(text)
    assert the_value(metrics, "exit_code") == 2
    assert the_value(metrics, "last_run_timestamp_seconds") == STARTED.timestamp()
    assert text.startswith("# ot-doctor: No installation was found.\n")
    agrees("wrong-usage.2.prom", text.replace(f'version="{__version__}"', 'version="0.0.0"', 1))
    assert read(prometheus.render_error(UsageError(HOSTILE, STARTED))).keys() == metrics.keys()


def test_a_report_without_checks_is_a_document() -> None:
    metrics = read(prometheus.render(replace(report(), results=(), diagnosis=())))
    assert "ot_doctor_check_status" not in metrics and the_value(metrics, "exit_code") == 3
