"""The Docker SDK's client with bounds: no answer is taken in that is longer, deeper or slower than an engine's answers are."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ot_doctor.core.deadline import within
from ot_doctor.core.receipt import note_call

if TYPE_CHECKING:
    import docker
    import requests

LARGEST_ANSWER = 4 * 1024 * 1024  # bytes; the list of a thousand containers has fewer
_MOST_PARTS = 100_000  # brackets and commas of one answer: each takes some hundred bytes of memory
_DEEPEST = 100  # levels of nesting; Docker's own answers have ten
_PIECE = 64 * 1024  # bytes
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))


class NotDockers(ValueError):
    """An answer that no Docker engine gives; the text says what is wrong with it."""


def bounded_client(**settings: Any) -> docker.DockerClient:
    """The SDK's client, which takes in at most ``LARGEST_ANSWER`` bytes of an answer, within its ``timeout`` for the whole of it.

    A stream is left to whoever reads it. Requests raise ``NotDockers``, ``TookTooLong`` and what requests raises.
    """
    client, api = _classes()
    made: docker.DockerClient = client.__new__(client)
    made.api = api(**settings)
    return made


@functools.cache
def _classes() -> tuple[type[docker.DockerClient], type[docker.APIClient]]:
    import docker

    class BoundedApi(docker.APIClient):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            streamed = kwargs.pop("stream", False)
            note_call(request.method or "", request.path_url)

            def ask() -> requests.Response:
                response = super(BoundedApi, self).send(request, stream=True, **kwargs)
                if not streamed or response.status_code >= 400:  # the SDK reads an error's text whole, whatever was asked for
                    response._content = _body(response)
                    response._content_consumed = True  # type: ignore[attr-defined]
                return response

            return within(float(self.timeout), ask)

        def get_redirect_target(self, resp: requests.Response) -> str | None:
            """No engine sends anybody elsewhere, and what does is not followed."""
            return None

    return docker.DockerClient, BoundedApi


def _body(response: requests.Response) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := response.raw.read(_PIECE, decode_content=False):  # an engine packs nothing: no bomb is unpacked
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise NotDockers(f"it has more than {LARGEST_ANSWER // (1024 * 1024)} MB")
    finally:
        response.close()
    body = b"".join(pieces)
    _measure(body)
    return body


def _measure(body: bytes) -> None:
    """Refuse what would cost too much, or call itself too often, to be read as JSON."""
    outside = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2] if b'"' in body else [body]
    structure = b"".join(outside).translate(None, _NOT_STRUCTURE)
    if len(structure) > 2 * _MOST_PARTS:
        raise NotDockers(f"it has more than {2 * _MOST_PARTS:,} parts")
    depth = 0
    for sign in structure:
        depth += (sign in b"[{") - (sign in b"]}")
        if depth > _DEEPEST:
            raise NotDockers(f"it is nested more than {_DEEPEST} levels deep")


def an_object(answer: object) -> dict[str, Any]:
    """The answer, which must be a JSON object. Raises ``NotDockers``."""
    if not isinstance(answer, dict):
        raise NotDockers(f"it is {_kind(answer)}, and an object was expected")
    return answer


def objects_with_id(answer: object) -> list[dict[str, Any]]:
    """The answer, which must be a list of JSON objects that name themselves. Raises ``NotDockers``."""
    if not isinstance(answer, list):
        raise NotDockers(f"it is {_kind(answer)}, and a list was expected")
    for entry in answer:
        text_of(an_object(entry), "Id")
    return answer


def text_of(answer: object, key: str) -> str:
    """A text of an answer that must have one. Raises ``NotDockers``."""
    value = an_object(answer).get(key)
    if not isinstance(value, str) or not value:
        raise NotDockers(f"it has no {key}")
    return value


def _kind(answer: object) -> str:
    return {type(None): "null", list: "a list", dict: "an object", str: "a text"}.get(type(answer), "a number or a truth value")
