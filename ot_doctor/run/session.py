"""One run: from a plan to what was found. It needs no command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TypeVar

from ot_doctor.check import Cause, Check, Finding, Result, Seen, Step
from ot_doctor.core import receipt, supervisor
from ot_doctor.core.printable import clipped, printable
from ot_doctor.diagnosis.ranking import RootCause, diagnose
from ot_doctor.evidence import Deployment, Hub, Installation, NextRelease, NoSuchWorker, Request, Unavailable, WorkerLog, Workers
from ot_doctor.logs.signatures import Signature, verify
from ot_doctor.logs.signatures import catalogue as log_signatures
from ot_doctor.redaction import registry
from ot_doctor.redaction.names import register_environment
from ot_doctor.run import requirements, suppressions
from ot_doctor.run.discovery import CheckCatalogue, discover
from ot_doctor.run.plan import Plan, WrongUsage, chosen, wrong_name
from ot_doctor.run.runner import needs, requires, run
from ot_doctor.sources.other_machine import of_the_engine
from ot_doctor.sources.store import Store

E = TypeVar("E")
_BOUNDED = (
    "There are more secrets here, or longer ones, than can be looked for in every form. Some are hidden only where they stand "
    "whole or have the shape of a secret: read this before you pass it on."
)
_LONGEST_TEXT = 50_000  # characters of one text of a finding: a log's record has fewer, a plug-in's may have any number


@dataclass(frozen=True)
class Examined:
    """What a run found. ``ot_doctor.report.build`` makes a report of it."""

    plan: Plan
    started_at: datetime  # aware, UTC
    duration: float  # seconds
    results: tuple[Result, ...]
    diagnosis: tuple[RootCause, ...]
    deployment: Deployment | None = None
    workers: Workers | None = None
    hub: Hub | None = None
    log: WorkerLog | None = None
    evidence: Mapping[type, object] = field(default_factory=dict)  # all that came, or why it did not
    upcoming: NextRelease | None = None  # preflight
    notices: tuple[str, ...] = ()  # about the tool itself: broken plug-ins
    accessed: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)  # what the run touched, by kind


def catalogue_of(folders: Iterable[Path], seconds: float = 30.0) -> CheckCatalogue:
    """All checks; plug-ins have ``seconds`` to load. Raises ``WrongUsage`` when two checks have one name."""
    catalogue = discover(folders, seconds)
    if catalogue.duplicates:
        raise WrongUsage("; ".join(catalogue.duplicates))
    return catalogue


def signatures_of(files: Iterable[Path]) -> Mapping[str, Signature]:
    """The log signatures by name, those of the user's files among them. Raises ``WrongUsage`` for a file that is wrong."""
    causes = frozenset(cause.value for cause in Cause)
    supervisor.doing("the log signatures were being read", "Leave out --signatures.")
    try:
        known = log_signatures(tuple(files))
        for signature in known.signatures:
            if signature.origin:
                supervisor.doing(f"the log signature {signature.name} was being tried", "Leave out --signatures.")
                verify(signature, causes)
    except ValueError as error:
        raise WrongUsage(f"--signatures: {error}") from error
    return known.named


def prepare(plan: Plan) -> tuple[dict[str, Check], Store, tuple[str, ...]]:
    """The checks, the store, and notices about plug-ins. Raises ``WrongUsage``."""
    register_environment(plan.request.environ)
    receipt.begin()
    store = Store(_log_alone(plan.request))
    store.start((Deployment,))  # every run needs it, and the engine's answer takes as long as loading the checks
    checks, notices = checks_of(plan)
    if WorkerLog in needs(checks.values()):
        log_signatures(plan.request.signatures)  # while the engine is waited for; whoever reads the log finds them ready
    return checks, store, notices


def gathered(plan: Plan, kinds: Iterable[type]) -> Store:
    """A store that gathers evidence, with no check. Raises ``WrongUsage`` where there is no installation to examine."""
    register_environment(plan.request.environ)
    store = Store(plan.request)
    store.start((Deployment, *kinds))
    _must_be_called_so(store)
    _must_be_installed(store)
    return store


def checks_of(plan: Plan) -> tuple[dict[str, Check], tuple[str, ...]]:
    """The checks, and notices about plug-ins. Raises ``WrongUsage``."""
    # Half of the time: the other half is for the evidence.
    catalogue = catalogue_of(plan.checks_dirs, plan.request.remaining() / 2)
    if plan.request.signatures:
        signatures_of(plan.request.signatures)
    if wrong := wrong_name(plan, catalogue.checks):
        raise WrongUsage(wrong)
    checks = _of_this_command(chosen(catalogue, plan.select, plan.ignore), plan)
    if not checks:
        if not catalogue.checks and catalogue.broken:
            raise WrongUsage(f"No check could be loaded. {catalogue.broken[0].owner}: {catalogue.broken[0].reason}")
        raise WrongUsage("No check is left to run: --select and --ignore leave nothing.")
    return checks, tuple(_text(f"The plug-in {b.owner} could not be loaded: {b.reason}") for b in catalogue.broken)


def _of_this_command(checks: dict[str, Check], plan: Plan) -> dict[str, Check]:
    """``preflight`` has the checks that ask about another release; every other command has those that can do without one."""
    about = {name: requires(check, NextRelease) for name, check in checks.items()}
    if plan.request.next_release:
        return {name: check for name, check in checks.items() if about[name] is not None}
    alone = [name for name in plan.select if about.get(name)]
    if alone:
        raise WrongUsage(f"{alone[0]} is a check of 'ot-doctor preflight --for RELEASE'.")
    return {name: check for name, check in checks.items() if not about[name]}


def _log_alone(request: Request) -> Request:
    """``--logs`` where no installation is named or found on the disk: then only that log is examined."""
    if not request.logs or request.directory or request.env_file or request.workers:
        return request
    installation = Store(request).get(Installation)
    found = isinstance(installation, Installation) and installation.directory is not None
    return request if found else replace(request, log_alone=True)


def examine(
    plan: Plan,
    checks: Mapping[str, Check],
    store: Store,
    notices: tuple[str, ...],
    *,
    interim: Callable[[Examined], None] | None = None,
) -> Examined:
    """Run the checks. Raises ``WrongUsage`` where there is no installation to examine.

    ``interim`` gets what is found when none of the checks of others ends, before they are run.
    """
    started, began = datetime.now(timezone.utc), time.monotonic()

    def found(results: Iterable[Result]) -> Examined:
        cleaned = tuple(_clean(result) for result in results)
        cleaned = suppressions.apply(cleaned, plan.suppressions, date.today())
        cleaned = requirements.evaluate(cleaned, plan.required)
        told = (*notices, _BOUNDED) if registry.current().bounded else notices
        return _examined(plan, store, told, cleaned, started, time.monotonic() - began)

    store.start((Deployment,))
    _must_be_called_so(store)
    _must_be_installed(store)
    with redirect_stdout(sys.stderr):  # standard output is for the report alone
        results = run(checks, store, (lambda so_far: interim(found(so_far))) if interim else None)
    return found(results)


def _examined(
    plan: Plan, store: Store, notices: tuple[str, ...], results: tuple[Result, ...], started: datetime, duration: float
) -> Examined:
    return Examined(
        plan=plan,
        started_at=started,
        duration=duration,
        results=results,
        diagnosis=diagnose(results),
        deployment=_clean_deployment(_had(store, Deployment)),
        workers=_had(store, Workers),
        hub=_had(store, Hub),
        log=_had(store, WorkerLog),
        evidence=store.come_so_far(),
        upcoming=_had(store, NextRelease) if plan.request.next_release else None,
        notices=notices,
        accessed=receipt.so_far(),
    )


def _must_be_installed(store: Store) -> None:
    installation = store.get(Installation)
    if store.request.log_alone or (isinstance(installation, Installation) and installation.directory is not None):
        return
    deployment = store.get(Deployment)
    if isinstance(deployment, Unavailable) and not deployment.switched_off and not _is_out_of_reach(store):
        raise WrongUsage(f"{deployment.reason.rstrip('.')}. {deployment.hint}".strip())


def _is_out_of_reach(store: Store) -> bool:
    """Another machine's engine did not answer: whether it has an installation is not known."""
    return of_the_engine(store.request) is not None and isinstance(store.get(Workers), Unavailable)


def _must_be_called_so(store: Store) -> None:
    """``--worker`` is wrong usage where nothing has that name; where nothing could be asked, that is not known."""
    workers = store.get(Workers) if store.request.workers else None
    if isinstance(workers, NoSuchWorker):
        raise WrongUsage(workers.reason)


def _had(store: Store, kind: type[E]) -> E | None:
    """Evidence that some check asked for; what nobody asked for is not gathered now."""
    value = store.get(kind) if store.asked(kind) else None
    return None if isinstance(value, Unavailable) else value


def _clean_deployment(deployment: Deployment | None) -> Deployment | None:
    """The deployment with a folder and a project that may be shown."""
    if deployment is None:
        return None
    project = _text(deployment.project) if deployment.project else deployment.project
    return replace(deployment, directory=Path(_text(str(deployment.directory))), project=project)


def _clean(result: Result) -> Result:
    """The result without a control character, whatever a plug-in put into its texts."""
    return replace(result, findings=tuple(_clean_finding(finding) for finding in result.findings))


def _clean_finding(finding: Finding) -> Finding:
    return replace(
        finding,
        message=_text(finding.message),
        subject=_text(finding.subject) if finding.subject else finding.subject,
        expected=_text(finding.expected) if finding.expected else finding.expected,
        evidence=tuple(_clean_seen(seen) for seen in finding.evidence),
        remedy=tuple(_clean_step(step) for step in finding.remedy),
    )


def _clean_seen(seen: Seen) -> Seen:
    location = seen.location
    if location is not None:
        path, container = location.path, location.container
        location = replace(location, path=path and _text(path), container=container and _text(container))
    return Seen(_text(seen.source), _text(seen.where), _text(seen.text), location)


def _clean_step(step: Step) -> Step:
    text, command = _text(step.text), step.command
    if command and not _can_be_printed(command):
        command, text = None, f"{text} (Its command is left out: a name in it cannot be printed.)"
    return Step(text, command or None, _text(step.url) if step.url else None, step.risk, step.action)


def _can_be_printed(command: str) -> bool:
    """Whether the command as it is shown still means the same files."""
    try:
        command.encode()
    except UnicodeEncodeError:  # a name that is no UTF-8
        return False
    return _text(command) == command


def _text(text: str) -> str:
    return clipped(printable(text[: _LONGEST_TEXT + 1]), _LONGEST_TEXT)
