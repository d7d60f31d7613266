"""Faults of single programs in the worker's container: weights, modules, the operating system, and how a child ends."""

from __future__ import annotations

from . import faults, programs
from .case import Run, Truth
from .programs import HUB, MODEL, SCRATCH

_LIBRARIES = "libraries"
_NONE = Truth("none")
_CORRUPT = Truth("none", "model-corrupt")
_MISMATCH = Truth("none", "lib-mismatch")
_MEMORY = Truth("none", "out-of-memory")
_NO_GPU = Truth("none", "gpu-unavailable")
_CRASHED = Truth("none", "worker-crashed")
_TOO_OLD = Truth("none", "hardware-unsupported")
_FULL = Truth("none", "disk-full")
_GONE = Truth("none", "cache-incomplete", why="the model's folder is there, one of its files is not")
_KILLED = Truth("none", "out-of-memory", why="nobody but the kernel's memory killer, or a person, sends signal 9")
_FILES = Truth("none", "unrecognised", why="a limit of the process; the vocabulary has no cause for it, so its lines are shown")


def python_program(name: str) -> tuple[str, ...]:
    file = "programs.py" if hasattr(programs, name) else "programs_models.py"
    return ("/opt/venv/bin/python", f"/app/{file}", name)


def _shell(script: str, shell: str = "sh") -> tuple[str, ...]:
    return (f"/bin/{shell}", "-c", script)


#: Programs under the libraries' environment, as they are.
_PLAIN: dict[str, Truth] = {
    "safetensors_cut": _CORRUPT,
    "safetensors_empty": _CORRUPT,
    "safetensors_page": _CORRUPT,
    "safetensors_pointer": _CORRUPT,
    "safetensors_bad_header": _CORRUPT,
    "safetensors_bad_json": _CORRUPT,
    "safetensors_gone": _GONE,
    "safetensors_other_model": _MISMATCH,
    "torch_cut": _CORRUPT,
    "torch_empty": _CORRUPT,
    "torch_page": Truth("none", "model-corrupt", why="torch speaks of its safe loading, but the file is a page"),
    "torch_page_whole": _CORRUPT,
    "torch_pointer": _CORRUPT,
    "torch_zeros": _CORRUPT,
    "torch_holes": _CORRUPT,
    "torch_class": _MISMATCH,
    "torch_omegaconf": _MISMATCH,
    "torch_other_shape": _MISMATCH,
    "torch_no_cuda": _NO_GPU,
    "torch_cuda_file": _NO_GPU,
    "torch_memory": _MEMORY,
    "torch_gpu_fallback_healthy": _NONE,
    "onnx_cut": _CORRUPT,
    "onnx_gone": _GONE,
    "ctranslate_gone": _GONE,
    "ctranslate_cut": Truth("none", "model-corrupt", also=("cache-incomplete",), why="a file that is cut off is both"),
    "ctranslate_page": _CORRUPT,
    "ctranslate_cuda": _NO_GPU,
    "module_gone": _MISMATCH,
    "name_gone": _MISMATCH,
    "attribute_gone": _MISMATCH,
    "argument_gone": _MISMATCH,
    "numpy_name_gone": _MISMATCH,
    "numpy_function_gone": _MISMATCH,
    "metadata_gone": _MISMATCH,
    "library_cut": _MISMATCH,
    "library_of_other_machine": Truth(
        "none", "lib-mismatch", also=("hardware-unsupported",), why="a package for another machine"
    ),
    "cudnn_gone": Truth("none", "gpu-library"),
    "driver_gone": _NO_GPU,
    "too_many_files": _FILES,
    "too_many_sockets": _FILES,
    "no_memory": _MEMORY,
    "no_memory_for_array": _MEMORY,
    "no_memory_for_map": _MEMORY,
    "no_memory_for_thread": Truth(
        "none", "out-of-memory", also=("unrecognised",), why="a limit of processes is told in the same words"
    ),
    "child_killed": _KILLED,
    "child_crashed": _CRASHED,
    "child_exits": Truth("none", "unrecognised", why="an exit code alone tells no cause"),
    "illegal_here": _TOO_OLD,
    "crashed_here": _CRASHED,
    "bus_error": _CRASHED,
    "aborted_by_library": _CRASHED,
    "pool_child_gone": Truth("none", "worker-crashed", also=("unrecognised",), why="the pool does not say how its child ended"),
}

PROGRAMS: tuple[Run, ...] = (
    *(Run(f"o-{name.replace('_', '-')}", truth, venv=_LIBRARIES, command=python_program(name)) for name, truth in _PLAIN.items()),
    Run(
        "o-safetensors-denied",
        Truth(
            "none",
            "cache-permission",
            also=("cache-incomplete",),
            why="safetensors says of each file that it cannot open: not found",
        ),
        venv=_LIBRARIES,
        command=python_program("safetensors_denied"),
        prepare=faults.model_denied,
    ),
    Run("o-scratch-full", _FULL, command=python_program("scratch_full"), prepare=faults.scratch("size=1m")),
    Run(
        "o-scratch-denied",
        Truth("none", "scratch-permission", str(SCRATCH / "0192f6a4")),
        command=python_program("scratch_denied"),
        prepare=faults.scratch(),
    ),
    Run(
        "o-scratch-read-only",
        Truth("none", "scratch-permission", why="nobody may write to the volume through which workers hand sound over"),
        command=python_program("scratch_denied"),
        prepare=faults.scratch("ro"),
    ),
    Run(
        "o-cache-denied",
        Truth("none", "cache-permission"),
        command=python_program("cache_denied"),
        prepare=faults.owned_by_root(""),
    ),
    Run("o-cache-read-only", Truth("none", "cache-readonly"), command=python_program("cache_denied"), prepare=faults.read_only),
    Run("o-copy-full", _FULL, command=python_program("copied_weights"), prepare=faults.small()),
    Run("o-copy-no-inodes", _FULL, command=_shell(f"mkdir -p {HUB}/a/b/c/d/e/f/g/h/i/j"), prepare=faults.small(inodes=4)),
    Run("o-shell-full", _FULL, command=_shell(f"dd if=/dev/zero of={HUB.parent}/model.bin bs=64k"), prepare=faults.small()),
    Run("o-shell-cp-full", _FULL, command=_shell(f"cp /bin/bash {HUB.parent}/"), prepare=faults.small()),
    Run(
        "o-shell-cache-denied",
        Truth("none", "cache-permission"),
        command=_shell(f"mkdir -p {MODEL}"),
        prepare=faults.owned_by_root(""),
    ),
    Run(
        "o-shell-cache-read-only", Truth("none", "cache-readonly"), command=_shell(f"mkdir -p {MODEL}"), prepare=faults.read_only
    ),
    Run(
        "o-shell-scratch-denied",
        Truth("none", "scratch-permission"),
        command=_shell("cp /etc/passwd /scratch/opentranscribe/audio.wav"),
        prepare=faults.scratch(),
    ),
    Run(
        "o-shell-killed",
        _KILLED,
        command=_shell("/opt/venv/bin/python -c 'import os; os.kill(os.getpid(), 9)'; echo worker ended with exit code $?"),
    ),
    Run(
        "o-bash-killed",
        _KILLED,
        command=_shell("/opt/venv/bin/python -c 'import os; os.kill(os.getpid(), 9)'\nexit $?", "bash"),
    ),
    Run(
        "o-bash-crashed",
        _CRASHED,
        command=_shell("/opt/venv/bin/python -c 'import ctypes; ctypes.string_at(8)'\nexit $?", "bash"),
    ),
    Run("o-shell-aborted", _CRASHED, command=_shell("/opt/venv/bin/python -c 'import os; os.abort()'; exit $?")),
    Run("o-bash-illegal", _TOO_OLD, command=_shell("/app/ud2\nexit $?", "bash"), prepare=faults.illegal_instruction),
    Run("o-shell-illegal", _TOO_OLD, command=_shell("/app/ud2; exit $?"), prepare=faults.illegal_instruction),
    Run(
        "o-shell-exit-code",
        _TOO_OLD,
        command=_shell('/app/ud2 2>/dev/null; echo "celery-worker exited with code $?"'),
        prepare=faults.illegal_instruction,
    ),
    Run("o-child-illegal", _TOO_OLD, command=python_program("child_illegal"), prepare=faults.illegal_instruction),
    Run(
        "o-other-machine",
        Truth("none", "hardware-unsupported", also=("worker-down",), why="built for another kind of processor"),
        command=_shell("/app/ud2\nexit $?", "bash"),
        prepare=faults.of_other_machine,
    ),
    Run(
        "o-child-other-machine",
        Truth("none", "hardware-unsupported", also=("worker-down",), why="built for another kind of processor"),
        command=python_program("child_illegal"),
        prepare=faults.of_other_machine,
    ),
    Run(
        "o-shell-no-module",
        _MISMATCH,
        command=("/opt/venv/bin/python", "-m", "pyannote.audio"),
    ),
    Run(
        "o-shell-no-program",
        Truth("none", "unrecognised", also=("worker-down", "lib-mismatch"), why="a program of the image is missing"),
        command=_shell("uvicorn app.main:app", "bash"),
    ),
    Run(
        "o-shell-no-memory",
        _MEMORY,
        command=_shell("ulimit -v 150000; /opt/venv/bin/python -c 'b = bytearray(500_000_000)'", "bash"),
    ),
)
