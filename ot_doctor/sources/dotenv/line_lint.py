"""Lines of a ``.env`` that a person should look at: Compose reads them, and hardly as they were meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ot_doctor.evidence.env_file import OddLine
from ot_doctor.redaction.names import is_secret
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.dotenv.compose_dialect import Assignment

_MATTERS = re.compile(
    r"(?i)^HF_|HUGGING|TORCH|PYANNOTE|CACHE|SPEAKER|DIARI|GPU|CUDA|NVIDIA|WHISPER|PROXY$|CA_BUNDLE|SSL_CERT|^(COMPOSE|LD)_"
)
_HUB_TOKEN = re.compile(r"(?i)(HUGGING_?FACE|HF)_?(HUB_)?(API_)?(TOKEN|KEY)")
_PASTED = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")
_CURLY = "“”„‟‘’‚‛«»‹›＂＇"
_MOST = 100


def matters(name: str) -> bool:
    """Whether the doctor looks at a variable: the Hub, models, caches, speakers, GPU, proxies, certificates, Compose itself."""
    return bool(_MATTERS.search(name))


def is_hub_token(name: str) -> bool:
    """``HUGGINGFACE_TOKEN`` and the other names under which people keep one."""
    return bool(_HUB_TOKEN.fullmatch(name))


def shown_key(key: str) -> str:
    """The key as it may be shown: a token on a line of its own is a bare key to Compose."""
    return str(Secret(key, "a line of .env that is a token alone")) if is_secret("", key) else key


@dataclass(frozen=True)
class _Written:
    """An assignment with the line as it is written."""

    key: str
    value: str
    separator: str  # "=" or ":"
    raw: str  # what follows the separator on that line
    spans_lines: bool  # a quoted value that goes on

    @property
    def quoted(self) -> bool:
        return self.raw.lstrip()[:1] in ("'", '"')

    @property
    def is_token(self) -> bool:
        return is_hub_token(self.key)

    @property
    def matters(self) -> bool:
        return matters(self.key)


def odd_lines(text: str, assignments: Sequence[Assignment]) -> tuple[OddLine, ...]:
    """What is odd in a file that Compose accepts; the first hundred such lines."""
    found: list[OddLine] = []
    lines = text.split("\n")
    for index, assignment in enumerate(assignments):
        if assignment.value is None or len(found) >= _MOST:
            continue
        written = _written(lines[assignment.line - 1], assignment)
        following = assignments[index + 1] if index + 1 < len(assignments) else None
        oddities = list(_of_name(assignment.key))
        if written is not None:
            oddities += _of_value(written)
            if _value_follows(written, following, lines):
                oddities.append(("the value stands on the next line, where Compose does not look for it", True))
        found += [OddLine(assignment.line, shown_key(assignment.key), what, harmful) for what, harmful in oddities]
    return tuple(found[:_MOST])


def _written(line: str, assignment: Assignment) -> _Written | None:
    """``None`` where another statement stands before this one on the line."""
    match = re.search("[=:]", line)
    if match is None or assignment.value is None:
        return None
    name = line[: match.start()].lstrip("\ufeff").strip()
    if name.startswith("export"):
        name = name.removeprefix("export").strip() or name
    if name != assignment.key:
        return None
    raw = line[match.end() :]
    spans_lines = "\n" in assignment.value and raw.lstrip()[:1] in ("'", '"')
    return _Written(assignment.key, assignment.value, match[0], raw, spans_lines)


def _of_name(key: str) -> Iterator[tuple[str, bool]]:
    for char in key:
        if not char.isascii():
            yield f"{_character(char)} in the name", True
            return


def _of_value(written: _Written) -> Iterator[tuple[str, bool]]:
    value = written.value
    if written.separator == ":":
        yield "a ':' in place of '=': Compose takes it, other readers do not", False
    if "\r" in value:
        yield "U+000D CARRIAGE RETURN inside the value: old Mac line ends join this line and the next ones", True
    yield from _characters(written)
    pasted = _PASTED.match(value)
    if pasted and (pasted[1] == written.key or (written.is_token and is_hub_token(pasted[1]))):
        yield f"the name {pasted[1]}= pasted twice", True
    yield from _comment(written)
    yield from _quotes(written)
    if not written.is_token:
        return
    words = value.split()
    if len(words) > 1 and "#" not in value and not pasted:
        yield "more than one word in the token", True
    if "$" in written.raw.replace("$$", "") and "$" not in value and not written.raw.lstrip().startswith(("'", "$")):
        yield "a '$', which Compose takes for the beginning of a variable", True


def _characters(written: _Written) -> Iterator[tuple[str, bool]]:
    """Characters that nobody types on purpose, each once."""
    value = written.value
    everywhere = written.is_token or written.matters
    shown = set()
    for position, char in enumerate(value):
        at_edge = position in (0, len(value) - 1)
        if char in _CURLY:
            odd = written.is_token or (at_edge if everywhere else value[0] in _CURLY and value[-1] in _CURLY)
        elif char == "`":
            odd = written.is_token or (everywhere and at_edge)
        elif char in " \t\r\n":
            odd = False
        else:
            category = unicodedata.category(char)
            odd = category in ("Cc", "Cf") or char == "\ufffd" or (everywhere and category in ("Zs", "Zl", "Zp"))
        if odd and char not in shown:
            shown.add(char)
            yield f"{_character(char)} in the value", True


def _comment(written: _Written) -> Iterator[tuple[str, bool]]:
    if written.quoted or "#" not in written.value:
        return
    before, _, after = written.value.partition("#")
    if not before:
        if written.matters or written.raw[:1].isspace() or after[:1].isspace():
            yield "a comment in place of the value: Compose takes it for the value", True
    elif before[-1] == "\t":
        yield "a comment that stayed in the value: a TAB stands before the '#', Compose wants a space", True
    elif written.matters and "://" not in before:
        yield "a comment that stayed in the value: no space stands before the '#'", True


def _quotes(written: _Written) -> Iterator[tuple[str, bool]]:
    value = written.value
    if not written.quoted:
        for quote, name in (('"', "double"), ("'", "single")):
            if value.endswith(quote) and value.count(quote) % 2:
                yield f"a closing {name} quote without an opening one", True
        return
    if written.spans_lines and written.matters:
        yield "a quote that is closed on a later line only: the lines between are part of the value", True
    elif written.matters and value != value.strip():
        yield "spaces inside the quotes, at the beginning or the end of the value", True


def _value_follows(written: _Written, following: Assignment | None, lines: Sequence[str]) -> bool:
    """An empty value (or a backslash alone), and a single word on the next line."""
    if written.value not in ("", "\\") or not written.matters or following is None or written.quoted:
        return False
    line = lines[following.line - 1]
    return following.value is None and "=" not in line and ":" not in line


def _character(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, 'CONTROL CHARACTER')}"
