"""Reading the ``.env``: as Compose does, and with an eye on everybody else who reads it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ot_doctor.core.deadline import within
from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request
from ot_doctor.evidence.deployment import Deployment
from ot_doctor.evidence.env_file import AskedEnvFile, EnvEntry, EnvFile, EnvProblem
from ot_doctor.redaction.masking import redact_outside
from ot_doctor.redaction.names import is_secret, keep, register_text
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.dotenv.compose_dialect import Assignment, DotenvRefused, parse
from ot_doctor.sources.dotenv.git_index import NotKnown, tracked
from ot_doctor.sources.dotenv.line_lint import is_hub_token, odd_lines, shown_key
from ot_doctor.sources.dotenv.other_readers import differences
from ot_doctor.sources.other_machine import unseen

_LARGEST = 1024 * 1024  # bytes; upstream's template has 30 thousand
_MOST_LINES = 10_000
_GIT_SECONDS = 3.0


def gather(request: Request, deployment: Deployment) -> EnvFile:
    """The ``.env`` that the next ``docker compose up`` of the running stack reads."""
    if deployment.machine:
        raise unseen(request, deployment, "The .env")
    return _read(deployment.env_path, request)


def gather_asked(request: Request, deployment: Deployment, env_file: EnvFile) -> AskedEnvFile:
    """The ``.env`` of the folder that was asked for, where the stack runs from another one."""
    path = deployment.directory / ".env"
    if not deployment.elsewhere or _same_file(path, env_file.path):
        return AskedEnvFile(None)
    asked = _read(path, request)
    if asked.problem or env_file.problem:
        return AskedEnvFile(asked)
    return AskedEnvFile(asked, _differing(_values(asked), _values(env_file)))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one == other


def _values(env_file: EnvFile) -> dict[str, str | Secret]:
    return {entry.key: entry.value for entry in env_file.entries if entry.value is not None}


def _differing(one: Mapping[str, str | Secret], other: Mapping[str, str | Secret]) -> tuple[str, ...]:
    return tuple(key for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key))


def _read(path: Path, request: Request) -> EnvFile:
    try:
        data, status = read_small(path, _LARGEST)
    except TooLarge as error:
        return _problem(path, EnvProblem.TOO_LARGE, str(error))
    except IsADirectoryError:
        return _problem(path, EnvProblem.FOLDER, f"{path} is a folder")
    except (FileNotFoundError, NotADirectoryError):
        return _problem(path, EnvProblem.MISSING, f"{path} does not exist")
    except OSError as error:
        return _problem(path, EnvProblem.UNREADABLE, f"{path}: {error.strerror or error}")
    file = replace(_facts(path, status), target=_target(path), tracked_by_git=_tracked_by_git(path, request))
    if encoding := _utf16(data):
        text = "the file is UTF-16 (as PowerShell's '>' writes it); Compose reads UTF-8 alone"
        return replace(file, problem=EnvProblem.UTF16, problem_text=text, problem_line=1, encoding=encoding)
    if data.count(b"\n") > _MOST_LINES:
        return replace(file, problem=EnvProblem.TOO_LARGE, problem_text=f"{path} has more than {_MOST_LINES:,} lines")
    register_text(data.decode("utf-8", "replace"))  # also what Compose refuses or takes otherwise: a log may quote it
    try:
        assignments = _as_in_the_container(data, request.environ)
    except DotenvRefused as refused:
        text = redact_outside(printable(refused.message))
        return replace(file, problem=EnvProblem.REFUSED, problem_text=text, problem_line=refused.line, refusal=refused.refusal)
    return _filled(file, data, assignments, request.environ)


def _filled(file: EnvFile, data: bytes, assignments: Sequence[Assignment], environ: Mapping[str, str]) -> EnvFile:
    entries = tuple(_entry(a, before) for a, before in zip(assignments, (None, *assignments), strict=False))
    effective = {a.key: a for a in assignments if a.value is not None}
    in_shell = {key: environ[key] for key, a in effective.items() if key in environ and environ[key] != a.value}
    return replace(
        file,
        entries=entries,
        odd_lines=odd_lines(data.decode("utf-8", "replace"), assignments),
        differences=differences(data, effective, environ),
        shell_wins={key: keep(key, value) for key, value in in_shell.items()},
    )


def _entry(assignment: Assignment, before: Assignment | None) -> EnvEntry:
    key, value = assignment.key, assignment.value
    if value is not None:
        return EnvEntry(shown_key(key), keep(key, value), assignment.line, assignment.last_line)
    if before is not None and before.value in ("", "\\") and (is_hub_token(before.key) or is_secret(before.key, "")):
        return EnvEntry(str(Secret(key, before.key)), None, assignment.line)  # the value itself, on the line behind its name
    return EnvEntry(shown_key(key), None, assignment.line)


def _as_in_the_container(data: bytes, environ: Mapping[str, str]) -> tuple[Assignment, ...]:
    """Compose reads the file twice: for the project, and then, with what it found there, for the container."""
    project = {a.key: a.value for a in parse(data, environ.get) if a.value is not None}
    project.update(environ)
    return parse(data, project.get)


def _utf16(data: bytes) -> str:
    """The encoding's name; empty where it is another."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16"
    halves = {"UTF-16BE": data[0:64:2], "UTF-16LE": data[1:64:2]}  # by the half that is NUL
    return next((name for name, half in halves.items() if len(half) > 1 and not any(half)), "")


def _problem(path: Path, problem: EnvProblem, text: str) -> EnvFile:
    try:
        file = _facts(path, path.stat())
    except OSError:
        file = EnvFile(path)
    template = path.with_name(".env.example")
    return replace(file, problem=problem, problem_text=printable(text), template=str(template) if template.is_file() else "")


def _facts(path: Path, status: os.stat_result) -> EnvFile:
    try:
        modified = datetime.fromtimestamp(status.st_mtime, timezone.utc)
    except (OverflowError, ValueError, OSError):  # a clock gone wild
        modified = None
    mode = stat.S_IMODE(status.st_mode)
    return EnvFile(path, modified_at=modified, mode=mode, owner=status.st_uid, editable=_editable(path, status.st_uid))


def _editable(path: Path, owner: int) -> bool:
    """Commands write into the file. With sudo the person who called it will paste them without."""
    by_sudo = owner == 0 and os.geteuid() == 0 and "SUDO_USER" in os.environ
    return not by_sudo and os.access(path, os.W_OK)


def _target(path: Path) -> Path | None:
    return Path(os.path.realpath(path)) if path.is_symlink() else None


def _tracked_by_git(path: Path, request: Request) -> bool | None:
    """Whether git tracks the file itself: a link to it carries nothing along. Only repositories of who owns the file count."""
    seconds = min(_GIT_SECONDS, request.remaining())
    if seconds <= 0:
        return None

    def look() -> bool:
        real = Path(os.path.realpath(path))
        owners = {0, os.geteuid(), real.stat().st_uid, real.parent.stat().st_uid}
        return tracked(real, frozenset(owners))

    try:
        return within(seconds, look)  # a folder above may be on a dead mount
    except (OSError, ValueError, NotKnown):
        return None
