"""What makes a CUDA context in a container beside the worker, and calculates a little on the GPU.

``sources.probe.cuda`` runs it in the worker's image, so: Python 3.8 and later, and torch as the image has it. It prints a line of
JSON for each stage, behind a mark.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from typing import Any

from ot_doctor.sources.probe.nvml import ask_nvml

ROOM = 2 * 2**30  # bytes of the GPU's memory that must be free: a context takes some hundred MB
_SIZE = 256  # rows of a matrix


def main() -> None:
    mark, seconds = sys.argv[1:3]
    # An alarm does not end the first process of a container.
    faulthandler.dump_traceback_later(int(seconds), exit=True, file=open(os.devnull, "w"))  # noqa: SIM115
    sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]
    said, silent = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)

    def tell(stage: str, **more: Any) -> None:
        os.write(said, f"{mark} {json.dumps({'stage': stage, **more})}\n".encode("ascii"))

    try:
        before = ask_nvml()
        tell("nvml", **before)
        gpus = before["gpus"]
        if before["code"] == 0 and gpus and all(gpu["total"] - gpu["used"] >= ROOM for gpu in gpus):
            _calculate(tell)
    except BaseException as error:
        tell("error", text=f"{type(error).__name__}: {error}"[:300])
    os._exit(0)


def _calculate(tell: Any) -> None:
    tell("import")
    import torch  # type: ignore[import-not-found,unused-ignore]

    tell("context", torch=str(torch.__version__), built_for=str(torch.version.cuda or ""))
    device = torch.cuda.get_device_name(0)
    tell("calculate", device=str(device))
    ones = torch.ones((_SIZE, _SIZE), device="cuda")
    product = ones @ ones
    torch.cuda.synchronize()
    tell("done", right=float(product[0][0]) == _SIZE, during=ask_nvml()["gpus"])
