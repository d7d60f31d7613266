"""Values that cannot be printed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ot_doctor.core.printable import printable
from ot_doctor.redaction import registry
from ot_doctor.redaction.common_words import hidden_by_value, is_common

_LONGEST_NAME = 100  # characters
_STRONG = 8  # characters that a password has at the least

TOKEN_NAME = "HUGGINGFACE_TOKEN"
TOKEN_PREFIXES = ("hf_", "api_org_", "api_")
_WELL_FORMED = re.compile(r"hf_[A-Za-z0-9]{20,}")
_PASTED_NAME = re.compile(r"\s*(?:export\s+)?((?:[A-Za-z]+_)*(?:TOKEN|KEY))\s*=", re.IGNORECASE)  # never a part of a value
_PLACEHOLDER = re.compile(
    r"""<.*> | \[.*\] | \{.*\} | \$\{?\w+\}? | \.{3,}
      | (?:hf_)?x{3,}.* | hf_(?:\.{2,}|…|\*+|_+)? | (?:hf_)?0{6,} | (?:hf_)?1234\w*
      | .*(?:your|change_?me|example|placeholder|paste|insert|replace|token_?here).*
      | hf_token | token | none | null | todo | changeme""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
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

    ``name`` is the variable that it came from. It registers itself in the current registry. Equality compares the values;
    ``fingerprint`` is equal for equal values within one registry. Few modules may call ``reveal``: a test lists them. A recorded
    secret has no value any more: it is compared by its fingerprint.
    """

    __slots__ = ("_fingerprint", "_shape", "_value", "name")

    def __init__(self, value: str, name: str = "") -> None:
        self._value: str | None = value
        self._shape: Shape | None = None
        self._fingerprint = ""
        self.name = name = " ".join(printable(name).split())[:_LONGEST_NAME]  # a container may call a variable anything
        if not _is_made_up(value):
            registry.current().add(value, name)
            registry.current().add(printable(value), name)

    @classmethod
    def recorded(cls, shape: Shape, fingerprint: str, name: str = "") -> Secret:
        """A secret of which only this was kept."""
        secret = cls.__new__(cls)
        secret._value, secret._shape, secret._fingerprint, secret.name = None, shape, fingerprint, name
        registry.current().name_mask(fingerprint, name)
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
        """Eight hex digits, with the salt of the current registry."""
        return self._fingerprint if self._value is None else registry.current().fingerprint(self._value)

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
            registry.current().name_mask(self.fingerprint, self.name)
        return mask(self.shape.prefix, len(self), self.fingerprint) if len(self) else str(self.shape)

    def __repr__(self) -> str:
        return f"<Secret {self}>"

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")


def _shape(value: str, name: str) -> Shape:
    pasted = _PASTED_NAME.match(value)
    return Shape(
        length=len(value),
        prefix=next((p for p in TOKEN_PREFIXES if value.startswith(p)), ""),
        well_formed=_WELL_FORMED.fullmatch(value) is not None,
        placeholder=is_placeholder(value.strip().strip("\"'")),
        pasted_name=pasted[1] if pasted else None,
        comment="#" in value,
        repeated=value.count("hf_") > 1,
        odd=_odd_characters(value) if not name or "TOKEN" in name.upper() else (),  # of a password they would tell too much
        blank=not value.strip(),
        weak=_is_weak(value.strip()),
    )


def _is_weak(value: str) -> bool:
    return bool(value) and (len(value) < _STRONG or is_common(value) or not hidden_by_value(value))


def mask(prefix: str, length: int, fingerprint: str) -> str:
    """``hf_…(37:3fa2)``: what is shown in place of a value."""
    return f"{prefix}…({length}:{fingerprint[: registry.SHOWN_DIGITS]})"


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


def is_placeholder(value: str) -> bool:
    if re.fullmatch(r"hf_[A-Za-z0-9]{30,}", value):  # chance may write "your" into a real token
        return len(set(value[3:])) <= 3
    return _PLACEHOLDER.fullmatch(value) is not None


_CONTROL_NAMES = {"\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\0": "NULL", "\x1b": "ESCAPE"}
