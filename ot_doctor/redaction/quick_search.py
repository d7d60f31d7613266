"""Whether a known secret stands in much data: faster than ``Registry.find``, for whole values alone, and without a place."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from ot_doctor.redaction.common_words import is_common
from ot_doctor.redaction.needles import needles
from ot_doctor.redaction.secret import is_placeholder

_LEAST = 12  # bytes of a form: a shorter one may stand there by chance
_GRAM = 6  # every form holds one such gram at a multiple of the stride, wherever it stands
_CHUNKS = re.compile(rb"(?s)(.{%d}).{0,%d}" % (_GRAM, _LEAST - 2 * _GRAM + 1))
_PIECE = 1 << 20  # bytes that are looked at together
_LONGEST = 4096  # bytes of a form
_MOST = 2_000  # values
_TOKEN = re.compile(rb"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,64}(?![A-Za-z0-9_])")


class QuickSearch:
    """Looks for values as they are, in hex and base64, and as an address, JSON and HTML write them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """``values``: the names by the values. Words, short values and placeholders are not looked for."""
        self._named: dict[bytes, str] = {}
        for value, name in list(values.items())[:_MOST]:
            if len(value) >= _LEAST and _is_chance(value):
                for form in _forms(value):
                    self._named.setdefault(form, name)
        self._grams: dict[bytes, list[bytes]] = {}
        for form in self._named:
            for at in range(len(form) - _GRAM + 1):
                self._grams.setdefault(form[at : at + _GRAM], []).append(form)

    def names_in(self, data: bytes) -> list[str]:
        """The names of the values that stand in it; an empty one for a token that is not among them. In order, each once."""
        found: set[str] = set()
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE + _LONGEST]
            for gram in self._grams.keys() & set(_CHUNKS.findall(piece)):
                found |= {self._named[form] for form in self._grams[gram] if form in piece}
        known = {form for form, name in self._named.items() if name in found}
        if any(token[0] not in known for token in _TOKEN.finditer(data)):
            found.add("")
        return sorted(found)


def _is_chance(value: str) -> bool:
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return mixed and not is_common(value) and not is_placeholder(value)


def _forms(value: str) -> Iterator[bytes]:
    texts = [*(needle.text for needle in needles(value)), quote(value, safe=""), json.dumps(value)[1:-1], html.escape(value)]
    for text in dict.fromkeys(texts):
        form = text.encode("utf-8", "surrogatepass")
        if _LEAST <= len(form) <= _LONGEST:
            yield form
