"""The real pyannote.audio 3 and 4: how it fails at the Hub, with damaged weights, and with libraries that do not fit."""

from __future__ import annotations

from . import faults
from .case import COMMUNITY, OTHER_TOKEN, PIPELINE, SEGMENTATION, TOKEN, V1, V3, Run, Truth

_P3, _P4 = "pyannote-3.4.0", "pyannote-4.0.4"
_NOT_ACCEPTED = Truth("failed", "gated-not-accepted", COMMUNITY)
_CORRUPT = Truth("failed", "model-corrupt")
_MISFIT = Truth("failed", "lib-mismatch")
_FINE = Truth("succeeded")
_SAME = "pyannote 3 says the same of a missing token, a bad one, an agreement and a wrong name"
_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 5905440\n"
_HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n"
_SLOW = 90.0


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


LIBRARIES: tuple[Run, ...] = (
    Run("p4-healthy-noisy", _FINE, venv=_P4, seconds=_SLOW),
    Run("p4-healthy-torchcodec-warning", _FINE, venv=_P4, env={"PYTHONWARNINGS": ""}, seconds=_SLOW),
    Run("p4-not-accepted", _NOT_ACCEPTED, venv=_P4, prepare=faults.nothing_accepted, seconds=_SLOW),
    Run("p4-fallback-wants-community-too", _NOT_ACCEPTED, venv=_P4, prepare=faults.grant(COMMUNITY), seconds=_SLOW),
    Run("p4-no-token", Truth("failed", "token-missing"), venv=_P4, token=None, seconds=_SLOW),
    Run(
        "p4-quoted-token-is-dropped",
        Truth(
            "failed",
            "token-missing",
            also=("token-malformed",),
            why="pyannote 4 drops what does not begin with hf_, and says nothing",
        ),
        venv=_P4,
        token=f'"{TOKEN}"',
        seconds=_SLOW,
    ),
    Run("p4-bad-token", Truth("failed", "token-invalid"), venv=_P4, token=OTHER_TOKEN, seconds=_SLOW),
    Run(
        "p4-fine-grained",
        Truth("failed", "token-scope"),
        venv=_P4,
        seconds=_SLOW,
        prepare=faults.token(role="fineGrained", can_read_gated=False),
    ),
    Run(
        "p4-refused",
        Truth("failed", "network-refused", "huggingface.co"),
        venv=_P4,
        over="hub:hub-0.30.2",
        prepare=faults.hub_at("127.0.0.2"),
        seconds=_SLOW,
    ),
    Run(
        "p4-no-name-server",
        Truth("failed", "network-dns", "huggingface.co"),
        venv=_P4,
        over="hub:hub-0.30.2",
        prepare=faults.no_name_server,
        seconds=_SLOW,
    ),
    Run(
        "p4-root-owned-cache",
        Truth("failed", "cache-permission", "/home/appuser/.cache/huggingface/hub"),
        venv=_P4,
        prepare=faults.owned_by_root(""),
        seconds=_SLOW,
    ),
    Run("p4-disk-full", Truth("failed", "disk-full"), venv=_P4, prepare=faults.small("8m"), seconds=_SLOW),
    Run(
        "p4-read-only",
        Truth("failed", "cache-readonly", "/home/appuser/.cache/huggingface/hub"),
        venv=_P4,
        prepare=faults.read_only,
        seconds=_SLOW,
    ),
    Run("p4-offline-empty", Truth("failed", "offline-cache-missing"), venv=_P4, env={"HF_HUB_OFFLINE": "1"}, seconds=_SLOW),
    Run("p4-weights-are-pointers", _CORRUPT, venv=_P4, prepare=faults.weights_are(_POINTER), seconds=_SLOW),
    Run("p4-weights-are-a-page", _CORRUPT, venv=_P4, prepare=faults.weights_are(_HTML), seconds=_SLOW),
    Run("p4-weights-are-cut", _CORRUPT, venv=_P4, prepare=faults.weights_are(_half), seconds=_SLOW),
    Run("p4-weights-are-empty", _CORRUPT, venv=_P4, prepare=faults.weights_are(b""), seconds=_SLOW),
    Run(
        "p4-fallback-helps",
        Truth("recovered", why="community-1's weights are damaged, those of 3.1 are not"),
        venv=_P4,
        seconds=_SLOW,
        prepare=faults.file_is(COMMUNITY, "segmentation/pytorch_model.bin", _half),
    ),
    Run(
        "p4-old-argument",
        Truth("failed", "lib-mismatch", "use_auth_token"),
        venv=_P4,
        jobs=({"old_argument": True},),
        seconds=_SLOW,
    ),
    Run(
        "p4-wants-newer-pyannote",
        Truth("failed", "lib-mismatch", "pyannote.audio"),
        venv=_P4,
        seconds=_SLOW,
        prepare=faults.both(
            faults.file_is(COMMUNITY, "config.yaml", lambda old: old.replace(b"pyannote.audio: 4.0.0", b"pyannote.audio: 5.0.0")),
            faults.file_is(PIPELINE, "config.yaml", lambda old: old.replace(b"3.1.0", b"5.0.0")),
        ),
    ),
    Run("p4-no-cuda", Truth("failed", "gpu-unavailable"), venv=_P4, jobs=({"to_device": "cuda"},), seconds=_SLOW),
    Run(
        "p4-libcudart-missing",
        Truth("failed", "gpu-library", "libcudart.so.13", also=("lib-mismatch",)),
        venv=_P4,
        over="over-torchaudio-2.11.0-cuda",
        seconds=_SLOW,
    ),
    Run(
        "p4-min-above-max",
        Truth("failed", "speakers-config"),
        venv=_P4,
        env={"MIN_SPEAKERS": "5", "MAX_SPEAKERS": "2"},
        seconds=_SLOW,
    ),
    Run("p3-healthy-noisy", _FINE, V3, venv=_P3, seconds=_SLOW),
    Run("p1-healthy-noisy", _FINE, V1, venv=_P3, over="hub:hub-0.30.2", seconds=_SLOW),
    Run(
        "p3-nothing-accepted",
        Truth("failed", "unrecognised", also=("gated-not-accepted",), why=_SAME),
        V3,
        venv=_P3,
        prepare=faults.nothing_accepted,
        seconds=_SLOW,
    ),
    Run(
        "p3-segmentation-not-accepted",
        Truth("failed", "gated-not-accepted", SEGMENTATION),
        V3,
        venv=_P3,
        prepare=faults.grant(SEGMENTATION),
        seconds=_SLOW,
    ),
    Run(
        "p1-segmentation-not-accepted",
        Truth("failed", "gated-not-accepted", SEGMENTATION),
        V1,
        venv=_P3,
        over="hub:hub-0.23.5",
        prepare=faults.grant(SEGMENTATION),
        seconds=_SLOW,
    ),
    Run(
        "p3-no-token",
        Truth(
            "failed",
            "token-missing",
            also=("token-invalid", "token-malformed", "unrecognised"),
            why="up to v0.3 the missing token is sent as an empty one, and the Hub refuses it as it refuses any other",
        ),
        V3,
        venv=_P3,
        token=None,
        seconds=_SLOW,
    ),
    Run("p3-bad-token", Truth("failed", "token-invalid"), V3, venv=_P3, token=OTHER_TOKEN, seconds=_SLOW),
    Run(
        "p3-bad-token-older-hub",
        Truth("failed", "unrecognised", also=("token-invalid", "gated-not-accepted"), why=_SAME),
        V3,
        venv=_P3,
        over="hub:hub-0.26.5",
        token=OTHER_TOKEN,
        seconds=_SLOW,
    ),
    Run("p3-hub-2.4.0", Truth("failed", "lib-mismatch", "use_auth_token"), V3, venv=_P3, over="hub:hub-2.4.0", seconds=_SLOW),
    Run(
        "p3-torchaudio-2.11.0",
        Truth("failed", "lib-mismatch", "AudioMetaData"),
        V3,
        venv=_P3,
        over="over-torchaudio-2.11.0",
        seconds=_SLOW,
    ),
    Run("p3-pyannote-3.1.1-numpy-2", _MISFIT, V3, venv=_P3, over="over-pyannote-3.1.1", seconds=_SLOW),
    Run("p1-weights-only", _MISFIT, V1, venv=_P3, jobs=({"patched": False},), seconds=_SLOW),
    Run(
        "p1-weights-only-listconfig",
        _MISFIT,
        V1,
        venv=_P3,
        jobs=({"patched": False},),
        prepare=faults.weights_of_old_lightning,
        seconds=_SLOW,
    ),
    Run("p3-community-1", Truth("failed", "lib-mismatch", "plda"), V3, venv=_P3, jobs=({"repo": COMMUNITY},), seconds=_SLOW),
    Run("p3-weights-are-pointers", _CORRUPT, V3, venv=_P3, prepare=faults.weights_are(_POINTER), seconds=_SLOW),
    Run("p3-weights-are-cut", _CORRUPT, V3, venv=_P3, prepare=faults.weights_are(_half), seconds=_SLOW),
    Run(
        "p3-root-owned-cache",
        Truth("failed", "cache-permission", "/home/appuser/.cache/torch/pyannote"),
        V3,
        venv=_P3,
        prepare=faults.owned_by_root(""),
        seconds=_SLOW,
    ),
    Run("p3-no-cuda", Truth("failed", "gpu-unavailable"), V3, venv=_P3, jobs=({"to_device": "cuda"},), seconds=_SLOW),
    Run("v3-no-pyannote", Truth("failed", "lib-mismatch", "pyannote"), V3, jobs=({"pyannote": True},)),
    Run("v4-no-pyannote", Truth("failed", "lib-mismatch", "pyannote"), jobs=({"pyannote": True},)),
    Run("p4-machine-memory", Truth("failed", "out-of-memory"), venv=_P4, jobs=({"noise": 100_000_000},), seconds=_SLOW),
    Run("p3-machine-memory", Truth("failed", "out-of-memory"), V3, venv=_P3, jobs=({"noise": 100_000_000},), seconds=_SLOW),
    Run(
        "p3-pending",
        Truth("failed", "unrecognised", also=("gated-pending", "gated-not-accepted"), why=_SAME),
        V3,
        venv=_P3,
        prepare=faults.grant(PIPELINE, "pending"),
        seconds=_SLOW,
    ),
    Run("p3-offline-complete", _FINE, V3, venv=_P3, env={"HF_HUB_OFFLINE": "1"}, prepare=faults.full_cache, seconds=_SLOW),
    Run("p4-offline-complete", _FINE, venv=_P4, env={"HF_HUB_OFFLINE": "1"}, prepare=faults.full_cache, seconds=_SLOW),
)
