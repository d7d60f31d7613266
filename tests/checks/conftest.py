"""Whatever a built-in check returns in its own tests keeps to the rules that other people's checks are held to."""

from __future__ import annotations

import pytest

from ot_doctor.check import Check, Finding
from ot_doctor.testing import assert_findings_conform


@pytest.fixture(autouse=True)
def findings_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Check.__call__

    def run_and_look(check: Check, *evidence: object, **named: object) -> list[Finding]:
        findings = run(check, *evidence, **named)
        assert_findings_conform(check, findings)
        return findings

    monkeypatch.setattr(Check, "__call__", run_and_look)
