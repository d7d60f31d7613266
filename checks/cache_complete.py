"""Whether the models that the release line needs are in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from shlex import quote

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import CachedModel, Deployment, ModelCache, ReleaseLine, Unavailable, Worker, Workers

from ._cache_remedies import copy_from_elsewhere, remove_model
from ._cache_state import Condition, cache_worker, condition, gaps, seen_at, what_is_missing
from ._cache_unfetched import misplaced, offline
from ._remedies import run_again


@check(
    "cache-complete",
    title="The models are completely cached",
    family=Family.CACHE,
    causes=(Cause.CACHE_MISSING, Cause.CACHE_INCOMPLETE, Cause.MODEL_CORRUPT, Cause.OFFLINE_CACHE_MISSING),
)
def cache_complete(cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable) -> Iterator[Finding]:
    """With a complete cache the worker needs neither token nor network.

    Every file that the release needs is looked for where that release looks:
    v0.4 under huggingface/hub, v0.1 to v0.3 under torch/pyannote, each in a
    folder models--organisation--name. Links are followed as the container sees
    them, and the first bytes tell a model from an HTML page or a git-lfs pointer.

    Models that are not there yet are downloaded by the next job, about 40 MB;
    so is what a broken-off download left out. It fails where nothing would
    fetch them (offline mode), where a damaged file would be used as it is, and
    where models lie in a folder that no release looks at: the setup guide's tar
    recipe keeps the path home/…/.cache/torch/pyannote and puts them there.

    To mend: remove the folder of a damaged model, move misplaced ones, or copy
    whole folders with their links from a connected machine (tar, rsync -a).
    """
    worker = cache_worker(cache, workers)
    if cache.replaced and worker is not None:
        yield _replaced(cache, deployment, worker)
    required = [model for model in cache.models if model.required]
    if not required:
        yield from _line_unknown(cache)
    yield from misplaced(cache, deployment, worker, required)
    yield from offline(cache, deployment, worker, required)
    for model in required:
        yield from _one(cache, deployment, worker, model)
    if cache.old_layout and deployment.line is not ReleaseLine.V0_3:
        yield passed(
            f"Old v0.3 files lie in {_parents(cache.old_layout)}; this release does not use them and downloads its own.",
            evidence=[Seen("cache", path, "not used by this release") for path in cache.old_layout],
        )


def _one(cache: ModelCache, deployment: Deployment, worker: Worker | None, model: CachedModel) -> Iterator[Finding]:
    state = condition(cache, model)
    if state is Condition.COMPLETE:
        size = sum(file.size for file in model.files) / 1e6
        yield passed(
            f"{model.repo} is complete: {model.path} ({size:.1f} MB)", subject=model.repo, evidence=[seen_at(model, "complete")]
        )
    elif state is Condition.CORRUPT:
        names = ", ".join(f"{file.name} ({file.state.value})" for file in model.corrupt)
        yield failed(
            Cause.MODEL_CORRUPT,
            f"{model.repo} is damaged, and is used as it is: {names}",
            subject=model.repo,
            expected="files that are models",
            evidence=[Seen("cache", f.path or model.path, f"{f.state.value}, {f.size} bytes") for f in model.corrupt],
            remedy=[remove_model(deployment, worker, cache, model), *_get_again(cache, model)],
        )
    elif state is Condition.UNREADABLE:
        if cache.access.readable is False:
            yield skipped(f"{model.repo} cannot be looked at: the check cache-permissions says why.", subject=model.repo)
        else:
            yield unknown(
                f"{model.repo} could not be looked at: {model.path} may not be read by the user who runs ot-doctor.",
                subject=model.repo,
                evidence=[seen_at(model, "not readable from here")],
                remedy=[Step("Start the worker, so that the doctor can ask inside it, or run ot-doctor as root.")],
            )
    elif not cache.offline and state is Condition.ABSENT:
        yield _not_there_yet(cache, model)
    elif not cache.offline and state is Condition.PARTIAL:
        yield _broken_off(cache, model)


def _replaced(cache: ModelCache, deployment: Deployment, worker: Worker) -> Finding:
    place = cache.root.path or cache.root.container_path
    return failed(
        Cause.CACHE_INCOMPLETE,
        f"{place} was deleted and made anew while {worker.name} ran: the worker still has the deleted folder.",
        subject=place,
        expected="the same folder on the host and in the container",
        evidence=[Seen("container", f"{worker.name} Mounts", f"not the folder that is now at {place}")],
        remedy=[Step("Restart the worker.", command=deployment.docker(f"restart {quote(worker.name)}"), risk=Risk.RESTARTS)],
    )


def _not_there_yet(cache: ModelCache, model: CachedModel) -> Finding:
    stuck = cache.access.writable is False or cache.root.read_only
    outlook = ", and cannot be stored: see the check cache-permissions" if stuck else "; the next job downloads it"
    return warned(
        f"{model.repo} is not cached yet{outlook}.",
        cause=Cause.CACHE_MISSING,
        subject=model.repo,
        evidence=[seen_at(model, "not there")],
        remedy=[] if stuck else [run_again()],
    )


def _broken_off(cache: ModelCache, model: CachedModel) -> Finding:
    stuck = cache.access.writable is False or cache.root.read_only
    left = f" Leftovers of broken-off downloads: {len(model.incomplete)}." if model.incomplete else ""
    outlook = "It cannot be completed: see the check cache-permissions." if stuck else "The next job fetches the rest."
    return warned(
        f"{model.repo} is not complete ({what_is_missing(model)}). {outlook}{left}",
        cause=Cause.CACHE_INCOMPLETE,
        subject=model.repo,
        expected="all files of the model",
        evidence=[*gaps(model), *(Seen("cache", path, "a download that broke off") for path in model.incomplete)],
        remedy=[
            run_again(),
            Step("A *.incomplete file that stays after that is a leftover that nothing takes up again: it may be deleted."),
        ],
    )


def _line_unknown(cache: ModelCache) -> Iterator[Finding]:
    """Nothing fails while it is not known which models are needed."""
    for model in cache.models:
        if model.complete:
            yield passed(f"{model.repo} is complete: {model.path}", subject=model.repo)
        elif model.corrupt:
            yield warned(
                f"{model.repo} is damaged: {', '.join(file.name for file in model.corrupt)}",
                cause=Cause.MODEL_CORRUPT,
                subject=model.repo,
                evidence=gaps(model),
            )
    if not any(model.complete for model in cache.models):
        yield skipped("Which models are needed is not known: the worker bears no mark of a release.")


def _get_again(cache: ModelCache, model: CachedModel) -> list[Step]:
    return [*copy_from_elsewhere(cache, [model]), run_again()] if cache.offline else [run_again()]


def _parents(paths: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(str(PurePosixPath(path).parent) for path in paths))
