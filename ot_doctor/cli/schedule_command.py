"""``ot-doctor schedule``: what makes a machine run the doctor again and again."""

from __future__ import annotations

import os
import sys

import click

from ot_doctor.cli.commands import Command
from ot_doctor.cli.durations import Duration
from ot_doctor.cli.options import SETTINGS
from ot_doctor.cli.output import write

_EXAMPLES = (
    ("ot-doctor schedule --print systemd", "A service and a timer."),
    ("ot-doctor schedule --print cron --every 6h -- --dir /srv/ot -q", "With options of the run."),
)
_SHORTEST, _LONGEST = 5, 1440  # minutes


@click.command(
    cls=Command, context_settings=SETTINGS, examples=_EXAMPLES, short_help="Print a timer: systemd, cron or launchd.",
)  # fmt: skip
@click.option("--print", "scheduler", type=click.Choice(["systemd", "cron", "launchd"]), required=True,
              help="Which scheduler reads it.")  # fmt: skip
@click.option("--every", type=Duration(), default="1h", show_default=True, metavar="DURATION", help="How often: 30m, 6h.")
@click.argument("options", nargs=-1, metavar="[-- OPTIONS...]")
def schedule(scheduler: str, every: float, options: tuple[str, ...]) -> None:
    """Print what makes this machine run ot-doctor again and again. Nothing is installed.

    OPTIONS, after '--', are options of 'ot-doctor run', such as --output /var/lib/node_exporter/ot-doctor.prom. An address for
    --ping is a secret: give it as the variable OT_DOCTOR_PING, in a file that only the service reads.
    """
    from ot_doctor.run.schedule import SCHEDULERS

    minutes = round(every / 60)
    if not _SHORTEST <= minutes <= _LONGEST:
        raise click.UsageError(f"--every must be between {_SHORTEST} minutes and 24 hours.")
    if any(option == "--ping" or option.startswith("--ping=") for option in options):
        raise click.UsageError("The address for --ping is a secret: give it as the variable OT_DOCTOR_PING.")
    try:
        text = SCHEDULERS[scheduler]([*_itself(), "run", *options], minutes)
    except ValueError as error:
        raise click.UsageError(f"--every: {error}.") from None
    write(text, machine=True)


def _itself() -> list[str]:
    """How this program was started, from any folder."""
    started = os.path.abspath(sys.argv[0])
    return [sys.executable, started] if started.endswith((".pyz", ".py")) else [started]
