"""``environment:`` entries of the Compose files that override a line of ``.env``."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Finding, Risk, Seen, Step, failed, warned
from ot_doctor.evidence import TOKEN_NAME, ComposeConfig, ComposeSetting, Deployment, EnvEntry, EnvFile, Unavailable, Workers
from ot_doctor.evidence.releases import services

from ._remedies import comment_out, recreate
from ._tokens import usable

SETTINGS = ("MIN_SPEAKERS", "MAX_SPEAKERS", "NUM_SPEAKERS", "HF_HOME", "HF_HUB_OFFLINE")


def shadowing_entries(
    env: EnvFile, compose: ComposeConfig | Unavailable, workers: Workers | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """``environment:`` entries of the diarizing services; an entry that several services share is one finding."""
    if isinstance(compose, Unavailable):
        return
    present = () if isinstance(workers, Unavailable) else tuple(w.compose.service for w in workers.diarizers)
    done = set()
    for service in dict.fromkeys((*present, *(() if present else services("diarizer")))):
        for key in (TOKEN_NAME, *SETTINGS):
            setting, entry = compose.setting(service, key), env.entry(key)
            if setting is None or entry is None or (setting.path, setting.line, key) in done:
                continue
            done.add((setting.path, setting.line, key))
            if key == TOKEN_NAME:
                yield from _token_entry(env, entry, setting, compose, workers, deployment)
            elif setting.value is not None and entry.value is not None and setting.value != entry.value:
                yield _setting_entry(env, entry, setting, compose)


def other_reader(compose: ComposeConfig | Unavailable) -> list[Seen]:
    """That Compose itself read the files, where it did."""
    if isinstance(compose, Unavailable) or not compose.read_by:
        return []
    return [Seen("compose", compose.read_by, f"'docker compose config' read the Compose files, because {compose.why_read_by}")]


def _token_entry(
    env: EnvFile, entry: EnvEntry, setting: ComposeSetting, compose: ComposeConfig, workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> Iterator[Finding]:  # fmt: skip
    value = env.shell_wins.get(TOKEN_NAME, entry.value) if setting.value is None else setting.value
    if not usable(entry.value) or value == entry.value:
        return
    place = setting.where
    seen = [
        Seen("compose", place, f"{TOKEN_NAME} of {setting.service} is {value or 'empty'}{_through(setting)}"),
        Seen(".env", env.where(entry.line), f"{TOKEN_NAME} is {entry.value}"),
        *other_reader(compose),
    ]
    steps = [_remove(setting, compose), recreate(deployment, workers)]
    text = f"The 'environment:' entry {TOKEN_NAME} at {place} overrides the token in {env.path}"
    if setting.value is None:
        text += f" (a name without a value takes {TOKEN_NAME} of the shell)"
    holders = () if isinstance(workers, Unavailable) else [w for w in workers.diarizers if w.compose.service == setting.service]
    if holders and all(worker.env.get(TOKEN_NAME) == entry.value for worker in holders):
        yield warned(
            f"{text} at the next recreate. The container still has the one of "
            ".env.", cause=Cause.ENV_SHADOWED, subject=TOKEN_NAME,
            evidence=seen, remedy=steps[:1],
        )  # fmt: skip
        return
    yield failed(
        Cause.ENV_SHADOWED,
        f"{text}.",
        subject=TOKEN_NAME,
        expected="the token of .env in the container",
        evidence=seen,
        remedy=steps,
    )


def _through(setting: ComposeSetting) -> str:
    return f" (through {', '.join(f'${{{name}}}' for name in setting.references)})" if setting.references else ""


def _remove(setting: ComposeSetting, compose: ComposeConfig) -> Step:
    """Comment out the entry's line, if nothing else is on it."""
    text = f"Comment out {setting.key} on line {setting.line} of {setting.path}: the worker gets the value from .env (env_file)."
    if any((s.path, s.line) == (setting.path, setting.line) and s.key != setting.key for s in compose.environment):
        return Step(text, risk=Risk.CHANGES_FILES)
    if setting.block_line is not None:
        text += " So is the 'environment:' above it, which has no other entry."
        return comment_out(str(setting.path), {setting.block_line: "environment", setting.line: setting.key}, text)
    return comment_out(str(setting.path), {setting.line: setting.key}, text)


def _setting_entry(env: EnvFile, entry: EnvEntry, setting: ComposeSetting, compose: ComposeConfig) -> Finding:
    place = str(setting.where)
    return warned(
        f"{setting.key} is {entry.value or 'empty'} in {env.path}, but the 'environment:' entry at {place} sets it to "
        f"{setting.value or 'nothing'}.",
        cause=Cause.ENV_SHADOWED, subject=setting.key,
        evidence=[
            Seen("compose", place, f"{setting.key} is {setting.value or 'empty'}{_through(setting)}"),
            Seen(".env", env.where(entry.line), f"{setting.key} is {entry.value or 'empty'}"),
            *other_reader(compose),
        ],
        remedy=[Step(f"Keep {setting.key} in one place: either in {env.path} or in {setting.path}.", risk=Risk.CHANGES_FILES)],
    )  # fmt: skip
