"""Commands whose options, all but ``--help``, can be set by variables of the environment."""

from __future__ import annotations

import click


class _Helped(click.Command):
    """``OT_DOCTOR_HELP`` is nothing that anybody sets to be shown the help."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.allow_from_autoenv = False
        return option


class Command(_Helped):
    """A command."""


class Group(_Helped, click.Group):
    """A command of commands."""
