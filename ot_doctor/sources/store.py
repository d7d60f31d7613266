"""Gathers evidence: lazily, once, side by side, each source with a deadline."""

from __future__ import annotations

import functools
import importlib
import threading
import time
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from ot_doctor.core.deadline import NoResources, start
from ot_doctor.core.debug_log import note, said
from ot_doctor.core.limits import limit_reached
from ot_doctor.evidence import (
    AskedEnvFile,
    ComposeConfig,
    Deployment,
    EnvFile,
    Frontend,
    Host,
    Hub,
    Installation,
    ModelCache,
    NativeEngine,
    NextRelease,
    Request,
    Unavailable,
    WorkerCuda,
    WorkerImports,
    WorkerLog,
    WorkerProbe,
    Workers,
    WorkerToken,
)
from ot_doctor.sources.soon import Soon

E = TypeVar("E")


@dataclass(frozen=True)
class Source:
    """How a type of evidence is gathered. ``gatherer`` is imported when somebody asks for the type."""

    label: str  # what is waited for, as the progress line names it
    gatherer: str  # "package.module:function"

    def load(self) -> Callable[..., Any]:
        module, _, function = self.gatherer.partition(":")
        loaded: Callable[..., Any] = getattr(importlib.import_module(f"ot_doctor.sources.{module}"), function)
        return loaded


_NO_MEMORY = Unavailable("There was no memory left to look.", hint=NoResources.hint)  # made while there still is some

SOURCES: Mapping[type, Source] = {
    Installation: Source("the OpenTranscribe folder", "folder_search:gather"),
    Workers: Source("the Docker engine", "docker.containers:gather"),
    Deployment: Source("the deployment", "stack:gather"),
    EnvFile: Source("the .env file", "dotenv.env_files:gather"),
    AskedEnvFile: Source("the other .env file", "dotenv.env_files:gather_asked"),
    ComposeConfig: Source("the Compose files", "compose.compose_files:gather"),
    WorkerToken: Source("the worker's token", "token_origin:gather"),
    NativeEngine: Source("the native engine", "native_state:gather"),
    ModelCache: Source("the model cache", "model_cache.cache:gather"),
    NextRelease: Source("the next release", "upcoming_release:gather"),
    Frontend: Source("the web pages", "frontend_files:gather"),
    Hub: Source("the Hugging Face Hub", "hub.client:gather"),
    WorkerLog: Source("the worker's log", "log_windows:gather"),
    Host: Source("this machine", "machine:gather"),
    WorkerProbe: Source("the worker's own view", "probe.gathering:gather"),
    WorkerImports: Source("the worker's libraries", "probe.sibling:gather"),
    WorkerCuda: Source("a calculation on the GPU", "probe.cuda:gather"),
}


def wanted(annotation: Any) -> tuple[type, bool]:
    """The evidence type of a parameter, and whether it takes ``Unavailable`` in its place.

    Raises ``TypeError`` for an annotation that is no evidence.
    """
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    parts = typing.get_args(annotation) if union else (annotation,)
    kinds = [part for part in parts if part is not Unavailable]
    if len(kinds) != 1 or (kinds[0] not in SOURCES and kinds[0] is not Request):
        known = ", ".join(sorted(kind.__name__ for kind in SOURCES))
        raise TypeError(f"{annotation} is no evidence; there is {known}")
    return kinds[0], Unavailable in parts


@functools.cache  # resolving the names of types takes longer than most checks do, and several ask
def parameters(function: Callable[..., Any]) -> Mapping[str, tuple[type, bool]]:
    """What a check or a gatherer asks for, by parameter. Raises ``TypeError`` like ``wanted``."""
    hints = get_type_hints(function)
    hints.pop("return", None)
    missing = [n for n in function.__code__.co_varnames[: function.__code__.co_argcount] if n not in hints]
    if missing:
        raise TypeError(f"parameter {missing[0]} has no type")
    return {name: wanted(hint) for name, hint in hints.items() if typing.get_origin(hint) is not Soon}


@functools.cache
def beside(gatherer: Callable[..., Any]) -> Mapping[str, type]:
    """What a gatherer does not wait for, by parameter."""
    hints = get_type_hints(gatherer)
    return {name: typing.get_args(hint)[0] for name, hint in hints.items() if typing.get_origin(hint) is Soon}


class Store:
    """One run's evidence. Values may be planted, for tests and for recorded evidence."""

    def __init__(self, request: Request, planted: Mapping[type, object] | None = None) -> None:
        self.request = request
        self._planted = dict(planted or {})
        self._futures: dict[type, Future[Any]] = {}
        self._lock = threading.Lock()
        self._waiting: dict[type, float] = {}
        self._needs: dict[type, list[type]] = {}
        self._late: dict[type, Unavailable] = {}

    def start(self, kinds: Iterable[type]) -> None:
        """Begin to gather; what they depend on is started with them."""
        for kind in kinds:
            self._future(kind)

    def get(self, kind: type[E]) -> E | Unavailable:
        """The evidence, or why it is unavailable. Waits until the run's time is over at the latest.

        Everybody gets the same: what came too late for one stays too late.
        """
        future = self._future(kind)
        if kind in self._late:
            return self._late[kind]
        try:
            value: E | Unavailable = future.result(timeout=self.request.remaining())
        except FutureTimeout:
            return self._late.setdefault(kind, self._too_late(kind))
        return value

    def has(self, kind: type) -> bool:
        """Whether it has come: nobody waits for it any more."""
        return kind in self._futures and self._futures[kind].done()

    def asked(self, kind: type) -> bool:
        """Whether somebody has asked for it."""
        return kind in self._futures

    def given(self) -> dict[type, object]:
        """What was asked for, with what came of it: a value, or an ``Unavailable``."""
        return {kind: self.get(kind) for kind in SOURCES if self.asked(kind)}

    def come_so_far(self) -> dict[type, object]:
        """What was asked for, as far as it is decided what comes of it; nothing is waited for."""
        with self._lock:
            futures = dict(self._futures)
        known = {kind: future.result() for kind, future in futures.items() if future.done()} | self._late
        return {kind: known[kind] for kind in SOURCES if kind in known}

    def waiting_for(self) -> list[str]:
        """Labels of the sources that are at work, the one that took longest so far first."""
        with self._lock:
            since = sorted(self._waiting.items(), key=lambda item: item[1])
        return [SOURCES[kind].label for kind, _ in since]

    def _too_late(self, kind: type) -> Unavailable:
        """Names what is really waited for: ``kind``, or what it waits for itself."""
        with self._lock:
            needs = [] if kind in self._waiting else self._needs.get(kind, [])
        for need in sorted(needs, key=lambda need: self._futures[need].done()):
            future = self._futures[need]
            reason = future.result() if future.done() else self._too_late(need)
            if isinstance(reason, Unavailable):
                return reason
        return Unavailable(
            f"{SOURCES[kind].label} did not answer within the {self.request.timeout:g} s of this run",
            hint="Give it more time with --timeout 120.",
        )

    def _future(self, kind: type) -> Future[Any]:
        with self._lock:
            if kind in self._futures:
                return self._futures[kind]
            future: Future[Any] = Future()
            self._futures[kind] = future
        if kind in self._planted:
            future.set_result(self._planted[kind])
        else:
            # A daemon thread: one that hangs in a system call must not keep the process from ending.
            thread = threading.Thread(target=self._gather, args=(kind, future), name=SOURCES[kind].label, daemon=True)
            try:
                start(thread)
            except NoResources as error:
                future.set_result(crashed(SOURCES[kind].label, error))
        return future

    def _gather(self, kind: type, future: Future[Any]) -> None:
        try:
            future.set_result(self._call(kind))
        except Unavailable as reason:
            future.set_result(reason)
        except Exception as error:
            try:
                result = crashed(SOURCES[kind].label, error)
            except MemoryError:
                result = _NO_MEMORY
            future.set_result(result)

    def _call(self, kind: type) -> object:
        gatherer = SOURCES[kind].load()
        needs, soon = parameters(gatherer), beside(gatherer)
        kinds = [need for need, _ in needs.values() if need is not Request]
        self.start([*kinds, *soon.values()])
        with self._lock:
            self._needs[kind] = kinds
        arguments: dict[str, object] = {name: Soon(self._future(need)) for name, need in soon.items()}
        for name, (need, takes_unavailable) in needs.items():
            value = self.request if need is Request else self.get(need)
            if isinstance(value, Unavailable) and not takes_unavailable:
                return value
            arguments[name] = value
        with self._lock:
            self._waiting[kind] = time.monotonic()
        try:
            return gatherer(**arguments)
        finally:
            with self._lock:
                del self._waiting[kind]


def crashed(label: str, error: Exception) -> Unavailable:
    """What an unforeseen error of a source becomes."""
    if limit := limit_reached(error):
        return Unavailable(f"{label} could not be read: {limit}", hint=NoResources.hint)
    note(label, error)
    return Unavailable(f"{label} could not be read: {said(error)}", hint="This is a fault of ot-doctor or of its surroundings.")
