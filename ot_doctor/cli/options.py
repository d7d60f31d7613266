"""The options that several commands share, and what they say of a run."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ot_doctor.cli.durations import Duration, Within
from ot_doctor.cli.last_resort import remember
from ot_doctor.cli.output import not_to_be_written
from ot_doctor.cli.shell_completion import checks_and_families
from ot_doctor.core import supervisor
from ot_doctor.report.formats import FORMATS, format_of

if TYPE_CHECKING:
    from ot_doctor.redaction.secret import Secret
    from ot_doctor.run.plan import Plan

Command = TypeVar("Command", bound=Callable[..., Any])
SETTINGS = {"auto_envvar_prefix": "OT_DOCTOR", "help_option_names": ["-h", "--help"]}
_FAIL_ON, _FAIL_ON_WEIGHT = "ot_doctor.fail_on", "ot_doctor.fail_on.weight"
_WEIGHTS: dict[ParameterSource | None, int] = {
    ParameterSource.COMMANDLINE: 3, ParameterSource.ENVIRONMENT: 2, ParameterSource.DEFAULT_MAP: 1,
}  # fmt: skip


class _Paths(click.Path):
    """A path; several of them in a variable are separated as in ``PATH``, and blanks are a part of each."""

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return [part for part in rv.split(os.pathsep) if part]


class _Family(click.Choice[str]):
    """The name of a family; one of a check or a cause is refused with the families that it has to do with."""

    def __init__(self) -> None:
        super().__init__(("env", "token", "access", "cache", "worker", "logs", "speakers", "host"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.choices:
            return value
        from ot_doctor.cli.shell_completion import checks_of
        from ot_doctor.run.lookup import not_taken

        self.fail(not_taken(str(value), ("family",), checks_of(ctx)), param, ctx)


_FOLDER = _Paths(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ANY_PATH = _Paths(readable=False)
SECONDS = Within(float, 1, 86400, "seconds")


def _address(ctx: click.Context, param: click.Parameter, value: str | None) -> Secret | None:
    """An address by which others could report for this machine: a secret, which no message may show."""
    if not value:
        return None
    from ot_doctor.redaction.secret import Secret
    from ot_doctor.sources.ping import problem_of

    secret = Secret(value, "OT_DOCTOR_PING")
    if problem := problem_of(value):
        raise click.UsageError(f"--ping: {problem}.", ctx)
    return secret


def _last_given_wins(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """``--fail-on`` and ``--strict`` set one thing; click calls this in the order of the command line.

    The command line wins over the environment, and that over a file. Each value is kept with the weight of where it stands, and a
    later one replaces it where it is heavier, or as heavy and from the command line. For example:

    ==================================  ==============================  ========
    command line                        elsewhere                       meant
    ==================================  ==============================  ========
    ``--fail-on never --strict``                                        ``warn``
    ``--strict --fail-on never``                                        ``never``
    ``--strict``                        ``OT_DOCTOR_FAIL_ON=never``     ``warn``
                                        the same, ``strict`` in a file  ``never``
    ==================================  ==============================  ========
    """
    meant = {True: "warn", False: None}.get(value, value)
    weight = _WEIGHTS.get(ctx.get_parameter_source(param.name or ""), 0)
    before = ctx.meta.get(_FAIL_ON_WEIGHT, 0)
    if meant and weight and (weight > before or weight == before == _WEIGHTS[ParameterSource.COMMANDLINE]):
        ctx.meta[_FAIL_ON], ctx.meta[_FAIL_ON_WEIGHT] = meant, weight


def _log_file(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name == "-":
            continue
        path = os.path.abspath(name)
        if not os.path.lexists(name):
            raise click.BadParameter(f"there is no file {path}", ctx, param)
        if os.path.isdir(name):
            raise click.BadParameter(f"{path} is a folder, not a log. Name the file in it.", ctx, param)
        if not _is_regular(name, ctx, param):
            instead = "Pass a stream on standard input: … | ot-doctor --logs -"
            raise click.BadParameter(f"{path} is not a regular file. {instead}", ctx, param)
    return value


def _signature_file(ctx: click.Context, param: click.Parameter, value: tuple[Path, ...]) -> tuple[Path, ...]:
    for path in value:
        if os.path.lexists(path) and not os.path.isdir(path) and not _is_regular(path, ctx, param):
            raise click.BadParameter(f"{os.path.abspath(path)} is not a regular file", ctx, param)
    return value


def _is_regular(name: str | Path, ctx: click.Context, param: click.Parameter) -> bool:
    """Whether it can be read to its end without waiting. Links are followed; one that leads nowhere is wrong usage."""
    try:
        return stat.S_ISREG(os.stat(name).st_mode) or os.path.isdir(name)  # a folder has a sentence of its own
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{name}: {getattr(error, 'strerror', None) or error}", ctx, param) from None


def _depth(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """``gpu`` is asked for at a terminal; where nobody can be asked, the command line itself must say it."""
    if value != "gpu" or ctx.resilient_parsing:
        return value
    if sys.stdin and sys.stdin.isatty() and sys.stderr.isatty():
        supervisor.expect(float("inf"))
        question = "Calculate on the worker's GPU for a moment, with some hundred MB of its memory, in a container of its own?"
        return "gpu" if click.confirm(question, default=False, err=True) else "light"
    if ctx.get_parameter_source(param.name or "") is not ParameterSource.COMMANDLINE:
        raise click.BadParameter("where nobody can be asked, 'gpu' must stand on the command line", ctx, param)
    return value


def _output_file(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[Path, ...]:
    for name in value:
        path = Path(os.path.abspath(name))
        if format_of(name) is None:
            endings = ", ".join(ending for endings in FORMATS.values() for ending in endings)
            raise click.BadParameter(f"the ending of {path} names no format; there is {endings}", ctx, param)
        if problem := not_to_be_written(path):
            raise click.BadParameter(problem, ctx, param)
    return tuple(dict.fromkeys(Path(os.path.abspath(name)) for name in value))


def absolute(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(Path(os.path.abspath(path)) for path in paths)


checks_dir = click.option("--checks-dir", multiple=True, type=_FOLDER, help="A folder of extra check modules. Repeatable.")
signatures = click.option(
    "--signatures", multiple=True, metavar="FILE", type=_Paths(path_type=Path), callback=_signature_file,
    help="More log signatures (TOML). Repeatable."
)
ascii_only = click.option("--ascii", is_flag=True, help="Use ASCII characters only.")
config_file = click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE",
    help="Take options from this file instead of .ot-doctor.toml or pyproject.toml; /dev/null: from none.",
)  # fmt: skip
wait = click.option(
    "--wait", type=Duration(), default="0", metavar="DURATION",
    help="Try again until it passes or this time is over: 5m, 90s, 1h.",
)  # fmt: skip
redact_level = click.option(
    "--redact", type=click.Choice(["default", "strict"]), default="default", show_default=True,
    help="'strict' hides the names of hosts, projects and files too.",
)  # fmt: skip
offline = click.option("--offline", is_flag=True, help="Do not ask the Hugging Face Hub.")

_FOLDERS = (
    click.option("--dir", type=_FOLDER, help="The OpenTranscribe folder."),
    click.option("--env-file", type=_FILE, help="The .env file, if it is not the folder's own."),
)
_LOGS = click.option(
    "--logs", multiple=True, metavar="FILE", type=_ANY_PATH, callback=_log_file,
    help="A log instead of Docker's; '-' is standard input. Repeatable.",
)  # fmt: skip
_LEFT_OUT = (
    click.option("--worker", multiple=True, metavar="NAME", help="A container or Compose service to examine. Repeatable."),
    offline,
    click.option("--no-docker", is_flag=True, help="Do not ask Docker."),
    click.option("--no-exec", is_flag=True, help="Run nothing inside containers."),
    click.option(
        "--probe", type=click.Choice(["off", "light", "deep", "gpu"]), default="light", show_default=True, callback=_depth,
        help="How far the worker is looked at from inside; 'deep' also writes and deletes an empty file in the model cache, and "
        "imports the libraries in a container of its own; 'gpu' calculates on the worker's GPU instead, while no job runs.",
    ),
    click.option("--timeout", type=SECONDS, default=30, show_default=True, metavar="SECONDS",
                 help="Time limit for the whole run."),
)  # fmt: skip
_OTHERS = (
    click.option("--copy", is_flag=True, help="Copy the report as Markdown into the terminal's clipboard."),
    click.option("--ping", metavar="URL", callback=_address,
                 help="Tell a service how the run ended: Healthchecks, Uptime Kuma, Gatus."),
)  # fmt: skip
_CONTEXT = click.option("--context", metavar="NAME", help="The Docker context to use, whatever DOCKER_HOST says.")
_PLACE = (*_FOLDERS, _CONTEXT, *_LEFT_OUT)
_HOST = click.option(  # taken before any other option is read: see fleet_command
    "--host", multiple=True, metavar="ADDRESS", expose_value=False,
    help="Another machine, by your own ssh: ssh://me@server/srv/ot. Repeatable.",
)  # fmt: skip
_ENGINE_OF = click.option("--engine-of", hidden=True, default="", allow_from_autoenv=False)  # what --host calls itself with
_LOOK = (*_FOLDERS, _LOGS, _CONTEXT, *_LEFT_OUT, signatures)
_CHECKS = (
    click.option("--select", multiple=True, metavar="NAME", shell_complete=checks_and_families,
                 help="Only this check or family. Repeatable."),
    click.option("--ignore", multiple=True, metavar="NAME", shell_complete=checks_and_families,
                 help="Not this check or family. Repeatable."),
    checks_dir,
)  # fmt: skip
_REPORT = (
    click.option("--format", type=click.Choice(list(FORMATS)), default="text", show_default=True, metavar="FORMAT",
                 help=f"What standard output shows: {', '.join(FORMATS)}."),
    click.option("--output", multiple=True, metavar="FILE", type=_ANY_PATH, callback=_output_file,
                 help="Write a report file too, in the format of its ending. Repeatable."),
    click.option("--fail-on", type=click.Choice(["warn", "fail", "never"]), callback=_last_given_wins, expose_value=False,
                 help="What leads to exit code 1.  [default: fail]"),
    click.option("--strict", is_flag=True, callback=_last_given_wins, expose_value=False, help="The same as --fail-on warn."),
    click.option("--require", multiple=True, type=_Family(), metavar="FAMILY",
                 help="What could not be checked in this family is a failure. Repeatable."),
    redact_level,
    click.option("-v", "--verbose", count=True, help="Show evidence for passes too; -vv also what went wrong in the doctor."),
    click.option("-q", "--quiet", is_flag=True, help="Show only what is not a pass."),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
                 help="Whether to use colours; auto: on a terminal."),
    ascii_only,
)  # fmt: skip


def _all(options: tuple[Callable[[Any], Any], ...]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


place_options = _all(_PLACE)  # where to look, of a command that reads no log
look_options = _all(_LOOK)  # where to look, and what to leave out
check_options = _all(_CHECKS)  # which checks
host_option = _all((_HOST, _ENGINE_OF))
tell_options = _all(_OTHERS)  # who else is told
report_options = _all(_REPORT)  # what is shown, and what counts as a failure


def plan_of(options: dict[str, Any], ctx: click.Context) -> Plan:
    """The run that the options of a command mean; those that the command does not have are as by default."""
    from ot_doctor.check import Family
    from ot_doctor.cli import configuration
    from ot_doctor.evidence import Request
    from ot_doctor.run.plan import Plan, current_user

    def one(path: Path | None) -> Path | None:
        return Path(os.path.abspath(path)) if path else None

    environ = dict(os.environ)
    request = Request(
        directory=one(options.get("dir")),
        env_file=one(options.get("env_file")),
        logs=options.get("logs", ()),
        workers=options.get("worker", ()),
        signatures=absolute(options.get("signatures", ())),
        offline=options.get("offline", False),
        no_docker=options.get("no_docker", False),
        context=options.get("context") or "",
        engine_of=options.get("engine_of", ""),
        no_exec=options.get("no_exec", False),
        probe=options.get("probe", "light"),
        timeout=options.get("timeout", 30.0),
        environ=environ,
    )
    home, user = current_user(environ)
    config = configuration.of(ctx)
    plan = Plan(
        request,
        select=options.get("select", ()),
        ignore=options.get("ignore", ()),
        checks_dirs=options.get("checks_dir", ()),
        fail_on=ctx.meta.get(_FAIL_ON, "fail"),
        required=tuple(Family(name) for name in options.get("require", ())),
        named=config.named,
        suppressions=config.suppressions,
        redact=options.get("redact", "default"),
        home=home,
        user=user,
    )
    remember(ctx.info_name or "run", options, plan)
    return plan
