"""Whether the worker has a token at all."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.actions import EditEnv, LineChange, LineEdit
from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, passed, skipped
from ot_doctor.evidence import (
    TOKEN_NAME,
    Deployment,
    EnvEntry,
    EnvFile,
    ModelCache,
    Secret,
    Unavailable,
    WorkerProbe,
    Workers,
    WorkerToken,
)

from ._remedies import commented, commenting_out, edited, lines_of, recreate, replace_token
from ._severity import fault
from ._tokens import fixed_in_file, seen_token
from ._worker_view import NOT_LOOKED, own_token

EXPECTED = f"{TOKEN_NAME} with a token (type: Read)"


@check("token-present", title="The worker has a Hugging Face token", family=Family.TOKEN, causes=(Cause.TOKEN_MISSING,))
def token_present(
    token: WorkerToken,
    env: EnvFile | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
    cache: ModelCache | Unavailable,
    probe: WorkerProbe | Unavailable = NOT_LOOKED,
) -> Iterator[Finding]:
    """Hugging Face gives the pyannote models that distinguish speakers only to known accounts, so the worker needs a token.

    It is checked where it counts: in the environment of the container that diarizes (docker inspect, Config.Env); without a
    container, in .env as Compose reads it. OpenTranscribe reads HUGGINGFACE_TOKEN and no other name.

    What breaks it: the line was never written (the unattended installer does not write it), it is empty, the token is on the
    next line, it has another name such as HF_TOKEN, or the container was created before the line was written.

    To fix it, write the line and recreate the worker. 'docker compose restart' does not read .env again.
    """
    if not isinstance(workers, Unavailable) and workers.lite:
        yield skipped("In a lite install, a cloud provider does the diarization, and Hugging Face is not involved.")
        return
    if token.value is not None and not token.value.blank:
        yield passed(f"The worker has a token: {token.value}.", evidence=[seen_token(token)])
        return
    if own_token(probe):
        yield passed("The worker's process has a token that its entry point sets; its container was created without one.")
        return
    state = "is not set" if token.value is None else "is empty"
    seen = [seen_token(token, f"{TOKEN_NAME} {state}"), *_odd_lines(env)]
    if fixed_in_file(token, env):
        seen.append(Seen(".env", token.env_line or "", f"{TOKEN_NAME} has a token"))
        message = "The worker has no token, although .env has one: the container was created before .env was changed."
        remedy: tuple[Step, ...] = (recreate(deployment, workers),)
    elif token.other_name:
        message = f"The token is stored as {token.other_name}, but OpenTranscribe only reads {TOKEN_NAME}."
        seen += _other_lines(env, token.other_name)
        remedy = (_rename(env, token.other_name), recreate(deployment, workers))
    else:
        message = f"The worker has no Hugging Face token: {TOKEN_NAME} {state}."
        remedy = replace_token(token, env, deployment, workers)
    yield fault(cache, Cause.TOKEN_MISSING, message, subject=TOKEN_NAME, expected=EXPECTED, evidence=seen, remedy=remedy)


def _filled(entry: EnvEntry) -> bool:
    return isinstance(entry.value, Secret) and not entry.value.blank


def _odd_lines(env: EnvFile | Unavailable) -> list[Seen]:
    """What the ``.env`` reader found odd about the token's line."""
    if isinstance(env, Unavailable):
        return []
    return [Seen(".env", env.where(odd.line), odd.what) for odd in env.odd_lines if odd.key == TOKEN_NAME and odd.harmful]


def _other_lines(env: EnvFile | Unavailable, name: str) -> list[Seen]:
    if isinstance(env, Unavailable):
        return []
    return [Seen(".env", env.where(entry.line), f"{name} is {entry.value}") for entry in env.all(name) if entry.value]


def _rename(env: EnvFile | Unavailable, name: str) -> Step:
    """Rename the line, and comment out the empty ones that would override it."""
    entry = None if isinstance(env, Unavailable) else env.entry(name)
    if isinstance(env, Unavailable) or entry is None:
        return Step(f"Rename {name} to {TOKEN_NAME} where it is set.", risk=Risk.CHANGES_FILES)
    empty = lines_of(other for other in env.all(TOKEN_NAME) if not _filled(other))
    text = f"Rename {name} on line {entry.line} of {env.path} to {TOKEN_NAME}."
    renaming = LineEdit(entry.line, LineChange.RENAME, name, TOKEN_NAME)
    action = EditEnv(str(env.path), (renaming, *commenting_out(empty)))
    scripts = [f"{entry.line}s/{name}/{TOKEN_NAME}/", *(commented(*line) for line in empty.items())]
    return edited(env, text, scripts, action=action)
