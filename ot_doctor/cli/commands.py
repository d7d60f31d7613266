"""Commands whose options, all but ``--help``, can be set by variables of the environment, and whose help is in sections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

# The parameters of each section of a long help, in this order; the others come last.
_SECTIONS = {
    "Where to look": (
        "release", "image", "inventory", "addresses", "dir", "env_file", "logs", "worker", "context", "host", "config",
        "signatures", "checks_dir",
    ),
    "What is done": ("dry_run", "yes", "allow", "plan_file", "apply_file", "token_file", "gpu"),
    "What to leave out": (
        "wanted", "unwanted", "select", "ignore", "offline", "no_docker", "no_exec", "probe", "timeout", "jobs",
    ),
    "Output": ("format", "format_", "output", "bundle", "encrypt_to", "redact", "verbose", "quiet", "color", "ascii", "copy"),
    "CI": ("strict", "fail_on", "require", "wait", "ping"),
}
_OTHERS = "Help"
_SHORT = 8  # options that need no sections


_UNBROKEN = "\u2011"  # a hyphen at which no line is broken


class _Formatter(click.HelpFormatter):
    """Breaks no line within ``ot-doctor`` or an option, so that all can be copied."""

    def write(self, string: str) -> None:
        super().write(string.replace(_UNBROKEN, "-"))

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", _UNBROKEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        kept = [(first.replace("-", _UNBROKEN), second.replace("-", _UNBROKEN)) for first, second in rows]
        super().write_dl(kept, col_max, col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class _Helped(click.Command):
    """``examples`` are calls, each with what it does. ``OT_DOCTOR_HELP`` is nothing that anybody sets to be shown the help."""

    context_class = _Context

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.examples = examples

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.allow_from_autoenv = False
        return option

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, and then what follows them."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl(self.examples, col_max=46)
        super().format_epilog(ctx, formatter)


def _record(param: click.Parameter, ctx: click.Context) -> tuple[str, str] | None:
    """An option's row. Arguments have none: the usage line names them (some versions of click would give them an empty one)."""
    return param.get_help_record(ctx) if isinstance(param, click.Option) else None


class Command(_Helped):
    """A command."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {param.name or "": record for param in self.get_params(ctx) if (record := _record(param, ctx))}
        if len(records) <= _SHORT:
            super().format_options(ctx, formatter)
            return
        named = {name for names in _SECTIONS.values() for name in names}
        sections = {**_SECTIONS, _OTHERS: tuple(name for name in records if name not in named)}
        for section, names in sections.items():
            rows = [records[name] for name in names if name in records]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


class Group(_Helped, click.Group):
    """A command of commands."""
