"""Random secrets in every place and every writing: no byte that leaves holds one."""

from __future__ import annotations

import base64
import html
import importlib
import importlib.util
import json
import re
import shlex
import string
import traceback
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ot_doctor.check import Check
from ot_doctor.core.printable import printable
from ot_doctor.evidence import Answer, FileAnswer
from ot_doctor.redaction import registry
from ot_doctor.redaction.common_words import hidden_by_value, simple
from ot_doctor.redaction.masking import redact
from ot_doctor.redaction.redactor import Redactor, leaks
from ot_doctor.redaction.registry import Registry
from ot_doctor.redaction.secret import Secret, Shape
from ot_doctor.report.formats import FORMATS, render, render_error
from ot_doctor.report.model import UsageError
from ot_doctor.report.redacted import redacted
from tests.checks import evidence as e
from tests.report.reports import REPORTS

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LETTERS = string.ascii_letters + string.digits
ALPHABETS = (LETTERS, string.hexdigits.lower(), LETTERS + "+/=", LETTERS + "-_", LETTERS + string.punctuation,
             LETTERS + " äöüßé話🙂'\"\\%&<>")  # fmt: skip
HIDEABLE = st.one_of(
    st.text(LETTERS, min_size=34, max_size=34).map(lambda body: f"hf_{body}"),
    *(st.text(alphabet, min_size=8, max_size=64) for alphabet in ALPHABETS),
).filter(lambda value: hidden_by_value(value.strip()) and len(value.strip()) >= 8 and len(set(value)) > 5 and "…" not in value)
WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quote": quote,
    "quote all": lambda value: quote(value, safe=""),
    "quote_plus": quote_plus,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "basic": lambda value: base64.b64encode(b"me:" + value.encode()).decode(),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(b"u:" + value.encode() + b"/").decode(),
    "json": json.dumps,
    "json in UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps(json.dumps([value])),
    "repr": repr,
    "bytes": lambda value: repr(value.encode()),
    "html": html.escape,
    "shell": shlex.quote,
    "hex": lambda value: value.encode().hex(),
    "hex in groups": lambda value: value.encode().hex(" "),
}
PLACES = (
    "{}", "token={} refused", "[2026-11-21 01:00:00,000: ERROR/ForkPoolWorker-1] '{}'", '{{"a": "{}", "b": 1}}',
    "https://host.lan/x?y={}&z=1",
    "Traceback (most recent call last):\n  File \"/app/x.py\", line 3\nValueError: {}\n", "Authorization: Bearer {}",
    "A={}\nB=2", "({})", "a {} b",
)  # fmt: skip


def known(value: str) -> None:
    """From here on this is the only secret; hypothesis runs many examples in one test."""
    registry._CURRENT.set(Registry())
    Secret(value, "MY_SECRET")


@pytest.mark.parametrize("writing", WRITINGS)
@QUICK
@given(value=HIDEABLE, place=st.sampled_from(PLACES))
def test_no_writing_of_a_secret_is_left_in_any_place(writing: str, value: str, place: str) -> None:
    known(value)
    text = printable(place.format(WRITINGS[writing](value)))
    shown = redact(text)
    core = WRITINGS[writing](value.strip())
    assert core not in shown or core in place
    assert value.strip() not in shown
    assert leaks(shown.encode("utf-8", "backslashreplace")) == ()
    assert redact(shown) == shown


@QUICK
@given(body=st.text(LETTERS, min_size=34, max_size=34).filter(lambda body: len(set(body)) > 8), data=st.data())
def test_no_piece_of_a_token_is_left(body: str, data: st.DataObject) -> None:
    known(f"hf_{body}")
    start = data.draw(st.integers(0, 26))
    end = data.draw(st.integers(start + 8, 34))
    before, after = data.draw(st.sampled_from([("", ""), ("…", "…"), ("", "..."), ("x ", " y"), ("(", ")")]))
    piece = body[start:end]
    shown = redact(f"{before}{piece}{after}")
    mixed = not (piece.isalpha() and (piece.islower() or piece.isupper() or piece.istitle())) and not piece.isdigit()
    assert piece not in shown or not mixed


@QUICK
@given(text=st.text(max_size=300), value=HIDEABLE)
def test_any_text_is_survived_and_what_was_redacted_stays_as_it_is(text: str, value: str) -> None:
    known(value)
    for level in ("default", "strict"):
        redactor = Redactor(level, "/home/ana", "ana")
        shown = redactor.text(printable(text))
        assert redactor.text(shown) == shown
        redactor.command(text)


@QUICK
@given(value=st.text(LETTERS + "!-_.+", min_size=4, max_size=7))
def test_a_short_secret_is_no_word_of_what_leaves(value: str) -> None:
    known(value)
    shown = redact(f"login with '{value}' failed")
    assert value not in shown or not hidden_by_value(value) or value in "…():login with failed"


@QUICK
@given(value=st.one_of(st.text(string.ascii_letters, min_size=4, max_size=7), st.text(string.digits, min_size=5, max_size=7)))
def test_a_simple_secret_is_no_word_of_what_came_from_outside(value: str) -> None:
    known(value)
    evidence = Redactor().evidence((
        e.record(f"login with '{value}' failed: {value}"), e.worker(error=f"cannot start: {value}"),
        FileAnswer("a/b", "c", Answer.OK, text=f"refused {value}."),
    ))  # fmt: skip
    said = " ".join((evidence[0].text, evidence[1].error, evidence[2].text))
    assert value not in re.findall(r"\w+", said) or not simple(value)


@QUICK
@given(value=HIDEABLE.filter(lambda value: value.isascii() and value.isalnum()), size=st.integers(1, 12))
def test_a_secret_in_groups_is_found(value: str, size: int) -> None:
    assume(len(value) > 2 * size)
    known(value)
    written = "\u00a0".join(value[at : at + size] for at in range(0, len(value), size))
    shown = redact(f"token {written} refused")
    assert written not in shown and value not in re.sub(r"\s", "", shown)


def planted(value: Any, secret: str) -> Any:
    """The same with the secret in every text: behind what was there, so that it stays what it is."""
    if isinstance(value, str):
        return f"{value} {secret}"
    if isinstance(value, (tuple, frozenset)):
        return type(value)(planted(item, secret) for item in value)
    if isinstance(value, dict):
        return {planted(key, secret): planted(item, secret) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, (type, Check, Shape)):
        kept = ("fail_on", "cause", "signature", "hidden", "level")
        names = [field.name for field in fields(value) if field.name not in kept]
        return replace(value, **{name: planted(getattr(value, name), secret) for name in names})
    return value


def available() -> list[str]:
    return [name for name in FORMATS if importlib.util.find_spec(f"ot_doctor.report.formats.{name}")]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["default", "strict"])
@pytest.mark.parametrize("example", REPORTS)
def test_no_format_of_any_report_holds_a_secret_that_was_in_every_text(example: str, level: str) -> None:
    token = "hf_" + "ZyXwVuTsRq98765PoNmLkJiHgFeDcBa4321"
    values = [token, 'p4$$ "w0rd"\\ <&> it\'s', "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "k9!x"]
    for value in values:
        Secret(value, "MY_SECRET")
    dirty = planted(REPORTS[example](), " ".join(f"{value} {quote(value)} {json.dumps(value)}" for value in values))
    report = redacted(dirty, Redactor(level, "/home/ana", "ana"))
    for name in available():
        document = render(report, name)
        assert leaks(document.encode("utf-8", "backslashreplace")) == (), name
        for value in values:
            for write in (str, json.dumps, html.escape, repr, quote):
                assert write(value).strip("\"'") not in document, (name, value)


def test_no_error_document_holds_a_secret() -> None:
    value = "hf_" + "ZyXwVuTsRq98765PoNmLkJiHgFeDcBa4321"
    Secret(value, "HUGGINGFACE_TOKEN")
    for name in available():
        document = render_error(UsageError(Redactor().text(f"no such folder: /srv/{value}")), name)
        assert value not in document and leaks(document.encode()) == (), name


@QUICK
@given(value=HIDEABLE)
def test_a_traceback_that_quotes_it_leaves_without_it(value: str) -> None:
    known(value)
    try:
        raise RuntimeError("refused", {"password": value}, value.encode())
    except RuntimeError as error:
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    shown = redact(printable(text))
    assert value.strip() not in shown and leaks(shown.encode("utf-8", "backslashreplace")) == ()
