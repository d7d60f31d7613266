"""Steps that several checks advise. Commands end by themselves, work from any folder and ask nothing."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from ot_doctor.check import Risk, Step
from ot_doctor.evidence import TOKEN_NAME, CacheAccess, Deployment, EnvFile, Unavailable, Worker, Workers, WorkerToken

TOKEN_SETTINGS = "https://huggingface.co/settings/tokens"


def recreate(deployment: Deployment | Unavailable, workers: Workers | Unavailable, services: Iterable[str] | None = None) -> Step:
    """Recreate the celery workers, or the services that are named, so that they get the ``.env`` as it is now."""
    text = "Recreate the worker, so that it gets the .env as it is now ('docker compose restart' keeps the old values)."
    services = worker_services(workers) if services is None else tuple(services)
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        return Step(f"{text} Start it again the way it was created, in the folder of its Compose file.", risk=Risk.RESTARTS)
    command = deployment.compose("up -d --force-recreate " + " ".join(quote(name) for name in services))
    return Step(text, command=command, risk=Risk.RESTARTS)


def worker_services(workers: Workers | Unavailable) -> tuple[str, ...]:
    """The Compose services of the celery workers that exist; ``celery-worker`` where none is known."""
    if isinstance(workers, Unavailable):
        return ("celery-worker",)
    names = dict.fromkeys(w.compose.service for w in workers.celery if w.compose.service)
    return tuple(names) or ("celery-worker",)


def delete_line(path: str, line: int, text: str) -> Step:
    """Delete one line of a file."""
    return delete_lines(path, (line,), text)


def delete_lines(path: str, lines: Iterable[int], text: str) -> Step:
    """Delete several lines of a file at once: one after the other they would move."""
    script = ";".join(f"{line}d" for line in sorted(set(lines)))
    return Step(text, command=f"sed -i '{script}' {quote(path)}", risk=Risk.CHANGES_FILES)


def own_cache(deployment: Deployment, worker: Worker | None, access: CacheAccess, path: str) -> Step:
    """Give a folder of the host to the worker's user, through the worker's own image: no sudo, and nothing to download."""
    owner = access.uid if access.uid is not None else 1000
    text = f"Give the folder to the worker's user ({access.user or owner}), not to your own."
    if worker is None:
        return Step(text, command=f"sudo chown -R {owner}:{owner} {quote(path)}", risk=Risk.CHANGES_FILES)
    run = f"run --rm --network none --user 0:0 --entrypoint chown {as_models(path)} {quote(worker.image)}"
    return Step(text, command=deployment.docker(f"{run} -R {owner}:{owner} /models"), risk=Risk.CHANGES_FILES)


def as_models(folder: str) -> str:
    """The option that mounts a host's folder, or a volume by its name, at /models; a path may hold colons and commas."""
    source = f"source={folder}"
    if "," in folder or '"' in folder:  # the value is a line of CSV
        source = '"' + source.replace('"', '""') + '"'
    return f"--mount {quote(f'type={_kind(folder)},{source},target=/models')}"


def _kind(folder: str) -> str:
    return "bind" if folder.startswith("/") else "volume"


def accept(repo: str, account: str) -> Step:
    """Accept a model's agreement with the account that owns the worker's token."""
    who = f"as '{account}'" if account else "with the account that the token belongs to"
    return Step(
        f"Log in at huggingface.co {who} and accept the agreement of {repo}. No new token and no restart is needed.",
        url=f"https://huggingface.co/{repo}",
    )


def new_token(extra: str = "") -> Step:
    return Step(f"Create a token of type Read{extra}.", url=TOKEN_SETTINGS)


def put_token(line: int | None, env_path: str) -> Step:
    """Write the token to its line of the ``.env``."""
    where = f"on line {line} of {env_path}" if line else f"to {env_path}"
    text = f"Write it {where} as HUGGINGFACE_TOKEN=hf_… without spaces, quotes or a comment behind it."
    return Step(text, risk=Risk.CHANGES_FILES)


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
    return Step("Run the transcription again (a short file with two voices is enough), then ot-doctor.")
