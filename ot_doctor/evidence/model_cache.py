"""The model cache: what is in it, and what the worker's user may do there."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from ot_doctor.evidence.workers import Mount


class FileState(enum.Enum):
    OK = "ok"
    MISSING = "missing"
    DANGLING = "dangling link"  # as the container sees it
    LFS_POINTER = "git-lfs pointer"
    HTML = "HTML page"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    NOT_A_FILE = "not a file"  # a folder, a pipe, a device
    UNREADABLE = "unreadable"  # could not be looked at by the doctor

    @property
    def corrupt(self) -> bool:
        return self not in (FileState.OK, FileState.MISSING, FileState.DANGLING, FileState.UNREADABLE)


class CacheView(enum.Enum):
    """How the cache was seen; of several ways, the one that is trusted most."""

    WORKER = "seen by the worker itself"
    ARCHIVE = "seen through the engine's archive"
    HOST = "seen on this machine's disk"
    NOBODY = "not seen"


@dataclass(frozen=True)
class CachedFile:
    name: str  # within the repository: "plda/plda.npz"
    state: FileState
    size: int = 0  # bytes
    path: str = ""  # on the host, else in the container


@dataclass(frozen=True)
class CachedModel:
    """One repository of the release line, where that line looks for it."""

    repo: str
    required: bool
    path: str  # the models--… folder on the host; the container's path where the host's cannot be read
    container_path: str
    files: tuple[CachedFile, ...]  # every needed file, present or not
    present: bool  # the models--… folder is there
    commit: str = ""
    incomplete: tuple[str, ...] = ()  # *.incomplete files, newest first
    problem: str = ""  # why the client would not find the files although they are there: "no refs/main", ...
    changed_at: datetime | None = None  # when a needed file was last written, or got another owner or mode; aware, UTC

    @property
    def complete(self) -> bool:
        return self.present and not self.problem and all(f.state is FileState.OK for f in self.files)

    @property
    def missing(self) -> tuple[CachedFile, ...]:
        return tuple(f for f in self.files if f.state in (FileState.MISSING, FileState.DANGLING))

    @property
    def corrupt(self) -> tuple[CachedFile, ...]:
        return tuple(f for f in self.files if f.state.corrupt)


@dataclass(frozen=True)
class Denied:
    """A path that the worker's user cannot use."""

    path: str  # on the host where it is known, else in the container
    container_path: str
    what: str  # "read", "write", "enter"
    owner: str = ""  # "root (0)"
    mode: str = ""  # "drwxr-xr-x"
    mode_allows: bool = False  # owner and mode would let the user: an SELinux label or an ACL does not
    unmapped: bool = False  # the owner is none of the users that a rootless engine's containers have: they cannot change it


@dataclass(frozen=True)
class CacheAccess:
    """What the worker's user may do, asked of the container, or worked out from owner, group and mode."""

    how: str  # "asked in the container", "worked out from owner and mode", "not known"
    user: str  # "appuser (1000)"
    uid: int | None  # 1000; None: not known
    readable: bool | None  # every needed file that is there, and the folders above; None: not known
    writable: bool | None  # the cache root, the models--… folders and .locks that a download writes to
    denied: tuple[Denied, ...] = ()


@dataclass(frozen=True)
class CacheRoot:
    """Where the release line looks for models."""

    container_path: str  # "/home/appuser/.cache/huggingface/hub"
    path: str | None  # the same on the host; None when it lies on no mount, or cannot be seen from here
    mount: Mount | None  # None: it lies in the container's own layer and is lost with it
    set_by: str = ""  # the variable that moved it: "HF_HOME", "HF_HUB_CACHE", "PYANNOTE_CACHE"; empty: the default
    exists: bool | None = None
    read_only: bool = False  # the mount, or the file system under it


@dataclass(frozen=True)
class ModelCache:
    """The cache of the diarizing worker."""

    worker: str  # the container; empty when Docker was not asked and .env alone told
    root: CacheRoot
    models: tuple[CachedModel, ...]
    access: CacheAccess
    offline: str | None = None  # the variable that forbids downloads: "HF_HUB_OFFLINE=1"
    misplaced: tuple[str, ...] = ()  # model folders where no release looks, host paths
    old_layout: tuple[str, ...] = ()  # v0.3 files beside a v0.4 worker: harmless, unused
    configured: str | None = None  # MODEL_CACHE_DIR of .env, resolved
    host_side: bool = True  # read from the mounts' host side, else through the container
    replaced: bool = False  # the host's folder was recreated: until its restart the container keeps the deleted one
    native: bool = False  # the native engine does the work with its own models: the worker needs none of these
    view: CacheView = CacheView.NOBODY
    models_dir: str | None = None  # the host folder to fix: MODEL_CACHE_DIR as mounted ("/srv/ot/models")

    @property
    def complete(self) -> bool:
        """Every file that the release line needs is there and is a model."""
        needed = [m for m in self.models if m.required]
        return bool(needed) and all(m.complete for m in needed)

    @property
    def changed_at(self) -> datetime | None:
        """When a required model last changed; ``None`` where that is not known of all."""
        times = [m.changed_at for m in self.models if m.required]
        return max((at for at in times if at), default=None) if all(times) else None

    @property
    def suffices(self) -> bool:
        """The worker needs no Hub: complete, and readable for its user."""
        return self.complete and self.access.readable is True

    @property
    def spares_the_hub(self) -> bool:
        """The worker does not ask the Hub: it has what it needs, or must not."""
        return self.native or self.suffices or self.offline is not None
