"""What is put into a bundle, and what is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from ot_doctor.bundle import Refused
from ot_doctor.bundle.archive import LARGEST_MEMBER
from ot_doctor.bundle.manifest import MANIFEST, README, evidence_name
from ot_doctor.bundle.writing import TOP, Bundle, listing
from ot_doctor.evidence import Host, Hub, Outcome, Unavailable, WorkerLog, Workers
from ot_doctor.redaction.redactor import Hidden
from tests.bundle.recordings import bundle_of, healthy
from tests.checks import evidence as e


def logs_of(bundle: Bundle) -> Mapping[str, str]:
    return {name: data.decode() for name, data in bundle.members.items() if name.startswith("logs/")}


def test_the_order_and_the_listing() -> None:
    bundle = bundle_of(healthy())
    names = list(bundle.members)
    assert names[:4] == [README, MANIFEST, "report.md", "report.json"]
    assert names[4:] == [*map(evidence_name, healthy()), f"logs/{e.WORKER}.log"]
    written = json.loads(bundle.members[MANIFEST])
    assert written["format"] == "ot-doctor/bundle/1"
    assert [member["name"] for member in written["members"]] == [name for name in names if name != MANIFEST]
    for member in written["members"]:
        data = bundle.members[member["name"]]
        assert (member["size"], member["sha256"]) == (len(data), sha256(data).hexdigest())


def test_the_listing_that_the_user_sees_names_every_file() -> None:
    bundle = bundle_of(healthy(Hub=Unavailable("no net")))
    shown = listing(bundle)
    assert shown.startswith(f"{len(bundle.members)} files, ")
    assert all(f"  {name} " in shown for name in bundle.members)
    assert "the Hugging Face Hub: why it is not known" in shown


def test_the_readme_says_how_to_read_it_and_what_is_in_it() -> None:
    bundle = bundle_of(healthy())
    text = bundle.members[README].decode()
    assert "ot-doctor diagnose FILE" in text and "2026-11-21 06:30:12 UTC" in text
    assert all(name in text for name in bundle.members if name != README)
    assert max(map(len, text.splitlines())) <= 130


def test_no_secret_is_in_any_member() -> None:
    bundle = bundle_of(healthy(Workers=e.workers(e.worker(env={"HUGGINGFACE_TOKEN": e.TOKEN, "DB_PASSWORD": "Tr0ub4dor&3"}))))
    assert not [name for name, data in bundle.members.items() if e.TOKEN.encode() in data or b"Tr0ub4dor" in data]


def test_the_summary_counts_what_was_hidden_by_name() -> None:
    env = {"HUGGINGFACE_TOKEN": e.TOKEN, "DB_PASSWORD": "Tr0ub4dor&3"}
    evidence = healthy(Workers=e.workers(e.worker(env=env), e.celery(env=env)), WorkerToken=Unavailable("left out"))
    bundle = bundle_of(evidence, hidden=(Hidden("home folder", 9), Hidden("DB_PASSWORD", 3)))
    assert bundle.manifest.hidden == (Hidden("home folder", 9), Hidden("DB_PASSWORD", 5), Hidden("HUGGINGFACE_TOKEN", 3))
    assert listing(bundle).endswith("\nHidden: home folder ×9, DB_PASSWORD ×5, HUGGINGFACE_TOKEN ×3.")
    assert "  DB_PASSWORD: 5 times\n" in bundle.members[README].decode()


def test_a_document_that_would_hold_a_secret_is_not_written() -> None:
    evidence = healthy(Workers=e.workers(e.worker(env={"DB_PASSWORD": "Tr0ub4dor&3"})))
    for name in ("report_text", "report_json"):
        with pytest.raises(Refused, match=r"^Nothing was written: report\.(md|json) would have held .*, which is a fault"):
            bundle_of(evidence, **{name: '{"x": "Tr0ub4dor&3"}'})


def test_a_member_that_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(Refused, match=r"^Nothing was written: report\.md is too large for a bundle \(8388609 bytes\)"):
        bundle_of(healthy(), report_text="x" * (LARGEST_MEMBER + 1))


def test_evidence_that_cannot_be_recorded_says_so() -> None:
    odd = replace(e.host(), doctor_network={"A": "x" * 600_000})
    content = json.loads(bundle_of(healthy(Host=odd)).members[evidence_name(Host)])
    assert content["unavailable"]["reason"].startswith("this machine could not be recorded: value.doctor_network['A'] has more")


def test_the_telling_records_of_the_log_are_there_to_read() -> None:
    failed = e.attempt(
        Outcome.FAILED, cause="disk-full", lines=(3, 9), hits=(e.hit("x", None, "hit"),),
        decisive=(e.record("No space left", line=7), e.record("first", line=3, level="", at=None)),
    )  # fmt: skip
    bundle = bundle_of(healthy(WorkerLog=e.worker_log(e.attempt(task="later"), failed, stray=(e.hit("y", None, "stray"),))))
    logs = logs_of(bundle)
    assert logs[f"logs/{e.WORKER}.log"] == (
        "# attempt of task 8f2c: failed, disk-full\n"
        "- - first\n"
        "2026-11-20T13:00:00+00:00 ERROR No space left\n"
        "2026-11-20T13:00:00+00:00 ERROR hit\n"
        "# attempt of task later: succeeded\n"
    )
    assert logs["logs/outside-attempts.log"].endswith("ERROR stray\n")


def test_a_worker_of_any_name_makes_a_file_name() -> None:
    names = ["../../etc/cron", "a b", "x" * 300, "", ".hidden", "größe"]
    bundle = bundle_of(healthy(WorkerLog=e.worker_log(*[e.attempt(worker=name) for name in names])))
    from ot_doctor.bundle.archive import unpack

    for ending in (".zip", ".tar.gz"):
        assert unpack(bundle.archive(ending)) == {f"{TOP}/{name}": data for name, data in bundle.members.items()}


def test_no_log_makes_no_file_of_it() -> None:
    assert logs_of(bundle_of(healthy(WorkerLog=Unavailable("Docker was left out", switched_off=True)))) == {}
    assert logs_of(bundle_of(healthy(WorkerLog=e.worker_log()))) == {}


def test_the_same_run_makes_the_same_bytes() -> None:
    assert bundle_of(healthy()).archive(".zip") == bundle_of(healthy()).archive(".zip")


def test_only_evidence_that_was_asked_for_is_in_it() -> None:
    only: dict[type, object] = {kind: value for kind, value in healthy().items() if kind in (Host, Workers)}
    names = [name for name in bundle_of(only).members if name.startswith("evidence/")]
    assert names == [evidence_name(Workers), evidence_name(Host)]
    assert {Hub, WorkerLog}.isdisjoint(only)
