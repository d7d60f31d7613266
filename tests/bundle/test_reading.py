"""A bundle is read whole, or refused in one sentence that names the file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ot_doctor import __version__
from ot_doctor.bundle import Refused
from ot_doctor.bundle.archive import ENDINGS, LARGEST_FILE, pack
from ot_doctor.bundle.manifest import EVIDENCE, MANIFEST, evidence_name
from ot_doctor.bundle.reading import Recording, read_bundle
from ot_doctor.bundle.writing import TOP
from ot_doctor.evidence import (
    Deployment,
    EnvFile,
    Frontend,
    Host,
    Hub,
    ModelCache,
    NativeEngine,
    NextRelease,
    Request,
    Unavailable,
    WorkerImports,
    WorkerProbe,
    Workers,
    WorkerToken,
)
from tests.bundle.recordings import CREATED, REPORT_JSON, bundle_of, healthy


def written(tmp_path: Path, members: dict[str, bytes], top: str = f"{TOP}/", ending: str = ".zip") -> Path:
    path = tmp_path / f"bundle{ending}"
    path.write_bytes(pack({f"{top}{name}": data for name, data in members.items()}, ending, CREATED))
    return path


def read(tmp_path: Path, **changes: Any) -> Recording:
    """A sound bundle with other members: ``change`` gets them by name, and may do what it wants."""
    members = dict(bundle_of(healthy()).members)
    changes.pop("change", lambda members: None)(members)
    return read_bundle(written(tmp_path, members, **changes))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_bundle_comes_back_as_it_was(tmp_path: Path, ending: str) -> None:
    evidence = healthy(Hub=Unavailable("the Hub was left out (--offline)", switched_off=True))
    bundle = bundle_of(evidence)
    path = tmp_path / f"x{ending}"
    path.write_bytes(bundle.archive(ending))
    recording = read_bundle(path)
    reason = recording.evidence[Hub]
    assert isinstance(reason, Unavailable) and reason.switched_off
    assert {**recording.evidence, Hub: None} == {**evidence, Hub: None}
    assert recording.manifest == bundle.manifest
    assert recording.manifest.created == CREATED and recording.manifest.tool.version == __version__
    assert recording.report == REPORT_JSON.encode()
    assert recording.changed == ()


def test_the_store_of_a_recording_gathers_nothing(tmp_path: Path) -> None:
    store = read(tmp_path).store(timeout=7)
    assert store.request.timeout == 7 and 6 < store.request.remaining() <= 7
    assert store.request.environ == {}
    assert {kind: store.get(kind) for kind in EVIDENCE.values()} == healthy()


def test_what_a_bundle_does_not_hold_could_not_be_had(tmp_path: Path) -> None:
    recording = read(tmp_path, change=lambda members: members.pop(evidence_name(Host)))
    assert str(recording.evidence[Host]) == "this bundle holds nothing about this machine"
    assert recording.evidence[Workers] == healthy()[Workers]


@pytest.mark.parametrize("top", ["", "renamed/"])
def test_the_folder_may_be_another_one(tmp_path: Path, top: str) -> None:
    assert read(tmp_path, top=top).evidence == healthy()


def test_files_that_somebody_worked_on_are_told(tmp_path: Path) -> None:
    def edit(members: dict[str, bytes]) -> None:
        members[evidence_name(Host)] = members[evidence_name(Host)].replace(b"500000000000", b"500000000001")
        members["note.txt"] = b"added"

    assert read(tmp_path, change=edit).changed == (evidence_name(Host),)


def test_a_newer_version_of_the_format_within_one_number_is_read(tmp_path: Path) -> None:
    def newer(members: dict[str, bytes]) -> None:
        for name in (MANIFEST, evidence_name(Deployment)):
            content = json.loads(members[name])
            content["something_new"] = {"deep": [1, 2]}
            if "value" in content:
                content["value"]["new_field"] = "x"
            members[name] = json.dumps(content).encode()
        members["evidence/new-source.json"] = b'{"value": 1}'

    assert read(tmp_path, change=newer).evidence == healthy()


def manifest_with(**changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members[MANIFEST] = json.dumps(json.loads(members[MANIFEST]) | changes).encode()

    return change


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({name: data})


HOST = evidence_name(Host)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (manifest_with(format="ot-doctor/bundle/2"), r"of a newer ot-doctor \(format 2, this one reads 1\)\. Update ot-doctor"),
        (manifest_with(format="ot-doctor/bundle/99"), "of a newer ot-doctor"),
        (manifest_with(format="ot-doctor/bundle/0"), r"of a format that is no longer read \(0\)\. Collect a new one"),
        (manifest_with(format="sos/1"), "it is not a bundle of ot-doctor"),
        (manifest_with(format=["ot-doctor/bundle/1"]), "it is not a bundle of ot-doctor"),
        (manifest_with(format="ot-doctor/bundle/1\n"), "it is not a bundle of ot-doctor"),
        (manifest_with(format="ot-doctor/bundle/" + "9" * 5000), "it is not a bundle of ot-doctor"),
        (manifest_with(created="now"), r"manifest\.json is wrong: created is not a time"),
        (manifest_with(members="all"), r"manifest\.json is wrong: members is not a list"),
        (manifest_with(request=None), r"manifest\.json is wrong: request is not an object"),
        (put(MANIFEST, b"[]"), "it is not a bundle of ot-doctor"),
        (put(MANIFEST, b"{"), r"manifest\.json is wrong: it is not JSON"),
        (put(MANIFEST, b"[" * 100_000), r"manifest\.json is wrong: it is nested too deeply"),
        (lambda members: members.pop(MANIFEST), r"it is not a bundle of ot-doctor: it has no manifest\.json"),
        (put(HOST, b""), r"evidence/host\.json is wrong: it is not JSON"),
        (put(HOST, b"[]"), r"evidence/host\.json is wrong: it has neither a value nor a reason"),
        (put(HOST, b'{"value": null}'), r"evidence/host\.json is wrong: value is not an object"),
        (put(HOST, b'{"value": {"spaces": 3}}'), r"evidence/host\.json is wrong: value\.spaces is not a list"),
        (put(HOST, b'{"unavailable": {"hint": ""}}'), r"evidence/host\.json is wrong: unavailable has no 'reason'"),
        (put(HOST, b'{"unavailable": {"reason": 1}}'), r"evidence/host\.json is wrong: unavailable\.reason is not a text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_a_sentence(
    tmp_path: Path, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    with pytest.raises(Refused, match=rf"^{tmp_path}/bundle\.zip cannot be read: .*{reason}.*\.$") as caught:
        read(tmp_path, change=change)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_another_version_of_the_tool_is_named_where_its_evidence_is_not_understood(tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        manifest_with(tool={"version": "7.0"})(members)
        put(HOST, b'{"value": {"spaces": 3}}')(members)

    with pytest.raises(Refused, match=rf"made by ot-doctor 7\.0; this is {__version__}"):
        read(tmp_path, change=change)


def test_two_manifests_are_refused(tmp_path: Path) -> None:
    members = dict(bundle_of(healthy()).members)
    both = {f"a/{name}": data for name, data in members.items()} | {f"b/{name}": data for name, data in members.items()}
    with pytest.raises(Refused, match=r"holds manifest\.json twice"):
        read_bundle(written(tmp_path, both, top=""))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"it is a folder\. Name the zip or tar\.gz file itself\.$"):
        read_bundle(tmp_path)
    with pytest.raises(Refused, match=r"nowhere\.zip cannot be read: No such file or directory\.$"):
        read_bundle(tmp_path / "nowhere.zip")
    with pytest.raises(Refused, match=r"cannot be read: .*null"):
        read_bundle(Path("a\0b"))
    empty = tmp_path / "empty.zip"
    empty.touch()
    with pytest.raises(Refused, match=r"empty\.zip cannot be read: it is empty\.$"):
        read_bundle(empty)
    with pytest.raises(Refused, match="/dev/zero cannot be read: it is not a regular file"):
        read_bundle(Path("/dev/zero"))
    large = tmp_path / "large.zip"
    large.touch()
    os.truncate(large, LARGEST_FILE + 1)
    with pytest.raises(Refused, match="it is larger than any bundle"):
        read_bundle(large)


def test_a_bundle_of_the_first_version_is_still_read(tmp_path: Path) -> None:
    """``golden/format-1.json`` holds the members of a bundle of ot-doctor 0.1.0, and is never made anew."""
    content = json.loads((Path(__file__).parent / "golden" / "format-1.json").read_text(encoding="utf-8"))
    recording = read_bundle(written(tmp_path, {name: text.encode() for name, text in content.items()}))
    assert recording.changed == () and recording.manifest.tool.version == "0.1.0"
    later = {NativeEngine, Frontend, NextRelease, WorkerImports, WorkerProbe}  # what that version knew nothing of
    assert {kind for kind, value in recording.evidence.items() if isinstance(value, Unavailable)} == later
    same = [kind for kind, value in healthy().items() if recording.evidence[kind] == value]
    # Secrets have other fingerprints, and who saw the cache was not recorded.
    assert set(healthy()) - set(same) - later == {Workers, EnvFile, WorkerToken, ModelCache}
    token = recording.evidence[WorkerToken]
    assert isinstance(token, WorkerToken) and token.usable and token.value is not None and len(token.value) == 37


def test_a_json_report_is_no_bundle(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text('\n {"schema": "ot-doctor/report/1"}')
    with pytest.raises(Refused, match=r"it is a JSON file; a bundle is the zip or tar\.gz that 'ot-doctor collect' writes"):
        read_bundle(report)


def test_a_bundle_in_a_bundle_is_none(tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as outer:
        outer.writestr("report.zip", bundle_of(healthy()).archive(".zip"))
    path = tmp_path / "outer.zip"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(Refused, match="it is not a bundle of ot-doctor"):
        read_bundle(path)


def test_the_request_is_recorded_without_the_environment() -> None:
    bundle = bundle_of(healthy(), request=Request(offline=True, logs=("-",), environ={"SECRET_NAME": "of somebody"}))
    assert bundle.manifest.request.offline and bundle.manifest.request.logs == ("-",)
    assert not any(b"SECRET_NAME" in data or b"of somebody" in data for data in bundle.members.values())
