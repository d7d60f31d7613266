"""Whether there is room for the models."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, failed, passed, unknown, warned
from ot_doctor.evidence import Host, ModelCache, Purpose, Space, Unavailable

from ._cache_state import NEEDED, download_needed, size_text, what_ran_out
from ._remedies import run_again

_COMFORTABLE = 2_000_000_000


@check("disk-space", title="There is room for the models", family=Family.CACHE, causes=(Cause.DISK_FULL,))
def disk_space(host: Host, cache: ModelCache | Unavailable) -> Iterator[Finding]:
    """A full disk breaks off the download of a model, and each later one.

    The diarization models need about 40 MB, the transcription models some
    gigabytes, and a job needs room for its audio. Free space and free inodes
    (the number of files that a file system can hold) are read for the model
    cache and for the Docker engine's data.

    No room where a model must still be downloaded is a failure. Less than
    2 GB, or no room while the models are all there, is a warning.

    To mend: delete what is not needed, enlarge the disk, or set
    MODEL_CACHE_DIR to a folder on another one and recreate the worker.
    """
    if not host.spaces:
        if isinstance(cache, Unavailable):
            raise cache
        yield unknown(
            "Free space could not be read.",
            remedy=[Step("Run ot-doctor on the machine that holds the models, as a user who may enter their folder.")],
        )
    needed = isinstance(cache, ModelCache) and download_needed(cache)
    for space in host.spaces:
        full = what_ran_out(space)
        if full and needed and space.purpose is Purpose.MODEL_CACHE:
            yield failed(
                Cause.DISK_FULL,
                f"A model must be downloaded, and there is no room for {space.purpose}: {full} at {space.path}",
                subject=space.path,
                expected=f"at least {size_text(NEEDED)}",
                evidence=[_seen(space)],
                remedy=_make_room(space),
            )
        elif full or space.free < _COMFORTABLE:
            yield warned(
                f"Little room for {space.purpose}: {full or size_text(space.free) + ' free'} at {space.path}",
                cause=Cause.DISK_FULL,
                subject=space.path,
                expected=f"at least {size_text(_COMFORTABLE)}",
                evidence=[_seen(space)],
                remedy=_make_room(space),
            )
        else:
            free = size_text(space.free)
            yield passed(f"Room for {space.purpose}: {free} free at {space.path}", subject=space.path, evidence=[_seen(space)])


def _make_room(space: Space) -> list[Step]:
    place = quote(space.path)
    look = f"df -i {place}" if space.free >= NEEDED and space.inodes_total and not space.inodes_free else f"df -h {place}"
    return [
        Step("See which file system is full.", command=look),
        Step("See what Docker's images, containers and volumes take.", command="docker system df"),
        Step("Delete what is not needed or enlarge the file system; a folder elsewhere can be named in MODEL_CACHE_DIR."),
        run_again(),
    ]


def _seen(space: Space) -> Seen:
    inodes = f", {space.inodes_free} of {space.inodes_total} inodes free" if space.inodes_total else ""
    return Seen("host", space.path, f"{size_text(space.free)} of {size_text(space.total)} free{inodes}")
