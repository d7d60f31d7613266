"""What single answers mean, among them those that no well-behaved Hub gives."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ot_doctor.evidence import Answer
from ot_doctor.sources.hub.answers import Reply, file_answer, identity, plain_body

VALUE = "hf_" + "Kw7" * 11 + "Z"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Reply(401, {"x-error-code": "GatedRepo", "x-error-message": "Access to model x is restricted. Please log in."}),
         Answer.NO_TOKEN),
        (Reply(401, {}, b"Invalid username or password."), Answer.BAD_TOKEN),
        (Reply(403, {"x-error-code": "GatedRepo", "x-error-message": "Please enable access to public gated repositories in your "
                     "fine-grained token settings to view this repository"}), Answer.SCOPE),
        (Reply(403, {"x-error-code": "GatedRepo"}), Answer.NOT_ACCEPTED),
        (Reply(403, {}, b"x is restricted and you are not in the authorized list."), Answer.NOT_ACCEPTED),
        (Reply(403, {}), Answer.PROXY),
        (Reply(407, {}), Answer.PROXY),
        (Reply(511, {}), Answer.PROXY),
        (Reply(418, {}), Answer.PROXY),
        (Reply(429, {"ratelimit": '"resolvers";r=0;t=52'}), Answer.RATE_LIMITED),
        (Reply(500, {}), Answer.UNAVAILABLE),
        (Reply(504, {}), Answer.UNAVAILABLE),
        (Reply(302, {"location": "http://login.hotel.example/"}), Answer.PROXY),
        (Reply(302, {"location": "https://cdn.example/", "x-repo-commit": "0" * 40}), Answer.OK),
    ],
)  # fmt: skip
def test_what_a_reply_means(reply: Reply, answer: Answer) -> None:
    assert file_answer(reply, with_token=True)[0] is answer


def test_a_401_to_an_anonymous_request_is_about_no_token() -> None:
    assert file_answer(Reply(401, {}, b"Invalid username or password."), with_token=False)[0] is Answer.NO_TOKEN


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"name": 3}', b"\xff\xfe", b"[" * 200_000])
def test_a_whoami_that_is_none(body: bytes) -> None:
    assert identity(Reply(200, {}, body)).answer is Answer.PROXY


def test_a_whoami_with_odd_parts_is_still_one() -> None:
    who = identity(Reply(200, {}, b'{"name": "a\\u001b[31mda", "type": 7, "auth": {"accessToken": "?"}}'))
    assert (who.answer, who.account, who.account_type, who.role) == (Answer.OK, "ada", "", "")


def test_texts_are_one_short_printable_line() -> None:
    reply = Reply(503, {"x-error-message": f"down \x1b[31mred\x1b[0m {VALUE}\r\n" + "x" * 5000})
    text = file_answer(reply, with_token=True)[1]
    assert len(text) <= 300
    assert re.match(r"HTTP 503 Service Unavailable: down red hf_…\(37:\w{4}\) xxx", text)


# -- bodies -------------------------------------------------------------------------------------------------------------


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(65_536)


def bomb(layers: int) -> bytes:
    content = bytes(20_000_000)
    for _ in range(layers):
        content = gzip.compress(content)
    return content


def test_a_body_is_read_up_to_a_bound() -> None:
    assert 1_000_000 <= len(plain_body(endless(), "")) < 1_100_000
    assert len(plain_body(iter([bytes(50_000_000)]), "")) < 1_100_000


def test_a_packed_body_is_unpacked_up_to_the_same_bound() -> None:
    packed = bomb(1)
    tracemalloc.start()
    try:
        assert len(plain_body([packed], "gzip")) == 1_000_000
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert len(plain_body([bomb(2)], "gzip, gzip")) < 1_000_000  # one layer, as far as it goes


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_a_proxy_packed_is_still_read(pack: Callable[[bytes], bytes]) -> None:
    body = plain_body([pack(b'{"name": "ada"}')], "GZip")
    assert identity(Reply(200, {}, body)).account == "ada"


@pytest.mark.parametrize(("body", "encoding"), [(b"{}", "gzip"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f", "zstd"), (b"", "br")])
def test_what_cannot_be_unpacked_is_empty(body: bytes, encoding: str) -> None:
    assert plain_body([body], encoding) == b""


# -- JSON that is meant to hurt ----------------------------------------------------------------------------------------

HOSTILE: list[Any] = [
    None, True, 3, -1e308, "", "x" * 900_000, "\ud800", "\x1b]0;x\x07", "\u202ex", [], [[]] * 1000, {}, {"a": {"b": []}}, VALUE,
]  # fmt: skip


@pytest.mark.parametrize(
    "place", ["name", "type", "auth", "accessToken", "displayName", "role", "fineGrained", "canReadGatedRepos", "error"]
)
def test_every_part_of_an_answer_may_be_anything(place: str) -> None:
    for value, status in itertools.product(HOSTILE, (200, 401, 500)):
        judge_an_answer(place, value, status)


def judge_an_answer(place: str, value: object, status: int) -> None:
    access: dict[str, object] = {"displayName": "d", "role": "fineGrained", "fineGrained": {"canReadGatedRepos": True}}
    who: dict[str, object] = {"name": "ada", "type": "user", "auth": {"accessToken": access}, "error": "no"}
    if place == "canReadGatedRepos":
        access["fineGrained"] = {place: value}
    elif place == "accessToken":
        who["auth"] = {place: value}
    else:
        (who if place in who else access)[place] = value
    found = identity(Reply(status, {"content-type": "application/json"}, json.dumps(who).encode()))
    for text in (found.account, found.account_type, found.token_name, found.role, found.text):
        assert len(text) <= 320 and text.isprintable() and VALUE not in text
        text.encode("utf-8")
    assert found.can_read_gated in (True, False, None)


@pytest.mark.parametrize(
    "body",
    [b"[" * 900_000, b'{"name":' * 100_000, b'{"name": ' + b"9" * 900_000 + b"}", b'{"name": NaN}', b'{"name": "a',
     b'"name"', b"\x00" * 1000, b'{"name": 1e99999}'],
    ids=range(8),
)  # fmt: skip
def test_a_body_that_is_meant_to_hurt_is_no_whoami(body: bytes) -> None:
    started = time.monotonic()
    assert identity(Reply(200, {}, body)).answer is Answer.PROXY
    assert file_answer(Reply(500, {}, body), with_token=True)[0] is Answer.UNAVAILABLE
    assert time.monotonic() - started < 5


def test_a_secret_at_the_place_where_a_long_text_is_cut_does_not_come_out() -> None:
    for length in range(16_384 - len(VALUE) - 2, 16_384 + 2):
        text = file_answer(Reply(500, {}, b"\xe2\x80\x8b" * 3 + b"A" * length + b" " + VALUE.encode()), with_token=True)[1]
        assert "hf_" not in text.replace("hf_…", "") and "Kw7" not in text


def test_when_to_ask_again_is_a_number_of_seconds() -> None:
    reply = Reply(429, {"ratelimit": ";t=" + "9" * 50_000})
    assert len(file_answer(reply, with_token=True)[1]) < 60
