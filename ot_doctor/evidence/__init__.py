"""Evidence: one module a source. Frozen values, and the code that gathers them.

Checks import the types from here. Importing this package imports neither ``docker`` nor ``huggingface_hub``.
"""

from ot_doctor.evidence.base import AS_ROOT, Location, NoSuchWorker, Request, Unavailable
from ot_doctor.evidence.deployment import (
    COMMUNITY_1,
    DIARIZATION_3_1,
    EMBEDDING,
    SEGMENTATION_3_0,
    WESPEAKER,
    Deployment,
    Model,
    ReleaseLine,
    models,
)
from ot_doctor.evidence.env_file import (
    AskedEnvFile,
    ComposeConfig,
    ComposeService,
    ComposeSetting,
    EnvEntry,
    EnvFile,
    EnvProblem,
    OddLine,
    Reader,
    ReaderDifference,
    Refusal,
)
from ot_doctor.evidence.host import Host, Purpose, Space
from ot_doctor.evidence.hub import Answer, FileAnswer, Hub, Identity
from ot_doctor.evidence.installation import Installation
from ot_doctor.evidence.model_cache import (
    CacheAccess,
    CachedFile,
    CachedModel,
    CacheRoot,
    Denied,
    FileState,
    ModelCache,
)
from ot_doctor.evidence.native_engine import NativeEngine, NativeModels, Provisioning, Readiness, ScratchFolder
from ot_doctor.evidence.probe import Ladder, NvmlAnswer, ProcessEnvironment, Rung, SeenGpu, Stage, WorkerProbe, WriteTest
from ot_doctor.evidence.token import WorkerToken
from ot_doctor.evidence.worker_log import Attempt, Hit, LogSource, Outcome, Record, WorkerLog
from ot_doctor.evidence.workers import ComposeLabels, Engine, GpuGrant, Mount, Role, Worker, Workers
from ot_doctor.redaction.secret import TOKEN_NAME, Secret, Shape

__all__ = [
    "AS_ROOT",
    "COMMUNITY_1",
    "DIARIZATION_3_1",
    "EMBEDDING",
    "SEGMENTATION_3_0",
    "TOKEN_NAME",
    "WESPEAKER",
    "Answer",
    "AskedEnvFile",
    "Attempt",
    "CacheAccess",
    "CacheRoot",
    "CachedFile",
    "CachedModel",
    "ComposeConfig",
    "ComposeLabels",
    "ComposeService",
    "ComposeSetting",
    "Denied",
    "Deployment",
    "Engine",
    "EnvEntry",
    "EnvFile",
    "EnvProblem",
    "FileAnswer",
    "FileState",
    "GpuGrant",
    "Hit",
    "Host",
    "Hub",
    "Identity",
    "Installation",
    "Ladder",
    "Location",
    "LogSource",
    "Model",
    "ModelCache",
    "Mount",
    "NativeEngine",
    "NativeModels",
    "NoSuchWorker",
    "NvmlAnswer",
    "OddLine",
    "Outcome",
    "ProcessEnvironment",
    "Provisioning",
    "Purpose",
    "Reader",
    "ReaderDifference",
    "Readiness",
    "Record",
    "Refusal",
    "ReleaseLine",
    "Request",
    "Role",
    "Rung",
    "ScratchFolder",
    "Secret",
    "SeenGpu",
    "Shape",
    "Space",
    "Stage",
    "Unavailable",
    "Worker",
    "WorkerLog",
    "WorkerProbe",
    "WorkerToken",
    "Workers",
    "WriteTest",
    "models",
]  # fmt: skip
