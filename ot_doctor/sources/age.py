"""Encrypts a finished file with ``age``, which reads it from a pipe: the plain bytes never touch the disk."""

from __future__ import annotations

import re

from ot_doctor.core.printable import printable
from ot_doctor.sources import programs

SECONDS = 20.0
_MORE = 2**20  # bytes that encryption may add
MAGIC = b"age-encryption.org/v1"  # how every encrypted file begins
_BECH32 = "[02-9ac-hj-np-z]"
# Keys of age itself and of ssh. Those of plug-ins are refused: age would start a program that the recipient names.
_OF_SSH = "(ssh-(?:ed25519|rsa) [A-Za-z0-9+/]{40,2000}={0,2})(?: .*)?"
_RECIPIENT = re.compile(f"age1{_BECH32}{{58}}|age1pq1{_BECH32}{{1900,2000}}|{_OF_SSH}")
_INSTALL = (
    "Install it: 'sudo apt-get install -y age' on Debian and Ubuntu, 'sudo dnf install -y age' on Fedora, "
    "'brew install age' on macOS."
)


class CannotEncrypt(Exception):
    """The text is a sentence or two: what is wrong, and what to do."""


def recipient_of(text: str) -> str:
    """The recipient as age is given it. Raises ``CannotEncrypt`` for what is no public key that age takes by itself."""
    match = _RECIPIENT.fullmatch(text.strip(" "))
    if not match:
        secret = text.strip().upper().startswith("AGE-SECRET-KEY-")
        what = "a secret key, which must not leave its owner" if secret else "no recipient of age"
        raise CannotEncrypt(f"This is {what}. Give a public key: age1… (the line 'public key' of age-keygen) or ssh-ed25519 ….")
    return match[1] or match[0]


def encrypted(data: bytes, recipient: str) -> bytes:
    """The bytes, encrypted to ``recipient``. Raises ``CannotEncrypt``."""
    program = programs.find("age")
    if program is None:
        raise CannotEncrypt(f"The program age is not installed. {_INSTALL}")
    try:
        command = [program, "--encrypt", "--recipient", recipient]
        ended = programs.run(command, {}, "/", SECONDS, most=len(data) + _MORE, data=data)
    except OSError as error:  # a TimeoutError is one
        raise CannotEncrypt(f"age could not encrypt: {error.strerror or error}.") from error
    if ended.code or not ended.output.startswith(MAGIC):
        said = next((line for line in printable(ended.errors).splitlines() if line.startswith("age: ")), "age: it gave no reason")
        raise CannotEncrypt(f"age could not encrypt: {said.removeprefix('age: ').removeprefix('error: ').rstrip('.')}.")
    return ended.output
