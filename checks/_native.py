"""When the checks of the native engine have nothing to look at."""

from __future__ import annotations

from ot_doctor.check import Finding, Step, skipped, unknown
from ot_doctor.evidence import Deployment, Unavailable
from ot_doctor.evidence.releases import release_of


def nothing_to_check(native: Unavailable, deployment: Deployment | Unavailable) -> Finding:
    """Not applicable for a release without such an engine, whatever is missing; else what would make it known."""
    release = None if isinstance(deployment, Unavailable) else release_of(deployment.line)
    if release is not None and release.native is None:
        return skipped("Only v0.5 and later have it.")
    if native.switched_off:
        return skipped(native.reason)
    return unknown(
        f"The native engine could not be looked at: {native.reason}",
        remedy=[Step(native.hint or "Run ot-doctor again when the Docker engine can be reached.", command=native.command)],
    )
