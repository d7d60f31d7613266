"""Whether a download could write, tried with one empty file."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Unavailable, WorkerProbe


@check(
    "cache-write-test", title="The worker can write to its model cache", family=Family.CACHE, causes=(Cause.CACHE_PERMISSION,)
)
def cache_write_test(probe: WorkerProbe | Unavailable) -> Iterator[Finding]:
    """Owner and mode do not tell everything: a quota, SELinux or a network file system may refuse what they allow.

    With --probe deep, the worker makes, renames and deletes one empty file in the folders that a download writes to. The file is
    deleted in every case. Without it, the check cache-permissions works it out from owner and mode, and this one is skipped.

    To fix it, follow what cache-permissions says, or look at the file system that is named here.
    """
    if isinstance(probe, Unavailable):
        yield skipped(probe.reason)
        return
    if not probe.writes:
        yield skipped("Writing is tried with --probe deep only.")
    for one in probe.writes:
        seen = [Seen("container", probe.worker, f"{one.path}: {one.text or 'a file was made, renamed and deleted'}")]
        if one.ok:
            yield passed(f"{probe.user or probe.uid} can write to {one.path}.", subject=one.path, evidence=seen)
        else:
            yield warned(
                f"{probe.user or probe.uid} cannot write to {one.path}: {one.text}.", cause=Cause.CACHE_PERMISSION,
                subject=one.path, evidence=seen,
                remedy=[Step("Run 'ot-doctor --select cache': it says whose the folder is, and how to give it to the worker.")],
            )  # fmt: skip
