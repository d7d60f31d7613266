"""What to run, as plain values; and names of checks that are looked up."""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ot_doctor.check import Check, Family
from ot_doctor.evidence import Request
from ot_doctor.run.discovery import CheckCatalogue
from ot_doctor.run.suppressions import Suppression


class WrongUsage(Exception):
    """The run cannot begin: exit code 2. The text is a sentence for the user."""


@dataclass(frozen=True)
class Plan:
    """What to run."""

    request: Request
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    checks_dirs: tuple[Path, ...] = ()
    fail_on: str = "fail"
    named: tuple[tuple[str, str], ...] = ()  # checks and families that a file of options names, each with where it does
    suppressions: tuple[Suppression, ...] = ()
    required: tuple[Family, ...] = ()  # families: what cannot be checked there is a failure
    redact: str = "default"  # or "strict"
    home: str = ""  # the folder that is shown as "~"
    user: str = ""  # the name that is shown as "user"


def current_user(environ: Mapping[str, str]) -> tuple[str, str]:
    """The home folder and the name of whoever runs the doctor; empty where there is none."""
    try:
        entry = pwd.getpwuid(os.getuid())
        home, user = entry.pw_dir, entry.pw_name
    except KeyError:  # a user id without an entry, as in many containers
        home, user = "", ""
    return environ.get("HOME") or home, user or environ.get("USER", "")


def no_such(name: str, known: Iterable[str], what: str, lists: str = "'ot-doctor list' shows what there is.") -> str:
    """The sentence for a name that nothing has, with what may have been meant, or where the names are listed."""
    close = get_close_matches(name, list(dict.fromkeys(known)), n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else lists
    return f"There is no {what} '{name}'. {hint}"


def chosen(catalogue: CheckCatalogue, select: Iterable[str], ignore: Iterable[str]) -> dict[str, Check]:
    """The checks that are to be run. Raises ``WrongUsage`` for a name that is no check and no family."""
    families = {family.value for family in Family}
    for name in (*select, *ignore):
        if name not in catalogue.checks and name not in families:
            raise WrongUsage(no_such(name, [*catalogue.checks, *families], "check or family"))
    wanted, unwanted = set(select), set(ignore)
    checks = [found.check for found in catalogue.checks.values()]
    return {
        check.name: check
        for check in checks
        if (not wanted or wanted & {check.name, check.family.value}) and not unwanted & {check.name, check.family.value}
    }


def wrong_name(plan: Plan, checks: Collection[str]) -> str | None:
    """A sentence about the first name in the file of options that is no check (or family); ``None`` when all are known."""
    both = [*checks, *(family.value for family in Family)]
    named = [(where, name, both) for where, name in plan.named]
    named += [(s.where, s.check, list(checks)) for s in plan.suppressions if s.check]
    for where, name, known in named:
        if name not in known:
            what = "check or family" if known is both else "check"
            return f"{where}: there is no {what} '{name}'. {meant(name, known, 'ot-doctor list shows what there is.')}"
    return None


def meant(name: str, known: Collection[str], otherwise: str) -> str:
    """What may have been meant, as a sentence; ``otherwise`` where nothing is close."""
    close = get_close_matches(name, known, n=2)
    return f"Did you mean {' or '.join(close)}?" if close else otherwise
