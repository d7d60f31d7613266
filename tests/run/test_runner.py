from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from ot_doctor.check import Cause, Check, Family, Finding, Result, Status, Step, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Host, Hub, Request, Unavailable, Workers
from ot_doctor.redaction.masking import redact
from ot_doctor.run.runner import needs, run, topological_order
from ot_doctor.sources.store import Source, Store

NO_ENGINE = Unavailable("no Docker engine answers", hint="Start Docker.", command="systemctl start docker")
LEFT_OUT = Unavailable("Docker was left out (--no-docker)", switched_off=True)
FAILED = failed(Cause.DISK_FULL, "full", remedy=[Step("Make room.")])


def made(function: Callable[..., Any], name: str = "made", after: tuple[str, ...] = ()) -> Check:
    return Check(name, "It is so", Family.HOST, function, "Because.", after=after)


def giving(finding: Finding, name: str = "made", after: tuple[str, ...] = ()) -> Check:
    return made(lambda: [finding], name, after)


def results_of(*checks: Check, planted: dict[type, object] | None = None, timeout: float = 30) -> dict[str, Result]:
    results = run({check.name: check for check in checks}, Store(Request(timeout=timeout), planted))
    assert [result.check.name for result in results] == [check.name for check in checks]
    return {result.check.name: result for result in results}


def result_of(function: Callable[..., Any], planted: dict[type, object] | None = None, timeout: float = 30) -> Finding:
    """The one finding of a check that runs beside a good one, which it must leave alone."""
    results = results_of(made(function), giving(passed("good"), "good"), planted=planted, timeout=timeout)
    assert results["good"].status is Status.PASS
    (finding,) = results["made"].findings
    return finding


def raising(error: BaseException) -> Callable[[], list[Finding]]:
    def crash() -> list[Finding]:
        raise error

    return crash


def half() -> Iterator[Finding]:
    yield passed("so far")
    raise KeyError("in the middle")


def no_message() -> Iterable[Finding]:
    return [failed(Cause.DISK_FULL, "x", remedy=[])]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (raising(ValueError("bad \x1b[31mthing")), "ValueError: bad thing"),
        (raising(RuntimeError("hf_" + "AbCdEfGhIjKlMnOpQrSt")), "hf_…(23:"),
        (raising(RecursionError()), "RecursionError"),
        (raising(TimeoutError("its own")), "TimeoutError: its own"),
        (lambda: sys.exit(0), "SystemExit: 0"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
        (raising(StopIteration("x")), "StopIteration"),
        (half, "KeyError: 'in the middle'"),
        (no_message, "needs a cause and a remedy"),
        (lambda: [], "it returned no finding"),
        (lambda: None, "it returned no finding"),
        (lambda: ["text"], "not a Finding"),
        (lambda: [passed("a"), None], "not a Finding"),
        (lambda: 7, "'int' object is not iterable"),
        (lambda: passed("alone"), "'Finding' object is not iterable"),
        (lambda: [Status.PASS], "not a Finding"),
        (lambda workers: [], "parameter workers has no type"),
    ],
)  # fmt: skip
def test_whatever_a_check_does_wrong_is_unknown_with_its_name(function: Callable[..., Any], said: str) -> None:
    finding = result_of(function)
    assert finding.status is Status.UNKNOWN
    shown = redact(finding.message)
    assert shown.startswith("the check made itself failed: ") and said in shown
    assert "\x1b" not in finding.message and "AbCdEf" not in shown
    assert finding.remedy


def test_a_check_that_fails_in_another_file_is_told_the_line_of_its_own() -> None:
    def call() -> list[Finding]:
        return [passed(json.loads("{"))]

    place = f" at {__file__}:{call.__code__.co_firstlineno + 1}"
    assert result_of(call).message.endswith(place)


def test_a_wrong_annotation_is_unknown_with_its_name() -> None:
    def number(x: int) -> list[Finding]:
        return [passed("never")]

    assert "<class 'int'> is no evidence" in result_of(number).message


def test_a_name_that_is_not_defined_is_unknown_with_its_name() -> None:
    def undefined(x: Nowhere) -> list[Finding]:  # type: ignore[name-defined]  # noqa: F821
        return [passed("never")]

    assert "NameError: name 'Nowhere' is not defined" in result_of(undefined).message


def test_a_check_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def hanging() -> list[Finding]:
        never.wait()
        return [passed("never")]

    began = time.monotonic()
    finding = result_of(hanging, timeout=0.2)
    assert time.monotonic() - began < 2
    never.set()
    assert finding.status is Status.UNKNOWN
    assert finding.message == "the check made did not end in time" and "--timeout" in finding.remedy[0].text


def test_a_check_that_never_stops_to_report_is_stopped() -> None:
    def endless() -> Iterator[Finding]:
        while True:
            yield passed("again")

    findings = results_of(made(endless))["made"].findings
    assert len(findings) == 1001 and findings[-1].status is Status.UNKNOWN
    assert findings[-1].message == "The check made reports more than 1000 findings: the rest is left out."


def test_checks_that_hang_add_no_time_each() -> None:
    never = threading.Event()
    began = time.monotonic()
    results = results_of(*[made(never.wait, f"hang-{n}") for n in range(20)], timeout=0.2)
    assert time.monotonic() - began < 2
    never.set()
    assert {result.status for result in results.values()} == {Status.UNKNOWN}


def test_without_a_thread_the_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    store = Store(Request())
    (first,) = run({"made": made(lambda: [passed("x")])}, store)[0].findings
    got = store.get(Host)
    assert isinstance(got, Unavailable)
    for reason, hint in ((first.message, first.remedy[0].text), (got.reason, got.hint)):
        assert "the limit on memory" in reason and "No more threads can be started" in reason and "ulimit -u" in hint


def test_only_dependants_of_what_did_not_pass_are_skipped() -> None:
    results = results_of(
        giving(FAILED, "first"),
        giving(passed("x"), "second", after=("first",)),
        giving(passed("x"), "third", after=("second",)),
        giving(passed("x"), "apart"),
        giving(passed("x"), "after-apart", after=("apart", "not-installed")),
    )
    assert [r.status for r in results.values()] == [Status.FAIL, Status.SKIP, Status.SKIP, Status.PASS, Status.PASS]
    assert results["second"].findings[0].message == "not checked, because first did not pass (fail)"


@pytest.mark.parametrize(
    ("before", "status"),
    [
        (passed("x"), Status.PASS), (warned("x"), Status.PASS), (skipped("x"), Status.SKIP), (unknown("x"), Status.SKIP),
        (FAILED, Status.SKIP),
    ],
)  # fmt: skip
def test_after_a_pass_or_a_warning_it_is_run(before: Finding, status: Status) -> None:
    assert results_of(giving(before, "first"), giving(passed("x"), "second", after=("first",)))["second"].status is status


def test_a_dependant_that_is_listed_first_is_run_last() -> None:
    order: list[str] = []

    def noting(name: str) -> Callable[[], list[Finding]]:
        def note() -> list[Finding]:
            order.append(name)
            return [passed("x")]

        return note

    results_of(made(noting("b"), "b", after=("c",)), made(noting("a"), "a"), made(noting("c"), "c"))
    assert order == ["c", "b", "a"]


def test_a_circle_ends() -> None:
    circle = [giving(passed("x"), name, after=(before,)) for name, before in ("ac", "ba", "cb")]
    assert [check.name for check in topological_order({check.name: check for check in circle})] == ["b", "c", "a"]
    assert {result.status for result in results_of(*circle).values()} == {Status.PASS}
    assert results_of(giving(passed("x"), "self", after=("self",)))["self"].status is Status.PASS


def needing(workers: Workers) -> list[Finding]:
    return [passed("had")]


def taking(workers: Workers | Unavailable) -> list[Finding]:
    return [passed(f"got {workers}")]


def test_evidence_that_could_not_be_had_is_unknown_with_what_would_make_it_known() -> None:
    finding = result_of(needing, {Workers: NO_ENGINE})
    assert (finding.status, finding.message) == (Status.UNKNOWN, "no Docker engine answers")
    assert finding.remedy == (Step("Start Docker.", command="systemctl start docker"),)


def test_without_a_hint_something_is_said_all_the_same() -> None:
    assert result_of(needing, {Workers: Unavailable("gone")}).remedy[0].text


def test_evidence_that_was_switched_off_is_a_skip() -> None:
    finding = result_of(needing, {Workers: LEFT_OUT})
    assert (finding.status, finding.message, finding.remedy) == (Status.SKIP, "Docker was left out (--no-docker)", ())


def test_a_check_that_takes_unavailable_gets_it() -> None:
    assert result_of(taking, {Workers: NO_ENGINE}).message == "got no Docker engine answers"
    assert result_of(taking, {Workers: "workers"}).message == "got workers"


def test_a_check_that_takes_unavailable_may_pass_it_on() -> None:
    def passing_on(workers: Workers | Unavailable) -> Iterator[Finding]:
        if isinstance(workers, Unavailable):
            raise workers
        yield passed("had")

    assert result_of(passing_on, {Workers: NO_ENGINE}) == result_of(needing, {Workers: NO_ENGINE})
    assert result_of(passing_on, {Workers: LEFT_OUT}).status is Status.SKIP
    assert result_of(passing_on, {Workers: "workers"}).status is Status.PASS


def test_a_check_gets_the_evidence_by_type_and_the_request() -> None:
    def several(b: Host, request: Request, a: Hub) -> list[Finding]:
        return [passed(f"{a} {b} {request.timeout:g}")]

    assert result_of(several, {Host: "host", Hub: "hub"}).message == "hub host 30"


def test_the_worst_finding_is_the_status() -> None:
    mixed = made(lambda: [passed("a"), FAILED, warned("b"), unknown("c")])
    assert results_of(mixed)["made"].status is Status.FAIL
    assert results_of(made(lambda: [passed("a"), skipped("b")]))["made"].status is Status.SKIP
    assert results_of(made(lambda: [warned("a"), unknown("b")]))["made"].status is Status.UNKNOWN


def test_all_evidence_is_begun_before_the_first_check_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=5)

    def gather() -> str:
        together.wait()  # both at work at once, or not at all
        return "had"

    monkeypatch.setattr(Source, "load", lambda source: gather)

    def first(hub: Hub) -> list[Finding]:
        return [passed(f"{hub}")]

    def second(host: Host) -> list[Finding]:
        return [passed(f"{host}")]

    results = results_of(made(first, "first"), made(second, "second"), timeout=10)
    assert [r.findings[0].message for r in results.values()] == ["had", "had"]


def test_evidence_that_no_check_asks_for_is_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(source: Source) -> Any:
        raise AssertionError(f"{source.label} was gathered")

    monkeypatch.setattr(Source, "load", no_source)
    store = Store(Request(), {Workers: "workers"})
    assert run({"made": made(needing)}, store)[0].status is Status.PASS
    assert store.asked(Workers) and not store.asked(Hub)


def test_a_check_whose_signature_is_wrong_asks_for_nothing() -> None:
    def wrong(x: int, workers: Workers) -> list[Finding]:
        return []

    def right(workers: Workers | Unavailable, request: Request) -> list[Finding]:
        return []

    assert needs([made(wrong)]) == set()
    assert needs([made(wrong), made(right)]) == {Workers}


def test_the_time_is_taken() -> None:
    def slow() -> list[Finding]:
        time.sleep(0.05)
        return [passed("x")]

    assert 0.05 <= results_of(made(slow))["made"].duration < 5
