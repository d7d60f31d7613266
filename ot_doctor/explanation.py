"""What ``ot-doctor explain`` shows."""

from __future__ import annotations

from ot_doctor.causes import explanation, title
from ot_doctor.check import Cause
from ot_doctor.discovery import Catalogue, Found
from ot_doctor.session import WrongUsage, no_such


def explanation_of(name: str, catalogue: Catalogue) -> str:
    """The text for a check, a cause, or both where they share the name. Raises ``WrongUsage`` for a name that is neither."""
    causes = {cause.value: cause for cause in Cause}
    texts = []
    if name in catalogue.checks:
        texts.append(_check(catalogue.checks[name]))
    if name in causes:
        texts.append(_cause(causes[name], catalogue))
    if not texts:
        raise WrongUsage(no_such(name, [*catalogue.checks, *causes], "check or cause"))
    return "\n\n\n".join(texts)


def _check(found: Found) -> str:
    check = found.check
    causes = ", ".join(cause.value for cause in check.causes) or "no cause, only notes"
    head = f"{check.name} (a check of the family {check.family.value}): {check.title}"
    return f"{head}\n\n{check.explanation}\n\nIt may report: {causes}\nIt comes from: {found.owner}"


def _cause(cause: Cause, catalogue: Catalogue) -> str:
    checks = ", ".join(f.check.name for f in catalogue.checks.values() if cause in f.check.causes)
    head = f"{cause.value} (a cause): {title(cause)}"
    return f"{head}\n\n{explanation(cause)}\n\nReported by: {checks or 'no check that is installed'}"
