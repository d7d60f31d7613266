"""A plug-in of pytest: writes down which statuses each check had while its own tests ran.

``pytest -p tests.checks.listener``, with the file to write in ``OT_DOCTOR_TEST_STATUSES``.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from ot_doctor.check import Check, Finding

_seen: dict[str, set[str]] = defaultdict(set)
_call = Check.__call__


def _listened(check: Check, *evidence: object, **named: object) -> list[Finding]:
    findings = _call(check, *evidence, **named)
    file = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    if Path(file).name == own_test(check):
        _seen[check.name] |= {finding.status.value for finding in findings}
    return findings


def own_test(check: Check) -> str:
    """The name of the file that a check's tests are in."""
    return f"test_{check.function.__module__.rpartition('.')[2]}.py"


def pytest_configure() -> None:
    setattr(Check, "__call__", _listened)  # noqa: B010


def pytest_sessionfinish(session: Any) -> None:
    path = Path(os.environ["OT_DOCTOR_TEST_STATUSES"])
    path.write_text(json.dumps({name: sorted(found) for name, found in _seen.items()}), encoding="utf-8")
