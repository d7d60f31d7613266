"""Whether the worker's token can be one, by its shape."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from shlex import quote

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import TOKEN_NAME, Deployment, EnvFile, ModelCache, Shape, Unavailable, Workers, WorkerToken

from ._remedies import recreate, replace_token
from ._severity import fault
from ._tokens import mended_in_file, seen_token

LENGTH = 37  # hf_ and 34 letters and digits: every token that was seen
EXPECTED = "hf_ and 34 letters and digits, nothing before and nothing behind"


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
) -> Iterator[Finding]:
    """A token is hf_ and 34 letters and digits. Anything else in the value makes the Hub refuse it, or never reaches the Hub.

    The value in the worker's container is looked at, not the line in .env: quotes round the whole value, spaces round the equals
    sign, CRLF line ends, a byte order mark and 'export' are taken away by Compose and do no harm.

    What breaks it: the example value was left in; curly quotes or an invisible character came along with the copy; the name was
    pasted together with the token; a comment stayed in the value (after a TAB, without a space before the #, or behind an empty
    value); the token was pasted twice or cut off; it is an organization's token (api_org_…).

    To mend it, write the line again by hand and recreate the worker. The token itself is never shown, only its length and
    the characters that do not belong there.
    """
    if token.value is None or token.value.blank:
        yield skipped("the worker has no token to look at")
        return
    shape = token.value.shape
    seen = [seen_token(token)]
    if token.env_line and token.env_line != token.where:
        seen.append(Seen(".env", token.env_line, "the line that sets it"))
    fresh = replace_token(token, env, deployment, workers)
    if mended_in_file(token, env):
        fresh = (recreate(deployment, workers),)
    if shape.placeholder and not _is_comment(shape):
        message = f"{TOKEN_NAME} is still an example value, not a token{_at(token)}"
        yield fault(cache, Cause.TOKEN_PLACEHOLDER, message, subject=TOKEN_NAME, expected=EXPECTED, evidence=seen, remedy=fresh)
    elif not shape.well_formed:
        repaired = _repair(token, env, shape)
        remedy = (*repaired, recreate(deployment, workers)) if repaired else fresh
        yield fault(
            cache, Cause.TOKEN_MALFORMED, f"{_fault(shape)}{_at(token)}", subject=TOKEN_NAME, expected=EXPECTED, evidence=seen,
            remedy=remedy,
        )  # fmt: skip
    elif shape.length != LENGTH:
        message = f"the token has {shape.length} characters, {LENGTH} are usual: a part may be missing, or something may be added"
        yield warned(f"{message}{_at(token)}", subject=TOKEN_NAME, expected=EXPECTED, evidence=seen, remedy=fresh)
    else:
        yield passed(f"the token is well-formed ({token.value})", evidence=seen)


def _at(token: WorkerToken) -> str:
    return f" ({token.env_line or token.where})"


def _is_comment(shape: Shape) -> bool:
    return any(odd.position == 1 and odd.code_point == "U+0023" for odd in shape.odd)


def _fault(shape: Shape) -> str:
    """What is wrong with a value that is no token."""
    odd = ", ".join(f"character {o.position} of {shape.length} is {o.code_point} {o.name}" for o in shape.odd[:3])
    if _is_comment(shape):
        return f"{TOKEN_NAME} is a comment, not a token: behind 'KEY=' Compose takes '# …' for the value"
    if shape.pasted_name:
        twice = "the name was pasted twice" if shape.pasted_name == TOKEN_NAME else "a name was pasted together with the token"
        return f"the value of {TOKEN_NAME} begins with '{shape.pasted_name}=': {twice}"
    if shape.comment:
        return f"a comment stayed in the value of {TOKEN_NAME}: {odd}"
    if shape.prefix in ("api_org_", "api_"):
        whose = "an organization's token" if shape.prefix == "api_org_" else "a token of the old kind (api_…)"
        return f"{TOKEN_NAME} is {whose}; a user's token (hf_…) is needed"
    if shape.repeated:
        return f"the token stands in the value of {TOKEN_NAME} more than once"
    if shape.odd:
        return f"{TOKEN_NAME} has a character that no token has: {odd}"
    if not shape.prefix:
        return f"{TOKEN_NAME} does not begin with hf_"
    return f"the token is cut off: {shape.length} characters, {LENGTH} are usual"


def _repair(token: WorkerToken, env: EnvFile | Unavailable, shape: Shape) -> tuple[Step, ...]:
    """Keep nothing but the token on its line; nothing when no whole token can be seen in the value, or it has several lines."""
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
    script = f"{line}s/^.*(hf_[A-Za-z0-9]{{{LENGTH - 3}}}).*$/{TOKEN_NAME}=\\1/"
    text = f"Keep nothing but the token on line {line} of {env.path} (or write the line again by hand)."
    return (Step(text, command=f"LC_ALL=C sed -i -E '{script}' {quote(str(env.path))}", risk=Risk.CHANGES_FILES),)
