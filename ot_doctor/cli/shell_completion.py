"""What a shell offers when the tabulator key is pressed. Nothing is printed, and no error shown in the middle of a line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, add_completion_class, get_completion_class

if TYPE_CHECKING:
    from ot_doctor.check import Check

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_OT_DOCTOR_COMPLETE"


class _Bash(BashComplete):
    """Click's own starts the ``bash`` of PATH to ask its version; nothing here starts a program."""

    def source(self) -> str:
        return ShellComplete.source(self)


add_completion_class(_Bash)


def of_the_shell(environ: Mapping[str, str]) -> str:
    """What is wrong with the variables by which a shell asks for completions; empty where nothing is, or none asks."""
    asked = environ.get(_VARIABLE)
    if not asked:
        return ""
    shell, _, what = asked.partition("_")
    if shell not in SHELLS or what not in ("source", "complete"):
        wanted = ", ".join(f"{shell}_complete" for shell in SHELLS)
        return f"{_VARIABLE} is '{asked}', and must be one of {wanted}. Unset it: only the code for a shell sets it."
    number = environ.get("COMP_CWORD")  # a number, and with fish a word
    known = "COMP_WORDS" in environ and (number is not None if shell == "fish" else re.fullmatch("[0-9]{1,6}", number or ""))
    if what == "complete" and not known:
        return f"{_VARIABLE} is set, and COMP_WORDS and COMP_CWORD do not say what must be completed. Unset it."
    return ""


def script(command: click.Command, shell: str) -> str:
    """The code that makes ``shell`` complete ``ot-doctor``: ``eval "$(ot-doctor completion bash)"``."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"{shell} is none of {', '.join(SHELLS)}")
    return kind(command, {}, "ot-doctor", _VARIABLE).source()


def checks_and_families(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For ``--select`` and ``--ignore``."""
    from ot_doctor.check import Family

    return _beginning(incomplete, {**_titles(ctx), **{family.value: "all checks of this family" for family in Family}})


def explainable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For ``explain``: checks, families, causes, log signatures, rules for errors in a log."""
    from ot_doctor.check import Cause, Family
    from ot_doctor.diagnosis.causes import title
    from ot_doctor.logs.faults import named
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.session import signatures_of

    names = {family.value: "a family of checks" for family in Family}
    names |= {**{cause.value: title(cause) for cause in Cause}, **_titles(ctx)}
    names |= {rule.name: rule.title for rule in named().values() if rule.name not in names}
    with contextlib.suppress(WrongUsage):
        names |= {name: "a log signature" for name in signatures_of(ctx.params.get("signatures") or ()) if name not in names}
    return _beginning(incomplete, names)


def checks_of(ctx: click.Context | None) -> dict[str, Check]:
    """The checks, those of the folders on the command line among them."""
    from ot_doctor.run.plan import WrongUsage
    from ot_doctor.run.session import catalogue_of

    try:
        catalogue = catalogue_of(ctx.params.get("checks_dir") or () if ctx else ())
    except WrongUsage:  # two checks of one name: a run says so
        return {}
    return {name: found.check for name, found in catalogue.checks.items()}


def _titles(ctx: click.Context) -> dict[str, str]:
    return {name: check.title for name, check in checks_of(ctx).items()}


def _beginning(incomplete: str, names: dict[str, str]) -> list[CompletionItem]:
    return [CompletionItem(name, help=text) for name, text in names.items() if name.startswith(incomplete)]
