"""A worker that a Swarm runs: it is recognised, and what is advised about it is a Swarm's."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.parts.engine import Engine

from .scenario import DOCTOR, TOKEN

pytestmark = pytest.mark.engine
COMPOSE = """\
version: "3.8"
services:
  celery-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    env_file: .env
    command: ["sleep", "600"]
"""


def test_a_stack(clean_engine: Engine, tmp_path: Path) -> None:
    clean_engine.import_backends()
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\n")
    (tmp_path / ".env").chmod(0o600)
    clean_engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        clean_engine.docker("stack", "deploy", "-c", str(tmp_path / "docker-compose.yml"), "ot")
        until = time.monotonic() + 60
        while not (running := clean_engine.docker("ps", "--format", "{{.Names}}").split()):
            assert time.monotonic() < until, "no task was started"
            time.sleep(0.2)
        (tmp_path / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN[:-1]}x\n")
        environ = {**clean_engine.environment(), "LANG": "C.UTF-8"}
        command = [str(DOCTOR), "--dir", str(tmp_path), "--offline", "--format", "json"]
        document = json.loads(subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60).stdout)
    finally:
        clean_engine.run("docker", "swarm", "leave", "--force", check=False)
    assert document["deployment"]["workers"] == running
    statuses = {check["name"]: check["status"] for check in document["checks"]}
    assert statuses["worker-running"] == "pass"
    (stale,) = [cause for cause in document["diagnosis"] if cause["cause"] == "stale-worker-env"]
    said = json.dumps(stale)
    assert f"stack deploy -c {tmp_path / 'docker-compose.yml'} ot" in said and "docker compose" not in said
