"""Values that cannot be printed, and the redactor on the way out."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from dataclasses import dataclass

_SALT = os.urandom(16)  # fingerprints compare values within one report and say nothing outside it
_KNOWN: set[str] = set()  # every secret value met in this process, for redaction by value
_PIECES: set[str] = set()  # every _PIECE characters in a row of the tokens among them: a log may hold one cut in two
_PIECE = 10
_USUAL_LENGTH = 37

TOKEN_NAME = "HUGGINGFACE_TOKEN"
_PREFIXES = ("hf_", "api_org_", "api_")
_WELL_FORMED = re.compile(r"hf_[A-Za-z0-9]{20,}")
_PASTED_NAME = re.compile(r"\s*(?:export\s+)?([A-Za-z_]{3,})\s*=")
_PLACEHOLDER = re.compile(
    r"""<.*> | \[.*\] | \{.*\} | \$\{?\w+\}? | \.{3,}
      | (?:hf_)?x{3,}.* | hf_(?:\.{2,}|…|\*+|_+)? | (?:hf_)?0{6,} | (?:hf_)?1234\w*
      | .*(?:your|change_?me|example|placeholder|paste|insert|replace|token_?here).*
      | hf_token | token | none | null | todo | changeme""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|ENCRYPTION_?KEY|_KEY$|^KEY$|AUTH|DSN|COOKIE",
    re.IGNORECASE,
)
_SECRET_SHAPE = re.compile(
    r"\bhf_[A-Za-z0-9]{8,}|\bapi_org_[A-Za-z0-9]{8,}"
    r"|\bsk-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_TOKEN_BODY = re.compile(r"hf_([A-Za-z0-9]{20,64})")
_RUN = re.compile(rf"[A-Za-z0-9]{{{_PIECE},}}")
_SHAPES_ON_THE_WAY_OUT = (
    (re.compile(r"(hf_[A-Za-z0-9]{6,33})\s*\n\s*([A-Za-z0-9]{1,28})(?![A-Za-z0-9])"), lambda m: _wrapped(m)),
    (re.compile(r"hf(?:_|%5[fF]|\\u005[fF])[A-Za-z0-9]{6,}"), lambda m: f"hf_…({len(m[0])})"),
    (re.compile(r"api_org_[A-Za-z0-9]{6,}"), lambda m: f"api_org_…({len(m[0])})"),
    (re.compile(r"(?i)(bearer\s+)(?!(?:hf_|api_(?:org_)?)…)[^\s'\",…]{6,}"), lambda m: f"{m[1]}…"),
    (re.compile(r"(?i)(authorization\W{1,5}basic\s+)[\w+/=-]+"), lambda m: f"{m[1]}…"),
    (re.compile(r"(?i)(passw(?:or)?d[\"']?\s*[=:]\s*[\"']?)(?![<$])[^\s\"',;…]{6,}"), lambda m: f"{m[1]}…"),
    (re.compile(r"(://[^\s/:@]{0,255}):[^\s/@]+@"), lambda m: f"{m[1]}:…@"),
    (re.compile(r"\beyJ[\w-]{8,2048}\.[\w-]{8,}\.[\w-]*"), lambda m: "eyJ…"),
)
_CONTROL = re.compile(
    r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029]"
)


@dataclass(frozen=True)
class OddCharacter:
    """A character that no Hugging Face token has; ``position`` counts from 1."""

    position: int
    code_point: str  # "U+201C"
    name: str  # "LEFT DOUBLE QUOTATION MARK"


@dataclass(frozen=True)
class Shape:
    """What may be said of a secret: enough to decide from, nothing to log in with."""

    length: int
    prefix: str  # "hf_", "api_org_", "api_" or ""
    well_formed: bool  # hf_ and at least 20 letters and digits, nothing else
    placeholder: bool  # a template's or a guide's example value
    pasted_name: str | None  # the variable name that the value begins with, as in NAME=hf_…
    comment: bool  # a '#' and what follows stayed in the value
    repeated: bool  # the token stands in it more than once
    odd: tuple[OddCharacter, ...]  # at most eight of them

    def __str__(self) -> str:
        return f"{self.prefix}…({self.length})"


class Secret:
    """A value that shows its shape and never itself.

    Equality compares the values; ``fingerprint`` is equal for equal values within one process. Only
    ``ot_doctor.evidence.hub`` and the ``.env`` reader's own comparisons may call ``reveal``.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value.strip()) >= 8:
            _KNOWN.add(value.strip())
        for body in _TOKEN_BODY.findall(value):
            if not _is_placeholder(f"hf_{body}"):
                _PIECES.update(body[at : at + _PIECE] for at in range(len(body) - _PIECE + 1))

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    @property
    def shape(self) -> Shape:
        value = self._value
        name = _PASTED_NAME.match(value)
        return Shape(
            length=len(value),
            prefix=next((p for p in _PREFIXES if value.startswith(p)), ""),
            well_formed=_WELL_FORMED.fullmatch(value) is not None,
            placeholder=_is_placeholder(value.strip().strip("\"'")),
            pasted_name=name[1] if name else None,
            comment="#" in value,
            repeated=value.count("hf_") > 1,
            odd=_odd_characters(value),
        )

    @property
    def fingerprint(self) -> str:
        """Eight hex digits, salted afresh for each process."""
        return hmac.new(_SALT, self._value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:8]

    @property
    def blank(self) -> bool:
        return not self._value.strip()

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((_SALT, self._value))

    def __str__(self) -> str:
        return str(self.shape)

    def __repr__(self) -> str:
        return f"<Secret {self.shape}>"

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")


def _odd_characters(value: str) -> tuple[OddCharacter, ...]:
    odd = []
    for position, char in enumerate(value, 1):
        if char.isascii() and (char.isalnum() or char == "_"):
            continue
        name = unicodedata.name(char, "") or _CONTROL_NAMES.get(char, "CONTROL CHARACTER")
        odd.append(OddCharacter(position, f"U+{ord(char):04X}", name))
        if len(odd) == 8:
            break
    return tuple(odd)


def _is_placeholder(value: str) -> bool:
    if re.fullmatch(r"hf_[A-Za-z0-9]{30,}", value):  # chance may write "your" into a real token
        return len(set(value[3:])) <= 3
    return _PLACEHOLDER.fullmatch(value) is not None


_CONTROL_NAMES = {"\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\0": "NULL", "\x1b": "ESCAPE"}


def is_secret(name: str, value: str) -> bool:
    """Whether a setting is to be kept: its name or its value says so."""
    return bool(_SECRET_NAME.search(name)) or bool(_SECRET_SHAPE.search(value))


def keep(name: str, value: str) -> str | Secret:
    """The value as it may travel: a ``Secret`` where the name or the value says so."""
    return Secret(value) if is_secret(name, value) else value


def redact(text: str) -> str:
    """``text`` without any secret value met in this process and without anything of a secret's shape."""
    for value in sorted(_KNOWN, key=len, reverse=True):
        if value in text and not _too_plain(value):
            # The rest of a token that was met cut off goes with it.
            rest = "[A-Za-z0-9_]*" if value.startswith(_PREFIXES) else ""
            text = re.sub(re.escape(value) + rest, lambda m: str(Secret(m[0])), text)
    for pattern, stand_in in _SHAPES_ON_THE_WAY_OUT:
        text = pattern.sub(stand_in, text)
    return _RUN.sub(lambda m: f"…({len(m[0])})" if _of_a_token(m[0]) else m[0], text) if _PIECES else text


def _wrapped(match: re.Match[str]) -> str:
    """A token that a terminal broke over two lines: told by its length from one that ends where the line does."""
    return f"hf_…({_USUAL_LENGTH})" if len(match[1]) + len(match[2]) == _USUAL_LENGTH else match[0]


def _of_a_token(run: str) -> bool:
    return any(run[at : at + _PIECE] in _PIECES for at in range(len(run) - _PIECE + 1))


def _too_plain(value: str) -> bool:
    """A default password such as ``opentranscribe`` is a word of the report too: hiding it would break commands."""
    return value.isalpha() and value.islower() and len(value) < 16


def printable(text: str) -> str:
    """``text`` without terminal escapes, control characters and direction marks; line ends and tabs stay."""
    return _CONTROL.sub("", text)
