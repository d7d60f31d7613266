"""The commands. What they do lives in the modules that they call."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ot_doctor import __version__
from ot_doctor.cli import configuration
from ot_doctor.cli.bundles import collect, diagnose, diff
from ot_doctor.cli.clipboard import copy
from ot_doctor.cli.commands import Command, Group
from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.facts_command import facts
from ot_doctor.cli.failure import BrokeOff, tell
from ot_doctor.cli.fixing import fix
from ot_doctor.cli.fleet_command import elsewhere, fleet, takes_place_elsewhere
from ot_doctor.cli.interruption import heed_interruptions
from ot_doctor.cli.last_resort import get_ready, keep, last_word
from ot_doctor.cli.options import (
    SETTINGS,
    absolute,
    ascii_only,
    check_options,
    checks_dir,
    config_file,
    host_option,
    look_options,
    plan_of,
    report_options,
    signatures,
    tell_options,
    wait,
)
from ot_doctor.cli.output import (
    Progress,
    complain,
    keep_stdout_for_the_report,
    reading_width,
    tell_of_waiting,
    write,
)
from ot_doctor.cli.preflight_command import preflight
from ot_doctor.cli.schedule_command import schedule
from ot_doctor.cli.shell_completion import SHELLS, explainable, of_the_shell, script
from ot_doctor.cli.show import show, style_of, tell_of_faults
from ot_doctor.cli.try_command import try_
from ot_doctor.cli.undoing import undo
from ot_doctor.cli.worker_view import probe
from ot_doctor.core import supervisor
from ot_doctor.core.debug_log import note_the_unhandled

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ot_doctor.redaction.secret import Secret
    from ot_doctor.report.model import Report
    from ot_doctor.run.plan import Plan


_EXAMPLES = (
    ("ot-doctor", "Examine the installation here, or the running one."),
    ("ot-doctor --dir /srv/ot -q", "That folder, and only its problems."),
    ("ot-doctor --logs worker.log", "A log that somebody sent you."),
    ("ot-doctor explain model-access", "What a check, a cause or a log line means."),
    ("ot-doctor collect", "One file for support, without secrets."),
)
_EXAMPLES_OF_RUN = (
    ("ot-doctor --offline --no-docker", "Look at the files alone."),
    ("ot-doctor --select cache -v", "One family, with all that was seen."),
    ("ot-doctor --format markdown", "To paste into a ticket."),
    ("ot-doctor -q --output report.html", "A file beside the short report."),
    ("ot-doctor --wait 5m --require access", "In CI, after 'docker compose up -d'."),
)
_BALLAST = 16 * 2**20  # bytes of addresses, which cost nothing
_DESCRIPTORS = 12  # that a run needs at least
_NO_ROOM = b"ot-doctor: There is too little memory, or too few files may be open. Raise the limits (ulimit -v, ulimit -n).\n"


class RunByDefault(Group):
    """``ot-doctor --offline`` is ``ot-doctor run --offline``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        bare = not args and not ctx.resilient_parsing  # where a shell completes, a command may follow
        if bare or (args and args[0].startswith("-") and args[0] not in ("-h", "--help", "--version")):
            args = ["run", *args]
        if args[:1] == ["run"] and takes_place_elsewhere(args):
            args = ["elsewhere", *args[1:]]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not ctx.resilient_parsing:
            from ot_doctor.run.lookup import meant

            commands = "'ot-doctor --help' shows the commands."
            raise click.UsageError(f"There is no command '{args[0]}'. {meant(args[0], list(self.commands), commands)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            raise BrokeOff(ctx) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            command = self.commands["run"]
            with command.make_context("run", [], parent=ctx, resilient_parsing=True) as inner:
                found += command.shell_complete(inner, incomplete)
        return list({item.value: item for item in found}.values())


@click.group(
    cls=RunByDefault, context_settings=SETTINGS, examples=_EXAMPLES,
    epilog="'ot-doctor run --help' shows all options, 'ot-doctor list' all checks.",
)  # fmt: skip
@click.version_option(__version__, prog_name="ot-doctor", allow_from_autoenv=False)
def cli() -> None:
    """Find out why OpenTranscribe's speaker diarization does not work.

    Without a command, the installation in this folder or the one that runs on this machine is examined: 'ot-doctor' is
    'ot-doctor run', and takes its options. Nothing is changed.
    """


@cli.command(
    cls=ConfiguredCommand, context_settings=SETTINGS, examples=_EXAMPLES_OF_RUN,
    short_help="Examine the installation (default).",
    epilog="'ot-doctor explain NAME' explains a check, a cause or a log line.",
)  # fmt: skip
@look_options
@host_option
@check_options
@report_options
@tell_options
@wait
@config_file
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Examine the installation and print the checklist, the root cause first.

    Exit codes: 0 nothing failed; 1 something failed; 2 wrong usage, or no installation found; 3 nothing failed, but
    something could not be checked; 4 ot-doctor itself failed.
    """
    from ot_doctor.report.model import failure_summary
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.retry import retry_until_success

    if options["wait"] and "-" in options["logs"]:
        raise click.UsageError("--wait cannot read standard input again and again: give --logs a file.", ctx)
    tell_of_faults(options["verbose"])
    plan = plan_of(options, ctx)
    try:
        interim = partial(keep, options=options, style=style_of(options))
        report = retry_until_success(partial(_examine, plan, interim), failure_summary, options["wait"], tell_of_waiting)
    except WrongUsage as error:
        raise click.UsageError(str(error), ctx) from None
    said = configuration.of(ctx).overlooked(report.deployment.directory if report.deployment else None)
    if said:
        complain(said)
    code = show(report, options)
    if options["copy"]:
        copy(report)
    if options["ping"]:
        _tell_the_service(options["ping"], report)
    ctx.exit(code)


def _tell_the_service(address: Secret, report: Report) -> None:
    from ot_doctor.report.model import exit_code
    from ot_doctor.report.summary import verdict
    from ot_doctor.sources.ping import SECONDS, ping

    supervisor.expect(2 * SECONDS)
    if problem := ping(address, exit_code(report), verdict(report).text):
        complain(f"--ping: {problem}")


def _examine(plan: Plan, interim: Callable[[Report], None], limit: float) -> Report:
    """One run, of ``limit`` seconds at most."""
    from ot_doctor.report.build import report_of
    from ot_doctor.run.retry import LONGEST_PAUSE
    from ot_doctor.run.session import examine, prepare

    now = replace(plan.request, timeout=min(plan.request.timeout, limit), started=time.monotonic())
    plan = replace(plan, request=now)
    supervisor.expect(now.timeout)
    supervisor.keep(b"")
    checks, store, notices = prepare(plan)
    with Progress(store):
        report = report_of(examine(plan, checks, store, notices, interim=lambda found: interim(report_of(found))))
    if limit != float("inf"):
        supervisor.expect(LONGEST_PAUSE)  # --wait
    return report


@cli.command("list", cls=Command, context_settings=SETTINGS, short_help="List checks, causes or log signatures.")
@click.option("--causes", is_flag=True, help="List the causes, in the order in which they must be fixed.")
@click.option(  # the variable names files, for the other commands
    "--signatures", is_flag=True, allow_from_autoenv=False, help="List the log signatures and the rules, each with its cause."
)
@checks_dir
@ascii_only
def list_(causes: bool, signatures: bool, checks_dir: tuple[Path, ...], ascii: bool) -> None:
    """List every check with its family and the state that it wants; or the causes, or the log signatures."""
    from ot_doctor.run import listing
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.session import catalogue_of, signatures_of

    if causes and signatures:
        raise click.UsageError("--causes and --signatures are two lists: give one of them.")
    if causes:
        _show(listing.of_causes(reading_width()), ascii)
        return
    if signatures:
        _show(listing.of_signatures(signatures_of(()).values(), reading_width()), ascii)
        return
    try:
        catalogue = catalogue_of(checks_dir)
    except WrongUsage as error:
        raise click.UsageError(str(error)) from None
    _show(listing.of_checks(catalogue, reading_width()), ascii)
    for broken in catalogue.broken:
        complain(f"the plug-in {broken.owner} could not be loaded: {broken.reason}")


@cli.command(cls=Command, context_settings=SETTINGS, short_help="Explain a check, a cause or a log signature.")
@click.argument("name", shell_complete=explainable)
@checks_dir
@signatures
@ascii_only
def explain(name: str, checks_dir: tuple[Path, ...], signatures: tuple[Path, ...], ascii: bool) -> None:
    """Explain a check, a cause, a log signature or a rule: what it means, why it matters, how it is found, and how to fix it."""
    from ot_doctor.run.explain import explanation_of
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.session import catalogue_of, signatures_of

    try:
        _show(explanation_of(name, catalogue_of(checks_dir), signatures_of(absolute(signatures)), reading_width()), ascii)
    except WrongUsage as error:
        raise click.UsageError(str(error)) from None


@cli.command(cls=Command, context_settings=SETTINGS, short_help="Print the shell completion.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options and names.

    \b
    bash, in ~/.bashrc:                 eval "$(ot-doctor completion bash)"
    zsh, in ~/.zshrc, after compinit:   eval "$(ot-doctor completion zsh)"
    fish, in ~/.config/fish/config.fish:  ot-doctor completion fish | source
    """
    write(script(cli, shell))


for command in (fix, undo, try_, collect, diagnose, diff, preflight, facts, schedule, fleet, elsewhere, probe):
    cli.add_command(command)


def _show(text: str, ascii: bool) -> None:
    from ot_doctor.redaction.masking import shown
    from ot_doctor.report.formats.text_lines import as_ascii

    text = shown(text)  # a plug-in's names and titles
    write((as_ascii(text) if ascii else text) + "\n")


def main() -> NoReturn:
    """The console script. It ends the process at once: a thread that hangs in an outside call must not hold it."""
    heed_interruptions()
    note_the_unhandled()
    try:
        code = _run_cli()
    except Exception:  # not even what went wrong could be told
        os.write(2, _NO_ROOM)
        code = 2
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = code or 1
    supervisor.end()
    os._exit(code)


def _run_cli() -> int:
    ballast = mmap(-1, _BALLAST)
    try:
        keep_stdout_for_the_report()
        _need_descriptors()
        if problem := _cannot_run_here() or of_the_shell(os.environ):
            raise click.UsageError(problem)
        supervisor.begin(last_word, get_ready, _shown)
        code = cli.main(prog_name="ot-doctor", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return 130
    except SystemExit as end:  # click's own, where the reader of a help has gone away
        return end.code if isinstance(end.code, int) else 1
    except Exception as error:
        ballast.close()  # where there is no memory left, the sentence about it needs some
        return tell(error)


def _shown(text: str) -> str:
    from ot_doctor.redaction.masking import shown

    return shown(text)


def _need_descriptors() -> None:
    """Raises ``OSError`` where too few files can be opened for a run, which would be told as something that is not there."""
    held: list[int] = []
    try:
        while len(held) < _DESCRIPTORS:
            held.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in held:
            os.close(descriptor)


def _cannot_run_here() -> str:
    if sys.platform == "win32":
        return "ot-doctor does not run on Windows itself. Run it inside WSL, where Docker's engine is."
    return ""
