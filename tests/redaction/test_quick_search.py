"""Every form of a value is found wherever it stands, and nothing else."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ot_doctor.redaction.quick_search import QuickSearch

VALUE = "s3cret/Kw7+Zq9&x\"y'z=="
TOKEN = "hf_" + "Kw7" * 11 + "Z"
KNOWN = QuickSearch({VALUE: "JWT_SECRET_KEY", TOKEN: "HUGGINGFACE_TOKEN"})
PAGE = "function a(b){return b.c?d(e):'0123456789abcdef'}" * 3


@pytest.mark.parametrize("name", ["raw", "hex", "HEX", "base64", "in base64", "url", "json", "html"])
@pytest.mark.parametrize("before", range(9))
def test_it_is_found_wherever_it_stands(name: str, before: int) -> None:
    data = VALUE.encode()
    form = {
        "raw": VALUE, "hex": data.hex(), "HEX": data.hex().upper(), "base64": base64.b64encode(data).decode(),
        "in base64": base64.b64encode(b"k=" + data + b"; more").decode(), "url": quote(VALUE, safe=""),
        "json": VALUE.replace('"', '\\"'), "html": VALUE.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&#x27;"),
    }[name]  # fmt: skip
    assert KNOWN.names_in((PAGE + "x" * before + form + PAGE).encode()) == ["JWT_SECRET_KEY"]
    assert KNOWN.names_in((PAGE + "x" * before + form[: len(form) // 2] + PAGE).encode()) == []


def test_across_the_pieces_that_are_looked_at_together() -> None:
    for at in (2**20 - 20, 2**20 - 1, 2**20, 2**21 - 7):
        assert KNOWN.names_in(b"x" * at + TOKEN.encode() + b"x" * 100) in (["HUGGINGFACE_TOKEN"], ["", "HUGGINGFACE_TOKEN"])


def test_a_token_that_no_variable_has() -> None:
    other = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    assert KNOWN.names_in(f"a='{other}'".encode()) == [""]
    assert KNOWN.names_in(f"a='{other}';b='{TOKEN}'".encode()) == ["", "HUGGINGFACE_TOKEN"]
    assert KNOWN.names_in(b"hf_hub_download_and_cache_the_files_of_a_repository") == []


def test_words_and_placeholders_are_not_looked_for() -> None:
    words = {"opentranscribe": "POSTGRES_PASSWORD", "minioadmin": "P", "your_token_here_1": "T", "a1b2c3": "S"}
    assert QuickSearch(words).names_in(" ".join(words).encode() * 3) == []


@given(st.text(min_size=0, max_size=300))
def test_chance_finds_nothing(text: str) -> None:
    assert KNOWN.names_in(text.encode("utf-8", "surrogatepass")) == []
