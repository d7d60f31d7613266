"""Rewordings of a log: those that must not change what is said of it, and those that must."""

from __future__ import annotations

import json
import random
import re
import textwrap
from collections.abc import Callable

Mutation = Callable[[str], str]

_HEALTHY = (
    "[2026-11-21 01:37:29,112: INFO/MainProcess] TIMING: audio loaded in 0.412s",
    "[2026-11-21 01:37:28,804: INFO/MainProcess] Task transcription.cpu[5d1c2b8e-0000-4000-8000-000000000001] received",
)
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_SENTENCES = (
    "The nightly job said this before it stopped:",
    "Output of the second attempt, as our operator copied it.",
    "See below what happened.",
)


def other_names(text: str) -> str:
    """Other users, folders, ids and machines."""
    text = re.sub(r"/home/(?:app|worker|appuser)\b", "/home/transcriber", text)
    text = re.sub(r"/(?:srv|opt/env|usr/local)/lib(?=/python)", "/opt/conda/lib", text)
    text = re.sub(r"C:\\app\\project", r"D:\\Programme\\ot", text)
    text = re.sub(r"(?<=@)[0-9a-f]{12}\b", "worker-7.cluster.local", text)
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}(?:-[0-9a-f]{4,12}){2}\b", "7e0b41c2-19aa-4d11-9c55-d0e7a1b2c3d4", text)
    return re.sub(r"\bpid:\d+|\bJob: \d+", lambda match: re.sub(r"\d+", "90210", match[0]), text)


def other_lines_of_code(text: str) -> str:
    """Other versions of the libraries and of Python: the frames stand in other lines."""
    text = re.sub(r'(?<=", line )\d+', lambda match: str(int(match[0]) + 137), text)
    return re.sub(r"python3\.\d+", "python3.13", text)


def other_times(text: str) -> str:
    """Other days and hours; where a zone is told, another one."""
    text = re.sub(r"(?<=:\d\d)(?P<part>\.\d{1,9})?(?:Z|\+00:00)(?=[ \"])", lambda match: (match["part"] or "") + "+05:30", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\d(?=[T ]\d\d:)", "2027-02-03", text)
    return re.sub(r"(?<=[T ])\d\d:(?=\d\d:\d\d)", "23:", text)


def compose(text: str) -> str:
    """As ``docker compose logs`` shows it; what Compose says itself keeps its place."""
    own = re.compile(r"\S+ exited with code |Error response from daemon|Gracefully stopping|\S+  \| ")
    return "".join(line if own.match(line) else f"celery-worker-1  | {line}" for line in text.splitlines(keepends=True))


def two_containers(text: str) -> str:
    """As ``docker compose logs`` shows two containers, with 1,000 lines of the healthy one in between."""
    if re.search(r"^\S+ +\| ", text, re.MULTILINE):
        return text
    healthy = [f"backend-1        | 2026-11-28 15:05:45,499 INFO:app.main:request {number} done\n" for number in range(1_000)]
    lines = [f"celery-worker-1  | {line}\n" for line in text.splitlines()]
    for nth in reversed(range(len(lines))):
        lines[nth:nth] = healthy[nth * 1_000 // len(lines) : (nth + 1) * 1_000 // len(lines)]
    return "".join(lines)


def docker_stamps(text: str) -> str:
    """As ``docker logs -t`` shows it."""
    return "".join(f"2026-11-28T15:05:45.{number:09d}Z {line}" for number, line in enumerate(text.splitlines(keepends=True)))


def journald(text: str) -> str:
    return "".join(f"Nov 28 15:05:45 gpu-host docker-worker[4711]: {line}" for line in text.splitlines(keepends=True))


def syslog(text: str) -> str:
    return "".join(f"2026-11-28T15:05:45.123456+01:00 gpu-host worker[88]: {line}" for line in text.splitlines(keepends=True))


def terminal_80(text: str) -> str:
    """Copied out of a terminal that is 80 columns wide."""
    lines = _COLOUR.sub("", text).splitlines()
    return "".join(line[at : at + 80] + "\n" for line in lines for at in range(0, max(len(line), 1), 80))


def folded_80(text: str) -> str:
    """Broken at words, as a mail program does."""
    return "\n".join("\n".join(textwrap.wrap(line, 80)) if len(line) > 80 else line for line in text.splitlines())


def ansi(text: str) -> str:
    return "".join(f"\x1b[31m{line.rstrip()}\x1b[0m\n" for line in text.splitlines())


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def sentence_around(text: str) -> str:
    chosen = random.Random(len(text)).choice(_SENTENCES)
    return f"{chosen}\n\n{text}\nThat is all there is.\n"


def healthy_before(text: str) -> str:
    return "\n".join(_HEALTHY * 150) + "\n" + text


def healthy_between(text: str) -> str:
    """With 1,000 healthy lines of the worker between its records."""
    lines = text.splitlines(keepends=True)
    if text.startswith("{"):
        return text
    begins = [nth for nth, line in enumerate(lines) if re.match(r"\[20\d\d-", line)][1:]
    healthy = "\n".join(_HEALTHY * (500 // max(1, len(begins)))) + "\n"
    for nth in reversed(begins):
        lines.insert(nth, healthy)
    return "".join(lines)


def cut_front(text: str) -> str:
    """Without the first line, where more than three are left and the first is a frame or a traceback's head."""
    lines = text.splitlines(keepends=True)
    while len(lines) > 3 and (lines[0].startswith(("Traceback", '  File "', "    ")) or "INFO" in lines[0]):
        del lines[0]
    return "".join(lines)


def engine_json(text: str) -> str:
    """As the engine stores it."""
    entries = ({"log": line + "\n", "stream": "stderr", "time": "2026-11-28T15:05:45.1Z"} for line in text.splitlines())
    return "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)


_SWAPS: tuple[tuple[str, str, str, frozenset[str], frozenset[str]], ...] = (  # name, what, by what, of which causes, to which
    ("errno 13 to 28", r"(?:\[Errno 13\] )Permission denied", "[Errno 28] No space left on device",
     frozenset({"cache-permission", "scratch-permission"}), frozenset({"disk-full"})),
    ("os error 13 to 28", r"Permission denied \(os error 13\)", "No space left on device (os error 28)",
     frozenset({"cache-permission"}), frozenset({"disk-full"})),
    ("errno 28 to 30", r"\[Errno 28\] No space left on device", "[Errno 30] Read-only file system",
     frozenset({"disk-full"}), frozenset({"cache-readonly", "scratch-permission"})),
    ("status 503 to 429", r"Server error '503 Service Unavailable'", "Client error '429 Too Many Requests'",
     frozenset({"hub-unavailable"}), frozenset({"rate-limited"})),
    ("status 503 to 429, requests", r"503 Server Error: Service Unavailable", "429 Client Error: Too Many Requests",
     frozenset({"hub-unavailable"}), frozenset({"rate-limited"})),
    ("SIGKILL to SIGSEGV", r"signal 9 \(SIGKILL\)", "signal 11 (SIGSEGV)",
     frozenset({"out-of-memory"}), frozenset({"worker-crashed"})),
    ("SIGSEGV to SIGKILL", r"signal 11 \(SIGSEGV\)", "signal 9 (SIGKILL)",
     frozenset({"worker-crashed"}), frozenset({"out-of-memory"})),
)  # fmt: skip


_NUMBER = re.compile(r"HTTP/1\.1 503 Service Unavailable|\bStatus/503\b|Retry\(.{0,80}503")


def swapped(text: str, cause: str) -> list[tuple[str, str, frozenset[str]]]:
    """Each number that may be another one there: its name, the log with the other, and the causes that are right then."""
    return [
        (name, _NUMBER.sub(lambda match: match[0].replace("503", "429"), re.sub(old, new, text)), right)
        for name, old, new, causes, right in _SWAPS
        if cause in causes and re.search(old, text) and "Not enough free disk space" not in text  # which the client counted
    ]


KEEP: tuple[Mutation, ...] = (
    other_names, other_lines_of_code, other_times, compose, two_containers, docker_stamps, journald, syslog, terminal_80,
    folded_80, ansi, crlf, sentence_around, healthy_before, healthy_between,
    cut_front, engine_json,
)  # fmt: skip
