"""What a trial's outcome is called, what else is said of it, and that nothing is promised of an engine that was not tried."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from ot_doctor.cli import try_command
from ot_doctor.evidence import Deployment, NativeEngine, ReleaseLine, Request, Unavailable, Workers
from ot_doctor.evidence.deployment import COMMUNITY_1
from ot_doctor.run import trial
from ot_doctor.run.plan import Plan
from ot_doctor.run.trial import TrialOutcome, Tried, attempt, notes, sentence
from ot_doctor.sources.store import Store
from ot_doctor.sources.trial.beside_worker import Trial
from tests.checks.evidence import deployment, worker, workers

WENT_WELL = Trial("celery-worker", "backend:v0.5.1", COMMUNITY_1, "cpu", 2**31, speakers=2, agreement=1.0)
NATIVE = NativeEngine(configured=True, configured_by="the default of v0.5", required=False)
OLDER = Unavailable("The native engine exists from v0.5 on.", switched_off=True)


SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "try.schema.json").read_text(encoding="utf-8"))


def tried(monkeypatch: pytest.MonkeyPatch, native: NativeEngine | Unavailable, ended: Trial = WENT_WELL) -> Tried:
    evidence = {Deployment: deployment(ReleaseLine.V0_5), Workers: workers(worker()), NativeEngine: native}
    monkeypatch.setattr(trial, "gathered", lambda plan, kinds: Store(plan.request, evidence))
    monkeypatch.setattr(trial, "gather", lambda *_: ended)
    return attempt(Plan(Request()), False, lambda stage: None)


def test_without_a_native_engine_diarization_works(monkeypatch: pytest.MonkeyPatch) -> None:
    for native in (OLDER, replace(NATIVE, configured=False)):
        done = tried(monkeypatch, native)
        assert (done.outcome, done.exit_code, notes(done)) == (TrialOutcome.WORKS, 0, [])
        assert sentence(done).startswith("Diarization works: 2 speakers")


def test_the_native_engine_comes_first_and_was_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    done = tried(monkeypatch, NATIVE)
    assert sentence(done).startswith("PyAnnote works: 2 speakers")
    (note,) = notes(done)
    assert note.startswith("Not tried: the native engine (diar-native), which comes first here and is not ready")
    (note,) = notes(tried(monkeypatch, Unavailable("There was no time for it.")))
    assert "comes first here is not known: There was no time for it." in note


def test_where_pyannote_must_not_stand_in_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable) as refused:
        tried(monkeypatch, replace(NATIVE, required=True))
    assert "ENGINE_DIARIZER_REQUIRE_SIDECAR" in refused.value.reason and "'ot-doctor run'" in refused.value.hint


@pytest.mark.parametrize(
    ("ended", "outcome", "code", "said"),
    [
        (replace(WENT_WELL, agreement=0.4), TrialOutcome.MIXED_UP, 0, "2 speakers in 12 s of two generated voices, but not when"),
        (replace(WENT_WELL, speakers=1, agreement=0.0), TrialOutcome.OTHER_NUMBER, 0, "found 1 speaker in 12 s"),
        (replace(WENT_WELL, speakers=0, agreement=0.0), TrialOutcome.NO_VOICE, 1, "found no voice"),
        (
            replace(WENT_WELL, speakers=None, stage="load", exit_code=137), TrialOutcome.OUT_OF_MEMORY, 1,
            "killed while the models were loaded, by far the most often for want of memory (2.0 GiB are allowed here)",
        ),
    ],
)  # fmt: skip
def test_what_came_out_is_said_as_it_is(
    monkeypatch: pytest.MonkeyPatch, ended: Trial, outcome: TrialOutcome, code: int, said: str
) -> None:
    done = tried(monkeypatch, OLDER, ended)
    assert (done.outcome, done.exit_code) == (outcome, code)
    assert said in sentence(done)
    document = json.loads(try_command._as_json(done, None))
    jsonschema.validate(document, SCHEMA)
    assert (document["message"], document["notes"]) == (f"{sentence(done)}.", notes(done))


def test_a_crash_without_an_exception_and_an_exception_are_judged_as_a_log_is(monkeypatch: pytest.MonkeyPatch) -> None:
    crashed = replace(WENT_WELL, speakers=None, stage="import", exit_code=139, printed="Fatal Python error: Segmentation fault\n")
    done = tried(monkeypatch, OLDER, crashed)
    assert done.judged and [root.cause.value for root in done.judged.diagnosis] == ["worker-crashed"]
    assert notes(done) == []
    text = "Traceback (most recent call last):\n  File \"<string>\", line 1, in main\nMemoryError\n"
    printed = "It might be because the repository is private or gated:"
    done = tried(monkeypatch, OLDER, replace(crashed, printed=printed, traceback=text))
    assert done.judged and [root.cause.value for root in done.judged.diagnosis] == ["out-of-memory"]
    (note,) = notes(replace(done, trial=replace(crashed, has_token=False)))
    assert note.startswith("celery-worker has no token: HUGGINGFACE_TOKEN is missing or empty")
