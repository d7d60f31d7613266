"""What ``ot-doctor probe`` shows: a document that its schema accepts, and a table that a person reads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ot_doctor.check import Result
from ot_doctor.diagnosis.ranking import diagnose
from ot_doctor.evidence import Answer, NvmlAnswer, ProcessEnvironment, SeenGpu, Stage, Unavailable, WorkerProbe, WriteTest
from ot_doctor.report.inside_view import InsideView, render_json, render_text
from ot_doctor.report.model import Report, exit_code
from ot_doctor_checks.gpu_answers import gpu_answers
from ot_doctor_checks.worker_network import worker_network
from tests.checks.evidence import WORKER, cache, deployment, ladder, probe, workers

SCHEMA = Path(__file__).parents[2] / "docs/probe.schema.json"
RICH = probe(
    ladder(Answer.TLS, Stage.TLS, "unable to get local issuer certificate", issuer="Corp CA", proxy="http://10.0.0.5:3128"),
    ladder(storage_host="cdn.hf.co", storage=Answer.OK),
    process=ProcessEnvironment(True, differs=("HUGGINGFACE_TOKEN",), removed=("HF_HOME",)),
    gpu=NvmlAnswer(True, 999, "Unknown Error"),
    writes=(WriteTest("/models", False, "Disk quota exceeded"),),
    memory_limit=8_000_000_000,
    took={"network": 40},
)
SEEN: dict[str, WorkerProbe | Unavailable] = {
    "healthy": probe(gpu=NvmlAnswer(True, 0, driver="550.90", gpus=(SeenGpu("RTX 4090", 24 * 10**9, 10**9),))),
    "rich": RICH,
    "offline": replace(probe(), inside=None, here=None),
    "nothing": Unavailable("There is no Python in the worker.", switched_off=True),
}


def view(seen: WorkerProbe | Unavailable) -> InsideView:
    network = worker_network(seen, cache(complete=False), workers(), deployment())
    results = (
        Result(worker_network, tuple(network), 0.1),
        Result(gpu_answers, tuple(gpu_answers(seen, workers(), deployment())), 0.1),
    )
    return InsideView(Report(datetime(2026, 11, 28, tzinfo=timezone.utc), 0.4, results, diagnose(results)), seen)


@pytest.mark.parametrize("name", SEEN)
def test_the_schema_accepts_what_is_printed(name: str) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    one = view(SEEN[name])
    document = json.loads(render_json(one))
    Draft202012Validator(schema).validate(document)
    assert document["exit_code"] == exit_code(one.report)
    assert document["schema"] == schema["$id"]


def test_the_ladder_has_a_row_for_each_rung_and_a_column_for_each_side() -> None:
    text = render_text(view(RICH))
    lines = text.splitlines()
    assert lines[0] == f"{WORKER} (appuser 1000, Python 3.13.5)"
    assert lines[1].split() == ["worker", "this", "machine"]
    assert [line.split()[0] for line in lines[2:4]] == ["names", "connect"]
    tls = next(line for line in lines if line.startswith("TLS"))
    assert "✗ unable to get local issuer" in tls and "✓ tls held, 3 ms" in tls
    assert next(line for line in lines if line.startswith("Hub")).split()[1:4] == ["-", "not", "reached"]
    assert "! differs in HUGGINGFACE_TOKEN; ! has not HF_HOME" in text and "1,000 of 8,000 MB used" in text
    assert "✗ Unknown Error" in text and "(network-tls)" in text and "(gpu-unavailable)" in text
    assert all(len(line) <= 100 for line in lines if "docker" not in line and "http" not in line)


def test_where_all_is_well_one_sentence_says_so() -> None:
    assert render_text(view(SEEN["healthy"])).splitlines()[-1] == "Nothing is wrong with what the worker sees."
    assert render_text(view(SEEN["nothing"])) == "There is no Python in the worker.\n"
