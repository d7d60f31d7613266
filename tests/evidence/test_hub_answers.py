"""What single answers mean, among them those that no well-behaved Hub gives."""

from __future__ import annotations

import re

import pytest

from ot_doctor.evidence import Answer
from ot_doctor.evidence.sources.hub_answers import Reply, file_answer, identity

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
