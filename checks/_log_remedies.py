"""What to do about a cause that the worker's log shows, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from ot_doctor.check import Cause, Risk, Step
from ot_doctor.evidence import Deployment, Hub, ReleaseLine, Unavailable, WorkerToken, models

from ._log_cache_remedies import cache_remedy
from ._log_verdict import NETWORK, TOKEN
from ._present import Present
from ._remedies import TOKEN_SETTINGS, accept, new_token, recreate, replace_token, run_again
from ._service_remedies import SERVICES, own_scratch, start_service

WORDS: Mapping[Cause, str] = {
    Cause.OUT_OF_MEMORY: "the worker's memory ran out",
    Cause.WORKER_DOWN: "the worker stopped while it ran",
    Cause.BROKER_UNREACHABLE: "the worker could not reach Redis, from which it gets its jobs",
    Cause.TOKEN_MISSING: "the request had no usable token",
    Cause.TOKEN_PLACEHOLDER: "the token is an example value",
    Cause.TOKEN_MALFORMED: "the value of HUGGINGFACE_TOKEN is not a token",
    Cause.TOKEN_INVALID: "Hugging Face rejected the token",
    Cause.CACHE_READONLY: "the model cache is read-only",
    Cause.CACHE_PERMISSION: "the worker cannot read or write its model cache",
    Cause.DISK_FULL: "there was no space left on the disk",
    Cause.SCRATCH_PERMISSION: "the worker cannot read or write the volume for audio (not the model cache)",
    Cause.TOKEN_SCOPE: "the fine-grained token lacks permission for gated models",
    Cause.GATED_NOT_ACCEPTED: "the terms of a model were not accepted",
    Cause.GATED_PENDING: "the request for access to a model is not granted yet",
    Cause.REPO_NOT_FOUND: "a model was not found under its name",
    Cause.OFFLINE_CACHE_MISSING: "a model is not cached, and offline mode forbids downloading it",
    Cause.MODEL_CORRUPT: "a cached model file is damaged",
    Cause.CACHE_INCOMPLETE: "the model cache is incomplete",
    Cause.CACHE_MISSING: "the models were not in the cache",
    Cause.NETWORK_DNS: "the Hub's name did not resolve",
    Cause.NETWORK_PROXY: "a proxy or a policy answered instead of the Hub",
    Cause.NETWORK_TLS: "the encrypted connection to the Hub failed",
    Cause.NETWORK_REFUSED: "the connection to the Hub was refused or cut",
    Cause.NETWORK_TIMEOUT: "the Hub did not answer in time",
    Cause.RATE_LIMITED: "the Hub limited the number of requests",
    Cause.HUB_UNAVAILABLE: "the Hub had an outage",
    Cause.NATIVE_UNAVAILABLE: "the native engine was not available, and the settings forbid to use PyAnnote instead",
    Cause.LIB_MISMATCH: "the worker's libraries do not fit together; the token and the model terms are not the problem",
    Cause.KNOWN_DEFECT: "a defect of this release, which a later one has fixed",
    Cause.HARDWARE_UNSUPPORTED: "the processor or the GPU lacks what the image needs",
    Cause.GPU_LIBRARY: "a CUDA or cuDNN library is missing or does not match",
    Cause.GPU_UNAVAILABLE: "the GPU could not be used",
    Cause.GPU_OUT_OF_MEMORY: "the GPU's memory ran out",
    Cause.WORKER_CRASHED: "the worker's process crashed",
    Cause.TIME_LIMIT: "a time limit ended it",
    Cause.SPEAKERS_CONFIG: "the speaker limits are not usable",
    Cause.AUDIO_UNREADABLE: "the audio could not be decoded",
    Cause.UNRECOGNISED: "ot-doctor does not know the reason",
}
_HOSTS = "huggingface.co, *.hf.co and *.xethub.hf.co"
_NETWORK_ADVICE: Mapping[Cause, str] = {
    Cause.NETWORK_DNS: "Give the container a working DNS server ('dns' in /etc/docker/daemon.json or in the Compose file).",
    Cause.NETWORK_PROXY: f"Either fix HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the .env, or have {_HOSTS} allowed.",
    Cause.NETWORK_TLS: (
        "Mount the certificate of the proxy that inspects TLS, and name it in REQUESTS_CA_BUNDLE and SSL_CERT_FILE in the .env."
    ),
    Cause.NETWORK_REFUSED: f"Either allow {_HOSTS} in the firewall, or add HF_HUB_DISABLE_XET=1 to the .env.",
    Cause.NETWORK_TIMEOUT: f"Either allow {_HOSTS} in the firewall, or name the proxy in the .env.",
}
_LOCAL_ADVICE: Mapping[Cause, str] = {
    Cause.OUT_OF_MEMORY: "Either raise the container's or the machine's memory, or set a smaller WHISPER_MODEL in the .env.",
    Cause.GPU_OUT_OF_MEMORY: "Set a smaller WHISPER_MODEL in the .env.",
    Cause.GPU_LIBRARY: "Remove LD_LIBRARY_PATH from the .env if it is there. A very new GPU needs an image that is made for it.",
    Cause.GPU_UNAVAILABLE: "Either set GPU_DEVICE_ID in the .env to a GPU that 'nvidia-smi -L' lists, or configure the CPU.",
    Cause.HARDWARE_UNSUPPORTED: "Either use the image that is made for the GPU, or let the worker use the CPU.",
    Cause.SPEAKERS_CONFIG: "Write plain whole numbers for MIN_, MAX_ and NUM_SPEAKERS in the .env, with MIN not above MAX.",
}
_STATE = "{{json .State}}"
_BOX = "Read access to contents of all public gated repos you can access"
_REPORTS = "https://github.com/davidamacey/OpenTranscribe/issues"


def remedy(cause: Cause, subject: str | None, now: Present) -> list[Step]:
    """Steps against a cause that was seen in the log."""
    steps = _steps(cause, subject, now)
    return steps if steps and steps[-1] == run_again() else [*steps, run_again()]


def cut_off_remedy(worker: str, stopped: bool, now: Present) -> list[Step]:
    """Steps after an attempt that the worker's own end cut off."""
    if stopped:
        return [Step("There is nothing to fix if you stopped or restarted the stack yourself."), run_again()]
    look = None
    if isinstance(now.deployment, Deployment):
        look = now.deployment.docker(f"inspect -f {quote(_STATE)} {quote(worker)}")
    return [Step("Check how the container stopped the last time (OOMKilled: its memory ran out).", command=look), run_again()]


def unknown_remedy(about_the_hub: bool, now: Present) -> list[Step]:
    """Steps after a failure whose reason is not known; ``about_the_hub``: it says only that a model could not be loaded."""
    check = container_check(now) if about_the_hub and not now.suffices else None
    lines = Step("Search for this line in the issues of OpenTranscribe, or report it there without your token.", url=_REPORTS)
    return [*([check] if check else []), lines, run_again()]


def container_check(now: Present) -> Step | None:
    """The network as the worker's container has it, which may differ from this machine's."""
    running = [] if isinstance(now.workers, Unavailable) else [w for w in now.workers.diarizers if w.running]
    if not running or isinstance(now.deployment, Unavailable):
        return None
    endpoint = now.hub.endpoint if isinstance(now.hub, Hub) else "https://huggingface.co"
    code = f"import urllib.request as u; print(u.urlopen({endpoint!r}, timeout=10).status)"
    command = now.deployment.docker(f"exec {quote(running[0].name)} python3 -c {quote(code)}")
    return Step("Test the connection from inside the container.", command=command)


_TRY = {
    Cause.TIME_LIMIT: "Check whether the worker used the GPU, and whether a shorter file works.",
    Cause.AUDIO_UNREADABLE: "Upload another file. If that works, the first file is damaged: play it, or convert it to WAV.",
}


def _steps(cause: Cause, subject: str | None, now: Present) -> list[Step]:
    again = recreate(now.deployment, now.workers)
    if cause in TOKEN:
        if isinstance(now.token, WorkerToken):
            return list(replace_token(now.token, now.env, now.deployment, now.workers))
        return [new_token(), Step("Write it to the .env as HUGGINGFACE_TOKEN=hf_…", risk=Risk.CHANGES_FILES), again]
    if cause is Cause.TOKEN_SCOPE:
        return [Step(f'Either edit the token and tick "{_BOX}", or create a token (type: Read).', url=TOKEN_SETTINGS)]
    if cause in (Cause.GATED_NOT_ACCEPTED, Cause.GATED_PENDING):
        account = now.hub.identity.account if isinstance(now.hub, Hub) else ""
        return [accept(repo, account) for repo in ([subject] if subject else _gated(now))]
    if cause in NETWORK:
        check = container_check(now)
        return [*([check] if check else []), Step(_NETWORK_ADVICE[cause], risk=Risk.CHANGES_FILES), again]
    if cause in (Cause.RATE_LIMITED, Cause.HUB_UNAVAILABLE):
        return [Step("Wait some minutes; this page shows the Hub's state.", url="https://status.huggingface.co")]
    if cause in _LOCAL_ADVICE:
        line = ReleaseLine.UNKNOWN if isinstance(now.deployment, Unavailable) else now.deployment.line
        text = _LOCAL_ADVICE[cause]
        if cause is Cause.GPU_OUT_OF_MEMORY and line is not ReleaseLine.V0_3:  # v0.3 does not read it
            text = "Either set DIARIZATION_BATCH_SIZE=8, or set a smaller WHISPER_MODEL in the .env."
        return [Step(text, risk=Risk.CHANGES_FILES), again]
    if cause in SERVICES:
        return start_service(cause, now.deployment)
    if cause is Cause.SCRATCH_PERMISSION:
        return [own_scratch(now.deployment, now.workers)]
    if cause in (Cause.LIB_MISMATCH, Cause.REPO_NOT_FOUND, Cause.WORKER_CRASHED, Cause.KNOWN_DEFECT):
        return _published_image(now)
    if cause in _TRY:
        return [Step(_TRY[cause])]
    if cause is Cause.DISK_FULL:
        return [Step("Find the full file system and free space.", command="df -h")]
    if cause is Cause.UNRECOGNISED:
        return [Step("Search for the lines that are shown, or report them there without your token.", url=_REPORTS)]
    return cache_remedy(cause, subject, now) or [Step(f"Find out why {WORDS.get(cause, cause.value)}.")]


def _published_image(now: Present) -> list[Step]:
    version = None if isinstance(now.deployment, Unavailable) else now.deployment.version
    tag = f"davidamacey/opentranscribe-backend:{version or 'VERSION'}"
    pin = Step(
        f"In the Compose file, set the worker's image to the release that runs: {tag}. (With ':latest' a pull upgrades, "
        "and a newer "
        "release can need other model terms.)", risk=Risk.CHANGES_FILES,
    )  # fmt: skip
    text = "Pull the published image of your release."
    if isinstance(now.deployment, Unavailable) or not now.deployment.compose_files:
        return [pin, Step(f"{text} Then recreate the worker (running jobs are interrupted).", risk=Risk.RESTARTS)]
    return [
        pin,
        Step(text, command=now.deployment.compose("pull celery-worker"), risk=Risk.SAFE),
        recreate(now.deployment, now.workers),
    ]


def _gated(now: Present) -> list[str]:
    line = ReleaseLine.UNKNOWN if not isinstance(now.deployment, Deployment) else now.deployment.line
    return [m.repo for m in models(line) if m.gated and (m.required or line is ReleaseLine.UNKNOWN)]
