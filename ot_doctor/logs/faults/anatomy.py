"""Takes the errors of a log apart: which lines tell one, what belongs to it, and the chain that it is."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from ot_doctor.logs.faults import loose_lines as shapes
from ot_doctor.logs.faults.fault import Fault, Frame, Raised
from ot_doctor.logs.faults.harmless import region_end
from ot_doctor.logs.faults.loose_lines import FRAME, GROUP, TRACEBACK
from ot_doctor.logs.faults.unwrapping import pieces
from ot_doctor.logs.multisearch import ManyWords

# A line that tells of an error holds one of these. Healthy lines rarely do.
_SIGNS = (
    "rror", "ouldn't ", "ERR", "xception", "Traceback", "raceback (most", "FATAL", "Fatal", "fatal", "CRITICAL", "panic",
    "SIG", "signal ", "Killed", "killed", "OOM", "oom-", "oom_", "Illegal", "egmentation f", "segfault", "core dumped",
    "xited", "NVRM", "NotRegistered", "curl: (", "exit code", "exit status", "non-zero", "terminate called", "enied",
    "refused", "imed out", "imeout", "ailed", "annot ", "ould not", "nable to", "o module named", "o such ", "not found",
    "Not Found", "unexpected keyword", "has no attribute", "out of memory", "Out of memory", "CUDA", "cuda>", "CUDNN",
    "CUBLAS", "libcud", "os error", "o space left", "ead-only", "quota", "Caused by", "restricted", "gated", "credentials",
    "authenticated", "Too Many", "rate limit", "offline", "has been disabled", "certificate", "nvalid", "corrupt", "oo many",
    "xceeded", "not compatible", "nsupported", "ot supported", "compiled with", "undefined symbol", "GLIBC", "unresolvable",
    "expired", "broken", "reset by", "unreachable", "Unreachable", "RESOURCE", "waiting for UP", "torchcodec", "PTX",
    "resolve host", "Aborted", "abort", "what()", "too large", "retrying", "Got: ", "is required", "avx", "AVX", "OSError",
    "gaierror", "IncompleteRead", "disconnected", "unavailable", "awaiting", "does not have", "insufficient", "moov atom",
    "Forbidden", "forbidden", "Unauthorized", "missing", "no longer", "FutureWarning", "mismatch", "unable", "yaml: ",
    "interpolating",
)  # fmt: skip
_FINDER = ManyWords(sign.encode() for sign in _SIGNS)
_HEAD = 60  # characters in which a record tells its level
_MOST_LINES = 40  # of one message
_MOST_CHARACTERS = 6_000
_MOST_FRAMES = 3
_DEEPEST = 4
_PARAGRAPHS = re.compile(  # messages that go on after an empty line
    r"Client Error|Server Error|Client error|Repository Not Found|gated repo|Revision Not Found"
    r"|Entry Not Found|for url|HfHubHTTPError|Weights only load failed")
_WARNING = re.compile(r"\b(?:User|Future|Deprecation|Runtime|Resource|Import|PendingDeprecation|Syntax|InsecureRequest"
    r"|DependencyWarning)?Warning: ")
_INNER = re.compile(r"\s+\S|Caused by:")
_BOUNDARY = re.compile(r"^\s*(?:\[(?:start|end) of |note: run with `RUST_BACKTRACE)")


def candidates(text: str, *, quiet: bool = False) -> list[Fault]:
    """Each place in a log that may tell an error, in order,
    container by container; of records at INFO and DEBUG only if ``quiet``."""
    return [fault for service, lines in pieces(text) for fault in _Reader(lines, service, quiet).faults()]


class _Reader:
    """Goes through the lines of one container."""

    def __init__(self, lines: list[str], service: str, quiet: bool = True, depth: int = 0) -> None:
        self.lines = lines
        self.depth = depth  # in how many records in JSON, or groups of exceptions, the lines stand
        self.service = service
        self.hits = self._hits(quiet)
        self.telling = frozenset(self.hits)

    def faults(self) -> list[Fault]:
        found: list[Fault] = []
        done = 0
        for at in self.hits:
            if at < done:
                continue
            end = region_end(self.lines, at)
            if end is not None:
                done = end
                continue
            fault, done = self._fault(at, done)
            if fault is not None:
                found.append(fault)
        return found

    def _hits(self, quiet: bool) -> list[int]:
        """The lines that hold a sign. Nearly all of a healthy log is at INFO, and left out without a search."""
        numbers: Sequence[int] = range(len(self.lines))
        told = self.lines
        if not quiet:
            numbers = [at for at, line in enumerate(told) if not ("INFO" in line[:_HEAD] or "DEBUG" in line[:_HEAD])]
            told = [told[at] for at in numbers]
        starts = list(itertools.accumulate((len(line) + 1 for line in told), initial=0))
        data = "\n".join(told).encode("ascii", "replace")
        return [numbers[bisect.bisect_right(starts, place) - 1] for place in _FINDER.places(data)]

    def _fault(self, at: int, done: int) -> tuple[Fault | None, int]:
        """The fault that the line begins, if it does, and where to go on."""
        line = self.lines[at]
        if line.startswith("{") and shapes.head(line) is not None:  # a record in JSON, with its traceback inside
            return self._told(at, done)
        if TRACEBACK in line:
            if self.depth < _DEEPEST and line.lstrip().startswith(("+ Exception Group", "| Exception Group", "Exception Group")):
                return self._group(at)
            return self._python(at, at)
        if FRAME.match(line) or (line[:1] in " \t" and at and FRAME.match(self.lines[at - 1])):
            return self._python(self._body_end(at), at)
        named = shapes.exception(line)
        if named is not None and not named.type.endswith("Warning"):
            return self._python(at, at)
        return self._told(at, done)

    # Python

    def _python(self, at: int, first: int, said: str = "") -> tuple[Fault | None, int]:
        """A chain of exceptions that begins at a line: a traceback's first, or an exception's where the log begins in one.

        ``said`` is what the record says above the traceback, ``first`` where it begins.
        """
        chain: list[Raised] = []
        link, begin, level, count = "", at, "", len(self.lines)
        head = shapes.head(self.lines[first])
        level = head.level if head else ""
        last = self.lines[min(at, count - 1)]
        while at < count:
            if TRACEBACK in self.lines[at]:
                begin, at = at + 1, self._body_end(at + 1)
            frames = self._frames(max(begin, at - 12), at) if at > begin else self._frames(max(0, at - 12), at)
            named = shapes.exception(self.lines[at], after_traceback=at > begin) if at < count else None
            if named is None:
                if not chain or frames:
                    chain.append(Raised("", "", "", frames, link))
                break
            end = self._message_end(at, named.message)
            last = self.lines[at]
            message = " ".join(" ".join([named.message, *self.lines[at + 1 : end]]).split())[:_MOST_CHARACTERS]
            chain.append(Raised(named.type, named.module, message, frames, link))
            at = begin = end
            following = self._skip_blank(at)
            link = shapes.connector(self.lines[following]) if following < count else ""
            if not link:
                break
            at = self._skip_blank(following + 1)
            if at >= count or not (TRACEBACK in self.lines[at] or shapes.exception(self.lines[at])):
                break
            begin = at
        if said:
            chain.append(Raised("", "", " ".join(said.split())[:_MOST_CHARACTERS], link="record"))
        end = max(at, first + 1)
        return Fault("python", tuple(chain), (first + 1, end), level, self.service, last.strip()), end

    def _body_end(self, at: int) -> int:
        """The first line after the frames of a traceback."""
        while at < len(self.lines):
            line = self.lines[at]
            if line[:1] not in " \t" or TRACEBACK in line:
                if FRAME.match(line):
                    at += 1
                    continue
                broken = line and not shapes.exception(line, after_traceback=True) and not shapes.head(line)
                if not broken or not any(later[:2] == "  " for later in self.lines[at + 1 : at + 4]):
                    return at
            at += 1
        return at

    def _frames(self, begin: int, end: int) -> tuple[Frame, ...]:
        """The innermost frames right above a line."""
        found: list[Frame] = []
        for line in reversed(self.lines[begin:end]):
            match = FRAME.match(line)
            if match is not None:
                found.append(Frame(match["path"], int(match["line"]), match["function"] or ""))
                if len(found) == _MOST_FRAMES:
                    break
            elif line[:1] not in " \t" or TRACEBACK in line:
                break
        return tuple(reversed(found))

    def _message_end(self, at: int, message: str) -> int:
        """Where the message of an exception ends, or what else a record says."""
        long = bool(_PARAGRAPHS.search(message))
        end = at + 1
        limit = min(len(self.lines), at + _MOST_LINES)
        while end < limit:
            line = self.lines[end]
            if not line.strip():
                following = self._skip_blank(end)
                goes_on = following < limit and not shapes.connector(self.lines[following])
                if not goes_on or not long or self._begins(following):
                    return end
                end = following
                continue
            if self._begins(end):
                return end
            long = long or bool(_PARAGRAPHS.search(line))
            end += 1
        return end

    def _begins(self, at: int) -> bool:
        """Whether a line begins something of its own."""
        line = self.lines[at]
        if TRACEBACK in line or shapes.connector(line) or _BOUNDARY.match(line) or shapes.head(line) is not None:
            return True
        return at in self.telling and (shapes.exception(line) is not None or bool(shapes.native(line)))

    def _skip_blank(self, at: int) -> int:
        while at < len(self.lines) and not self.lines[at].strip():
            at += 1
        return at

    def _group(self, at: int) -> tuple[Fault | None, int]:
        """Python's group of exceptions: those inside it come first in the chain."""
        end = at + 1
        while end < len(self.lines) and (GROUP.match(self.lines[end]) or not self.lines[end].strip()):
            end += 1
        inner = [GROUP.sub("", line) if GROUP.match(line) else line for line in self.lines[at:end]]
        inner[0] = inner[0].replace("Exception Group ", "")
        parts = [fault for fault in _Reader(inner, self.service, depth=self.depth + 1).faults() if fault.kind == "python"]
        if not parts:
            return None, end
        header, *leaves = [raised for fault in parts for raised in fault.chain]
        chain = [Raised(leaf.type, leaf.module, leaf.message, leaf.frames, "group") for leaf in leaves]
        return Fault("python", (*chain, header), (at + 1, end), "", self.service, parts[-1].last_line), end

    # Everything else

    def _told(self, at: int, done: int) -> tuple[Fault | None, int]:
        """What a line says that is no part of a traceback."""
        line = self.lines[at]
        head = shapes.head(line)
        message = head.message if head else line
        level = head.level if head else ""
        if TRACEBACK in message and self.depth < _DEEPEST:  # a record in one line: the traceback is in the JSON
            inner = _Reader(message.split("\n"), self.service, depth=self.depth + 1).faults()
            if inner:
                one = inner[-1]
                return Fault(one.kind, one.chain, (at + 1, at + 1), level, self.service, one.last_line), at + 1
        if not level and _WARNING.search(line):
            level = "WARNING"
        if head is not None and at + 1 < len(self.lines) and self.lines[at + 1].startswith(TRACEBACK):
            return self._python(at + 1, at, message)
        kind = "rust" if self._has_causes(at, message) else shapes.native(message)
        end = self._end_of(at, message, kind, bool(head))
        if head is not None and end < len(self.lines) and self.lines[end].startswith(TRACEBACK):
            return self._python(end, at, " ".join([message, *self.lines[at + 1 : end]]))
        begin = at
        if kind == "c++" and "what()" in line and at > done and "terminate called" in self.lines[at - 1]:
            begin = at - 1
        whole = [*self.lines[begin:at], message, *self.lines[at + 1 : end]]
        if kind == "rust":
            chain = _rust(whole, self.lines[self._skip_back(at)] if message.startswith("Caused by:") else "")
        else:
            named = shapes.exception(message.split("\n")[0]) if head else None
            text = " ".join(" ".join(whole).split())[:_MOST_CHARACTERS]
            if named is not None and not named.type.endswith("Warning"):
                chain = (Raised(named.type, named.module, text.partition(":")[2].strip()),)
            else:
                chain = (Raised("", "", text),)
        kind = kind or ("record" if level in ("ERROR", "CRITICAL") else "line")
        return Fault(kind, chain, (begin + 1, end), level, self.service, line.strip()), end

    def _has_causes(self, at: int, message: str) -> bool:
        """Whether a line is the first of an error as Rust's programs print it."""
        following = self._skip_blank(at + 1)
        return message.startswith("Error: ") and following < len(self.lines) and self.lines[following].startswith("Caused by:")

    def _skip_back(self, at: int) -> int:
        at -= 1
        while at > 0 and not self.lines[at].strip():
            at -= 1
        return max(at, 0)

    def _end_of(self, at: int, message: str, kind: str, headed: bool) -> int:
        """Where what a line begins to tell ends."""
        if kind in ("rust", "go", "c++"):
            return self._block_end(at)
        if kind == "engine" or _PARAGRAPHS.search(message):
            return self._message_end(at, message)
        end = at + 1
        limit = min(len(self.lines), at + (_MOST_LINES if headed else 4))
        while end < limit and self.lines[end].strip() and not self._begins(end):
            if self.lines[end][:1] not in " \t" and not self.lines[end][:1].islower():
                break
            end += 1
        return end

    def _block_end(self, at: int) -> int:
        """The end of what Rust, Go or C++ print: indented lines and ``Caused by:`` belong to it, over empty lines too."""
        end = at + 1
        limit = min(len(self.lines), at + _MOST_LINES)
        while end < limit:
            line = self.lines[end]
            following = self._skip_blank(end)
            if not line.strip():
                if following >= limit or not _INNER.match(self.lines[following]):
                    return end
                end = following
            elif TRACEBACK in line or shapes.head(line) or _BOUNDARY.match(line) or (end > at + 1 and not _INNER.match(line)):
                return end
            else:
                end += 1
        return end


def _rust(lines: list[str], above: str) -> tuple[Raised, ...]:
    """Rust's chain: the last of what stands under ``Caused by:`` is where it began."""
    said = [line.strip() for line in lines if line.strip()]
    told = [above.strip()] if above else []
    causes: list[str] = []
    target = told
    for line in said:
        if line.startswith("Caused by:"):
            target = causes
            line = line.removeprefix("Caused by:").strip()
        if line:
            target.append(re.sub(r"^\d{1,2}: ", "", line))
    outer = Raised("", "", " ".join(told)[:_MOST_CHARACTERS], link="cause" if causes else "")
    inner = [Raised("", "", cause[:_MOST_CHARACTERS], link="cause") for cause in reversed(causes)]
    inner[:1] = [replace(inner[0], link="")] if inner else []
    return (*inner, outer) if told else tuple(inner)
