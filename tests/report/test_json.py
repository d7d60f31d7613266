from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ot_doctor import __version__
from ot_doctor.check import Cause, Confidence, Family, Risk, Seen, Status, warned
from ot_doctor.evidence import Outcome, ReleaseLine
from ot_doctor.report.formats import json as json_report
from ot_doctor.report.model import UsageError, exit_code
from tests.report.golden_files import agrees
from tests.report.reports import REPORTS, STARTED, report

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def document(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    VALIDATOR.validate(read)
    return read


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_knows_the_vocabularies() -> None:
    words = SCHEMA["$defs"]
    assert words["cause"]["enum"] == [cause.value for cause in Cause]
    assert words["status"]["enum"] == [status.value for status in Status]
    assert words["family"]["enum"] == [family.value for family in Family]
    assert words["risk"]["enum"] == [risk.value for risk in Risk]
    assert words["confidence"]["enum"] == [confidence.value for confidence in Confidence]
    assert words["outcome"]["enum"] == [outcome.value for outcome in Outcome if outcome is not Outcome.DISABLED]
    assert words["line"]["enum"] == [line.value for line in ReleaseLine]


def objects(schema: Any) -> list[dict[str, Any]]:
    here = [schema] if isinstance(schema, dict) and schema.get("type") == "object" else []
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return here + [found for part in inner for found in objects(part)]


def test_the_schema_lets_no_key_be_absent_or_unknown() -> None:
    assert len(objects(SCHEMA)) >= 9
    for schema in objects(SCHEMA):
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])


@pytest.mark.parametrize("name", REPORTS)
def test_the_golden_files(name: str) -> None:
    made = REPORTS[name]()
    text = json_report.render(made)
    assert document(text)["exit_code"] == exit_code(made)
    agrees(f"{name}.{exit_code(made)}.json", text.replace(f'"version": "{__version__}"', '"version": "0.0.0"', 1))


def test_an_error_is_the_same_document() -> None:
    text = json_report.render_error(UsageError("No installation was found.", STARTED))
    read = document(text)
    assert (read["exit_code"], read["error"]) == (2, "No installation was found.")
    assert read.keys() == document(json_report.render(report())).keys()
    agrees("wrong-usage.2.json", text.replace(f'"version": "{__version__}"', '"version": "0.0.0"', 1))


def test_times_are_utc_whatever_the_zone() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    made = report(started_at=datetime(2026, 11, 21, 6, 30, tzinfo=zone))
    assert document(json_report.render(made))["started_at"] == "2026-11-21T01:00:00Z"


def test_a_switched_off_job_is_no_attempt() -> None:
    outcomes = [attempt["outcome"] for attempt in document(json_report.render(REPORTS["three-causes"]()))["attempts"]]
    assert outcomes == ["failed", "unfinished"]


def test_texts_that_are_no_utf8_are_still_one_valid_document() -> None:
    odd = "\udce9 \ud800 \x1b \u2028 \" \\ 話"
    made = report({"env-lines": (warned(odd, subject=odd, evidence=[Seen(odd, odd, odd)]),)}, notices=(odd,))
    text = json_report.render(made)
    text.encode("utf-8")
    assert document(text)["notices"] == [odd]


def test_the_document_ends_with_a_line_end_and_is_readable() -> None:
    text = json_report.render(report())
    assert text.endswith("}\n") and "hf_…(37)" in text and "\n  " in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("exit_code", 4), ("exit_code", None), ("schema", "ot-doctor/report/2"), ("extra", 1), ("summary", {}),
        ("started_at", "now"), ("error", "but the exit code is not 2"), ("checks", [{}]),
    ],
)  # fmt: skip
def test_the_schema_refuses_what_is_not_the_contract(key: str, value: object) -> None:
    wrong = {**json.loads(json_report.render(report())), key: value}
    assert not VALIDATOR.is_valid(wrong)


def test_the_order_of_the_keys_is_that_of_the_contract() -> None:
    assert list(document(json_report.render(replace(report(), notices=())))) == list(SCHEMA["properties"])
