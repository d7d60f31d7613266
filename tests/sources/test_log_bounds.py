"""For any log: one record that raises costs one record, the memory stays small, and a deadline ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ot_doctor.evidence import ComposeLabels, Engine, Outcome, Record, Request, Role, Unavailable, Worker, WorkerLog, Workers
from ot_doctor.logs.attempts import AttemptBuilder
from ot_doctor.logs.signatures import catalogue
from ot_doctor.sources.log_windows import gather
from tests.parts import ready_doctor

TASK = "8f2c5a1e-1111-4222-8333-444455556666"
HEAD = "[2026-11-21 01:37:{:02},804: {}/ForkPoolWorker-1] "
BEGINS = HEAD.format(1, "INFO") + "Performing speaker diarization..."
FAILS = (
    HEAD.format(9, "ERROR") + f"Task transcribe_audio[{TASK}] raised unexpected: OSError(28)\n"
    "Traceback (most recent call last):\nOSError: [Errno 28] No space left on device"
)
MOST_MEMORY = 60  # MB more than before
SECONDS = 2.0
ONE_LINE = 32 << 20  # bytes

# -- one record ----------------------------------------------------------------------------------


def read(tmp_path: Path, *lines: str, signatures: tuple[Path, ...] = ()) -> WorkerLog:
    path = tmp_path / "worker.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return gather(Request(logs=(str(path),), signatures=signatures), Unavailable("no engine"))


@pytest.mark.parametrize("speakers, found", [("3", 3), ("9" * 5_000, None), ("99999", None)])
def test_a_number_of_speakers_that_is_none(tmp_path: Path, speakers: str, found: int | None) -> None:
    done = HEAD.format(9, "INFO") + f"Speaker identification completed: {speakers} speakers processed"
    log = read(tmp_path, BEGINS, done)
    (attempt,) = log.attempts
    assert attempt.outcome is Outcome.SUCCEEDED and attempt.speakers == found


def test_speakers_of_a_users_signature_that_are_words(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        "[[signature]]\nname = 'site-done'\npatterns = ['''^Site: (?P<speakers>\\w+) voices''']\nwords = ['Site: ']\n"
        "explain = 'x'\nsource = 'x'\nmarks = 'success'\n",
        encoding="utf-8",
    )
    log = read(tmp_path, BEGINS, HEAD.format(9, "INFO") + "Site: three voices", signatures=(own,))
    (attempt,) = log.attempts
    assert attempt.outcome is Outcome.SUCCEEDED and attempt.speakers is None


def test_a_record_that_raises_costs_that_record_alone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    builder = AttemptBuilder(catalogue(), "the log")
    whole = builder._add

    def add(record: Record) -> bool:
        if "odd" in record.text:
            raise RuntimeError("a fault")
        return whole(record)

    monkeypatch.setattr(builder, "_add", add)
    caplog.set_level("DEBUG", logger="ot_doctor")
    text = FAILS.split("] ", 1)[1]
    assert not builder.add(Record((1, 1), None, "ERROR", "odd"))
    assert builder.add(Record((2, 4), None, "ERROR", text, TASK, "ForkPoolWorker-1"))
    assert [attempt.cause for attempt, _ in builder.attempts()] == ["disk-full"]
    assert "line 1 of the log of the log raised" in caplog.text


def test_the_interpreters_turns_are_as_before(tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    read(tmp_path, BEGINS)
    assert sys.getswitchinterval() == before


# -- memory and time -----------------------------------------------------------------------------

COST = """
import sys, time
from pathlib import Path
from ot_doctor.evidence import Request, Unavailable
from ot_doctor.sources.log_windows import gather

def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))

before, begun = peak(), time.monotonic()
gather(Request(logs=(sys.argv[1],), timeout=float(sys.argv[2])), Unavailable("no engine"))
print((peak() - before) // 1024, time.monotonic() - begun)
"""


def long_line() -> Iterator[bytes]:
    yield b"x" * ONE_LINE


def nuls() -> Iterator[bytes]:
    yield b"\0" * ONE_LINE


def telling_line() -> Iterator[bytes]:
    yield b"OSError: [Errno 28] No space left on device pyannote " * 500_000


def wide_records() -> Iterator[bytes]:
    lines = (b"OSError: [Errno 28] No space left on device pyannote " + "😀".encode() * 4_000 + b"\n") * 150
    for number in range(60):
        task = f"{number:08x}-1111-4222-8333-444455556666"
        yield FAILS.replace(TASK, task).encode() + b"\n" + lines


def failures() -> Iterator[bytes]:
    for number in range(100_000):
        yield FAILS.replace(TASK, f"{number:08x}-1111-4222-8333-444455556666").encode() + b"\n"


def endless_record() -> Iterator[bytes]:
    yield FAILS.encode() + b"\n"
    yield b"  OSError: [Errno 28] No space left on device pyannote\n" * 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("make", [long_line, nuls, telling_line, wide_records, failures, endless_record, None])
def test_memory_and_time_are_bounded(tmp_path: Path, make: Callable[[], Iterator[bytes]] | None) -> None:
    path = tmp_path / "log" if make else Path("/dev/zero")
    if make:
        path.write_bytes(b"".join(make()))
    done = ready_doctor.run_code(COST, str(path), str(SECONDS), cwd=tmp_path, env={}, timeout=60)
    assert done.returncode == 0, done.stderr
    memory, seconds = done.stdout.split()
    assert float(seconds) < SECONDS + 2
    assert int(memory) < MOST_MEMORY


@pytest.mark.slow
def test_a_pipe_that_is_written_for_ever_has_a_deadline(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    endless = "import sys\nwith open(sys.argv[1], 'w') as file:\n  while True: file.write('x\\n')"
    writer = subprocess.Popen([sys.executable, "-c", endless, path], stderr=subprocess.DEVNULL)
    try:
        begun = time.monotonic()
        log = gather(Request(logs=(str(path),), timeout=1.0), Unavailable("no engine"))
        assert time.monotonic() - begun < 1 + 2  # the writer takes a whole processor
    finally:
        writer.kill()
        writer.wait()
    assert log.sources[0].end_unread and "--timeout" in log.sources[0].problem


# -- an engine that dribbles ---------------------------------------------------------------------


def test_what_an_engine_sent_until_the_deadline_is_used(tmp_path: Path) -> None:
    stamp = b"2026-11-21T01:37:28.804123456Z "
    sent = b"".join(stamp + line.encode() + b"\n" for line in (BEGINS, *FAILS.split("\n")))
    listening = socket.socket(socket.AF_UNIX)
    with tempfile.TemporaryDirectory() as short:  # a socket's path may be too long elsewhere
        listening.bind(f"{short}/s")
        listening.listen()
        stop = threading.Event()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + sent)
                while not stop.wait(0.05):
                    connection.sendall(stamp + b"more\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        engine = Engine(f"unix://{short}/s", "the test")
        worker = Worker(engine, "c", "worker", Role.DIARIZER, "", ComposeLabels(), "running")
        begun = time.monotonic()
        log = gather(Request(timeout=1.5), Workers(engine, (worker,)))
        taken = time.monotonic() - begun
        stop.set()
        thread.join(5)
        listening.close()
    assert taken < 2.5
    (source,) = log.sources
    assert source.lines_read > 5 and source.end_unread and not source.whole and "--timeout" in source.problem
    assert [attempt.cause for attempt in log.attempts] == ["disk-full"]
