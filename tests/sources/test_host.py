"""Free space and network settings: real file systems, and a real container's."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.core.deadline import within
from ot_doctor.evidence import CacheRoot, Host, Purpose, Request, Space, Unavailable, Worker, Workers
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.machine import gather, network_settings
from tests.checks.evidence import cache, worker
from tests.parts.engine import Engine
from tests.parts.images import BACKEND

UNKNOWN = Unavailable("not asked")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte and 64 inodes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def measured(path: Path, **engine: Any) -> Host:
    one = worker(status="exited", env={})
    found = replace(one.engine, **engine)
    seen = cache(root=CacheRoot("/c", str(path), None))
    return gather(Request(environ={}), Workers(found, (replace(one, engine=found),)), seen)


def space(host: Host, purpose: Purpose) -> Space:
    return next(s for s in host.spaces if s.purpose == purpose)


def test_the_file_system_of_the_cache(small: Path) -> None:
    (small / "used").write_bytes(b"x" * 500_000)
    seen = space(measured(small / "hub/not/there/yet"), Purpose.MODEL_CACHE)
    assert seen.path == str(small / "hub/not/there/yet")
    assert seen.total == 1024 * 1024
    assert 400_000 < seen.free < 600_000
    assert (seen.inodes_total, seen.inodes_free, seen.read_only) == (64, 62, False)


def test_a_read_only_file_system(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    assert space(measured(small), Purpose.MODEL_CACHE).read_only


def test_the_engines_data_on_this_machine_only(tmp_path: Path) -> None:
    assert space(measured(tmp_path, data_root=str(tmp_path)), Purpose.ENGINE_DATA).path == str(tmp_path)
    elsewhere = [
        {"data_root": str(tmp_path / "of a virtual machine")},
        {"data_root": str(tmp_path), "endpoint": "tcp://10.0.0.5:2376"},
        {"data_root": str(tmp_path), "operating_system": "Docker Desktop"},
        {"data_root": str(tmp_path), "platform": "darwin"},
        {"data_root": ""},
    ]
    for engine in elsewhere:
        assert [s.purpose for s in measured(tmp_path, **engine).spaces] == [Purpose.MODEL_CACHE]


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    assert measured(tmp_path / ("x" * 5000)).spaces == ()
    assert measured(Path("/nul\0")).spaces == ()


def test_nothing_known_but_the_doctors_own_settings() -> None:
    host = gather(Request(environ={"HTTPS_PROXY": "http://proxy:3128"}), UNKNOWN, UNKNOWN)
    assert (host.spaces, dict(host.doctor_network), dict(host.worker_network)) == ((), {"HTTPS_PROXY": "http://proxy:3128"}, {})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://ana:hunter22@proxy:3128", "http://…@proxy:3128"),
        ("http://ana:p@ss/w@rd@proxy:3128", "http://…@proxy:3128"),
        ("ana:hunter22@proxy:3128", "…@proxy:3128"),
        ("http://secret@proxy", "http://…@proxy"),
        ("http://proxy\x1b[31m:3128\n", "http://proxy:3128"),
    ],
)
def test_credentials_are_masked(value: str, shown: str) -> None:
    assert network_settings({"https_proxy": value}) == {"https_proxy": shown}


def test_which_settings_are_told() -> None:
    env: dict[str, str | Secret] = {
        "NO_PROXY": "localhost,10.0.0.0/8", "no_proxy": "", "SSL_CERT_FILE": "/ca@home/ca.pem", "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": Secret("hf_" + "a1B2" * 9), "PATH": "/bin",
    }  # fmt: skip
    told = network_settings(env)
    assert told == {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "localhost,10.0.0.0/8", "SSL_CERT_FILE": "/ca@home/ca.pem"}


def test_a_call_that_hangs_is_left_behind() -> None:
    read, write = os.pipe()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.2, lambda: os.read(read, 1))
    assert time.monotonic() - began < 0.2 + 2
    os.write(write, b"x")
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    assert within(5, lambda: None) is None


@pytest.mark.engine
def test_the_container_is_asked_when_its_disk_is_not_seen_from_here(clean_engine: Engine) -> None:
    name = f"worker-{time.monotonic_ns()}"
    command = ["run", "-d", "--network", "none", "--name", name, "--tmpfs", "/cache:size=1m", f"{BACKEND}:v0.4.1"]
    container = clean_engine.docker(*command)
    clean_engine.docker("exec", "--user", "0", name, "dd", "if=/dev/zero", "of=/cache/used", "bs=512k", "count=1")
    one: Worker = worker(name, engine=replace(worker().engine, endpoint=clean_engine.host), id=container, env={})
    seen = cache(root=CacheRoot("/cache/hub/it's here", None, None), host_side=False)
    request = Request(environ={"DOCKER_HOST": clean_engine.host})
    (asked,) = gather(request, Workers(one.engine, (one,)), seen).spaces
    assert (asked.path, asked.total, asked.free) == ("/cache/hub/it's here", 1024 * 1024, 512 * 1024)
    assert 0 < asked.inodes_free < asked.inodes_total
    assert gather(replace(request, no_exec=True), Workers(one.engine, (one,)), seen).spaces == ()
