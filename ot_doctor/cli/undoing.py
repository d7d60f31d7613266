"""The command ``undo``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ot_doctor.cli.commands import Command
from ot_doctor.cli.options import SETTINGS, ascii_only, plan_of
from ot_doctor.cli.output import write
from ot_doctor.cli.person import AtTheTerminal
from ot_doctor.core import supervisor

if TYPE_CHECKING:
    from ot_doctor.fix.journal import Entry, Run
    from ot_doctor.fix.takeback import TakenBack
    from ot_doctor.run.plan import Plan


@click.command(cls=Command, context_settings=SETTINGS, short_help="Take back what fix changed.")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--list", "show_list", is_flag=True, allow_from_autoenv=False, help="List the runs that are kept.")
@click.option("--yes", is_flag=True, allow_from_autoenv=False, help="Ask nothing.")
@ascii_only
@click.pass_context
def undo(ctx: click.Context, run: str | None, show_list: bool, yes: bool, ascii: bool) -> None:
    """Take back what a run of 'ot-doctor fix' changed, the newest step first; without RUN, the newest run.

    A file that somebody changed since is left alone.

    Exit codes: 0 all was taken back; 1 something was not; 2 wrong usage.
    """
    from ot_doctor.fix.journal import Busy, NoJournal, locked, state_folder, stored
    from ot_doctor.fix.takeback import undoable
    from ot_doctor.redaction.masking import shown
    from ot_doctor.report.build import redactor_of

    plan = plan_of({}, ctx)
    state = state_folder(plan.request.environ, plan.home)
    runs = stored(state)
    if show_list:
        write("".join(f"{shown(line)}\n" for line in _listed(runs)))
        return
    found = next((one for one in runs if one.name == run or (run is None and undoable(one))), None)
    if found is None:
        named = f"There is no run {run}: 'ot-doctor undo --list' shows them." if run else "There is nothing to undo."
        raise click.UsageError(named, ctx)
    person = AtTheTerminal(redactor_of(plan).text, None, shows=True)
    if not yes and not person.present:
        raise click.UsageError("There is no terminal to ask on. Say --yes to take it back unasked.", ctx)
    supervisor.expect(float("inf"))
    try:
        with locked(state, found.installation):
            whole = took_back(found, plan, person, yes=yes)
    except (Busy, NoJournal) as error:
        raise click.UsageError(str(error), ctx) from None
    left = [entry.does for entry in undoable(found)]
    end = [f"Left: {does}" for does in left] or ["Taken back." if whole else "All that can be is taken back."]
    write("".join(f"{shown(line)}\n" for line in end))
    ctx.exit(0 if whole and not left else 1)


def _listed(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        cut = ", cut off" if run.cut_off else ""
        yield f"{run.name}  {run.installation}{cut}"
        for entry in run.entries:
            state = "taken back" if entry.undone else "cannot be taken back" if entry.lasting else entry.outcome or "cut off"
            yield f"    {entry.does}  [{state}]"
    if not runs:
        yield "There is no run of 'ot-doctor fix'."


def took_back(run: Run, plan: Plan, person: AtTheTerminal, *, yes: bool) -> bool:
    """Whether all of it was taken back."""
    from ot_doctor.evidence import Request
    from ot_doctor.fix.outcome import Became
    from ot_doctor.fix.procedure import Site
    from ot_doctor.fix.takeback import take_back
    from ot_doctor.sources.store import Store

    directory = Path(run.installation)
    request: Request = replace(plan.request, directory=directory if directory.is_dir() else None, started=time.monotonic())

    def agreed(entry: Entry) -> bool:
        return yes or person.agrees(f"{entry.does}\nTake it back?")

    def told(result: TakenBack) -> None:
        with contextlib.suppress(OSError):
            person.tell(_became(result))

    results = take_back(run, Site(Store(request), person), agreed, told)
    return all(result.became in (Became.UNDONE, Became.ALREADY) for result in results)


def _became(result: TakenBack) -> str:
    from ot_doctor.fix.outcome import Became

    does = result.entry.does
    if result.became is Became.UNDONE:
        return f"✓ Taken back: {does}"
    if result.became is Became.ALREADY:
        return f"✓ There is nothing to take back of this: {does}"
    return f"✗ {result.reason or f'Left as it is: {does}'}"
