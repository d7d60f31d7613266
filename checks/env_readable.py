"""Whether the ``.env`` can be read, by Compose and by the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown
from ot_doctor.evidence import ComposeConfig, Deployment, EnvFile, EnvProblem, Refusal, Unavailable, Workers, WorkerToken

from ._remedies import recreate


@check("env-readable", title="The .env file can be read", family=Family.ENV, causes=(Cause.ENV_UNREADABLE,))
def env_readable(
    env: EnvFile,
    deployment: Deployment | Unavailable,
    workers: Workers | Unavailable,
    compose: ComposeConfig | Unavailable,
    token: WorkerToken | Unavailable,
) -> Iterator[Finding]:
    """All settings of OpenTranscribe, the Hugging Face token among them, come to the containers from one file, .env.

    It is read as Compose reads it. A single line that Compose does not accept makes it refuse the whole file, and then no
    container can be created or recreated. Where the Compose file calls .env optional, a missing one is silently an empty token.

    What breaks it: it was never copied from .env.example; the Docker engine made a folder of that name, because something
    mounts it; it was saved as UTF-16 (PowerShell's '>' does that); a quote is not closed; a line begins with 'set'; another user
    owns it.

    To mend it, follow the steps, which name the file and the line; then recreate the worker.
    """
    path = str(env.path)
    if env.problem is None:
        yield passed(f"{path} can be read: {len(env.entries)} settings")
        return
    where = env.where(env.problem_line) if env.problem_line else path
    seen = [Seen(".env", where, env.problem_text or env.problem.value)]
    if env.problem is EnvProblem.MISSING and _not_asked_for(compose, workers):
        yield skipped(f"there is no {path}, and no Compose file in use asks for one", evidence=seen)
    elif env.problem is EnvProblem.UNREADABLE and not isinstance(token, Unavailable) and token.from_container and token.usable:
        yield unknown(
            f"{path} could not be read with your permissions: {env.problem_text or 'not allowed'}", cause=Cause.ENV_UNREADABLE,
            subject=path, evidence=seen, remedy=_remedy(env),
        )  # fmt: skip
    else:
        yield failed(
            Cause.ENV_UNREADABLE, _message(env), subject=path, expected="a text file of KEY=value lines that Compose accepts",
            evidence=seen, remedy=[*_remedy(env), recreate(deployment, workers)],
        )  # fmt: skip


def _not_asked_for(compose: ComposeConfig | Unavailable, workers: Workers | Unavailable) -> bool:
    """The Compose files are known, and none of the diarizing services has an ``env_file``."""
    if isinstance(compose, Unavailable) or isinstance(workers, Unavailable) or compose.problems:
        return False
    services = [compose.services.get(worker.compose.service) for worker in workers.diarizers]
    return bool(services) and all(service is not None and not service.env_files for service in services)


def _message(env: EnvFile) -> str:
    path, line = str(env.path), f" on line {env.problem_line}" if env.problem_line else ""
    words = f": {env.problem_text}" if env.problem_text else ""
    return {
        EnvProblem.MISSING: f"there is no {path}, so every setting is missing, the token too",
        EnvProblem.FOLDER: f"{path} is a folder: the Docker engine makes one where a file that it should mount does not exist",
        EnvProblem.UNREADABLE: f"{path} cannot be read{words}",
        EnvProblem.UTF16: f"{path} is written in UTF-16, as PowerShell's '>' does, and Compose cannot read that",
        EnvProblem.REFUSED: f"Compose refuses {path} as a whole because of what stands{line or ' in it'}{words}",
        EnvProblem.TOO_LARGE: f"{path} is too large to be a settings file{words}",
    }[env.problem or EnvProblem.MISSING]


def _remedy(env: EnvFile) -> tuple[Step, ...]:
    file = quote(str(env.path))
    fill = Step(f"Then set HUGGINGFACE_TOKEN and your own settings in {env.path}.", risk=Risk.CHANGES_FILES)
    copy = f"cp -n {quote(env.template)} {file}" if env.template else None
    make = f"make {env.path} from the template" if env.template else f"put your own {env.path} back, from a backup for instance"
    if env.problem is EnvProblem.MISSING:
        return Step(f"{make[0].upper()}{make[1:]}.", command=copy, risk=Risk.CHANGES_FILES), fill
    if env.problem is EnvProblem.FOLDER:
        command = f"rmdir {file} && {copy}" if copy else f"rmdir {file}"
        return Step(f"Remove the empty folder and {make}.", command=command, risk=Risk.CHANGES_FILES), fill
    if env.problem is EnvProblem.TOO_LARGE:
        aside = f"mv {file} {quote(str(env.path) + '.broken')}"
        command = f"{aside} && {copy}" if copy else aside
        return Step(f"Put it aside and {make}.", command=command, risk=Risk.CHANGES_FILES), fill
    if env.problem is EnvProblem.UTF16:
        new = quote(str(env.path) + ".utf8")
        convert = f"(umask 077 && iconv -f UTF-16 -t UTF-8 {file} > {new}) && cat {new} > {file} && rm {new}"
        return (Step("Convert it to UTF-8.", command=convert, risk=Risk.CHANGES_FILES),)
    if env.problem is EnvProblem.UNREADABLE:
        owner = f"user id {env.owner}" if env.owner >= 0 else "another user"
        return (Step(f"Run ot-doctor as the file's owner ({owner}), or let yourself read it.", command=f"ls -ld {file}"),)
    return (_mend_line(env, file),)


def _mend_line(env: EnvFile, file: str) -> Step:
    """What to do about the line that Compose does not accept."""
    place = f"line {env.problem_line} of {env.path}" if env.problem_line else str(env.path)
    if env.refusal is Refusal.NUL:
        return Step("Delete the NUL bytes.", command=f"sed -i 's/\\x00//g' {file}", risk=Risk.CHANGES_FILES)
    if env.refusal is Refusal.QUOTE:
        return Step(f"Close the quote on {place}, or delete it: values need none.", risk=Risk.CHANGES_FILES)
    if env.refusal is Refusal.SPACE and env.problem_line:
        command = f"sed -i -E '{env.problem_line}s/^ *set +//' {file}"
        text = f"Write {place} as KEY=value: a name has no space in it, so a leading 'set' must go."
        return Step(text, command=command, risk=Risk.CHANGES_FILES)
    return Step(f"Write {place} as KEY=value, or put a # in front of it.", risk=Risk.CHANGES_FILES)
