"""Whether the token is where others can read it."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.actions import ProtectEnv, UntrackEnv
from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import TOKEN_NAME, ComposeConfig, Deployment, EnvFile, Unavailable, WorkerLog, Workers

from ._remedies import comment_out, lines_of, new_token, put_token, recreate
from ._tokens import usable

BROWSER_PREFIXES = (
    "VITE_", "NEXT_PUBLIC_", "REACT_APP_", "PUBLIC_", "NUXT_PUBLIC_", "VUE_APP_", "EXPO_PUBLIC_", "GATSBY_",
)  # fmt: skip


@check("token-exposure", title="Nobody else can read the token", family=Family.TOKEN, causes=(Cause.TOKEN_EXPOSED,))
def token_exposure(
    env: EnvFile | Unavailable,
    workers: Workers | Unavailable,
    compose: ComposeConfig | Unavailable,
    log: WorkerLog | Unavailable,
    deployment: Deployment | Unavailable,
) -> Iterator[Finding]:
    """Anybody who has the token can act as its account, so it belongs only in .env, readable for its owner, outside git.

    These are checked: the permissions of .env, whether git tracks it, variables whose name says that they are built into the web
    pages (VITE_…, NEXT_PUBLIC_…, REACT_APP_…, PUBLIC_…) in .env, in the Compose files and in the containers, and the worker's
    log, because some library errors print the whole token.

    A token in a browser-side variable is sent to every visitor, which is why Hugging Face supports gated models only on servers.

    To fix it, follow the steps, create a new token, and delete the exposed one in the account's settings.
    """
    findings = [*_file(env, workers, deployment), *_browser_side(env, workers, compose, deployment), *_logged(log)]
    checked = {".env": env, "containers": workers, "Compose files": compose, "worker's log": log}
    unread = isinstance(env, EnvFile) and env.problem is not None
    seen = [n for n, value in checked.items() if not isinstance(value, Unavailable) and not (n == ".env" and unread)]
    if not seen and isinstance(env, Unavailable):
        raise env
    if not seen and not findings:
        yield skipped("There is nothing to check: neither a readable .env nor a container.")
        return
    if not findings and isinstance(env, Unavailable) and isinstance(deployment, Deployment) and deployment.machine:
        raise env
    yield from findings or [passed(f"Nobody else can read the token (checked: {', '.join(seen)}).")]


def _file(env: EnvFile | Unavailable, workers: Workers | Unavailable, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    if isinstance(env, Unavailable) or not any(usable(entry.value) for entry in env.entries):
        return
    path, file = str(env.path), env.target or env.path
    if env.tracked_by_git:
        entry = env.entry(TOKEN_NAME)
        untrack = f"git -C {quote(str(file.parent))} rm --cached --quiet --ignore-unmatch -- {quote(file.name)}"
        yield failed(
            Cause.TOKEN_EXPOSED, f"{path} contains the token and is tracked by git.", subject=path,
            expected="a .env that git does not track",
            evidence=[Seen(".env", path, "tracked by git")],
            remedy=[
                Step("Remove the file from git; it stays on the disk.", command=untrack, risk=Risk.CHANGES_FILES,
                     action=UntrackEnv(path)),
                Step("Add it to .gitignore, and commit both. If it was never pushed, nobody else has the token: you are done."),
                new_token(", and delete the old one, if the file was ever pushed"),
                put_token(entry.line if entry else None, path), recreate(deployment, workers),
            ],
        )  # fmt: skip
    elif env.tracked_by_git is None:
        asking = f"git -C {quote(str(file.parent))} ls-files -- {quote(file.name)}"
        yield unknown(
            f"It is not known whether git tracks {path}: its repository cannot be read, or belongs to another user.",
            subject=path,
            remedy=[Step("Ask git: it prints the file's name if it tracks it.", command=asking)],
        )
    if env.mode & 0o004:
        yield warned(
            f"Every user of this machine can read {path} (mode {env.mode:04o}), which contains the token.",
            cause=Cause.TOKEN_EXPOSED, subject=path, expected="mode 0600", evidence=[Seen(".env", path, f"mode {env.mode:04o}")],
            remedy=[
                Step(
                    f"Take the rights of all other users on {path} away.", risk=Risk.CHANGES_FILES,
                    command=f"{'' if env.editable else 'sudo '}chmod o-rwx {quote(path)}",
                    action=ProtectEnv(path),
                )
            ],
        )  # fmt: skip


def _browser_side(
    env: EnvFile | Unavailable,
    workers: Workers | Unavailable,
    compose: ComposeConfig | Unavailable,
    deployment: Deployment | Unavailable,
) -> Iterator[Finding]:
    """One finding for each variable, wherever it is."""
    lines: dict[str, dict[int, str]] = {}
    seen: dict[str, list[Seen]] = {}
    services: dict[str, set[str]] = {}
    if not isinstance(env, Unavailable):
        for entry in env.entries:
            if _shown_to_browsers(entry.key, entry.value):
                lines.setdefault(entry.key, {}).update(lines_of([entry]))
                seen.setdefault(entry.key, []).append(Seen(".env", env.where(entry.line), f"{entry.key} is {entry.value}"))
    if not isinstance(compose, Unavailable):
        for setting in compose.environment:
            if _shown_to_browsers(setting.key, setting.value):
                seen.setdefault(setting.key, []).append(Seen("compose", setting.where, f"{setting.key} is {setting.value}"))
    for worker in () if isinstance(workers, Unavailable) else workers.containers:
        for name, value in worker.env.items():
            if _shown_to_browsers(name, value):
                seen.setdefault(name, []).append(Seen("container", worker.where, f"{name} is {value}"))
                services.setdefault(name, set()).add(worker.compose.service)
    for name, places in seen.items():
        steps = [Step(f"Remove {name} where it is set.", risk=Risk.CHANGES_FILES)]
        if not isinstance(env, Unavailable) and name in lines:
            steps = [comment_out(env, lines[name], f"Comment out {name} in {env.path}.")]
        if all(services.get(name, {""})):
            steps.append(recreate(deployment, workers, sorted(services[name])))
        steps.append(new_token(f", write it to .env as {TOKEN_NAME}, and delete the exposed one"))
        yield failed(
            Cause.TOKEN_EXPOSED,
                f"{name} contains a token, and a variable with such a name is built into the web "
                "pages.", subject=name,
            expected=f"the token only in {TOKEN_NAME}", evidence=places, remedy=steps,
        )  # fmt: skip


def _shown_to_browsers(name: str, value: object) -> bool:
    return name.startswith(BROWSER_PREFIXES) and usable(value)


def _logged(log: WorkerLog | Unavailable) -> Iterator[Finding]:
    for source in () if isinstance(log, Unavailable) else log.sources:
        if source.token_lines:
            lines = ", ".join(str(line) for line in source.token_lines[:5])
            yield warned(
                f"The log of {source.name} shows a token ({'lines' if len(source.token_lines) > 1 else 'line'} {lines}).",
                cause=Cause.TOKEN_EXPOSED, subject=source.name,
                evidence=[Seen("log", f"{source.name}:{line}", "contains a token") for line in source.token_lines[:5]],
                remedy=[new_token(
                    ", write it to .env, recreate the worker (its old log is deleted too), and delete the exposed "
                    "token")],
            )  # fmt: skip
