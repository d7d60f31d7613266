"""What changed between two bundles or reports, and which exit code that is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ot_doctor.bundle import Refused
from ot_doctor.bundle.diff import Changes, changes
from ot_doctor.bundle.diff_render import render_json, render_text
from ot_doctor.bundle.inputs import read_side
from ot_doctor.check import Status
from ot_doctor.evidence import Unavailable
from ot_doctor.redaction.redactor import Redactor
from tests.bundle.recordings import CREATED, bundle_of, healthy
from tests.checks import evidence as e

LATER = CREATED + timedelta(hours=3)
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs" / "diff.schema.json").read_text(encoding="utf-8")),
    format_checker=jsonschema.FormatChecker(),
)


def check(name: str, status: str, *findings: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "status": status, "findings": list(findings) or [finding(status, f"{name} says {status}")]}


def finding(status: str, message: str, cause: str | None = None, subject: str | None = None) -> dict[str, Any]:
    return {"status": status, "message": message, "cause": cause, "subject": subject}


def failing(name: str, cause: str, subject: str | None = None) -> dict[str, Any]:
    return check(name, "fail", finding("fail", f"{cause} is there", cause, subject))


def report(*checks: dict[str, Any], at: str = "2026-11-21T06:30:12Z", **changes: Any) -> str:
    causes = [f for c in checks for f in c["findings"] if f["status"] == "fail"]
    document = {
        "schema": "ot-doctor/report/1", "tool": {"name": "ot-doctor", "version": "0.1.0"}, "started_at": at, "duration_ms": 5,
        "error": None, "hub": None, "exit_code": 0, "summary": {}, "notices": [], "attempts": [],
        "deployment": {"dir": "/srv/ot", "project": "ot", "version": "v0.4.1", "line": "v0.4", "workers": ["w"]},
        "diagnosis": [{"cause": f["cause"], "subject": f["subject"], "title": f"Title of {f['cause']}"} for f in causes],
        "checks": list(checks),
    }  # fmt: skip
    return json.dumps(document | changes)


def compared(tmp_path: Path, a: str | bytes, b: str | bytes) -> Changes:
    for name, data in (("a", a), ("b", b)):
        (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    found = changes(read_side(tmp_path / "a"), read_side(tmp_path / "b"))
    SCHEMA.validate(json.loads(render_json(found)))
    return found


def bundle(document: str | None = None, **evidence: object) -> bytes:
    return bundle_of(healthy(**evidence), report_json=document or report(check("env-readable", "pass"))).archive(".zip")


TOKEN_MISSING = failing("token-present", "token-missing", "HUGGINGFACE_TOKEN")


def test_nothing_changed(tmp_path: Path) -> None:
    found = compared(tmp_path, bundle(), bundle())
    assert found.nothing and found.exit_code == 0
    assert render_text(found).endswith("\n\nNothing changed.\n")


def test_what_is_mended_got_no_worse(tmp_path: Path) -> None:
    found = compared(tmp_path, report(TOKEN_MISSING), report(check("token-present", "pass"), at="2026-11-21T09:30:12Z"))
    assert found.exit_code == 0
    assert [(c.cause, c.subject, c.title) for c in found.causes_gone] == [
        ("token-missing", "HUGGINGFACE_TOKEN", "Title of token-missing")
    ]
    assert [(c.name, c.before, c.after) for c in found.checks] == [("token-present", Status.FAIL, Status.PASS)]
    text = render_text(found)
    assert "Causes that are gone\n  Title of token-missing (token-missing, HUGGINGFACE_TOKEN)\n" in text
    assert "  token-present: fail → pass\n    A: token-missing is there\n    B: token-present says pass\n" in text
    assert text.endswith("\nNothing got worse.\n")


def test_what_fails_anew_is_exit_code_1(tmp_path: Path) -> None:
    found = compared(tmp_path, report(check("token-present", "pass")), report(TOKEN_MISSING))
    assert found.exit_code == 1 and found.fails_now == ("token-missing (HUGGINGFACE_TOKEN)",)
    assert render_text(found).endswith("Something fails in B that did not in A: token-missing (HUGGINGFACE_TOKEN).\n")


def test_another_subject_of_a_cause_fails_anew(tmp_path: Path) -> None:
    a = report(failing("model-access", "gated-not-accepted", "pyannote/x"))
    b = report(failing("model-access", "gated-not-accepted", "pyannote/y"))
    found = compared(tmp_path, a, b)
    assert found.exit_code == 1 and found.checks == ()
    assert [c.subject for c in found.causes_gone + found.causes_new] == ["pyannote/x", "pyannote/y"]


def test_a_cause_that_comes_to_the_front_is_no_new_failure(tmp_path: Path) -> None:
    both = (TOKEN_MISSING, failing("model-access", "gated-not-accepted", "pyannote/x"))
    a = json.loads(report(*both))
    a["diagnosis"] = a["diagnosis"][:1]  # the other one followed from it
    found = compared(tmp_path, json.dumps(a), report(check("token-present", "pass"), both[1]))
    assert [c.cause for c in found.causes_new] == ["gated-not-accepted"]
    assert found.exit_code == 0 and found.fails_now == ()


def test_a_failure_of_a_check_that_was_not_there_is_one(tmp_path: Path) -> None:
    found = compared(tmp_path, report(check("env-readable", "pass")), report(check("env-readable", "pass"), TOKEN_MISSING))
    assert found.exit_code == 1
    assert found.checks[0].before is None
    assert "token-present: not run → fail" in render_text(found)


@pytest.mark.parametrize("before", ["pass", "warn", "fail"])
def test_what_can_no_longer_be_checked_is_exit_code_3(tmp_path: Path, before: str) -> None:
    was = TOKEN_MISSING if before == "fail" else check("token-present", before)
    found = compared(tmp_path, report(was), report(check("token-present", "unknown")))
    assert found.exit_code == 3 and found.not_checked_now == ("token-present",)
    assert render_text(found).endswith("Nothing fails that did not before, but B could not check: token-present.\n")


@pytest.mark.parametrize("before", ["unknown", "skip"])
def test_what_was_not_checked_before_is_no_loss(tmp_path: Path, before: str) -> None:
    assert compared(tmp_path, report(check("x", before)), report(check("x", "unknown"))).exit_code == 0


def test_a_new_failure_outweighs_what_could_not_be_checked(tmp_path: Path) -> None:
    found = compared(
        tmp_path, report(check("x", "pass"), check("token-present", "pass")), report(check("x", "unknown"), TOKEN_MISSING)
    )
    assert found.exit_code == 1


def test_an_older_b_is_said(tmp_path: Path) -> None:
    found = compared(tmp_path, report(at="2026-11-21T09:00:00Z"), report(at="2026-11-21T06:00:00Z"))
    assert "!  B is older than A" in render_text(found)
    assert not [note for note in compared(tmp_path, report(), report()).notes if "older" in note]


def test_the_report_on_a_bundle_counts_by_the_time_of_the_recording(tmp_path: Path) -> None:
    a = report(at="2026-11-21T06:00:00Z")
    b = report(at="2026-11-22T06:00:00Z", recorded_at="2026-11-20T06:00:00Z")
    found = compared(tmp_path, a, b)
    assert "B is older" in found.notes[0] and found.b.at.day == 20


def test_other_versions_and_levels_are_said(tmp_path: Path) -> None:
    found = compared(tmp_path, report(), report(tool={"name": "ot-doctor", "version": "9.0"}))
    assert any("different versions of ot-doctor (0.1.0 and 9.0)" in note for note in found.notes)
    strict = bundle_of(healthy(), report_json=report(), level="strict").archive(".zip")
    assert any("--redact strict" in note for note in compared(tmp_path, bundle(report()), strict).notes)


ENV = {"HUGGINGFACE_TOKEN": e.TOKEN, "MAX_SPEAKERS": "20", "GONE": "x", "DB_PASSWORD": "Tr0ub4dor&3"}


def test_settings_that_changed(tmp_path: Path) -> None:
    now = {"HUGGINGFACE_TOKEN": "", "MAX_SPEAKERS": "3", "NEW": "y\x1b[31m\n z", "DB_PASSWORD": "Tr0ub4dor&3 longer"}
    found = compared(
        tmp_path,
        bundle(Workers=e.workers(e.worker(env=ENV)), EnvFile=e.env_file("A=1\nA=2\nBARE\n")),
        bundle(Workers=e.workers(e.worker(env=now)), EnvFile=e.env_file("A=1\nA=3\nBARE=\n")),
    )
    where = f"the environment of {e.WORKER}"
    assert {(c.where, c.name, c.before, c.after) for c in found.settings} == {
        (where, "HUGGINGFACE_TOKEN", "hf_…(37)", "(empty)"), (where, "MAX_SPEAKERS", "20", "3"), (where, "NEW", None, "y z"),
        (where, "GONE", "x", None), (where, "DB_PASSWORD", "…(11)", "…(18)"),
        (".env", "A", "2", "3"), (".env", "BARE", "(a bare name)", "(empty)"),
    }  # fmt: skip
    assert found.exit_code == 0 and not found.nothing
    text = render_text(found)
    assert f"{where}: HUGGINGFACE_TOKEN: hf_…(37) → (empty)" in " ".join(text.split())
    assert f"{where}: GONE: x → (not there)" in " ".join(text.split())
    assert e.TOKEN not in text and "Tr0ub4dor" not in text and "\x1b" not in text


def test_compose_entries_count_as_settings(tmp_path: Path) -> None:
    before, after = e.compose(("A", "1")), e.compose(("A", "1"), ("A", "2"))
    found = compared(tmp_path, bundle(ComposeConfig=before), bundle(ComposeConfig=after))
    assert [(c.where, c.name, c.before, c.after) for c in found.settings] == [("environment: of celery-worker", "A", "1", "2")]


def test_versions_and_places(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        bundle(report()),
        bundle(
            report(deployment={"dir": "/srv/ot2", "version": "v0.4.2", "line": "v0.4", "project": "ot", "workers": ["w"]}),
            Workers=e.workers(e.worker(image="backend:v0.4.2", status="exited", memory_limit=7)),
            Hub=e.hub(whoami=e.identity(token_name="new one")),
        ),
    )
    assert {(c.name, c.before, c.after) for c in found.versions} == {
        ("OpenTranscribe", "v0.4.1", "v0.4.2"), ("folder", "/srv/ot", "/srv/ot2"),
        (f"{e.WORKER} image", "davidamacey/opentranscribe-backend:v0.4.1", "backend:v0.4.2"),
        (f"{e.WORKER} status", "running", "exited"), (f"{e.WORKER} memory limit", None, "7 bytes"),
        ("name of the token", "OpenTranscribe", "new one"),
    }  # fmt: skip


def test_what_one_of_them_does_not_know_is_no_change_of_settings(tmp_path: Path) -> None:
    found = compared(tmp_path, bundle(), bundle(Workers=Unavailable("no Docker"), EnvFile=Unavailable("no folder")))
    assert found.settings == ()


def test_a_report_and_a_bundle(tmp_path: Path) -> None:
    found = compared(tmp_path, bundle(), report(check("env-readable", "pass")))
    assert found.settings == () and (found.a.kind, found.b.kind) == ("bundle", "report")
    assert any("A report holds no settings" in note for note in found.notes)


ATTEMPT = {"worker": "w", "task": "8f2c", "started_at": "2026-11-21T01:00:00Z", "outcome": "unfinished", "cause": None}


def test_attempts_that_came_since(tmp_path: Path) -> None:
    newer = ATTEMPT | {"task": "99", "outcome": "failed", "cause": "disk-full", "started_at": None}
    ended = ATTEMPT | {"outcome": "succeeded"}
    found = compared(tmp_path, report(attempts=[ATTEMPT]), report(attempts=[newer, ended]))
    assert [(a.task, a.outcome, a.cause) for a in found.attempts] == [("99", "failed", "disk-full"), ("8f2c", "succeeded", None)]
    assert compared(tmp_path, report(attempts=[ATTEMPT]), report(attempts=[ATTEMPT])).nothing
    text = render_text(found)
    assert "  at an unknown time w, task 99: failed, disk-full\n  2026-11-21 01:00:00 UTC w, task 8f2c: succeeded\n" in text


def test_the_json_document_has_all_keys(tmp_path: Path) -> None:
    found = compared(tmp_path, bundle(report(TOKEN_MISSING)), bundle(report(check("token-present", "pass"))))
    document = json.loads(render_json(found))
    assert document["schema"] == "ot-doctor/diff/1" and document["exit_code"] == 0
    assert list(document) == [
        "schema", "exit_code", "a", "b", "notes", "causes_gone", "causes_new", "causes_left", "checks", "settings",
        "secrets_not_compared", "versions", "attempts", "fails_now", "not_checked_now",
    ]  # fmt: skip
    assert document["checks"] == [
        {"name": "token-present", "before": "fail", "after": "pass", "message_before": "token-missing is there",
         "message_after": "token-present says pass"}
    ]  # fmt: skip


def test_what_a_stranger_wrote_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2J\x9b2J\u202eA\nB  fake line\r" + e.TOKEN
    entry = {"worker": evil, "task": evil, "outcome": evil, "cause": evil, "started_at": None}
    b = report(
        check(evil, "fail", finding("fail", evil, evil, evil)), attempts=[entry], hub=evil, tool={"name": "x", "version": evil},
        deployment={"dir": evil, "project": evil, "version": evil, "line": evil, "workers": [evil]},
    )  # fmt: skip
    found = Redactor().value(compared(tmp_path, report(), b))
    for text in (render_text(found), render_json(found)):
        assert not {char for char in text if ord(char) < 32 and char != "\n"} | ({"\x9b", "\u202e"} & set(text))
        assert "\nB  fake" not in text and e.TOKEN not in text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"schema": "ot-doctor/report/2"}', r"it is a report of a newer ot-doctor\. Update ot-doctor\."),
        ('{"schema": "ot-doctor/report/0"}', r"it is a report of an older ot-doctor\."),
        ('{"schema": 3}', "it is not a JSON report of ot-doctor"),
        ("{}", "it is not a JSON report of ot-doctor"),
        ("{", "its report is wrong: it is not JSON"),
        (report(started_at="now"), "its report is wrong: started_at is not a time"),
        (report(checks=[{"name": "x", "status": "great"}]), r"its report is wrong: checks\[0\]\.status is none of the values"),
        (report(error="There is no installation."), r"of a run that could not begin: There is no installation\.$"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, data: str, reason: str) -> None:
    with pytest.raises(Refused, match=rf"^{tmp_path}/b cannot be compared: .*{reason}"):
        compared(tmp_path, report(), data)


def test_a_bundle_without_a_report_cannot_be_compared(tmp_path: Path) -> None:
    from ot_doctor.bundle.archive import pack, unpack

    members = {name: data for name, data in unpack(bundle()).items() if not name.endswith("report.json")}
    with pytest.raises(Refused, match=r"b cannot be compared: it holds no report\.json\."):
        compared(tmp_path, bundle(), pack(members, ".zip", CREATED))


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"/b cannot be read: it is neither a zip nor a tar\.gz file\."):
        compared(tmp_path, report(), "Hello")


def test_a_report_of_any_length_is_none(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"b cannot be compared: it is larger than any report\."):
        compared(tmp_path, report(), report() + " " * 2**23)


def test_secrets_that_look_alike_are_named_and_not_called_equal(tmp_path: Path) -> None:
    found = compared(tmp_path, bundle(), bundle())
    assert found.secrets_not_compared == ()  # one process made both: their fingerprints can be compared
    other = e.workers(e.worker(env={"HUGGINGFACE_TOKEN": e.OTHER_TOKEN}))
    found = compared(tmp_path, bundle(), bundle(Workers=other, EnvFile=replace(e.env_file(), entries=())))
    assert found.settings[0].name == "HUGGINGFACE_TOKEN" and found.settings[0].where == ".env"
    assert found.secrets_not_compared == ("HUGGINGFACE_TOKEN",)
    text = render_text(found)
    assert "Whether the value changed cannot be told, only that it looks alike: HUGGINGFACE_TOKEN." in " ".join(text.split())
