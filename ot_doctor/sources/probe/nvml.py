"""What NVIDIA's management library (NVML) says of the GPUs, without CUDA.

A part of what is sent to a worker's Python, so the standard library alone and Python 3.8 and later.
"""

from __future__ import annotations

from typing import Any

_LONGEST = 300  # characters of a text


def ask_nvml() -> dict[str, Any]:
    """What the driver's own library says. No CUDA context is made."""
    import ctypes

    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError as error:
        return {"library": False, "code": 0, "text": _short(error), "driver": "", "gpus": []}
    nvml.nvmlErrorString.restype = ctypes.c_char_p
    code = nvml.nvmlInit_v2()
    if code:
        said = (nvml.nvmlErrorString(code) or b"").decode("utf-8", "replace")
        return {"library": True, "code": code, "text": _short(said), "driver": "", "gpus": []}
    buffer, count, handle = ctypes.create_string_buffer(96), ctypes.c_uint(), ctypes.c_void_p()
    memory = (ctypes.c_ulonglong * 3)()  # total, free, used
    nvml.nvmlSystemGetDriverVersion(buffer, 96)
    driver = buffer.value.decode("utf-8", "replace")
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    gpus, text = [], ""
    for index in range(min(count.value, 64)):
        code = nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) or nvml.nvmlDeviceGetName(handle, buffer, 96)
        code = code or nvml.nvmlDeviceGetMemoryInfo(handle, memory)
        if code:
            text = (nvml.nvmlErrorString(code) or b"").decode("utf-8", "replace")
            break
        gpus.append({"name": _short(buffer.value.decode("utf-8", "replace")), "total": memory[0], "used": memory[2]})
    nvml.nvmlShutdown()
    return {"library": True, "code": code if count.value else 0, "text": _short(text), "driver": _short(driver), "gpus": gpus}


def _short(value: object) -> str:
    return str(value)[:_LONGEST]
