"""The cache and the file system under it."""

from __future__ import annotations

import shutil

from tests.parts import models

from . import faults
from .case import COMMUNITY, OTHER_TOKEN, PIPELINE, V1, V3, Run, Truth

_HUB = "/home/appuser/.cache/huggingface/hub"
_TORCH = "/home/appuser/.cache/torch"
_MODEL = "models--pyannote--speaker-diarization-community-1"
_DENIED = Truth("failed", "cache-permission", _HUB)
_READ_ONLY = Truth("failed", "cache-readonly", _HUB)
_FULL = Truth("failed", "disk-full")
_FULL_BLOBS = Truth("failed", "disk-full", f"{_HUB}/{_MODEL}/blobs")
_OFFLINE = Truth("failed", "offline-cache-missing")
_FINE = Truth("succeeded")
_OFF = {"HF_HUB_OFFLINE": "1"}
_VAGUE = "v0.3 logs the client's own sentence alone, which a missing cache and a dead network share"

CACHE: tuple[Run, ...] = (
    *(
        Run(f"v4-root-owned-cache-hub-{hub}", _DENIED, venv=f"hub-{hub}", prepare=faults.owned_by_root(""))
        for hub in ("0.23.5", "0.36.2", "2.4.0")
    ),
    Run(
        "v4-root-owned-locks-hub-0.36.2",
        Truth("failed", "cache-permission", f"{_HUB}/.locks/{_MODEL}"),
        prepare=faults.both(faults.owned_by_root("hub/.locks"), faults.owned_by_user("hub")),
    ),
    Run(
        "v4-root-owned-locks-hub-2.4.0",
        Truth("failed", "cache-permission", f"{_HUB}/.locks/{_MODEL}"),
        venv="hub-2.4.0",
        prepare=faults.both(faults.owned_by_root("hub/.locks"), faults.owned_by_user("hub")),
    ),
    Run(
        "v4-root-owned-model-folder",
        Truth("failed", "cache-permission", f"{_HUB}/{_MODEL}/blobs"),
        venv="hub-0.30.2",
        prepare=faults.both(faults.owned_by_root(f"hub/{_MODEL}"), faults.owned_by_user("hub")),
    ),
    Run(
        "v4-root-owned-blobs",
        Truth("failed", "cache-permission"),
        prepare=faults.both(
            faults.owned_by_root(f"hub/{_MODEL}/blobs"), faults.owned_by_user("hub"), faults.owned_by_user(f"hub/{_MODEL}")
        ),
    ),
    Run(
        "v4-blob-0600",
        Truth("failed", "cache-permission", why="the fallback then meets another hindrance, which is not the cause"),
        prepare=faults.both(faults.grant(PIPELINE), faults.cached_but(faults.unreadable("segmentation/pytorch_model.bin"))),
    ),
    Run(
        "v4-blob-0600-fallback-helps",
        Truth("recovered"),
        prepare=faults.cached_but(faults.unreadable("segmentation/pytorch_model.bin")),
    ),
    Run(
        "v4-unreadable-folder-and-not-accepted",
        Truth(
            "failed",
            "gated-not-accepted",
            COMMUNITY,
            also=("cache-permission",),
            why="the files are there, but in a folder that the worker may not enter: the log shows only what the Hub says",
        ),
        prepare=faults.both(faults.nothing_accepted, faults.cached_but(faults.closed)),
    ),
    Run("v3-root-owned-cache", Truth("failed", "cache-permission", f"{_TORCH}/pyannote"), V3, prepare=faults.owned_by_root("")),
    Run(
        "v1-root-owned-cache",
        Truth("failed", "cache-permission", f"{_TORCH}/pyannote"),
        V1,
        venv="hub-0.30.2",
        prepare=faults.owned_by_root(""),
    ),
    *(
        Run(f"v4-read-only-hub-{hub}", _READ_ONLY, venv=f"hub-{hub}", prepare=faults.read_only)
        for hub in ("0.26.5", "0.36.2", "2.4.0")
    ),
    Run("v3-read-only", Truth("failed", "cache-readonly", f"{_TORCH}/pyannote"), V3, prepare=faults.read_only),
    *(
        Run(f"v4-disk-full-hub-{hub}", _FULL_BLOBS, venv=f"hub-{hub}", prepare=faults.small())
        for hub in ("0.23.5", "0.36.2", "2.4.0")
    ),
    Run("v4-no-room-at-all", _FULL, prepare=faults.small(fill=True)),
    Run("v4-no-inodes", _FULL, venv="hub-0.30.2", prepare=faults.small(inodes=10)),
    Run("v3-disk-full", _FULL, V3, prepare=faults.small()),
    *(Run(f"v4-offline-empty-hub-{hub}", _OFFLINE, venv=f"hub-{hub}", env=_OFF) for hub in ("0.26.5", "0.36.2", "2.4.0")),
    Run(
        "v4-offline-partial",
        _OFFLINE,
        env=_OFF,
        prepare=faults.cached_but(lambda repo: models.file_in(repo, "plda/plda.npz").unlink()),
    ),
    Run(
        "v4-offline-dangling",
        _OFFLINE,
        venv="hub-1.33.0",
        env=_OFF,
        prepare=faults.cached_but(lambda repo: models.make_dangling(repo, "plda/plda.npz")),
    ),
    Run(
        "v4-offline-no-refs",
        _OFFLINE,
        venv="hub-0.30.2",
        env=_OFF,
        prepare=faults.cached_but(lambda repo: shutil.rmtree(repo / "refs")),
    ),
    Run("v4-local-files-only", _OFFLINE, jobs=({"local": True},)),
    Run("v4-local-files-only-hub-2.4.0", _OFFLINE, venv="hub-2.4.0", jobs=({"local": True},)),
    Run("v3-offline-empty", Truth("failed", "offline-cache-missing", also=("unrecognised",), why=_VAGUE), V3, env=_OFF),
    Run("v4-offline-complete", _FINE, env=_OFF, prepare=faults.full_cache),
    Run("v4-cached-and-revoked-token", _FINE, token=OTHER_TOKEN, prepare=faults.full_cache),
    Run("v4-cached-and-not-accepted", _FINE, venv="hub-2.4.0", prepare=faults.both(faults.nothing_accepted, faults.full_cache)),
    Run("v4-cached-read-only", _FINE, prepare=faults.both(faults.full_cache, faults.read_only)),
    Run(
        "v4-copied-without-locks-read-only",
        Truth(
            "failed",
            "cache-readonly",
            f"{_HUB}/.locks",
            why="all files are there, but this client wants the folder of its locks first",
        ),
        prepare=faults.both(faults.cached_but(lambda repo: shutil.rmtree(repo.parent / ".locks")), faults.read_only),
    ),
    Run("v4-cached-no-name-server", _FINE, venv="hub-0.30.2", prepare=faults.both(faults.full_cache, faults.no_such_name)),
    Run(
        "v3-cached-hub-unavailable", _FINE, V3, venv="hub-0.26.5", prepare=faults.both(faults.full_cache, faults.hub_fault("503"))
    ),
)
