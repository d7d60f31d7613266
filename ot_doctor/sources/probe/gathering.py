"""Gathers what the worker sees from inside, and this machine's way to the same Hub beside it."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import WESPEAKER, Deployment, ReleaseLine, models
from ot_doctor.evidence.hub import Answer, FileAnswer
from ot_doctor.evidence.model_cache import ModelCache
from ot_doctor.evidence.probe import Ladder, NvmlAnswer, ProcessEnvironment, Rung, SeenGpu, Stage, WorkerProbe, WriteTest
from ot_doctor.evidence.releases import line_of_version
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.redaction.secret import TOKEN_NAME
from ot_doctor.sources.hub.answers import Reply, clean, file_answer
from ot_doctor.sources.hub.client import SPARED_WAIT
from ot_doctor.sources.probe.ladder import climb
from ot_doctor.sources.probe.worker_exec import Layers, ask, program
from ot_doctor.sources.soon import Soon
from ot_doctor.sources.upcoming_release import version_of

_SECONDS = 4.5  # for the way to the Hub, all of it
_MOST_FILES = 4
_MOST = 64  # members of any list of the answer
_WEIGHTS = ("pytorch_model.bin", "segmentation/pytorch_model.bin")  # large ones, which come from another server
PACKAGES = (
    "torch", "torchaudio", "torchcodec", "pyannote.audio", "whisperx", "faster-whisper", "ctranslate2", "huggingface_hub",
    "transformers", "celery",
)  # fmt: skip
# Settings that decide where models come from and what the worker does with them.
NAMES = (
    TOKEN_NAME, "HF_TOKEN", "HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PYANNOTE_CACHE",
    "MIN_SPEAKERS", "MAX_SPEAKERS", "NUM_SPEAKERS", "USE_GPU", "TORCH_DEVICE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)  # fmt: skip
_CACHE_NOT_LOOKED_AT: Soon[ModelCache] = Soon.of(Unavailable("The model cache was not looked at."))
_KINDS = {
    "ok": Answer.OK, "dns": Answer.DNS, "refused": Answer.REFUSED, "timeout": Answer.TIMEOUT, "tls": Answer.TLS,
    "proxy": Answer.PROXY,
}  # fmt: skip


def gather(
    request: Request, workers: Workers, deployment: Deployment | Unavailable, cache: Soon[ModelCache] = _CACHE_NOT_LOOKED_AT
) -> WorkerProbe:
    """Look into the first running diarizer. Raises ``Unavailable`` where that is off, or nothing can be run there."""
    if request.probe == "off" or request.no_exec:
        how = "--probe off" if request.probe == "off" else "--no-exec"
        raise Unavailable(f"The worker was not looked at from inside ({how}).", switched_off=True)
    if workers.lite or not workers.diarizers:
        raise Unavailable("There is no diarization worker to look at from inside.", switched_off=True)
    worker = workers.diarizers[0]
    wanted = [] if request.offline else _files(_line(request, deployment))
    key = secrets.token_hex(16)
    asked = {
        "key": key, "names": NAMES, "packages": PACKAGES, "files": wanted, "token_name": TOKEN_NAME, "seconds": _SECONDS,
        "write": request.probe == "deep", "gpu": has_nvidia(worker),
    }  # fmt: skip
    here = None if worker.engine.machine else _from_here(request, worker, wanted)  # this is not the machine that it runs on
    before, began = time.time(), time.monotonic()
    last = b'"layer": "gpu"' if asked["gpu"] else b'"layer": "write"' if asked["write"] else b'"layer": "libraries"'

    def spared(output: bytes) -> bool:
        """A worker that does not need the Hub is not waited for while only the Hub is: all else is there."""
        known = cache.known() if time.monotonic() - began > SPARED_WAIT and last in output else None
        return known is not None and known.spares_the_hub

    layers, ended_early = ask(request, worker, asked, spared)
    if ended_early and "network" not in layers and spared(last):
        ended_early, here = "", None
    seen = _seen(worker, layers, before, time.time())
    inside = _ladder(_detail(layers, "network")) if "network" in layers and layers["network"].get("ok") is True else None
    missing = [ended_early] if ended_early else []
    wrong = [(name, layer["detail"]) for name, layer in layers.items() if name in _LAYERS and layer.get("ok") is not True]
    missing += [f"{name.capitalize()} could not be looked at: {clean(detail.get('text'))}" for name, detail in wrong]
    return WorkerProbe(
        **seen, inside=inside, here=_ladder(here()) if here else None, incomplete=tuple(missing),
        program=hashlib.sha256(program()).hexdigest(),
        took={name: _number(layer.get("ms")) for name, layer in layers.items() if name in _LAYERS},
    )  # fmt: skip


_LAYERS = ("identity", "process", "memory", "libraries", "write", "network", "gpu")


def _line(request: Request, deployment: Deployment | Unavailable) -> ReleaseLine:
    """The release whose models are asked for: that of ``preflight``, else the one that is there."""
    if request.next_release:
        return line_of_version(version_of(request.next_release))
    return deployment.line if isinstance(deployment, Deployment) else ReleaseLine.UNKNOWN


def _files(line: ReleaseLine) -> list[tuple[str, str]]:
    """A file of each required model, a large one where it has one; and a public one, for which all are sent to the storage."""
    needed = [model for model in models(line) if model.required] or list(models(line))
    files = [(m.repo, next((name for name in _WEIGHTS if name in m.files), "config.yaml")) for m in needed[:_MOST_FILES]]
    return list(dict.fromkeys([*files, (WESPEAKER, _WEIGHTS[0])]))


def has_nvidia(worker: Worker) -> bool:
    """Whether it was given a GPU that NVIDIA's library knows."""
    return worker.gpu.requested and not any(name.startswith("/dev/kfd") for name in worker.gpu.device_ids)


def _from_here(request: Request, worker: Worker, wanted: list[tuple[str, str]]) -> Callable[[], dict[str, Any]] | None:
    """This machine's way to the worker's Hub, begun: anonymous, and by the proxy and CA variables of whoever runs the doctor."""
    if not wanted:
        return None
    environ = {**request.environ, **{name: worker.setting(name) or "" for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE")}}
    found = importlib.util.find_spec("huggingface_hub")
    site = Path(found.origin).parent.parent if found and found.origin else None
    sites = [str(site)] if site and site.is_dir() else []  # in the single file it is a place within a zip
    try:
        return climb(wanted, environ, sites, "", min(_SECONDS, request.remaining() * 0.8))
    except ValueError:  # an address that is none
        return None


# -- the answer: what is not of the expected type is left out ----------------------------------------------------------


def _detail(layers: Layers, name: str) -> Mapping[str, Any]:
    layer = layers.get(name, {})
    detail = layer.get("detail") if layer.get("ok") is True else None
    return detail if isinstance(detail, dict) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else 0


def _seconds(value: object) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e11
    return float(value) if known else None  # type: ignore[arg-type]


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value[:_MOST] if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> dict[str, str]:
    """A mapping of short texts."""
    pairs = list(value.items())[:_MOST] if isinstance(value, dict) else []
    return {clean(name): clean(text) for name, text in pairs if isinstance(text, str)}


def _seen(worker: Worker, layers: Layers, before: float, after: float) -> dict[str, Any]:
    identity, memory = _detail(layers, "identity"), _detail(layers, "memory")
    devices = identity.get("devices")
    now = _seconds(identity.get("now")) or before
    return {
        "worker": worker.name,
        "user": clean(identity.get("user")),
        "uid": _number(identity.get("uid")),
        "python": clean(identity.get("python")),
        "devices": tuple(clean(name) for name in devices[:_MOST]) if isinstance(devices, list) else (),
        "memory_limit": _number(memory.get("limit")),
        "memory_used": _number(memory.get("used")),
        "clock": round(now - max(before, min(now, after)), 1),
        "libraries": {name: text for name, text in _texts(_detail(layers, "libraries")).items() if name in PACKAGES},
        "process": _process(_detail(layers, "process")),
        "gpu": _gpu(_detail(layers, "gpu")) if _detail(layers, "gpu") else None,
        "writes": tuple(
            WriteTest(clean(one.get("path")), one.get("ok") is True, clean(one.get("text")))
            for one in _objects(_detail(layers, "write").get("folders"))
        ),
    }


def _process(detail: Mapping[str, Any]) -> ProcessEnvironment:
    if detail.get("readable") is not True:
        return ProcessEnvironment(False, clean(detail.get("text")) or "it was not looked at")
    own, theirs = _texts(detail.get("own")), _texts(detail.get("theirs"))
    blank = detail.get("blank")
    return ProcessEnvironment(
        True,
        differs=tuple(name for name in NAMES if name in own and name in theirs and own[name] != theirs[name]),
        added=tuple(name for name in NAMES if name in theirs and name not in own),
        removed=tuple(name for name in NAMES if name in own and name not in theirs),
        blank=tuple(name for name in NAMES if isinstance(blank, list) and name in blank),
    )


def _gpu(detail: Mapping[str, Any]) -> NvmlAnswer:
    text, driver = clean(detail.get("text")), clean(detail.get("driver"))
    return NvmlAnswer(detail.get("library") is True, _number(detail.get("code")), text, driver, gpus_of(detail))


def gpus_of(detail: Mapping[str, Any]) -> tuple[SeenGpu, ...]:
    seen = _objects(detail.get("gpus"))
    return tuple(SeenGpu(clean(one.get("name")), _number(one.get("total")), _number(one.get("used"))) for one in seen)


def _ladder(detail: Mapping[str, Any]) -> Ladder | None:
    """The way of the first file that did not get through, else of the first one; with the answers for all."""
    ways = _objects(detail.get("files"))
    if not ways:
        return None
    sent = detail.get("token_sent") is True
    judged = [_way(way, sent) for way in ways]
    failed = next((number for number, (rungs, _) in enumerate(judged) if rungs[-1].answer is not Answer.OK), 0)
    rungs, way = judged[failed][0], ways[failed]
    storage = detail.get("storage") if isinstance(detail.get("storage"), dict) else {}
    return Ladder(
        endpoint=clean(detail.get("endpoint")),
        rungs=rungs,
        files=tuple(answer for _, answer in judged),
        token_sent=sent,
        proxy=clean(way.get("proxy")),
        issuer=clean(way.get("issuer")),
        trusted=clean(way.get("ca")),
        storage_host=clean(storage.get("host")) if storage else "",
        storage=_kind(storage.get("kind")) if storage else Answer.NOT_ASKED,
        storage_text=clean(storage.get("text")) if storage else "",
        clock=next((clock for one in ways if (clock := _seconds(one.get("clock"))) is not None), None),
    )


def _kind(value: object) -> Answer:
    return _KINDS.get(value, Answer.REFUSED) if isinstance(value, str) else Answer.REFUSED


def _way(way: Mapping[str, Any], sent: bool) -> tuple[tuple[Rung, ...], FileAnswer]:
    repo, name = clean(way.get("repo")), clean(way.get("file"))
    stages = {stage.value: stage for stage in Stage}
    rungs = [
        Rung(stages[one["step"]], _kind(one.get("kind")), clean(one.get("text")), _number(one.get("ms")))
        for one in _objects(way.get("rungs")) if one.get("step") in stages
    ]  # fmt: skip
    fallen = next((rung for rung in rungs if rung.answer is not Answer.OK), None)
    if fallen is None and (not rungs or rungs[-1].stage is not Stage.HUB):
        fallen = Rung(Stage.HUB, Answer.REFUSED, "no answer", 0)
        rungs.append(fallen)
    if fallen is not None:
        return tuple(rungs), FileAnswer(repo, name, fallen.answer, text=fallen.text)
    status = _number(way.get("status"))
    answer, text = file_answer(Reply(status, _texts(way.get("headers"))), with_token=sent)
    if answer.unreachable:
        rungs[-1] = Rung(Stage.HUB, answer, text, rungs[-1].ms)
    return tuple(rungs), FileAnswer(repo, name, answer, status, text)
