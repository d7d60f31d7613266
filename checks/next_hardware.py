"""Whether the machine fits another release."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import NextRelease, Workers
from ot_doctor.evidence.releases import release_of

_GIB = 2**30
_KERNELS_SHARE = 0.06  # of a machine's memory that the kernel does not count as its own, and a little


@check("next-hardware", title="The machine has what the next release needs", family=Family.HOST)
def next_hardware(upcoming: NextRelease, workers: Workers) -> Iterator[Finding]:
    """Newer releases keep more in memory: workers of v0.5 were reported killed (exit code 137) on machines of 16 GiB that ran
    many jobs at a time. A limit of the container counts like the machine's memory.

    Whether the worker has a GPU now is said too: a release that has none at hand works on the processor, and takes far longer.

    Both are warnings at most. To fix the first, run fewer jobs at a time, or give the machine more memory.
    """
    release = release_of(upcoming.line)
    advice = release.memory if release else None
    worker = next(iter(workers.diarizers), None)
    limits = [size for size in (worker.memory_limit if worker else 0, workers.engine.memory) if size]
    gpu = "with a GPU" if worker and worker.gpu.requested else "without a GPU"
    if advice is None:
        yield passed(f"{upcoming.name} is not known to need more than the worker has now ({gpu}).")
        return
    if not limits:
        yield skipped("The engine does not tell how much memory its machine has.")
        return
    size = min(limits)
    where = worker.where if worker else workers.engine.endpoint
    seen = [Seen("container" if worker else "host", where, f"{size / _GIB:.1f} GiB of memory, {gpu}")]
    if size <= advice.gib * _GIB * (1 + _KERNELS_SHARE):
        yield warned(
            f"The worker has {size / _GIB:.1f} GiB of memory; {advice.why}.",
            evidence=seen, expected=f"more than {advice.gib} GiB, or few jobs at a time",
            remedy=[Step("Run few jobs at a time (GPU_CONCURRENT_REQUESTS, --concurrency), or give the machine more memory.")],
        )  # fmt: skip
        return
    yield passed(f"The worker has {size / _GIB:.1f} GiB of memory, {gpu}.", evidence=seen)
