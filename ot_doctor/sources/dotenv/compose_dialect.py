"""A ``.env`` and ``${…}`` as Docker Compose reads them (compose-go 1.16 to 2.13), without Compose.

``tests/sources/test_compose_agrees.py`` holds this module against the real Compose.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ot_doctor.evidence.env_file import Refusal

Lookup = Callable[[str], "str | None"]

# What Go takes for white space: at the end of a value, and (without the line feed) around a name.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_INLINE_SPACE = "\t\v\f\r \x85\xa0"
_BLANK = re.compile(f"[{_SPACE}]*")
_INLINE_BLANK = re.compile(f"[{_INLINE_SPACE}]*")
_EXPORT = re.compile(r"export(?=[\t\n\f\r ])")
_NAME = re.compile(rf"[\w.\-\[\]{_INLINE_SPACE}]*")
_QUOTED = {
    '"': re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL),
}
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
_ESCAPE = re.compile(r'\\(?:([abcfnrtv$"\\])|0([0-9]{0,3}))')
_ESCAPED = {"a": "\a", "b": "\b", "c": "\\c", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$"}
_NOT_UTF8 = re.compile("[\udc80-\udcff]")

# Go's case-insensitive a-z has these two letters beside the obvious ones.
_VARIABLE = re.compile(r"[_a-zA-Z\u017f\u212a][_a-zA-Z0-9\u017f\u212a]*")
_OPERATOR = re.compile(r":?[-+?]")

# Bounds that no real file comes near: Compose itself would run on, or out of memory.
_MOST_NESTED = 20
_MOST_SUBSTITUTED = 16 * 1024 * 1024


class DotenvRefused(Exception):
    """Compose does not accept the file; the text holds no value of it."""

    def __init__(self, message: str, line: int, refusal: Refusal = Refusal.OTHER) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.refusal = refusal


class TemplateRefused(Exception):
    """Compose does not accept a value's ``${…}``; the text holds no value."""


@dataclass(frozen=True)
class Assignment:
    key: str
    value: str | None  # None: a bare key that nothing has a value for; Compose leaves it out
    line: int  # where the key stands, from 1
    last_line: int = 0  # where a quoted value that spans several lines ends; 0: on the same line


class Budget:
    """How much text substitution may still make, so that doubling a variable again and again ends."""

    def __init__(self) -> None:
        self._left = _MOST_SUBSTITUTED

    def spend(self, text: str) -> str:
        self._left -= len(text)
        if self._left < 0:
            raise TemplateRefused("its variables grow beyond all measure")
        return text


def parse(data: bytes, lookup: Lookup) -> tuple[Assignment, ...]:
    """Every assignment of a ``.env``, in the file's order: of several with one key the last one counts.

    ``lookup`` tells the variables that win over the file's own in ``${…}`` and give bare keys their values; for Compose
    that is the shell. Bytes that are not UTF-8 become U+FFFD, as they do in the container's configuration.
    Raises ``DotenvRefused`` where Compose refuses the file.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    reader = _Reader(_NOT_UTF8.sub("\ufffd", text), lookup)
    assignments = tuple(reader.assignments())
    _settable(assignments)
    return assignments


def _settable(assignments: tuple[Assignment, ...]) -> None:
    """Compose puts what a file says into its own environment, which takes neither an empty name nor a NUL."""
    for last in {a.key: a for a in assignments if a.value is not None}.values():
        if not last.key:
            raise DotenvRefused("setenv: invalid argument (a name without '=', or a value without a name)", last.line)
        if "\0" in last.key or "\0" in (last.value or ""):
            raise DotenvRefused("setenv: invalid argument (a NUL byte)", last.line, Refusal.NUL)


class _Reader:
    def __init__(self, text: str, lookup: Lookup) -> None:
        self._text = text
        self._lookup = lookup
        self._position = 0
        self._line = 1
        self._counted = 0  # up to here the line ends are in _line
        self._values: dict[str, str] = {}
        self._budget = Budget()

    def assignments(self) -> list[Assignment]:
        found = []
        while self._skip_to_statement():
            line = self._line_here()
            key, bare = self._key(line)
            begins = self._position
            value = self._lookup(key) if bare else self._value(line)
            if value is not None:
                self._values[key] = value
            written = self._text[begins : self._position] if not bare else ""
            more = written.count("\n") if written.startswith(("'", '"')) else 0
            found.append(Assignment(key, value, line, line + more if more else 0))
        return found

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    def _skip(self, blank: re.Pattern[str]) -> None:
        match = blank.match(self._text, self._position)
        if match:
            self._position = match.end()

    def _skip_to_statement(self) -> bool:
        """Over blank lines and comments; false at the end of the file."""
        while True:
            self._skip(_BLANK)
            if not self._text.startswith("#", self._position):
                return self._position < len(self._text)
            end = self._text.find("\n", self._position)
            if end < 0:
                return False
            self._position = end

    def _key(self, line: int) -> tuple[str, bool]:
        """The name, and whether it stands alone. At the end of the file a name alone is taken for a value."""
        text = self._text
        if _EXPORT.match(text, self._position):
            self._position += len("export")
            self._skip(_INLINE_BLANK)
            if self._position == len(text):
                raise DotenvRefused("zero length string: nothing follows 'export'", line)
        match = _NAME.match(text, self._position)
        end = match.end() if match else self._position
        if end == len(text):
            return "", False
        separator = text[end]
        if separator not in "=:\n":
            raise DotenvRefused(f'unexpected character "{_shown(separator)}" in variable name', line)
        key = text[self._position : end].rstrip(_SPACE)
        if " " in key:
            raise DotenvRefused("key cannot contain a space", line, Refusal.SPACE)
        self._position = end + 1
        self._skip(_INLINE_BLANK)
        return key, separator == "\n"

    def _value(self, line: int) -> str:
        quote = self._text[self._position : self._position + 1]
        if quote in _QUOTED:
            return self._quoted(quote, line)
        end = self._text.find("\n", self._position)
        raw = self._text[self._position : end if end >= 0 else len(self._text)]
        self._position = end + 1 if end >= 0 else len(self._text)
        return self._substituted(raw.partition(" #")[0].rstrip(_SPACE), line)

    def _quoted(self, quote: str, line: int) -> str:
        match = _QUOTED[quote].match(self._text, self._position)
        if match is None:
            raise DotenvRefused("unterminated quoted value", line, Refusal.QUOTE)
        self._position = match.end()
        value = _BACKSLASH.sub(lambda m: quote if m[1] == quote else m[0], match[1])
        return self._substituted(_ESCAPE.sub(_unescaped, value), line) if quote == '"' else value

    def _substituted(self, value: str, line: int) -> str:
        if "$" not in value:
            return value
        try:
            return _substitute(value, self._variable, self._budget, 0)
        except TemplateRefused as refused:
            raise DotenvRefused(str(refused), line) from None

    def _variable(self, name: str) -> str | None:
        outer = self._lookup(name)
        return outer if outer is not None else self._values.get(name)


def _unescaped(match: re.Match[str]) -> str:
    """One escape of a double-quoted value. ``\\0`` and three octal digits are a character, ``\\0`` and fewer lose the zero."""
    if match[1]:
        return _ESCAPED.get(match[1], match[1])
    digits: str = match[2]
    if re.fullmatch(r"[0-3][0-7]{2}", digits):
        return chr(int(digits, 8))
    return "\\" + digits


def _shown(char: str) -> str:
    return char if char.isprintable() else f"U+{ord(char):04X}"


def substitute(text: str, lookup: Lookup, budget: Budget) -> str:
    """``text`` with its ``$NAME``, ``${NAME}``, ``${NAME:-default}`` … replaced as Compose does it in its files.

    Raises ``TemplateRefused`` where Compose gives up, and where all that spend the same ``budget`` make too much of it.
    """
    return _substitute(text, lookup, budget, 0)


def references(text: str) -> tuple[str, ...]:
    """The names of the variables that ``text`` refers to, those in defaults too."""
    names: dict[str, None] = {}

    def note(name: str) -> None:
        names[name] = None

    for part in text.split("$$"):
        for match in re.finditer(r"\$\{?" + f"({_VARIABLE.pattern})", part):
            note(match[1])
    return tuple(names)


def _substitute(text: str, lookup: Lookup, budget: Budget, depth: int) -> str:
    if depth > _MOST_NESTED:
        raise TemplateRefused("its variables are nested too deeply")
    parts = []
    position = 0
    braces = _Braces(text)
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        after = text[dollar + 1 : dollar + 2]
        position = dollar + 2
        if after == "$":
            parts.append("$")
        elif after == "{":
            value, position = _braced(text, dollar, braces, lookup, budget, depth)
            parts.append(value)
        elif match := _VARIABLE.match(text, dollar + 1):
            parts.append(budget.spend(lookup(match[0]) or ""))
            position = match.end()
        else:
            parts.append("$")
            position = dollar + 1
    parts.append(text[position:])
    return "".join(parts)


def _braced(text: str, dollar: int, braces: _Braces, lookup: Lookup, budget: Budget, depth: int) -> tuple[str, int]:
    """The value of the ``${…}`` at ``dollar``, and where the text goes on."""
    name = _VARIABLE.match(text, dollar + 2)
    if name is None:
        raise TemplateRefused("invalid template: no variable's name follows '${'")
    value = lookup(name[0])
    if text.startswith("}", name.end()):
        return budget.spend(value or ""), name.end() + 1
    operator = _OPERATOR.match(text, name.end())
    last = braces.last_of_line(dollar)
    if operator is None or last < operator.end():
        raise TemplateRefused("invalid template: '${' without its '}'")
    end = _closing(text, dollar + 1, last)
    present = value is not None and not (operator[0].startswith(":") and value == "")
    kind = operator[0][-1]
    # most versions of Compose refuse a broken default even where they do not need it
    other = _substitute(text[operator.end() : end], lookup, budget, depth + 1)
    if kind == "?" and not present:
        raise TemplateRefused(f"required variable {name[0]} is missing a value")
    if kind != "?" and present == (kind == "+"):
        value = other
    return budget.spend(value or ""), end + 1


def _closing(text: str, opening: int, last: int) -> int:
    """The brace that closes the one at ``opening``; where none does, the line's last one.

    Compose passes over the character behind each opening brace, so that ``${A:-{}}`` ends at its second brace.
    """
    depth = 0
    position = opening
    while position <= last:
        if text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        elif text[position] == "{":
            depth += 1
            position += 1
            if depth > _MOST_NESTED:
                raise TemplateRefused("its variables are nested too deeply")
        position += 1
    return last


class _Braces:
    """Where the last closing brace of a line is, found once a line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_end = -1
        self._last = -1

    def last_of_line(self, position: int) -> int:
        if position > self._line_end:
            end = self._text.find("\n", position)
            self._line_end = end if end >= 0 else len(self._text)
            self._last = self._text.rfind("}", position, self._line_end)
        return self._last
