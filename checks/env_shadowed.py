"""Values of the ``.env`` that another one overrides."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import TOKEN_NAME, ComposeConfig, Deployment, EnvEntry, EnvFile, Unavailable, Workers

from ._environment_entries import SETTINGS, other_reader, shadowing_entries
from ._remedies import comment_out, lines_of, recreate
from ._tokens import usable

ONLY_COMPOSE = "MODEL_CACHE_DIR"  # Compose alone uses it, so there the shell's value wins


@check(
    "env-shadowed",
    title="Nothing overrides .env",
    family=Family.ENV,
    causes=(Cause.ENV_SHADOWED,),
    after=("env-readable",),
)
def env_shadowed(
    env: EnvFile, compose: ComposeConfig | Unavailable, workers: Workers | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """A setting can be right in .env while the worker still gets another value.

    Two things override a line of .env: a later line with the same name, even an empty one (templates end with
    'HUGGINGFACE_TOKEN='), and an 'environment:' entry of the service in a Compose file, even an empty one. The shell overrides it
    only if a Compose file says ${NAME}, as for MODEL_CACHE_DIR.

    All lines of .env and the Compose files in use are compared; the token must be usable, not only present.

    To fix it, comment out the line that overrides the right one and recreate the worker.
    """
    if env.problem is not None:
        yield skipped(f"{env.path} could not be read.")
        return
    findings = [
        *_token_lines(env, workers, deployment),
        *(finding for key in (*SETTINGS, ONLY_COMPOSE) for finding in _other_lines(env, key)),
        *shadowing_entries(env, compose, workers, deployment),
        *_shell(env),
        *_unread(env, compose, deployment),
    ]
    yield from findings or [passed(f"Nothing overrides the settings in {env.path}.", evidence=other_reader(compose))]


def _token_lines(env: EnvFile, workers: Workers | Unavailable, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    lines = [entry for entry in env.all(TOKEN_NAME) if entry.value is not None]
    if len({entry.value for entry in lines}) < 2:
        return
    winner, path = lines[-1], str(env.path)
    good = [entry for entry in lines if usable(entry.value)]
    seen = [Seen(".env", env.where(entry.line), f"{TOKEN_NAME} is {_state(entry)}") for entry in lines]
    if good and not usable(winner.value):
        meant = good[-1]
        spoilers = lines_of(entry for entry in lines if entry.line > meant.line)
        sets = f"sets {TOKEN_NAME} again, to {_state(winner) if winner.value else 'nothing'},"
        text = f"Line {winner.line} of {path} {sets} and overrides the token on line {meant.line}."
        delete = comment_out(env, spoilers, f"Comment out line {', '.join(map(str, spoilers))} of {path}.")
        yield failed(
            Cause.ENV_SHADOWED, text, subject=TOKEN_NAME, expected="one line with the token", evidence=seen,
            remedy=[delete, recreate(deployment, workers)],
        )  # fmt: skip
    elif usable(winner.value) and any(entry.value != winner.value for entry in good):
        dead = [entry.line for entry in lines[:-1]]
        yield warned(
            f"{path} has two different tokens: line {winner.line} overrides line {', '.join(map(str, dead))}.",
            cause=Cause.ENV_SHADOWED, subject=TOKEN_NAME, expected="one line with the token", evidence=seen,
            remedy=[comment_out(env, lines_of(lines[:-1]),
                f"If line {winner.line} has the right one, comment out the "
                "others.")],
        )  # fmt: skip


def _state(entry: EnvEntry) -> str:
    return str(entry.value) if entry.value else "empty"


def _other_lines(env: EnvFile, key: str) -> Iterator[Finding]:
    lines = [entry for entry in env.all(key) if entry.value is not None]
    if len({entry.value for entry in lines}) < 2:
        return
    winner = lines[-1]
    yield warned(
        f"{key} is set more than once in {env.path}; line {winner.line} ({winner.value or 'empty'}) overrides the others.",
        cause=Cause.ENV_SHADOWED, subject=key,
        evidence=[Seen(".env", env.where(entry.line), f"{key} is {entry.value or 'empty'}") for entry in lines],
        remedy=[comment_out(env, lines_of(lines[:-1]), f"If line {winner.line} is right, comment out the others.")],
    )  # fmt: skip


def _shell(env: EnvFile) -> Iterator[Finding]:
    """What this shell changes in the next ``docker compose up``."""
    entry, shell = env.entry(ONLY_COMPOSE), env.shell_wins.get(ONLY_COMPOSE)
    if entry is None or shell is None or shell == entry.value:
        return
    yield warned(
        f"This shell has {ONLY_COMPOSE}={shell}, which overrides {env.path} ({entry.value or 'empty'}) for Compose.",
        cause=Cause.ENV_SHADOWED, subject=ONLY_COMPOSE,
        evidence=[Seen("host", "the shell's environment", f"{ONLY_COMPOSE} is {shell}"),
                  Seen(".env", env.where(entry.line), f"{ONLY_COMPOSE} is {entry.value or 'empty'}")],
        remedy=[Step(f"Either remove {ONLY_COMPOSE} from this shell, or open a new one.", command=f"unset {ONLY_COMPOSE}")],
    )  # fmt: skip


def _unread(env: EnvFile, compose: ComposeConfig | Unavailable, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    """A Compose file that could not be read may have an entry that overrides a line."""
    if isinstance(compose, Unavailable) or not compose.problems:
        return
    command = None if isinstance(deployment, Unavailable) else deployment.compose("config --quiet")
    yield unknown(
        f"It is not known whether a Compose file overrides {env.path}. {compose.problems[0]}",
        evidence=[Seen("compose", problem.partition(": ")[0], problem) for problem in compose.problems],
        remedy=[Step("Fix the Compose file; Compose says which line it cannot read.", command=command)],
    )
