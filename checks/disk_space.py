"""Whether there is enough disk space for the models."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.actions import DockerWaste, FreeDisk
from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, unknown, warned
from ot_doctor.evidence import Deployment, Host, ModelCache, Purpose, Space, Unavailable

from ._cache_state import NEEDED, download_needed, size_text, what_ran_out
from ._remedies import engine_command, run_again, space_of_the_engine

_COMFORTABLE = 2_000_000_000
_WRITTEN_MEANWHILE = 50_000_000  # bytes


@check("disk-space", title="There is enough disk space for the models", family=Family.CACHE, causes=(Cause.DISK_FULL,))
def disk_space(host: Host, cache: ModelCache | Unavailable, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    """A full disk interrupts the download of a model, and every later one.

    The diarization models need about 40 MB, the transcription models several
    gigabytes, and a job needs space for its audio. Free space and free inodes
    (the number of files that a file system can hold) are read for the model
    cache and for the Docker engine's data.

    Too little space is a failure if a model must still be downloaded. Less
    than 2 GB, or too little space with all models there, is a warning.

    To fix it, delete what is not needed, enlarge the disk, or set
    MODEL_CACHE_DIR to a folder on another disk and recreate the worker.
    """
    if not host.spaces:
        if isinstance(cache, Unavailable):
            raise cache
        yield unknown(
            "Free space could not be read.",
            remedy=[Step("Run ot-doctor on the machine that has the models, as a user who is allowed to enter their folder.")],
        )
    needed = isinstance(cache, ModelCache) and download_needed(cache)
    for space in host.spaces:
        full = what_ran_out(space)
        if full and needed and space.purpose is Purpose.MODEL_CACHE:
            yield failed(
                Cause.DISK_FULL,
                f"A model must be downloaded, but there is no space for {space.purpose}: {full} at {space.path}.",
                subject=space.path,
                expected=f"at least {size_text(NEEDED)}",
                evidence=[_seen(space)],
                remedy=_make_room(space, host, deployment),
            )
        elif full or space.free < _COMFORTABLE:
            yield warned(
                f"Little room for {space.purpose}: {full or size_text(space.free) + ' free'} at {space.path}.",
                cause=Cause.DISK_FULL,
                subject=space.path,
                expected=f"at least {size_text(_COMFORTABLE)}",
                evidence=[_seen(space)],
                remedy=_make_room(space, host, deployment),
            )
        else:
            free = size_text(space.free)
            yield passed(
                f"There is enough space for {space.purpose}: {free} free at {space.path}.",
                subject=space.path,
                evidence=[_seen(space)],
            )


def _make_room(space: Space, host: Host, deployment: Deployment | Unavailable) -> list[Step]:
    place = quote(space.path)
    df = "df -i" if space.free >= NEEDED and space.inodes_total and not space.inodes_free else "df -h"
    look = f"{df} {place} || {df}"  # the folder need not be there yet
    on_engine = [other for other in host.spaces if other.purpose is Purpose.ENGINE_DATA]
    return [
        Step("Find the full file system.", command=look),
        space_of_the_engine(deployment),
        *(_waste(deployment) if any(_same_disk(space, other) for other in on_engine) else ()),
        Step("Either delete what is not needed, or enlarge the file system, or set MODEL_CACHE_DIR to a folder on another one."),
        run_again(),
    ]


def _same_disk(one: Space, other: Space) -> bool:
    """They are read one after the other, and somebody writes meanwhile."""
    return one.total == other.total and abs(one.free - other.free) < _WRITTEN_MEANWHILE


def _waste(deployment: Deployment | Unavailable) -> list[Step]:
    """What the engine can make or fetch again; no container, no volume. Podman's build cache is images without a name."""
    images = Step(
        "Delete the images that have no name and no container.", command=engine_command(deployment, "image prune -f"),
        risk=Risk.REMOVES, action=FreeDisk(DockerWaste.UNTAGGED_IMAGES),
    )  # fmt: skip
    if isinstance(deployment, Deployment) and deployment.podman:
        return [images]
    cache = Step(
        "Delete Docker's build cache, which the next build makes again.", command=engine_command(deployment, "builder prune -f"),
        risk=Risk.REMOVES, action=FreeDisk(DockerWaste.BUILD_CACHE),
    )  # fmt: skip
    return [cache, images]


def _seen(space: Space) -> Seen:
    inodes = f", {space.inodes_free} of {space.inodes_total} inodes free" if space.inodes_total else ""
    return Seen("host", space.path, f"{size_text(space.free)} of {size_text(space.total)} free{inodes}")
