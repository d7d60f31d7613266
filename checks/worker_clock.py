"""Whether the worker's clock is right."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Unavailable, WorkerProbe

_MOST = 300.0  # seconds


@check("worker-clock", title="The worker's clock is right", family=Family.HOST, causes=(Cause.NETWORK_TLS,))
def worker_clock(probe: WorkerProbe | Unavailable) -> Iterator[Finding]:
    """Certificates and the addresses of large files are valid for a time: a clock that is wrong makes both fail.

    The clock of the worker's container is compared with that of the Hub's server, and with this machine's. A virtual machine that
    slept, as Docker Desktop's does, is often behind; hours off are a wrong date.

    To fix it, set the clock of the machine that runs Docker's engine, or restart Docker Desktop.
    """
    if isinstance(probe, Unavailable):
        yield skipped(probe.reason)
        return
    by, whose = _ahead(probe)
    how = f"{_span(by)} {'ahead of' if by > 0 else 'behind'} {whose}"
    seen = [Seen("container", probe.worker, f"its clock is {how}")]
    if abs(by) <= _MOST:
        yield passed(f"The clock of {probe.worker} agrees with {whose}.", evidence=seen)
        return
    yield warned(
        f"The clock of {probe.worker} is {how}: certificates and downloads fail.",
        cause=Cause.NETWORK_TLS, subject=probe.worker, evidence=seen,
        remedy=[
            Step("See whether the clock of the machine that runs Docker's engine is set by the network.", command="timedatectl"),
            Step("Set it, or restart Docker Desktop.", risk=Risk.RESTARTS),
        ],
    )  # fmt: skip


def _ahead(probe: WorkerProbe) -> tuple[float, str]:
    """Seconds by which the worker's clock is ahead, and of which one: the Hub's, where its date reached anybody."""
    if probe.inside is not None and probe.inside.clock is not None:
        return probe.inside.clock, "the Hub's"
    if probe.here is not None and probe.here.clock is not None:
        return probe.clock + probe.here.clock, "the Hub's"
    return probe.clock, "this machine's"


def _span(seconds: float) -> str:
    minutes = round(abs(seconds) / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
