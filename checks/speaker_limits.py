"""Whether the speaker limits are numbers that fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from ot_doctor.actions import EditEnv, LineChange, LineEdit
from ot_doctor.check import Cause, Family, Finding, Risk, Step, check, failed, passed, skipped, warned
from ot_doctor.evidence import ComposeConfig, Deployment, EnvFile, ReleaseLine, Unavailable, Workers

from ._remedies import comment_out, commented, commenting_out, edited, recreate
from ._speakers import DEFAULTS, Limit, as_text, limits_of

_UNUSUALLY_MANY = 50


@check("speaker-limits", title="The speaker limits are usable", family=Family.SPEAKERS, causes=(Cause.SPEAKERS_CONFIG,))
def speaker_limits(
    workers: Workers | Unavailable, env_file: EnvFile | Unavailable, compose: ComposeConfig | Unavailable,
    deployment: Deployment | Unavailable,
) -> Iterator[Finding]:  # fmt: skip
    """MIN_SPEAKERS, MAX_SPEAKERS and NUM_SPEAKERS bound the number of speakers.

    The worker reads them with Python's int() while it starts. '20.0', an empty
    value or a comment after the number stops it at once; ' 20 ' is fine. Limits
    that contradict each other break every job, and with MAX_SPEAKERS=1
    everything is given to one speaker.

    The values of the running container are checked, else those of the .env.
    An 'environment:' entry of a Compose file wins over the .env.
    v0.1 ignores the limits. From v0.4 on each user's own settings override
    them.

    To fix it, write a plain number to the place that sets it, and recreate the
    worker.
    """
    if isinstance(deployment, Deployment) and deployment.v0_1:
        yield skipped("v0.1 ignores MIN_SPEAKERS, MAX_SPEAKERS and NUM_SPEAKERS: its limits are fixed.")
        return
    limits = {limit.name: limit for limit in limits_of(workers, env_file, compose)}
    if not limits:
        yield skipped("There is no worker and no readable .env to take the limits from.")
        return
    problems = 0
    for name, message, expected, better, breaks, subject in _problems(limits):
        problems += 1
        remedy = [*_write(limits[name], better, env_file), recreate(deployment, workers)]
        seen = limits[name].seen
        if breaks:
            yield failed(Cause.SPEAKERS_CONFIG, message, subject=subject or name, expected=expected, evidence=seen, remedy=remedy)
        else:
            yield warned(message, cause=Cause.SPEAKERS_CONFIG, subject=name, expected=expected, evidence=seen, remedy=remedy)
    if not problems and isinstance(workers, Unavailable) and workers.elsewhere:
        raise workers
    if not problems:
        per_user = "" if _line(deployment) is ReleaseLine.V0_3 else " (from v0.4 on a user's own settings override these)"
        text = ", ".join(f"{limit.name}={limit.number}" for limit in limits.values() if limit.number is not None)
        given = (limit.seen for limit in limits.values() if limit.raw is not None)
        yield passed(f"The limits are {text}{per_user}.", evidence=chain.from_iterable(given))


def _place(limits: Mapping[str, Limit], name: str) -> str:
    """``MIN_SPEAKERS=6 (line 2)``."""
    limit = limits[name]
    return f"{name}={limit.number} ({limit.place})"


class _Problem(NamedTuple):
    name: str
    message: str
    expected: str
    better: int | None  # what to write instead; None: no such line
    breaks: bool = True
    subject: str = ""  # where it is not the variable's own text: such a value stops no worker


def _problems(limits: Mapping[str, Limit]) -> Iterator[_Problem]:
    numbers: dict[str, int | None] = {}
    for name, limit in limits.items():
        try:
            numbers[name] = limit.number
        except ValueError:
            message = f"{name}={_shown(limit)} is not a whole number. The worker reads it at start-up and stops with an error."
            yield _Problem(name, message, "a plain whole number", DEFAULTS[name])
    for name, value in numbers.items():
        if value is not None and value < 1:
            message = f"{name}={value}: a recording has at least one speaker."
            yield _Problem(name, message, "1 or more", DEFAULTS[name], subject=f"{name} below 1")
        if value is not None and value > _UNUSUALLY_MANY:
            message = f"{name}={value} is unusually high; one voice can become several speakers."
            yield _Problem(name, message, f"at most {_UNUSUALLY_MANY}", DEFAULTS[name], breaks=False)
    least, most, exact = (numbers.get(name) for name in DEFAULTS)
    if most == 1:
        yield _Problem("MAX_SPEAKERS", "With MAX_SPEAKERS=1 everything is given to one speaker.", "2 or more", 20, breaks=False)
    if least is None or most is None:
        return
    if least > most:
        name = "MIN_SPEAKERS" if limits["MIN_SPEAKERS"].raw is not None else "MAX_SPEAKERS"
        message = (
            f"{_place(limits, 'MIN_SPEAKERS')} is above {_place(limits, 'MAX_SPEAKERS')}. Lower the first or raise the second."
        )
        pair = "MIN_SPEAKERS, MAX_SPEAKERS"
        yield _Problem(name, message, "MIN_SPEAKERS not above MAX_SPEAKERS", DEFAULTS[name], subject=pair)
    elif exact is not None and exact >= 1 and not least <= exact <= most:
        message = f"NUM_SPEAKERS={exact} is not between MIN_SPEAKERS={least} and MAX_SPEAKERS={most}."
        wanted = f"a number from {least} to {most}, or no such line"
        yield _Problem("NUM_SPEAKERS", message, wanted, None, subject=", ".join(DEFAULTS))


def _write(limit: Limit, value: int | None, env_file: EnvFile | Unavailable) -> list[Step]:
    """The exact line, and the command that writes it; nothing where the place that decides says something else already."""
    if limit.entry is not None:
        if as_text(limit.entry.value) != limit.raw:
            return []
        what = f"{limit.name} to {value}, or to another whole number that suits you" if value is not None else f"no {limit.name}"
        verb = "Set" if value is not None else "Leave"
        text = f"{verb} {what}, at {limit.entry.where}: this 'environment:' entry of {limit.entry.service} wins over the .env."
        return [Step(text, risk=Risk.CHANGES_FILES)]
    if isinstance(env_file, Unavailable) or limit.line is None:
        what = f"Set {limit.name}={value}" if value is not None else f"Remove {limit.name}"
        text = f"{what} where the worker gets it from (the .env, or 'environment:' in the Compose file)."
        return [Step(text, risk=Risk.CHANGES_FILES)]
    entry = env_file.entry(limit.name)
    if entry is not None and as_text(entry.value) != limit.raw:
        return []
    path, line = str(env_file.path), limit.line
    others = dict.fromkeys(limit.lines[1:], "")  # of a quoted value that spans several
    if value is None:
        return [comment_out(env_file, {line: limit.name, **others}, f"Comment out {limit.name}, line {line} of {path}.")]
    wanted = f"{limit.name}={value}"
    text = f"Change line {line} of {path} to {wanted}, or to another whole number that suits you."
    writing = LineEdit(line, LineChange.WRITE, limit.name, wanted)
    action = EditEnv(str(env_file.path), (writing, *commenting_out(others)))
    script = f"{line}s/^[^#]*{limit.name}.*/{wanted}/"
    return [edited(env_file, text, [script, *map(commented, others)], action=action)]


def _shown(limit: Limit) -> str:
    raw = repr(limit.raw)
    return raw if len(raw) <= 60 else f"{raw[:57]}…'"


def _line(deployment: Deployment | Unavailable) -> ReleaseLine:
    return ReleaseLine.UNKNOWN if isinstance(deployment, Unavailable) else deployment.line
