"""What ``ot-doctor explain`` shows."""

from __future__ import annotations

from ot_doctor.causes import explanation, title
from ot_doctor.check import Cause
from ot_doctor.discovery import Catalogue
from ot_doctor.session import WrongUsage, no_such


def explanation_of(name: str, catalogue: Catalogue) -> str:
    """The text for a check or a cause. Raises ``WrongUsage`` for a name that is neither."""
    found = catalogue.checks.get(name)
    if found:
        check = found.check
        causes = ", ".join(cause.value for cause in check.causes) or "no cause, only notes"
        head = f"{check.name} ({check.family.value}): {check.title}"
        return f"{head}\n\n{check.explanation}\n\nIt may report: {causes}\nIt comes from: {found.owner}"
    if name not in {cause.value for cause in Cause}:
        raise WrongUsage(no_such(name, [*catalogue.checks, *(cause.value for cause in Cause)], "check or cause"))
    cause = Cause(name)
    checks = ", ".join(f.check.name for f in catalogue.checks.values() if cause in f.check.causes)
    return f"{cause.value}: {title(cause)}\n\n{explanation(cause)}\n\nReported by: {checks or 'no check that is installed'}"
