"""From what a run found to the report on it, as it may leave."""

from __future__ import annotations

from ot_doctor.redaction.redactor import Redactor
from ot_doctor.report.model import Facts, Report
from ot_doctor.report.redacted import redacted
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import Examined


def redactor_of(plan: Plan) -> Redactor:
    return Redactor(plan.redact, plan.home, plan.user)


def report_of(found: Examined, redactor: Redactor | None = None) -> Report:
    """The report, redacted.

    A ``redactor`` is given by those who redact more than the report, so that the same has the same placeholder everywhere.
    """
    redactor = redactor or redactor_of(found.plan)
    redactor.learn((found.deployment, found.workers, found.hub, *found.evidence.values()))
    report = Report(
        started_at=found.started_at,
        duration=found.duration,
        results=found.results,
        diagnosis=found.diagnosis,
        deployment=found.deployment,
        workers=found.workers,
        hub=found.hub,
        log=found.log,
        facts=lambda: _facts(found),
        upcoming=found.upcoming,
        notices=found.notices,
        accessed=found.accessed,
        fail_on=found.plan.fail_on,
        required=found.plan.required,
    )
    return redacted(report, redactor)


def _facts(found: Examined) -> Facts:
    from ot_doctor.report.facts import facts_of

    return facts_of(found.evidence, found.started_at)
