"""Whether the worker's token can be one, by its shape."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ot_doctor.actions import EditEnv, LineChange, LineEdit
from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import TOKEN_NAME, Deployment, EnvFile, ModelCache, Shape, Unavailable, WorkerProbe, Workers, WorkerToken

from ._remedies import edited, recreate, replace_token
from ._severity import fault
from ._tokens import fault_of, fixed_in_file, is_comment, seen_token
from ._worker_view import NOT_LOOKED, own_token

LENGTH = 37  # hf_ and 34 letters and digits: every known token
EXPECTED = "hf_ and 34 letters and digits, with nothing before or after"


@check(
    "token-format",
    title="The token looks like a token",
    family=Family.TOKEN,
    causes=(Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED),
    after=("token-present",),
)
def token_format(
    token: WorkerToken,
    env: EnvFile | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
    cache: ModelCache | Unavailable,
    probe: WorkerProbe | Unavailable = NOT_LOOKED,
) -> Iterator[Finding]:
    """A token is hf_ and 34 letters and digits. The Hub rejects a value with anything else in it, or never gets it.

    The value in the worker's container is checked, not the line in .env: Compose removes quotes around the whole value, spaces
    around the equals sign, CRLF line ends, a byte order mark and 'export', so they do no harm.

    What breaks it: the example value was never replaced; curly quotes or an invisible character were copied along; the name was
    pasted together with the token; a comment became part of the value (after a TAB, without a space before the #, or after an
    empty value); the token was pasted twice or cut off; it is an organization's token (api_org_…).

    To fix it, type the line again by hand and recreate the worker. The token itself is never shown, only its length and
    the characters that do not belong there.
    """
    if own_token(probe):
        yield passed("The worker's process has another token, which its entry point sets and the Hub is asked about.")
        return
    if token.value is None or token.value.blank:
        yield skipped("The worker has no token to check.")
        return
    shape = token.value.shape
    seen = [seen_token(token)]
    if token.env_line and token.env_line != token.where:
        seen.append(Seen(".env", token.env_line, f"this line sets {TOKEN_NAME}"))
    fresh = replace_token(token, env, deployment, workers)
    if fixed_in_file(token, env):
        fresh = (recreate(deployment, workers),)
    fault_found = fault_of(shape)
    if fault_found is Cause.TOKEN_PLACEHOLDER:
        message = f"{TOKEN_NAME} is still an example value, not a token{_at(token)}."
        yield fault(cache, Cause.TOKEN_PLACEHOLDER, message, subject=TOKEN_NAME, expected=EXPECTED, evidence=seen, remedy=fresh)
    elif fault_found:
        repaired = _repair(token, env, shape)
        remedy = (*repaired, recreate(deployment, workers)) if repaired else fresh
        yield fault(
            cache, Cause.TOKEN_MALFORMED, f"{_fault(shape, token)}{_at(token)}.", subject=TOKEN_NAME, expected=EXPECTED,
            evidence=seen, remedy=remedy,
        )  # fmt: skip
    elif shape.length != LENGTH:
        message = f"The token has {shape.length} characters instead of {LENGTH}; a part may be missing, or something may be added"
        yield warned(f"{message}{_at(token)}.", subject=TOKEN_NAME, expected=EXPECTED, evidence=seen, remedy=fresh)
    else:
        yield passed(f"The token is well-formed ({token.value}).", evidence=seen)


def _at(token: WorkerToken) -> str:
    return f" ({token.env_line or token.where})"


def _fault(shape: Shape, token: WorkerToken) -> str:
    """What is wrong with a value that is not a token."""
    odd = ", ".join(f"character {o.position} of {shape.length} is {o.code_point} {o.name}" for o in shape.odd[:3])
    if is_comment(shape):
        where = ".env" if token.env_line else "the worker"
        return f"There is no token in {where}: the line has only a comment, and Compose takes it for the value of {TOKEN_NAME}"
    if shape.pasted_name:
        twice = "the name was pasted twice" if shape.pasted_name == TOKEN_NAME else "a name was pasted together with the token"
        return f"The value of {TOKEN_NAME} begins with '{shape.pasted_name}=': {twice}"
    if shape.comment:
        return f"A comment is part of the value of {TOKEN_NAME}: {odd}"
    if shape.prefix in ("api_org_", "api_"):
        whose = "an organization's token" if shape.prefix == "api_org_" else "a token of the old kind (api_…)"
        return f"{TOKEN_NAME} is {whose}; use a user's token (hf_…)"
    if shape.repeated:
        return f"The value of {TOKEN_NAME} contains the token more than once"
    if shape.odd:
        return f"{TOKEN_NAME} has a character that does not belong in a token: {odd}"
    if not shape.prefix:
        return f"{TOKEN_NAME} does not begin with hf_"
    return f"The token is cut off: it has {shape.length} characters instead of {LENGTH}"


def _repair(token: WorkerToken, env: EnvFile | Unavailable, shape: Shape) -> tuple[Step, ...]:
    """Keep only the token on its line; nothing where the value has no whole token, or has several lines."""
    if isinstance(env, Unavailable) or any(odd.code_point == "U+000A" for odd in shape.odd):
        return ()
    entry = env.entry(TOKEN_NAME)
    if entry is None or entry.value != token.value:
        return ()
    line = entry.line
    ends = [0, *(odd.position for odd in shape.odd), shape.length + 1]
    runs = {after - before - 1 for before, after in pairwise(ends)}
    if LENGTH not in runs and not (shape.repeated and 2 * LENGTH in runs):
        return ()
    script = f"{line}s/^.*{TOKEN_NAME}.*(hf_[A-Za-z0-9]{{{LENGTH - 3}}}).*$/{TOKEN_NAME}=\\1/"
    text = f"Keep only the token on line {line} of {env.path}."
    action = EditEnv(str(env.path), (LineEdit(line, LineChange.KEEP_TOKEN, TOKEN_NAME),))
    return (edited(env, text, [script], action=action),)
