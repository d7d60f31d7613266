"""Whether the models of another release have room."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, failed, passed, unknown
from ot_doctor.evidence import Deployment, Host, Model, ModelCache, NextRelease, Purpose, Space, Unavailable, models
from ot_doctor.evidence.releases import release_of

from ._cache_state import size_text
from ._remedies import space_of_the_engine

_MB = 1_000_000
_FILES = 200  # that a download makes at most: files, links, folders and locks


@check("next-space", title="The models of the next release have room", family=Family.CACHE, causes=(Cause.DISK_FULL,))
def next_space(
    upcoming: NextRelease, host: Host, cache: ModelCache | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """Another release may download other models, and v0.5 also exports its own ones for the native engine (about 484 MB).

    The sizes are those of the files that the release reads; what is complete in the cache is not counted again. The image of
    the release, of several gigabytes, is not counted: its size is not known here.

    To fix it, delete what is not needed, or set MODEL_CACHE_DIR to a folder on a larger file system.
    """
    release = release_of(upcoming.line)
    missing = [model for model in models(upcoming.line) if model.required and not _is_there(model, cache)]
    native = release.native.mb if release and release.native else 0
    needed = (sum(model.mb for model in missing) + native) * _MB
    what = ", ".join([f"{model.repo} ({model.mb} MB)" for model in missing] + ([f"native models ({native} MB)"] * bool(native)))
    if not needed:
        yield passed(f"{upcoming.name} needs no model that is not there already.")
        return
    space = next((space for space in host.spaces if space.purpose is Purpose.MODEL_CACHE), None)
    if space is None:
        yield unknown(
            f"{upcoming.name} stores about {size_text(needed)} ({what}). The free space for the models could not be read.",
            remedy=[Step("Run it again on the machine that has the models.")],
        )
        return
    seen = [Seen("host", space.path, f"{size_text(space.free)} free{_inodes(space)}")]
    if space.free < needed or (space.inodes_total and space.inodes_free < _FILES):
        yield failed(
            Cause.DISK_FULL, f"{upcoming.name} stores about {size_text(needed)} ({what}), and there is not enough room for it.",
            subject=space.path, expected=f"{size_text(needed)} and {_FILES} inodes", evidence=seen,
            remedy=[
                space_of_the_engine(deployment),
                Step("Either delete what is not needed, or enlarge the file system."),
            ],
        )  # fmt: skip
        return
    yield passed(f"{upcoming.name} stores about {size_text(needed)} ({what}), and there is room for it.", evidence=seen)


def _is_there(model: Model, cache: ModelCache | Unavailable) -> bool:
    if isinstance(cache, Unavailable):
        return False
    kept = next((one for one in cache.models if one.repo == model.repo and one.complete), None)
    return kept is not None and {file.name for file in kept.files} >= set(model.files)


def _inodes(space: Space) -> str:
    return f", {space.inodes_free} of {space.inodes_total} inodes free" if space.inodes_total else ""
