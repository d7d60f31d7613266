"""Programs that fail for a real reason. They run in the worker's container, in its place: ``python programs.py NAME``.

Each function is one program; what it raises, and what its libraries print, is the log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

HUB = Path("/home/appuser/.cache/huggingface/hub")
MODEL = HUB / "models--pyannote--segmentation-3.0/snapshots/e66f3d3b9eb0873085418a7b813d3b369bf160bb"
SCRATCH = Path("/scratch/opentranscribe")
TOKEN = os.environ.get("HUGGINGFACE_TOKEN")


# -- the operating system --------------------------------------------------------------------------


def scratch_full() -> None:
    with (SCRATCH / "audio.wav").open("wb") as out:
        out.write(os.urandom(3_000_000))


def scratch_denied() -> None:
    (SCRATCH / "0192f6a4").mkdir()


def cache_denied() -> None:
    (HUB / "models--pyannote--segmentation-3.0").mkdir(parents=True)


def copied_weights() -> None:
    import shutil

    source = Path("/tmp/pytorch_model.bin")
    source.write_bytes(os.urandom(3_000_000))
    HUB.mkdir(exist_ok=True)
    shutil.copyfile(source, HUB / "pytorch_model.bin")


def too_many_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
    kept = [os.open("/proc/self/status", os.O_RDONLY) for _ in range(40)]
    print(len(kept))


def too_many_sockets() -> None:
    import resource

    import requests

    resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
    kept = [os.open("/proc/self/status", os.O_RDONLY) for _ in range(20)]
    try:
        requests.get("https://huggingface.co/api/whoami-v2", timeout=5)
    finally:
        print(len(kept), "files are open", file=sys.stderr)


def no_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
    chunks = [bytearray(64 << 20) for _ in range(20)]
    print(len(chunks))


def no_memory_for_array() -> None:
    import numpy

    numpy.zeros((100_000, 200_000))


def no_memory_for_map() -> None:
    import mmap
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
    mmap.mmap(-1, 2 << 30)


def no_memory_for_thread() -> None:
    import resource
    import threading

    resource.setrlimit(resource.RLIMIT_AS, (120 << 20, 120 << 20))
    threading.stack_size(64 << 20)
    for _ in range(8):
        threading.Thread(target=signal.pause, daemon=True).start()


# -- how a child ends ------------------------------------------------------------------------------


def child_ends_by(number: int) -> None:
    code = f"import os; os.kill(os.getpid(), {number})"
    subprocess.run([sys.executable, "-c", code], check=True)


def child_killed() -> None:
    child_ends_by(signal.SIGKILL)


def child_crashed() -> None:
    child_ends_by(signal.SIGSEGV)


def child_exits() -> None:
    subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)


def child_illegal() -> None:
    subprocess.run(["/app/ud2"], check=True)


def illegal_here() -> None:
    """The instruction itself, in this process, as a build for a newer processor has it."""
    import ctypes
    import faulthandler
    import mmap

    faulthandler.enable()
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\x0f\x0b")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    ctypes.CFUNCTYPE(None)(address)()


def crashed_here() -> None:
    import ctypes
    import faulthandler

    faulthandler.enable()
    ctypes.string_at(8)


def bus_error() -> None:
    """A file that is mapped and then shorter than what is read: as a shared memory that is too small."""
    import faulthandler
    import mmap

    faulthandler.enable()
    with Path("/tmp/torch_77_shm").open("w+b") as shared:
        shared.truncate(8192)
        mapped = mmap.mmap(shared.fileno(), 8192)
        shared.truncate(0)
        print(mapped[5000])


def aborted_by_library() -> None:
    import ctypes

    library = ctypes.CDLL("libstdc++.so.6")
    library._ZSt20__throw_length_errorPKc(b"vector::_M_default_append")


def pool_child_gone() -> None:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1) as pool:
        print(pool.submit(os._exit, 1).result())


# -- the Hub and the broker ------------------------------------------------------------------------


def download() -> None:
    from huggingface_hub import hf_hub_download

    path = hf_hub_download("pyannote/segmentation-3.0", "pytorch_model.bin", token=TOKEN)
    print("downloaded", os.path.getsize(path), "bytes")


def snapshot() -> None:
    from huggingface_hub import snapshot_download

    print(snapshot_download("pyannote/speaker-diarization-community-1", token=TOKEN))


def whoami() -> None:
    from huggingface_hub import HfApi

    print(HfApi().whoami(token=TOKEN))


def model_info() -> None:
    from huggingface_hub import HfApi

    print(HfApi().model_info("pyannote/speaker-diarization-4.0", token=TOKEN))


def by_requests() -> None:
    import requests

    requests.get("https://huggingface.co/api/whoami-v2", timeout=3).raise_for_status()


def by_httpx() -> None:
    import httpx

    httpx.get("https://huggingface.co/api/whoami-v2", timeout=3).raise_for_status()


def by_urllib() -> None:
    import urllib.request

    urllib.request.urlopen("https://huggingface.co/api/whoami-v2", timeout=3)


def by_aiohttp() -> None:
    import asyncio

    import aiohttp

    async def ask() -> None:
        limit = aiohttp.ClientTimeout(3)
        async with aiohttp.ClientSession(timeout=limit) as session, session.get("https://huggingface.co/api/whoami-v2") as answer:
            answer.raise_for_status()

    asyncio.run(ask())


def redis_ping() -> None:
    import redis

    redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://redis:6379/0")).lpush("gpu", "job")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
