"""``make bench``: the figures of docs/performance.md, as ratios against what each is named against.

Every pair is timed in turn, A B A B …, and the median of the ratios is printed. Nothing here fails on a figure. Every grep writes
into a pipe: one that writes to /dev/null ends with its first match.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from ot_doctor.logs.signatures import catalogue
from tests.corpus import rewrite
from tests.corpus.cases_of import NAMES
from tests.corpus.test_must_change import wrong_after_success, wrong_after_swap
from tests.corpus.test_public import verdict_is_wrong
from tests.corpus.test_rewordings import MAIL, wrong_rewordings
from tests.logs import mutations
from tests.logs.speed import TRACEBACK
from tests.logs.test_public_reports import REPORTS
from tests.parts.engine import Engine, why_not
from tests.parts.hub import Fault
from tests.scenarios import logs
from tests.scenarios.scenario import DOCTOR, Scenario, World, hub_for

_CONTAINER = "opentranscribe-celery-worker"
_NOISE = (
    "[2026-11-21 01:37:28,804: INFO/MainProcess] Task utility.update_gpu_stats[{0:08d}-0c7f-4f0e-9f55-2f0f6a4c1b11]"
    " succeeded in 0.0312s: {{'gpu': None, 'count': {0}}} ok\n"
)


def main() -> None:
    """Run all figures, or those named on the command line."""
    figures: dict[str, Callable[[], None]] = {
        "help": _help,
        "log": _log,
        "last-10000": _last_10000,
        "whole-log": _whole_log,
        "logs-file": _logs_file,
        "formats": _formats,
        "logs-stdin": _logs_stdin,
        "tracebacks": _tracebacks,
        "rewordings": _rewordings,
        "must-change": _must_change,
        "memory": _memory,
        "hub": _hub,
    }
    for name in sys.argv[1:] or figures:
        figures[name]()


def _run(command: Sequence[str], **more: object) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)  # type: ignore[call-overload]
    return time.perf_counter() - began


def _in_turn(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Medians of both, and the median of the ratios of pairs, after one round that is not counted."""
    first(), second()
    pairs = [(first(), second()) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def _print(name: str, figure: str, bound: str) -> None:
    print(f"{name:<72} {figure:>28}   bound {bound}", flush=True)


def _help() -> None:
    a, b, ratio = _in_turn(lambda: _run([str(DOCTOR), "--help"]), lambda: _run([sys.executable, "-c", "pass"]), 15)
    _print("ot-doctor --help / python -c pass", f"{ratio:.2f} ({a:.3f} s / {b:.3f} s)", "4.0")


@contextmanager
def _deployment(log: Sequence[str] | None, noise: tuple[int, int]) -> Iterator[World]:
    """A healthy deployment whose worker log has ``noise[0]`` lines before ``log`` and ``noise[1]`` behind it."""
    if reason := why_not():
        sys.exit(f"the figures with containers cannot be measured: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="otd-bench-"))
    try:
        with Engine() as engine, hub_for(None) as hub:
            engine.import_backends()
            world = Scenario(log=[], up=()).build(engine, hub, folder)
            minute = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M}"  # lines tell when they are written, as a worker's do
            ordinary = _NOISE.replace("2026-11-21 01:37", minute)
            with (world.folder / "recorded.log").open("w") as out:
                out.writelines(ordinary.format(number) for number in range(noise[0]))
                out.writelines(f"{line}\n".replace("2026-11-21 01:37", minute) for line in log or ())
                out.writelines(ordinary.format(number) for number in range(noise[1]))
            world.compose("up", "-d")
            _wait_for_lines(world, sum(noise) + len(log or ()))
            yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_lines(world: World, lines: int) -> None:
    """Until the engine has written the whole log down."""
    marker = world.engine.docker("inspect", "-f", "{{.LogPath}}", _CONTAINER)
    before = -1
    while True:
        size = os.path.getsize(marker)
        if size == before and size > lines * 50:
            return
        before = size
        time.sleep(1)


def _log() -> None:
    for place, before in (("start", 1_000), ("middle", 100_000), ("end", 199_000)):
        with _deployment(logs.v04_success(), (before, 200_000 - before - 7)) as world:
            env = world.shell()
            grep = f"docker logs --tail 200000 {_CONTAINER} 2>&1 | grep -i pyannote | cat"
            a, b, ratio = _in_turn(
                lambda env=env, at=world.folder: _run([str(DOCTOR), "--offline"], env=env, cwd=at),  # type: ignore[misc]
                lambda env=env, grep=grep: _run(["sh", "-c", grep], env=env),  # type: ignore[misc]
                5,
            )
            name = f"run --offline, 200,000 lines, attempt at the {place} / docker logs | grep"
            _print(name, f"{ratio:.2f} ({a:.2f} s / {b:.2f} s)", "1.0")


def _find(name: str, before: int, after: int, bound: str, rounds: int) -> None:
    """How long it takes to find the last attempt in the log of a running container."""
    with _deployment(logs.v04_success(), (before, after)) as world:
        env = world.shell()
        doctor = [str(DOCTOR), "--offline", "--select", "last-attempt", "--timeout", "300"]
        grep = ["sh", "-c", f"docker logs {_CONTAINER} 2>&1 | grep -i pyannote | cat"]
        a, b, ratio = _in_turn(lambda: _run(doctor, env=env, cwd=world.folder), lambda: _run(grep, env=env), rounds)
    _print(f"the last attempt in 2,000,000 lines, {name} / docker logs | grep", f"{ratio:.3f} ({a:.2f} s / {b:.2f} s)", bound)


def _last_10000() -> None:
    _find("in the last 10,000 lines", 1_990_100, 9_893, "0.05", 3)


def _whole_log() -> None:
    _find("at its start", 500, 1_999_493, "0.7", 3)


_OTHERS = (
    "[2026-11-21 01:37:28,804: WARNING/MainProcess] consumer: the connection to redis:6379 was lost, attempt {0} of 100000\n",
    "progress {0}: the chunk is done, and another one follows it\n",
    "[2026-11-21 01:37:28,804: ERROR/ForkPoolWorker-2] Task media.thumbnail[{0:08d}-0c7f-4f0e-9f55-2f0f6a4c1b11] raised"
    " unexpected: ValueError('bad frame {0}')\nTraceback (most recent call last):\n"
    '  File "/app/tasks/media.py", line 40, in thumbnail\n'
    "    raise ValueError(text)\nValueError: bad frame {0}\n",
)


@contextmanager
def _log_file(
    others: Sequence[str], size: int = 300_000_000, shape: Callable[[bytes], bytes] = lambda log: log
) -> Iterator[Path]:
    """A log of that many bytes, its only attempt near its start; every fortieth of its lines is one of ``others``.

    ``shape`` gives some lines of Celery's the format of another worker.
    """
    with tempfile.TemporaryDirectory(prefix="otd-bench-") as folder:
        path = Path(folder) / "worker.log"
        with path.open("wb") as out:
            out.write(shape("".join(f"{line}\n" for line in logs.v04_success()).encode()))
            for start in range(0, 100_000_000, 1_000):
                lines = [_NOISE.format(number) for number in range(start, start + 1_000)]
                if others:
                    lines[::40] = [others[number // 40 % len(others)].format(start + number) for number in range(0, 1_000, 40)]
                out.write(shape("".join(lines).encode()))
                if out.tell() >= size:
                    break
        yield path


def _alternatives() -> str:
    """For grep: a fixed text of every signature."""
    return "|".join(re.sub(r"[][\\.^$*+?(){}|]", r"\\\g<0>", signature.words[0]) for signature in catalogue().signatures)


def _logs_file() -> None:
    alternatives = _alternatives()
    for kind, others in (("ordinary lines", ()), ("with errors in it", _OTHERS)):
        with _log_file(others) as path:
            doctor = [str(DOCTOR), "--logs", str(path), "--timeout", "120"]
            _against_grep(f"--logs FILE of 300 MB, {kind}", doctor, path, alternatives)


def _bare(form: str) -> rewrite.Format:
    return lambda at, level, logger, message: form.format(at=at, level=level, logger=logger).encode() + message


_FORMATS: dict[str, rewrite.Format] = {
    "v0.5 text": rewrite.text,
    "v0.5 JSON": rewrite.in_json,
    "time - name - LEVEL - message": _bare("{at} - {logger} - {level} - "),
    "[time] LEVEL [name] message": _bare("[{at}] {level} [{logger}] "),
    "LEVEL:name:message": _bare("{level}:{logger}:"),
}


def _formats() -> None:
    alternatives = _alternatives()
    for kind, others in (("ordinary lines", ()), ("with errors in it", _OTHERS)):
        for name, form in _FORMATS.items():
            with _log_file(others, 200_000_000, lambda log, form=form: rewrite.rewritten(log, form)) as path:  # type: ignore[misc]
                doctor = [str(DOCTOR), "--logs", str(path), "--timeout", "120"]
                _against_grep(f"--logs FILE of 200 MB, {name}, {kind}", doctor, path, alternatives)


def _logs_stdin() -> None:
    alternatives = _alternatives()
    with _log_file(_OTHERS) as path:
        doctor = f"'{DOCTOR}' --logs - --timeout 120"
        _against_grep("--logs - < FILE of 300 MB", ["sh", "-c", f"{doctor} < '{path}'"], path, alternatives)
        _against_grep("cat FILE of 300 MB | --logs -", ["sh", "-c", f"cat '{path}' | {doctor}"], path, alternatives)


def _tracebacks() -> None:
    """How fast a log is read that holds nothing but errors."""
    head = "[2026-11-21 01:37:28,804: "
    kinds = {
        "alone": "",
        "in records": head + "ERROR/MainProcess] request {0} went wrong\n",
        "each the end of a job": head
        + "INFO/MainProcess] Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1\n"
        + head + "ERROR/MainProcess] Task transcription.gpu_transcribe[5d1c2b8e-0000-4000-8000-{0:012d}] raised unexpected: x\n",
    }  # fmt: skip
    for kind, head in kinds.items():
        with tempfile.TemporaryDirectory(prefix="otd-bench-") as folder:
            path = Path(folder) / "worker.log"
            path.write_text("".join(head.format(number) + TRACEBACK.format(number) for number in range(20_000)))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            _run([str(DOCTOR), "--logs", str(path), "--timeout", "300"])
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            _print(f"--logs FILE, tracebacks {kind}", f"{path.stat().st_size / used / 1e6:.0f} MB/s per core", "25")


def _rewordings() -> None:
    """How many of the public reports and of the corpus' logs keep a right cause, in each rewording."""
    with tempfile.TemporaryDirectory(prefix="otd-bench-") as folder:
        for mutation in mutations.KEEP:
            wrong = [report.name for report in REPORTS if verdict_is_wrong(Path(folder), mutation(report.text), report)]
            right = f"{len(REPORTS) - len(wrong)} of {len(REPORTS)}"
            _print(f"public reports, {mutation.__name__}", right, f"all {' '.join(wrong)}".rstrip())
            changed = wrong_rewordings(Path(folder), ((name, mutation) for name in NAMES))
            kept = f"{len(NAMES) - len(changed)} of {len(NAMES)}"
            _print(
                f"logs of the corpus, {mutation.__name__}", kept, "none" if mutation is MAIL else f"all {changed or ''}".rstrip()
            )


def _must_change() -> None:
    """How many logs get another verdict, as they must, with a success behind the failure or with another number in it."""
    with tempfile.TemporaryDirectory(prefix="otd-bench-") as folder:
        kinds = {"a success behind": wrong_after_success(Path(folder)), "another number": wrong_after_swap(Path(folder))}
    for kind, wrong in kinds.items():
        _print(f"failures of the corpus and of the public reports, {kind}", f"{len(wrong)} keep their cause", "0")


def _against_grep(name: str, doctor: Sequence[str], path: Path, alternatives: str) -> None:
    used: list[float] = []

    def timed() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = _run(doctor)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return took

    grep = ["sh", "-c", 'grep -cE "$1" "$2" | cat', "sh", alternatives, str(path)]
    a, b, ratio = _in_turn(timed, lambda: _run(grep), 5)
    _print(f"{name} / grep -E", f"{ratio:.2f} ({a:.2f} s / {b:.2f} s)", "5")
    speed = path.stat().st_size / statistics.median(used) / 1e6
    _print(f"{name}, speed", f"{speed:.0f} MB/s per core", "100, ordinary lines")


def _peak(world: World) -> int:
    """Peak memory of one run in KiB, taken in a child of its own so that runs do not hide each other."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", script, str(DOCTOR), "--offline", "--timeout", "120"]
    done = subprocess.run(command, env=world.shell(), cwd=world.folder, capture_output=True, text=True, check=True)
    return int(done.stdout)


def _memory() -> None:
    peaks = {}
    for lines in (2_000, 2_000_000):
        with _deployment(logs.v04_success(), (500, lines - 507)) as world:
            peaks[lines] = statistics.median(_peak(world) for _ in range(3))
    ratio = peaks[2_000_000] / peaks[2_000]
    figure = f"{ratio:.2f} ({peaks[2_000_000] / 1024:.0f} MiB / {peaks[2_000] / 1024:.0f} MiB)"
    _print("peak memory, 2,000,000 lines / 2,000 lines", figure, "1.2")


def _hub() -> None:
    with _deployment(logs.v04_success(), (0, 0)) as world:

        def timed(fault: Fault | None) -> float:
            world.hub.fault = fault
            return _run([str(DOCTOR)], env=world.shell(), cwd=world.folder)

        a, b, _ = _in_turn(lambda: timed(Fault("slow", seconds=1)), lambda: timed(None), 5)
    _print("a Hub that takes 1 s for every answer, beside a fast one", f"{a - b:+.2f} s ({a:.2f} s / {b:.2f} s)", "+1 s a step")


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed doctor is compiled: the round that is not counted does it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was made is taken away then too
    main()
