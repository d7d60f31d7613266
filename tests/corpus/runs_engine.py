"""What a real Docker engine, its runtime and Compose say where a container cannot be made, cannot start, or ends badly."""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from pathlib import Path

from tests.parts.engine import Engine, parts_folder

from .case import Run, Truth


class _CdiEngine(Engine):
    """One that knows CDI, as newer engines do without being told to."""

    def _command(self) -> list[str]:
        command = super()._command()
        (self.home / "daemon.json").write_text('{"features": {"cdi": true}}')
        return command


_IMAGE = "davidamacey/opentranscribe-backend:v0.4.1"
_NO_GPU = Truth("none", "gpu-unavailable")
_DOWN = Truth("none", "worker-down")
_MEMORY = Truth("none", "out-of-memory")
_HEAD = """\
services:
  celery-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    container_name: opentranscribe-celery-worker
    network_mode: none
"""
_UP = "docker compose up --pull never"


def _worker(*lines: str, env: str | None = None) -> dict[str, str]:
    files = {"docker-compose.yml": _HEAD + "".join(f"    {line}\n" for line in lines)}
    return files if env is None else {**files, ".env": env}


ENGINE: tuple[Run, ...] = (
    Run("d-gpus-all", _NO_GPU, engine=f"docker run --rm --network none --gpus all {_IMAGE}"),
    Run("d-cdi-device", _NO_GPU, engine=f"docker run --rm --network none --device nvidia.com/gpu=all {_IMAGE}"),
    Run("d-runtime-nvidia", _NO_GPU, engine=f"docker run --rm --network none --runtime nvidia {_IMAGE}"),
    Run("d-device-file", _NO_GPU, engine=f"docker run --rm --network none --device /dev/nvidia0 {_IMAGE}"),
    Run(
        "d-compose-gpu",
        _NO_GPU,
        engine=_UP,
        files=_worker(
            "deploy:",
            "  resources:",
            "    reservations:",
            "      devices:",
            "        - driver: nvidia",
            "          count: all",
            "          capabilities: [gpu]",
        ),
    ),
    Run("d-compose-runtime", _NO_GPU, engine=_UP, files=_worker("runtime: nvidia")),
    Run(
        "d-compose-cdi",
        _NO_GPU,
        engine=_UP,
        files=_worker(
            "deploy:",
            "  resources:",
            "    reservations:",
            "      devices:",
            "        - driver: cdi",
            "          device_ids: [nvidia.com/gpu=all]",
            "          capabilities: [gpu]",
        ),
    ),
    Run("d-exec-no-file", _DOWN, engine=f"docker run --rm --network none --entrypoint /app/scripts/start.sh {_IMAGE}"),
    Run("d-exec-not-in-path", _DOWN, engine=f"docker run --rm --network none {_IMAGE} uvicorn app.main:app"),
    Run("d-exec-denied", _DOWN, engine=f"docker run --rm --network none {_IMAGE} /etc/passwd"),
    Run(
        "d-exec-format",
        Truth("none", "hardware-unsupported", also=("worker-down",), why="built for another kind of processor"),
        engine=f"docker run --rm --network none -v $PWD/arm:/usr/local/bin/arm:ro {_IMAGE} /usr/local/bin/arm",
    ),
    Run("d-exec-user", _DOWN, engine=f"docker run --rm --network none -u transcriber {_IMAGE}"),
    Run("d-mount-over-file", _DOWN, engine=f"docker run --rm --network none -v $PWD:/etc/passwd {_IMAGE}"),
    Run("d-compose-exec-no-file", _DOWN, engine=_UP, files=_worker("command: [start-worker]")),
    Run(
        "d-memory",
        _MEMORY,
        engine=_UP,
        files=_worker("mem_limit: 32m", "command: [sh, -c, exec dd if=/dev/zero of=/dev/null bs=256M count=1]"),
    ),
    Run("d-killed-child", _MEMORY, engine=_UP, files=_worker("command: [sh, -c, 'sleep 9 & kill -9 $$!; wait $$!']")),
    Run(
        "d-segv",
        Truth("none", "worker-crashed"),
        engine=_UP,
        files=_worker("command: [sh, -c, 'sleep 9 & kill -11 $$!; wait $$!']"),
    ),
    Run(
        "d-ill",
        Truth("none", "hardware-unsupported"),
        engine=_UP,
        files=_worker("command: [sh, -c, 'sleep 9 & kill -4 $$!; wait $$!']"),
    ),
    Run(
        "d-read-only",
        Truth("none", "cache-readonly"),
        engine=_UP,
        files=_worker(
            "read_only: true", "command: [mkdir, -p, /home/appuser/.cache/huggingface/hub/models--pyannote--segmentation-3.0]"
        ),
    ),
    Run(
        "d-denied",
        Truth("none", "cache-permission"),
        engine=f"mkdir -p models && chmod 700 models\n{_UP}",
        files=_worker(
            "volumes: ['./models:/home/appuser/.cache/huggingface']",
            "command: [mkdir, /home/appuser/.cache/huggingface/hub]",
        ),
    ),
    Run(
        "d-full",
        Truth("none", "disk-full"),
        engine=_UP,
        files=_worker(
            "tmpfs: ['/home/appuser/.cache/huggingface:size=1m,uid=1000']",
            "command: [dd, if=/dev/zero, of=/home/appuser/.cache/huggingface/model.bin, bs=64k, count=40]",
        ),
    ),
    Run(
        "d-pull",
        Truth("none", "network-refused", also=("network-dns", "worker-down"), why="the registry, not the Hub, is out of reach"),
        engine="docker pull davidamacey/opentranscribe-backend:v9.9.9",
    ),
    Run("d-no-image", _DOWN, engine=f"{_UP}", files={"docker-compose.yml": _HEAD.replace("v0.4.1", "v9.9.9")}),
    Run(
        "d-name-taken",
        _DOWN,
        engine=f"docker create --network none --name opentranscribe-celery-worker {_IMAGE} >/dev/null\n{_UP}",
        files=_worker(),
    ),
    Run("d-env-gone", Truth("none", "env-unreadable"), engine=_UP, files=_worker("env_file: .env")),
    Run(
        "d-env-line",
        Truth("none", "env-unreadable"),
        engine=_UP,
        files=_worker("env_file: .env", env="HUGGINGFACE_TOKEN\nMY VARIABLE!=1\n"),
    ),
    Run(
        "d-env-quote",
        Truth("none", "env-unreadable"),
        engine=_UP,
        files=_worker("env_file: .env", env='HUGGINGFACE_TOKEN="hf_\n'),
    ),
    Run(
        "d-token-required",
        Truth("none", "token-missing"),
        engine=_UP,
        files=_worker("environment:", "  HUGGINGFACE_TOKEN: ${HUGGINGFACE_TOKEN:?set it in .env}"),
    ),
    Run(
        "d-yaml",
        Truth(
            "none",
            "unrecognised",
            also=("worker-down", "env-unreadable"),
            why="the Compose file is broken, for which there is no cause",
        ),
        engine=_UP,
        files={"docker-compose.yml": _HEAD + "   volumes:\n  - a: [\n"},
    ),
    Run(
        "d-bind-gone",
        Truth("none", "cache-not-mounted", also=("worker-down",), why="the folder of the models is not there"),
        engine=_UP,
        files=_worker("volumes:", "  - {type: bind, source: /srv/models/huggingface, target: /home/appuser/.cache/huggingface}"),
    ),
    Run("d-no-engine", _DOWN, engine=f"DOCKER_HOST=unix:///var/run/docker.sock {_UP}", files=_worker()),
    Run("d-healthy", Truth("none"), engine="(sleep 4; docker compose stop -t 1 >/dev/null 2>&1) &\n" + _UP, files=_worker()),
)
_FOREIGN = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xb7\0\x01\0\0\0" + b"\0" * 200


def logs_of(runs: list[Run]) -> dict[str, bytes]:
    """Run the commands of each case on one private engine; raises ``EngineError`` where none can be started."""
    found = {}
    with _CdiEngine() as engine, tempfile.TemporaryDirectory(prefix="opentranscribe") as home:
        engine.import_backends()
        for run in runs:
            folder = Path(home) / run.name / "opentranscribe"
            folder.mkdir(parents=True)
            (folder / "arm").write_bytes(_FOREIGN)
            (folder / "arm").chmod(0o755)
            for name, text in run.files.items():
                (folder / name).write_text(text)
            done = subprocess.run(
                ["timeout", "40", "sh", "-c", run.engine],
                cwd=folder,
                env=engine.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=120,
                check=False,
            )
            shown = done.stdout.replace(str(folder).encode(), b"/opt/opentranscribe")
            found[run.name] = re.sub(rb"(?:/tmp|/dev/shm)/otd-engine-\w+", b"/var/run", shown)
            engine.clear()
    return found


@functools.cache
def engine_versions() -> dict[str, str]:
    """Of the programs whose words these are."""
    root = parts_folder() / "root"
    programs = {
        "docker": ["usr/bin/docker", "--version"],
        "dockerd": ["usr/sbin/dockerd", "--version"],
        "compose": ["usr/libexec/docker/cli-plugins/docker-compose", "version", "--short"],
    }
    found = {}
    for name, (program, *words) in programs.items():
        said = subprocess.run([str(root / program), *words], capture_output=True, text=True, check=True).stdout
        found[name] = re.sub(r"^Docker version |,.*", "", said.strip())
    return found
