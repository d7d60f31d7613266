"""The worker's log as evidence: from named files, and from containers of a real engine."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import (
    ComposeLabels,
    Outcome,
    Request,
    Role,
    Unavailable,
    Worker,
    WorkerLog,
    Workers,
)
from ot_doctor.evidence import Engine as EngineEvidence
from ot_doctor.logs.lines import parse_stamp
from ot_doctor.sources import log_windows
from ot_doctor.sources.docker.log_stream import container_lines, sdk_lines
from ot_doctor.sources.log_windows import gather
from ot_doctor.sources.present_run import present_run
from tests.parts.engine import Engine

LOGS = Path(__file__).parent / "logs"
NO_ENGINE = Unavailable("no engine")
CREATED = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
ORDINARY = (
    "[2026-11-21 01:37:28,804: INFO/MainProcess] Task core.progress: chunk {} of the file is done, and another one follows it\n"
)
ATTEMPT = (LOGS / "v4-success.log").read_text()


def read_files(*paths: Path | str, timeout: float = 30.0) -> WorkerLog:
    return gather(Request(logs=tuple(map(str, paths)), timeout=timeout), NO_ENGINE)


@pytest.mark.parametrize("path", sorted(LOGS.glob("*.log")), ids=lambda path: path.stem)
def test_recorded_logs(path: Path) -> None:
    """The first line of each says what is in it: outcome, cause, subject."""
    _, outcome, cause, subject, *_ = [*path.read_text().split("\n")[0].split(), "-", "-"]
    log = read_files(path)
    newest = log.newest
    if outcome == "none":
        assert newest is None and log.attempts == ()
        return
    assert newest is not None
    assert (newest.outcome.value, newest.cause or "-", newest.subject or "-") == (outcome, cause, subject)


def test_a_file_relative_to_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(ATTEMPT)
    log = gather(Request(logs=("x.log",), cwd=tmp_path), NO_ENGINE)
    assert log.sources[0].name == str(tmp_path / "x.log")
    assert log.newest is not None


def test_standard_input(tmp_path: Path) -> None:
    code = (
        "from ot_doctor.evidence import Request, Unavailable; from ot_doctor.sources.log_windows import gather;"
        "log = gather(Request(logs=('-',)), Unavailable('x')); print(log.sources[0].name, log.newest.outcome.value)"
    )
    run = subprocess.run([sys.executable, "-c", code], input=ATTEMPT, capture_output=True, text=True, check=True)
    assert run.stdout == "standard input succeeded\n"


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, os.urandom(200_000), b"x" * 3_000_000, b"\n" * 50_000])
def test_what_holds_nothing_gives_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log").write_bytes(content)
    log = read_files(tmp_path / "log")
    assert log.attempts == () and log.sources[0].problem == ""


def test_a_log_that_cannot_be_read_is_one_of_several(tmp_path: Path) -> None:
    log = read_files(tmp_path, LOGS / "v4-success.log", tmp_path / "missing")
    assert [bool(source.problem) for source in log.sources] == [True, False, True]
    assert "folder" in log.sources[0].problem and not log.sources[0].whole
    assert log.newest is not None and log.newest.outcome is Outcome.SUCCEEDED


def test_the_newest_attempt_of_several_logs_comes_first(tmp_path: Path) -> None:
    later = ATTEMPT.replace("2026-11-21 01:", "2026-11-21 05:").replace("3 speakers", "5 speakers")
    (tmp_path / "later").write_text(later)
    log = read_files(tmp_path / "later", LOGS / "v4-success.log")
    assert log.newest is not None and log.newest.speakers == 5


def test_memory_stays_flat_and_the_first_line_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        file.write(ATTEMPT)
        for number in range(150_000):
            file.write(ORDINARY.format(number))
            if number % 50 == 0:
                file.write(f"[2026-11-21 01:37:28,804: ERROR/MainProcess] consumer: Cannot connect to redis, try {number}\n")
    code = (
        "import resource, sys; from ot_doctor.evidence import Request, Unavailable;"
        "from ot_doctor.sources.log_windows import gather; base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "log = gather(Request(logs=(sys.argv[1],), timeout=300), Unavailable('x'));"
        "print(log.newest.outcome.value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    outcome, grown = run.stdout.split()
    assert outcome == "succeeded"
    assert int(grown) < 40_000, "kilobytes"


@pytest.mark.slow
def test_standard_input_without_end_has_a_deadline_and_memory_stays_flat(tmp_path: Path) -> None:
    (tmp_path / "piece").write_text(ATTEMPT + ORDINARY * 5_000)
    code = (
        "import resource; from ot_doctor.evidence import Request, Unavailable;"
        "from ot_doctor.sources.log_windows import gather; base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "log = gather(Request(logs=('-',), timeout=1), Unavailable('x'));"
        "print(log.newest.outcome.value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base, log.sources[0].lines_read);"
        "print(log.sources[0].problem)"
    )
    endless = ["sh", "-c", f"while cat '{tmp_path}/piece'; do :; done"]
    with subprocess.Popen(endless, stdout=subprocess.PIPE) as writer:
        run = subprocess.run([sys.executable, "-c", code], stdin=writer.stdout, capture_output=True, text=True, check=True)
        writer.kill()
    told, problem = run.stdout.splitlines()
    outcome, grown, lines = told.split()
    assert outcome == "succeeded" and int(lines) > 5_000
    assert int(grown) < 40_000, "kilobytes"
    assert problem == "standard input was not read to its end in the time given; --timeout allows more"


def test_a_pipe_that_ends_in_the_middle_of_a_line(tmp_path: Path) -> None:
    code = (
        "from ot_doctor.evidence import Request, Unavailable; from ot_doctor.sources.log_windows import gather;"
        "log = gather(Request(logs=('-',)), Unavailable('x')); print(log.newest.outcome.value, log.sources[0].problem)"
    )
    cut = ATTEMPT[: ATTEMPT.index("TIMING: diarization completed") + 12]
    run = subprocess.run([sys.executable, "-c", code], input=cut, capture_output=True, text=True, check=True)
    assert run.stdout == "unfinished \n"


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
def test_the_newest_failure_is_found_among_very_many_errors(tmp_path: Path, level: str) -> None:
    path = tmp_path / "log"
    disk_full = (LOGS / "v4-disk-full.log").read_text()
    error = "[2026-11-21 01:37:28,804: {}/ForkPoolWorker-9] Task media.thumbnail raised: bad frame {}\n"
    with path.open("w") as file:
        for part in range(3):
            file.writelines(error.format(level, number) for number in range(10_000))
            file.write(ATTEMPT if part < 2 else disk_full)
        file.writelines(error.format("INFO", number) for number in range(10_000))
    log = read_files(path)
    assert log.newest is not None and (log.newest.outcome, log.newest.cause) == (Outcome.FAILED, "disk-full")
    first = disk_full.split("\n").index(next(line for line in disk_full.split("\n") if "Loading PyAnnote" in line)) + 1
    assert log.newest.lines[0] == 30_000 + 2 * ATTEMPT.count("\n") + first
    assert log.sources[0].lines_read == path.read_bytes().count(b"\n")


def test_no_file_and_no_engine() -> None:
    with pytest.raises(Unavailable, match="no engine"):
        gather(Request(), NO_ENGINE)


def test_a_file_needs_no_engine_and_no_engine_is_asked(tmp_path: Path) -> None:
    nobody = Workers(EngineEvidence("unix:///nowhere", "x"), (_worker("unix:///nowhere"),))
    log = gather(Request(logs=(str(LOGS / "v4-success.log"),)), nobody)
    assert len(log.sources) == 1 and log.newest is not None


def _worker(endpoint: str, **changes: object) -> Worker:
    worker = Worker(
        EngineEvidence(endpoint, "the test"), "0" * 64, "worker", Role.DIARIZER, "image", ComposeLabels(), "running",
        created_at=CREATED, started_at=CREATED + timedelta(seconds=1),
    )  # fmt: skip
    return replace(worker, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes, since",
    [
        ({}, CREATED),
        ({"started_at": CREATED + timedelta(hours=2), "finished_at": CREATED + timedelta(hours=1)}, CREATED + timedelta(hours=1)),
        ({"status": "exited", "finished_at": CREATED + timedelta(hours=1)}, CREATED),
        ({"status": "exited", "restart_count": 3, "started_at": CREATED + timedelta(hours=2),
          "finished_at": CREATED + timedelta(hours=3)}, CREATED + timedelta(hours=2, seconds=-1)),
    ],
)  # fmt: skip
def test_where_the_present_run_begins(changes: dict[str, object], since: datetime) -> None:
    assert present_run(_worker("x", **changes)) == since


@pytest.mark.parametrize("podman, at", [(False, CREATED + timedelta(microseconds=57_991)), (True, CREATED)])
def test_podmans_stamps_have_whole_seconds(podman: bool, at: datetime) -> None:
    worker = _worker("unix:///p.sock", created_at=CREATED + timedelta(microseconds=57_991))
    assert present_run(replace(worker, engine=replace(worker.engine, podman=podman))) == at


def test_lines_of_one_second_are_neither_lost_nor_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"2026-11-20T12:00:00Z {line}\n".encode() for line in (ATTEMPT + ORDINARY * 300).splitlines()]

    def last(engine: EngineEvidence, container: str, tail: int | None, until: float, *, before: bytes = b"") -> Iterator[bytes]:
        assert not before, "no stamp tells where to go on"
        yield b"".join(lines if tail is None else lines[-tail:])

    monkeypatch.setattr(log_windows, "_STEPS", (20, 200, None))
    monkeypatch.setattr(log_windows, "container_lines", last)
    worker = _worker("unix:///p.sock")
    engine = replace(worker.engine, podman=True)
    log = gather(Request(), Workers(engine, (replace(worker, engine=engine),)))
    assert log.newest is not None and (log.newest.outcome, log.newest.current) == (Outcome.SUCCEEDED, True)
    assert log.sources[0].lines_read == len(lines) and log.sources[0].whole


# -- with a real engine --------------------------------------------------------------------------


def _start(engine: Engine, tmp_path: Path, text: str, *options: str, name: str = "worker") -> Worker:
    log = tmp_path / "recorded.log"
    log.write_text(text)
    command = "cat /recorded.log >&2; exec sleep 3600"
    mount = f"{log}:/recorded.log:ro"
    engine.docker("run", "-d", "--network", "host", "--name", name, "-v", mount, *options, "busybox:latest", "sh", "-c", command)
    return _described(engine, name, text.count("\n"))


def _described(engine: Engine, name: str, lines: int = 0) -> Worker:
    shown = engine.ask("GET", f"/containers/{name}/json")
    until = time.monotonic() + 30
    while lines and Path(shown["LogPath"]).read_bytes().count(b'\\n","stream"') < lines and time.monotonic() < until:
        time.sleep(0.05)
    state = shown["State"]
    return Worker(
        EngineEvidence(engine.host, "the test"), shown["Id"], name, Role.DIARIZER, "busybox", ComposeLabels(), state["Status"],
        created_at=parse_stamp(shown["Created"]), started_at=parse_stamp(state["StartedAt"]),
        finished_at=None if state["FinishedAt"].startswith("0001") else parse_stamp(state["FinishedAt"]),
        log_driver=shown["HostConfig"]["LogConfig"]["Type"],
    )  # fmt: skip


def _restart(engine: Engine, worker: Worker) -> None:
    engine.ask("POST", f"/containers/{worker.id}/restart?t=0")


def read_container(worker: Worker, timeout: float = 30.0) -> WorkerLog:
    return gather(Request(timeout=timeout), Workers(worker.engine, (worker,)))


@pytest.mark.engine
@pytest.mark.parametrize("before, after", [(50, 40), (5, 700), (700, 5), (0, 0)])
def test_the_attempt_is_found_wherever_it_lies(
    clean_engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    after: int,
) -> None:
    monkeypatch.setattr(log_windows, "_STEPS", (20, 60, 180, 540, None))
    text = ORDINARY * before + ATTEMPT + ORDINARY * after
    log = read_container(_start(clean_engine, tmp_path, text))
    source = log.sources[0]
    assert source.problem == "" and log.newest is not None
    assert (log.newest.outcome, log.newest.speakers, log.newest.current) == (Outcome.SUCCEEDED, 3, True)
    first = ATTEMPT.split("\n").index(next(line for line in ATTEMPT.split("\n") if "Loading PyAnnote" in line)) + 1
    assert log.newest.lines[0] == before + first - (text.count("\n") - source.lines_read)


@pytest.mark.engine
def test_a_terminal_and_a_very_long_line(clean_engine: Engine, tmp_path: Path) -> None:
    long = "[2026-11-21 01:37:28,804: ERROR/MainProcess] It broke " + "x" * 100_000 + "\n"
    worker = _start(clean_engine, tmp_path, ATTEMPT + long, "-t")
    log = read_container(worker)
    assert log.newest is not None and log.newest.outcome is Outcome.SUCCEEDED
    plain = _start(clean_engine, tmp_path, ATTEMPT + long, name="plain")
    source = read_container(plain).sources[0]
    assert source.whole and source.lines_read == ATTEMPT.count("\n") + 1


@pytest.mark.engine
def test_what_an_earlier_run_left_is_history(clean_engine: Engine, tmp_path: Path) -> None:
    worker = _start(clean_engine, tmp_path, (LOGS / "v4-disk-full.log").read_text())
    assert read_container(worker).newest is not None
    (tmp_path / "recorded.log").write_text(ORDINARY)
    _restart(clean_engine, worker)
    time.sleep(0.5)
    log = read_container(_described(clean_engine, worker.name))
    assert log.newest is None
    assert [(attempt.current, attempt.outcome) for attempt in log.attempts] == [(False, Outcome.FAILED)]
    assert log.sources[0].since is not None


@pytest.mark.engine
def test_a_restart_cuts_an_attempt_off(clean_engine: Engine, tmp_path: Path) -> None:
    worker = _start(clean_engine, tmp_path, "".join(ATTEMPT.splitlines(keepends=True)[:4]))
    (tmp_path / "recorded.log").write_text(" -------------- celery@gpu v5.5.3 (immunity)\n")
    _restart(clean_engine, worker)
    time.sleep(0.5)
    newest = read_container(_described(clean_engine, worker.name)).newest
    assert newest is not None and (newest.outcome, newest.cause) == (Outcome.FAILED, "unrecognised")


@pytest.mark.engine
def test_a_stopped_container_is_read_too(clean_engine: Engine, tmp_path: Path) -> None:
    worker = _start(clean_engine, tmp_path, ATTEMPT)
    clean_engine.ask("POST", f"/containers/{worker.id}/kill")
    stopped = _described(clean_engine, worker.name)
    newest = read_container(stopped).newest
    assert stopped.status == "exited" and newest is not None and newest.outcome is Outcome.SUCCEEDED


@pytest.mark.engine
def test_a_driver_that_cannot_be_read(clean_engine: Engine, tmp_path: Path) -> None:
    options = ("--network", "host", "--name", "mute", "--log-driver", "none")
    clean_engine.docker("run", "-d", *options, "busybox:latest", "sleep", "3600")
    source = read_container(_described(clean_engine, "mute")).sources[0]
    assert "docker inspect -f '{{.HostConfig.LogConfig.Type}}' mute" in source.problem
    assert "'none'" in source.problem and not source.whole


@pytest.mark.engine
def test_when_the_time_is_up_it_says_how_far_it_looked(
    clean_engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_windows, "_STEPS", (100, None))
    worker = _start(clean_engine, tmp_path, ATTEMPT + ORDINARY * 100_000)
    log = read_container(worker, timeout=0.25)
    assert log.newest is None
    assert "no attempt in the last 100 lines of worker; --timeout 120 looks further back" in log.sources[0].problem
    assert not log.sources[0].whole


def _now(log: str, **shift: int) -> str:
    """The log as if it were written now, by a clock that is off by so much."""
    minute = datetime.now(timezone.utc) + timedelta(**shift)
    return log.replace("2026-11-21 01:37", f"{minute:%Y-%m-%d %H:%M}").replace("2026-11-20 13:00", f"{minute:%Y-%m-%d %H:%M}")


@pytest.mark.engine
@pytest.mark.parametrize("middle", ["a line without a prefix\n", "Traceback (most recent call last):\nValueError: bad\n"])
def test_older_lines_are_read_without_stamps_and_tell_the_same(
    middle: str, clean_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered = [ORDINARY.replace("{}", str(number)) for number in range(400)]
    text = _now("".join(numbered[:300]) + middle + ATTEMPT + middle + "".join(numbered[300:]))
    worker = _start(clean_engine, tmp_path, text)
    asked: list[bytes] = []
    real = container_lines

    def listened(*arguments: Any, before: bytes = b"") -> Iterator[bytes]:
        asked.append(before)
        return real(*arguments, before=before)

    for steps in ((30, 200, None), (30, 60, 250, None), (30, 60, None)):
        with monkeypatch.context() as patch:
            patch.setattr(log_windows, "_STEPS", steps)
            patch.setattr(log_windows, "container_lines", listened)
            asked.clear()
            without = read_container(worker)
            assert asked[0] == b"" and asked[1] and asked[1] == asked[-1]
            patch.setattr(log_windows, "_tells_the_time", lambda *_: False)
            stamped = read_container(worker)
        assert _outline(without) == _outline(stamped)
        (one,), (other,) = without.attempts, stamped.attempts
        assert one.started_at and other.started_at and abs(one.started_at - other.started_at) < timedelta(minutes=2)
        assert all(hit.record.at for hit in one.hits)


def _outline(log: WorkerLog) -> object:
    """What does not depend on the clock."""
    attempts = [(a.outcome, a.lines, a.task, a.cause, a.speakers, a.current, [h.signature for h in a.hits]) for a in log.attempts]
    return attempts, [(s.lines_read, s.whole, s.token_lines, s.device) for s in log.sources]


@pytest.mark.engine
@pytest.mark.parametrize("shift", [{"hours": 2}, {"hours": -5}])
def test_lines_of_another_time_zone_are_read_with_stamps(
    shift: dict[str, int], clean_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_windows, "_STEPS", (30, None))
    worker = _start(clean_engine, tmp_path, _now(ATTEMPT + ORDINARY * 100, **shift))
    newest = read_container(worker).newest
    assert newest and newest.started_at and abs(newest.started_at - datetime.now(timezone.utc)) < timedelta(minutes=5)


@pytest.mark.engine
def test_an_earlier_run_is_told_from_the_present_one_by_stamps(
    clean_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_windows, "_STEPS", (30, None))
    worker = _start(clean_engine, tmp_path, _now(ATTEMPT + ORDINARY * 100))
    _restart(clean_engine, worker)
    attempts = read_container(_described(clean_engine, worker.name, 2 * (ATTEMPT.count("\n") + 100))).attempts
    assert [attempt.current for attempt in attempts] == [True, False]


@pytest.mark.engine
def test_the_sdk_reads_the_same(clean_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = _start(clean_engine, tmp_path, ORDINARY * 20 + ATTEMPT)
    request = Request(environ={"DOCKER_HOST": clean_engine.host})
    straight = b"".join(container_lines(worker.engine, worker.id, 15, time.monotonic() + 10))
    assert b"".join(sdk_lines(worker.engine, worker.id, 15, request, time.monotonic() + 10)) == straight


def test_io_is_not_touched() -> None:
    """Nobody prints while reading."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        read_files(LOGS / "v4-success.log")
    assert out.getvalue() == ""
