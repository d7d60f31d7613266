from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional, Union

import pytest

from ot_doctor.evidence import Deployment, EnvFile, Host, Hub, Installation, Request, Unavailable, WorkerLog, Workers
from ot_doctor.redaction.masking import redact
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.store import SOURCES, Source, Store, beside, crashed, parameters, wanted


class Sources:
    """Gatherers of the test in the place of the real ones; whatever is not replaced fails the test when it is gathered."""

    def __init__(self) -> None:
        self.gatherers: dict[str, Callable[..., Any]] = {}
        self.asked: list[str] = []

    def load(self, source: Source) -> Callable[..., Any]:
        self.asked.append(source.label)
        return self.gatherers[source.label]

    def put(self, kind: type, gatherer: Callable[..., Any]) -> None:
        self.gatherers[SOURCES[kind].label] = gatherer


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    instance = Sources()
    monkeypatch.setattr(Source, "load", lambda source: instance.load(source))
    return instance


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What a hanging source waits for; it comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def got(store: Store, kind: type) -> Any:
    """What the store gives, which here is whatever the test's gatherer made."""
    return store.get(kind)


def test_what_nobody_asks_for_is_not_gathered(sources: Sources) -> None:
    sources.put(Host, lambda: "the host")
    store = Store(Request())
    assert got(store, Host) == "the host"
    assert sources.asked == [SOURCES[Host].label]
    assert store.asked(Host) and not store.asked(Workers)


def test_what_is_asked_for_brings_what_it_needs(sources: Sources) -> None:
    def deployment(workers: Workers, host: Host) -> Any:
        return f"deployment of {workers} on {host}"

    sources.put(Workers, lambda: "workers")
    sources.put(Host, lambda: "host")
    sources.put(Deployment, deployment)
    store = Store(Request())
    assert got(store, Deployment) == "deployment of workers on host"
    assert store.asked(Workers) and store.asked(Host) and not store.asked(Hub)


def test_it_is_gathered_once_however_many_ask(sources: Sources) -> None:
    calls: list[int] = []

    def slow() -> str:
        calls.append(1)
        time.sleep(0.1)
        return "host"

    sources.put(Host, slow)
    store = Store(Request())
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(store.get(Host))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["host"] * 8 and len(calls) == 1


def test_slow_sources_are_gathered_side_by_side(sources: Sources) -> None:
    kinds = (Workers, Hub, EnvFile, Host)
    together = threading.Barrier(len(kinds), timeout=5)  # each waits until all are at work

    def gather() -> str:
        together.wait()
        return "had"

    for kind in kinds:
        sources.put(kind, gather)
    store = Store(Request(timeout=10))
    store.start(kinds)
    assert [store.get(kind) for kind in kinds] == ["had"] * 4


def test_needs_are_gathered_side_by_side_too(sources: Sources) -> None:
    together = threading.Barrier(2, timeout=5)

    def wait() -> str:
        together.wait()
        return "had"

    def log(workers: Workers, env: EnvFile) -> Any:
        return (workers, env)

    sources.put(Workers, wait)
    sources.put(EnvFile, wait)
    sources.put(WorkerLog, log)
    assert got(Store(Request(timeout=10)), WorkerLog) == ("had", "had")


def test_a_hanging_source_is_abandoned_and_named(sources: Sources, never: threading.Event) -> None:
    sources.put(Workers, lambda: never.wait())
    sources.put(Host, lambda: "host")
    store = Store(Request(timeout=0.3))
    store.start([Workers, Host])
    began = time.monotonic()
    late = store.get(Workers)
    assert time.monotonic() - began < 0.3 + 2
    assert isinstance(late, Unavailable) and not late.switched_off
    assert late.reason == "the Docker engine did not answer within the 0.3 s of this run"
    assert "--timeout" in late.hint
    assert got(store, Host) == "host"  # what came in time is not lost with it
    assert store.waiting_for() == ["the Docker engine"]


def test_the_source_that_hangs_is_named_not_the_one_that_waits_for_it(sources: Sources, never: threading.Event) -> None:
    def deployment(workers: Workers) -> Any:
        return "deployment"

    def hub(deployment: Deployment, host: Host) -> Any:
        return "hub"

    sources.put(Workers, lambda: never.wait())
    sources.put(Host, lambda: "host")
    sources.put(Deployment, deployment)
    sources.put(Hub, hub)
    late = Store(Request(timeout=0.3)).get(Hub)
    assert isinstance(late, Unavailable)
    assert late.reason.startswith("the Docker engine did not answer")


def test_what_came_too_late_for_one_is_too_late_for_all(sources: Sources, never: threading.Event) -> None:
    done = threading.Event()

    def slow() -> Any:
        never.wait()
        done.set()
        return "host"

    sources.put(Host, slow)
    store = Store(Request(timeout=0.2))
    late = store.get(Host)
    never.set()
    assert done.wait(60) and isinstance(late, Unavailable)
    assert store.get(Host) is late and store.given() == {Host: late}


def test_the_sources_at_work_are_told_the_longest_first(sources: Sources, never: threading.Event) -> None:
    sources.put(Workers, lambda: never.wait())
    sources.put(Hub, lambda: never.wait())
    store = Store(Request())
    assert store.waiting_for() == []
    for kind in (Hub, Workers):
        before = len(store.waiting_for())
        store.start([kind])
        deadline = time.monotonic() + 5
        while len(store.waiting_for()) == before and time.monotonic() < deadline:
            time.sleep(0.005)
    assert store.waiting_for() == [SOURCES[Hub].label, SOURCES[Workers].label]
    never.set()
    assert got(store, Hub) is True and got(store, Workers) is True
    assert store.waiting_for() == []


def test_unavailable_goes_through_to_whoever_does_not_take_it(sources: Sources) -> None:
    reason = Unavailable("no engine", hint="start it", command="systemctl start docker")

    def workers() -> Any:
        raise reason

    def deployment(workers: Workers) -> Any:
        raise AssertionError("it must not be called")

    def log(workers: Workers | Unavailable) -> Any:
        return ("log without", workers)

    sources.put(Workers, workers)
    sources.put(Deployment, deployment)
    sources.put(WorkerLog, log)
    store = Store(Request())
    assert got(store, Workers) is reason
    assert got(store, Deployment) is reason
    assert got(store, WorkerLog) == ("log without", reason)


def test_a_source_that_crashes_is_unavailable_with_its_name(sources: Sources) -> None:
    token = "hf_" + "CrashCrashCrashCrash1234567890abcd"

    def crash() -> Any:
        raise OSError(5, f"bad \x1b[31mthings with {token}")

    sources.put(Host, crash)
    reason = Store(Request()).get(Host)
    assert isinstance(reason, Unavailable) and not reason.switched_off
    assert reason.reason.startswith("this machine could not be read: OSError: ")
    shown = redact(reason.reason)
    assert "hf_…(37:" in shown and token not in shown and "\x1b" not in reason.reason


def test_a_long_error_is_cut() -> None:
    assert len(crashed("it", ValueError("x" * 10_000)).reason) < 400


def test_planted_evidence_is_taken_as_it_is(sources: Sources) -> None:
    store = Store(Request(), {Host: "planted", Workers: Unavailable("left out", switched_off=True)})
    assert got(store, Host) == "planted"
    assert isinstance(store.get(Workers), Unavailable)
    assert sources.asked == []


def test_what_was_asked_for_is_given_with_what_came_of_it(sources: Sources) -> None:
    reason = Unavailable("left out", switched_off=True)
    sources.put(Hub, lambda: "hub")
    store = Store(Request(), {Host: "planted", Workers: reason, EnvFile: "not asked for"})
    store.start([Hub, Workers])
    assert got(store, Host) == "planted"
    assert store.given() == {Workers: reason, Hub: "hub", Host: "planted"}
    assert list(store.given()) == [kind for kind in SOURCES if kind in (Workers, Hub, Host)]


def test_the_request_is_given_to_a_source_that_asks_for_it(sources: Sources) -> None:
    def host(request: Request) -> Any:
        return request

    sources.put(Host, host)
    request = Request(timeout=7)
    assert got(Store(request), Host) is request


@pytest.mark.parametrize(
    ("annotation", "kind", "takes"),
    [
        (Workers, Workers, False),
        (Workers | Unavailable, Workers, True),
        (Unavailable | Workers, Workers, True),
        (Union[Workers, Unavailable], Workers, True),  # noqa: UP007
        (Request, Request, False),
    ],
)
def test_annotations_say_what_is_wanted(annotation: Any, kind: type, takes: bool) -> None:
    assert wanted(annotation) == (kind, takes)


@pytest.mark.parametrize(
    "annotation", [int, str | None, Workers | Host, Optional[Workers], Unavailable, Secret, list[Workers], "Workers", None]  # noqa: UP045
)
def test_other_annotations_are_refused_with_what_there_is(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"is no evidence; there is AskedEnvFile, .*Workers"):
        wanted(annotation)


def test_a_parameter_without_a_type_is_named() -> None:
    def untyped(workers: Workers, other) -> None:  # type: ignore[no-untyped-def]
        pass

    with pytest.raises(TypeError, match="parameter other has no type"):
        parameters(untyped)


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.__name__)
def test_every_source_is_there_and_asks_for_evidence_without_a_circle(kind: type) -> None:
    def needed(kind: type, above: tuple[type, ...]) -> None:
        assert kind not in above, f"{above} ask for each other"
        gatherer = SOURCES[kind].load()
        for need in (*(need for need, _ in parameters(gatherer).values()), *beside(gatherer).values()):
            if need is not Request:
                needed(need, (*above, kind))

    needed(kind, ())


def test_every_evidence_type_has_a_source_and_every_source_a_label_of_its_own() -> None:
    assert {Installation, Workers, Deployment, EnvFile, Hub, WorkerLog, Host} <= set(SOURCES)
    assert len({source.label for source in SOURCES.values()}) == len(SOURCES)
