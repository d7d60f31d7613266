"""Passwords in ``.env`` that are easily guessed: a word, a number, or short. No report can hide those everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import TOKEN_NAME, EnvEntry, EnvFile, Secret

SHOWN = 12  # passwords that are listed
EXPECTED = "at least 12 characters, with letters and digits mixed"
_PASSWORD = re.compile(r"PASS|PWD$|_PW$|SECRET|SALT|(?:JWT|ENCRYPTION|SIGNING|MASTER)_?KEY|HMAC", re.IGNORECASE)


@check("weak-passwords", title="The passwords in .env are not easily guessed", family=Family.ENV, after=("env-readable",))
def weak_passwords(env: EnvFile) -> Iterator[Finding]:
    """A password that is short, or a single word or number, is easily guessed.

    It also cannot be told from an ordinary word. It is hidden in log lines and container texts where it stands as a whole word,
    but not if it has fewer than four characters or is a common word of logs, such as 'true' or 'postgres'.

    Only passwords and keys that the installation chooses itself are checked, not the Hugging Face token. The value is never
    shown. No diarization fails because of it.

    To fix it, choose a random value, for example with 'openssl rand -hex 24'. A database keeps its old password until it is
    changed there, too.
    """
    if env.problem is not None:
        yield skipped(f"{env.path} could not be read.")
        return
    weak = [entry for entry in env.entries if _is_weak(entry) and env.entry(entry.key) is entry]
    for entry in weak[:SHOWN]:
        yield warned(
            f"{entry.key} on line {entry.line} of {env.path} is easily guessed: it is short, or a single word or number.",
            subject=entry.key, expected=EXPECTED,
            evidence=[Seen(".env", env.where(entry.line), f"{entry.key} is a weak password")],
            remedy=[
                Step(
                    f"Replace the value on line {entry.line} of {env.path} with the output of this command, and change the "
                    "password in the service that already uses it.", command="openssl rand -hex 24",
                ),
            ],
        )  # fmt: skip
    if len(weak) > SHOWN:
        yield warned(f"{len(weak) - SHOWN} more passwords in {env.path} are easily guessed.", expected=EXPECTED)
    if not weak:
        yield passed(f"No password in {env.path} is easily guessed.")


def _is_weak(entry: EnvEntry) -> bool:
    value = entry.value
    if not isinstance(value, Secret) or entry.key == TOKEN_NAME or not _PASSWORD.search(entry.key):
        return False
    return value.shape.weak or value.shape.placeholder
