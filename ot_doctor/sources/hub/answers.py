"""What an answer of the Hub, or the lack of one, means."""

from __future__ import annotations

import json
import re
import socket
import ssl
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from ot_doctor.core.printable import printable
from ot_doctor.evidence.hub import Answer, Identity
from ot_doctor.redaction.masking import redact_outside
from ot_doctor.sources.hub.plain_urls import origin

LONGEST_TEXT = 300
_LARGEST_BODY = 1_000_000  # bytes, packed and unpacked
_LONGEST_REDACTED = 16_384  # characters; far more than is shown
REDIRECTS = (301, 302, 303, 307, 308)

_COMMIT = "x-repo-commit"  # every file of a Hub is sent with it; a portal's page is not
TELLING_HEADERS = (_COMMIT,)  # those that may stand on a redirect in place of the last answer
_DNS_WORDS = re.compile(
    r"name resolution|name or service not known|failed to resolve|getaddrinfo failed|nodename nor servname|no address associated",
    re.IGNORECASE,
)
_TLS_WORDS = re.compile(r"CERTIFICATE_VERIFY_FAILED|\[SSL|TLS CA certificate bundle")


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: header names in lower case, no more of the body than tells something."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def code(self) -> str:
        return self.headers.get("x-error-code", "")

    @property
    def message(self) -> str:
        """The Hub's own words: from the header, as a HEAD has no body; else from the body."""
        return self.headers.get("x-error-message", "") or self._words_of_body()

    def _words_of_body(self) -> str:
        if not self.body or "html" in self.headers.get("content-type", "").lower():
            return ""
        content = self.json()
        if isinstance(content, dict):
            error = content.get("error")
            return error if isinstance(error, str) else ""
        return self.body.decode("utf-8", "replace")

    def json(self) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def plain_body(pieces: Iterable[bytes], encoding: str) -> bytes:
    """The beginning of a body that comes in ``pieces``; packed ones (a proxy's, as none was asked for) are unpacked as far."""
    sent = bytearray()
    for piece in pieces:
        sent += piece[:_LARGEST_BODY]
        if len(sent) > _LARGEST_BODY:
            break
    if encoding.strip().lower() in ("", "identity"):
        return bytes(sent)
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(sent, _LARGEST_BODY)  # gzip or deflate, once
    except zlib.error:
        return b""


def clean(text: object) -> str:
    """``text`` as it may be shown: one line, printable, redacted and not long."""
    whole = text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""  # JSON may hold halves of characters
    line = " ".join(printable(whole).split())
    if len(line) > _LONGEST_REDACTED:
        line = line[:_LONGEST_REDACTED].rpartition(" ")[0]  # a secret that is cut would not be known for one
    line = " ".join(redact_outside(line).split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def file_answer(reply: Reply, *, with_token: bool) -> tuple[Answer, str]:
    """What the answer to the HEAD of a file means, and the words to show for it."""
    if reply.status < 400:
        if reply.headers.get(_COMMIT):
            return Answer.OK, ""
        return Answer.PROXY, _elsewhere(reply) or (
            f"HTTP {reply.status} without the {_COMMIT} header: something else answered in the Hub's place"
        )
    return refusal(reply, with_token=with_token), _words(reply)


def refusal(reply: Reply, *, with_token: bool) -> Answer:
    """Why the Hub, or something before it, refused. For 401 and 403 the text decides before the code."""
    text = reply.message.lower()
    if reply.status in (401, 403):
        if "fine-grained token settings" in text or "access to public gated repositories" in text:
            return Answer.SCOPE
        if "awaiting a review" in text:
            return Answer.PENDING
        if "has been rejected" in text:
            return Answer.REJECTED
    if reply.status == 401:
        if reply.code == "GatedRepo" or not with_token:
            return Answer.NO_TOKEN
        return Answer.EXPIRED_TOKEN if "is expired" in text else Answer.BAD_TOKEN
    if reply.status == 403 and (reply.code == "GatedRepo" or "not in the authorized list" in text):
        return Answer.NOT_ACCEPTED
    if reply.status in (404, 410):
        return Answer.NOT_FOUND
    if reply.status == 429:
        return Answer.RATE_LIMITED
    if reply.status == 408:
        return Answer.TIMEOUT
    if reply.status >= 500 and reply.status != HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED:
        return Answer.UNAVAILABLE
    return Answer.PROXY


def identity(reply: Reply) -> Identity:
    """Who the token belongs to, by the answer to ``whoami``."""
    if reply.status >= 400:
        return Identity(refusal(reply, with_token=True), text=_words(reply))
    who = reply.json()
    if reply.status >= 300 or not isinstance(who, dict) or not isinstance(who.get("name"), str):
        text = _elsewhere(reply) or f"HTTP {reply.status}, and not a Hub's answer: something else answered in its place"
        return Identity(Answer.PROXY, text=text)
    token = _mapping(_mapping(who.get("auth")).get("accessToken"))
    role = clean(token.get("role"))
    may_read_gated = _mapping(token.get("fineGrained")).get("canReadGatedRepos")
    return Identity(
        Answer.OK,
        account=clean(who["name"]),
        account_type=clean(who.get("type")),
        token_name=clean(token.get("displayName")),
        role=role,
        can_read_gated=may_read_gated if role == "fineGrained" and isinstance(may_read_gated, bool) else None,
    )


def _elsewhere(reply: Reply) -> str:
    """The words for a redirect to another server; of its address no more than the server, as the rest may hold a key."""
    target = origin(reply.headers.get("location", "")) if reply.status in REDIRECTS else None
    return f"HTTP {reply.status} redirects to {clean(str(target))}, another server, which was not asked" if target else ""


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _words(reply: Reply) -> str:
    try:
        status = f"HTTP {reply.status} {HTTPStatus(reply.status).phrase}"
    except ValueError:
        status = f"HTTP {reply.status}"
    words = clean(reply.message)
    wait = re.search(r";\s*t\s*=\s*(\d{1,6})", reply.headers.get("ratelimit", "")) if reply.status == 429 else None
    again = f" (again in {wait[1]} s)" if wait else ""
    return clean(f"{status}: {words}{again}" if words else status + again)


def failure(error: BaseException, *, proxy: str | None) -> tuple[Answer, str]:
    """What went wrong where no answer came, by the chain of exceptions; the client's own classes differ by its version.

    ``proxy`` is the one that the request went through: what fails before a connection stands failed there.
    """
    chain = tuple(_chain(error))
    answer = _failure(error, chain)
    names = {type(e).__name__ for e in chain}
    unconnected = any(name.startswith(("Connect", "NewConnection", "NameResolution")) for name in names)
    if proxy and unconnected and answer in (Answer.DNS, Answer.REFUSED, Answer.TIMEOUT):
        answer = Answer.PROXY
    text = next((str(e) for e in reversed(chain) if str(e)), type(error).__name__)
    return answer, clean(f"through the proxy {proxy}: {text}" if proxy else text)


def _failure(error: BaseException, chain: tuple[BaseException, ...]) -> Answer:
    names = {type(e).__name__ for e in chain}
    text = " ".join(str(e) for e in chain)
    if "ProxyError" in names or "in location header" in text:  # the client itself refuses an odd redirect
        return Answer.PROXY
    if any(isinstance(e, ssl.SSLError | FileNotFoundError) for e in chain) or "SSLError" in names or _TLS_WORDS.search(text):
        return Answer.TLS  # a CA file that is not there counts as well
    if any(isinstance(e, socket.gaierror) for e in chain) or "NameResolutionError" in names or _DNS_WORDS.search(text):
        return Answer.DNS
    if any(isinstance(e, TimeoutError) for e in chain) or any("Timeout" in name for name in names):
        return Answer.TIMEOUT
    if isinstance(error, ValueError | ImportError) or type(error).__name__ in ("InvalidURL", "UnsupportedProtocol"):
        return Answer.PROXY  # the endpoint is well-formed, so the client could not make use of a proxy setting
    return Answer.REFUSED


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what brought it about, the root of it last."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        waiting += [e for e in inner if isinstance(e, BaseException)]
