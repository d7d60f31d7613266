"""``ot-doctor facts``: the installation as it is."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import click

from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.options import SETTINGS, ascii_only, config_file, place_options, plan_of, redact_level
from ot_doctor.cli.output import Progress, reading_width, without_late_secrets, write

_EXAMPLES = (
    ("ot-doctor facts", "For a look, or before and after a change."),
    ("ot-doctor facts --format markdown", "To paste into a ticket."),
)


@click.command(
    cls=ConfiguredCommand, options_of="run", context_settings=SETTINGS, examples=_EXAMPLES,
    short_help="Versions, containers, cache and network as they are.",
)  # fmt: skip
@place_options
@click.option("--format", "format_", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
              help="What standard output shows.")
@redact_level
@ascii_only
@config_file
@click.pass_context
def facts(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Show versions, the engine, containers, settings, mounts, the model cache, the Hub's answers and the last diarizations.

    No check is run, and nothing is judged. Nothing secret is shown; of a token only whether it has the form of one.

    Exit codes: 0 whatever was found; 2 wrong usage, or no installation found.
    """
    from ot_doctor.report.build import redactor_of
    from ot_doctor.report.facts import GATHERED, facts_of
    from ot_doctor.report.formats.facts_rendered import FORMATS
    from ot_doctor.report.formats.text_lines import as_ascii
    from ot_doctor.report.model import Facts
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.session import gathered

    plan = plan_of(options, ctx)
    try:
        store = gathered(plan, GATHERED)
        with Progress(store):
            evidence: dict[type, object] = {kind: store.get(kind) for kind in GATHERED}
    except WrongUsage as error:
        raise click.UsageError(str(error), ctx) from None
    redactor = redactor_of(plan)
    redactor.learn(tuple(evidence.values()))

    def show(facts: Facts) -> None:
        shown = FORMATS[format_](facts, reading_width())
        write(as_ascii(shown) if options["ascii"] and format_ == "text" else shown, machine=format_ != "text")

    without_late_secrets(redactor.value(facts_of(evidence, datetime.now(timezone.utc))), show)
