"""A plug-in of pytest: writes down which statuses each check had while its own tests ran, what fix can do about its causes, and
which commands are printed.

``pytest -p tests.checks.listener``, with the file to write in ``OT_DOCTOR_TEST_STATUSES``.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from ot_doctor.check import Check, Finding, Risk, Status
from ot_doctor.diagnosis.fixable import actions_of, kind_of

_seen: dict[str, set[str]] = defaultdict(set)
_fixes: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # cause -> kind -> actions
_commands: set[str] = set()  # that are printed, and change something
_call = Check.__call__


def _listened(check: Check, *evidence: object, **named: object) -> list[Finding]:
    findings = _call(check, *evidence, **named)
    file = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    if Path(file).name == own_test(check):
        _seen[check.name] |= {finding.status.value for finding in findings}
    for finding in findings:
        _commands.update(step.command for step in finding.remedy if step.command and step.risk is not Risk.SAFE)
        if finding.cause and finding.status in (Status.FAIL, Status.WARN):
            _fixes[finding.cause.value][kind_of(finding.remedy)] |= {action.name for action in actions_of(finding.remedy)}
    return findings


def own_test(check: Check) -> str:
    """The name of the file that a check's tests are in."""
    return f"test_{check.function.__module__.rpartition('.')[2]}.py"


def pytest_configure() -> None:
    setattr(Check, "__call__", _listened)  # noqa: B010


def pytest_sessionfinish(session: Any) -> None:
    path = Path(os.environ["OT_DOCTOR_TEST_STATUSES"])
    statuses = {name: sorted(found) for name, found in _seen.items()}
    fixes = {cause: {kind: sorted(names) for kind, names in kinds.items()} for cause, kinds in _fixes.items()}
    path.write_text(json.dumps({"statuses": statuses, "fixes": fixes, "commands": sorted(_commands)}), encoding="utf-8")
