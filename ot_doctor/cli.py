"""The commands. What they do lives in the modules that they call."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from ot_doctor import __version__

if TYPE_CHECKING:
    from ot_doctor.evidence.store import Store
    from ot_doctor.examination import Plan

_SETTINGS = {"auto_envvar_prefix": "OT_DOCTOR", "help_option_names": ["-h", "--help"]}
_FAIL_ON = "ot_doctor.fail_on"


class RunByDefault(click.Group):
    """``ot-doctor --offline`` is ``ot-doctor run --offline``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


def _last_given_wins(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """``--fail-on`` and ``--strict`` set one thing; click calls this in the order of the command line."""
    source = ctx.get_parameter_source(param.name or "")
    meant = {True: "warn", False: None}.get(value, value)
    if meant and source is ParameterSource.COMMANDLINE:
        ctx.meta[_FAIL_ON] = meant
    elif meant and source is not ParameterSource.DEFAULT:
        ctx.meta.setdefault(_FAIL_ON, meant)


def _log_file(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name != "-" and not os.path.exists(name):
            raise click.BadParameter(f"there is no file {os.path.abspath(name)}", ctx, param)
    return value


def _seconds(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if value != value:  # not a number, and so in every range
        raise click.BadParameter(f"{value} is no number of seconds", ctx, param)
    return value


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_checks_dir = click.option("--checks-dir", multiple=True, type=_FOLDER, help="A folder of extra check modules. Repeatable.")
_signatures = click.option(
    "--signatures", multiple=True, metavar="FILE", type=click.Path(path_type=Path), help="More log signatures (TOML). Repeatable."
)
_ascii = click.option("--ascii", is_flag=True, help="Use ASCII characters only.")


@click.group(cls=RunByDefault, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="ot-doctor")
def cli() -> None:
    """Find out why OpenTranscribe's speaker diarization does not work.

    Without a command, the installation in this folder or the one that runs on this machine is examined: 'ot-doctor' is
    'ot-doctor run', and takes its options. Nothing is changed.
    """


@cli.command(context_settings=_SETTINGS)
@click.option("--dir", type=_FOLDER, help="The OpenTranscribe folder.")
@click.option("--env-file", type=_FILE, help="The .env file, if it is not the folder's own.")
@click.option(
    "--logs",
    multiple=True,
    metavar="FILE",
    callback=_log_file,
    help="A log instead of Docker's; '-' is standard input. Repeatable.",
)
@click.option("--worker", multiple=True, metavar="NAME", help="A container or Compose service to examine. Repeatable.")
@click.option("--select", multiple=True, metavar="NAME", help="Only this check or family. Repeatable.")
@click.option("--ignore", multiple=True, metavar="NAME", help="Not this check or family. Repeatable.")
@click.option("--offline", is_flag=True, help="Ask nothing of the Hugging Face Hub.")
@click.option("--no-docker", is_flag=True, help="Ask nothing of Docker.")
@click.option("--no-exec", is_flag=True, help="Run nothing inside containers.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=30,
    show_default=True,
    metavar="SECONDS",
    callback=_seconds,
    help="For all of it.",
)
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--fail-on",
    type=click.Choice(["warn", "fail", "never"]),
    callback=_last_given_wins,
    expose_value=False,
    help="What leads to exit code 1.  [default: fail]",
)
@click.option("--strict", is_flag=True, callback=_last_given_wins, expose_value=False, help="The same as --fail-on warn.")
@_checks_dir
@_signatures
@click.option("-v", "--verbose", is_flag=True, help="Show evidence for passes too.")
@click.option("-q", "--quiet", is_flag=True, help="Show only what is not a pass.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@_ascii
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Examine the installation and print the checklist, the root cause first.

    Exit codes: 0 nothing failed; 1 something failed; 2 wrong usage, or no installation found; 3 nothing failed, but
    something could not be checked.
    """
    from ot_doctor.examination import WrongUsage, examine, prepare
    from ot_doctor.report.model import exit_code

    plan = _plan(options, ctx.meta.get(_FAIL_ON, "fail"))
    try:
        checks, store, notices = prepare(plan)
        with Progress(store):
            report = examine(plan, checks, store, notices)
    except WrongUsage as error:
        raise click.UsageError(str(error), ctx) from None
    if options["format"] == "json":
        from ot_doctor.report import json

        write(json.render(report))
    else:
        from ot_doctor.report import text

        write(text.render(report, _style(options)))
    ctx.exit(exit_code(report))


def _plan(options: dict[str, Any], fail_on: str) -> Plan:
    from ot_doctor.evidence import Request
    from ot_doctor.examination import Plan

    def absolute(path: Path | None) -> Path | None:
        return Path(os.path.abspath(path)) if path else None

    request = Request(
        directory=absolute(options["dir"]),
        env_file=absolute(options["env_file"]),
        logs=options["logs"],
        workers=options["worker"],
        signatures=_absolute(options["signatures"]),
        offline=options["offline"],
        no_docker=options["no_docker"],
        no_exec=options["no_exec"],
        timeout=options["timeout"],
        environ=dict(os.environ),
    )
    return Plan(request, options["select"], options["ignore"], options["checks_dir"], fail_on)


def _absolute(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(Path(os.path.abspath(path)) for path in paths)


def _style(options: dict[str, Any]) -> Any:
    from shutil import get_terminal_size

    from ot_doctor.report.text import Style

    terminal = sys.stdout.isatty()
    colour = options["color"] == "always" or (options["color"] == "auto" and terminal and not os.environ.get("NO_COLOR"))
    width = min(get_terminal_size((80, 24)).columns, 100) if terminal else 80
    return Style(colour, options["ascii"] or not _can_show("✓✗…"), width, options["verbose"], options["quiet"])


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


@cli.command("list", context_settings=_SETTINGS)
@_checks_dir
@_ascii
def list_(checks_dir: tuple[Path, ...], ascii: bool) -> None:
    """Show every check: name, family, title, where it comes from."""
    from tabulate import tabulate

    from ot_doctor.examination import WrongUsage, catalogue_of

    try:
        catalogue = catalogue_of(checks_dir)
    except WrongUsage as error:
        raise click.UsageError(str(error)) from None
    rows = [(f.check.name, f.check.family.value, f.check.title, f.owner) for f in catalogue.checks.values()]
    _show(tabulate(rows, headers=("check", "family", "what should be so", "from"), tablefmt="simple"), ascii)
    for broken in catalogue.broken:
        click.echo(f"ot-doctor: the plug-in {broken.owner} could not be loaded: {broken.reason}", err=True)


@cli.command(context_settings=_SETTINGS)
@click.argument("name")
@_checks_dir
@_signatures
@_ascii
def explain(name: str, checks_dir: tuple[Path, ...], signatures: tuple[Path, ...], ascii: bool) -> None:
    """Tell what a check, a cause or a log signature means, why it matters, how it is found out and mended."""
    from ot_doctor.examination import WrongUsage, catalogue_of, signatures_of
    from ot_doctor.explanation import explanation_of

    try:
        _show(explanation_of(name, catalogue_of(checks_dir), signatures_of(_absolute(signatures))), ascii)
    except WrongUsage as error:
        raise click.UsageError(str(error)) from None


def _show(text: str, ascii: bool) -> None:
    from ot_doctor.report.text import as_ascii

    write((as_ascii(text) if ascii else text) + "\n")


def write(text: str) -> None:
    """Put a finished document on standard output; a reader that has gone away is no error."""
    try:
        sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """On a terminal, names on standard error what is waited for, once the wait is long enough to be noticed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def _tell(self) -> None:
        shown = False
        while not self._over.wait(0.4):
            labels = self._store.waiting_for()
            if labels:
                sys.stderr.write(f"\r\x1b[KWaiting for {' and '.join(labels[:2])} …")
                sys.stderr.flush()
                shown = True
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def main() -> NoReturn:
    """The console script. It ends the process at once: a thread that hangs in an outside call must not hold it."""
    _keep_stdout_for_the_report()
    code = _run_cli()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = code or 1
    os._exit(code)


def _keep_stdout_for_the_report() -> None:
    """Lead what else is written there, by a command that a plug-in runs for instance, to standard error.

    A stream that is closed (``>&-``) leads nowhere, instead of into a file that got its number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    encoding, errors = (sys.stdout.encoding, sys.stdout.errors) if sys.stdout else ("utf-8", "backslashreplace")
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    sys.stdout = open(os.dup(1), "w", encoding=encoding, errors=errors)  # noqa: SIM115
    os.dup2(2, 1)


def _run_cli() -> int:
    try:
        code = cli.main(prog_name="ot-doctor", standalone_mode=False)
    except click.UsageError as error:
        return _usage_error(error)
    except click.ClickException as error:
        error.show()
        return 2
    except OSError as error:  # a full disk under standard output, for instance
        _complain(f"the result could not be written: {error.strerror or error}")
        return 2
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        return 130
    except Exception as error:  # a fault of ot-doctor itself: a sentence all the same
        said = f"{type(error).__name__}: {error}"
        return _usage_error(click.UsageError(f"the run broke off, which is a fault of ot-doctor: {said}"))
    return code if isinstance(code, int) else 0


def _usage_error(error: click.UsageError) -> int:
    from ot_doctor.secrets import printable, redact

    message = error.format_message()
    if _json_wanted(sys.argv[1:]):
        from ot_doctor.report.json import render_error
        from ot_doctor.report.model import UsageError

        write(render_error(UsageError(redact(printable(message)))))
    else:
        known = error.ctx is not None and isinstance(error, (click.BadParameter, click.NoSuchOption))
        hint = f"\n'{error.ctx.command_path} --help' shows the options." if known and error.ctx else ""
        _complain(redact(printable(message)) + hint)
    return 2


def _complain(text: str) -> None:
    """A sentence on standard error, where anybody can read it."""
    with contextlib.suppress(OSError):
        click.echo(f"ot-doctor: {text}", err=True)


def _json_wanted(arguments: list[str]) -> bool:
    """Whether ``--format json`` is meant, told from arguments that click could not read."""
    pairs = zip(arguments, [*arguments, ""][1:], strict=True)
    given = [b if a == "--format" else a.partition("=")[2] for a, b in pairs if a == "--format" or a.startswith("--format=")]
    return (given[-1] if given else os.environ.get("OT_DOCTOR_FORMAT", "")) == "json"
