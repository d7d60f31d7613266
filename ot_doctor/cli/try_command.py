"""``ot-doctor try``: does diarization work, now?"""

from __future__ import annotations

import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ot_doctor import __version__
from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.options import SETTINGS, config_file, place_options, plan_of, redact_level
from ot_doctor.cli.output import complain, tell, without_late_secrets, write
from ot_doctor.core import supervisor

if TYPE_CHECKING:
    from ot_doctor.report.model import Report
    from ot_doctor.run.trial import Tried
    from ot_doctor.sources.trial.beside_worker import Trial

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
    4 GiB of memory at most, and is removed in every case. Without --timeout it has 300 s. Only PyAnnote is tried: where the
    native engine of v0.5 comes first, the result says so.

    Exit codes: 0 it works; 1 it does not; 2 wrong usage, or no installation found; 3 it could not be tried.
    """
    from dataclasses import replace

    from ot_doctor.evidence import Unavailable
    from ot_doctor.report.build import redactor_of, report_of
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.trial import attempt, without_folder

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

    def show(redacted: tuple[Trial, Report | None]) -> None:
        machine = format_ == "json"
        shown = (_as_json if machine else _as_text)(replace(tried, trial=redacted[0]), redacted[1])
        write(without_folder(shown), machine=machine)

    without_late_secrets((redactor.value(tried.trial), report), show)
    ctx.exit(tried.exit_code)


def _as_json(tried: Tried, report: Report | None) -> str:
    """One document of the schema ``ot-doctor/try/1``."""
    from ot_doctor.report.formats.json import render
    from ot_doctor.run.trial import notes, sentence

    trial = tried.trial
    content = {
        "schema": SCHEMA, "tool": {"name": "ot-doctor", "version": __version__}, "exit_code": tried.exit_code,
        "outcome": tried.outcome.value, "message": f"{sentence(tried)}.", "notes": notes(tried),
        "worker": trial.worker, "image": trial.image, "model": trial.model,
        "refused_model": trial.refused or None, "not_tried": ["diar-native"] if tried.native else [],
        "device": trial.device, "speakers": trial.speakers,
        "agreement": round(trial.agreement, 3) if trial.speakers == 2 else None, "diarization_seconds": round(trial.took, 3),
        "seconds": round(trial.in_all, 3), "peak_memory_bytes": trial.peak, "memory_limit_bytes": trial.memory,
        "stage": trial.stage or None, "token_present": trial.has_token, "container_exit_code": trial.exit_code,
        "report": json.loads(render(report)) if report else None,
    }  # fmt: skip
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _as_text(tried: Tried, report: Report | None) -> str:
    from ot_doctor.report.formats import render
    from ot_doctor.run.trial import notes, sentence

    trial = tried.trial
    mark = "✗" if tried.exit_code else "✓" if tried.outcome.value == "works" and not trial.refused else "!"
    took = f" It took {trial.took:.1f} s, {trial.in_all:.1f} s with loading," if trial.speakers is not None else ""
    memory = f" and {trial.peak / 2**20:,.0f} MiB of memory at most." if took else ""
    more = f"With {trial.image} and {trial.model}, on the {'GPU' if trial.device == 'cuda' else 'processor'}.{took}{memory}"
    wrapper = textwrap.TextWrapper(
        78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
    )  # fmt: skip
    lines = [f"{mark} {sentence(tried)}.", *(line for text in (more, *notes(tried)) for line in wrapper.wrap(text))]
    return "\n".join(lines) + "\n" + (f"\n{render(report, 'text')}" if report else "")
