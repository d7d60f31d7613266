"""The commands about bundles: ``collect``, ``diagnose`` and ``diff``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ot_doctor.cli.commands import Command
from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.last_resort import keep
from ot_doctor.cli.options import (
    SETTINGS,
    ascii_only,
    check_options,
    config_file,
    look_options,
    plan_of,
    redact_level,
    report_options,
)
from ot_doctor.cli.output import Progress, complain, not_to_be_written, tell, write, write_files
from ot_doctor.cli.show import show, style_of, tell_of_faults
from ot_doctor.core import supervisor

if TYPE_CHECKING:
    from ot_doctor.bundle.reading import Recording
    from ot_doctor.bundle.writing import Bundle
    from ot_doctor.report.model import Report
    from ot_doctor.run.plan import Plan
    from ot_doctor.run.session import Examined
    from ot_doctor.sources.store import Store

_ANY_FILE = click.Path(path_type=Path)
_ENCRYPTED = (".age", ".age.txt")


def _ending(path: Path) -> str | None:
    from ot_doctor.bundle.archive import ENDINGS

    return next((ending for ending in ENDINGS if _plain(path.name.lower()).endswith(ending)), None)


def _plain(name: str) -> str:
    """The name without what says that the file is encrypted."""
    return next((name[: -len(ending)] for ending in _ENCRYPTED if name.lower().endswith(ending)), name)


def _recipient(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Tried now, and not when everything has been gathered."""
    if not value or ctx.resilient_parsing:
        return None
    from ot_doctor.sources.age import CannotEncrypt, encrypted, recipient_of

    try:
        recipient = recipient_of(value)
        encrypted(b"", recipient)
    except CannotEncrypt as error:
        raise click.UsageError(f"--encrypt-to: {error}", ctx) from None
    return recipient


def _bundle_file(ctx: click.Context, param: click.Parameter, value: str) -> Path:
    """Refused now, and not when everything has been gathered."""
    path = Path(os.path.abspath(value))
    if _ending(path) is None:
        raise click.BadParameter(f"the name of {path} must end in .zip or .tar.gz", ctx, param)
    if ctx.params.get("encrypt_to"):
        path = path if _plain(path.name) != path.name else path.with_name(f"{path.name}.age")
    elif _plain(path.name) != path.name:
        raise click.BadParameter(f"{path} is the name of an encrypted file: say for whom with --encrypt-to", ctx, param)
    if problem := not_to_be_written(path):
        raise click.BadParameter(problem, ctx, param)
    if not os.access(path.parent, os.W_OK):
        raise click.BadParameter(f"you are not allowed to write to {path.parent}", ctx, param)
    return path


@click.command(cls=ConfiguredCommand, options_of="run", context_settings=SETTINGS, short_help="Write a redacted bundle.")
@look_options
@check_options
@redact_level
@config_file
@click.option(
    "-o", "--output", "bundle", metavar="FILE", default="ot-doctor-report.zip", show_default=True, callback=_bundle_file,
    help="The bundle to write: .zip or .tar.gz.",
)  # fmt: skip
@click.option(  # eager: the name of the file depends on it
    "--encrypt-to", metavar="RECIPIENT", callback=_recipient, is_eager=True,
    help="Encrypt it with age, so that only the owner of this key can read it: age1… or ssh-ed25519 ….",
)  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Write it, and replace a file of that name, without asking.")
@click.pass_context
def collect(ctx: click.Context, /, **options: Any) -> None:
    """Gather everything that the checks look at into one file to pass on, with nothing secret in it.

    What would be in it is shown first. The file also holds the report. 'ot-doctor diagnose FILE' examines it on another
    machine.

    Exit codes: 0 the file was written, whatever was found; 2 it was not.
    """
    from ot_doctor.bundle import Refused
    from ot_doctor.bundle.writing import listing
    from ot_doctor.redaction.masking import shown
    from ot_doctor.run.plan import WrongUsage

    path: Path = options["bundle"]
    if not options["yes"] and not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("This is not a terminal: add --yes to write the bundle without a look at its contents.", ctx)
    try:
        plan = plan_of(options, ctx)
        # Whoever gets the bundle is to see what was suppressed here.
        bundle = _gathered(replace(plan, suppressions=()))
        data = bundle.archive(_ending(path) or ".zip")
    except (WrongUsage, Refused) as error:
        raise click.UsageError(str(error), ctx) from None
    tell(f"{path} {'would replace the file that is there, and hold' if path.exists() else 'would hold'} {listing(bundle)}")
    if options["encrypt_to"]:
        tell(f"Encrypted, so that only the owner of this key can read it: {options['encrypt_to']}")
    if not options["yes"] and not _agreed():
        complain("nothing was written")
        ctx.exit(2)
    if options["encrypt_to"]:
        data = _encrypted(data, options["encrypt_to"], ctx)
    write_files({path: data}, private=True)
    write(f"{shown(str(path))}\n")
    if path.name.lower().endswith(".age"):
        tell(f"GitHub takes no file of that ending: attach it as {shown(path.name)}.txt.")


def _encrypted(data: bytes, recipient: str, ctx: click.Context) -> bytes:
    from ot_doctor.sources.age import SECONDS, CannotEncrypt, encrypted

    supervisor.expect(SECONDS + 10)
    try:
        return encrypted(data, recipient)
    except CannotEncrypt as error:
        raise click.UsageError(f"--encrypt-to: {error} Nothing was written.", ctx) from None


def _gathered(plan: Plan) -> Bundle:
    """Everything that there is to know, and the report on it."""
    from ot_doctor.bundle import Refused
    from ot_doctor.run.session import examine, prepare
    from ot_doctor.sources.store import SOURCES

    checks, store, notices = prepare(plan)
    store.start(SOURCES)  # also what no check of today asks for
    with Progress(store):
        found = examine(plan, checks, store, notices)
        evidence = store.given()
    try:
        return _bundle_of(plan, store, found, evidence)
    except Refused:  # a source that came late may have registered a secret meanwhile
        return _bundle_of(plan, store, found, evidence)


def _bundle_of(plan: Plan, store: Store, found: Examined, evidence: Mapping[type, object]) -> Bundle:
    from ot_doctor.bundle.writing import make_bundle
    from ot_doctor.report.build import redactor_of, report_of
    from ot_doctor.report.formats import render

    redactor = redactor_of(plan)
    report = report_of(found, redactor)
    return make_bundle(
        evidence,
        request=store.request,
        report_text=render(report, "markdown"),
        report_json=render(report, "json"),
        created=report.started_at,
        level=plan.redact,
        redactor=redactor,
        hidden=report.hidden,
    )


def _agreed() -> bool:
    click.echo("Write it? [y/N] ", nl=False, err=True)
    supervisor.expect(float("inf"))
    agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    supervisor.expect(30)
    return agreed


@click.command(cls=Command, context_settings=SETTINGS, short_help="Examine a bundle.")
@click.argument("file", type=_ANY_FILE)
@check_options
@report_options
@click.pass_context
def diagnose(ctx: click.Context, /, **options: Any) -> None:
    """Examine a bundle that 'ot-doctor collect' wrote, maybe on another machine.

    The checks that are installed here judge what was recorded there. No Docker, no network, and nothing of this machine is
    looked at.

    Exit codes: as those of 'ot-doctor run'.
    """
    from ot_doctor.bundle import Refused
    from ot_doctor.bundle.reading import read_bundle
    from ot_doctor.run.plan import WrongUsage

    tell_of_faults(options["verbose"])
    try:
        recording = read_bundle(options["file"])
        report = _report_on(recording, plan_of(options, ctx), partial(keep, options=options, style=style_of(options)))
    except (WrongUsage, Refused) as error:
        raise click.UsageError(str(error), ctx) from None
    if recording.changed:
        complain(f"changed by somebody after the bundle was made: {', '.join(recording.changed)}")
    ctx.exit(show(report, options))


def _report_on(recording: Recording, plan: Plan, interim: Callable[[Report], None]) -> Report:
    from ot_doctor.redaction.redactor import BUNDLE_HOME
    from ot_doctor.report.build import report_of
    from ot_doctor.run.session import checks_of, examine

    plan = replace(plan, home=BUNDLE_HOME, user="")  # theirs, and not those of whoever reads the bundle
    checks, notices = checks_of(plan)

    def of_then(found: Examined) -> Report:
        return replace(report_of(found), recorded_at=recording.manifest.created)

    store = recording.store(plan.request.timeout)
    return of_then(examine(plan, checks, store, notices, interim=lambda found: interim(of_then(found))))


@click.command(cls=Command, context_settings=SETTINGS, short_help="Compare two bundles or reports.")
@click.argument("a", metavar="A", type=_ANY_FILE)
@click.argument("b", metavar="B", type=_ANY_FILE)
@click.option(  # the variable names the format of a report, and a comparison has others
    "--format", type=click.Choice(["text", "json"]), default="text", show_default=True, allow_from_autoenv=False,
    help="What standard output shows.",
)  # fmt: skip
@ascii_only
@click.pass_context
def diff(ctx: click.Context, a: Path, b: Path, format: str, ascii: bool) -> None:
    """Tell what changed from A to B: two bundles, two JSON reports, or one of each.

    Exit codes: 0 nothing got worse; 1 something fails in B that did not in A; 2 wrong usage; 3 nothing new fails, but
    something that was checked in A could not be checked in B.
    """
    from ot_doctor.bundle import Refused
    from ot_doctor.bundle.diff import changes
    from ot_doctor.bundle.diff_render import render_json, render_text
    from ot_doctor.bundle.inputs import read_side
    from ot_doctor.redaction.redactor import Redactor
    from ot_doctor.report.formats.text_lines import as_ascii

    try:
        found = Redactor().value(changes(read_side(a), read_side(b)))
    except Refused as error:
        raise click.UsageError(str(error), ctx) from None
    text = render_json(found) if format == "json" else render_text(found)
    write(as_ascii(text) if ascii and format == "text" else text, machine=format == "json")
    ctx.exit(found.exit_code)
