"""What to run, as plain values; and the checks that it means."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ot_doctor.check import Check, Family
from ot_doctor.evidence import Request
from ot_doctor.run.discovery import CheckCatalogue, FoundCheck
from ot_doctor.run.lookup import not_taken
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


def chosen(catalogue: CheckCatalogue, select: Iterable[str], ignore: Iterable[str]) -> dict[str, Check]:
    """The checks that are to be run. Raises ``WrongUsage`` for a name that is no check and no family."""
    families = {family.value for family in Family}
    known = {name: found.check for name, found in catalogue.checks.items()}
    for name in (*select, *ignore):
        if name not in known and name not in families:
            raise WrongUsage(not_taken(name, ("check", "family"), known))
    wanted, unwanted = set(select), set(ignore)
    return {
        check.name: check
        for check in known.values()
        if (not wanted or wanted & {check.name, check.family.value}) and not unwanted & {check.name, check.family.value}
    }


def wrong_name(plan: Plan, checks: Mapping[str, FoundCheck]) -> str | None:
    """A sentence about the first name in the file of options that is no check (or family); ``None`` when all are known."""
    own = {name: found.check for name, found in checks.items()}
    families = {family.value for family in Family}
    for where, name in plan.named:
        if name not in own and name not in families:
            return f"{where}: {not_taken(name, ('check', 'family'), own)}"
    for suppression in plan.suppressions:
        if suppression.check and suppression.check not in own:
            return f"{suppression.where}: {not_taken(suppression.check, ('check',), own)}"
    return None
