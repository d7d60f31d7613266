"""Names and versions of everything that a supporter asks for first."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import timezone

from ot_doctor import __version__
from ot_doctor.evidence import Worker
from ot_doctor.evidence.releases import releases
from ot_doctor.report.model import Report

OLD = 180  # days after which a newer doctor is likely to know more
_LIBRARY = re.compile(r"(?:PYTHON|PYTORCH|TORCH\w*|CUDA|NV_CUDNN|CUDNN|PYANNOTE\w*|WHISPERX|CTRANSLATE2)_VERSION")
_LABEL = "org.opencontainers.image."


def versions(report: Report) -> list[tuple[str, str]]:
    """Name and version of each, as far as the evidence knows them."""
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    found = [("ot-doctor", f"{__version__}, {machine}")]
    if report.deployment:
        line = report.deployment.line_reason and f" ({report.deployment.line_reason.rstrip('.')})"
        found.append(("OpenTranscribe", f"{report.deployment.version or 'version not known'}, release line "
                                        f"{report.deployment.line.value}{line}"))  # fmt: skip
    for worker in report.workers.diarizers if report.workers else ():
        found += _of_worker(worker)
    if report.workers:
        engine = report.workers.engine
        about = [engine.operating_system, engine.api_version and f"API {engine.api_version}", engine.rootless and "rootless"]
        kind = "Podman" if engine.podman else "Docker Engine"
        found.append((kind, _with(engine.version or "version not known", [str(a) for a in about if a])))
        compose = dict.fromkeys(worker.compose.version for worker in report.workers.containers if worker.compose.version)
        by_podman = any(worker.compose.by_podman_compose for worker in report.workers.containers)
        found.append(("podman-compose" if by_podman else "Docker Compose", ", ".join(compose) or "version not known"))
    for source in report.log.sources if report.log else ():
        signs = [*(f"release line {sign}" for sign in source.release_signs), source.device and f"device {source.device}"]
        if any(signs):
            found.append((f"By the log of {source.name}", ", ".join(filter(None, signs))))
    if report.hub:
        found.append(("Hugging Face Hub", report.hub.endpoint))
    return found


def _of_worker(worker: Worker) -> list[tuple[str, str]]:
    labels = [worker.image_labels.get(_LABEL + name, "") for name in ("version", "revision", "created")]
    found = [(f"Image of {worker.name}", _with(worker.image, [label for label in labels if label]))]
    libraries = [(name, value) for name, value in sorted(worker.image_env.items()) if _LIBRARY.fullmatch(name)]
    if libraries:
        found.append((f"Libraries of {worker.name}", ", ".join(f"{name}={value}" for name, value in libraries)))
    return found


def _with(text: str, more: Sequence[str]) -> str:
    return f"{text} ({', '.join(more)})" if more else text


def age(report: Report) -> str:
    """How old what the doctor knows of releases and texts is; a sentence."""
    known = max(release.read for release in releases())
    days = (report.started_at.astimezone(timezone.utc).date() - known).days
    if days <= 0:
        return ""
    advice = ": look for a newer ot-doctor" if days > OLD else ""
    ago = f"{days:,} day{'' if days == 1 else 's'} ago"
    return f"What ot-doctor knows of releases and of log texts is from {known}, {ago}{advice}."
