"""``ot-doctor try``: does diarization work, now?"""

from __future__ import annotations

import json
import sys
import textwrap
from typing import Any

import click
from click.core import ParameterSource

from ot_doctor import __version__
from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.options import SETTINGS, config_file, place_options, plan_of, redact_level
from ot_doctor.cli.output import complain, tell, write
from ot_doctor.core import supervisor

SCHEMA = "ot-doctor/try/1"
_EXAMPLES = (
    ("ot-doctor try", "After a repair: does it work now?"),
    ("ot-doctor try --gpu --timeout 900", "On the worker's GPU."),
)
_USUAL = 300.0  # seconds: importing the libraries alone takes 20 on a small machine
_STAGES = {"import": "Importing the libraries", "load": "Loading the models", "diarize": "Diarizing"}


@click.command(
    "try", cls=ConfiguredCommand, options_of="run", context_settings=SETTINGS, examples=_EXAMPLES,
    short_help="Diarize a few generated seconds of two voices.",
)  # fmt: skip
@place_options
@click.option("--gpu", is_flag=True, help="Use the worker's GPU, not the processor; not while a job runs.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="What standard output shows.")
@redact_level
@config_file
@click.pass_context
def try_(ctx: click.Context, /, gpu: bool, format_: str, **options: Any) -> None:
    """Diarize 12 seconds of two voices that are made by code, in a container beside the worker: with its image, model cache,
    token and settings, on the processor.

    The worker and its jobs are left alone. A model that is not in the cache is downloaded, as the worker would. The container has
    4 GiB of memory at most, and is removed in every case. Without --timeout it has 300 s.

    Exit codes: 0 it works; 1 it does not; 2 wrong usage, or no installation found; 3 it could not be tried.
    """
    from dataclasses import replace

    from ot_doctor.evidence import Unavailable
    from ot_doctor.report.build import redactor_of, report_of
    from ot_doctor.report.formats import render
    from ot_doctor.report.formats.json import render as as_json
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.trial import attempt, sentence

    plan = plan_of(options, ctx)
    given = ctx.get_parameter_source("timeout") is not ParameterSource.DEFAULT
    seconds = plan.request.timeout if given else _USUAL
    plan = replace(plan, request=replace(plan.request, timeout=seconds))
    supervisor.expect(seconds + 90)
    try:
        tried = attempt(plan, gpu, lambda stage: tell(f"{_STAGES.get(stage, stage)} …") if sys.stderr.isatty() else None)
    except WrongUsage as error:
        raise click.UsageError(str(error), ctx) from None
    except Unavailable as error:
        complain(f"{error.reason} {error.hint}".strip())
        ctx.exit(3)
    redactor = redactor_of(plan)
    report = report_of(tried.judged, redactor) if tried.judged else None
    trial = redactor.value(tried.trial)
    if format_ == "json":
        content = {
            "schema": SCHEMA, "tool": {"name": "ot-doctor", "version": __version__}, "exit_code": tried.exit_code,
            "outcome": tried.outcome.value, "worker": trial.worker, "image": trial.image, "model": trial.model,
            "device": trial.device, "speakers": trial.speakers, "diarization_seconds": round(trial.took, 3),
            "seconds": round(trial.in_all, 3), "peak_memory_bytes": trial.peak, "stage": trial.stage or None,
            "container_exit_code": trial.exit_code, "report": json.loads(as_json(report)) if report else None,
        }  # fmt: skip
        write(json.dumps(content, indent=2, ensure_ascii=False) + "\n", machine=True)
        ctx.exit(tried.exit_code)
    mark = "✓" if tried.exit_code == 0 and trial.speakers == 2 else "!" if tried.exit_code == 0 else "✗"
    took = f" It took {trial.took:.1f} s, {trial.in_all:.1f} s with loading," if trial.speakers is not None else ""
    memory = f" and {trial.peak / 2**20:,.0f} MiB of memory at most." if took else ""
    more = f"With {trial.image} and {trial.model}, on the {'GPU' if trial.device == 'cuda' else 'processor'}.{took}{memory}"
    lines = [f"{mark} {sentence(tried)}.", *textwrap.wrap(more, 78, initial_indent="  ", subsequent_indent="  ")]
    if tried.exit_code == 0 and trial.speakers != 2:
        lines.append("  Generated voices are not those of people: that alone is no fault.")
    text = "\n".join(lines) + "\n"
    write(text + ("\n" + render(report, "text") if report else ""))
    ctx.exit(tried.exit_code)
