"""A page for each command, and one for the environment variables, from click's own metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from manual.markdown import block, code, inline, page, prose, table, toctree
from ot_doctor.cli.main import cli

_PROGRAM = "ot-doctor"


def pages() -> dict[str, str]:
    """The pages by their paths below reference/."""
    all_of_them = commands()
    made = {f"commands/{_slug(name)}.md": _page(name, context) for name, context in all_of_them.items()}
    return {"commands/index.md": _index(all_of_them), "commands/environment.md": _environment(all_of_them), **made}


def commands() -> dict[str, click.Context]:
    """Every command that is not hidden, by its full name, those of groups among them."""
    return dict(_below(click.Context(cli, info_name=_PROGRAM, **cli.context_settings)))


def _below(context: click.Context) -> Iterator[tuple[str, click.Context]]:
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name, command in group.commands.items():
        if not command.hidden:
            inner = click.Context(command, info_name=name, parent=context, **command.context_settings)
            yield inner.command_path, inner
            yield from _below(inner)


def name_of(name: str) -> str:
    """A command's full name without the program's."""
    return name.removeprefix(f"{_PROGRAM} ")


def _slug(name: str) -> str:
    return name_of(name).replace(" ", "-")


def _index(commands: dict[str, click.Context]) -> str:
    rows = [(f"[{code(name)}]({_slug(name)}.md)", inline(_first_sentence(c.command), {})) for name, c in commands.items()]
    return page(
        "# Commands and options",
        prose(cli.help or "", {}),
        table(("command", "what it does"), rows),
        "Options can also be [environment variables](environment.md), or stand in a [configuration file](/configuration.md).",
        "## Exit codes",
        table(
            ("code", "meaning"),
            [
                ("0", "nothing failed, and everything that was asked for could be checked"),
                ("1", "at least one check failed (with `--strict`: or warned)"),
                ("2", "wrong usage: an unknown option, check or file; or no installation was found"),
                ("3", "nothing failed, but something could not be checked: Docker or the Hub does not answer, or a check broke"),
                ("4", "ot-doctor itself failed: a bug to report"),
            ],
        ),
        "They are the same in every format but `nagios`, whose codes are those of monitoring plug-ins. What you switched off "
        "yourself (`--offline`, `--no-docker`, `--ignore`) does not count as something that could not be checked. A command "
        "whose codes mean something else says so on its page.",
        toctree([*map(_slug, commands), "environment"]),
    )


def _first_sentence(command: click.Command) -> str:
    return re.split(r"(?<=\.)\s", " ".join((command.help or command.short_help or "").split()), maxsplit=1)[0]


def _page(name: str, context: click.Context) -> str:
    command = context.command
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"# {name}", block(usage, "text"), *help_of(command.help or "")]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    parts += ["```{program} " + name + "\n```"]
    if arguments:
        listed = (f"{code(a.make_metavar(context))}{'' if a.required else ', which may be left out'}" for a in arguments)
        parts.append(f"It takes {' and '.join(listed)}.")
    if options:
        parts += ["## Options", *(option(one, context) for one in options)]
    examples = getattr(command, "examples", ())
    if examples:
        parts += ["## Examples", table(("command", "what it does"), [(code(call), inline(does, {})) for call, does in examples])]
    return page(*parts)


def help_of(text: str) -> Iterator[str]:
    """The paragraphs of a command's help."""
    for paragraph in re.split(r"\n\s*\n", text.replace("\f", "").strip()):
        if paragraph.lstrip().startswith("\b"):
            yield block(paragraph.replace("\b", ""), "text")
        else:
            yield prose(paragraph, {})


def option(option: click.Option, context: click.Context) -> str:
    """An option with its meaning, its default and its variable."""
    record = option.get_help_record(context)
    names, told = record if record else (", ".join(option.opts), option.help or "")
    told = re.sub(r"\s*\[(?:default|required|env var)[^\]]*\]", "", told)
    facts = []
    if isinstance(option.type, click.Choice) and not option.is_flag and not all(str(c) in told for c in option.type.choices):
        facts.append("One of " + ", ".join(code(str(choice)) for choice in option.type.choices) + ".")
    default = _default(option, record[1] if record else "")
    if default:
        facts.append(f"Default: {code(default)}.")
    variable = _variable(option, context)
    if variable:
        facts.append(f"Environment: {code(variable)}.")
    said = inline(" ".join(told.split()), {})
    return "\n".join(["```{option} " + names.replace("\n", " "), "", " ".join(part for part in (said, *facts) if part), "```"])


def _default(option: click.Option, told: str) -> str:
    """The default value as the option's own help shows it."""
    shown = re.search(r"default: ([^\];]+)", told)
    return shown[1] if shown else ""


def _variable(option: click.Parameter, context: click.Context) -> str:
    if isinstance(option.envvar, str):
        return option.envvar
    prefix = context.auto_envvar_prefix
    automatic = getattr(option, "allow_from_autoenv", False) and option.name
    return f"{prefix}_{option.name.upper()}" if prefix and automatic and option.name else ""


def variables(commands: dict[str, click.Context]) -> list[tuple[str, str, list[str]]]:
    """Each variable, the option that it stands for, and the commands that take it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, context in commands.items():
        for option in context.command.params:
            variable = _variable(option, context)
            if isinstance(option, click.Option) and variable and not option.hidden and option.name not in ("help", "version"):
                found.setdefault(variable, (max(option.opts, key=len), []))[1].append(name_of(name))
    return [(variable, option, names) for variable, (option, names) in sorted(found.items())]


def _environment(commands: dict[str, click.Context]) -> str:
    rows = [
        (code(variable), code(option), ", ".join(f"[{code(name)}]({_slug(name)}.md)" for name in names))
        for variable, option, names in variables(commands)
    ]
    return page(
        "# Environment variables",
        "Each option has a variable. One that may be given several times takes its values separated by spaces, or as in `PATH` "
        "(by colons) where they are files or folders, whose names may hold spaces; a "
        "switch takes `1` or `0`. The command line wins over a variable, and a variable over "
        "the [configuration file](/configuration.md).",
        table(("variable", "option", "commands"), rows),
        "## Variables of other tools",
        table(
            ("variable", "what it does here"),
            [
                ("`HF_ENDPOINT`", "another Hub than `https://huggingface.co`, where the worker's container names none"),
                ("`DOCKER_HOST`, `DOCKER_CONTEXT`", "the Docker engine that is asked, as for the docker command"),
                ("`CONTAINER_HOST`, `CONTAINER_CONNECTION`", "else Podman's, as for the podman command"),
                ("`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`", "the way to the Hub"),
                ("`NO_COLOR`", "no colours, unless `--color always` is given"),
                ("`FORCE_COLOR`, `CLICOLOR_FORCE`", "colours also where the output is no terminal; `NO_COLOR` wins"),
                ("`TERM`", "`dumb`: a terminal without colours"),
                ("`GITHUB_STEP_SUMMARY`", "with `--format github`: the file that gets the job's summary"),
            ],
        ),
    )
