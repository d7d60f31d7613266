"""What several checks ask about a value that may be a token."""

from __future__ import annotations

from ot_doctor.check import Cause, Seen
from ot_doctor.evidence import TOKEN_NAME, EnvFile, Secret, Shape, Unavailable, WorkerToken


def usable(value: object) -> bool:
    """Whether a setting's value may be a token: worth showing to the Hub."""
    return isinstance(value, Secret) and value.shape.well_formed and not value.shape.placeholder


def fault_of(shape: Shape) -> Cause | None:
    """What is wrong with a value, by its shape; ``None`` where it can be a token."""
    if shape.placeholder and not is_comment(shape):
        return Cause.TOKEN_PLACEHOLDER
    return None if shape.well_formed else Cause.TOKEN_MALFORMED


def is_comment(shape: Shape) -> bool:
    """Whether Compose took a comment for the value: ``KEY= # note``."""
    return any(odd.position == 1 and odd.code_point == "U+0023" for odd in shape.odd)


def fixed_in_file(token: WorkerToken, env: EnvFile | Unavailable) -> bool:
    """The ``.env`` has a usable token by now, and the container another value."""
    if isinstance(env, Unavailable) or not token.from_container:
        return False
    entry = env.entry(TOKEN_NAME)
    return entry is not None and usable(entry.value) and entry.value != token.value


def seen_token(token: WorkerToken, text: str = "") -> Seen:
    """The token as evidence: its shape, and where it was found."""
    return Seen("container" if token.from_container else ".env", token.where, text or f"{TOKEN_NAME} is {token.value}")
