#!/usr/bin/env python3
"""Makes the manual page from the commands: .ci/man.py FILE.

The page has no date, so that it changes with the commands alone.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from ot_doctor import __version__
from ot_doctor.cli.main import cli

EXIT_STATUS = {
    "0": "Nothing failed, and everything that was asked for could be checked.",
    "1": "At least one check failed; with --strict: or warned; with --require: or could not be checked in that family.",
    "2": "Wrong usage: an unknown option, name or file, a file of options that is wrong; or no installation was found.",
    "3": "Nothing failed, but something could not be checked. What was switched off does not count.",
    "4": "ot-doctor itself failed. It says where to report that.",
}
ENVIRONMENT = {
    "NO_COLOR": "Not empty: the report has no colour, unless --color says so.",
    "FORCE_COLOR, CLICOLOR_FORCE": "Neither empty nor 0: the report has colours, also in a file. NO_COLOR wins.",
    "TERM": "dumb: no colours.",
    "HF_ENDPOINT": "The Hub that is asked, where neither the worker nor its .env names one.",
    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE": (
        "As the client of the Hugging Face Hub reads them."
    ),
    "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, DOCKER_CONFIG": "As the docker command reads them.",
    "COMPOSE_FILE, COMPOSE_PROJECT_NAME": "As the docker compose command reads them.",
}
FILES = {
    ".ot-doctor.toml": (
        "Options of run, named as here without the two hyphens, and suppressions. It is looked for beside the installation, then "
        "in the working folder and, inside a repository, in its parents. The command line and the environment override it."
    ),
    "pyproject.toml": "The same in its table [tool.ot-doctor], where there is no .ot-doctor.toml beside it.",
    ".env, docker-compose.yml": "The installation's own, which are read and never changed.",
}
EXAMPLES = {
    "ot-doctor": "Examine the installation in this folder, or the one that runs on this machine.",
    "ot-doctor --wait 5m --require access": "For a script: wait for the stack, and fail where the Hub could not be asked.",
    "ot-doctor --logs worker.log": "Examine a log that somebody sent; no Docker, no network.",
    "ot-doctor explain gated-not-accepted": "What a cause means, and how to fix it.",
}
SUPPRESSION = """\
[[suppress]]
check = "token-exposure"
subject = "/srv/opentranscribe/.env"
reason = "nobody else has an account here"
until = 2026-12-31"""


def page() -> str:
    """The page in the language of man(7)."""
    names = sorted(cli.commands, key=lambda name: (name != "run", name))
    commands = {name: cli.commands[name] for name in names}
    lines = [
        '.\\" Made from the commands by .ci/man.py.',
        f'.TH OT-DOCTOR 1 "" "ot-doctor {__version__}" "User Commands"',
        ".nh",  # names are to be found again
        ".SH NAME",
        f"ot-doctor \\- {text(cli.get_short_help_str(200)).rstrip('.')}",
        ".SH SYNOPSIS",
        *synopsis(commands),
        ".SH DESCRIPTION",
        *paragraphs(cli),
        ".SH COMMANDS",
        *(line for name, command in commands.items() for line in section(name, command)),
        ".SH EXIT STATUS",
        *table(EXIT_STATUS),
        ".SH ENVIRONMENT",
        *filled(
            "Each option has a variable, which counts where the option is not given. A switch is 1 or 0; several values are "
            "separated by spaces, files and folders by colons as in PATH: a space is a part of a name."
        ),
        *table(variables(commands)),
        ".PP",
        "Beside them:",
        *table(ENVIRONMENT),
        ".SH FILES",
        *table(FILES),
        ".PP",
        *filled("A suppression takes a finding out of the count, and is shown with its reason:"),
        *example(SUPPRESSION),
        ".SH EXAMPLES",
        *table(EXAMPLES),
    ]
    return "\n".join(lines) + "\n"


def synopsis(commands: Mapping[str, click.Command]) -> Iterator[str]:
    for name, command in commands.items():
        arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
        words = " ".join(rf"\fI{text(argument)}\fR" for argument in arguments)
        shown = r"[\fBrun\fR]" if name == "run" else rf"\fB{text(name)}\fR"
        yield from ([] if name == "run" else [".br"])
        yield rf"\fBot\-doctor\fR {shown} [\fIoptions\fR] {words}".rstrip()


def section(name: str, command: click.Command) -> Iterator[str]:
    yield f".SS ot\\-doctor {text(name)}"
    yield from paragraphs(command)
    context = click.Context(command, info_name=name)
    records = [param.get_help_record(context) for param in command.params]
    yield from table({record[0]: record[1] for record in records if record and record[1]})


def variables(commands: Mapping[str, click.Command]) -> dict[str, str]:
    """What the option of each variable is called, and by which commands it is taken."""
    taken: dict[str, tuple[str, list[str]]] = {}
    for name, command in commands.items():
        for param in command.params:
            if isinstance(param, click.Option) and param.name and param.allow_from_autoenv:
                option = max(param.opts, key=len)
                taken.setdefault(f"OT_DOCTOR_{param.name.upper()}", (option, []))[1].append(name)
    return {variable: f"{option} of {', '.join(names)}" for variable, (option, names) in sorted(taken.items())}


def paragraphs(command: click.Command) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        if paragraph.startswith("\b\n"):
            yield from example(paragraph.removeprefix("\b\n"))
        else:
            yield from ([".PP"] if number else [])  # the first stands below a heading
            yield from filled(paragraph)


def example(lines: str) -> list[str]:
    return [".PP", ".nf", ".RS", *(text(line) for line in lines.splitlines()), ".RE", ".fi"]


def table(rows: Mapping[str, str]) -> Iterator[str]:
    for term, meaning in rows.items():
        yield from (".TP", rf"\fB{text(term)}\fR", *filled(meaning))


def filled(plain: str) -> list[str]:
    return [text(line) for line in textwrap.wrap(plain, 72, break_on_hyphens=False, break_long_words=False)]


def text(plain: str) -> str:
    """Text that means itself: no macro, no escape, hyphens that can be copied, no line of its own for a dot."""
    escaped = plain.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "...")
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
