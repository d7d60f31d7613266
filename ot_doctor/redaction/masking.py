"""Texts with a mask in the place of each secret."""

from __future__ import annotations

import re

from ot_doctor.core.printable import printable
from ot_doctor.redaction import registry
from ot_doctor.redaction.needles import Found
from ot_doctor.redaction.patterns import mask_patterns
from ot_doctor.redaction.secret import TOKEN_PREFIXES, mask

_PREFIX_OF_KIND = {"e-mail address": "e-mail", "private key": "private key"}
_ESCAPED_UNDERSCORE = re.compile(r"%5[fF]|\\u005[fF]")
_REST = re.compile(r"[A-Za-z0-9_]*")


def redact(text: str) -> str:
    """``text`` without any registered value, however it is written, and without anything that has the pattern of a secret."""
    return _redacted(text, outside=False)


def redact_outside(text: str) -> str:
    """The same for a text that somebody else wrote, as a log's: without simple values, too, where they stand as words.

    It is called where such a text is read: only there is it known to come from outside, and not to quote a word of the doctor's.
    """
    return _redacted(text, outside=True)


def shown(text: str) -> str:
    """``text`` as it may go to a terminal: redacted and printable."""
    return redact(printable(text))


def holds_secret(text: str) -> bool:
    """Whether ``redact`` would hide something."""
    return redact(text) != text


def _redacted(text: str, *, outside: bool) -> str:
    parts: list[str] = []
    done = 0
    for found in registry.current().find(text, outside=outside):
        if found.start < done:  # the rest of a token that was registered cut off
            continue
        token = found.value.startswith(TOKEN_PREFIXES) and text[found.start : found.end] == found.value
        rest = text[found.end : _REST.match(text, found.end).end()] if token else ""  # type: ignore[union-attr]
        parts += (text[done : found.start], _in_place_of(found, rest))
        done = found.end + len(rest)
    return mask_patterns("".join((*parts, text[done:])) if parts else text, _of_pattern)


def _in_place_of(found: Found, rest: str) -> str:
    value, known = found.value + rest, registry.current()
    fingerprint = known.fingerprint(value)
    known.name_mask(fingerprint, known.name_of(found.value), sure=True)
    if found.whole:
        return mask(next((p for p in TOKEN_PREFIXES if value.startswith(p)), ""), len(value), fingerprint)
    return mask("", found.end - found.start, fingerprint)  # a piece: the fingerprint is that of the whole


def _of_pattern(value: str, kind: str) -> str:
    """The mask of a value that was told by its pattern alone."""
    value = _ESCAPED_UNDERSCORE.sub("_", "".join(value.split())) if kind == "Hugging Face token" else value
    known = registry.current()
    fingerprint = known.fingerprint(value)
    known.name_mask(fingerprint, known.name_of(value) or kind)
    prefix = next((p for p in (*TOKEN_PREFIXES, "eyJ", "sk-") if value.startswith(p)), _PREFIX_OF_KIND.get(kind, ""))
    return mask(prefix, len(value), fingerprint)
