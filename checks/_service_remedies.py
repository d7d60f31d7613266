"""What to do about what the worker needs beside its own container: services, and the volume for audio."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from ot_doctor.actions import OwnScratch, StartServices
from ot_doctor.check import Cause, Risk, Step
from ot_doctor.evidence import Deployment, Unavailable, Workers

from ._remedies import ALONE, as_root

SERVICES: Mapping[Cause, tuple[str, str, str]] = {
    Cause.BROKER_UNREACHABLE: (
        "redis",
        "Start Redis.",
        "If it is running, read its log, and check that REDIS_PASSWORD in the .env is the one that it was started with.",
    ),
    Cause.NATIVE_UNAVAILABLE: (
        "diar-native",
        "Start the native engine.",
        "If it has no models, look for 'provisioning' in the log of the service backend. PyAnnote does its work unless the .env "
        "has ENGINE_DIARIZER_REQUIRE_SIDECAR=true.",
    ),
}
_SCRATCH = "/scratch/opentranscribe"


def start_service(cause: Cause, deployment: Deployment | Unavailable) -> list[Step]:
    """Start a service that the worker needs."""
    service, text, more = SERVICES[cause]
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        return [Step(f"{text} The Compose service is {service}.", risk=Risk.RESTARTS), Step(more)]
    command = deployment.compose(f"up -d {ALONE} {service}")
    return [Step(text, command=command, risk=Risk.RESTARTS, action=StartServices((service,))), Step(more)]


def own_scratch(deployment: Deployment | Unavailable, workers: Workers | Unavailable) -> Step:
    """Give the volume through which the workers hand audio over to their user."""
    text = "Give the volume for audio to user id 1000 and group id 999"
    known = () if isinstance(workers, Unavailable) else workers.diarizers
    if isinstance(deployment, Unavailable):
        return Step(f"{text}: run scripts/fix-shared-volume-perms.sh of the OpenTranscribe folder.", risk=Risk.CHANGES_FILES)
    for worker in known:
        volume = next((m.name or m.source for m in worker.mounts if m.destination == _SCRATCH), "")
        if worker.running:
            command = deployment.docker(f"exec -u 0 {quote(worker.name)} chown -hR 1000:999 {_SCRATCH}")
        elif volume:
            command = as_root(deployment, worker, volume, "chown", "-hR 1000:999 /models")
        else:
            continue
        action = OwnScratch(volume, worker.name) if volume else None
        return Step(f"{text}.", command=command, risk=Risk.CHANGES_FILES, action=action)
    return Step(f"{text}: run {deployment.home / 'scripts' / 'fix-shared-volume-perms.sh'}.", risk=Risk.CHANGES_FILES)
