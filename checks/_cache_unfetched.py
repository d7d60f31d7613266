"""Findings about models that no job downloads by itself: offline mode, and models in a folder where no release looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from ot_doctor.check import Cause, Finding, Seen, Step, failed, warned
from ot_doctor.evidence import CachedModel, Deployment, ModelCache, Worker

from ._cache_remedies import copy_from_elsewhere, move_models
from ._cache_state import Condition, condition, gaps, misplaced_at, what_is_missing
from ._remedies import own_cache, run_again


def offline(cache: ModelCache, deployment: Deployment, worker: Worker | None, required: list[CachedModel]) -> Iterator[Finding]:
    """Models that nothing downloads. One copy brings all of them, so each finding has the same remedy."""
    gone = [m for m in required if condition(cache, m) in (Condition.ABSENT, Condition.PARTIAL)]
    if not cache.offline or not gone:
        return
    copied = copy_from_elsewhere(cache, gone)
    if cache.root.path:
        copied.append(own_cache(deployment, worker, cache.access, cache.root.path))
    steps = [
        Step(
            f"Either let this machine download: remove {cache.offline} from the worker's settings, recreate the worker, and "
            "leave out the copying. Or copy the models from a machine with internet access, as follows."
        ),
        *copied,
    ]
    if cache.native:
        names = ", ".join(model.repo for model in gone)
        yield warned(
            f"Offline mode ({cache.offline}), and not completely cached: {names}. The native engine does the work with its own "
            "models. Only PyAnnote, which stands in for it, would miss them.",
            cause=Cause.OFFLINE_CACHE_MISSING,
            subject=gone[0].repo,
            evidence=[gap for model in gone for gap in gaps(model)],
            remedy=steps,
        )
        return
    for model in gone:
        yield failed(
            Cause.OFFLINE_CACHE_MISSING,
            f"Offline mode is on ({cache.offline}), but {model.repo} is not completely cached: {what_is_missing(model)}.",
            subject=model.repo,
            expected=f"the whole model in {model.path}",
            evidence=[Seen("container", cache.worker or ".env", cache.offline), *gaps(model)],
            remedy=[*steps, run_again()],
        )


def misplaced(cache: ModelCache, deployment: Deployment, worker: Worker | None, required: list[CachedModel]) -> Iterator[Finding]:
    needed = [(m, path) for m in required if condition(cache, m) is Condition.MISPLACED and (path := misplaced_at(cache, m))]
    used = {path for _, path in needed}
    if needed:
        folders = ", ".join(dict.fromkeys(str(PurePosixPath(path).parent) for _, path in needed))
        yield failed(
            Cause.CACHE_INCOMPLETE,
            f"{', '.join(model.repo for model, _ in needed)} is in {folders}, where no release of OpenTranscribe looks. "
            "The setup guide's tar recipe unpacks models there.",
            subject=folders,
            expected=f"models in {cache.root.path or cache.root.container_path}",
            evidence=[Seen("cache", path, f"the files of {model.repo}") for model, path in needed],
            remedy=[move_models(deployment, worker, cache, needed) if cache.root.path else _move_by_hand(cache), run_again()],
        )
    others = [path for path in cache.misplaced if path not in used]
    if others:
        yield warned(
            f"These model folders are not used by any release: {', '.join(others)}.",
            cause=Cause.CACHE_INCOMPLETE,
            evidence=[Seen("cache", path, "not used") for path in others],
            remedy=[Step(f"You can delete them. This release looks in {cache.root.path or cache.root.container_path}.")],
        )


def _move_by_hand(cache: ModelCache) -> Step:
    return Step(f"Move the models--… folders into {cache.root.container_path} of {cache.worker or 'the worker'}.")
