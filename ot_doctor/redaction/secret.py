"""Values that cannot be printed, and the redactor on the way out."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ot_doctor.redaction.patterns import hide_shapes, holds_key
from ot_doctor.redaction.registry import Found, KnownValues, credentials, guessable, hidden_by_value

_SALT = os.urandom(16)  # fingerprints compare values within one report and say nothing outside it
KNOWN = KnownValues()  # every secret value met in this process
NAMES_BY_FINGERPRINT: dict[str, str] = {}  # what a value that was hidden is called, by the digits that are shown of it
_LONGEST_NAME = 100  # characters
_SHOWN_DIGITS = 4  # of a fingerprint
_LONGEST_JUDGED = 1 << 16  # characters of a value by which is told whether it is a secret
_STRONG = 8  # characters that a password has at the least
_PREFIX_OF_KIND = {"e-mail address": "e-mail", "private key": "private key"}
_ESCAPED_UNDERSCORE = re.compile(r"%5[fF]|\\u005[fF]")

TOKEN_NAME = "HUGGINGFACE_TOKEN"
_PREFIXES = ("hf_", "api_org_", "api_")
_WELL_FORMED = re.compile(r"hf_[A-Za-z0-9]{20,}")
_PASTED_NAME = re.compile(r"\s*(?:export\s+)?((?:[A-Za-z]+_)*(?:TOKEN|KEY))\s*=", re.IGNORECASE)  # never a part of a value
_PLACEHOLDER = re.compile(
    r"""<.*> | \[.*\] | \{.*\} | \$\{?\w+\}? | \.{3,}
      | (?:hf_)?x{3,}.* | hf_(?:\.{2,}|…|\*+|_+)? | (?:hf_)?0{6,} | (?:hf_)?1234\w*
      | .*(?:your|change_?me|example|placeholder|paste|insert|replace|token_?here).*
      | hf_token | token | none | null | todo | changeme""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|(?<![A-Z])PASS(?:KEY|CODE)?(?![A-Z])|(?<!BY)(?<!COM)(?<!SUR)PASS$|[A-Z_]PWD?$|CREDENTIAL"
    r"|CREDS?(?![A-Z])|PRIVATE|PRIV_?KEY|API_?KEY|HMAC|(?<![A-Z])T?OTP(?![A-Z])|SESSION_?ID"
    r"|ACCESS_?KEY|ENCRYPT|_KEYS?(?![A-Z])|^KEY$|AUTH(?!OR(?!I))|DSN|COOKIE|(?<![A-Z])SALT(?![A-Z])|PEPPER|SIGNING|JWT|_PAT$|WEBHOOK"
    r"|CONN(?:ECTION)?_?STR|ROOT_?USER|AWS_(?!(?:DEFAULT_)?REGION|PROFILE)",
    re.IGNORECASE,
)
_NO_SECRET_NAME = re.compile(  # "tokens" of a language model, and settings about secrets
    r"(?:OLD)?PWD|XDG_SESSION_ID|TOKENIZERS?_\w+|(?:\w+_)?(?:MAX|MIN|NUM|TOTAL|CONTEXT)_(?:\w+_)?TOKENS?(?:_\w+)?"
    r"|\w+_(?:ALGORITHM|ENABLED|(?:EXPIRE_|EXPIRY_|TTL_)?(?:SECONDS|MINUTES|HOURS|DAYS)|TTL|LENGTH|LIMIT|COUNT|TYPE)",
    re.IGNORECASE,
)
_NAMES_A_FILE = re.compile(r"(?:_FILE|_PATH|_DIR|_SOCK)$", re.IGNORECASE)  # such as a Docker secret in /run/secrets
_SETTING = re.compile(  # a line of settings
    r"(?:^|[\s#;\"'-])(?P<name>[A-Za-z_][\w.-]{0,99})[\"']?\s{0,20}[=:]\s{0,20}(?P<value>.*)"
)
_ASSIGNS = re.compile(r"\s*(?:[A-Z][A-Z0-9_]*=|[A-Za-z_]\w*[=:](?!=?$))")  # the next setting; base64 may end with "="
_REST = re.compile(r"[A-Za-z0-9_]*")
_DEFAULT = re.compile(r"\$\{\w+:?[-=?+](.+)\}")
_LONG_RUN = re.compile(r"[A-Za-z0-9]{20,}")
_USER_INFO = re.compile(r"://[^\s/]{0,1024}@")  # kept by itself
_SECRET_SHAPE = re.compile(
    r"\bhf_(?![a-z]{1,11}\b)[A-Za-z0-9]{8,}|\bapi_org_[A-Za-z0-9]{8,}|\bsk-[A-Za-z0-9_-]{16,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_CONTROL = re.compile(
    r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u2028\u2029]"  # direction marks, and line ends that hardly anybody knows
    r"|[\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # invisible; emoji and Persian need the joiners
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
    odd: tuple[OddCharacter, ...]  # at most eight of them, and of a token alone
    blank: bool = False  # empty, or nothing but spaces
    weak: bool = False  # so short or simple that it cannot be told from a word or a number

    def __str__(self) -> str:
        return f"{self.prefix}…({self.length})"


class Secret:
    """A value that shows its shape and never itself: ``hf_…(37:3fa2)``, prefix, length and the start of its fingerprint.

    ``name`` is the variable that it came from. Equality compares the values; ``fingerprint`` is equal for equal values within
    one process. Only ``ot_doctor.evidence.hub`` and the ``.env`` reader's own comparisons may call ``reveal``. A recorded secret
    has no value any more: it is compared by its fingerprint.
    """

    __slots__ = ("_fingerprint", "_shape", "_value", "name")

    def __init__(self, value: str, name: str = "") -> None:
        self._value: str | None = value
        self._shape: Shape | None = None
        self._fingerprint = ""
        self.name = name = " ".join(printable(name).split())[:_LONGEST_NAME]  # a container may call a variable anything
        if not _is_made_up(value):
            KNOWN.add(value, name)
            KNOWN.add(printable(value), name)

    @classmethod
    def recorded(cls, shape: Shape, fingerprint: str, name: str = "") -> Secret:
        """A secret of which only this was kept."""
        secret = cls.__new__(cls)
        secret._value, secret._shape, secret._fingerprint, secret.name = None, shape, fingerprint, name
        NAMES_BY_FINGERPRINT.setdefault(fingerprint[:_SHOWN_DIGITS], name)
        return secret

    def reveal(self) -> str:
        """The value itself. Raises ``LookupError`` for a recorded one."""
        if self._value is None:
            raise LookupError("the value of a recorded secret is not known")
        return self._value

    @property
    def shape(self) -> Shape:
        if self._shape is None:
            self._shape = _shape(self._value or "", self.name)
        return self._shape

    @property
    def fingerprint(self) -> str:
        """Eight hex digits, salted afresh for each process."""
        return self._fingerprint if self._value is None else _fingerprint(self._value)

    @property
    def blank(self) -> bool:
        return self.shape.blank

    def __len__(self) -> int:
        return self.shape.length if self._value is None else len(self._value)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return False
        if self._value is None or other._value is None:
            return self.fingerprint == other.fingerprint
        return self._value == other._value

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __str__(self) -> str:
        if self.name:
            NAMES_BY_FINGERPRINT.setdefault(self.fingerprint[:_SHOWN_DIGITS], self.name)
        return _stand_in(self.shape, self.fingerprint)

    def __repr__(self) -> str:
        return f"<Secret {self}>"

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")


def _shape(value: str, name: str) -> Shape:
    pasted = _PASTED_NAME.match(value)
    return Shape(
        length=len(value),
        prefix=next((p for p in _PREFIXES if value.startswith(p)), ""),
        well_formed=_WELL_FORMED.fullmatch(value) is not None,
        placeholder=_is_placeholder(value.strip().strip("\"'")),
        pasted_name=pasted[1] if pasted else None,
        comment="#" in value,
        repeated=value.count("hf_") > 1,
        odd=_odd_characters(value) if not name or "TOKEN" in name.upper() else (),  # of a password they would tell too much
        blank=not value.strip(),
        weak=_is_weak(value.strip()),
    )


def _is_weak(value: str) -> bool:
    return bool(value) and (len(value) < _STRONG or guessable(value) or not hidden_by_value(value))


def _fingerprint(value: str) -> str:
    return hmac.new(_SALT, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:8]


def _stand_in(shape: Shape, fingerprint: str) -> str:
    """``hf_…(37:3fa2)``: what is shown in place of a value."""
    return f"{shape.prefix}…({shape.length}:{fingerprint[:_SHOWN_DIGITS]})" if shape.length else str(shape)


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


def _is_made_up(value: str) -> bool:
    """An example of a token that holds nothing but a few letters: a log may hold any number of them."""
    return value.startswith("hf_") and len(set(value[3:])) <= 3


def _is_placeholder(value: str) -> bool:
    if re.fullmatch(r"hf_[A-Za-z0-9]{30,}", value):  # chance may write "your" into a real token
        return len(set(value[3:])) <= 3
    return _PLACEHOLDER.fullmatch(value) is not None


_CONTROL_NAMES = {"\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\0": "NULL", "\x1b": "ESCAPE"}


def is_secret(name: str, value: str) -> bool:
    """Whether a setting must be kept: its name or its value says so."""
    named = _SECRET_NAME.search(name) and not _NO_SECRET_NAME.fullmatch(name)
    if named and not (value.startswith("/") and _NAMES_A_FILE.search(name)):
        return True
    value = value[:_LONGEST_JUDGED]
    return bool(_SECRET_SHAPE.search(value)) or holds_key(value) or _looks_drawn(value)


def _looks_drawn(value: str) -> bool:
    """Whether small and capital letters and digits stand in it as chance puts them: a key under an innocent name."""
    return any(
        sum(before.isdigit() != after.isdigit() for before, after in pairwise(run)) > 3
        for run in _LONG_RUN.findall(_USER_INFO.sub("://", value)) if not (run.islower() or run.isupper() or run.isdigit())
    )  # fmt: skip


def keep(name: str, value: str) -> str | Secret:
    """The value as it may travel: a ``Secret`` where the name or the value says so."""
    if is_secret(name, value):
        return Secret(value, name)
    for part in credentials(value):  # a proxy's address is no secret, and the password in it is one
        KNOWN.add(part, name)
    return value


def meet(text: str) -> None:
    """Remember the secrets in a text of settings, however whoever reads it may take its quotes and comments."""
    before = ""  # the name of a secret without a value: the value may stand on the next line
    for line in text.splitlines():
        if before and len(line.split()) == 1 and not guessable(line.strip()) and not _ASSIGNS.match(line):
            keep(before, line.strip())
        setting = _SETTING.search(line)
        before = setting["name"] if setting and not setting["value"].strip("\\") and is_secret(setting["name"], "") else ""
        if setting and is_secret(setting["name"], setting["value"]):
            for value in dict.fromkeys(_readings(setting["value"])):
                prose = line.lstrip().startswith("#") and (guessable(value) or len(value.split()) > 1 or _is_placeholder(value))
                if not prose:
                    keep(setting["name"], value)


def meet_environment(environ: Mapping[str, str]) -> None:
    """Remember the secrets among a process's variables."""
    for name, value in environ.items():
        if not (value.startswith("/") and os.path.lexists(value)):  # the socket of an agent, not what it keeps
            keep(name, value)


def _readings(written: str) -> Iterator[str]:
    """What a value may be to Compose, to a shell, or to YAML."""
    value = written.strip()
    yield value
    yield value.partition(" #")[0].rstrip()
    yield value.rstrip("\"',").replace("$$", "$")
    if default := _DEFAULT.fullmatch(value):
        yield default[1]
    quote = value[:1]
    if quote in ("'", '"') and (end := re.match(rf"{quote}((?:[^\\{quote}]|\\.)*){quote}", value)):
        yield end[1]
        yield re.sub(r"\\(.)", r"\1", end[1]).replace("$$", "$")


def redact_outside(text: str) -> str:
    """The same for a text that came from outside, as a log's: without simple values where they stand as words."""
    return redact(text, outside=True)


def redact(text: str, *, outside: bool = False) -> str:
    """``text`` without any secret value met in this process, however it is written, and without anything of a secret's shape."""
    parts: list[str] = []
    done = 0
    for found in KNOWN.find(text, outside=outside):
        if found.start < done:  # the rest of a token that was met cut off
            continue
        token = found.value.startswith(_PREFIXES) and text[found.start : found.end] == found.value
        rest = text[found.end : _REST.match(text, found.end).end()] if token else ""  # type: ignore[union-attr]
        parts += (text[done : found.start], _in_place_of(found, rest))
        done = found.end + len(rest)
    return hide_shapes("".join((*parts, text[done:])) if parts else text, _of_shape)


def _in_place_of(found: Found, rest: str) -> str:
    fingerprint = _fingerprint(found.value + rest)
    NAMES_BY_FINGERPRINT[fingerprint[:_SHOWN_DIGITS]] = KNOWN.name_of(found.value)
    if found.whole:
        return _stand_in(_shape(found.value + rest, ""), fingerprint)
    return f"…({found.end - found.start}:{fingerprint[:_SHOWN_DIGITS]})"  # a piece: the fingerprint is that of the whole


def _of_shape(value: str, kind: str) -> str:
    """The stand-in of a value that was told by its shape alone."""
    value = _ESCAPED_UNDERSCORE.sub("_", "".join(value.split())) if kind == "Hugging Face token" else value
    fingerprint = _fingerprint(value)
    NAMES_BY_FINGERPRINT.setdefault(fingerprint[:_SHOWN_DIGITS], KNOWN.name_of(value) or kind)
    prefix = next((p for p in (*_PREFIXES, "eyJ", "sk-") if value.startswith(p)), _PREFIX_OF_KIND.get(kind, ""))
    return f"{prefix}…({len(value)}:{fingerprint[:_SHOWN_DIGITS]})"


def printable(text: str) -> str:
    """``text`` without terminal escapes, control and invisible characters and direction marks; line ends and tabs stay."""
    return _CONTROL.sub("", text)
