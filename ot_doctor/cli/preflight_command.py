"""``ot-doctor preflight``: what another release would need here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.options import SETTINGS, config_file, place_options, plan_of, report_options
from ot_doctor.cli.output import Progress
from ot_doctor.cli.show import show, tell_of_faults

_EXAMPLES = (
    ("ot-doctor preflight --for v0.5", "Before the change of release."),
    ("ot-doctor preflight --for v0.5 --strict", "A gate in CI: warnings count too."),
    ("ot-doctor preflight --image REPOSITORY:TAG", "The release that an image's tag names."),
)


@click.command(
    cls=ConfiguredCommand, options_of="run", context_settings=SETTINGS, examples=_EXAMPLES,
    short_help="What another release would need here.",
)  # fmt: skip
@click.option("--for", "release", metavar="RELEASE", help="The release: v0.5, v0.5.1, latest.")
@click.option("--image", metavar="IMAGE", help="The release that an image's tag names, instead of --for.")
@place_options
@report_options
@config_file
@click.pass_context
def preflight(ctx: click.Context, /, release: str | None, image: str | None, **options: Any) -> None:
    """Find out before a change of release what is missing for it: model terms, settings, space, memory.

    The Hub is asked now, with the worker's own token. Nothing is changed, and nothing is downloaded.

    Exit codes: 0 nothing is missing; 1 something is; 2 wrong usage; 3 something could not be checked.
    """
    from ot_doctor.evidence.releases import ReleaseLine, line_of_version, releases
    from ot_doctor.report.build import report_of
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.session import examine, prepare
    from ot_doctor.sources.upcoming_release import version_of

    asked = release or image
    if not asked or (release and image):
        raise click.UsageError("Say which release: either --for v0.5, or --image with a tag.", ctx)
    if line_of_version(version_of(asked)) is ReleaseLine.UNKNOWN:
        known = ", ".join(f"v{version}" for one in releases() for version in one.versions)
        raise click.UsageError(f"'{asked}' names no release of OpenTranscribe. Known are {known}, and latest.", ctx)
    tell_of_faults(options["verbose"])
    plan = plan_of(options, ctx)
    plan = replace(plan, request=replace(plan.request, next_release=asked))
    try:
        checks, store, notices = prepare(plan)
        with Progress(store):
            report = report_of(examine(plan, checks, store, notices))
    except WrongUsage as error:
        raise click.UsageError(str(error), ctx) from None
    ctx.exit(show(report, options))
