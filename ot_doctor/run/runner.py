"""Runs checks: orders, times and isolates them. The one place where an exception becomes ``unknown``."""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing

from ot_doctor.check import Check, Finding, Result, Status, Step, skipped, unknown
from ot_doctor.core import supervisor
from ot_doctor.core.deadline import Calls, NoResources, TookTooLong, within
from ot_doctor.core.debug_log import note, said, where_to_report
from ot_doctor.core.limits import limit_reached
from ot_doctor.core.printable import printable
from ot_doctor.evidence import Request, Unavailable, WorkerLog
from ot_doctor.run.bounds import bounded
from ot_doctor.run.containment import unharmed
from ot_doctor.sources.store import SOURCES, Store, parameters

_OWN = "ot_doctor_checks"  # the built-in checks' package
# Evidence may come at the last moment: seconds that the checks have after the run's end, all together and each.
_LATE, _LATE_EACH = 0.4, 0.2
_Within = Callable[[float, Callable[[], list[Finding]]], list[Finding]]


def needs(checks: Iterable[Check]) -> set[type]:
    """The evidence that the checks ask for; a check whose signature is wrong asks for none."""
    kinds: set[type] = set()
    for check in checks:
        try:
            kinds.update(kind for kind, _ in parameters(check.function).values())
        except Exception:  # the check itself reports it when it is run
            continue
    return kinds - {Request}


def requires(check: Check, kind: type) -> bool | None:
    """Whether the check makes no sense without that evidence; ``None`` where it does not ask for it, or asks wrongly."""
    try:
        asked = parameters(check.function).values()
        return next((not takes_unavailable for wanted, takes_unavailable in asked if wanted is kind), None)
    except Exception:  # as above
        return None


def topological_order(checks: Mapping[str, Check]) -> list[Check]:
    """The checks, each after those that it names in ``after``; a circle is broken at its first member."""
    ordered: dict[str, Check] = {}
    entered: set[str] = set()

    def place(check: Check) -> None:
        if check.name in entered:
            return
        entered.add(check.name)
        for name in check.after:
            if name in checks:
                place(checks[name])
        ordered[check.name] = check

    for check in checks.values():
        place(check)
    return list(ordered.values())


def run(
    checks: Mapping[str, Check], store: Store, before_foreign: Callable[[list[Result]], None] | None = None
) -> list[Result]:
    """Run the checks on the store's evidence; the results are in the order in which ``checks`` lists them.

    ``before_foreign`` is called before the first check of others is run, with what the results are if none of these ends.
    """
    # The log takes longest, so it comes first.
    store.start(sorted(needs(checks.values()), key=lambda kind: kind is not WorkerLog))
    results: dict[str, Result] = {}
    over = time.monotonic() + store.request.remaining() + _LATE
    with closing(Calls()) as own:
        # Foreign checks come last: one that takes all the time takes it from none of the built-in ones.
        for check in sorted(topological_order(checks), key=_is_foreign):
            if before_foreign is not None and _is_foreign(check):
                before_foreign([results.get(name) or _given_up(checks[name]) for name in checks])
                before_foreign = None
            started = time.monotonic()
            findings = _blocked(check, results) or _run_one(check, store, over, own)
            results[check.name] = Result(check, tuple(findings), time.monotonic() - started)
    return [results[name] for name in checks]


def _blocked(check: Check, results: Mapping[str, Result]) -> list[Finding]:
    """Why the check makes no sense after what came before it; empty when it does."""
    for name in check.after:
        before = results.get(name)
        if before is None or before.ok:
            continue
        if before.status is Status.SKIP:  # for the same reason
            return [skipped(before.findings[0].message)]
        return [skipped(f"not checked, because {name} did not pass ({before.status.value})")]
    return []


def _given_up(check: Check) -> Result:
    step = Step(f"Leave it out with --ignore {check.name}, or ask its author.")
    return Result(check, (unknown(f"the run was given up before the check {check.name} had ended", remedy=[step]),), 0.0)


def _is_foreign(check: Check) -> bool:
    return not check.function.__module__.startswith(f"{_OWN}.")


def _run_one(check: Check, store: Store, over: float, own: Calls) -> list[Finding]:
    try:
        if not _is_foreign(check):
            return _findings(check, store, over, own.within)
        with unharmed():
            return _findings(check, store, over, within)  # in a thread of its own, whatever it does to that
    except NoResources as error:
        return [unknown(str(error), remedy=[Step(error.hint)])]
    except TookTooLong:
        more = Step("Give it more time with --timeout 120.")
        return [unknown(f"the check {check.name} did not end in time", remedy=[more])]
    except Exception as error:
        note(f"the check {check.name}", error)
        if limit := limit_reached(error):
            return [unknown(limit)]
        return [_broken(check, error)]


def _broken(check: Check, error: Exception) -> Finding:
    """Whoever wrote the check is told the line of its file that failed; a built-in one is a bug to report."""
    more = "Run it with -vv to see the traceback."
    if not _is_foreign(check):
        more = f"This is a bug of ot-doctor. Report it {where_to_report()}, with the traceback that -vv shows."
    return unknown(f"the check {check.name} itself failed: {said(error)}{_place(check, error)}", remedy=[Step(more)])


def _place(check: Check, error: Exception) -> str:
    file = getattr(getattr(inspect.unwrap(check.function), "__code__", None), "co_filename", None)
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return f" at {printable(str(file))}:{lines[-1]}" if lines else ""


def _findings(check: Check, store: Store, over: float, call_within: _Within) -> list[Finding]:
    arguments: dict[str, object] = {}
    for name, (kind, takes_unavailable) in parameters(check.function).items():
        if kind is not Request and not store.has(kind):
            supervisor.doing(f"the check {check.name} waited for {SOURCES[kind].label}", _advice_on_evidence(store.request))
        value = store.request if kind is Request else store.get(kind)
        if isinstance(value, Unavailable) and not takes_unavailable:
            return [unavailable_finding(value)]
        arguments[name] = value
    seconds = max(store.request.remaining(), min(_LATE_EACH, over - time.monotonic()))
    if seconds <= 0:
        raise TookTooLong("no time was left for it")
    supervisor.doing(f"the check {check.name} was running", f"Leave it out with --ignore {check.name}.")
    try:
        findings = call_within(seconds, lambda: bounded(check.function(**arguments) or (), check.name))
    except Unavailable as reason:  # a check that takes it passes it on where nothing else is left to look at
        return [unavailable_finding(reason)]
    if not findings:
        raise ValueError("it returned no finding")
    return findings


def _advice_on_evidence(request: Request) -> str:
    if request.signatures:
        return "A regular expression of a log signature may never end: leave out --signatures."
    return ""


def unavailable_finding(reason: Unavailable) -> Finding:
    """The finding for evidence that is not available."""
    if reason.switched_off:
        return skipped(reason.reason)
    steps = [Step(reason.hint or "Run ot-doctor again when it can be reached.", command=reason.command)]
    return unknown(reason.reason, remedy=steps)
