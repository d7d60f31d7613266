"""Imports the worker's libraries in a container of its own beside the worker: what goes wrong there harms nobody.

It is made of the worker's image with the worker's user, mounts (read-only) and settings without the secret ones, and has no
network. It is removed in every case, and ends in time even where nobody waits for it.
"""

from __future__ import annotations

import secrets

from ot_doctor.core.deadline import within
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.probe import ImportTest, WorkerImports
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.sources.docker.beside import Confined, Json, gpu_of, marked, run_beside
from ot_doctor.sources.docker.transport import LARGEST_ANSWER, NotDockers
from ot_doctor.sources.hub.answers import clean

_LONGEST = 60  # seconds
_MEMORY = 3 * 2**30  # bytes, where the machine has twice as much
_MODULES = ("huggingface_hub", "torch", "torchaudio", "pyannote.audio", "ctranslate2", "faster_whisper", "whisperx")
_PROGRAM = r"""
import faulthandler, importlib, json, os, sys, traceback
mark, seconds, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
# An alarm does not end the first process of a container.
faulthandler.dump_traceback_later(seconds, exit=True, file=open(os.devnull, "w"))
sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]
said, silent = os.dup(1), os.open(os.devnull, os.O_WRONLY)
os.dup2(silent, 1)
os.dup2(silent, 2)
for name in names:
    found = {"name": name, "ok": True, "missing": False, "version": "", "text": ""}
    try:
        module = importlib.import_module(name)
        found["version"] = str(getattr(module, "__version__", ""))[:100]
        if name == "torch":
            found["text"] = "CUDA %s" % module.version.cuda if module.version.cuda else "no CUDA"
    except BaseException as error:
        frame = (traceback.extract_tb(error.__traceback__) or [None])[-1]
        where = " (%s:%s)" % (os.path.basename(frame.filename), frame.lineno) if frame else ""
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        found.update(ok=False, missing=missing, text=("%s: %s%s" % (type(error).__name__, error, where))[:300])
    os.write(said, ("%s %s\n" % (mark, json.dumps(found))).encode("ascii"))
os.write(said, ("%s end\n" % mark).encode("ascii"))
os._exit(0)
"""


def gather(request: Request, workers: Workers) -> WorkerImports:
    """Import them. Raises ``Unavailable`` unless ``--probe deep`` asks for it."""
    if request.probe != "deep" or request.no_exec:
        raise Unavailable("The worker's libraries are imported with --probe deep only.", switched_off=True)
    if workers.lite or not workers.diarizers:
        raise Unavailable("There is no diarization worker.", switched_off=True)
    worker = workers.diarizers[0]
    seconds = min(float(_LONGEST), request.remaining() * 0.8)
    mark = f"ot-doctor-{secrets.token_hex(16)}"
    command = ["-c", _PROGRAM, mark, str(max(1, int(seconds))), *_MODULES]
    try:
        output, code = within(seconds, lambda: run_without_network(request, worker, command, "imports"))
    except TimeoutError:
        raise Unavailable(
            f"The libraries of {worker.name} were not imported within {seconds:.0f} s.", hint="Give it more time: --timeout 120."
        ) from None
    tests = tuple(test for found in marked(output, mark) if (test := _test(found)))
    dying = "" if f"{mark} end\n".encode() in output else _MODULES[len(tests)] if len(tests) < len(_MODULES) else ""
    if not tests and not dying:
        raise Unavailable(f"The image of {worker.name} could not be tried (exit code {code}).")
    return WorkerImports(worker.name, worker.image, tests, dying, code)


def _test(found: Json) -> ImportTest | None:
    if found.get("name") not in _MODULES:
        return None
    text, version = clean(found.get("text")), clean(found.get("version"))
    return ImportTest(found["name"], found.get("ok") is True, found.get("missing") is True, version, text)


def run_without_network(
    request: Request, worker: Worker, command: list[str], purpose: str, *, gpu: bool = False
) -> tuple[bytes, int]:
    """What the image's Python prints, and its exit code. ``gpu``: it is given the worker's."""
    plain = {name: value for name, value in worker.env.items() if isinstance(value, str)}
    quiet = {"PYANNOTE_METRICS_ENABLED": "false", "OTEL_SDK_DISABLED": "true", "HF_HUB_OFFLINE": "1", "HOME": worker.home}
    output = bytearray()

    def confined(inspected: Json) -> Confined:
        alone = {"pids_limit": 512, "read_only": True, "network_mode": "none", "tmpfs": {"/tmp": ""}}
        return Confined(purpose, _MEMORY, {**plain, **quiet}, {**alone, **(gpu_of(inspected) if gpu else {})})

    def heard(piece: bytes, _: bytes) -> None:
        output.extend(piece)
        if len(output) > LARGEST_ANSWER:
            raise NotDockers("it printed too much")

    code = run_beside(request, worker, command, confined, heard)
    return bytes(output), code
