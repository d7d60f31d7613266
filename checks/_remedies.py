"""Steps that several checks advise. Commands end by themselves, work from any folder and ask nothing.

Each command that edits a file is made by ``edited`` or ``rewritten``: it works with the tools of GNU, BSD and busybox, writes
into the file that is there (a link, the owner and the mode stay), leaves no copy that holds a token, and does nothing when it
is pasted a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from shlex import quote

from ot_doctor.actions import AcceptTerms, Action, EditEnv, LineChange, LineEdit, OwnCache, PutToken, RecreateServices
from ot_doctor.check import Risk, Step
from ot_doctor.evidence import (
    TOKEN_NAME,
    CacheAccess,
    Deployment,
    EnvEntry,
    EnvFile,
    Unavailable,
    Worker,
    Workers,
    WorkerToken,
)

TOKEN_SETTINGS = "https://huggingface.co/settings/tokens"
ALONE = "--no-deps --pull never --no-build"  # of 'docker compose up': no other service, and no newer image


def recreate(deployment: Deployment | Unavailable, workers: Workers | Unavailable, services: Iterable[str] | None = None) -> Step:
    """Recreate the celery workers, or the services that are named, so that they get the ``.env`` as it is now."""
    text = (
        "Recreate the worker so that it reads the new .env. A plain restart keeps the old values. "
        "No other service is touched; your next plain 'up -d' recreates this one once more, and those with old values of .env."
    )
    services = worker_services(workers) if services is None else tuple(services)
    if stack := _stack(workers):
        return _deploy_again(stack, deployment)
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        return Step(f"{text} Start it again the way it was created, in the folder of its Compose file.", risk=Risk.RESTARTS)
    command = deployment.compose(f"up -d --force-recreate {ALONE} " + " ".join(quote(name) for name in services))
    return Step(text, command=command, risk=Risk.RESTARTS, action=RecreateServices(services))


def _stack(workers: Workers | Unavailable) -> str:
    """The Swarm's stack that the worker belongs to; empty where it belongs to none."""
    return "" if isinstance(workers, Unavailable) else next((w.compose.stack for w in workers.diarizers if w.compose.stack), "")


def _deploy_again(stack: str, deployment: Deployment | Unavailable) -> Step:
    """A Swarm reads the ``.env`` when a stack is deployed; 'docker service update --force' keeps the old values."""
    text = f"Deploy the stack {stack} again, so that its tasks get the .env as it is now. Services that do not change stay."
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        return Step(f"{text} Run 'docker stack deploy -c FILE {stack}' in the folder of its Compose file.", risk=Risk.RESTARTS)
    files = " ".join(f"-c {quote(str(path))}" for path in deployment.compose_files)
    return Step(text, command=deployment.docker(f"stack deploy {files} {quote(stack)}"), risk=Risk.RESTARTS)


def engine_command(deployment: Deployment | Unavailable, arguments: str) -> str:
    """A command for the engine that was examined; Docker's where nothing is known."""
    return f"docker {arguments}" if isinstance(deployment, Unavailable) else deployment.docker(arguments)


def space_of_the_engine(deployment: Deployment | Unavailable) -> Step:
    text = "Check how much space the engine's images, containers and volumes take."
    return Step(text, command=engine_command(deployment, "system df"))


def worker_services(workers: Workers | Unavailable) -> tuple[str, ...]:
    """The Compose services of the celery workers that exist; ``celery-worker`` where none is known."""
    if isinstance(workers, Unavailable):
        return ("celery-worker",)
    names = dict.fromkeys(w.compose.service for w in workers.celery if w.compose.service)
    return tuple(names) or ("celery-worker",)


def edited(file: EnvFile | str, text: str, scripts: Iterable[str], *, action: Action | None = None) -> Step:
    """Edit a file with sed: extended regular expressions, byte by byte. A script must leave its own result alone."""
    return rewritten(file, text, f"LC_ALL=C sed -E '{';'.join(scripts)}'", action=action)


def rewritten(file: EnvFile | str, text: str, program: str, *, unless: str = "", action: Action | None = None) -> Step:
    """Write what ``program`` makes of the file, whose path comes last, into it; not where the command ``unless`` succeeds.

    The new text is first collected in a private temporary file: only a whole one is written, and it stays where writing fails.
    """
    path = quote(file if isinstance(file, str) else str(file.itself))
    command = f't=$(mktemp) && {program} {path} > "$t" && cat "$t" > {path} && rm "$t"'
    if unless:
        command = f"{unless} || {{ {command}; }}"
    if not isinstance(file, str) and not file.editable:
        command = f"sudo sh -c {quote(command)}"
    return Step(text, command=command, risk=Risk.CHANGES_FILES, action=action)


def comment_out(file: EnvFile | str, lines: Mapping[int, str], text: str) -> Step:
    """Put a # in front of lines, each with a word that must still be on it.

    Deleting them would move the others, and a second paste would delete those.
    """
    lines = dict(sorted(lines.items()))
    action = None if isinstance(file, str) else EditEnv(str(file.path), tuple(commenting_out(lines)))
    return edited(file, text, (commented(*line) for line in lines.items()), action=action)


def commenting_out(lines: Mapping[int, str]) -> Iterator[LineEdit]:
    """The same as data."""
    return (LineEdit(line, LineChange.COMMENT_OUT, word or None) for line, word in lines.items())


def commented(line: int, word: str = "") -> str:
    """The script for sed that puts a # in front of a line, if the word is on it and no # is before that."""
    return f"{line}s/^[^#]*{word}/# &/" if word.isidentifier() else f"{line}s/^[^#]/# &/"


def lines_of(entries: Iterable[EnvEntry]) -> dict[int, str]:
    """Every line of assignments, with the name that must be on it; of a value on several lines the others have none."""
    return {line: entry.key if line == entry.line else "" for entry in entries for line in entry.lines}


def without_characters(file: EnvFile, text: str, characters: str, action: Action | None = None) -> Step:
    """Delete characters that no sed can name, by their escapes for tr."""
    return rewritten(file, text, f"tr -d '{characters}' <", action=action)


def own_cache(deployment: Deployment, worker: Worker | None, access: CacheAccess, path: str) -> Step:
    """Give a folder of the host to the worker's user, through the worker's own image: no sudo, and nothing to download."""
    owner = access.uid if access.uid is not None else 1000
    text = f"Give {path} to the worker's user ({access.user or owner}); your own user id does not help."
    if worker is None:
        return Step(text, command=f"sudo chown -hR {owner}:{owner} {quote(path)}", risk=Risk.CHANGES_FILES)
    command = as_root(deployment, worker, path, "chown", f"-hR {owner}:{owner} /models")
    if any(denied.unmapped for denied in access.denied):
        text += " A rootless engine's containers cannot take it from its owner, so root gives it to the engine's user first."
        command = f"sudo chown -hR {worker.engine.owner or '$(id -u):$(id -g)'} {quote(path)} && {command}"
        return Step(text, command=command, risk=Risk.CHANGES_FILES)
    return Step(text, command=command, risk=Risk.CHANGES_FILES, action=OwnCache(path, worker.name, owner, owner))


def as_root(deployment: Deployment, worker: Worker, folder: str, program: str, arguments: str) -> str:
    """Run a program of the worker's own image as root over a host's folder, or a volume by its name, which it sees at /models."""
    label = "--security-opt label=disable " if worker.engine.selinux else ""  # SELinux hides folders that have no label for it
    users = f"--userns {quote(f'container:{worker.name}')} " if worker.own_users else ""
    run = f"run --rm --pull never --network none {label}{users}--user 0:0 --entrypoint {program}"
    return deployment.docker(f"{run} {_as_models(folder, deployment.podman)} {quote(worker.image)} {arguments}")


def _as_models(folder: str, podman: bool) -> str:
    """The option that mounts at /models; a path may hold colons and commas."""
    source = f"source={folder}"
    if "," in folder or '"' in folder:  # the value is a line of CSV
        source = '"' + source.replace('"', '""') + '"'
    # An empty volume would take the owner of the folder that the image has there.
    kind, more = ("bind", "") if folder.startswith("/") else ("volume", "" if podman else ",volume-nocopy")
    return f"--mount {quote(f'type={kind},{source},target=/models{more}')}"


def accept(repo: str, account: str) -> Step:
    """Accept a model's terms with the account that owns the worker's token."""
    who = f"as '{account}'" if account else "with the account that the token belongs to"
    return Step(
        f'Log in at huggingface.co {who}, open the page of {repo} and click "Agree and access repository". '
        "You need no new token and no restart.",
        url=f"https://huggingface.co/{repo}",
        action=AcceptTerms(repo),
    )


def new_token(extra: str = "") -> Step:
    return Step(f"Create a token (type: Read){extra}.", url=TOKEN_SETTINGS)


def put_token(line: int | None, env_path: str) -> Step:
    """Write the token to its line of the ``.env``."""
    where = f"on line {line} of {env_path}" if line else f"to {env_path}"
    text = f"Write it {where} as HUGGINGFACE_TOKEN=hf_… with no spaces, quotes or comment after it."
    return Step(text, risk=Risk.CHANGES_FILES, action=PutToken(env_path) if env_path.startswith("/") else None)


def replace_token(
    token: WorkerToken,
    env: EnvFile | Unavailable,
    deployment: Deployment | Unavailable,
    workers: Workers | Unavailable,
    extra: str = "",
) -> tuple[Step, ...]:
    """A new token, in its place, and a worker that has it."""
    if isinstance(env, Unavailable):
        return new_token(extra), put_token(None, ".env in the OpenTranscribe folder"), recreate(deployment, workers)
    entry = env.entry(TOKEN_NAME)
    return new_token(extra), put_token(entry.line if entry else None, str(env.path)), recreate(deployment, workers)


def run_again() -> Step:
    return Step("Transcribe a short file with two voices, then run ot-doctor again.")
