"""What to do about the native engine and its models."""

from __future__ import annotations

from shlex import quote

from ot_doctor.actions import StartServices
from ot_doctor.check import Risk, Step
from ot_doctor.evidence import COMMUNITY_1, Deployment, NativeEngine, NativeModels, Provisioning, Unavailable, Worker

from ._remedies import ALONE

MODEL_PAGE = f"https://huggingface.co/{COMMUNITY_1}"
EXPORTER, SIDECAR = "backend", "diar-native"
_EXITS = {
    2: "It was called in a wrong way.",
    3: "The exported models did not pass their test.",
    4: "The conversion of the models broke off.",
    5: "The Hub refused the token, or the account has not accepted the terms of the model.",
    6: "The image has no programs to convert the models: it was built by hand, or is the lite one.",
    7: "The folder for the models cannot be written.",
    9: "A device was asked for that is not there.",
}


def why(provisioning: Provisioning) -> str:
    """What the export's exit code means, in a sentence."""
    return _EXITS.get(provisioning.exit_code or 0, "The line in the log says more.")


def export_again(deployment: Deployment | Unavailable) -> Step:
    """The backend exports what is missing whenever it starts."""
    text = "Recreate the backend, which exports the models when it starts (about 484 MB, some minutes), and the native engine."
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        return Step(f"{text} Their services are {EXPORTER} and {SIDECAR}.", risk=Risk.RESTARTS)
    command = deployment.compose(f"up -d --force-recreate {ALONE} {EXPORTER} {SIDECAR}")
    return Step(text, command=command, risk=Risk.RESTARTS)


def start_sidecar(deployment: Deployment | Unavailable) -> Step:
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        return Step(f"Start the native engine. Its service is {SIDECAR}.", risk=Risk.RESTARTS)
    command = deployment.compose(f"up -d {ALONE} {SIDECAR}")
    return Step("Start the native engine.", command=command, risk=Risk.RESTARTS, action=StartServices((SIDECAR,)))


def last_lines(worker: Worker, deployment: Deployment | Unavailable) -> Step:
    arguments = f"logs --tail 30 {quote(worker.name)}"
    command = f"docker {arguments}" if isinstance(deployment, Unavailable) else deployment.docker(arguments)
    return Step(f"Read why, in the last lines of {worker.name}.", command=command)


def provisioning_steps(
    provisioning: Provisioning, models: NativeModels | None, deployment: Deployment | Unavailable
) -> list[Step]:
    """By the exit code of the export."""
    again = export_again(deployment)
    if provisioning.exit_code == 5:
        return [
            Step("Log in with the account of the token and accept the terms of the model. The checks token-accepted and "
                 "model-access say which of the two it is.", url=MODEL_PAGE),
            again,
        ]  # fmt: skip
    if provisioning.exit_code == 7:
        folder = models.path if models else "models/diar-native of the OpenTranscribe folder"
        command = f"sudo chown -hR 1000:999 {quote(folder)}" if folder.startswith("/") else None
        return [Step(f"Give {folder} to user id 1000, the backend's.", command=command, risk=Risk.CHANGES_FILES), again]
    return [again]


def stands_in(native: NativeEngine, works: bool) -> str:
    """What becomes of jobs while the native engine is away."""
    if native.required:
        return "ENGINE_DIARIZER_REQUIRE_SIDECAR forbids PyAnnote to stand in, so every job fails."
    if works:
        return "PyAnnote in the worker stands in. Diarization works, on the slower engine."
    return "PyAnnote in the worker stands in where it has its models or can download them."
