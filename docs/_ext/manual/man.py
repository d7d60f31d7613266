"""The parts of the manual page that are the commands' own: ``%synopsis%``, ``%description%``, ``%commands%``, ``%variables%``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from manual.commands import commands, help_of, name_of, option, variables
from manual.markdown import code, prose
from ot_doctor.cli.main import cli

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NAME = cli.get_short_help_str(200).rstrip(".")


def fill(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Put the parts into the page; what Sphinx calls when it has read a page."""
    for part, text in _parts().items():
        source[0] = source[0].replace(f"%{part}%", text)


def _parts() -> Mapping[str, str]:
    listed = sorted(commands().items(), key=lambda item: (name_of(item[0]) != "run", item[0]))
    taken = variables(dict(listed))
    return {
        "synopsis": "```{eval-rst}\n" + "\n".join(f"| {_synopsis(name, context)}" for name, context in listed) + "\n```",
        "description": prose(cli.help or "", {}),
        "commands": "\n\n".join(_section(name, context) for name, context in listed),
        "variables": _definitions({code(name): f"{code(option)} of {', '.join(of)}" for name, option, of in taken}),
    }


def _synopsis(name: str, context: click.Context) -> str:
    arguments = [param.make_metavar(context) for param in context.command.params if isinstance(param, click.Argument)]
    own = name_of(name)
    shown = "[**run**]" if own == "run" else f"**{own}**"
    return " ".join(["**ot-doctor**", shown, "[*options*]", *(f"*{argument}*" for argument in arguments)])


def _section(name: str, context: click.Context) -> str:
    options = [param for param in context.command.params if isinstance(param, click.Option) and not param.hidden]
    return "\n\n".join([f"### {name}", *help_of(context.command.help or ""), *(option(one, context) for one in options)])


def _definitions(rows: Mapping[str, str]) -> str:
    return "\n\n".join(f"{term}\n: {meaning}" for term, meaning in rows.items())
