"""Logs of the v0.5 line, and every other log of the corpus in the formats of that line: what is said of them is right.

``v05/*.log`` are by real Celery with upstream's formatter (``v04…``: with Celery's own), or put together from upstream's lines
(``x-…``, ``probe-…``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ot_doctor.evidence import Attempt, Request, Unavailable
from ot_doctor.evidence.worker_log import WorkerLog
from ot_doctor.sources.log_windows import gather
from tests.corpus import rewrite, wraps
from tests.corpus.accuracy import NOTHING, examined, judge, original, said
from tests.corpus.cases_of import NAMES, Case, case_of

LOGS = Path(__file__).parent / "v05"
COMMUNITY = "pyannote/speaker-diarization-community-1"
_NATIVE = ("succeeded", None, None, "native", False)
_PYANNOTE = ("succeeded", None, None, "pyannote", False)
_GATED = ("failed", "gated-not-accepted", COMMUNITY, "pyannote", True)
_NO_MEMORY = ("failed", "gpu-out-of-memory", None, "pyannote", False)
#: Of each attempt, the newest first: outcome, cause, subject, engine, and whether PyAnnote stood in for the native one.
TRUTHS: dict[str, list[tuple[str, str | None, str | None, str, bool]]] = {
    "probe-v04fmt-success": [_NATIVE],
    "probe-v05-text-success": [_NATIVE],
    "v04-fail-then-success": [_NATIVE, _GATED],
    "v04-threads": [(*_NO_MEMORY[:4], True), _GATED, _PYANNOTE, _NATIVE],
    "v05-fail-then-success": [_NATIVE, _GATED],
    "v05-json-success": [_NATIVE],
    "v05-oom-only": [_NO_MEMORY],
    "v05-prefork-text": [(*_NO_MEMORY[:4], True), _GATED, _NATIVE],
    "v05-threads-json": [(*_NO_MEMORY[:4], True), _GATED, _NATIVE],
    "v05-threads-text": [(*_NO_MEMORY[:4], True), _GATED, _PYANNOTE, _NATIVE],
    "x-emptycache-mps": [("failed", "known-defect", None, "pyannote", False)],
    "x-invalid-ordinal": [("failed", "gpu-out-of-memory", None, "", False)],
    "x-invalid-ordinal2": [("failed", "gpu-out-of-memory", None, "", False)],
    "x-load-timeout": [("failed", "network-timeout", COMMUNITY, "pyannote", False)],
    "x-only-step-timing": [("succeeded", None, None, "", False)],
    "x-scratch-eacces": [("failed", "scratch-permission", "/scratch/opentranscribe", "", False)],
    "x-sidecar-retry": [("failed", "native-unavailable", None, "", False)],
    "x-split-diarize": [("failed", "gated-not-accepted", COMMUNITY, "pyannote", False)],
}
WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda log: log,
    "docker compose logs": wraps.compose_logs,
    "docker logs -t": wraps.docker_logs_t,
    "docker compose logs -t": lambda log: wraps.compose_logs(wraps.docker_logs_t(log)),
    "json-file": wraps.json_file,
    "journald": lambda log: _journald(log),
}


def _journald(log: bytes) -> bytes:
    return b"".join(b"Nov 28 15:05:45 host opentranscribe-celery-worker[812]: " + line for line in log.splitlines(keepends=True))


def _read(folder: Path, log: bytes) -> WorkerLog:
    path = folder / "worker.log"
    path.write_bytes(log)
    return gather(Request(logs=(str(path),), log_alone=True), Unavailable("a log alone"))


def _told(attempt: Attempt) -> tuple[str, str | None, str | None, str, bool]:
    return (attempt.outcome.value, attempt.cause, attempt.subject, attempt.engine, attempt.stood_in)


def test_every_log_has_its_truth() -> None:
    assert sorted(path.stem for path in LOGS.glob("*.log")) == sorted(TRUTHS)


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("name", TRUTHS)
def test_what_became_of_each_attempt(name: str, wrap: str, tmp_path: Path) -> None:
    log = _read(tmp_path, WRAPS[wrap]((LOGS / f"{name}.log").read_bytes()))
    assert [_told(attempt) for attempt in log.attempts] == TRUTHS[name]
    assert [hit.signature for hit in log.stray if hit.cause and not hit.generic] == []


@pytest.mark.parametrize("name", TRUTHS)
def test_the_diagnosis_of_each_log(name: str) -> None:
    outcome, cause, *_ = TRUTHS[name][0]
    case = Case(name, outcome, cause or "", (), "run", LOGS)
    assert judge(case).said == (cause or NOTHING)


def _tell(log: WorkerLog | None) -> object:
    """Of the newest attempt, and of what is outside attempts."""
    assert log is not None
    return [_told(attempt)[:3] for attempt in log.attempts[:1]], sorted({hit.cause for hit in log.stray if hit.cause})


@pytest.mark.slow
@pytest.mark.parametrize(("form", "names"), [(rewrite.text, NAMES[::2]), (rewrite.in_json, NAMES[1::2])], ids=["text", "json"])
def test_no_verdict_changes_with_the_format(form: rewrite.Format, names: Sequence[str], tmp_path: Path) -> None:
    """Logs of the older lines, as v0.5 would have written them: in text and in JSON by turns."""
    changed, rewritten_logs = {}, 0
    for name in names:
        case = case_of(name)
        log = case.log.read_bytes()
        rewritten = rewrite.rewritten(log, form)
        if rewritten == log:  # no worker wrote it
            continue
        rewritten_logs += 1
        as_it_is = original(name)
        written = tmp_path / f"{name}.log"
        written.write_bytes(rewritten)
        assert b": INFO/" not in rewritten, name
        report = examined(written)
        if _tell(report.log) != _tell(as_it_is.log) or said(report) not in case.answers:
            changed[name] = (_tell(as_it_is.log), _tell(report.log), said(report))
    assert changed == {} and rewritten_logs > 100
