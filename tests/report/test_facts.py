"""The facts: what is so, what is not known and why, and no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema

from ot_doctor.evidence import Answer, Deployment, Hub, ModelCache, NvmlAnswer, ProcessEnvironment, SeenGpu, Unavailable, Workers
from ot_doctor.report.facts import GATHERED, facts_of
from ot_doctor.report.formats.facts_rendered import as_json, as_markdown, as_text
from ot_doctor.report.model import Facts, Section
from tests.checks.evidence import ENGINE, TOKEN, cache, deployment, host, hub, probe, worker, workers
from tests.report.reports import STARTED


def facts(**evidence: object) -> Facts:
    known: dict[type, object] = {Deployment: deployment(), Workers: workers(), ModelCache: cache(), Hub: hub()}
    known |= {kind: Unavailable("It was left out.", switched_off=True) for kind in GATHERED if kind not in known}
    for kind in list(known):
        if kind.__name__ in evidence:
            known[kind] = evidence[kind.__name__]
    return facts_of(known, STARTED)


def section(title: str, found: Facts) -> dict[str, str]:
    return dict(next(s for s in found.sections if s.title == title).facts)


def test_what_is_so() -> None:
    found = facts(Host=host())
    assert section("Versions", found)["OpenTranscribe"].startswith("v0.4.1, release line v0.4")
    assert section("Containers", found)["opentranscribe-celery-worker"].startswith("running, healthy, davidamacey/")
    assert "can read, can write" in section("Model cache", found)["worker's user"]
    assert section("Model cache", found)["pyannote/speaker-diarization-community-1"].startswith("complete, 10.0 MB")
    assert section("Hub", found)["account"] == "ana, token 'OpenTranscribe', role read"
    assert "200.0 of 500.0 GB free" in section("Space and network", found)["the model cache"]


def test_what_the_worker_sees() -> None:
    gpu = NvmlAnswer(True, 0, driver="550.90", gpus=(SeenGpu("RTX 4090", 24 * 10**9, 3 * 10**9),))
    process = ProcessEnvironment(True, differs=("HF_HOME",))
    told = section("Seen from inside the worker", facts(WorkerProbe=probe(gpu=gpu, process=process)))
    assert told["worker"] == "opentranscribe-celery-worker, user appuser (1000), Python 3.13.5"
    assert told["way of the worker to the Hub"].startswith("https://huggingface.co, reached")
    assert told["settings of its process, beside the container's"] == "differ: HF_HOME"
    assert told["GPU"] == "RTX 4090 (3.0 of 24.0 GB used), driver 550.90" and told["libraries"] == "torch 2.8.0"


def test_what_is_not_known_says_why() -> None:
    found = facts(Workers=Unavailable("The engine cannot be reached."))
    assert {s.missing for s in found.sections if s.title in ("Engine", "Containers")} == {"The engine cannot be reached."}
    assert "The engine cannot be reached." in as_text(found, 80)
    partial = section("Model cache", facts(ModelCache=cache(complete=False, readable=None)))
    assert "whether it can read is not known" in partial["worker's user"]
    assert partial["pyannote/speaker-diarization-community-1"] == "not there"


def test_of_a_secret_only_its_form_is_told() -> None:
    env = {"HUGGINGFACE_TOKEN": TOKEN, "HF_TOKEN": "", "HF_HOME": "/x", "REDIS_PASSWORD": "swordfish-123"}
    found = facts(Workers=workers(worker(env=env)))
    settings = section("Settings of the worker", found)
    assert settings["HUGGINGFACE_TOKEN"] == f"set, {len(TOKEN)} characters, has the form of a token"
    assert settings["HF_HOME"] == "/x"
    for document in (as_text(found, 80), as_markdown(found), as_json(found)):
        assert TOKEN not in document and "swordfish" not in document


def test_the_json_is_as_its_schema_says() -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs" / "facts.schema.json").read_text(encoding="utf-8"))
    for found in (facts(Host=host()), facts(Workers=Unavailable("The engine cannot be reached."))):
        document = json.loads(as_json(found))
        jsonschema.Draft202012Validator(schema).validate(document)
    for broken in ({**document, "schema": "ot-doctor/facts/2"}, {**document, "more": 1}):
        assert not jsonschema.Draft202012Validator(schema).is_valid(broken)


def test_the_text_fits_its_width() -> None:
    found = facts(Workers=Workers(replace(ENGINE, memory=64 * 2**30), workers().containers), Host=host())
    assert "64.0 GiB" in as_text(found, 80)
    assert max(len(line) for line in as_text(found, 80).splitlines()) <= 80


def test_what_is_told_makes_no_markdown_of_its_own() -> None:
    found = Facts(facts().gathered_at, (Section("Engine", (("a|b", "<img src=x> [x](http://e) \n# y"),)),))
    page = as_markdown(found)
    assert "<img" not in page and "a\\|b" in page and "\n# y" not in page


def test_the_json_document() -> None:
    document = json.loads(as_json(facts()))
    assert document["schema"] == "ot-doctor/facts/1"
    assert [s["title"] for s in document["sections"]][:2] == ["Versions", "Engine"]
    native = next(s for s in document["sections"] if s["title"] == "Native engine")
    assert (native["facts"], native["missing"]) == ([], "It was left out.")


def test_answers_are_in_the_hubs_own_words() -> None:
    repo = "pyannote/speaker-diarization-community-1"
    said = section("Hub", facts(Hub=hub({repo: Answer.NOT_ACCEPTED})))[repo]
    assert said == Answer.NOT_ACCEPTED.words and "agreement" not in said
