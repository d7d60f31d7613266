"""Containers: recreated, started, let go on, started again. None but those that are named, and no image is fetched or built."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any

from ot_doctor.actions import RecreateServices, RestartContainer, Risk, StartServices, UnpauseContainer
from ot_doctor.evidence import Deployment, Engine, EnvFile, ModelCache, Outcome, Unavailable, Worker, WorkerLog, Workers
from ot_doctor.evidence.deployment import ComposeProgram
from ot_doctor.fix.actions.recreation import Deviation, differences
from ot_doctor.fix.procedure import NotDone, NotPossible, Preview, Saved, Site
from ot_doctor.sources.compose import compose_program
from ot_doctor.sources.docker import alterations

_ALONE = "--no-deps --pull never --no-build"
_HALF_MADE = "com.docker.compose.replace"  # a label: which container this one is to replace
_COMES_UP = 180.0  # seconds: a worker imports its libraries before it is healthy
_LONGEST_JOB = timedelta(hours=12)  # what was begun earlier and has no end was lost
_LASTS = 2.0  # seconds that a container without a health check must run


@contextmanager
def or_else(kind: type[NotPossible | NotDone]) -> Iterator[None]:
    """What the engine or Compose refuses becomes an error of the procedure."""
    try:
        yield
    except Unavailable as error:
        raise kind(error.reason) from error


class _OfServices:
    """What recreating and starting share: the stack, and its containers of the services that are named."""

    def __init__(self, action: RecreateServices | StartServices, site: Site) -> None:
        self.services = action.services
        self.site = site
        self.request = site.store.request
        self.deployment, self.engine = _stack(site)
        if self.deployment.compose_by is ComposeProgram.PODMAN_COMPOSE:
            raise NotPossible(
                "podman-compose does not say beforehand what it would change, so it is not run by ot-doctor. Run it yourself: "
                f"{self.deployment.compose(self.command())}"
            )
        for path in self._labelled_files():
            if not path.exists():
                raise NotPossible(f"{path}, from which the container was made, is not there any more.")
        if not self.deployment.compose_files:
            raise NotPossible("There is no Compose file that could make the containers. Start them the way you did.")

    def _labelled_files(self) -> Iterator[Path]:
        workers = self.site.store.get(Workers)
        for worker in () if isinstance(workers, Unavailable) else workers.containers:
            if worker.compose.service in self.services:
                yield from (self.deployment.home / name for name in worker.compose.config_files)

    @cached_property
    def described(self) -> Mapping[str, Any]:
        with or_else(NotPossible):
            described = compose_program.described(self.request, self.deployment)
        missing = [name for name in self.services if name not in described["services"]]
        if missing:
            raise NotPossible(f"The Compose files have no service {missing[0]}.")
        return described

    @property
    def project(self) -> str:
        return self.deployment.project or str(self.described.get("name") or "")

    def containers(self, service: str) -> list[Mapping[str, Any]]:
        """As they are now."""
        with or_else(NotPossible):
            ids = alterations.containers_of(self.request, self.engine, self.project, service)
            return [alterations.container(self.request, self.engine, one) for one in ids]

    def rests_on(self) -> dict[str, str]:
        found = {f"container {name_of(one)}": str(one["Id"]) for service in self.services for one in self.containers(service)}
        files = {f"file {path}": _digest(path) for path in (*self.deployment.compose_files, self.deployment.env_path)}
        return found | files

    options = ""  # of "up"

    def command(self) -> str:
        return f"up -d {self.options} {' '.join(quote(name) for name in self.services)}"

    def up(self) -> None:
        with or_else(NotDone):
            for one in self._half_made():
                alterations.remove_container(self.request, self.engine, str(one["Id"]))
            compose_program.change(self.request, self.deployment, self.command())

    def _half_made(self) -> Iterator[Mapping[str, Any]]:
        """What a Compose that was killed had made in the place of a container that is still there: its name is in the way."""
        for service in self.services:
            there = self.containers(service)
            made = [one for one in there if _state(one).get("Status") == "created" and _HALF_MADE in _labels(one)]
            if len(made) < len(there):
                yield from made

    def verify(self) -> None:
        for service in self.services:
            wait_for(lambda service=service: self.containers(service), service)  # type: ignore[misc]


class WorkerRecreate(_OfServices):
    """``worker.recreate``: shows what Compose would make otherwise than it is, and makes it."""

    options = f"--force-recreate {_ALONE}"

    def __init__(self, action: RecreateServices, site: Site) -> None:
        super().__init__(action, site)
        self._there = {service: self.containers(service) for service in self.services}

    @cached_property
    def differences(self) -> dict[str, list[Deviation]]:
        """By the container's name."""
        env = self.site.store.get(EnvFile)
        found: dict[str, list[Deviation]] = {}
        for service, there in self._there.items():
            name = str(self.described["services"][service].get("image") or f"{self.project}-{service}")
            with or_else(NotPossible):
                image = alterations.image(self.request, self.engine, name)
            for one in there:
                found[name_of(one)] = differences(self.described, service, one, image, env, self.engine.in_vm)
        return found

    def precondition(self) -> bool:
        missing = [service for service, there in self._there.items() if not there]
        if missing:
            raise NotPossible(f"There is no container of the service {missing[0]} to recreate.")
        return any(self.differences.values()) or not all(map(_well, self._all())) or self._failed_last()

    def _failed_last(self) -> bool:
        """What failed since it was started may need no more than a start: a GPU that cannot be used any more, say."""
        log = self.site.store.get(WorkerLog)
        newest = None if isinstance(log, Unavailable) else log.newest
        names = {name_of(one) for one in self._all()}
        return newest is not None and newest.outcome is Outcome.FAILED and newest.current and newest.worker in names

    def _all(self) -> list[Mapping[str, Any]]:
        return [one for there in self._there.values() for one in there]

    def preview(self) -> Preview:
        names = [name_of(one) for one in self._all()]
        lines = []
        for name, found in self.differences.items():
            lines += [f"{name}: {one.text}" for one in found if one.expected]
            lines += [f"{name}, unexpected: {one.text}" for one in found if not one.expected]
        grave = [one for found in self.differences.values() for one in found if one.grave]
        lines.append("Nothing else differs from what runs." if lines else "Nothing differs from what runs.")
        interrupts = _job_under_way(self.site, self._all())
        lines += [interrupts] if interrupts else []
        return Preview(
            f"Recreates {_listed(names)}, and nothing else, without fetching an image.",
            "Recreate it now?" if len(names) == 1 else "Recreate them now?",
            tuple(lines),
            self.rests_on() | {f"image of {name_of(one)}": str(one.get("Image")) for one in self._all()},
            frozenset({Risk.INTERRUPTS}) if interrupts else frozenset(),
            f"Compose would also change this now: {grave[0].text}. Somebody must look at that first." if grave else "",
        )

    def save(self, files: Path) -> Saved:
        return {"services": list(self.services), "containers": {name_of(one): str(one["Id"]) for one in self._all()}}

    def apply(self) -> None:
        self.up()

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """Recreate once more: from what was taken back of the ``.env`` and the rest before."""
        again = cls(RecreateServices(tuple(map(str, saved["services"]))), site)
        if all(again._there.values()) and not again.precondition():
            return False
        again.apply()
        again.verify()
        return True


class WorkerStart(_OfServices):
    """``worker.start``: starts, or makes, what does not run. What runs is left alone."""

    options = "--no-recreate --pull missing --no-build"

    def precondition(self) -> bool:
        return any(not there or not all(map(_runs, there)) for there in map(self.containers, self.services))

    def preview(self) -> Preview:
        lines = []
        for service in self.services:
            there = self.containers(service)
            lines += [f"{name_of(one)}: {_state(one).get('Status')}" for one in there if not _runs(one)]
            lines += [] if there else [f"{service}: there is no container, so one is made"]
        what = f"Starts {_listed(self.services)}, and what it needs."
        what += " No container is replaced, and only an image that is missing is fetched."
        return Preview(what, "Start it now?", tuple(lines), self.rests_on())

    def save(self, files: Path) -> Saved:
        stopped = {service: [str(one["Id"]) for one in self.containers(service) if not _runs(one)] for service in self.services}
        return {"services": list(self.services), "stopped": stopped}

    def apply(self) -> None:
        self.up()

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """Stop what was started; what was made stays, stopped."""
        procedure = cls(StartServices(tuple(map(str, saved["services"]))), site)
        done = False
        for service, stopped in dict(saved["stopped"]).items():
            for one in procedure.containers(service):
                if _runs(one) and (not stopped or one["Id"] in stopped):
                    with or_else(NotDone):
                        alterations.stop(procedure.request, procedure.engine, str(one["Id"]))
                    done = True
        return done


class _OfContainer:
    """What concerns one container, which Compose need not know."""

    def __init__(self, action: UnpauseContainer | RestartContainer, site: Site) -> None:
        self.site = site
        self.request = site.store.request
        _, self.engine = _stack(site)
        self.name = action.container
        _known(self.name, site)
        self._there = self.now()

    def now(self) -> Mapping[str, Any]:
        with or_else(NotPossible):
            return alterations.container(self.request, self.engine, self.name)

    def rests_on(self) -> dict[str, str]:
        return {f"container {self.name}": f"{self._there['Id']} {_state(self._there).get('StartedAt')}"}

    def save(self, files: Path) -> Saved:
        return {"container": self.name, "id": str(self._there["Id"])}

    def verify(self) -> None:
        wait_for(lambda: [self.now()], self.name)


class WorkerUnpause(_OfContainer):
    """``worker.unpause``"""

    def precondition(self) -> bool:
        return _state(self._there).get("Status") == "paused"

    def preview(self) -> Preview:
        return Preview(f"Lets {self.name} go on, which is paused.", "Let it go on now?", (), self.rests_on())

    def apply(self) -> None:
        with or_else(NotDone):
            alterations.unpause(self.request, self.engine, self.name)

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        procedure = cls(UnpauseContainer(str(saved["container"])), site)
        if procedure._there["Id"] != saved["id"] or not _runs(procedure._there):
            return False
        with or_else(NotDone):
            alterations.pause(procedure.request, procedure.engine, procedure.name)
        return True


class WorkerRestart(_OfContainer):
    """``worker.restart``: with the settings that it has."""

    def precondition(self) -> bool:
        cache = self.site.store.get(ModelCache)
        return not _well(self._there) or (isinstance(cache, ModelCache) and cache.replaced and cache.worker == self.name)

    def preview(self) -> Preview:
        interrupts = _job_under_way(self.site, [self._there])
        return Preview(
            f"Starts {self.name} again, with the settings that it has.",
            "Start it again now?",
            (interrupts,) if interrupts else (),
            self.rests_on(),
            frozenset({Risk.INTERRUPTS}) if interrupts else frozenset(),
        )

    def apply(self) -> None:
        with or_else(NotDone):
            alterations.restart(self.request, self.engine, self.name)

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """A start has changed nothing that could be taken back."""
        return False


def wait_for(look: Callable[[], list[Mapping[str, Any]]], name: str) -> None:
    """Until all that ``look`` returns runs, and is healthy where it has a health check. Raises ``NotDone``."""
    until, since = time.monotonic() + _COMES_UP, time.monotonic()
    state = "there is no container"
    while time.monotonic() < until:
        there = look()
        states = [(_state(one).get("Status"), _health(one)) for one in there]
        if any(status in ("exited", "dead") for status, _ in states):
            break
        lasted = time.monotonic() - since >= _LASTS
        if states and all(status == "running" and health in ("healthy", "") for status, health in states) and lasted:
            if not any(int(one.get("RestartCount") or 0) for one in there):
                return
            break
        state = ", ".join(f"{status}{f' ({health})' if health else ''}" for status, health in states) or state
        time.sleep(0.3)
    raise NotDone(f"{name} does not stay up ({state}). Read the last lines of its log.")


def _stack(site: Site) -> tuple[Deployment, Engine]:
    deployment, workers = site.store.get(Deployment), site.store.get(Workers)
    for one in (deployment, workers):
        if isinstance(one, Unavailable):
            raise NotPossible(one.reason)
    assert isinstance(deployment, Deployment) and isinstance(workers, Workers)
    return deployment, workers.engine


def _known(name: str, site: Site) -> Worker:
    """The container, which must be one of those that were examined. Raises ``NotPossible``."""
    workers = site.store.get(Workers)
    known = () if isinstance(workers, Unavailable) else workers.containers
    found = next((worker for worker in known if worker.name == name), None)
    if found is None:
        raise NotPossible(f"{name} is not one of the containers that were examined.")
    return found


def _job_under_way(site: Site, there: list[Mapping[str, Any]]) -> str:
    """A sentence where a diarization runs now, or where that is not known."""
    running = {name_of(one) for one in there if _runs(one)}
    workers, log = site.store.get(Workers), site.store.get(WorkerLog)
    diarizing = running & ({worker.name for worker in workers.diarizers} if isinstance(workers, Workers) else set())
    if not diarizing:
        return ""
    if isinstance(log, Unavailable):
        return f"Whether a diarization is running is not known: {log.reason}"
    since = datetime.now(timezone.utc) - _LONGEST_JOB
    for attempt in log.attempts:
        young = attempt.started_at is None or attempt.started_at > since
        if attempt.outcome is Outcome.UNFINISHED and attempt.current and young and attempt.worker in diarizing:
            return f"A diarization is running in {attempt.worker}. It is lost."
    return ""


def _runs(container: Mapping[str, Any]) -> bool:
    return _state(container).get("Status") == "running"


def _well(container: Mapping[str, Any]) -> bool:
    return _runs(container) and _health(container) != "unhealthy"


def _health(container: Mapping[str, Any]) -> str:
    """Empty where it has no health check, for which engines have several words."""
    status = str((_state(container).get("Health") or {}).get("Status") or "")
    return "" if status == "none" else status


def _labels(container: Mapping[str, Any]) -> Mapping[str, Any]:
    labels: Mapping[str, Any] = (container.get("Config") or {}).get("Labels") or {}
    return labels


def _state(container: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Any] = container.get("State") or {}
    return state


def name_of(container: Mapping[str, Any]) -> str:
    return str(container.get("Name") or container.get("Id")).lstrip("/")


def _listed(names: Any) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else str(last)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "not there"
