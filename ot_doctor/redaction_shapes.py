"""Secrets that are told by their shape, or by what stands around them, although nobody met their value."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

StandIn = Callable[[str, str], str]  # of a value and what it is called: "Hugging Face token"
_USUAL_LENGTH = 37  # of a Hugging Face token
_HUB_TOKEN = "Hugging Face token"
_NO_PERSON = re.compile(
    r"(?i)(?:git|celery|worker\d*|noreply)@|@[\w.-]*\.(?:service|socket|timer|mount|target|py|so|sh|yml|yaml|json)$"
)


@dataclass(frozen=True)
class _Rule:
    """``pattern`` has a group ``secret``, the part to hide. Without one of the ``signs`` in a text it is not looked for."""

    kind: str
    signs: tuple[str, ...]  # in lower case
    pattern: str  # compiled when it is needed first: most reports need few of them
    holds: Callable[[re.Match[str]], bool] = lambda match: True
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
    _Rule(_HUB_TOKEN, ("hf_", "hf%5f", "hf\\u005f"), r"(?P<secret>hf(?:_|%5[fF]|\\u005[fF])[A-Za-z0-9]{6,})", _no_identifier),
    _Rule(_HUB_TOKEN, ("api_org_",), r"(?P<secret>api_org_[A-Za-z0-9]{6,})"),
    _Rule(
        "credentials of an address", ("://",),
        r"://[^\s/:@…]{0,255}:(?P<secret>(?![…)]|\*+@|PASSWORD@|<[^\s<>]*>@|\$[A-Z_]{3,}@|\$\{\w+\}@)[^\s/@]{1,1024})@",
    ),
    _Rule("credentials of an address", ("://",), r"://(?P<secret>[^\s/:@…]{20,1024})@"),
    _Rule("JSON web token", ("eyj",), r"\b(?P<secret>eyJ[\w-]{8,4096}\.[\w-]{8,}(?:\.[\w-]*)?)"),
    _Rule(
        "access key", ("sk-", "gh", "akia", "asia", "glpat-", "xox", "aiza", "dckr_pat_"),
        (
            r"\b(?P<secret>sk-(?=[\w-]{0,200}\d)[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|(?:AKIA|ASIA)[A-Z0-9]{16}\b"
            r"|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}|dckr_pat_[\w-]{20,})"
        ),
    ),
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
        "password", ("passw", "passphrase", "pwd"),
        r"(?i)(?:passw(?:or)?d|passphrase|pwd)=(?P<secret>(?![<$])[^\s\"',;&…\\]{1,200})",
    ),
    _Rule(
        "password", ("passw", "passphrase", "pwd"),
        r"(?i)(?:passw(?:or)?d|passphrase|pwd)\s{0,5}:\s{0,5}(?P<secret>(?![<$])[^\s\"',;…\\]{6,200})", _looks_random,
    ),
    _Rule(
        "secret setting", ("token", "secret", "key", "credential"),
        (
            r"(?i)(?:token|secret|(?:api|access|secret|private|encryption|signing|auth|jwt)[_-]?key|credentials?)"
            rf"{_QUOTE}?\s{{0,5}}[=:]\s{{0,5}}{_QUOTE}?(?P<secret>[A-Za-z0-9_+/=~-]{{8,1024}})(?![\w.(\[]|\.\w)"
        ),
        _looks_random, r"""(?:token|secret|key|credentials?)(?:\\?["'])?\s{0,5}[=:]""",
    ),
    _Rule(
        "e-mail address", ("@", "%40"),
        r"(?<![\w.+%/-])(?P<secret>[\w.+-]{1,64}(?:@|%40)(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24})(?![\w-]|\.\w)",
        _is_address,
    ),
)  # fmt: skip


def hide_shapes(text: str, stand_in: StandIn) -> str:
    """``text`` with a stand-in for everything that has a secret's shape. What was hidden once stays as it is."""
    lower = text.lower()
    for rule in _RULES:
        if any(sign in lower for sign in rule.signs) and re.search(rule.hint, lower):
            text = re.sub(rule.pattern, partial(_hidden, rule, stand_in), text)
    return text


def _hidden(rule: _Rule, stand_in: StandIn, match: re.Match[str]) -> str:
    if not rule.holds(match):
        return match[0]
    start, end = match.span("secret")
    return match.string[match.start() : start] + stand_in(match["secret"], rule.kind) + match.string[end : match.end()]
