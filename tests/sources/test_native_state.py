"""How the native engine's answers, the list of its models and the volume's folders are read. The scenarios ask a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import ReleaseLine, Request, Unavailable
from ot_doctor.evidence.releases import release_of
from ot_doctor.evidence.workers import ComposeLabels, Engine, Mount, Role, Worker, Workers
from ot_doctor.sources import native_models, native_state, scratch_folders
from tests.checks.evidence import deployment

_RELEASE = release_of(ReleaseLine.V0_5)
assert _RELEASE is not None and _RELEASE.native is not None
RULES = _RELEASE.native
IMAGE = "x/opentranscribe-backend:v0.5.1"
ENGINE = Engine("unix:///nowhere/docker.sock", "a test")


def container(service: str, **changes: Any) -> Worker:
    role = Role.DIARIZER if service == "celery-worker" else Role.OTHER
    return Worker(ENGINE, "0" * 64, service, role, IMAGE, ComposeLabels("ot", service), "exited", **changes)


@pytest.mark.parametrize(
    ("answer", "status", "state"),
    [
        ("== readyz\nok\nHTTP/1.1 200\n== healthz\n{\"models_state\": \"verified\"}\nHTTP/1.1 200\n", 200, "verified"),
        ("== readyz\nHTTP/1.1 503\n== healthz\n{\"models_state\":\"unverified\"}\nHTTP/1.1 200\n", 503, "unverified"),
        ("== readyz\nHTTP/1.1 404\n== healthz\nHTTP/1.1 200\n", 200, ""),
        ("== readyz\n\nHTTP/1.1 000\n== healthz\n\nHTTP/1.1 000\n", 0, ""),
        ("== readyz\nwget: can't connect\n== healthz\n", 0, ""),
        ("", 0, ""),
    ],
)  # fmt: skip
def test_an_answer(answer: str, status: int, state: str) -> None:
    read = native_state._read_answer("w", "http://diar-native:8701", answer)
    assert (read.status, read.models_state) == (status, state)


def _models(folder: Path, content: object) -> None:
    (folder / "a.onnx").write_bytes(b"12345")
    (folder / "diar-provision.json").write_text(content if isinstance(content, str) else json.dumps(content))


_LIST: dict[str, Any] = {"files": [{"name": "a.onnx", "bytes": 5}], "smoke": {"status": "pass"}}


@pytest.mark.parametrize(
    ("content", "complete"),
    [
        (_LIST, True),
        ({**_LIST, "files": [{"name": "a.onnx", "bytes": 6}]}, False),
        ({**_LIST, "files": [{"name": "b.onnx", "bytes": 5}]}, False),
        ({**_LIST, "files": []}, False),
        ({**_LIST, "files": [{"name": "../../etc/passwd", "bytes": 5}]}, False),
        ({**_LIST, "smoke": {"status": "fail"}}, False),
        ({"files": 5}, False),
        ("[" * 100_000, False),
        ("", False),
    ],
)  # fmt: skip
def test_models_on_the_host(tmp_path: Path, content: object, complete: bool) -> None:
    _models(tmp_path, content)
    having = container("backend", mounts=(Mount("bind", str(tmp_path), "/models", True),))
    models, unseen = native_models.models_of(Request(), RULES, [having])
    assert models is not None and models.complete is complete and not unseen and models.path == str(tmp_path)


def test_models_that_nobody_has_or_can_see(tmp_path: Path) -> None:
    assert native_models.models_of(Request(), RULES, [container("backend")]) == (None, "No container has the folder /models.")
    away = container("backend", mounts=(Mount("bind", str(tmp_path / "gone"), "/models", True),))
    models, unseen = native_models.models_of(Request(), RULES, [away])
    assert models is None and "not running" in unseen


def test_an_older_release_and_lite_have_none() -> None:
    workers = Workers(ENGINE, (container("celery-worker"),))
    with pytest.raises(Unavailable, match="exists from") as old:
        native_state.gather(Request(), deployment(ReleaseLine.V0_4), workers)
    assert old.value.switched_off
    lite = Workers(ENGINE, (container("backend", env={"DEPLOYMENT_MODE": "lite"}),))
    with pytest.raises(Unavailable, match="lite"):
        native_state.gather(Request(), deployment(ReleaseLine.V0_5), lite)


def test_what_the_settings_say() -> None:
    native = native_state._configured(RULES, container("celery-worker"), "v0.5")
    assert native == (True, "the default of v0.5")
    pinned = container("celery-worker", env={"ENGINE_DIARIZER_BACKEND": "pyannote"})
    assert native_state._configured(RULES, pinned, "v0.5")[0] is False


@pytest.mark.parametrize("url", ["-o/tmp/x", "file:///etc/passwd", "http://a b", "http://x;id"])
def test_an_address_that_is_none_is_not_asked(url: str) -> None:
    worker = container("celery-worker", env={"DIAR_NATIVE_URL": url})
    running = Worker(**{**worker.__dict__, "status": "running"})
    readiness, why = native_state._readiness(Request(), RULES, running, ())
    assert readiness is None and "not an address" in why


def test_the_folders_of_the_volume() -> None:
    listing = "no drwxr-xr-x    2 0        0             4096 Nov 28 12:00 /scratch/opentranscribe\n"
    assert scratch_folders._LISTED.findall(listing) == [("no", "drwxr-xr-x", "0", "0", "/scratch/opentranscribe")]
