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
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_LONGEST_TRACEBACK = 60_000  # characters
_MOST_TURNS = 1000


def main(samples: Callable[[], list[float]], rate: int, arguments: Sequence[str]) -> None:
    mark, as_worker = arguments[0], json.loads(arguments[1])
    said = os.dup(1)
    os.dup2(2, 1)  # what the libraries print goes to standard error

    def tell(stage: str, **more: Any) -> None:
        line = json.dumps({"stage": stage, **more, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss})
        os.write(said, (mark + " " + line + "\n").encode("ascii"))

    faulthandler.enable()
    faulthandler.dump_traceback_later(as_worker["seconds"], exit=True)  # an alarm does not end the first process of a container
    began = time.time()
    stage = "import"
    try:
        tell(stage)
        import torch

        if as_worker["whole_objects"]:
            _load_whole_objects(torch)
        from pyannote.audio import Pipeline

        stage = "load"
        tell(stage)
        pipeline, model, refused = _loaded(Pipeline, as_worker)
        pipeline.to(torch.device(as_worker["device"]))
        stage = "diarize"
        tell(stage)
        started = time.time()
        found = pipeline({"waveform": torch.tensor([samples()]), "sample_rate": rate}, **_limits(as_worker))
        annotation = getattr(found, "speaker_diarization", found)
        took, in_all = time.time() - started, time.time() - began
        turns = [(str(label), turn.start, turn.end) for turn, _, label in annotation.itertracks(yield_label=True)]
        tell("done", turns=turns[:_MOST_TURNS], model=model, traceback=refused, took=took, all=in_all)
    except BaseException:
        tell("failed", at=stage, traceback=traceback.format_exc()[-_LONGEST_TRACEBACK:])
    os._exit(0)


def _load_whole_objects(torch: Any) -> None:
    """From v0.2 on the worker has torch load more than plain weights, which torch 2.6 and newer refuse by default."""
    plain = torch.load

    def load(*arguments: Any, **options: Any) -> Any:
        if options.get("weights_only") is None:
            options["weights_only"] = False
        return plain(*arguments, **options)

    torch.load = load


def _loaded(kind: Any, as_worker: Mapping[str, Any]) -> tuple[Any, str, str]:
    """The first pipeline that can be loaded, its model, and why the one before it could not. Raises the first one's error."""
    token = os.environ.get("HUGGINGFACE_TOKEN", as_worker["no_token"])
    first, refused = None, ""
    for model in as_worker["models"]:
        try:
            pipeline = kind.from_pretrained(model, **{as_worker["keyword"]: token})
            if pipeline is None:  # pyannote 3, where the Hub refused: it has printed why
                raise RuntimeError("Pipeline.from_pretrained returned None for " + model)
            return pipeline, model, refused
        except Exception as error:
            first, refused = first or error, refused or traceback.format_exc()[-_LONGEST_TRACEBACK:]
    raise first or RuntimeError("no model was named")


def _limits(as_worker: Mapping[str, Any]) -> dict[str, int]:
    """How many speakers the worker's settings allow."""
    return {name: int(os.environ.get(name.upper(), usual)) for name, usual in as_worker["limits"].items()}
