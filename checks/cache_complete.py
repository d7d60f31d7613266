"""Whether the models that the release line needs are in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from shlex import quote

from ot_doctor.actions import RestartContainer
from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import (
    AS_ROOT,
    Answer,
    CachedModel,
    CacheView,
    Deployment,
    Host,
    Hub,
    ModelCache,
    Purpose,
    ReleaseLine,
    Unavailable,
    Worker,
    Workers,
)

from ._cache_remedies import copy_from_elsewhere, download, remove_model
from ._cache_state import Condition, cache_worker, condition, gaps, seen_at, what_is_missing, what_ran_out
from ._cache_unfetched import misplaced, offline
from ._remedies import run_again


@check(
    "cache-complete",
    title="The models are completely cached",
    family=Family.CACHE,
    causes=(Cause.CACHE_MISSING, Cause.CACHE_INCOMPLETE, Cause.MODEL_CORRUPT, Cause.OFFLINE_CACHE_MISSING),
)
def cache_complete(
    cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, hub: Hub | Unavailable, host: Host | Unavailable
) -> Iterator[Finding]:
    """With a complete cache the worker needs neither token nor network.

    Every file that the release needs is looked for where that release looks:
    v0.4 under huggingface/hub, v0.1 to v0.3 under torch/pyannote, each in a
    folder models--organisation--name. Links are followed as the container sees
    them, and the first bytes distinguish a model from an HTML page or a
    git-lfs pointer.

    Models that are not there yet are downloaded by the next job, about 40 MB;
    so is what an interrupted download left out. It fails if nothing would
    download them (offline mode), if a damaged file would be used, and if the
    models are in a folder where no release looks: the setup guide's tar recipe
    keeps the path home/…/.cache/torch/pyannote and puts them there.

    To fix it, remove the folder of a damaged model, move misplaced ones, or
    copy whole folders with their links from a connected machine (tar, rsync -a).
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
        yield from _one(cache, deployment, worker, model, _outlook(cache, model, hub, host))
    if cache.old_layout and deployment.line is not ReleaseLine.V0_3:
        folders = ", ".join(dict.fromkeys(str(PurePosixPath(path).parent) for path in cache.old_layout))
        yield passed(
            f"Old v0.3 files are in {folders}. This release does not use them and downloads its own.",
            evidence=[Seen("cache", path, "not used by this release") for path in cache.old_layout],
        )


@dataclass(frozen=True)
class _Outlook:
    """Whether the next job gets what is missing."""

    text: str
    good: bool


def _outlook(cache: ModelCache, model: CachedModel, hub: Hub | Unavailable, host: Host | Unavailable) -> _Outlook:
    if cache.access.writable is False or cache.root.read_only:
        return _Outlook("It cannot be stored: see the check cache-permissions.", False)
    if isinstance(host, Host) and any(what_ran_out(space) for space in host.spaces if space.purpose is Purpose.MODEL_CACHE):
        return _Outlook("There is no room for it: see the check disk-space.", False)
    if isinstance(hub, Unavailable):
        return _Outlook("The next job tries to download it; the Hub was not asked whether it can.", True)
    if not hub.token_sent:
        return _Outlook("It cannot be downloaded without a usable token: see the token checks.", False)
    answer = hub.of(model.repo)
    if hub.public.answer.unreachable or (answer and answer.answer.unreachable):
        return _Outlook("It cannot be downloaded while the Hub cannot be reached: see the check hub-reachable.", False)
    if answer is None or answer.answer is Answer.NOT_ASKED:
        return _Outlook("The next job tries to download it.", True)
    if answer.answer is not Answer.OK:
        return _Outlook("It cannot be downloaded now: see the check model-access.", False)
    return _Outlook("The next job downloads what is missing.", True)


def _one(
    cache: ModelCache, deployment: Deployment, worker: Worker | None, model: CachedModel, outlook: _Outlook
) -> Iterator[Finding]:
    state = condition(cache, model)
    if state is Condition.COMPLETE:
        size = sum(file.size for file in model.files) / 1e6
        seen = seen_at(model, "complete" if cache.view is CacheView.NOBODY else f"complete, {cache.view.value}")
        yield passed(f"{model.repo} is complete: {model.path} ({size:.1f} MB).", subject=model.repo, evidence=[seen])
    elif state is Condition.CORRUPT:
        names = ", ".join(f"{file.name} ({file.state.value})" for file in model.corrupt)
        yield failed(
            Cause.MODEL_CORRUPT,
            f"{model.repo} is damaged, and the worker will load it all the same: {names}.",
            subject=model.repo,
            expected="files that are models",
            evidence=[Seen("cache", f.path or model.path, f"{f.state.value}, {f.size} bytes") for f in model.corrupt],
            remedy=[remove_model(deployment, worker, cache, model), *_get_again(cache, model)],
        )
    elif state is Condition.UNREADABLE:
        if cache.access.readable is False:
            yield skipped(f"{model.repo} could not be checked: see the check cache-permissions.", subject=model.repo)
        else:
            yield unknown(
                f"You are not allowed to read {model.path}.",
                subject=model.repo,
                evidence=[seen_at(model, "not readable from here")],
                remedy=[Step("Run ot-doctor as root.", command=AS_ROOT)],
            )
    elif not cache.offline and state in (Condition.ABSENT, Condition.PARTIAL):
        again = download(worker, model) if outlook.good else []
        yield (_not_there_yet if state is Condition.ABSENT else _broken_off)(model, outlook, again)


def _replaced(cache: ModelCache, deployment: Deployment, worker: Worker) -> Finding:
    place = cache.root.path or cache.root.container_path
    text = f"Restart {worker.name} (running jobs are interrupted)."
    command = deployment.docker(f"restart {quote(worker.name)}")
    restart = Step(text, command=command, risk=Risk.RESTARTS, action=RestartContainer(worker.name))
    return failed(
        Cause.CACHE_INCOMPLETE,
        f"{place} was deleted and recreated while {worker.name} was running: the container still sees the old folder.",
        subject=place,
        expected="the same folder on the host and in the container",
        evidence=[Seen("container", f"{worker.name} Mounts", f"not the folder that is now at {place}")],
        remedy=[restart],
    )


def _not_there_yet(model: CachedModel, outlook: _Outlook, again: list[Step]) -> Finding:
    return warned(
        f"{model.repo} is not cached yet. {outlook.text}",
        cause=Cause.CACHE_MISSING,
        subject=model.repo,
        evidence=[seen_at(model, "not there")],
        remedy=again,
    )


def _broken_off(model: CachedModel, outlook: _Outlook, again: list[Step]) -> Finding:
    left = f" {len(model.incomplete)} interrupted downloads left files behind." if model.incomplete else ""
    return warned(
        f"{model.repo} is not complete ({what_is_missing(model)}). {outlook.text}{left}",
        cause=Cause.CACHE_INCOMPLETE,
        subject=model.repo,
        expected="all files of the model",
        evidence=[*gaps(model), *(Seen("cache", path, "an interrupted download") for path in model.incomplete)],
        remedy=[
            *again,
            Step("A *.incomplete file that is still there after a successful job is not used any more: you can delete it."),
        ],
    )


def _line_unknown(cache: ModelCache) -> Iterator[Finding]:
    """Nothing fails while it is unknown which models are needed."""
    for model in cache.models:
        if model.complete:
            yield passed(f"{model.repo} is complete: {model.path}.", subject=model.repo)
        elif model.corrupt:
            yield warned(
                f"{model.repo} is damaged: {', '.join(file.name for file in model.corrupt)}.",
                cause=Cause.MODEL_CORRUPT,
                subject=model.repo,
                evidence=gaps(model),
            )
    if not any(model.complete for model in cache.models):
        yield skipped("The release is unknown, and so are the models that it needs.")


def _get_again(cache: ModelCache, model: CachedModel) -> list[Step]:
    return [*copy_from_elsewhere(cache, [model]), run_again()] if cache.offline else [run_again()]
