"""The token that the worker uses: in its container, else in the ``.env``."""

from __future__ import annotations

from collections.abc import Mapping

from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.env_file import EnvFile
from ot_doctor.evidence.token import WorkerToken
from ot_doctor.evidence.workers import Workers
from ot_doctor.redaction.secret import TOKEN_NAME, Secret

OTHER_NAMES = ("HF_TOKEN", "HUGGING_FACE_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN")


def gather(request: Request, workers: Workers | Unavailable, env_file: EnvFile | Unavailable) -> WorkerToken:
    """HUGGINGFACE_TOKEN of the first running diarizer, else of the first one, else as Compose reads it from ``.env``."""
    if isinstance(workers, Unavailable) and workers.elsewhere:
        raise workers
    worker = None if isinstance(workers, Unavailable) else next(iter(workers.diarizers), None)
    written = {} if isinstance(env_file, Unavailable) else {e.key: e.value for e in env_file.entries if e.value is not None}
    env_line = _env_line(env_file)
    if worker is not None:
        value, where = worker.env.get(TOKEN_NAME), worker.where
    elif isinstance(env_file, Unavailable) or env_file.problem is not None:
        raise _neither(workers, env_file)
    else:
        value, where = written.get(TOKEN_NAME), env_line or str(env_file.path)
    return WorkerToken(
        value=Secret(value, TOKEN_NAME) if isinstance(value, str) else value,
        where=where,
        from_container=worker is not None,
        env_line=env_line,
        other_name=_other_name(worker.env if worker else {}) or _other_name(written),
    )


def _env_line(env_file: EnvFile | Unavailable) -> str | None:
    entry = None if isinstance(env_file, Unavailable) else env_file.entry(TOKEN_NAME)
    return str(env_file.where(entry.line)) if entry and isinstance(env_file, EnvFile) else None


def _other_name(env: Mapping[str, str | Secret]) -> str | None:
    """A name that OpenTranscribe does not read, and that holds something: other spellings, and the right one in lower case."""
    wrong = (*OTHER_NAMES, TOKEN_NAME)
    return next((name for name in env if env[name] and name != TOKEN_NAME and name.upper() in wrong), None)


def _neither(workers: Workers | Unavailable, env_file: EnvFile | Unavailable) -> Unavailable:
    if isinstance(workers, Unavailable):
        return workers
    if isinstance(env_file, Unavailable):
        return env_file
    why = env_file.problem_text or (env_file.problem.value if env_file.problem else "")
    return Unavailable(f"There is no worker container, and the token cannot be read from {env_file.path}: {why}.")
