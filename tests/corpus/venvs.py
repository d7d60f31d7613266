"""The virtual environments in which the real libraries run: one a set of versions, made when first needed."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

#: The worker's side; the interpreter is the system's, which a user of the laboratory can reach.
PYTHON = os.environ.get("OT_DOCTOR_CORPUS_PYTHON", "/usr/bin/python3.11")
_CELERY = ("celery==5.6.3", "redis==8.1.0")
_TORCH = ("torch==2.13.0",)
_PYANNOTE_3 = (
    "asteroid-filterbanks", "einops", "lightning", "omegaconf", "pyannote.core<6", "pyannote.database<6", "pyannote.metrics<4",
    "pyannote.pipeline<4", "pytorch_metric_learning", "rich", "semver", "soundfile", "speechbrain>=1", "tensorboardX",
    "torch_audiomentations", "torchmetrics",
)  # fmt: skip

HUBS = ("0.23.5", "0.26.5", "0.30.2", "0.36.2", "1.33.0", "2.4.0")

#: Packages with what they depend on.
WITH_DEPENDENCIES: dict[str, tuple[str, ...]] = {
    **{f"hub-{version}": (f"huggingface_hub=={version}", *_CELERY) for version in HUBS},
    "pyannote-4.0.4": ("pyannote.audio==4.0.4", "torchaudio==2.11.0", "huggingface_hub==0.36.2", *_TORCH, *_CELERY),
    "pyannote-3.4.0": ("huggingface_hub==0.36.2", *_PYANNOTE_3, *_TORCH, *_CELERY),
    "libraries": (
        "huggingface_hub==1.33.0", "safetensors==0.8.0", "onnxruntime==1.32.0", "ctranslate2==4.8.5", "numpy", "requests",
        "httpx", "aiohttp", "omegaconf", "setuptools", *_TORCH, *_CELERY,
    ),
}
#: Packages without: what they ask for is older than the torch that is here.
WITHOUT: dict[str, tuple[str, ...]] = {"pyannote-3.4.0": ("pyannote.audio==3.4.0", "torchaudio==2.8.0")}
#: Packages that stand in front of an environment's own, as a careless upgrade does.
OVER: dict[str, tuple[str, ...]] = {
    "over-ffmpeg": ("imageio-ffmpeg==0.6.0",),
    "over-torchaudio-2.11.0": ("torchaudio==2.11.0",),
    "over-torchaudio-2.11.0-cuda": ("torchaudio==2.11.0",),
    "over-pyannote-3.1.1": ("pyannote.audio==3.1.1",),
}


def base() -> Path:
    return Path(os.environ.get("OT_DOCTOR_CORPUS_VENVS") or "~/.cache/ot-doctor-corpus").expanduser()


def folder(name: str) -> Path:
    if name.startswith("hub:"):  # the packages of one environment in front of another's
        return base() / name.removeprefix("hub:") / "lib/python3.11/site-packages"
    return base() / name


def models() -> Path:
    """Weights of the right shape with random content."""
    return base() / "models"


def ensure(name: str) -> None:
    """Make the environment unless it is there."""
    if name.startswith("hub:"):
        return ensure(name.removeprefix("hub:"))
    done = base() / name / ".done"
    if done.exists():
        return
    print(f"making {name}", file=sys.stderr, flush=True)
    if name in OVER:
        _pip("install", "--no-deps", "--target", str(folder(name)), *OVER[name])
    else:
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(folder(name))], check=True)
        inside = ("--python", str(folder(name) / "bin/python"), "install")
        _pip(*inside, *WITH_DEPENDENCIES[name])
        if name in WITHOUT:
            _pip(*inside, "--no-deps", *WITHOUT[name])
    if not name.endswith("-cuda"):
        # torchaudio's compiled part wants CUDA's libraries; without it, it runs in Python alone.
        for library in folder(name).glob("**/torchaudio/lib/*.so"):
            library.unlink()
    done.touch()


def ensure_models() -> None:
    """Make the weights unless they are there."""
    if not models().is_dir():
        ensure("pyannote-3.4.0")
        script = Path(__file__).with_name("make_models.py")
        python = folder("pyannote-3.4.0") / "bin/python"
        subprocess.run([str(python), str(script), str(models())], check=True, cwd="/", capture_output=True)


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], check=True)


@functools.cache
def versions(name: str, over: str = "") -> dict[str, str]:
    """What is installed there of the packages that matter."""
    wanted = (
        "celery", "huggingface_hub", "requests", "httpx", "torch", "torchaudio", "pyannote.audio", "numpy", "safetensors",
        "onnxruntime", "ctranslate2", "aiohttp", "redis", "hf_xet", "httpx2",
    )  # fmt: skip
    code = (
        "import importlib.metadata as m, platform\nprint('python', platform.python_version())\n"
        f"for n in {wanted}:\n try: print(n, m.version(n))\n except m.PackageNotFoundError: pass"
    )
    env = {"PYTHONPATH": str(folder(over)), "PATH": os.environ["PATH"]} if over else {"PATH": os.environ["PATH"]}
    listed = subprocess.run([str(folder(name) / "bin/python"), "-c", code], check=True, capture_output=True, text=True, env=env)
    return dict(line.split(" ", 1) for line in listed.stdout.splitlines())
