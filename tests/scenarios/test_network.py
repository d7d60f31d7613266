"""Docker or the Hub that cannot be asked: unknown, with the right reason, and exit code 3."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.parts import ready_doctor
from tests.parts.hub import Fault
from tests.scenarios.scenario import DOCTOR, BringUp, Scenario, World

pytestmark = pytest.mark.engine

PARTIAL = Scenario(cache="absent", log=[])


@pytest.mark.parametrize(
    "fault, cause",
    [
        (Fault("429"), "rate-limited"),
        (Fault("503"), "hub-unavailable"),
        (Fault("blackhole"), "network-timeout"),
        (Fault("portal"), "network-proxy"),
        (Fault("proxy403"), "network-proxy"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_hub_that_does_not_answer_properly(bring_up: BringUp, fault: Fault, cause: str) -> None:
    world = bring_up(Scenario(cache="absent", log=[]))
    world.hub.fault = fault
    report = world.report("--timeout", "12")
    assert report.document["duration_ms"] < (12 + 3) * 1000
    assert report.causes == [] and report.exit_code == 3, report.summary()
    assert cause in report.text_of("hub-reachable"), report.summary()
    assert report.status("model-access") == "unknown"


@pytest.mark.parametrize("endpoint, cause", [("http://127.0.0.1:9", "network-refused"), ("https://hub.invalid", "network-dns")])
def test_hub_that_cannot_be_reached(bring_up: BringUp, endpoint: str, cause: str) -> None:
    env = f"HUGGINGFACE_TOKEN={{token}}\nHF_ENDPOINT={endpoint}\n"
    report = bring_up(Scenario(cache="absent", log=[], env=env, endpoint=False)).report()
    assert report.causes == [] and report.exit_code == 3, report.summary()
    assert cause in report.text_of("hub-reachable")
    assert endpoint in str(report.document["hub"])


def test_complete_cache_needs_no_hub(bring_up: BringUp) -> None:
    env = "HUGGINGFACE_TOKEN={token}\nHF_ENDPOINT=http://127.0.0.1:9\n"
    report = bring_up(Scenario(env=env, endpoint=False)).report()
    assert report.causes == [], report.summary()
    assert report.exit_code in (0, 3)


def test_offline_asks_nothing_and_is_no_unknown(bring_up: BringUp) -> None:
    world = bring_up(Scenario())
    report = world.report("--offline")
    assert report.exit_code == 0 and world.hub.requests == [], report.summary()
    assert report.status("model-access") == "skip"


def _doctor_without_docker(folder: Path, home: Path, docker_host: str, *prefix: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_HOST": docker_host, "PYTHONUTF8": "1"}
    command = [*prefix, str(DOCTOR), "--offline", "--timeout", "10"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


@contextmanager
def _listening(path: Path, mode: int) -> Iterator[str]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(8)
        path.chmod(mode)
        yield f"unix://{path}"


@pytest.fixture
def folder(bring_up: BringUp, tmp_path: Path) -> Path:
    world: World = bring_up(Scenario(up=()))
    return world.folder


def test_three_different_messages_for_docker(folder: Path, tmp_path: Path) -> None:
    """Not there, not allowed, and hanging are three different troubles."""
    absent = _doctor_without_docker(folder, tmp_path, f"unix://{tmp_path}/absent.sock")
    with _listening(tmp_path / "hang.sock", 0o666) as host:
        hanging = _doctor_without_docker(folder, tmp_path, host)
    with _listening(tmp_path / "closed.sock", 0o600) as host:
        os.chown(tmp_path / "closed.sock", 4242, 4242)
        # Root without the right to pass over file permissions is as good as an ordinary user.
        no_privilege = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
        closed = _doctor_without_docker(folder, tmp_path, host, *no_privilege)
    texts = {name: " ".join(done.stdout.split()) for name, done in (("absent", absent), ("hanging", hanging), ("closed", closed))}
    assert [done.returncode for done in (absent, hanging, closed)] == [3, 3, 3], texts
    assert "there is no such socket" in texts["absent"]
    assert "did not reply within" in texts["hanging"]
    assert "ermission" in texts["closed"] and "sudo" in texts["closed"]


def test_no_docker_is_no_unknown(folder: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUTF8": "1"}
    done = ready_doctor.run("--offline", "--no-docker", cwd=folder, env=env)
    assert done.returncode == 0, done.stdout
