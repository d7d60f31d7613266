"""Which settings are secret: told by a name or a value. What is secret is registered."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from ot_doctor.redaction import registry
from ot_doctor.redaction.common_words import is_common
from ot_doctor.redaction.needles import credentials
from ot_doctor.redaction.patterns import holds_key
from ot_doctor.redaction.secret import Secret, is_placeholder

_LONGEST_JUDGED = 1 << 16  # characters of a value by which is told whether it is a secret
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|(?<![A-Z])PASS(?:KEY|CODE)?(?![A-Z])|(?<!BY)(?<!COM)(?<!SUR)PASS$|[A-Z_]PWD?$|CREDENTIAL"
    r"|CREDS?(?![A-Z])|PRIVATE|PRIV_?KEY|API_?KEY|HMAC|(?<![A-Z])T?OTP(?![A-Z])|SESSION_?ID"
    r"|ACCESS_?KEY|ENCRYPT|_KEYS?(?![A-Z])|^KEY$|AUTH(?!OR(?!I))|DSN|COOKIE|(?<![A-Z])SALT(?![A-Z])|PEPPER|SIGNING|JWT|_PAT$|WEBHOOK"
    r"|CONN(?:ECTION)?_?STR|ROOT_?USER|AWS_(?!(?:DEFAULT_)?REGION|PROFILE)",
    re.IGNORECASE,
)
_NO_SECRET_NAME = re.compile(  # "tokens" of a language model, and settings about secrets
    r"(?:OLD)?PWD|XDG_SESSION_ID|TOKENIZERS?_\w+|(?:\w+_)?(?:MAX|MIN|NUM|TOTAL|CONTEXT)_(?:\w+_)?TOKENS?(?:_\w+)?"
    r"|\w+_(?:ALGORITHM|ENABLED|(?:EXPIRE_|EXPIRY_|TTL_)?(?:SECONDS|MINUTES|HOURS|DAYS)|TTL|LENGTH|LIMIT|COUNT|TYPE)",
    re.IGNORECASE,
)
_NAMES_A_FILE = re.compile(r"(?:_FILE|_PATH|_DIR|_SOCK)$", re.IGNORECASE)  # such as a Docker secret in /run/secrets
_SETTING = re.compile(  # a line of settings
    r"(?:^|[\s#;\"'-])(?P<name>[A-Za-z_][\w.-]{0,99})[\"']?\s{0,20}[=:]\s{0,20}(?P<value>.*)"
)
_ASSIGNS = re.compile(r"\s*(?:[A-Z][A-Z0-9_]*=|[A-Za-z_]\w*[=:](?!=?$))")  # the next setting; base64 may end with "="
_DEFAULT = re.compile(r"\$\{\w+:?[-=?+](.+)\}")
_LONG_RUN = re.compile(r"[A-Za-z0-9]{20,}")
_USER_INFO = re.compile(r"://[^\s/]{0,1024}@")  # kept by itself
_SECRET_VALUE = re.compile(
    r"\bhf_(?![a-z]{1,11}\b)[A-Za-z0-9]{8,}|\bapi_org_[A-Za-z0-9]{8,}|\bsk-[A-Za-z0-9_-]{16,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def is_secret(name: str, value: str) -> bool:
    """Whether a setting must be kept: its name or its value says so."""
    named = _SECRET_NAME.search(name) and not _NO_SECRET_NAME.fullmatch(name)
    if named and not (value.startswith("/") and _NAMES_A_FILE.search(name)):
        return True
    value = value[:_LONGEST_JUDGED]
    return bool(_SECRET_VALUE.search(value)) or holds_key(value) or _looks_drawn(value)


def _looks_drawn(value: str) -> bool:
    """Whether small and capital letters and digits stand in it as chance puts them: a key under an innocent name."""
    return any(
        sum(before.isdigit() != after.isdigit() for before, after in pairwise(run)) > 3
        for run in _LONG_RUN.findall(_USER_INFO.sub("://", value)) if not (run.islower() or run.isupper() or run.isdigit())
    )  # fmt: skip


def keep(name: str, value: str) -> str | Secret:
    """The value as it may travel: a ``Secret`` where the name or the value says so."""
    if is_secret(name, value):
        return Secret(value, name)
    for part in credentials(value):  # a proxy's address is no secret, and the password in it is one
        registry.current().add(part, name)
    return value


def register_text(text: str) -> None:
    """Register the secrets in a text of settings, however whoever reads it may take its quotes and comments."""
    before = ""  # the name of a secret without a value: the value may stand on the next line
    for line in text.splitlines():
        if before and len(line.split()) == 1 and not is_common(line.strip()) and not _ASSIGNS.match(line):
            keep(before, line.strip())
        setting = _SETTING.search(line)
        before = setting["name"] if setting and not setting["value"].strip("\\") and is_secret(setting["name"], "") else ""
        if setting and is_secret(setting["name"], setting["value"]):
            for value in dict.fromkeys(_readings(setting["value"])):
                prose = line.lstrip().startswith("#") and (is_common(value) or len(value.split()) > 1 or is_placeholder(value))
                if not prose:
                    keep(setting["name"], value)


def register_environment(environ: Mapping[str, str]) -> None:
    """Register the secrets among a process's variables."""
    for name, value in environ.items():
        if not (value.startswith("/") and os.path.lexists(value)):  # the socket of an agent, not what it keeps
            keep(name, value)


def _readings(written: str) -> Iterator[str]:
    """What a value may be to Compose, to a shell, or to YAML."""
    value = written.strip()
    yield value
    yield value.partition(" #")[0].rstrip()
    yield value.rstrip("\"',").replace("$$", "$")
    if default := _DEFAULT.fullmatch(value):
        yield default[1]
    quote = value[:1]
    if quote in ("'", '"') and (end := re.match(rf"{quote}((?:[^\\{quote}]|\\.)*){quote}", value)):
        yield end[1]
        yield re.sub(r"\\(.)", r"\1", end[1]).replace("$$", "$")
