"""``environment:`` entries of the Compose files that win over a line of ``.env``."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Finding, Risk, Seen, Step, failed, warned
from ot_doctor.evidence import TOKEN_NAME, ComposeConfig, ComposeSetting, Deployment, EnvEntry, EnvFile, Unavailable, Workers
from ot_doctor.evidence.releases import services

from ._remedies import delete_line, delete_lines, recreate
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
                yield _setting_entry(env, entry, setting)


def _token_entry(
    env: EnvFile, entry: EnvEntry, setting: ComposeSetting, compose: ComposeConfig, workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> Iterator[Finding]:  # fmt: skip
    value = env.shell_wins.get(TOKEN_NAME, entry.value) if setting.value is None else setting.value
    if not usable(entry.value) or value == entry.value:
        return
    place = f"{setting.path}:{setting.line}"
    seen = [
        Seen("compose", place, f"{TOKEN_NAME} of {setting.service} is {value or 'empty'}{_through(setting)}"),
        Seen(".env", env.where(entry.line), f"{TOKEN_NAME} is {entry.value}"),
    ]
    steps = [_remove(setting, compose), recreate(deployment, workers)]
    text = f"the environment: entry {TOKEN_NAME} at {place} wins over the token in {env.path}"
    if setting.value is None:
        text += f"; a bare name takes the value of the shell's {TOKEN_NAME}"
    holders = () if isinstance(workers, Unavailable) else [w for w in workers.diarizers if w.compose.service == setting.service]
    if holders and all(worker.env.get(TOKEN_NAME) == entry.value for worker in holders):
        yield warned(
            f"{text} at the next recreate; the container still has the one of .env", cause=Cause.ENV_SHADOWED, subject=TOKEN_NAME,
            evidence=seen, remedy=steps[:1],
        )  # fmt: skip
        return
    yield failed(
        Cause.ENV_SHADOWED, text, subject=TOKEN_NAME, expected="the token of .env in the container", evidence=seen, remedy=steps
    )


def _through(setting: ComposeSetting) -> str:
    return f" (through {', '.join(f'${{{name}}}' for name in setting.references)})" if setting.references else ""


def _remove(setting: ComposeSetting, compose: ComposeConfig) -> Step:
    """Delete the entry's line, where nothing else stands on it."""
    text = f"Delete the entry {setting.key} on line {setting.line} of {setting.path}: .env gives the value through env_file."
    if any((s.path, s.line) == (setting.path, setting.line) and s.key != setting.key for s in compose.environment):
        return Step(text, risk=Risk.CHANGES_FILES)
    if setting.block_line is not None:
        text += " The 'environment:' above it goes too: it has no other entry."
        return delete_lines(str(setting.path), (setting.block_line, setting.line), text)
    return delete_line(str(setting.path), setting.line, text)


def _setting_entry(env: EnvFile, entry: EnvEntry, setting: ComposeSetting) -> Finding:
    place = f"{setting.path}:{setting.line}"
    return warned(
        f"{setting.key} is {entry.value or 'empty'} in {env.path}, and the environment: entry at {place} makes it "
        f"{setting.value or 'empty'}",
        cause=Cause.ENV_SHADOWED, subject=setting.key,
        evidence=[
            Seen("compose", place, f"{setting.key} is {setting.value or 'empty'}{_through(setting)}"),
            Seen(".env", env.where(entry.line), f"{setting.key} is {entry.value or 'empty'}"),
        ],
        remedy=[Step(f"Keep {setting.key} in one place: {env.path} or {setting.path}.", risk=Risk.CHANGES_FILES)],
    )  # fmt: skip
