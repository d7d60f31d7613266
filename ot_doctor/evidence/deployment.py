"""Which installation is examined: its folder, the folder its stack runs from, and the release line."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from shlex import quote


class ReleaseLine(enum.Enum):
    """Releases that need the same models. v0.5 differs from v0.4 only where its own containers tell."""

    V0_3 = "v0.1-0.3"
    V0_4 = "v0.4"
    V0_5 = "v0.5"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Model:
    """A repository that a release line loads, and the files that it reads there."""

    repo: str
    gated: bool
    required: bool  # without it there are no speakers; else a fallback or an extra
    files: tuple[str, ...]
    purpose: str

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{self.repo}"


COMMUNITY_1 = "pyannote/speaker-diarization-community-1"
DIARIZATION_3_1 = "pyannote/speaker-diarization-3.1"
SEGMENTATION_3_0 = "pyannote/segmentation-3.0"
EMBEDDING = "pyannote/embedding"
WESPEAKER = "pyannote/wespeaker-voxceleb-resnet34-LM"

_COMMUNITY_FILES = (
    "config.yaml",
    "segmentation/pytorch_model.bin",
    "embedding/pytorch_model.bin",
    "plda/xvec_transform.npz",
    "plda/plda.npz",
)
_V0_3_MODELS = (
    Model(DIARIZATION_3_1, True, True, ("config.yaml",), "the diarization pipeline"),
    Model(SEGMENTATION_3_0, True, True, ("config.yaml", "pytorch_model.bin"), "speech segmentation"),
    Model(WESPEAKER, False, True, ("config.yaml", "pytorch_model.bin"), "distinguishing voices"),
    Model(EMBEDDING, True, False, ("pytorch_model.bin",), "recognising speakers in other files"),
)
_V0_4_MODELS = (
    Model(COMMUNITY_1, True, True, _COMMUNITY_FILES, "the whole diarization"),
    Model(DIARIZATION_3_1, True, False, ("config.yaml",), "the fallback pipeline, which needs community-1 as well"),
    Model(SEGMENTATION_3_0, True, False, ("config.yaml", "pytorch_model.bin"), "the fallback pipeline's segmentation"),
)


def models(line: ReleaseLine) -> tuple[Model, ...]:
    """The models of a release line, required ones first; for an unknown line none is required by itself.

    Source: OpenTranscribe v0.1.0 to v0.4.1, pyannote.audio 3.4.0 and 4.0.x. The guide's two models are those of v0.1 to v0.3.
    """
    if line is ReleaseLine.V0_3:
        return _V0_3_MODELS
    if line in (ReleaseLine.V0_4, ReleaseLine.V0_5):
        return _V0_4_MODELS
    known: dict[str, Model] = {}
    for model in _V0_4_MODELS + _V0_3_MODELS:
        files = known[model.repo].files if model.repo in known else ()
        merged = files + tuple(name for name in model.files if name not in files)
        known[model.repo] = Model(model.repo, model.gated, False, merged, model.purpose)
    return tuple(known.values())


@dataclass(frozen=True)
class Deployment:
    """The installation under examination."""

    directory: Path  # the folder that the user asked for or stands in; else the one that the stack runs from
    found_by: str
    env_path: Path  # the .env that the next ``docker compose up`` of the running stack reads
    project: str | None = None
    running_dir: Path | None = None  # the folder that the stack was started from, by the container's labels
    compose_files: tuple[Path, ...] = ()  # absolute; by the labels, else those of the folder
    environment_files: tuple[Path, ...] = ()  # --env-file arguments that Compose was given, by the labels
    version: str | None = None  # "v0.4.1", by the container's image
    line: ReleaseLine = ReleaseLine.UNKNOWN
    line_reason: str = ""  # "TRANSFORMERS_CACHE is set in opentranscribe-celery-worker"
    docker_host: str | None = None  # set where the docker command would not find the examined engine by itself
    v0_1: bool = False  # v0.1.0 for certain: the speaker limits of .env are ignored
    checkout_version: str | None = None  # "v0.3.3", by the folder's VERSION file: only to say that it is older than the image

    @property
    def home(self) -> Path:
        """The folder that the stack's relative paths refer to."""
        return self.running_dir or self.directory

    @property
    def elsewhere(self) -> bool:
        """The folder that was asked for is not the one that the stack runs from."""
        return self.running_dir is not None and self.running_dir != self.directory

    def compose(self, arguments: str) -> str:
        """A ``docker compose`` command for this stack that works from any folder.

        ``arguments`` is the rest of the command: ``up -d --force-recreate celery-worker``.
        """
        words = ["compose"]
        if self.project:
            words.append(f"-p {quote(self.project)}")
        words.append(f"--project-directory {quote(str(self.home))}")
        words += [f"--env-file {quote(str(path))}" for path in self.environment_files]
        words += [f"-f {quote(str(path))}" for path in self.compose_files]
        return self.docker(" ".join([*words, arguments]))

    def docker(self, arguments: str) -> str:
        """A ``docker`` command for the engine that was examined."""
        return f"DOCKER_HOST={quote(self.docker_host)} docker {arguments}" if self.docker_host else f"docker {arguments}"
