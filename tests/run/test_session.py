from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.check import Cause, Check, Family, Finding, Result, Seen, Status, Step, failed, passed
from ot_doctor.evidence import Deployment, Host, Hub, Installation, NoSuchWorker, Request, Unavailable, WorkerLog, Workers
from ot_doctor.report.build import report_of as built
from ot_doctor.report.model import Report, exit_code
from ot_doctor.run.discovery import CheckCatalogue, FoundCheck
from ot_doctor.run.plan import Plan, WrongUsage, chosen
from ot_doctor.run.session import catalogue_of, examine, prepare
from ot_doctor.sources.store import SOURCES, Store
from tests.checks.evidence import HOME, deployment, hub, worker_log, workers

STATUSES = (Status.PASS, Status.WARN, Status.FAIL, Status.SKIP, Status.UNKNOWN)


def catalogue(*names: tuple[str, Family]) -> CheckCatalogue:
    found = CheckCatalogue()
    for name, family in names:
        found.add(FoundCheck(made(lambda: [passed("x")], name, family), "test"))
    return found


def made(function: Any, name: str = "made", family: Family = Family.ENV) -> Check:
    return Check(name, "t", family, function, "e")


THREE = catalogue(("env-a", Family.ENV), ("token-a", Family.TOKEN), ("token-b", Family.TOKEN))


@pytest.mark.parametrize(
    ("select", "ignore", "left"),
    [
        ([], [], ["env-a", "token-a", "token-b"]),
        (["token"], [], ["token-a", "token-b"]),
        (["env-a", "token-b"], [], ["env-a", "token-b"]),
        ([], ["token"], ["env-a"]),
        (["token"], ["token-a"], ["token-b"]),
        (["env"], ["env-a"], []),
    ],
)
def test_checks_are_chosen_by_name_and_family(select: list[str], ignore: list[str], left: list[str]) -> None:
    assert list(chosen(THREE, select, ignore)) == left


@pytest.mark.parametrize("option", ["select", "ignore"])
def test_a_name_that_is_nothing_is_refused_with_what_was_meant(option: str) -> None:
    given: dict[str, Iterable[str]] = {"select": [], "ignore": [], option: ["tokn-a"]}
    with pytest.raises(WrongUsage, match=r"There is no check or family 'tokn-a'\. Did you mean token-a"):
        chosen(THREE, **given)


def test_nothing_left_to_run_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="No check is left"):
        prepare(Plan(Request(), select=("token",), ignore=("token",)))


DUPLICATE = '''
from ot_doctor.check import Family, check, passed

@check("token-format", title="Mine", family=Family.TOKEN)
def mine():
    """Mine."""
    yield passed("mine")
'''


def test_two_checks_of_one_name_are_wrong_usage_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(DUPLICATE)
    with pytest.raises(WrongUsage, match=r"'token-format': .*ot_doctor_checks.token_format.* and .*/mine.py"):
        catalogue_of([tmp_path])


def test_a_broken_plug_in_is_a_notice(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    _, _, notices = prepare(Plan(Request(), checks_dirs=(tmp_path,)))
    assert notices == (f"The plug-in {tmp_path}/broken.py could not be loaded: ZeroDivisionError: division by zero",)


def planted(**changes: object) -> Store:
    """A store where nothing is gathered: what is not given was left out."""
    evidence: dict[type, object] = {kind: Unavailable("left out", switched_off=True) for kind in SOURCES}
    evidence[Installation] = Installation(HOME, "--dir")
    evidence[Deployment] = deployment()
    evidence.update({kind: changes[kind.__name__] for kind in SOURCES if kind.__name__ in changes})
    return Store(Request(), evidence)


def report_of(function: Any, store: Store, **plan: Any) -> Report:
    return built(examine(Plan(store.request, **plan), {"made": made(function)}, store, ()))


def asks_for_everything(workers: Workers, hub: Hub, log: WorkerLog) -> list[Finding]:
    return [passed("x")]


def test_the_report_holds_the_evidence_that_was_asked_for() -> None:
    store = planted(Workers=workers(), Hub=hub(), WorkerLog=worker_log())
    report = report_of(asks_for_everything, store)
    assert (report.workers, report.hub, report.log, report.deployment) == (workers(), hub(), worker_log(), deployment())
    assert not store.asked(Host)


def test_the_report_does_without_what_was_not_asked_for_or_not_had() -> None:
    report = report_of(lambda: [passed("x")], planted(Workers=workers(), Hub=Unavailable("no net")))
    assert (report.workers, report.hub, report.log) == (None, None, None)
    assert report.deployment == deployment()


def test_no_installation_is_wrong_usage() -> None:
    store = planted(Installation=Installation(None, "nothing"), Deployment=Unavailable("None was found.", hint="Use --dir."))
    with pytest.raises(WrongUsage, match=r"^None was found\. Use --dir\.$"):
        report_of(lambda: [passed("x")], store)


def test_a_log_alone_needs_no_installation(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("nothing of interest\n")
    _, store, _ = prepare(Plan(Request(logs=(str(log),), cwd=tmp_path)))
    assert store.request.log_alone


def test_a_log_beside_an_installation_is_a_log_for_it(tmp_path: Path) -> None:
    (tmp_path / "opentr.sh").write_text("#!/bin/bash\n")
    _, store, _ = prepare(Plan(Request(logs=("-",), cwd=tmp_path)))
    assert not store.request.log_alone


def test_nothing_secret_and_no_control_character_leaves_whatever_a_plug_in_says() -> None:
    dirty = "\x1b[31mhf_" + "AbCdEfGhIjKlMnOpQrStUv" + "\x07"

    def leaking() -> list[Finding]:
        step = Step(dirty, command=dirty, url=dirty)
        seen = Seen(dirty, dirty, dirty)
        return [failed(Cause.DISK_FULL, dirty, remedy=[step], subject=dirty, expected=dirty, evidence=[seen])]

    report = report_of(leaking, planted())
    said = repr(report.results[0].findings) + repr(report.diagnosis)
    assert "AbCdEf" not in said and "x1b" not in said and "x07" not in said
    assert said.count("hf_…(25:") >= 14
    assert report.diagnosis[0].remedy[0].command is None  # it would act on something else


def test_what_a_plug_in_prints_stays_off_standard_output(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("print('while it is imported')\n")

    def loud() -> list[Finding]:
        print("while it runs")
        return [passed("x")]

    prepare(Plan(Request(), checks_dirs=(tmp_path,)))
    report_of(loud, planted())
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "while it is imported" in printed.err and "while it runs" in printed.err


def report_with(present: Iterable[Status], fail_on: str = "fail", notices: tuple[str, ...] = ()) -> Report:
    def finding(status: Status) -> Finding:
        return Finding(status, "m", Cause.DISK_FULL, remedy=(Step("x"),)) if status is Status.FAIL else Finding(status, "m")

    results = tuple(Result(made(None, status.value), (finding(status),), 0.0) for status in present)
    return Report(datetime.now(timezone.utc), 0.0, results, (), notices=notices, fail_on=fail_on)


def subsets() -> list[tuple[Status, ...]]:
    return [tuple(s for n, s in enumerate(STATUSES) if bits >> n & 1) for bits in range(2 ** len(STATUSES))]


@pytest.mark.parametrize("present", subsets(), ids=lambda p: "+".join(s.value for s in p) or "none")
@pytest.mark.parametrize("fail_on", ["fail", "warn", "never"])
@pytest.mark.parametrize("notices", [(), ("The plug-in x could not be loaded.",)], ids=["", "notice"])
def test_the_exit_code(present: tuple[Status, ...], fail_on: str, notices: tuple[str, ...]) -> None:
    counts_as_failure = {"fail": {Status.FAIL}, "warn": {Status.FAIL, Status.WARN}, "never": set()}[fail_on]
    nothing_was_checked = not {Status.PASS, Status.WARN, Status.FAIL} & set(present)
    if counts_as_failure & set(present):
        expected = 1
    elif Status.UNKNOWN in present or nothing_was_checked or notices:
        expected = 3
    else:
        expected = 0
    assert exit_code(report_with(present, fail_on, notices)) == expected


def test_the_exit_codes_that_matter_most_in_words() -> None:
    assert exit_code(report_with([Status.PASS, Status.SKIP])) == 0
    assert exit_code(report_with([Status.PASS, Status.WARN])) == 0
    assert exit_code(report_with([Status.PASS, Status.WARN], "warn")) == 1
    assert exit_code(report_with([Status.FAIL, Status.UNKNOWN])) == 1
    assert exit_code(report_with([Status.PASS, Status.UNKNOWN])) == 3
    assert exit_code(report_with([Status.FAIL, Status.UNKNOWN], "never")) == 3
    assert exit_code(report_with([Status.SKIP])) == 3
    assert exit_code(report_with([])) == 3


def test_a_worker_that_nothing_is_called_is_wrong_usage_and_an_engine_that_is_not_asked_is_not() -> None:
    request = Request(workers=("celery-wroker",))
    planted = {Installation: Installation(HOME, "--dir", ()), Deployment: deployment()}
    checks = {"made": made(lambda: [passed("x")])}
    with pytest.raises(WrongUsage, match="There are: opentranscribe-celery-worker"):
        nobody = NoSuchWorker("There are: opentranscribe-celery-worker.")
        examine(Plan(request), checks, Store(request, {**planted, Workers: nobody}), ())
    examine(Plan(request), checks, Store(request, {**planted, Workers: Unavailable("no Docker", switched_off=True)}), ())
