"""The other two readers of a ``.env``: python-dotenv, and bash as ``opentr.sh`` sources it.

Nothing of the file is ever run. ``bash_reading`` knows bash's rules for assignments, and says of everything else only that
bash would take it for something else.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ot_doctor.evidence.env_file import Reader, ReaderDifference
from ot_doctor.sources.dotenv.compose_dialect import Assignment
from ot_doctor.sources.dotenv.line_lint import matters, shown_key

_KEEPS_LINE_END = "keeps the carriage return at the end of the value"
_RUNS_LINE_END = "takes the carriage return at the end of the line for a command"
_LARGEST = 128 * 1024  # larger files are no .env that anybody sources
_ASSIGNING = ("export", "declare", "readonly", "local")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PLAIN = re.compile(r"[^ \t\n'\"`$\\;&|<>()~]+")
_PLAIN_IN_QUOTES = re.compile(r'[^"\\`$]+')


def differences(data: bytes, effective: Mapping[str, Assignment], environ: Mapping[str, str]) -> tuple[ReaderDifference, ...]:
    """The lines of variables that matter and that another reader takes differently than Compose.

    ``effective`` has each key's assignment that counts for Compose.
    """
    if len(data) > _LARGEST:
        return ()
    ours = [a for a in effective.values() if a.value is not None and matters(a.key)]
    found = [*_python_differences(data, ours), *_bash_differences(data, ours, environ)]
    return tuple(sorted(found, key=lambda d: (d.line, d.reader.value)))


def _python_differences(data: bytes, ours: Sequence[Assignment]) -> Iterator[ReaderDifference]:
    from dotenv.parser import parse_stream  # what ``dotenv_values`` reads with, and without its log lines

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield ReaderDifference(line, "", Reader.PYTHON, "cannot read the file: this line is not UTF-8")
        return
    theirs = {b.key: b.value for b in parse_stream(io.StringIO(text, newline=None)) if b.key is not None}
    for assignment in ours:
        value = theirs.get(assignment.key)
        if value is None:
            yield ReaderDifference(assignment.line, shown_key(assignment.key), Reader.PYTHON, "does not see the value")
        elif value != assignment.value and "${" not in value:  # it expands ${…} later on, as Compose does
            what = "leaves the '$' as it is" if "$" in value else _contrast(value, assignment.value or "")
            yield ReaderDifference(assignment.line, shown_key(assignment.key), Reader.PYTHON, what)


def _bash_differences(data: bytes, ours: Sequence[Assignment], environ: Mapping[str, str]) -> Iterator[ReaderDifference]:
    bash = bash_reading(data.decode("utf-8", "replace"), environ)
    if bash.stopped:
        line, what = bash.stopped
        here = next((a.key for a in ours if a.line == line), "")
        yield ReaderDifference(line, shown_key(here), Reader.BASH, f"{what}, and reads nothing from this line on")
    for assignment in ours:
        if bash.stopped and assignment.line >= bash.stopped[0]:
            continue
        what = _bash_takes(assignment, bash, environ)
        if what:
            of_line_end = what in (_KEEPS_LINE_END, _RUNS_LINE_END)
            yield ReaderDifference(assignment.line, shown_key(assignment.key), Reader.BASH, what, of_line_end)


def _bash_takes(assignment: Assignment, bash: BashReading, environ: Mapping[str, str]) -> str:
    """How bash takes a line differently, or nothing."""
    key = assignment.key
    value = None if key in bash.unknown else bash.values.get(key, environ.get(key))
    if value is not None and value == assignment.value:
        return ""
    if assignment.line in bash.lost:
        return bash.lost[assignment.line]
    if key in bash.unknown:
        return bash.unknown[key]
    return "does not see the value" if value is None else _contrast(value, assignment.value or "")


def _contrast(theirs: str, composes: str) -> str:
    if theirs.endswith("\r") and theirs.rstrip("\r") == composes:
        return _KEEPS_LINE_END
    if not theirs:
        return "reads an empty value"
    if composes.startswith(theirs) and "#" in composes[len(theirs) :]:
        return "leaves the comment out"
    return "reads another value"


@dataclass
class BashReading:
    """What ``set -a; source FILE`` would leave in the shell."""

    values: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)  # a value that only a real bash can tell; why it differs, or ""
    lost: dict[int, str] = field(default_factory=dict)  # the line of a command whose assignments do not stay, and why
    stopped: tuple[int, str] | None = None  # bash gives up on this line


class _GivesUp(Exception):
    """Bash finds no end, or a syntax error."""


@dataclass
class _Word:
    text: str = ""
    unknown: str | None = None  # why its text is not known; "" where bash and Compose may well agree


def bash_reading(text: str, environ: Mapping[str, str]) -> BashReading:
    """Bash's view of a file; ``environ`` is the shell that sources it."""
    return _Bash(text, environ).read()


class _Bash:
    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self._text = text.replace("\0", "")
        self._environ = environ
        self._position = 0
        self._found = BashReading()
        self._pending: dict[str, str] = {}  # assigned by the command that is being read

    def read(self) -> BashReading:
        line, counted = 1, 0
        while self._position < len(self._text):
            line += self._text.count("\n", counted, self._position)
            counted = self._position
            try:
                self._command(line)
            except _GivesUp as reason:
                self._found.stopped = (line, str(reason))
                break
        return self._found

    def _command(self, line: int) -> None:
        """One simple command, up to its line end or ``;``."""
        words: list[_Word] = []
        broken = ""
        self._pending.clear()
        while True:
            self._blanks()
            char = self._text[self._position : self._position + 1]
            if char == "#":
                end = self._text.find("\n", self._position)
                self._position = end if end >= 0 else len(self._text)
            elif char in ("", "\n", ";"):
                self._position += 1
                break
            elif char in "()":
                raise _GivesUp(f"takes '{char}' for a syntax error")
            elif char in "<>":
                broken = "takes '<' and '>' for redirections"
                self._redirection()
            elif char in "&|":
                broken = f"takes '{char}' for the end of a command"
                self._position += 1
                break
            else:
                words.append(self._word())
                name, equals, value = words[-1].text.partition("=")
                if equals:
                    self._pending[name] = value
        self._finish(words, broken, line)

    def _finish(self, words: list[_Word], broken: str, line: int) -> None:
        if words and words[0].text in _ASSIGNING:
            words = [word for word in words[1:] if _ASSIGNMENT.match(word.text)]
        command = next((i for i, word in enumerate(words) if not _ASSIGNMENT.match(word.text)), None)
        if not broken and command is not None:
            broken = _why_no_assignment(words, command)
        if broken:
            self._found.lost[line] = broken
            return
        for word in words:
            key, _, value = word.text.partition("=")
            self._found.values.pop(key, None)
            self._found.unknown.pop(key, None)
            if word.unknown is None:
                self._found.values[key] = value
            else:
                self._found.unknown[key] = word.unknown

    def _blanks(self) -> None:
        while self._text[self._position : self._position + 1] in (" ", "\t") or self._text.startswith("\\\n", self._position):
            self._position += 2 if self._text[self._position] == "\\" else 1

    def _redirection(self) -> None:
        while self._text[self._position : self._position + 1] in ("<", ">", "&"):
            self._position += 1
        self._blanks()
        if self._text[self._position : self._position + 1] in ("", "\n", ";", "(", ")", "|", "#"):
            raise _GivesUp("takes '<' or '>' for a redirection to nowhere, which is a syntax error")

    def _word(self) -> _Word:
        word = _Word()
        while True:
            if plain := _PLAIN.match(self._text, self._position):
                word.text += plain[0]
                self._position = plain.end()
            char = self._text[self._position : self._position + 1]
            if char == "~":
                self._tilde(word)
            elif char == "(" and _ASSIGNMENT.fullmatch(word.text):
                self._position = self._end_of(")", self._position + 1)
                word.unknown = "takes '(' for the beginning of a list"
            elif char == "" or char in " \t\n;&|<>()":
                return word
            elif char == "\\":
                escaped = self._text[self._position + 1 : self._position + 2]
                word.text += "" if escaped == "\n" else escaped or "\\"
                self._position += 2
            elif char == "'":
                end = self._end_of("'", self._position + 1)
                word.text += self._text[self._position + 1 : end - 1]
                self._position = end
            elif char == '"':
                self._double_quoted(word)
            else:
                self._expansion(word)

    def _end_of(self, closing: str, start: int) -> int:
        end = self._text.find(closing, start)
        if end < 0:
            raise _GivesUp(f"finds no closing {closing}")
        return end + 1

    def _tilde(self, word: _Word) -> None:
        """A ``~`` at the beginning of the value is the home folder."""
        self._position += 1
        following = self._text[self._position : self._position + 1]
        if not _ASSIGNMENT.fullmatch(word.text) and not word.text.endswith(":"):
            word.text += "~"
        elif following == "" or following in "/: \t\n\r;":
            word.text += self._environ.get("HOME", "~") if following != "\r" else "~"
        else:
            word.unknown = "takes '~' for somebody's home folder"

    def _double_quoted(self, word: _Word) -> None:
        self._position += 1
        while True:
            if plain := _PLAIN_IN_QUOTES.match(self._text, self._position):
                word.text += plain[0]
                self._position = plain.end()
            char = self._text[self._position : self._position + 1]
            if char == "":
                raise _GivesUp('finds no closing "')
            if char == '"':
                self._position += 1
                return
            if char == "\\" and self._text[self._position + 1 : self._position + 2] in ("$", "`", '"', "\\", "\n"):
                word.text += self._text[self._position + 1].replace("\n", "")
                self._position += 2
            elif char in "$`":
                self._expansion(word, quoted=True)
            else:
                word.text += char
                self._position += 1

    def _expansion(self, word: _Word, *, quoted: bool = False) -> None:
        """A ``$`` or a back-tick."""
        start = self._position
        following = self._text[start + 1 : start + 2]
        if self._text[start] == "`":
            self._position = self._end_of("`", start + 1)
            word.unknown = "runs what stands between back-ticks as a command"
        elif match := _VARIABLE.match(self._text, start + 1):
            self._position = match.end()
            self._variable(match[0], word)
        elif following == "{":
            self._position = self._end_of("}", start + 2)
            name = self._text[start + 2 : self._position - 1]
            if _VARIABLE.fullmatch(name):
                self._variable(name, word)
            else:
                word.unknown = ""
        elif following == "(":
            self._position = self._end_of(")", start + 2)
            word.unknown = "runs what stands in $(…) as a command"
        elif following == "$":
            self._position = start + 2
            word.unknown = "puts the number of its process in place of '$$'"
        elif following in ("'", '"') and not quoted:
            self._position = self._end_of(following, start + 2)
            word.unknown = "drops the '$' before a quote"
        elif following and following in "0123456789#@*?!-":
            self._position = start + 2
            word.unknown = f"takes '${following}' for a variable"
        else:
            self._position = start + 1
            word.text += "$"

    def _variable(self, name: str, word: _Word) -> None:
        if name in self._found.unknown:
            word.unknown = ""
        else:
            word.text += self._pending.get(name, self._found.values.get(name, self._environ.get(name, "")))


def _why_no_assignment(words: Sequence[_Word], command: int) -> str:
    text = words[command].text
    if command:
        if text == "\r":
            return _RUNS_LINE_END
        if words[command - 1].text.endswith("="):
            return "takes the value behind the space for a command"
        return "takes the second word of the value for a command"
    if text.startswith("\ufeff"):
        return "takes the byte order mark for a part of the name"
    if text.endswith(":"):
        return "takes the name before ':' for a command"
    if len(words) > 1 and words[1].text.startswith("="):
        return "takes the name before the space for a command"
    return "takes the line for a command"
