"""Secrets that are told by a pattern, or by what stands around them, although nobody registered their value."""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Mask = Callable[[str, str], str]  # of a value and what it is called: "Hugging Face token"
_USUAL_LENGTH = 37  # of a Hugging Face token
_HUB_TOKEN = "Hugging Face token"
_NO_PERSON = re.compile(
    r"(?i)(?:git|celery|worker\d*|noreply)@|@[\w.-]*\.(?:service|socket|timer|mount|target|py|so|sh|yml|yaml|json)$"
)


@dataclass(frozen=True)
class _Rule:
    """``pattern`` has a group ``secret``, the part to hide. Without one of the ``signs`` in a text it is not looked for.

    An example. In ``Retrying with token budget 3`` only the rule "secret setting" has a sign ("token"). Its ``hint`` wants a "="
    or ":" behind it and finds none, so that no pattern is tried at all. ``token=Ab3dE6gH9`` passes both, and the pattern finds
    "Ab3dE6gH9".
    """

    kind: str
    signs: tuple[str, ...]  # in lower case
    pattern: str  # compiled when it is needed first: most reports need few of them
    holds: Callable[[re.Match[str]], bool] = lambda match: True
    is_key: bool = False  # of a well-known service
    hint: str = ""  # a quicker look at the text in lower case, where the signs are usual words


def _of_two_lines(match: re.Match[str]) -> bool:
    """A token that a terminal broke: told by its length from one that ends where the line does."""
    return len(match["first"]) + len(match["rest"]) == _USUAL_LENGTH


def _no_identifier(match: re.Match[str]) -> bool:
    """``hf_transfer`` and ``hf_headers`` are names in programs."""
    body = re.split(r"_|%5[fF]|\\u005[fF]", match["secret"], maxsplit=1)[1]
    return not (body.isalpha() and body.islower() and len(body) < 12)


def _looks_random(match: re.Match[str]) -> bool:
    """Not a word, a name or a number: ``max_tokens=4096``, ``token=settings``, ``Bearer authentication``."""
    value = match["secret"]
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    return (letters and digits) or (len(value) >= 20 and value.isalnum() and not (value.islower() or value.isupper()))


def _has_credentials(match: re.Match[str]) -> bool:
    """``Basic`` is also an English word: what follows is decoded."""
    value = match["secret"].rstrip("=")
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_" if set(value) & set("-_") else None)
    except (binascii.Error, ValueError):
        return False


def _is_address(match: re.Match[str]) -> bool:
    return not _NO_PERSON.search(match["secret"])


_QUOTE = r"""(?:\\?["'])"""
_RULES = (
    _Rule(
        "private key", ("private key",),
        r"(?s)(?P<secret>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z))",
    ),
    _Rule(
        _HUB_TOKEN, ("hf_",),
        r"(?P<secret>(?P<first>hf_[A-Za-z0-9]{6,33})\s{0,40}\n\s{0,40}(?P<rest>[A-Za-z0-9]{1,28})(?![A-Za-z0-9]))",
        _of_two_lines,
    ),
    _Rule(  # also one that was pasted twice
        _HUB_TOKEN, ("hf_", "hf%5f", "hf\\u005f"),
        r"(?P<secret>hf(?:_|%5[fF]|\\u005[fF])[A-Za-z0-9]{6,}(?:(?<=hf)(?:_|%5[fF]|\\u005[fF])[A-Za-z0-9]{1,200})*)",
        _no_identifier,
    ),
    _Rule(_HUB_TOKEN, ("api_org_",), r"(?P<secret>api_org_[A-Za-z0-9]{6,})"),
    _Rule(
        "credentials of an address", ("://",),
        r"://[^\s/:@…]{0,255}:(?P<secret>(?![…)]|\*+@|PASSWORD@|<[^\s<>]*>@|\$[A-Z_]{3,}@|\$\{\w+\}@)[^\s/@]{1,1024})@",
    ),
    _Rule("credentials of an address", ("://",), r"://(?P<secret>[^\s/:@…]{20,1024})@"),
    _Rule("JSON web token", ("eyj",), r"\b(?P<secret>eyJ[\w-]{8,4096}\.[\w-]{8,}(?:\.[\w-]*)?)"),
    _Rule(
        "bearer token", ("bearer",),
        r"(?i)bearer(?:\s|%20|\+)+(?P<secret>(?!(?:hf_|api_(?:org_)?|eyJ)…)[^\s'\",;…\\]{6,})", _looks_random,
    ),
    _Rule(
        "basic credentials", ("basic",),
        r"(?i)basic(?:\s|%20|\+)+(?P<secret>[\w+/-]{4,}={0,2})", _has_credentials,
    ),
    _Rule(
        "password", ("passw", "passphrase", "pwd"),
        rf"(?i)(?:passw(?:or)?d|passphrase|pwd){_QUOTE}?\s{{0,5}}(?:[=:]|=>)\s{{0,5}}{_QUOTE}(?P<secret>[^\s\"'\\…]{{1,200}})",
    ),
    _Rule(
        "password", ("--",),
        r"(?i)--[\w-]{0,40}(?:passw(?:or)?d|token|secret|api-?key)[ =](?P<secret>(?![<$])[^\s\"',;&…\\]{4,200})", _looks_random,
    ),
    _Rule(
        "password", ("passw", "passphrase", "pwd", "pass="),
        r"(?i)(?:passw(?:or)?d|passphrase|pwd|(?<![a-z])(?:db|smtp|pg|redis|mysql|root|admin|user|ftp)_?pass)=(?P<secret>(?![<$])[^\s\"',;&…\\]{1,200})",
    ),
    _Rule(
        "password", ("passw", "passphrase", "pwd"),
        r"(?i)(?:passw(?:or)?d|passphrase|pwd)\s{0,5}:\s{0,5}(?P<secret>(?![<$])[^\s\"',;…\\]{6,200})", _looks_random,
    ),
    _Rule(
        "secret setting", ("token", "secret", "key", "credential", "hmac", "seed"),
        (
            r"(?i)(?:token|secret|(?:api|access|secret|priv|private|encryption|signing|auth|jwt|hmac)[_-]?key|credentials?|hmac|otp_?seed)"
            rf"{_QUOTE}?\s{{0,5}}[=:]\s{{0,5}}{_QUOTE}?(?P<secret>[A-Za-z0-9_+/=~-]{{8,1024}})(?![\w.(\[]|\.\w)"
        ),
        _looks_random, hint=r"""(?:token|secret|key|credentials?|hmac|seed)(?:\\?["'])?\s{0,5}[=:]""",
    ),
    _Rule(
        "e-mail address", ("@", "%40"),
        r"(?<![\w.+%/-])(?P<secret>[\w.+-]{1,64}(?:@|%40)(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24})(?![\w-]|\.\w)",
        _is_address,
    ),
)  # fmt: skip


@cache
def _data() -> dict[str, Any]:
    """``patterns.toml``: what well-known services' keys look like, and the words that stay."""
    text = files("ot_doctor.redaction").joinpath("patterns.toml").read_text(encoding="utf-8")
    data: dict[str, Any] = tomllib.loads(text)
    return data


@cache
def _services() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            rule["kind"], tuple(rule["signs"]), rule["pattern"], _looks_random if rule.get("random") else lambda match: True,
            is_key=rule["kind"] in ("access key", "webhook address"),
        ) for rule in _data()["pattern"]
    )  # fmt: skip


@cache
def _signs() -> tuple[tuple[str, _Rule], ...]:
    return tuple((sign, rule) for rule in (*_services(), *_RULES) for sign in rule.signs)


@cache
def _key_signs() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(sign) for rule in _services() if rule.is_key for sign in rule.signs))


@cache
def common_words() -> frozenset[str]:
    """Words that logs are made of."""
    return frozenset(_data()["common_words"].split())


def holds_key(value: str) -> bool:
    """Whether a key of a well-known service stands in a value, whatever its name."""
    if not _key_signs().search(lower := value.lower()):  # nearly always
        return False
    rules = (rule for rule in _services() if rule.is_key and any(sign in lower for sign in rule.signs))
    return any(rule.holds(match) for rule in rules for match in re.finditer(rule.pattern, value))


def mask_patterns(text: str, mask: Mask) -> str:
    """``text`` with a mask for everything that has the pattern of a secret. What was hidden once stays as it is."""
    lower = text.lower()
    for rule in dict.fromkeys([rule for sign, rule in _signs() if sign in lower]):  # every text passes here, and most have none
        if re.search(rule.hint, lower):
            text = re.sub(rule.pattern, partial(_hidden, rule, mask), text)
    return text


def _hidden(rule: _Rule, mask: Mask, match: re.Match[str]) -> str:
    start, end = match.span("secret")
    if not rule.holds(match) or match.string[end : end + 1] == "…":  # hidden already
        return match[0]
    return match.string[match.start() : start] + mask(match["secret"], rule.kind) + match.string[end : match.end()]
