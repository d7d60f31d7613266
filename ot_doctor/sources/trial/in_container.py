"""Diarizes the generated voices, as the worker does it. It runs in the worker's Python (3.8 and newer), behind ``voices``.

Each line on standard output is the mark of this run and a JSON object; nothing else is printed there.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

_LONGEST_TRACEBACK = 60_000  # characters


def main(samples: Callable[[], list[float]], rate: int, arguments: Sequence[str]) -> None:
    mark, model, keyword, device, seconds = arguments
    said = os.dup(1)
    os.dup2(2, 1)  # what the libraries print goes to standard error

    def tell(stage: str, **more: Any) -> None:
        line = json.dumps({"stage": stage, **more, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss})
        os.write(said, (mark + " " + line + "\n").encode("ascii"))

    faulthandler.dump_traceback_later(int(seconds), exit=True)  # an alarm does not end the first process of a container
    began = time.time()
    stage = "import"
    try:
        tell(stage)
        import torch
        from pyannote.audio import Pipeline

        stage = "load"
        tell(stage)
        token = os.environ.get("HUGGINGFACE_TOKEN") or os.environ.get("HF_TOKEN") or None
        pipeline = Pipeline.from_pretrained(model, **{keyword: token})
        if pipeline is None:  # pyannote 3, where the Hub refused: it has printed why
            raise RuntimeError("Pipeline.from_pretrained returned None for " + model)
        if device != "cpu":
            pipeline.to(torch.device(device))
        stage = "diarize"
        tell(stage)
        started = time.time()
        found = pipeline({"waveform": torch.tensor([samples()]), "sample_rate": rate})
        annotation = getattr(found, "speaker_diarization", found)
        tell("done", speakers=len(list(annotation.labels())), took=time.time() - started, all=time.time() - began)
    except BaseException:
        tell("failed", at=stage, traceback=traceback.format_exc()[-_LONGEST_TRACEBACK:])
    os._exit(0)
