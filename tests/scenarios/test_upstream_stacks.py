"""Stacks that mirror upstream's Compose files, with stand-in images: a healthy one gives no failure, whatever the release.

The shape is upstream's (services, names, overlays, mounts, where the variables come from); the GPU's reservation is left out,
because no engine of a test has one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.parts import models
from tests.scenarios.scenario import APPUSER, Scenario, World

pytestmark = pytest.mark.engine

_BACKEND = "davidamacey/opentranscribe-backend"
_INFRASTRUCTURE = ("postgres", "redis", "minio", "opensearch")
_HELPERS = {
    "v0.1.0": ("celery-download-worker", "celery-cpu-worker", "celery-nlp-worker", "celery-beat", "flower"),
    "v0.3.3": ("celery-download-worker", "celery-cpu-worker", "celery-nlp-worker", "celery-beat", "flower"),
    "v0.4.1": (
        "celery-download-worker", "celery-cpu-worker", "celery-nlp-worker", "celery-embedding-worker", "celery-beat", "flower",
    ),
}  # fmt: skip
_SCALED = """\
services:
  celery-worker:
    scale: ${GPU_SCALE_DEFAULT_WORKER:-0}
  celery-worker-gpu-scaled:
    image: davidamacey/opentranscribe-backend:v0.4.1
    container_name: opentranscribe-celery-worker-gpu-scaled
    scale: 1
    network_mode: host
    env_file: .env
    environment:
      - CUDA_VISIBLE_DEVICES=0
      - GPU_CONCURRENT_REQUESTS=4
    volumes:
      - ${MODEL_CACHE_DIR:-./models}/huggingface:/home/appuser/.cache/huggingface
      - ${MODEL_CACHE_DIR:-./models}/torch:/home/appuser/.cache/torch
      - ./recorded.log:/recorded.log:ro
"""
_LITE = """\
services:
  celery-worker:
    deploy:
      replicas: 0
  celery-cloud-worker:
    image: davidamacey/opentranscribe-backend-lite:latest
    network_mode: host
    env_file: .env
    environment:
      - DEPLOYMENT_MODE=lite
"""
_OFFLINE = """\
services:
  celery-worker:
    environment:
      - HF_HUB_OFFLINE=1
      - HUGGINGFACE_TOKEN=${HUGGINGFACE_TOKEN:-}
      - MIN_SPEAKERS=${MIN_SPEAKERS:-1}
      - MAX_SPEAKERS=${MAX_SPEAKERS:-20}
"""
_OVERLAYS = {"production": "", "offline": _OFFLINE, "lite": _LITE, "gpu-scale": _SCALED}


def _services(release: str) -> str:
    def service(name: str, image: str, more: str) -> str:
        return f"  {name}:\n    image: {image}\n    container_name: opentranscribe-{name}\n    network_mode: host\n{more}"

    models_mount = "      - ${MODEL_CACHE_DIR:-./models}/huggingface:/home/appuser/.cache/huggingface\n"
    ours = f"    env_file: .env\n    volumes:\n{models_mount}"
    return "".join(
        [
            *(service(name, "busybox", "    command: sleep 3600\n") for name in _INFRASTRUCTURE),
            *(service(name, f"{_BACKEND}:{release}", ours) for name in ("backend", *_HELPERS[release])),
            service("frontend", "busybox", "    env_file: .env\n    command: sleep 3600\n"),
        ]
    )


@pytest.mark.parametrize(
    ("release", "overlay"),
    [
        ("v0.1.0", "production"),
        ("v0.3.3", "production"),
        ("v0.4.1", "production"),
        ("v0.3.3", "offline"),
        ("v0.4.1", "offline"),
        ("v0.4.1", "lite"),
        ("v0.4.1", "gpu-scale"),
    ],
)
def test_a_healthy_stack_has_no_failure(bring_up: Callable[[Scenario], World], release: str, overlay: str) -> None:
    def write(world: World) -> None:
        if _OVERLAYS[overlay]:
            (world.folder / "docker-compose.override.yml").write_text(_OVERLAYS[overlay])
        if overlay == "lite":
            world.engine.docker(
                "tag", f"davidamacey/opentranscribe-backend:{release}", "davidamacey/opentranscribe-backend-lite:latest"
            )
        models.own(world.models, APPUSER)

    line = release.rpartition(".")[0]
    world = bring_up(Scenario(line=line, services=_services(release), prepare=write))
    report = world.report()
    assert (report.causes, report.exit_code) == ([], 0), report.summary()
    assert not report.statuses("unknown"), report.summary()
    assert "token-exposed" not in report.warned_causes(), "upstream gives .env to the web pages' container"
    if overlay == "lite":
        assert report.status("worker-running") == "skip"
        return
    assert report.document["deployment"]["version"] == release
    assert report.status("last-attempt") == "pass"
    assert report.document["deployment"]["workers"] == [
        "opentranscribe-celery-worker-gpu-scaled" if overlay == "gpu-scale" else "opentranscribe-celery-worker"
    ]
    assert "native-unavailable" not in report.warned_causes()
