"""``--wait``: durations, and runs that are made again; time is the test's own."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import click
import pytest

from ot_doctor.check import Cause
from ot_doctor.cli.durations import Duration, seconds_of
from ot_doctor.report.model import failure_summary
from ot_doctor.run import retry
from ot_doctor.run.retry import retry_until_success
from tests.parts.engine import Engine
from tests.parts.ready_doctor import Started
from tests.report import reports
from tests.scenarios.scenario import Scenario, hub_for


class Clock:
    """Time that passes by sleeping, and while a run is at work."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(retry, "time", clock)
    return clock


class Runs:
    """A run that fails some times, each of which takes a while."""

    def __init__(self, clock: Clock, *, failures: int, takes: float = 2.0) -> None:
        self.clock, self.failures, self.takes = clock, failures, takes
        self.limits: list[float] = []
        self.told: list[str] = []

    def run(self, limit: float) -> int:
        self.limits.append(limit)
        self.clock.now += min(self.takes, limit)
        return len(self.limits)

    def retry_until_success(self, wait: float) -> int:
        return retry_until_success(self.run, lambda n: f"run {n} failed" if n <= self.failures else "", wait, self.told.append)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("1m30", 90), ("1.5m", 90), (" 5M ", 300), ("0", 0),
     ("2h5m1s", 7501), ("168h", 604800)],
)  # fmt: skip
def test_a_duration(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5x", "-5m", "5m5h", "nan", "inf", "5 m", "1e3", "٥m", ".", "169h", "1d"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: use|is longer than a week"):
        seconds_of(text)


def test_a_duration_as_an_option() -> None:
    command = click.Command("x", params=[click.Option(["--wait"], type=Duration(), default=0)], callback=lambda wait: wait)
    assert command.main(["--wait", "5m"], standalone_mode=False) == 300
    assert command.main([], standalone_mode=False) == 0
    assert command.main([], standalone_mode=False, default_map={"wait": 90}) == 90
    with pytest.raises(click.BadParameter, match="'soon' is not a duration"):
        command.main(["--wait", "soon"], standalone_mode=False)


def test_without_a_wait_there_is_one_run_that_takes_its_time(clock: Clock) -> None:
    runs = Runs(clock, failures=9)
    assert runs.retry_until_success(0) == 1
    assert runs.limits == [float("inf")] and runs.told == []


def test_the_first_run_that_passes_ends_it(clock: Clock) -> None:
    runs = Runs(clock, failures=0)
    assert runs.retry_until_success(300) == 1
    assert runs.limits == [300] and runs.told == []


def test_pauses_grow_and_each_is_told(clock: Clock) -> None:
    runs = Runs(clock, failures=6)
    assert runs.retry_until_success(300) == 7
    assert runs.told == [
        f"Waiting: run {number} failed. Next try in {pause} s." for number, pause in enumerate([1, 2, 4, 8, 10, 10], 1)
    ]


def test_no_run_takes_longer_than_what_is_left(clock: Clock) -> None:
    runs = Runs(clock, failures=99, takes=60)
    last = runs.retry_until_success(100)
    assert runs.limits == [100, 39]
    assert last == 2 and clock.now == 1000 + 100


@pytest.mark.parametrize("wait", [10, 20, 30, 40, 60])
def test_the_whole_time_is_waited_and_the_last_run_begins_at_its_end(clock: Clock, wait: float) -> None:
    runs = Runs(clock, failures=99)
    runs.retry_until_success(wait)
    assert min(runs.limits) >= 5, "too short to find anything out"
    assert 1000 + wait <= clock.now <= 1000 + wait + 2
    assert len(runs.told) == len(runs.limits) - 1, "one line a try"


def test_a_very_short_wait_is_one_run_all_the_same(clock: Clock) -> None:
    runs = Runs(clock, failures=99)
    assert runs.retry_until_success(1) == 1
    assert runs.limits == [5]


def test_what_a_run_raises_ends_the_wait(clock: Clock) -> None:
    def run(limit: float) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry_until_success(run, str, 300, print)


def test_what_is_waited_for_is_named() -> None:
    assert failure_summary(reports.healthy()) == ""
    assert failure_summary(reports.warnings()) == ""
    assert failure_summary(replace(reports.warnings(), fail_on="warn")) == "", "no warning goes away by waiting"
    assert failure_summary(reports.one_root_cause()) == "", "nor does a line of the .env"
    down = reports.one_root_cause()
    (root,) = down.diagnosis
    starting = replace(down, diagnosis=(replace(root, cause=Cause.WORKER_DOWN),))
    assert failure_summary(starting) == "env-shadowed failed and 1 more did not pass"
    assert failure_summary(replace(reports.healthy(), results=())) == "not everything could be checked"
    broken = replace(reports.healthy(), notices=("a plug-in could not be loaded",))
    assert failure_summary(broken) == "not everything could be checked"


@pytest.mark.engine
def test_a_stack_that_comes_up_late_is_waited_for(clean_engine: Engine, tmp_path: Path) -> None:
    with hub_for(None) as hub:
        world = Scenario(up=()).build(clean_engine, hub, tmp_path)
        doctor = Started("--wait", "2m", "--require", "worker", "--format", "json", cwd=world.folder, env=world.shell())
        time.sleep(2)  # long enough for a first run, which finds no worker
        assert doctor.poll() is None
        world.compose("up", "-d")
        out, err = doctor.communicate(120)
    document = json.loads(out)  # one document, whatever came before
    assert (doctor.returncode, document["exit_code"]) == (0, 0)
    assert all(line.startswith("Waiting: ") and line.endswith(" s.") for line in err.splitlines()) and err


@pytest.mark.engine
def test_a_stack_that_never_comes_up_is_a_failure_when_the_time_is_over(clean_engine: Engine, tmp_path: Path) -> None:
    with hub_for(None) as hub:
        world = Scenario(up=()).build(clean_engine, hub, tmp_path)
        began = time.monotonic()
        done = world.doctor("--wait", "7s")
    assert done.returncode == 1 and done.stderr.count("Waiting: worker-running failed") >= 2
    assert json.loads(done.stdout)["diagnosis"][0]["cause"] == "worker-down"
    assert 7 <= time.monotonic() - began < 7 + 15  # and one more run
