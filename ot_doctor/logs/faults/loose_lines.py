"""What single lines are: the head of a record, an exception, what joins two, the words of a program that is not Python."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

LEVELS = {
    "TRACE": "DEBUG", "DEBUG": "DEBUG", "INFO": "INFO", "NOTICE": "INFO", "NOTE": "INFO", "WARN": "WARNING",
    "WARNING": "WARNING",
    "ERROR": "ERROR", "ERR": "ERROR", "SEVERE": "ERROR", "CRITICAL": "CRITICAL", "CRIT": "CRITICAL", "FATAL": "CRITICAL",
    "PANIC": "CRITICAL", "EMERG": "CRITICAL", "ALERT": "CRITICAL",
}  # fmt: skip
_LEVEL = "TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|PANIC|EMERG|ALERT"
_STAMP = re.compile(
    r"[\[(]?(?:\d{4}[-/.]\d\d[-/.]\d\d|\d\d[-/.]\d\d[-/.]\d{2,4}"
    r"|\d{1,2} [A-Z][a-z]{2} \d{4})[T ,]{1,2}\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?"
    r"(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?[\])]?|[\[(]?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?[\])]? |I?\d{4} \d\d:\d\d:\d\d"
)
_AFTER_STAMP = re.compile(rf"[^\n]{{0,90}}?(?:^|[\s\[|:/(-])(?P<level>{_LEVEL})(?=$|[\s\]"
    rf"|:/,)-])(?:/[\w-]{{1,60}})?\]?\)?[:\s|-]{{0,6}}", re.IGNORECASE)
_FIRST = re.compile(rf"\[?(?P<level>{_LEVEL})(?:\]|:|\[\d{{1,6}}\]|\||/[\w-]{{1,60}}\]|(?= ))(?:[^\]\s]{{0,60}}\] )?[ :|-]*")
_LOGFMT = re.compile(
    r'\blevel="?(?P<level>[A-Za-z]{3,8})"? (?:\S{1,80} )?(?:msg|message)='
    r'(?:"(?P<msg>(?:[^"\\]|\\.){0,4000})"?|(?P<bare>[^\n]{0,4000}))'
)
_LOGGER = re.compile(r"^(?:\[[\w.:|-]{1,80}\] |[A-Za-z_][\w.]{2,60}(?::\d{1,5})?(?: - |: ?(?=\S)|:(?=\S)))")
TRACEBACK = "Traceback (most recent call last)"
CONNECTORS = (
    ("The above exception was the direct cause of", "cause"), ("During handling of the above exception", "context"),
    ("The exception above was the direct cause", "cause"),
)  # fmt: skip
_NAMED = r"(?:[A-Za-z_]\w{0,60}\.){0,8}[A-Za-z_]\w{0,80}"
_EXCEPTION = re.compile(
    r"^(?P<name>(?:[A-Za-z_]\w{0,60}\.){0,8}"
    r"(?:[A-Z]\w{0,80}?(?:Error|Exception|Exceeded|Timeout|TimedOut|Disconnected|IsEnabled|Failed|Failure|Interrupt|Exit|Warning"
    r"|Lost|NotFound|IncompleteRead|Denied|Unavailable|Group|Empty|Cancelled)|gaierror|error|herror|[tT]imeout|Exception)"
    r"|(?:[A-Za-z_]\w{0,60}\.){1,6}(?:exceptions|errors)\.[A-Z]\w{0,80})"
    r"(?::(?: (?P<message>.*))?$|$)"
)
_AFTER_TRACEBACK = re.compile(rf"^(?P<name>{_NAMED})(?::(?: (?P<message>.*))?$|$)")
FRAME = re.compile(r'^\s*File "(?P<path>[^"\n]{1,500})", line (?P<line>\d{1,7})(?:, in (?P<function>[^\n]{1,200}))?')
GROUP = re.compile(r"^\s*(?:\+[-+ ]*(?:\d{1,3}|\.\.\.)? ?-*\s*$|[+|] ?)")  # what Python draws beside a group of exceptions

_NATIVE = (  # kind, and what a line looks like that tells an error without Python's help
    ("rust", r"\bthread '[^'\n]{0,80}'(?: \(\d+\))? panicked at |^Caused by:$"),
    ("go", r"^panic: |^fatal error: |\bdial tcp:? |^goroutine \d+ \["),
    ("c++", r"\bterminate called (?:after throwing|without an active)|^\s*what\(\):|^libc\+\+abi: |\bstd::(?:bad_alloc"
        r"|runtime_error)\b|^double free|^free\(\): |^munmap_chunk|^malloc\(\)|^corrupted (?:size|double)"),
    ("kernel", r"\bOut of memory: Kill|\boom[-_]kill|\boom_reaper: |\bMemory cgroup out of memory|\bsegfault at [0-9a-f]"
        r"|\btrap invalid opcode|\binvoked oom-killer|\bNVRM: Xid"),
    ("engine", r"\bError response from daemon: |\bfailed to create (?:task|shim)|\bOCI runtime |\bnvidia-container-cli: "
        r"|\bExited \([1-9]|\bDocker (?:daemon|API) socket|\bexecutable file not found"
        r"|\bunresolvable CDI|^Cannot connect to the Docker daemon|^failed to solve: |^failed to read |^env file "
        r"|^error while interpolating |^yaml: (?:line \d+|unmarshal)|^(?:service"
        r"|network|volume) \"[^\"\n]{1,80}\" (?:has|refers|depends)|\bdependency failed to start|^validating [^\n]{1,200}: "
        r"|^(?:ERROR|failed)[: ]+(?:load|solve)|\bException Code: 0x"),
    ("supervisor", r"\bexited: \S+ \((?:terminated by SIG|exit status)|\bcode=(?:killed|dumped|exited), (?:signal|status)="
        r"|\bFailed with result '|\bMain process exited|\bexited with code [1-9-]|\bentered FATAL state"
        r"|\bgave up: \S+ entered"),
    ("celery", r"\bexited with 'signal |\bWorkerLostError\b|\bTimeLimitExceeded\b|\bTimed out waiting for UP message"
        r"|\bWorker exited prematurely|\b(?:Hard|Soft) time limit \(|\bCannot connect to (?:redis|rediss|amqp|amqps|sentinel)"
        r"|\bWorker \(pid:\d+\) was sent SIG"),
    ("shell", r"(?:^|: |\d {1,6})(?:Killed|Illegal instruction|Segmentation fault|Bus error|Aborted"
        r"|Floating point exception)(?: {2,}| \(core dumped\)|$)|: command not found$|: not found$|\bFatal Python error: "
        r"|\b(?:core dumped)\b|\bexit(?:ed)?(?: with)?(?: non-zero)?(?: exit)? (?:code|status):? ?-?[1-9]"
        r"|\breturned non-zero exit status|\bdied with <Signals"),
)  # fmt: skip
_NATIVE_WORDS = (  # one of them is in whatever a pattern of _NATIVE finds
    "panicked", "Caused by:", "panic: ", "fatal error: ", "dial tcp", "goroutine", "terminate called", "what()", "libc++abi",
    "std::", "free", "munmap", "malloc", "corrupted", "ut of memory", "oom", "segfault", "opcode", "NVRM", "Error response",
    "ailed to ", "OCI ", "nvidia-container", "Docker daemon socket", "Docker API socket", "executable file", "unresolvable",
    "Cannot connect", "env file", "interpolating", "yaml: ", "service ", "network ", "volume ",
    "dependency", "validating ", "solve", "load ",
    "Exception Code", "xited", "code=", "Failed with", "Main process", "FATAL", "gave up", "WorkerLost", "TimeLimit",
    "imed out", "prematurely", "time limit", "was sent SIG", "Killed", "Illegal", "Segmentation", "Bus error", "Aborted",
    "Floating", "not found", "Fatal Python", "core dumped", "exit", "non-zero", "died with",
)  # fmt: skip
NATIVE = [(kind, re.compile(pattern, re.MULTILINE)) for kind, pattern in _NATIVE]
STRONG = re.compile(
    r"(?:^|[\s>])[\w.]{0,80}(?:Error|Exception)(?:\[\w{1,20}\])?: |^\W{0,3}Error (?:while|in|during|loading|opening|reading) "
    r"|\b(?:ERROR|FATAL|CRITICAL)\b|\bpanicked at\b|^(?:error|[Ff]atal|fatal error|Error|Exception): ?|^curl: \(\d|!!! Exception"
    r"|\b[Cc]ould ?(?:not|n't) (?:load|start|open) |\bUnable to load any of\b|\b(?:failed|failed to \w+)(?: [^:\n]{0,120})?: "
    r"|\bFailed to (?:process|load|start|download|transcribe|diarize|initiali[sz]e)\b"
)
_HARMLESS_COUNT = re.compile(
    r"\b(?:0|no|without(?: any)?) (?:errors?|failures?)\b|\berrors?[=: ]{1,2}0\b|\bfailed[=: ]{1,2}0\b", re.IGNORECASE
)
_SAID = ("message", "msg", "event", "error", "err", "exc_info", "exception", "stack")  # keys of a record in JSON


@dataclass(frozen=True)
class LooseHead:
    """The beginning of a record: its level, empty where none is told, and what it says."""

    level: str
    message: str


def head(line: str) -> LooseHead | None:
    """The record's head, in any common format; ``None`` for a line that begins no record."""
    if line.startswith("{") and (found := _json(line)) is not None:
        return found
    stamp = _STAMP.match(line)
    if stamp is not None:
        match = _AFTER_STAMP.match(line, stamp.end(), stamp.end() + 130)
        if match is not None and match["level"].upper() in LEVELS:
            return LooseHead(LEVELS[match["level"].upper()], _without_logger(line[match.end() :]))
        return LooseHead("", line[stamp.end() :].lstrip(" -|:>"))
    match = _FIRST.match(line)
    if match is not None and match["level"].isupper():
        rest = line[match.end() :]
        again = _STAMP.match(rest)
        return LooseHead(LEVELS[match["level"]], _without_logger(rest[again.end() :].lstrip(" ->|:") if again else rest))
    match = _LOGFMT.search(line, 0, 6_000) if "level=" in line else None
    if match is not None and match["level"].upper() in LEVELS:
        said = match["msg"] or match["bare"] or ""
        return LooseHead(LEVELS[match["level"].upper()], said.replace('\\"', '"').replace("\\n", "\n"))
    return None


def _without_logger(message: str) -> str:
    match = _LOGGER.match(message)
    if match is None or _EXCEPTION.match(message):
        return message
    return message[match.end() :]


def _json(line: str) -> LooseHead | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    fields = entry.get("fields")
    inner = fields if isinstance(fields, dict) else {}
    said = [entry.get(key) or inner.get(key) for key in _SAID]
    level = str(entry.get("level") or entry.get("levelname") or entry.get("severity") or "").upper()
    return LooseHead(LEVELS.get(level, ""), "\n".join(str(text) for text in said if text))


@dataclass(frozen=True)
class Named:
    """An exception's line."""

    module: str
    type: str
    message: str


def exception(line: str, *, after_traceback: bool = False) -> Named | None:
    """The exception that a line names by itself, as the last line of a traceback does."""
    match = _EXCEPTION.match(line) or (_AFTER_TRACEBACK.match(line) if after_traceback else None)
    if match is None:
        return None
    module, _, name = match["name"].rpartition(".")
    return Named(module, name, match["message"] or "")


def connector(line: str) -> str:
    """How the error that follows hangs together with the one before; empty where the line does not say."""
    return next((link for text, link in CONNECTORS if text in line), "")


def native(text: str) -> str:
    """Which kind of program tells an error there; empty for none."""
    if not any(word in text for word in _NATIVE_WORDS):
        return ""
    return next((kind for kind, pattern in NATIVE if pattern.search(text)), "")


def strong(text: str) -> bool:
    """Whether a text without a level says by its shape that something failed."""
    return bool(STRONG.search(text)) and not _HARMLESS_COUNT.search(text)
