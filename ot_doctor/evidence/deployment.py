"""Which installation is examined: its folder, the folder its stack runs from, and the release line."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ot_doctor.evidence.releases import Model, ReleaseLine, models

__all__ = [
    "COMMUNITY_1", "DIARIZATION_3_1", "EMBEDDING", "SEGMENTATION_3_0", "WESPEAKER", "Deployment", "Model", "ReleaseLine",
    "models",
]  # fmt: skip

COMMUNITY_1 = "pyannote/speaker-diarization-community-1"
DIARIZATION_3_1 = "pyannote/speaker-diarization-3.1"
SEGMENTATION_3_0 = "pyannote/segmentation-3.0"
EMBEDDING = "pyannote/embedding"
WESPEAKER = "pyannote/wespeaker-voxceleb-resnet34-LM"


class ComposeProgram(enum.Enum):
    """The command that makes the stack's containers."""

    DOCKER = "docker compose"
    PODMAN = "podman compose"  # since Podman 4.7; it starts one of the two others
    STANDALONE = "docker-compose"
    PODMAN_COMPOSE = "podman-compose"


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
    version: str | None = None  # "v0.4.1", by the container's image; without one by the Compose file's
    line: ReleaseLine = ReleaseLine.UNKNOWN
    line_reason: str = ""  # "TRANSFORMERS_CACHE is set in opentranscribe-celery-worker"
    podman: bool = False  # the engine is Podman, so its own command is there for certain
    compose_by: ComposeProgram = ComposeProgram.DOCKER
    endpoint: str = ""  # the engine's address, for a program that does not look where it was found
    docker_host: str | None = None  # set where the docker command would not find the examined engine by itself
    docker_context: str = ""  # likewise, where a context of that name leads to it
    machine: str = ""  # "ssh://me@server": where the folder is, of which only the engine was reached; empty: this one
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
        words = [f"-p {quote(self.project)}"] if self.project else []
        if self.compose_by is not ComposeProgram.PODMAN_COMPOSE:  # that one takes the folder of the first file
            words.append(f"--project-directory {quote(str(self.home))}")
        words += [f"--env-file {quote(str(path))}" for path in self.environment_files]
        words += [f"-f {quote(str(path))}" for path in self.compose_files]
        if self.compose_by is ComposeProgram.PODMAN_COMPOSE:
            engine = f"CONTAINER_HOST={quote(self.docker_host)} " if self.docker_host else ""
            # It fetches an image only where none is there, and knows no option that says so.
            return engine + " ".join([self.compose_by.value, *words, re.sub(r"--pull \w+ ", "", arguments)])
        if self.compose_by is ComposeProgram.STANDALONE:
            return " ".join([f"DOCKER_HOST={quote(self.endpoint)}", self.compose_by.value, *words, arguments])
        return self.docker(" ".join(["compose", *words, arguments]))

    def docker(self, arguments: str) -> str:
        """A ``docker`` command for the engine that was examined; Podman's takes the same arguments."""
        if self.podman:
            return f"podman --url {quote(self.docker_host)} {arguments}" if self.docker_host else f"podman {arguments}"
        if self.docker_context:
            return f"docker --context {quote(self.docker_context)} {arguments}"
        return f"DOCKER_HOST={quote(self.docker_host)} docker {arguments}" if self.docker_host else f"docker {arguments}"
