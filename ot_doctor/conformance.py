"""The old name of ``ot_doctor.testing``."""

from __future__ import annotations

import warnings

from ot_doctor.testing import (
    assert_conforms,
    assert_findings_conform,
    problems_of,
    problems_of_command,
    problems_of_findings,
    risk_of_command,
)

__all__ = [
    "assert_conforms", "assert_findings_conform", "problems_of", "problems_of_command", "problems_of_findings", "risk_of_command",
]  # fmt: skip

warnings.warn("ot_doctor.conformance is now ot_doctor.testing", DeprecationWarning, stacklevel=2)
