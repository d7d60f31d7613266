"""The probe's own program on every Python that is here, and what becomes of answers that no probe gives."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ot_doctor.bundle.codec import decode, dump, encode, load
from ot_doctor.evidence import Request, Unavailable, WorkerProbe
from ot_doctor.sources.probe import gathering, inside, ladder, nvml, worker_exec
from ot_doctor.sources.soon import Soon
from tests.checks.evidence import cache, deployment, worker, workers
from tests.parts.hub import make_certificate, pyannote_hub

_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
_SECRET = "hf_" + "Zz9yXw8vUt" * 3 + "Aa1b"
_ASKED = {
    "mark": "MARK", "key": "00ff", "names": ["HUGGINGFACE_TOKEN", "MIN_SPEAKERS"], "packages": ["pip"], "files": [["a/b", "c"]],
    "token_name": "HUGGINGFACE_TOKEN", "seconds": 2.0, "write": False, "gpu": True,
}  # fmt: skip


def ran(python: str, folder: Path, asked: dict[str, Any] | None = None, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """The program as a container's shell starts it, with this Python as the container's."""
    (folder / "bin").mkdir(exist_ok=True)
    link = folder / "bin" / "python3"
    link.unlink(missing_ok=True)
    link.symlink_to(python)
    request = json.dumps(asked or _ASKED).encode()
    env = {"PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": str(folder), "HUGGINGFACE_TOKEN": _SECRET, **environ}
    return subprocess.run(
        worker_exec.COMMAND, input=worker_exec.talk_of("MARK", request, 0), capture_output=True, env=env, cwd=folder, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize("module", [inside, ladder, nvml], ids=lambda module: module.__name__.rpartition(".")[2])
def test_it_is_python_3_8_and_the_standard_library_alone(module: Any) -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes}
    assert {str(name).partition(".")[0] for name in names} <= sys.stdlib_module_names | {"ot_doctor"}
    assert {name for name in names if str(name).startswith("ot_doctor")} <= {ladder.__name__, nvml.__name__}


def pythons() -> list[str]:
    """Those of this machine from 3.8 on that can run, the one of the tests first."""
    found = [sys.executable]
    for minor in range(8, 16):
        kept = sorted(_PYENV.glob(f"3.{minor}.*/bin/python3.{minor}"))
        found += [str(path) for path in kept[-1:]] or [path for path in [shutil.which(f"python3.{minor}")] if path]
    return [path for path in found if not subprocess.run([path, "-I", "-c", "import ssl"], capture_output=True).returncode]


def test_each_python_runs_it_and_no_value_leaves(tmp_path: Path) -> None:
    assert sys.executable in pythons()
    for number, python in enumerate(pythons()):
        (tmp_path / str(number)).mkdir()
        _runs(python, tmp_path / str(number))


def _runs(python: str, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')\n")
    done = ran(python, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[-1] == "MARK end" and done.stderr == b"", done.stderr
    layers = {layer["layer"]: layer for line in lines[:-1] for layer in [json.loads(line.partition(" ")[2])]}
    assert set(layers) == {"identity", "process", "memory", "libraries", "network", "gpu"}
    assert all(layer["ok"] for layer in layers.values()), layers
    assert layers["network"]["detail"]["files"][0]["rungs"][-1]["kind"] == "refused"
    assert _SECRET not in done.stdout.decode() and _SECRET[3:13] not in done.stdout.decode()
    assert set(os.listdir(tmp_path)) == {"bin", "json.py"}


def test_a_python_that_cannot_start_says_nothing(tmp_path: Path) -> None:
    assert ran("/bin/false", tmp_path).returncode == 1


def test_a_layer_that_goes_wrong_is_that_layers_answer(tmp_path: Path) -> None:
    done = ran(sys.executable, tmp_path, {**_ASKED, "seconds": "x"})
    lines = [json.loads(line.partition(" ")[2]) for line in done.stdout.decode().splitlines()[:-1]]
    wrong = {layer["layer"]: layer["detail"] for layer in lines if not layer["ok"]}
    assert list(wrong) == ["network"] and wrong["network"]["text"].startswith("TypeError") and len(lines) == 6


def test_this_machines_own_way(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with pyannote_hub(certificate=certificate) as hub:
        answer = ladder.climb([["pyannote/x", "y"]], {"HF_ENDPOINT": hub.url}, [], "", 5.0)()
        assert answer["files"][0]["issuer"] == "a local hub" and answer["files"][0]["rungs"][-1]["kind"] == "tls"
        environ = {"HF_ENDPOINT": hub.url, "SSL_CERT_FILE": str(certificate)}
        answer = ladder.climb([["pyannote/x", "y"]], environ, [], "", 5.0)()
        assert [rung["step"] for rung in answer["files"][0]["rungs"]] == ["names", "connect", "tls", "hub"]
        assert not [request for request in hub.requests if request.authorization]


@pytest.mark.parametrize(
    ("location", "asked", "storage"),
    [
        ("/moved/resolve/main/c", ["https://hub.test/moved/resolve/main/c"], None),
        (".evil.test/c", ["https://hub.test/a/b/resolve/main/.evil.test/c"], None),
        ("//evil.test/c", [], "evil.test"), ("https://hub.test.evil.test/c?key=1", [], "hub.test.evil.test"),
        ("http://hub.test/c", [], "hub.test"), ("https://hub.test:8443/c", [], "hub.test"),
    ],
)  # fmt: skip
def test_the_token_follows_no_redirect_to_another_server(
    monkeypatch: pytest.MonkeyPatch, location: str, asked: list[str], storage: str | None
) -> None:
    urls: list[str] = []

    def head(way: ladder._Way, url: str) -> tuple[int, dict[str, str]]:
        urls.append(url)
        return (307, {"location": location}) if len(urls) == 1 else (200, {"x-repo-commit": "c0ffee"})

    monkeypatch.setattr(ladder._Way, "_head", head)
    monkeypatch.setattr(ladder._Way, "_connected", lambda way, url: socket.socket())
    way = ladder._Way("https://hub.test/a/b/resolve/main/c", {}, [], "", _SECRET, time.monotonic() + 5)
    way.go()
    assert urls[1:] == asked
    assert (way.storage or {}).get("host") == storage
    assert "key=1" not in json.dumps(way.report())


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://h", {"HTTPS_PROXY": "http://a:1"}, "http://a:1"), ("http://h", {"HTTPS_PROXY": "http://a:1"}, ""),
        ("https://h", {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}, "http://b:1"),
        ("https://h", {"ALL_PROXY": "http://a:1"}, "http://a:1"), ("https://h", {"HTTPS_PROXY": ""}, ""),
        ("https://h", {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "x, h"}, ""),
        ("https://h.lan:8443", {"HTTPS_PROXY": "http://a:1", "no_proxy": ".lan"}, ""),
    ],
)  # fmt: skip
def test_the_proxy_is_the_one_that_a_client_takes(url: str, environ: dict[str, str], proxy: str) -> None:
    assert ladder._proxy(url, environ) == proxy


# -- a stranger's answer -----------------------------------------------------------------------------------------------


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., WorkerProbe | Unavailable]:
    """``answering(lines)``: what is gathered where the container prints them, each behind the mark; or bytes as they are."""

    def gathered(lines: list[str] | bytes, code: int = 0) -> WorkerProbe | Unavailable:
        def talk(request: Request, one: object, command: list[str], sent: bytes, *rest: object) -> tuple[bytes, int]:
            mark = sent.decode("ascii").split()[3]
            assert re.fullmatch(r"ot-doctor-[0-9a-f]{32}", mark)
            return (lines if isinstance(lines, bytes) else "".join(f"{mark} {line}\n" for line in lines).encode()), code

        monkeypatch.setattr(worker_exec, "talk_in", talk)
        try:
            return gathering.gather(Request(environ={}, offline=True), workers(worker()), deployment())
        except Unavailable as reason:
            return reason

    return gathered


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        (b"", 127, "There is no Python"),
        (b'OCI runtime exec failed: exec: "sh": executable file not found', 126, "There is no Python"),
        (b"", 1, "could not look around (exit code 1)"), (b"Traceback\n", 1, "could not look around"),
        (b"\xff\x00" * 1000, 0, "could not look around"), (b"", 0, "could not look around"),
        (b"OCI runtime exec failed: read init-p: connection reset by peer", 126, "could not start a command"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_unavailable(answering: Any, output: bytes, code: int, said: str) -> None:
    reason = answering(output, code)
    assert isinstance(reason, Unavailable) and said in reason.reason
    assert reason.switched_off == ("no Python" in said)


def test_little_room_is_told_with_its_size(answering: Any) -> None:
    reason = answering(["room 3145728"])
    assert isinstance(reason, Unavailable) and "3 MB below its limit" in reason.reason


def test_an_answer_that_ends_early_keeps_what_came(answering: Any) -> None:
    seen = answering(['{"layer": "identity", "ok": true, "ms": 1, "detail": {"user": "app\\u001b[31muser", "uid": 7}}'])
    assert seen.user == "appuser" and seen.uid == 7 and "ended early" in seen.incomplete[0]
    seen = answering(['{"layer": "libraries", "ok": false, "ms": 1, "detail": {"text": "OSError: no"}}', "end"])
    assert seen.incomplete == ("Libraries could not be looked at: OSError: no",)


@pytest.mark.parametrize("complete", [True, False])
def test_a_worker_with_complete_models_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, complete: bool) -> None:
    """All layers but the network's are there: that is enough after a second, where the models are complete."""
    told: list[bool] = []

    def talk(request: Request, one: object, command: list[str], data: bytes, seconds: float, enough: Any) -> tuple[bytes, int]:
        names = ("identity", "process", "memory", "libraries", "gpu")
        mark = data.decode("ascii").split()[3]
        output = "".join(f'{mark} {{"v": 1, "layer": "{name}", "ok": true, "detail": {{}}}}\n' for name in names).encode()
        told.append(enough(output))
        time.sleep(1.1)
        told.extend([enough(b""), enough(output)])
        return output, -1

    monkeypatch.setattr(worker_exec, "talk_in", talk)
    soon = Soon.of(cache(complete=complete))
    seen = gathering.gather(Request(environ={}, offline=True), workers(worker()), deployment(), soon)
    assert told == [False, False, complete]
    assert seen.inside is None and (seen.incomplete == ()) is complete


_KEYS = [
    "files", "rungs", "step", "kind", "storage", "host", "headers", "status", "own", "theirs", "blank", "readable", "gpus",
    "name", "total", "now", "devices", "limit", "repo", "clock", "text", "path", "folders", "library", "code",
    "date", "x-repo-commit",
]  # fmt: skip
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["ok", "names", "hub"])
_JSON = st.recursive(
    _VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=25,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(details=st.lists(_JSON, min_size=7, max_size=7))
def test_whatever_a_layer_holds_is_evidence_that_can_be_recorded(details: list[Any]) -> None:
    layers = {name: {"ok": True, "detail": detail, "ms": detail} for name, detail in zip(gathering._LAYERS, details, strict=True)}
    seen = gathering._seen(worker(), layers, 1.0, 2.0)
    way = gathering._ladder(gathering._detail(layers, "network"))
    value = WorkerProbe(**seen, inside=way)
    assert decode(WorkerProbe, load(dump(encode(value)))) == value


def test_the_files_that_are_asked_for_are_one_of_each_required_model_and_a_public_one() -> None:
    wanted = gathering._files(deployment().line)
    assert wanted[0] == ("pyannote/speaker-diarization-community-1", "segmentation/pytorch_model.bin")
    assert wanted[-1] == ("pyannote/wespeaker-voxceleb-resnet34-LM", "pytorch_model.bin")

