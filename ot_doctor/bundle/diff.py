"""What changed between two bundles or reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from ot_doctor.bundle.inputs import ReportDocument, ReportedAttempt, ReportedCause, ReportedCheck, Side
from ot_doctor.bundle.manifest import Manifest
from ot_doctor.check import Status
from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence import ComposeConfig, EnvFile, Hub, Worker, Workers
from ot_doctor.redaction.secret import Secret

E = TypeVar("E")
_Value = str | Secret | None
_LOOKED_AT = (Status.PASS, Status.WARN, Status.FAIL)
_LONG = 300  # characters of one text
_FINGERPRINT = re.compile(r"(…\(\d+):[0-9a-f]{4}\)")  # it means nothing beside another report's


@dataclass(frozen=True)
class ComparedReport:
    """One of the two files."""

    file: str
    kind: str  # "bundle", "report"
    at: datetime  # aware, UTC
    version: str  # of ot-doctor


@dataclass(frozen=True)
class CauseChange:
    cause: str
    subject: str | None
    title: str


@dataclass(frozen=True)
class CheckChange:
    """A check with another status; ``None``: it was not run there."""

    name: str
    before: Status | None
    after: Status | None
    message_before: str
    message_after: str


@dataclass(frozen=True)
class ValueChange:
    """A setting or a version; ``None``: not there. A secret is shown by its shape."""

    where: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class NewAttempt:
    worker: str
    task: str | None
    started_at: datetime | None
    outcome: str
    cause: str | None


@dataclass(frozen=True)
class Changes:
    a: ComparedReport
    b: ComparedReport
    notes: tuple[str, ...]  # what to bear in mind: B is older, other versions of ot-doctor, ...
    causes_gone: tuple[CauseChange, ...]
    causes_new: tuple[CauseChange, ...]
    causes_left: tuple[CauseChange, ...]
    checks: tuple[CheckChange, ...]
    settings: tuple[ValueChange, ...]
    secrets_not_compared: tuple[str, ...]  # alike as far as can be known
    versions: tuple[ValueChange, ...]
    attempts: tuple[NewAttempt, ...]  # of B and not of A, the newest first
    fails_now: tuple[str, ...]  # what fails in B and did not in A: causes with their subjects, checks
    not_checked_now: tuple[str, ...]  # checks that had an answer in A and have none in B

    @property
    def nothing(self) -> bool:
        return not (self.causes_gone or self.causes_new or self.checks or self.settings or self.versions or self.attempts
                    or self.fails_now)  # fmt: skip

    @property
    def exit_code(self) -> int:
        """1 when something fails that did not, 3 when something could no longer be checked, else 0."""
        return 1 if self.fails_now else 3 if self.not_checked_now else 0


def changes(a: Side, b: Side) -> Changes:
    """What is different in ``b``. All texts are fit to be shown."""
    before, after = _causes(a.report), _causes(b.report)
    settings, alike = _settings(a, b)
    return Changes(
        a=_source(a),
        b=_source(b),
        notes=tuple(_notes(a, b)),
        causes_gone=tuple(cause for key, cause in before.items() if key not in after),
        causes_new=tuple(cause for key, cause in after.items() if key not in before),
        causes_left=tuple(cause for key, cause in after.items() if key in before),
        checks=tuple(_checks(a.report, b.report)),
        settings=settings,
        secrets_not_compared=alike,
        versions=_versions(a, b),
        attempts=tuple(_attempts(a.report, b.report)),
        fails_now=_fails_now(a.report, b.report),
        not_checked_now=_not_checked_now(a.report, b.report),
    )


def _plain(text: str) -> str:
    text = _FINGERPRINT.sub(r"\1)", printable(" ".join(text.split())))
    return clipped(text, _LONG)


def _source(side: Side) -> ComparedReport:
    kind = "bundle" if side.recording else "report"
    return ComparedReport(_plain(side.name), kind, side.at, _plain(side.report.tool.version))


def _notes(a: Side, b: Side) -> Iterable[str]:
    if a.at - b.at > timedelta(seconds=0 if a.recording and b.recording else 1):  # a report has whole seconds
        yield "B is older than A: what is gone here came later."
    versions = [side.report.tool.version for side in (a, b)]
    if versions[0] != versions[1]:
        different = " and ".join(versions)
        yield _plain(f"They were made by different versions of ot-doctor ({different}): one may check more than the other.")
    if a.recording and b.recording and a.recording.manifest.redact != b.recording.manifest.redact:
        yield "One of them hides more names than the other (--redact strict): names may differ for that alone."
    if not (a.recording and b.recording):
        yield "A report holds no settings: those were not compared. Two bundles ('ot-doctor collect') have them."


def _causes(report: ReportDocument) -> dict[tuple[str, str | None], CauseChange]:
    return {(root.cause, root.subject): _cause(root) for root in report.diagnosis}


def _cause(root: ReportedCause) -> CauseChange:
    return CauseChange(_plain(root.cause), _plain(root.subject) if root.subject else None, _plain(root.title))


def _by_name(report: ReportDocument) -> dict[str, ReportedCheck]:
    return {check.name: check for check in report.checks}


def _checks(a: ReportDocument, b: ReportDocument) -> Iterable[CheckChange]:
    before, after = _by_name(a), _by_name(b)
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        if (was.status if was else None) is not (now.status if now else None):
            yield CheckChange(
                _plain(name), was.status if was else None, now.status if now else None, _message(was), _message(now)
            )


def _message(check: ReportedCheck | None) -> str:
    """What a check says, by the findings that made its status."""
    telling = [finding.message for finding in check.findings if finding.status is check.status] if check else []
    more = f" (and {len(telling) - 1} more)" if len(telling) > 1 else ""
    return _plain(telling[0]) + more if telling else ""


def _failing(report: ReportDocument) -> dict[tuple[str | None, str | None], None]:
    return {
        (finding.cause, finding.subject): None
        for check in report.checks
        for finding in check.findings
        if finding.status is Status.FAIL
    }


def _fails_now(a: ReportDocument, b: ReportDocument) -> tuple[str, ...]:
    known, before = _failing(a), _by_name(a)
    new = [failure for failure in _failing(b) if failure not in known]
    causes = [f"{cause} ({subject})" if subject else str(cause) for cause, subject in new]
    checks = [
        check.name
        for check in b.checks
        if check.status is Status.FAIL and not (check.name in before and before[check.name].status is Status.FAIL)
    ]
    return tuple(_plain(text) for text in causes or checks)


def _not_checked_now(a: ReportDocument, b: ReportDocument) -> tuple[str, ...]:
    after = _by_name(b)
    unknown = {name for name, check in after.items() if check.status is Status.UNKNOWN}
    return tuple(_plain(check.name) for check in a.checks if check.status in _LOOKED_AT and check.name in unknown)


def _attempts(a: ReportDocument, b: ReportDocument) -> Iterable[NewAttempt]:
    known = {_identity(attempt) for attempt in a.attempts}
    for attempt in b.attempts:
        if _identity(attempt) not in known:
            task, cause = (_plain(text) if text else None for text in (attempt.task, attempt.cause))
            yield NewAttempt(_plain(attempt.worker), task, attempt.started_at, _plain(attempt.outcome), cause)


def _identity(attempt: ReportedAttempt) -> tuple[object, ...]:
    """An attempt that had not ended is another one when it has."""
    return attempt.worker, attempt.task, attempt.started_at, attempt.outcome


def _evidence(side: Side, kind: type[E]) -> E | None:
    value = side.recording.evidence.get(kind) if side.recording else None
    return value if isinstance(value, kind) else None


def _versions(a: Side, b: Side) -> tuple[ValueChange, ...]:
    """What the installation consists of, as far as both know it."""
    before, after = _facts(a), _facts(b)
    return tuple(change for of in after if of in before for change in _compared("", before[of], after[of]))


def _facts(side: Side) -> dict[str, Mapping[str, str]]:
    """Facts by the source that knows them; what it does not know is left out."""
    deployment = side.report.deployment
    facts: dict[str, dict[str, str | None]] = {
        "report": {
            "OpenTranscribe": deployment.version,
            "release line": deployment.line,
            "folder": deployment.dir,
            "project": deployment.project,
            "diarizing workers": ", ".join(deployment.workers),
            "Hub": side.report.hub,
        }
    }
    if hub := _evidence(side, Hub):
        who = hub.identity
        facts["Hub"] = {"account at the Hub": who.account, "name of the token": who.token_name, "role of the token": who.role}
    if workers := _evidence(side, Workers):
        facts["engine"] = {"Docker engine": workers.engine.version, "Docker endpoint": workers.engine.endpoint}
        for worker in workers.containers:
            facts["engine"] |= _of_container(worker)
    if side.recording:
        facts["doctor"] = _of_the_doctor(side.recording.manifest)
    return {of: {name: value for name, value in known.items() if value} for of, known in facts.items()}


def _of_container(worker: Worker) -> dict[str, str | None]:
    limit = f"{worker.memory_limit} bytes" if worker.memory_limit else None
    return {
        f"{worker.name} image": worker.image,
        f"{worker.name} status": worker.status,
        f"{worker.name} user": worker.user,
        f"{worker.name} memory limit": limit,
        **{f"{worker.name} {mount.destination}": mount.name or mount.source for mount in worker.mounts},
    }


def _of_the_doctor(manifest: Manifest) -> dict[str, str | None]:
    versions = {"Python": manifest.python, **manifest.libraries}
    return {f"{name} of ot-doctor": version for name, version in versions.items()}


def _settings(a: Side, b: Side) -> tuple[tuple[ValueChange, ...], tuple[str, ...]]:
    """The settings that changed, and the secrets of which that cannot be known: each report has fingerprints of its own."""
    changed: list[ValueChange] = []
    alike: dict[str, None] = {}
    before, after = _places(a), _places(b)
    for where in [where for where in after if where in before]:
        changed += _compared(where, before[where], after[where])
        for name in before[where].keys() & after[where].keys():
            was, now = before[where][name], after[where][name]
            if isinstance(was, Secret) and isinstance(now, Secret) and was and was != now and was.shape == now.shape:
                alike[_plain(name)] = None
    return tuple(changed), tuple(sorted(alike))


def _places(side: Side) -> dict[str, Mapping[str, _Value]]:
    """Where settings live, and what they are there."""
    places: dict[str, Mapping[str, _Value]] = {}
    if (env := _evidence(side, EnvFile)) and env.problem is None:
        places[".env"] = {entry.key: env_value.value for entry in env.entries if (env_value := env.entry(entry.key))}
    if compose := _evidence(side, ComposeConfig):
        for setting in compose.environment:
            place = dict(places.get(f"environment: of {setting.service}", {}))
            places[f"environment: of {setting.service}"] = place | {setting.key: setting.value}
    if workers := _evidence(side, Workers):
        places |= {worker.where: worker.env for worker in workers.containers}
    return places


def _compared(where: str, before: Mapping[str, _Value], after: Mapping[str, _Value]) -> tuple[ValueChange, ...]:
    return tuple(
        ValueChange(_plain(where), _plain(name), _shown(name, before), _shown(name, after))
        for name in dict.fromkeys([*after, *before])
        if (name in before) != (name in after) or _differ(before[name], after[name])
    )


def _differ(was: _Value, now: _Value) -> bool:
    if isinstance(was, Secret) and isinstance(now, Secret):
        return was.shape != now.shape
    return was != now


def _shown(name: str, values: Mapping[str, _Value]) -> str | None:
    if name not in values:
        return None
    value = values[name]
    if value is None:
        return "(a bare name)"
    return _plain(str(value)) if value else "(empty)"
