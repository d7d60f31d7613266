"""A v0.5 stack: backend, worker, native engine and the volume for audio, with stand-ins for the programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.parts import models
from tests.scenarios.scenario import APPUSER, Scenario, World

BACKEND, WORKER, SIDECAR = "opentranscribe-backend", "opentranscribe-celery-worker", "opentranscribe-diar-native-1"
TASK = "5b9a1d4e-0c7f-4f0e-9f55-2f0f6a4c1b11"
ENV = (
    "HUGGINGFACE_TOKEN={token}\nREDIS_PASSWORD=0f3a9c1d5e7b2846\nJWT_SECRET_KEY=71c5d9e3f1a40b62\nENCRYPTION_KEY=9d8c7b6a5f4e3d2c\n"
    "DIAR_NATIVE_URL=http://127.0.0.1:8701\n"
)
PROVISIONED = "diar-native models already provisioned at /models (marker valid, 0.01s)."
DENIED = (
    "diar-native provisioning failed (exit 5): token denied Set HUGGINGFACE_TOKEN in .env to a HuggingFace READ token. "
    "Diarization falls back to the in-process PyAnnote engine until this is resolved."
)
NOT_WRITABLE = (
    "diar-native provisioning failed (exit 7): /models is not writable The models directory must be read-write for this step. "
    "Diarization falls back to the in-process PyAnnote engine until this is resolved."
)
_FILES = {"segmentation.onnx": 5_000, "wespeaker-fbank.onnx": 9_000, "plda.npz": 700}
_SERVICES = """\
  backend:
    image: davidamacey/opentranscribe-backend:v0.5.1
    container_name: opentranscribe-backend
    network_mode: host
    env_file: .env
    volumes:
      - ./models/diar-native:/models
      - ./backend.log:/recorded.log:ro
  diar-native:
    image: davidamacey/opentranscribe-backend:v0.5.1
    command: diar-server
    network_mode: {network}
    restart: unless-stopped
    volumes:
      - ./models/diar-native:/models:ro
      - pipeline_scratch:/scratch/opentranscribe
volumes:
  pipeline_scratch:
"""
_VOLUMES = """\
      - ${MODEL_CACHE_DIR:-./models}/huggingface:/home/appuser/.cache/huggingface
      - ${MODEL_CACHE_DIR:-./models}/torch:/home/appuser/.cache/torch
      - ./recorded.log:/recorded.log:ro
      - pipeline_scratch:/scratch/opentranscribe
"""


def text(second: int, level: str, logger: str, message: str) -> str:
    return f"2026-11-28 15:05:{second:02d},499 {level}:{logger}:{message}"


def as_json(second: int, level: str, logger: str, message: str) -> str:
    at = f"2026-11-28 15:05:{second:02d},499"
    return json.dumps({"timestamp": at, "level": level, "name": logger, "message": message, "request_id": "-"})


def job(*lines: tuple[str, str, str], end: str = "'success'", line: Callable[..., str] = text, start: int = 1) -> list[str]:
    """A job's log: ``(level, logger, message)`` between its beginning and its end."""
    task = f"transcription.gpu_transcribe[{TASK}]"
    done = f"Task {task} succeeded in 17.2s: {{'status': {end}, 'file_id': 7}}"
    all_of_it = [("INFO", "celery.worker.strategy", f"Task {task} received"), *lines, ("INFO", "celery.app.trace", done)]
    return [line(start + number, *one) for number, one in enumerate(all_of_it)]


NATIVE = (
    ("INFO", "app.transcription.diarizer_native", "diar-native sidecar ready at http://diar-native:8701"),
    ("INFO", "app.transcription.diarizer_native", "native diarization done in 12.3s: 120 segments, 3 speakers"),
    ("INFO", "app.transcription.engine.stages", "TIMING: diarization step completed in 12.345s"),
)
STOOD_IN = (
    ("WARNING", "app.transcription.diarizer_native", "diar-native sidecar is unreachable; falling back to PyAnnote"),
    ("INFO", "app.transcription.diarizer", "TIMING: diarization completed in 60.345s - 3 speakers, 120 segments"),
    ("INFO", "app.transcription.engine.stages", "TIMING: diarization step completed in 60.400s"),
)


def failed(message: str) -> tuple[tuple[str, str, str], ...]:
    return (("ERROR", "app.tasks.transcription.core", f"GPU transcription failed for file 0c1d: {message}"),)


def fill_native(folder: Path) -> None:
    """The exported models with their list."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in _FILES.items():
        (folder / name).write_bytes(b"\x08" * size)
    files = [{"name": name, "bytes": size, "sha256": "00" * 32} for name, size in _FILES.items()]
    marker = {"schema": 1, "model_set": "fast", "exporter_version": 3, "files": files, "smoke": {"status": "pass"}}
    (folder / "diar-provision.json").write_text(json.dumps(marker))


def stack(
    *,
    log: Sequence[str] | None = None,
    backend_log: str = PROVISIONED,
    native: bool = True,
    sidecar: bool = True,
    cache: str = "complete",
    env: str = "",
    accepted: Sequence[str] | None = None,
    after: Callable[[World], None] | None = None,
    prepare: Callable[[World], None] | None = None,
) -> Scenario:
    """A v0.5 installation; healthy and native unless the arguments say otherwise. The worker shares the engine's network."""

    def ready(world: World) -> None:
        folder = world.models / "diar-native"
        folder.mkdir(parents=True, exist_ok=True)
        if native:
            fill_native(folder)
        models.own(world.models, APPUSER)
        level = "ERROR" if "failed" in backend_log else "INFO"
        (world.folder / "backend.log").write_text(text(1, level, "app.transcription.native_provision", backend_log) + "\n")
        compose = world.folder / "docker-compose.yml"
        shared = "    network_mode: service:diar-native\n" if sidecar and native else "    network_mode: host\n"
        written = compose.read_text().replace("    network_mode: host\n", shared, 1)
        if not sidecar:
            written = written[: written.index("  diar-native:")] + written[written.index("volumes:\n  pipeline") :]
        compose.write_text(written)
        if prepare:
            prepare(world)

    def brought_up(world: World) -> None:
        if sidecar and not native:  # it ends at once where there are no models
            world.until_restarting("opentranscribe-diar-native-1")
        if after:
            after(world)

    return Scenario(
        line="v0.4", image="v0.5.1", env=ENV + env, accepted=accepted, log=log or job(*NATIVE), cache=cache, volumes=_VOLUMES,
        services=_SERVICES.format(network="none"), prepare=ready, after=brought_up,
    )  # fmt: skip
