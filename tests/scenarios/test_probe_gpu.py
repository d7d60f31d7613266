"""A calculation on the GPU beside the worker: the container is real, a library and a package stand in for NVML and torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ot_doctor.check import Status
from tests.parts.engine import Engine
from tests.parts.python_image import TAG

from .inside import CONTAINER, Inside, Seen

pytestmark = pytest.mark.engine

_TORCH = """
import os
__version__ = "2.8.0+cu128"

class version:
    cuda = "12.8"

class cuda:
    get_device_name = staticmethod(lambda index: "Fake RTX")
    synchronize = staticmethod(lambda: None)

class Matrix(list):
    def __matmul__(self, other): return Matrix([[float(len(self))]])

def ones(size, device):
    assert device == "cuda" and os.path.exists("/dev/nvidia0"), "what the worker was given"
    if os.environ.get("MODE") == "old driver":
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")
    return Matrix([1.0] * size[1] for _ in range(size[0]))
"""


@pytest.fixture(scope="module")
def inside(engine: Engine, python_worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    place = Inside(engine, tmp_path_factory.mktemp("opentranscribe"))
    (place.folder / "torch.py").write_text(_TORCH)
    yield place
    place.down()


def looked(inside: Inside, library: Path | None = None, mode: str = "", log: str = "") -> Seen:
    mounts = ["-v", f"{inside.folder}/torch.py:/packages/torch.py:ro", "--device", "/dev/null:/dev/nvidia0"]
    if library:
        mounts += ["-v", f"{library}:/usr/lib/libnvidia-ml.so.1:ro"]
    env = {"PYTHONPATH": "/packages", "LD_LIBRARY_PATH": "/usr/lib", "HF_ENDPOINT": "http://127.0.0.1:9", "MODE": mode}
    inside.up(*mounts, env=env, command=("sh", "-c", f"echo '{log}'; exec sleep 600"))
    before = inside.engine.containers()
    seen = inside.look(probe="gpu", gpu=True)
    assert inside.engine.containers() == before, "nothing is left"
    return seen


def test_cuda_is_tried_where_there_is_room_and_no_job(inside: Inside, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make the library with")
    source = Path(__file__).with_name("fake_nvml.c")
    for name, more in (("good", "-DCODE=0"), ("full", "-DCODE=0 -DUSED=23000000000ULL"), ("lost", "-DCODE=999")):
        command = [compiler, "-shared", "-fPIC", *more.split(), "-o", str(tmp_path / f"{name}.so"), str(source)]
        subprocess.run(command, check=True)
    seen = looked(inside, tmp_path / "good.so")
    assert seen.status("gpu-calculates") is Status.PASS, seen.said()
    assert "4.0 of 24.0 GB used before, 4.0 of 24.0 GB used during" in seen.said()
    seen = looked(inside, tmp_path / "good.so", mode="old driver")
    assert "gpu-library" in seen.causes and "too old (found version 11040)" in seen.said()
    seen = looked(inside, tmp_path / "full.so")
    assert seen.status("gpu-calculates") is Status.SKIP and "Only 0.9 GiB of Fake RTX are free" in seen.said()
    seen = looked(inside, tmp_path / "lost.so")
    assert "A new container with the GPU" in seen.said() and "gpu-unavailable" in seen.causes
    seen = looked(inside)
    assert seen.status("gpu-calculates") is Status.UNKNOWN and "is not known, so the GPU was left alone" in seen.said()
    at = "[2026-11-21 01:37:28,804: INFO/MainProcess]"
    job = f"{at} Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1"
    seen = looked(inside, tmp_path / "good.so", log=job)
    assert seen.status("gpu-calculates") is Status.SKIP and "A job is running" in seen.said()


def test_an_engine_without_the_driver_says_so(inside: Inside) -> None:
    """A container with a device request can be made there, and not be started."""
    inside.up()
    every = "{{range $k, $v := .Config.Labels}}--label {{$k}}={{$v}} {{end}}"
    labels = inside.engine.docker("inspect", f"--format={every}", CONTAINER)
    inside.down()
    inside.engine.docker("create", "--gpus", "all", "--name", CONTAINER, *labels.split(), TAG)
    done = inside.doctor("probe", "--probe", "gpu", "--format", "json")
    assert done.returncode == 1, done.stderr
    assert "could not select device driver" in done.stdout and '"gpu-unavailable"' in done.stdout


def test_at_a_terminal_it_is_asked_for(tmp_path: Path) -> None:
    """The default is no: then the look is the usual one."""
    import os
    import pty

    (tmp_path / "docker-compose.yml").write_text("services: {celery-worker: {image: x}}\n")
    main, end = pty.openpty()
    command = [sys.executable, "-m", "ot_doctor", "probe", "--probe", "gpu", "--dir", str(tmp_path), "--no-docker"]
    doctor = subprocess.Popen(command, stdin=end, stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(main, 1000)
        os.write(main, b"\n")
        assert doctor.wait(30) == 3
    finally:
        doctor.kill()
        os.close(main)
