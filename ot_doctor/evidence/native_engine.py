"""The native diarization engine of v0.5: the container diar-native, its models, and the volume for audio."""

from __future__ import annotations

from dataclasses import dataclass

from ot_doctor.evidence.worker_log import LogSource, Record
from ot_doctor.evidence.workers import Worker


@dataclass(frozen=True)
class Readiness:
    """What ``/readyz`` of the native engine answers, asked in the worker or in the engine's own container."""

    asked_in: str  # a container
    url: str
    status: int  # of HTTP; 0: nothing answered
    models_state: str = ""  # "verified", "stale", "unverified", "failed", "absent"
    reason: str = ""  # the engine's own words

    @property
    def ready(self) -> bool:
        return self.status == 200


@dataclass(frozen=True)
class NativeModels:
    """The folder with the exported models, held against the marker that the export leaves in it."""

    path: str  # on the host where it was read there, else in the container
    marked: bool  # the marker is there and can be read
    tested: bool = False  # it says that the models passed their test
    files: int = 0  # that the marker names
    wrong: tuple[str, ...] = ()  # of those: missing, or of another size

    @property
    def complete(self) -> bool:
        return self.marked and self.tested and self.files > 0 and not self.wrong


@dataclass(frozen=True)
class Provisioning:
    """The newest line of the backend's log about the export of the models."""

    container: str
    record: Record
    done: bool  # they were exported, or were there already
    skipped: bool = False  # switched off, or not possible with this image
    exit_code: int | None = None  # 5: the token was refused; 7: the folder cannot be written


@dataclass(frozen=True)
class ScratchFolder:
    """A folder of the volume through which audio is handed over, as the worker's user sees it."""

    worker: str
    path: str  # in the container
    usable: bool  # it may be read, written and entered
    owner: str = ""  # "0:0", numbers
    mode: str = ""  # "drwxr-xr-x"


@dataclass(frozen=True)
class NativeEngine:
    """The engine as it is configured and as it is. A ``None`` was not found out; the text beside it says why."""

    configured: bool  # native is the configured engine of the first diarizer
    configured_by: str  # "ENGINE_DIARIZER_BACKEND=native in …", "the default of v0.5"
    required: bool  # the fallback to PyAnnote is forbidden
    sidecars: tuple[Worker, ...] = ()  # running ones first
    sidecar_version: str | None = None  # of OpenTranscribe, by the image
    worker_version: str | None = None
    readiness: Readiness | None = None
    not_asked: str = ""
    models: NativeModels | None = None
    models_unseen: str = ""
    provisioning: Provisioning | None = None
    scratch: tuple[ScratchFolder, ...] = ()
    scratch_unseen: str = ""
    errors: tuple[Record, ...] = ()  # the last ones of the sidecar's log
    logs: tuple[LogSource, ...] = ()  # of the sidecar and of the backend
    exec_left_out: bool = False  # nothing may be run in containers

    @property
    def running(self) -> bool:
        return any(sidecar.running and sidecar.health != "unhealthy" for sidecar in self.sidecars)

    @property
    def serves(self) -> bool:
        """Whether it does the work: it answers that it is ready, or runs with all its models where it could not be asked."""
        if not self.configured or not self.running:
            return False
        if self.readiness is not None:
            return self.readiness.ready
        return self.models is not None and self.models.complete
