"""What helps against what the log says of the model cache."""

from __future__ import annotations

from ot_doctor.check import Cause, Risk, Step
from ot_doctor.evidence import Unavailable, Worker

from ._cache_remedies import back_on_the_mount, copy_from_elsewhere, folder_of, remove_model, unmounted
from ._cache_state import cache_worker, what_is_missing
from ._present import Present
from ._remedies import own_cache


def cache_remedy(cause: Cause, subject: str | None, now: Present) -> list[Step]:
    """What helps against a cause in the model cache, as far as the cache could be inspected."""
    if isinstance(now.cache, Unavailable) or isinstance(now.deployment, Unavailable):
        return [Step(_without_a_look(cause), risk=Risk.CHANGES_FILES)]
    worker: Worker | None = cache_worker(now.cache, now.workers)
    folder = folder_of(now.cache)
    if cause in (Cause.CACHE_PERMISSION, Cause.CACHE_READONLY) and unmounted(now.cache):
        return back_on_the_mount(now.cache, now.deployment, now.workers, now.env)
    if cause is Cause.CACHE_PERMISSION and folder:
        return [own_cache(now.deployment, worker, now.cache.access, folder)]
    meant = [m for m in now.cache.models if m.required and subject in (None, m.repo)]
    if cause is Cause.MODEL_CORRUPT and meant:
        return [remove_model(now.deployment, worker, now.cache, model) for model in meant if model.present]
    if cause is Cause.OFFLINE_CACHE_MISSING and meant:
        return copy_from_elsewhere(now.cache, meant)
    if meant and cause in (Cause.CACHE_INCOMPLETE, Cause.CACHE_MISSING):
        return [Step(f"{m.repo}: {what_is_missing(m)}. See the check cache-complete.") for m in meant if not m.complete]
    return [Step(_without_a_look(cause), risk=Risk.CHANGES_FILES)]


def _without_a_look(cause: Cause) -> str:
    if cause is Cause.CACHE_PERMISSION:
        return (
            "Give the folder that the log names to user id 1000, the worker's; your own user id does not help unless it "
            "is the same."
        )
    if cause is Cause.CACHE_READONLY:
        return (
            "Either remove ':ro' from the volume of the model cache in the Compose file, or mount its file system writable again."
        )
    if cause is Cause.MODEL_CORRUPT:
        return "Remove the models--… folder of this model from the cache, and nothing else."
    return (
        "Either copy the whole models--… folders with their links into the cache (tar, or rsync -a), or let the worker "
        "download them."
    )
