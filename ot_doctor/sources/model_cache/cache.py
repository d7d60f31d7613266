"""Gathers the model cache of the diarizing worker: what is in it, and what the worker may do there."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ot_doctor.core.debug_log import note
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import COMMUNITY_1, Deployment, Model, ReleaseLine, models
from ot_doctor.evidence.env_file import EnvFile
from ot_doctor.evidence.model_cache import (
    CacheAccess,
    CachedFile,
    CachedModel,
    CacheRoot,
    CacheView,
    FileState,
    ModelCache,
)
from ot_doctor.evidence.native_engine import NativeEngine
from ot_doctor.evidence.workers import Engine, Worker, Workers
from ot_doctor.sources.disk import is_read_only, on_disk
from ot_doctor.sources.docker.container_archive import ContainerArchive, may_be_read
from ot_doctor.sources.docker.container_exec import Unresponsive
from ot_doctor.sources.docker.container_user import owners_tell, user_of
from ot_doctor.sources.model_cache import access
from ot_doctor.sources.model_cache.archive_view import look_by_archive
from ot_doctor.sources.model_cache.container_view import ask_container
from ot_doctor.sources.model_cache.fs_view import CacheLook, Existence, as_evidence, folder_name, shown, state_of
from ot_doctor.sources.model_cache.host_view import find_models, look_from_host
from ot_doctor.sources.model_cache.location import (
    LONGEST_PATH,
    WorkerEnvironment,
    configured_models_dir,
    former_place,
    models_dir,
    mount_of,
    offline_switch,
    on_host,
    places,
    root_of,
)
from ot_doctor.sources.other_machine import unseen

_DEFAULT_MODELS_DIR = "./models"
_MOST_MISPLACED = 20
_NO_NATIVE = Unavailable("The native engine was not looked at.")


def gather(
    request: Request, deployment: Deployment, workers: Workers | Unavailable, env_file: EnvFile | Unavailable,
    native: NativeEngine | Unavailable = _NO_NATIVE,
) -> ModelCache:  # fmt: skip
    """The cache of the first diarizing container; without one, where ``.env`` and the Compose files put it."""
    if not isinstance(workers, Unavailable) and workers.lite:
        raise Unavailable("In a lite install, a cloud provider does the diarization.", switched_off=True)
    if isinstance(workers, Unavailable):
        if workers.elsewhere:
            raise workers
    elif workers.tasks and not workers.diarizers:
        service = workers.tasks[0].service
        raise Unavailable(f"The Swarm runs no task of {service}, so on which node its models are is not known.", elsewhere=True)
    file = None if isinstance(env_file, Unavailable) else env_file
    worker = None if isinstance(workers, Unavailable) else next(iter(workers.diarizers), None)
    configured = configured_models_dir(deployment, file)
    if worker is None and deployment.machine:
        raise unseen(request, deployment, "The model cache")
    if worker is not None:
        around = WorkerEnvironment.of(worker)
    else:
        folder = configured or os.path.normpath(deployment.home / _DEFAULT_MODELS_DIR)
        around = WorkerEnvironment.supposed(folder, file)
    found = _Gathering(request, deployment.line, around, worker).result(configured)
    return replace(found, native=isinstance(native, NativeEngine) and native.serves)


@dataclass(frozen=True)
class _Seen:
    """The same places, seen from one side."""

    looks: Mapping[str, CacheLook]

    @property
    def closed(self) -> bool:
        """Something could not be inspected, so that the other side may know more."""
        if any(cache.root.found is Existence.CLOSED or cache.locks.found is Existence.CLOSED for cache in self.looks.values()):
            return True
        models = [model for cache in self.looks.values() for model in cache.models]
        files = [look for model in models for look in model.files]
        return any(look.found is Existence.CLOSED for model in models for look in model.all()) or any(
            state_of(look, "") is FileState.UNREADABLE for look in files
        )

    def agrees_with(self, other: _Seen) -> bool:
        """Whether both saw the same models; what ``other`` could not look at is no difference."""
        for root, cache in self.looks.items():
            for mine, theirs in zip(cache.models, other.looks[root].models, strict=True):
                pairs = zip((mine.folder, *mine.files), (theirs.folder, *theirs.files), strict=True)
                if any(theirs.found not in (mine.found, Existence.CLOSED) for mine, theirs in pairs):
                    return False
        return True


class _Gathering:
    """One worker's cache, as the worker sees it, else as the engine's archive has it, and as the host's disk has it.

    The paths are the host's where it agrees, because a remedy is carried out there.
    """

    def __init__(self, request: Request, line: ReleaseLine, around: WorkerEnvironment, worker: Worker | None) -> None:
        self._line = line
        self._around = around
        self._worker = worker
        self._engine = worker.engine if worker else None
        self._here = self._engine is None or _on_this_machine(self._engine)
        self._models = models(line)
        self._places = places(line, around.env, around.home)
        for place in self._places:
            if len(os.fsencode(place.path)) > LONGEST_PATH:
                who = f"of {worker.name}" if worker else "in .env"
                raise Unavailable(
                    f"{place.variable or 'HOME'} {who} makes the model cache's path {len(place.path):,} characters long; "
                    f"the system takes no path of more than {LONGEST_PATH:,} bytes.",
                    hint=f"Write the path of a folder to {place.variable or 'HOME'}, and recreate the worker.",
                )
        wanted = {place.path: self._models for place in self._places}
        self._view = CacheView.NOBODY
        self._inside: _Seen | None = None
        self._user = access.image_user(worker) if worker else None
        hangs = self._ask(request, wanted)
        self._host = self._from_host(request, wanted)
        if self._inside is None and not hangs:
            self._read_archive(request, wanted)
        self._replaced = self._is_replaced()
        self._host_side = self._host is not None and not self._replaced and self._host_tells(self._host)

    def result(self, configured: str | None) -> ModelCache:
        display_path = self._host_name if self._host_side else str
        seen = self._host if self._host_side else self._inside
        folder = models_dir(self._around.mounts, self._places[0])
        if configured and folder and os.path.realpath(configured) == os.path.realpath(folder):
            configured = folder
        cached = tuple(self._cached(model, seen, display_path) for model in self._models)
        misplaced, old = self._strays(folder, cached) if self._host_side else ((), ())
        return ModelCache(
            worker=self._worker.name if self._worker else "",
            root=self._root(seen),
            models=cached,
            access=self._access(),
            offline=offline_switch(self._around.env),
            misplaced=misplaced,
            old_layout=old,
            configured=configured,
            host_side=self._host_side,
            view=CacheView.HOST if self._inside is None and self._host_side else self._view,
            replaced=self._replaced,
            models_dir=folder,
        )

    # -- looking -----------------------------------------------------------------------------------------------------

    def _ask(self, request: Request, wanted: Mapping[str, tuple[Model, ...]]) -> bool:
        """Ask the worker itself; whether it did not answer, so that nobody else should look where it looked."""
        if self._worker is None:
            return False
        try:
            self._user, looks = ask_container(request, self._worker, wanted)
        except Unavailable as error:
            return isinstance(error, Unresponsive)
        self._inside, self._view = _Seen(looks), CacheView.WORKER
        return False

    def _read_archive(self, request: Request, wanted: Mapping[str, tuple[Model, ...]]) -> None:
        worker = self._worker
        if worker is None or not on_disk(request, Path("/"), lambda: may_be_read(worker)):
            return
        try:
            with closing(ContainerArchive(request, worker)) as archive:
                looks = look_by_archive(archive, self._around.mounts, wanted)
                found = user_of(archive, worker)
        except Unavailable as error:
            note("the engine's archive", error)
            return
        seen = _Seen(looks)
        if all(cache.root.found is Existence.CLOSED for cache in looks.values()):
            return
        self._inside, self._view = seen, CacheView.ARCHIVE
        if found is not None:
            self._user = found

    def _from_host(self, request: Request, wanted: Mapping[str, tuple[Model, ...]]) -> _Seen | None:
        if not self._here:
            return None
        mounts = self._around.mounts
        folder = Path(on_host(mounts, self._places[0].path) or "/")
        looks = on_disk(request, folder, lambda: {root: look_from_host(mounts, root, needed) for root, needed in wanted.items()})
        return _Seen(looks)

    def _host_tells(self, host: _Seen) -> bool:
        """Not where the container knows more."""
        if self._inside is None:
            return not all(cache.root.found is Existence.CLOSED for cache in host.looks.values())
        return not host.closed and not self._in_virtual_machine() and host.agrees_with(self._inside)

    def _is_replaced(self) -> bool:
        """The host's folder is another one than the mounted one: deleted and made again while the container ran."""
        root = self._places[0].path
        mount = mount_of(self._around.mounts, root)
        if self._host is None or self._inside is None or mount is None or self._in_virtual_machine():
            return False
        pairs = zip(self._host.looks[root].ancestors, self._inside.looks[root].ancestors, strict=True)
        mounted = posixpath.normpath(mount.destination)
        return any(h.there and i.there and h.inode != i.inode > 0 for h, i in pairs if h.container_path == mounted)

    def _in_virtual_machine(self) -> bool:
        return self._engine is not None and self._engine.in_vm

    def _host_name(self, path: str) -> str:
        return on_host(self._around.mounts, path) or path

    # -- telling -----------------------------------------------------------------------------------------------------

    def _cached(self, model: Model, seen: _Seen | None, display_path: Callable[[str], str]) -> CachedModel:
        """Where the line is not known there are two places: the one that has the model tells."""
        at = self._models.index(model)
        if seen is None:
            path = f"{self._places[0].path}/{folder_name(model.repo)}"
            return _unseen(model, path)
        found = [as_evidence(model, cache.models[at], display_path) for cache in seen.looks.values()]
        return max(found, key=lambda cached: (cached.complete, cached.present))

    def _root(self, seen: _Seen | None) -> CacheRoot:
        root = root_of(self._places[0], self._line, self._around, here=self._here)
        if root.path and self._host_side and _read_only(root.path):
            root = replace(root, read_only=True)
        if seen is None:
            return root
        look = seen.looks[root.container_path].root
        return replace(root, exists=None if look.found is Existence.CLOSED else look.there)

    def _access(self) -> CacheAccess:
        own_users = self._worker is not None and self._worker.own_users
        same = self._engine is not None and self._here and self._engine.same_user_ids and not own_users
        read_only = self._root(None).read_only
        wanted = {place.path: self._models for place in self._places}
        display_path = self._host_name if self._here else str
        if self._user is None:
            return access.UNKNOWN_ACCESS
        if self._inside is not None:
            sure = self._view is CacheView.WORKER or all(
                look.found is not Existence.CLOSED for cache in self._inside.looks.values() for look in cache.all()
            )
            rootless = self._engine is not None and self._engine.rootless
            question = access.Question(self._inside.looks, wanted, read_only, sure, display_path, same, rootless)
            if self._view is CacheView.WORKER:
                return access.asked(question, self._user)
            under = [mount_of(self._around.mounts, place.path) for place in self._places]
            tops = {cache.ancestors[0].uid for cache in self._inside.looks.values()}
            if self._engine and all(owners_tell(self._engine, under, top) for top in tops):
                found = access.worked_out(question, self._user)
                own_layer = self._root(None).mount is None  # which may be read-only, whatever the modes say
                return replace(found, writable=None) if own_layer and found.writable else found
        if self._host is not None and self._host_side and same:
            mounts = self._around.mounts
            looks = [look for cache in self._host.looks.values() for look in cache.all() if mount_of(mounts, look.container_path)]
            sure = all(look.found is not Existence.CLOSED for look in looks)
            question = access.Question(self._host.looks, wanted, read_only, sure, display_path, same)
            return access.worked_out(question, self._user)
        return replace(access.UNKNOWN_ACCESS, user=access.shown_user(self._user), uid=self._user.uid)

    def _strays(self, folder: str | None, cached: tuple[CachedModel, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Models where no release looks, and those of v0.3 beside a v0.4 worker."""
        if folder is None or not os.path.isdir(folder):
            return (), ()
        looked = {os.path.realpath(self._host_name(place.path)) for place in self._places}
        other = former_place(self._line, self._around.env, self._around.home)
        absent = {folder_name(m.repo) for m in cached if not m.present} | {m.repo.split("/")[1] for m in cached if not m.present}
        misplaced, old = [], []
        for path in find_models(folder, [model.repo.split("/")[1] for model in models(ReleaseLine.UNKNOWN)]):
            parent, name = os.path.split(os.path.realpath(path))
            hub_layout = name.startswith("models--")
            if parent in looked and hub_layout:
                continue
            at_other = other is not None and parent == os.path.realpath(self._host_name(other.path))
            if at_other and self._line is not ReleaseLine.V0_3 and name not in _names(COMMUNITY_1):
                old.append(shown(path))
            elif not (at_other and hub_layout) or name in absent:
                misplaced.append(shown(path))
        return tuple(misplaced[:_MOST_MISPLACED]), tuple(old[:_MOST_MISPLACED])


def _unseen(model: Model, path: str) -> CachedModel:
    """A model that nobody could look at."""
    files = tuple(CachedFile(name, FileState.UNREADABLE, 0, f"{path}/snapshots") for name in model.files)
    return CachedModel(model.repo, model.required, path, path, files, present=False)


def _names(repo: str) -> tuple[str, str]:
    return folder_name(repo), repo.split("/")[1]


def _on_this_machine(engine: Engine) -> bool:
    return engine.endpoint.startswith(("unix://", "npipe://"))


def _read_only(path: str) -> bool:
    """Whether the file system under the nearest existing folder is mounted read-only."""
    while not os.path.lexists(path) and path != "/":
        path = os.path.dirname(path)
    try:
        return is_read_only(path)
    except OSError:
        return False
