"""The command ``probe``: what the worker sees from inside, beside what this machine sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.options import SETTINGS, ascii_only, config_file, look_options, plan_of
from ot_doctor.cli.output import Progress, without_late_secrets, write

_CHECKS = ("worker-network", "process-environment", "worker-clock", "gpu-answers", "cache-write-test", "worker-imports")


@click.command(
    cls=ConfiguredCommand, options_of="run", context_settings=SETTINGS, short_help="Show what the worker sees from inside."
)
@look_options
@config_file
@click.option(  # the variable names the format of a report, and this document has others
    "--format", type=click.Choice(["text", "json"]), default="text", show_default=True, allow_from_autoenv=False,
    help="What standard output shows.",
)  # fmt: skip
@ascii_only
@click.pass_context
def probe(ctx: click.Context, /, **options: Any) -> None:
    """Show the way to the Hub as the worker goes it, beside this machine's, and what else the worker sees from inside.

    A small program is run in the worker's container with the worker's own Python and environment. It changes nothing there and
    leaves nothing behind.

    Exit codes: as those of 'ot-doctor run'.
    """
    from ot_doctor.evidence import Unavailable, WorkerProbe
    from ot_doctor.report.build import redactor_of, report_of
    from ot_doctor.report.formats.text_lines import as_ascii
    from ot_doctor.report.inside_view import InsideView, render_json, render_text
    from ot_doctor.report.model import Report, exit_code
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.session import examine, prepare

    plan = plan_of(options, ctx)
    plan = replace(plan, select=(*_CHECKS, "gpu-calculates") if plan.request.probe == "gpu" else _CHECKS)
    try:
        checks, store, notices = prepare(plan)
        with Progress(store):
            redactor = redactor_of(plan)
            report = report_of(examine(plan, checks, store, notices), redactor)
            seen = redactor.value(store.get(WorkerProbe))
    except WrongUsage as error:
        raise click.UsageError(str(error), ctx) from None
    machine = options["format"] == "json"

    def show(redacted: tuple[Report, WorkerProbe | Unavailable]) -> None:
        view = InsideView(*redacted)
        text = render_json(view) if machine else render_text(view)
        write(as_ascii(text) if options["ascii"] and not machine else text, machine=machine)

    without_late_secrets((report, seen), show)
    ctx.exit(exit_code(report))
