"""Every case of the corpus: the newest attempt's outcome, cause and subject are as they truly were."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from ot_doctor.evidence.worker_log import Outcome, WorkerLog
from tests.corpus.accuracy import original
from tests.corpus.runs import RUNS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.toml"))


def truth_of(name: str) -> dict[str, Any]:
    truth: dict[str, Any] = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))
    return truth


def read(name: str) -> WorkerLog:
    log = original(name).log
    assert log is not None and log.sources[0].problem == ""
    return log


def complaint(name: str) -> str:
    """What is said wrongly of a case; empty: all is right."""
    truth, log = truth_of(name), read(name)
    if truth["outcome"] == "none":
        told = {attempt.cause for attempt in log.attempts} | {hit.cause for hit in log.stray if hit.cause}
        right = {truth["cause"], *truth["also"]} - {""}
        return "" if told & right or told == right else f"told {told}"  # which of several stands first is test_accuracy.py's
    attempt = log.attempts[0] if log.attempts else None
    if attempt is None:
        return "no attempt was found"
    if attempt.outcome.value != truth["outcome"]:
        return f"it {attempt.outcome.value}"
    if attempt.outcome is not Outcome.FAILED:
        # What a recovered attempt met on its way is no cause of a failure.
        return "" if attempt.outcome is Outcome.RECOVERED or not attempt.cause else f"has the cause {attempt.cause}"
    if attempt.cause not in (truth["cause"], *truth["also"]):
        return f"has the cause {attempt.cause}"
    if truth["subject"] and attempt.cause == truth["cause"] and attempt.subject != truth["subject"]:
        return f"is about {attempt.subject}"
    return ""


def test_every_case_is_told_as_it_truly_was() -> None:
    said = {name: complaint(name) for name in NAMES}
    assert {name: wrong for name, wrong in said.items() if wrong} == {}


def test_the_corpus_is_wide_enough() -> None:
    truths = [truth_of(name) for name in NAMES]
    assert len(truths) >= 80
    assert len({truth["cause"] for truth in truths if truth["cause"]}) >= 20
    assert {"succeeded", "failed", "recovered", "unfinished", "disabled", "none"} <= {truth["outcome"] for truth in truths}
    composed = [truth for truth in truths if truth["made"] == "composed"]
    assert all(truth["reason"] for truth in composed)
    assert len(composed) * 4 < len(truths), "most of it must be real"


def test_what_is_said_of_the_logs_is_what_the_runs_hold() -> None:
    """Else `python -m tests.corpus.make --truth` writes it anew."""
    assert sorted(run.name for run in RUNS) == NAMES
    for run in RUNS:
        truth, said = run.truth, truth_of(run.name)
        assert (said["outcome"], said["cause"], said["subject"], tuple(said["also"])) == (
            truth.outcome,
            truth.cause,
            truth.subject,
            truth.also,
        ), run.name
        assert said["made"] == ("composed" if run.reason else "run")


def test_no_secret_but_the_labs_own() -> None:
    text = "".join((CASES / f"{name}.log").read_text(encoding="utf-8", errors="replace") for name in NAMES)
    tokens = set(re.findall(r"hf_[A-Za-z0-9]{20,}", text))
    assert all(re.fullmatch(r"hf_(?:Lab|Old){2,}[LabOd]{0,2}", token) for token in tokens), tokens
