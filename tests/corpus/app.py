"""The worker's application: what OpenTranscribe's tasks do and log round the diarization, as far as a log shows it.

It runs inside the laboratory, under the libraries of the case. Transcription is left out: only its lines are here.
`LAB_JOBS` holds the jobs, which the worker sends to itself when it is ready.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import time
from typing import Any

from celery import Celery, Task
from celery.exceptions import Retry
from celery.signals import setup_logging, worker_process_init, worker_ready

log = logging.getLogger("app.transcription")
BROKER = os.environ.get("CELERY_BROKER_URL", "redis://redis:6379/0")
app = Celery("transcription", broker=BROKER, backend="redis://redis:6379/0")
app.conf.task_default_queue = "gpu"
app.conf.broker_connection_retry_on_startup = True

if "TASK_TIME_LIMIT" in os.environ:
    app.conf.task_time_limit = int(os.environ["TASK_TIME_LIMIT"])
if "TASK_SOFT_TIME_LIMIT" in os.environ:
    app.conf.task_soft_time_limit = int(os.environ["TASK_SOFT_TIME_LIMIT"])

Job = dict[str, Any]  # as the case writes it, in JSON
RELEASE = os.environ["LAB_RELEASE"]
NEWER = RELEASE in ("v0.4", "v0.5")
TOKEN = os.environ.get("HUGGINGFACE_TOKEN", None if NEWER else "")
MIN_SPEAKERS = int(os.environ.get("MIN_SPEAKERS", "1"))
MAX_SPEAKERS = int(os.environ.get("MAX_SPEAKERS", "20"))
COMMUNITY = "pyannote/speaker-diarization-community-1"
PIPELINE = "pyannote/speaker-diarization-3.1"
HAS_PYANNOTE = importlib.util.find_spec("pyannote") is not None
FILES = {
    COMMUNITY: (
        "config.yaml",
        "segmentation/pytorch_model.bin",
        "embedding/pytorch_model.bin",
        "plda/xvec_transform.npz",
        "plda/plda.npz",
    ),
    PIPELINE: ("config.yaml",),
    "pyannote/segmentation-3.0": ("pytorch_model.bin", "config.yaml"),
    "pyannote/wespeaker-voxceleb-resnet34-LM": ("pytorch_model.bin", "config.yaml"),
}


class FileProblem(Exception):
    """The audio could not be used."""


class JsonFormatter(logging.Formatter):
    """A record in one line, as LOG_FORMAT=json has it in v0.5."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {"timestamp": self.formatTime(record), "level": record.levelname, "name": record.name}
        entry["message"] = record.getMessage()
        if hasattr(record, "data"):
            entry["data"] = record.data
        if record.exc_info:
            entry["exc_info"] = self.formatException(record.exc_info)
        return json.dumps({**entry, "request_id": "-"}, default=str)


if RELEASE == "v0.5":  # its own formatter, which also ends Celery's capture of what is printed

    @setup_logging.connect
    def log_as_v05(**_: object) -> None:
        handler = logging.StreamHandler()
        plain = logging.Formatter("%(asctime)s %(levelname)s:%(name)s:%(message)s")
        handler.setFormatter(JsonFormatter() if os.environ.get("LOG_FORMAT") == "json" else plain)
        logging.basicConfig(level=logging.INFO, handlers=[handler])


@worker_process_init.connect
def register_token(**_: object) -> None:
    if RELEASE != "v0.4" or os.environ.get("HF_HUB_OFFLINE") == "1" or not TOKEN:
        return
    try:
        from huggingface_hub import login

        login(token=TOKEN, add_to_git_credential=False)
        log.info("HuggingFace token registered for gated model access")
    except Exception as error:
        log.warning("Failed to register HuggingFace token: %s", error)


@worker_ready.connect
def send_jobs(**_: object) -> None:
    for job in json.loads(os.environ["LAB_JOBS"]):
        name = "transcription.gpu_transcribe" if NEWER else "transcribe_audio"
        app.send_task(job.get("task", name), args=(job,), task_id=job["id"])


# -- the models ------------------------------------------------------------------------------------


def load(repo: str, job: Job) -> Any:
    """The pipeline by pyannote where it is installed, else its files by the Hub's client as pyannote asks for them."""
    if HAS_PYANNOTE or job.get("pyannote"):
        return load_with_pyannote(repo, job)
    from huggingface_hub import hf_hub_download

    cache = None if NEWER else os.path.expanduser("~/.cache/torch/pyannote")
    wanted = [repo] if repo == COMMUNITY else [repo, *list(FILES)[2:]]
    if NEWER and repo == PIPELINE:
        wanted.append(COMMUNITY)
    for one in wanted:
        names = (job["file"],) if "file" in job else FILES.get(one, ("config.yaml",))
        for name in names if one != COMMUNITY or repo == COMMUNITY else FILES[one][3:]:
            path = hf_hub_download(
                one,
                name,
                token=job.get("token", TOKEN),
                cache_dir=cache,
                revision=job.get("revision"),
                local_files_only=job.get("local", False),
            )
            with open(path, "rb") as content:
                content.read(1)
    return str


def load_with_pyannote(repo: str, job: Job) -> Any:
    from pyannote.audio import Pipeline

    if job.get("patched", True):
        allow_old_weights()
    if NEWER and not job.get("old_argument"):
        return Pipeline.from_pretrained(repo, token=TOKEN)
    return Pipeline.from_pretrained(repo, use_auth_token=TOKEN)


def allow_old_weights() -> None:
    """As OpenTranscribe does from v0.2 on: torch 2.6 and later refuse whole objects."""
    import torch

    plain = torch.load
    if plain.__name__ == "load_whole":
        return

    def load_whole(*arguments: Any, **options: Any) -> Any:
        return plain(*arguments, **{**options, "weights_only": False})

    torch.load = load_whole


def load_v4(job: Job) -> Any:
    primary = job.get("repo", COMMUNITY)
    try:
        log.info("Loading PyAnnote v4 pipeline: %s", primary)
        pipeline = load(primary, job)
        log.info("Loaded PyAnnote v4 model: %s", primary)
    except Exception as error:
        log.warning("Failed to load v4 model '%s': %s. Trying fallback: %s", primary, error, PIPELINE)
        try:
            pipeline = load(PIPELINE, job)
            log.info("Loaded fallback model: %s", PIPELINE)
        except Exception as fallback_error:
            message = f"Could not load PyAnnote diarization model. Primary: {error}, Fallback: {fallback_error}"
            raise RuntimeError(message) from fallback_error
    return pipeline


def to_device(name: str) -> None:
    import torch

    torch.nn.Linear(2, 2).to(torch.device(name))


def decode(path: str) -> None:
    """The audio by ffmpeg, as whisperx has it done."""
    import subprocess

    import imageio_ffmpeg

    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-nostdin",
        "-threads",
        "0",
        "-i",
        path,
        "-f",
        "s16le",
        "-ac",
        "1",
        "-ar",
        "16000",
        "-",
    ]
    try:
        subprocess.run(command, capture_output=True, check=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"Failed to load audio: {error.stderr.decode()}") from error


def used(pipeline: Any, limits: dict[str, int], job: Job) -> None:
    """Runs the pipeline over noise where it is a real one; else only takes the time it takes, or ends as the job says."""
    time.sleep(job.get("sleep", 0))
    if "signal" in job:
        os.kill(os.getpid(), job["signal"])
    if "exit" in job:
        os._exit(job["exit"])
    if "program" in job:
        import programs
        import programs_models

        getattr(programs if hasattr(programs, job["program"]) else programs_models, job["program"])()
    if pipeline is str:
        return
    import torch

    pipeline({"waveform": torch.randn(1, 16000 * job.get("noise", 4)), "sample_rate": 16000}, **limits)


# -- v0.4 ------------------------------------------------------------------------------------------


@app.task(name="transcription.gpu_transcribe", bind=True)
def gpu_transcribe(task: Task, job: Job) -> dict[str, Any]:
    if job.get("split"):
        log.info("Transcribed; the diarization follows")
        return {"status": "split_forwarded", "file_id": 7}
    file = job.get("file_uuid", "0192f6a4-77b1-7cc0-8a35-5f3f1e9d2c10")
    log.info("Starting GPU transcription for file %s", file)
    for level, text in job.get("say", ()):
        log.log(getattr(logging, level), text)
    try:
        if job.get("disabled"):
            log.info("Diarization disabled — assigning SPEAKER_00 to all segments")
            return {"status": "success", "file_id": 7}
        if job.get("audio"):
            decode(job["audio"])
        if RELEASE == "v0.5":
            diarize_v5(task, job, file)
        else:
            diarize_v4(job)
        for level, text in job.get("say_after", ()):
            log.log(getattr(logging, level), text)
        return {"status": "success", "file_id": 7}
    except Retry:
        raise
    except Exception as error:
        log.error("GPU transcription failed for file %s: %s", file, error)
        if RELEASE == "v0.5":
            return {"status": "error", "message": str(error)}
        raise


@app.task(name="rediarize")
def rediarize(job: Job) -> dict[str, Any]:
    try:
        diarize_v4(job)
        return {"status": "success", "file_id": 7}
    except Exception as error:
        log.error("Rediarization failed for file %s: %s", "0192f6a4-77b1-7cc0-8a35-5f3f1e9d2c10", error)
        raise


@app.task(name="transcription.download")
def download(job: Job) -> dict[str, Any]:
    """Another queue's work: no diarization."""
    for level, text in job.get("say", ()):
        log.log(getattr(logging, level), text)
    if "raise" in job:
        raise FileProblem(job["raise"])
    return {"status": "success"}


def diarize_v4(job: Job) -> None:
    start = time.monotonic()
    if job.get("loaded"):
        log.info("Reusing cached diarizer (hash=5c1b9f02)")
        pipeline = str
    else:
        pipeline = load_v4(job)
        if job.get("to_device"):
            to_device(job["to_device"])
        device = "cuda" if pipeline is str else "cpu"
        log.info("TIMING: diarizer model loaded in %.3fs on %s", time.monotonic() - start, device)
    limits = {"min_speakers": MIN_SPEAKERS, "max_speakers": MAX_SPEAKERS}
    log.info("Running diarization with kwargs: %s", limits)
    start = time.monotonic()
    batch = 16
    try:
        for _ in range(job.get("oom", 0)):
            log.warning("Diarization OOM with batch_size=%d, reducing and retrying...", batch)
            batch //= 2
        if "raise" in job:
            raise cited(job)
        used(pipeline, limits, job)
    except Exception as error:
        raise worded_anew(error) from error
    if batch < 16:
        log.info("Diarization succeeded with reduced batch_size=%d (original: 16)", batch)
    log.info(
        "TIMING: diarization completed in %.3fs - %d speakers, 120 segments", time.monotonic() - start, job.get("speakers", 3)
    )


def cited(job: Job) -> RuntimeError:
    """An error that this machine cannot have, by its text as others have seen it."""
    return RuntimeError(job["raise"])


def worded_anew(error: Exception) -> RuntimeError:
    text = str(error).lower()
    if "cudnn" in text:
        return RuntimeError(
            "CUDA cuDNN library compatibility error detected during diarization. Please check the cuDNN installation."
        )
    if "out of memory" in text:
        return RuntimeError(
            "Speaker diarization ran out of GPU memory even at minimum batch size. Try a shorter file or a GPU with more memory."
        )
    if "cuda" in text:
        return RuntimeError(f"GPU processing error during speaker diarization: {error}")
    return RuntimeError(f"Speaker diarization failed: {error}")


# -- v0.5 ------------------------------------------------------------------------------------------


class DiarSidecarUnavailableError(Exception):
    """The native engine did not answer."""


NATIVE = "diar-native sidecar unavailable at http://diar-native:8701"


@app.task(name="transcription.diarize_gpu", bind=True)
def diarize_gpu(task: Task, job: Job) -> dict[str, Any]:
    file = job.get("file_uuid", "0192f6a4-77b1-7cc0-8a35-5f3f1e9d2c10")
    try:
        diarize_v5(task, job, file)
        return {"status": "success", "file_id": 7}
    except Exception as error:
        log.error("Diarize GPU task failed for file %s: %s", file, error)
        return {"status": "error", "message": str(error)}


def diarize_v5(task: Task, job: Job, file: str) -> None:
    """By the native engine, or by PyAnnote where it is down; ``busy`` is how often it is too busy at first."""
    start = time.monotonic()
    native = logging.getLogger("app.transcription.diarizer_native")
    if task.request.retries < job.get("busy", 0):
        delay = "diar-native sidecar unavailable (backpressure) for file %s (attempt %d/4), retrying in 1s"
        log.warning(delay, file, task.request.retries + 1)
        raise task.retry(exc=DiarSidecarUnavailableError(NATIVE), countdown=1, max_retries=3)
    if job.get("native", True):
        native.info("diar-native sidecar ready at http://diar-native:8701")
        native.info("native diarization done in 0.4s: 120 segments, %d speakers", job.get("speakers", 3))
    elif job.get("required"):
        refused = "diar-native failed and engine.diarizer_require_sidecar is set, refusing the PyAnnote fallback: "
        raise RuntimeError(refused + NATIVE)
    else:
        log.warning("Native diarizer unavailable (%s); falling back to PyAnnote", NATIVE)
        diarize_v4(job)
    log.info("TIMING: diarization step completed in %.3fs", time.monotonic() - start)


# -- v0.1 to v0.3 ----------------------------------------------------------------------------------


@app.task(name="transcribe_audio")
def transcribe_audio(job: Job) -> dict[str, Any]:
    for level, text in job.get("say", ()):
        log.log(getattr(logging, level), text)
    try:
        if job.get("audio"):
            decode(job["audio"])
        diarize_v3(job)
        log.info("Assigning speaker labels to transcript...")
        log.info("Speaker identification completed: %d speakers processed", job.get("speakers", 2))
        if job.get("embedding"):
            identify(job)
        return {"status": "success", "file_id": 7}
    except PermissionError as error:
        log.error("PyAnnote model access error: %s", error)
        return {"status": "error", "message": str(error), "error_type": "gated_model_access"}
    except Exception as error:
        log.error("Error in WhisperX processing: %s", error)
        return {"status": "error", "message": str(error)}


def identify(job: Job) -> None:
    """The matching of speakers across files; its failure is no failure of the diarization."""
    from huggingface_hub import hf_hub_download

    try:
        log.info("Initializing pyannote embedding model with authentication")
        hf_hub_download("pyannote/embedding", "pytorch_model.bin", token=TOKEN)
    except Exception as error:
        log.error("Error initializing pyannote embedding model: %s", error)
        log.warning("Error in speaker identification: %s", error)


def diarize_v3(job: Job) -> None:
    if RELEASE == "v0.1":
        log.info("Performing speaker diarization...")
    else:
        log.info(
            "Performing speaker diarization with min_speakers=%s, max_speakers=%s, num_speakers=None", MIN_SPEAKERS, MAX_SPEAKERS
        )
        log.info("Diarization parameters: %s", {"min_speakers": MIN_SPEAKERS, "max_speakers": MAX_SPEAKERS})
    try:
        if RELEASE != "v0.1":
            logging.getLogger("whisperx.diarize").info("Loading diarization model: %s", PIPELINE)
        pipeline = load(job.get("repo", PIPELINE), job)
        if pipeline is not str:
            import torch

            pipeline.to(torch.device("cpu"))
        if job.get("to_device"):
            to_device(job["to_device"])
        if "raise" in job:
            raise cited(job)
        used(pipeline, {"min_speakers": MIN_SPEAKERS, "max_speakers": MAX_SPEAKERS}, job)
    except Exception as error:
        text = str(error).lower()
        if "401" in text or "unauthorized" in text:
            log.error("HuggingFace authentication error: %s", error)
            raise PermissionError("Cannot access PyAnnote speaker diarization models. Check HUGGINGFACE_TOKEN.") from error
        if "403" in text or "forbidden" in text:
            log.error("HuggingFace permission error: %s", error)
            raise PermissionError("Access forbidden to PyAnnote models. Accept the agreements of the models.") from error
        if "cannot find the requested files" in text or "locate the file on the hub" in text:
            log.error("HuggingFace model access error: %s", error)
            raise PermissionError("Cannot download PyAnnote models: you have not accepted the gated model agreements.") from error
        raise
    log.info("Cleaning up diarization model to free GPU memory")
    log.info("Diarization model cleanup completed")
