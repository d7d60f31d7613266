"""Whether the ``.env`` can be read, by Compose and by the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.actions import EditEnv, Encoding, LineChange, LineEdit, ReencodeEnv
from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown
from ot_doctor.evidence import AS_ROOT, ComposeConfig, Deployment, EnvFile, EnvProblem, Refusal, Unavailable, Workers

from ._remedies import edited, recreate, rewritten, without_characters


@check("env-readable", title="The .env file can be read", family=Family.ENV, causes=(Cause.ENV_UNREADABLE,))
def env_readable(
    env: EnvFile,
    deployment: Deployment | Unavailable,
    workers: Workers | Unavailable,
    compose: ComposeConfig | Unavailable,
) -> Iterator[Finding]:
    """The containers get all settings of OpenTranscribe, including the Hugging Face token, from one file: .env.

    It is read as Compose reads it. If Compose does not accept a single line, it rejects the whole file, and no container can be
    created or recreated. If the Compose file calls .env optional, a missing file silently means an empty token.

    What breaks it: it was never copied from .env.example; Docker created a folder of that name, because something mounts it; it
    was saved as UTF-16 (PowerShell's '>' does that); a quote is not closed; a line begins with 'set'.

    A file that you are not allowed to read says nothing about the worker: run ot-doctor as root.

    To fix it, follow the steps, which name the file and the line; then recreate the worker.
    """
    path = str(env.path)
    if env.problem is None:
        yield passed(f"{path} can be read: {len(env.entries)} settings.")
        return
    where = env.where(env.problem_line) if env.problem_line else path
    seen = [Seen(".env", where, env.problem_text or env.problem.value)]
    if env.problem is EnvProblem.MISSING and _not_asked_for(compose, workers):
        yield skipped(f"There is no {path}, and no Compose file in use asks for one.", evidence=seen)
    elif env.problem is EnvProblem.UNREADABLE:
        home = quote(str(env.path.parent))
        again = Step("Run ot-doctor as root.", command=f"{AS_ROOT} --dir {home}")
        yield unknown(
            f"You are not allowed to read {path}.", cause=Cause.ENV_UNREADABLE, subject=path, evidence=seen, remedy=[again]
        )
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
        EnvProblem.MISSING: f"There is no {path}, so every setting is missing, including the token.",
        EnvProblem.FOLDER: f"{path} is a folder. Docker creates one if a file that it should mount does not exist.",
        EnvProblem.UNREADABLE: f"{path} cannot be read{words}.",
        EnvProblem.UTF16: f"{path} is written in UTF-16 (PowerShell's '>' does that), which Compose cannot read.",
        EnvProblem.REFUSED: f"Compose rejects the whole file {path} because of "
        f"{'the text' + line if line else 'its content'}{words}.",
        EnvProblem.TOO_LARGE: f"{path} is too large to be a settings file{words}.",
    }[env.problem or EnvProblem.MISSING]


def _remedy(env: EnvFile) -> tuple[Step, ...]:
    file = quote(str(env.path))
    fill = Step(f"Then set HUGGINGFACE_TOKEN and your own settings in {env.path}.", risk=Risk.CHANGES_FILES)
    copy = f"(umask 077; cp {quote(env.template)} {file})"  # it will hold the token
    make = f"create {env.path} from {env.template}" if env.template else f"restore your {env.path}, for example from a backup"
    if env.problem is EnvProblem.MISSING:
        command = f"[ -e {file} ] || {copy}" if env.template else None
        return Step(f"{make[0].upper()}{make[1:]}.", command=command, risk=Risk.CHANGES_FILES), fill
    if env.problem is EnvProblem.FOLDER:
        command = f"[ -f {file} ] || {{ rmdir {file} && {copy}; }}" if env.template else f"[ ! -d {file} ] || rmdir {file}"
        return Step(f"Remove the empty folder and {make}.", command=command, risk=Risk.CHANGES_FILES), fill
    if env.problem is EnvProblem.TOO_LARGE:
        aside = quote(f"{env.path}.broken")
        then = f" && {copy}" if env.template else ""
        command = f"[ -e {aside} ] || {{ mv {file} {aside}{then}; }}"
        return Step(f"Rename it and {make}.", command=command, risk=Risk.CHANGES_FILES), fill
    if env.problem is EnvProblem.UTF16:
        itself = quote(str(env.itself))
        done = f"tr -d '\\000' < {itself} | cmp -s - {itself}"  # no NUL is left
        program, action = f"iconv -f {env.encoding} -t UTF-8", ReencodeEnv(str(env.path), Encoding.UTF16)
        return (rewritten(env, "Convert it to UTF-8.", program, unless=done, action=action),)
    return (_fix_line(env),)


def _fix_line(env: EnvFile) -> Step:
    """What to do about the line that Compose does not accept."""
    place = f"line {env.problem_line} of {env.path}" if env.problem_line else str(env.path)
    if env.refusal is Refusal.NUL:
        return without_characters(env, "Delete the NUL bytes.", "\\000", ReencodeEnv(str(env.path), Encoding.NUL))
    if env.refusal is Refusal.QUOTE:
        return Step(f"Close the quote on {place}, or delete it; values need no quotes.", risk=Risk.CHANGES_FILES)
    if env.refusal is Refusal.SPACE and env.problem_line:
        text = f"Write {place} as KEY=value. A name cannot contain a space, so remove a leading 'set'."
        action = EditEnv(str(env.path), (LineEdit(env.problem_line, LineChange.DROP_SET),))
        return edited(env, text, [f"{env.problem_line}s/^ *set +//"], action=action)
    return Step(f"Either write {place} as KEY=value, or put a # in front of it.", risk=Risk.CHANGES_FILES)
