"""Steps that several checks advise. Commands end by themselves, work from any folder and ask nothing.

Each command that edits a file is made by ``edited``: it works with GNU and BSD sed, keeps a symbolic link a link, leaves the
former file beside the new one, and does nothing when it is pasted a second time.
"""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from ot_doctor.check import Risk, Step
from ot_doctor.evidence import TOKEN_NAME, CacheAccess, Deployment, EnvFile, Unavailable, Worker, Workers, WorkerToken

TOKEN_SETTINGS = "https://huggingface.co/settings/tokens"
ALONE = "--no-deps --pull never --no-build"  # of 'docker compose up': no other service, and no newer image


def recreate(deployment: Deployment | Unavailable, workers: Workers | Unavailable, services: Iterable[str] | None = None) -> Step:
    """Recreate the celery workers, or the services that are named, so that they get the ``.env`` as it is now."""
    text = "Recreate the worker so that it reads the new .env. A plain restart keeps the old values."
    services = worker_services(workers) if services is None else tuple(services)
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        return Step(f"{text} Start it again the way it was created, in the folder of its Compose file.", risk=Risk.RESTARTS)
    command = deployment.compose(f"up -d --force-recreate {ALONE} " + " ".join(quote(name) for name in services))
    return Step(text, command=command, risk=Risk.RESTARTS)


def worker_services(workers: Workers | Unavailable) -> tuple[str, ...]:
    """The Compose services of the celery workers that exist; ``celery-worker`` where none is known."""
    if isinstance(workers, Unavailable):
        return ("celery-worker",)
    names = dict.fromkeys(w.compose.service for w in workers.celery if w.compose.service)
    return tuple(names) or ("celery-worker",)


def edited(file: EnvFile | str, text: str, scripts: Iterable[str], *, extended: bool = False) -> Step:
    """Edit a file with sed. The former one stays beside it as ``….bak``; a script must leave its own result alone.

    ``extended``: extended regular expressions, byte by byte, whatever characters are in the file.
    """
    itself = file if isinstance(file, str) else str(file.itself)
    program = "LC_ALL=C sed -E" if extended else "sed"
    if not isinstance(file, str) and not file.editable:
        program = f"sudo {'env ' if extended else ''}{program}"
    return Step(text, command=f"{program} -i.bak '{';'.join(scripts)}' {quote(itself)}", risk=Risk.CHANGES_FILES)


def comment_out(file: EnvFile | str, lines: Iterable[int], text: str) -> Step:
    """Put a # in front of lines. Deleting them would move the others, and a second paste would delete those."""
    return edited(file, text, (COMMENT_OUT.format(line) for line in sorted(set(lines))))


def without_characters(file: EnvFile, text: str, characters: str) -> Step:
    """Delete characters that no sed can name, by their escapes for tr; through a copy, so that a link stays a link."""
    itself, copy = quote(str(file.itself)), quote(f"{file.itself}.bak")
    command = f"cp -p {itself} {copy} && tr -d '{characters}' < {copy} > {itself}"
    if not file.editable:
        command = f"sudo sh -c {quote(command)}"
    return Step(text, command=command, risk=Risk.CHANGES_FILES)


COMMENT_OUT = "{}s/^[^#]/# &/"


def own_cache(deployment: Deployment, worker: Worker | None, access: CacheAccess, path: str) -> Step:
    """Give a folder of the host to the worker's user, through the worker's own image: no sudo, and nothing to download."""
    owner = access.uid if access.uid is not None else 1000
    text = f"Give {path} to the worker's user ({access.user or owner}); your own user id does not help."
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
    """Accept a model's terms with the account that owns the worker's token."""
    who = f"as '{account}'" if account else "with the account that the token belongs to"
    return Step(
        f'Log in at huggingface.co {who}, open the page of {repo} and click "Agree and access repository". '
        "You need no new token and no restart.",
        url=f"https://huggingface.co/{repo}",
    )


def new_token(extra: str = "") -> Step:
    return Step(f"Create a token (type: Read){extra}.", url=TOKEN_SETTINGS)


def put_token(line: int | None, env_path: str) -> Step:
    """Write the token to its line of the ``.env``."""
    where = f"on line {line} of {env_path}" if line else f"to {env_path}"
    text = f"Write it {where} as HUGGINGFACE_TOKEN=hf_… with no spaces, quotes or comment after it."
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
    return Step("Transcribe a short file with two voices, then run ot-doctor again.")
