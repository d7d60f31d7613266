"""Programs whose weights or modules do not fit; like ``programs.py``, which says how they run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HUB = Path("/home/appuser/.cache/huggingface/hub")
MODEL = HUB / "models--pyannote--segmentation-3.0/snapshots/e66f3d3b9eb0873085418a7b813d3b369bf160bb"
TOKEN = os.environ.get("HUGGINGFACE_TOKEN")
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + b"x" * 400 + b"</body></html>\n"
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:0b5b3216d60a2d32fc086b47ea8c67589aaeb26b7e07fcbe620d6d0b83e209ea\nsize 5905440\n"
)


def weights(name: str, content: bytes) -> Path:
    MODEL.mkdir(parents=True, exist_ok=True)
    path = MODEL / name
    path.write_bytes(content)
    return path


# -- safetensors -----------------------------------------------------------------------------------


def good_safetensors() -> bytes:
    import torch
    from safetensors.torch import save

    content: bytes = save({"sincnet.conv1d.0.weight": torch.zeros(80, 251)})
    return content


def load_safetensors(content: bytes) -> None:
    from safetensors.torch import load_file

    load_file(weights("model.safetensors", content))


def safetensors_cut() -> None:
    load_safetensors(good_safetensors()[:4000])


def safetensors_empty() -> None:
    load_safetensors(b"")


def safetensors_page() -> None:
    load_safetensors(PAGE)


def safetensors_pointer() -> None:
    load_safetensors(POINTER)


def safetensors_bad_header() -> None:
    load_safetensors(good_safetensors().replace(b'"dtype"', b'"dty\xff\xfe', 1))


def safetensors_bad_json() -> None:
    load_safetensors(good_safetensors().replace(b'{"sincnet', b"[[sincnet", 1))


def safetensors_gone() -> None:
    from safetensors import safe_open

    MODEL.mkdir(parents=True, exist_ok=True)
    safe_open(MODEL / "model.safetensors", framework="pt")


def safetensors_denied() -> None:
    from safetensors import safe_open

    safe_open(MODEL / "model.safetensors", framework="pt")


def safetensors_other_model() -> None:
    import torch
    from safetensors.torch import load_model, save

    path = weights("model.safetensors", save({"other.weight": torch.zeros(3)}))
    load_model(torch.nn.Linear(2, 2), path)


# -- torch -----------------------------------------------------------------------------------------


def torch_file() -> bytes:
    import io

    import torch

    out = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.zeros(4000)}}, out)
    return out.getvalue()


def load_torch(content: bytes, **options: object) -> None:
    import torch

    torch.load(weights("pytorch_model.bin", content), **options)


def torch_cut() -> None:
    load_torch(torch_file()[:8000])


def torch_empty() -> None:
    load_torch(b"")


def torch_page() -> None:
    load_torch(PAGE)


def torch_page_whole() -> None:
    load_torch(PAGE, weights_only=False)


def torch_pointer() -> None:
    load_torch(POINTER, weights_only=False)


def torch_zeros() -> None:
    load_torch(b"\0" * 4096)


def torch_holes() -> None:
    """A download that left a hole: the beginning is there, the rest is zeros."""
    content = torch_file()
    load_torch(content[:600] + b"\0" * (len(content) - 1200) + content[-600:])


class Settings:
    """Not among the classes that torch loads without being told to."""


def torch_class() -> None:
    import io

    import torch

    out = io.BytesIO()
    torch.save({"hyper_parameters": Settings()}, out)
    load_torch(out.getvalue())


def torch_omegaconf() -> None:
    import io

    import torch
    from omegaconf import OmegaConf

    out = io.BytesIO()
    torch.save({"hyper_parameters": OmegaConf.create({"bins": [1, 2]})}, out)
    load_torch(out.getvalue())


def torch_other_shape() -> None:
    import torch

    torch.nn.Linear(4, 3).load_state_dict(torch.nn.Linear(4, 7).state_dict())


def torch_no_cuda() -> None:
    import torch

    torch.zeros(1).to("cuda")


def torch_cuda_file() -> None:
    """Weights that were stored on a GPU: the same file, but for the name of the place."""
    import io
    import zipfile

    import torch

    with zipfile.ZipFile(io.BytesIO(torch_file())) as old, zipfile.ZipFile(weights("pytorch_model.bin", b""), "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"))
    torch.load(MODEL / "pytorch_model.bin")


def torch_memory() -> None:
    import torch

    torch.zeros(40_000, 400_000)


def torch_gpu_fallback_healthy() -> None:
    """Asks first, and goes on without a GPU."""
    import warnings

    import torch

    if not torch.cuda.is_available():
        warnings.warn("User provided device_type of 'cuda', but CUDA is not available. Disabling", stacklevel=2)
    with torch.autocast("cuda"):
        print("loaded on", torch.zeros(1).device)


# -- other runtimes --------------------------------------------------------------------------------


def onnx_cut() -> None:
    import onnxruntime

    onnxruntime.InferenceSession(weights("model.onnx", b"\x08\x07\x12\x0cbackend-test:\xff\x01" * 20))


def onnx_gone() -> None:
    import onnxruntime

    MODEL.mkdir(parents=True, exist_ok=True)
    onnxruntime.InferenceSession(MODEL / "model.onnx")


def ctranslate_gone() -> None:
    import ctranslate2

    weights("config.json", b"{}")
    ctranslate2.models.Whisper(str(MODEL), device="cpu")


def ctranslate_cut() -> None:
    import ctranslate2

    weights("model.bin", b"\x06\0\0\0")
    ctranslate2.models.Whisper(str(MODEL), device="cpu")


def ctranslate_page() -> None:
    import ctranslate2

    weights("model.bin", PAGE)
    ctranslate2.models.Whisper(str(MODEL), device="cpu")


def ctranslate_cuda() -> None:
    import ctranslate2

    print(ctranslate2.get_supported_compute_types("cuda"))


# -- modules that do not fit -----------------------------------------------------------------------


def module_gone() -> None:
    import whisperx  # noqa: F401


def name_gone() -> None:
    from huggingface_hub import cached_download  # noqa: F401


def attribute_gone() -> None:
    import huggingface_hub

    print(huggingface_hub.HfFolder.get_token())


def argument_gone() -> None:
    from huggingface_hub import hf_hub_download

    old = {"use_auth_token": TOKEN}
    hf_hub_download("pyannote/segmentation-3.0", "config.yaml", **old)  # type: ignore[call-overload]


def numpy_name_gone() -> None:
    import numpy

    print(numpy.NaN)


def numpy_function_gone() -> None:
    import numpy

    print(numpy.in1d([1], [1]), numpy.trapz([1, 2]))


def metadata_gone() -> None:
    import importlib.metadata

    print(importlib.metadata.version("pyannote.audio"))


def library_cut() -> None:
    import ctypes

    path = Path("/tmp/libctranslate2-bc15bf3f.so.4.8.5")
    path.write_bytes(Path("/usr/lib/x86_64-linux-gnu/libc.so.6").read_bytes()[:300])
    ctypes.CDLL(str(path))


def library_of_other_machine() -> None:
    import ctypes

    path = Path("/tmp/libtorch_cpu.so")
    content = bytearray(Path("/usr/lib/x86_64-linux-gnu/libc.so.6").read_bytes()[:4096])
    content[18:20] = (183).to_bytes(2, "little")  # built for ARM
    path.write_bytes(content)
    ctypes.CDLL(str(path))


def cudnn_gone() -> None:
    import ctypes

    ctypes.CDLL("libcudnn_ops.so.9")


def driver_gone() -> None:
    import ctypes

    ctypes.CDLL("libcuda.so.1")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
