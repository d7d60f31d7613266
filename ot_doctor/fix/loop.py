"""The first root cause that has actions, then a new look, then the next: one attempt a cause and run."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ot_doctor.actions import Action, RecreateServices, Risk, StartServices
from ot_doctor.check import Finding, Status
from ot_doctor.core.debug_log import note, said
from ot_doctor.diagnosis.fixable import actions_of
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.fix.catalogue import procedure_of, to_json
from ot_doctor.fix.consent import Choice, Consent, Talk, is_guided
from ot_doctor.fix.journal import Entry, Journal, NoJournal
from ot_doctor.fix.outcome import Attended, Became, Deed, Key, State
from ot_doctor.fix.procedure import NotDone, NotPossible, Preview, Procedure, Site
from ot_doctor.run.session import Examined
from ot_doctor.sources.store import Store

_GOES_ON = (Became.APPLIED, Became.ALREADY, Became.PLANNED)
_REACHED_WITHIN = 60.0  # seconds: a worker tries its broker again each 32 s at the latest
_BETWEEN_LOOKS = 4.0  # seconds


@dataclass(frozen=True)
class Examination:
    """What one run of the checks found, and the evidence behind it."""

    found: Examined
    store: Store


@dataclass
class Fixing:
    """One run of ``fix``. ``look`` runs the checks, ``fresh`` makes a store without any evidence yet, ``begin`` a journal."""

    look: Callable[[], Examination]
    fresh: Callable[[], Store]
    begin: Callable[[], Journal]
    talk: Talk
    consent: Consent
    wanted: Callable[[RootCause], bool]
    warnings: Callable[[Examined], Iterable[RootCause]]
    attended: list[Attended] = field(default_factory=list)
    journal: Journal | None = None
    latest: Examination | None = None
    patience: float = _REACHED_WITHIN  # seconds in which a service that was started may be reached
    _quit: bool = False
    _known: set[Key] = field(default_factory=set)  # what the first look found
    _to_restart: set[str] = field(default_factory=set)  # services, for which all that comes before it is done
    _number: int = 0  # of the newest action in the journal

    def run(self, first: Examination) -> Examination:
        """Attend to all causes, and return the newest look."""
        self.latest = first
        self._known = set(map(self._key, self._roots()))
        restarts: list[tuple[Attended, RecreateServices]] = []
        while not self._quit and (root := self._next()) is not None:
            attended = Attended(root, new=self._key(root) not in self._known, warned=self._key(root)[2])
            self.attended.append(attended)
            self.talk.begins(attended, self._place())
            before = [action for action in actions_of(root.remedy) if not isinstance(action, RecreateServices)]
            later = [action for action in actions_of(root.remedy) if isinstance(action, RecreateServices)]
            if self._all_done(attended, before) and later:
                restarts += [(attended, action) for action in later]
                self._to_restart |= {service for action in later for service in action.services}
            else:
                self._look_if_changed([attended])
            if self._next() is None and restarts and not self._quit:  # one restart for all
                self._restart(restarts)
                restarts, self._to_restart = [], set()
        self._look_if_changed([attended for attended, _ in restarts])
        return self.latest

    def _roots(self) -> list[RootCause]:
        assert self.latest is not None
        found = self.latest.found
        roots = [root for root in (*found.diagnosis, *self.warnings(found)) if actions_of(root.remedy) and self.wanted(root)]
        # What needs only a restart comes last: the others need one as well.
        return sorted(roots, key=lambda root: all(isinstance(action, RecreateServices) for action in actions_of(root.remedy)))

    def _next(self) -> RootCause | None:
        return next(iter(self._left()), None)

    def _left(self) -> list[RootCause]:
        """What nobody attended to yet; not what is there only until the restart that comes: old values of the .env, say."""
        done = {attended.key for attended in self.attended}
        return [root for root in self._roots() if self._key(root) not in done and not self._waits_for_the_restart(root)]

    def _waits_for_the_restart(self, root: RootCause) -> bool:
        actions = actions_of(root.remedy)
        restarted = {service for action in actions if isinstance(action, RecreateServices) for service in action.services}
        alone = all(isinstance(action, RecreateServices) for action in actions)
        return alone and restarted <= self._to_restart and self._key(root) not in self._known

    def _key(self, root: RootCause) -> Key:
        assert self.latest is not None
        return root.cause.value, root.subject, root not in self.latest.found.diagnosis

    def _place(self) -> str:
        return f"{len(self.attended)} of {len(self.attended) + len(self._left())}"

    def _all_done(self, attended: Attended, actions: Sequence[Action]) -> bool:
        for action in actions:
            deed = self._perform(action)
            attended.deeds.append(deed)
            self.talk.became(deed)
            if deed.became not in _GOES_ON:
                attended.state = State.STILL_THERE if deed.number else State.NOT_TRIED
                return False
        return True

    def _restart(self, restarts: Sequence[tuple[Attended, RecreateServices]]) -> None:
        services = tuple(dict.fromkeys(name for _, action in restarts for name in action.services))
        concerned = list({id(attended): attended for attended, _ in restarts}.values())
        self.talk.restarts(concerned)
        deed = self._perform(RecreateServices(services))
        planned = any(one.became is Became.PLANNED for attended in concerned for one in attended.deeds)
        if deed.became is Became.ALREADY and planned:  # what would make the containers differ is not done yet
            deed.became, deed.does = Became.PLANNED, f"Then recreates {', '.join(services)}, and nothing else."
        for attended in concerned:
            attended.deeds.append(deed)
        self.talk.became(deed)
        self._look_if_changed(concerned)

    def _look_if_changed(self, concerned: Sequence[Attended]) -> None:
        if not any(deed.became is Became.APPLIED for attended in concerned for deed in attended.deeds):
            return
        there = self._there_after(concerned)
        for attended in concerned:
            attended.state = State.STILL_THERE if attended.key in there else State.GONE
            whole = len(attended.deeds) >= len(actions_of(attended.root.remedy))
            last = attended.deeds[-1]
            if attended.state is State.STILL_THERE and whole and last.became is Became.APPLIED:
                last.became = Became.DID_NOT_HELP
                self._note(last)
        self.talk.looked(concerned)

    def _there_after(self, concerned: Sequence[Attended]) -> set[Key]:
        """What a new look finds; where a service was started, several looks: whoever needs it takes a while to reach it."""
        deeds = [deed for attended in concerned for deed in attended.deeds if deed.became is Became.APPLIED]
        waits = any(isinstance(deed.action, StartServices) for deed in deeds)
        until = time.monotonic() + self.patience if waits else 0.0
        told = False
        while True:
            self.latest = self.look()
            there = set(map(self._key, (*self.latest.found.diagnosis, *self.warnings(self.latest.found))))
            if time.monotonic() >= until or not any(attended.key in there for attended in concerned):
                return there
            if not told:
                self.talk.tell(f"    Waiting until what was started is reached, {self.patience:.0f} s at most.")
                told = True
            time.sleep(min(_BETWEEN_LOOKS, self.patience))

    def _note(self, deed: Deed) -> None:
        entry = next((e for e in self.journal.run.entries if e.number == deed.number), None) if self.journal else None
        if self.journal and entry:
            self.journal.done(entry, deed.became.value)

    # -- one action ------------------------------------------------------------------------------------

    def _perform(self, action: Action) -> Deed:
        deed = Deed(action, risks=frozenset({action.risk}))
        try:
            preview = self._previewed(deed, self._site())
            if preview is None:
                return deed
            self.talk.previews(deed)
            if self._agreed(deed, preview):
                self._carry_out(deed, preview)
        except NotPossible as refused:
            deed.became, deed.reason = Became.REFUSED, str(refused)
            if is_guided(action) and not self.talk.present:
                deed.became = Became.BY_HAND
        except NoJournal as error:
            deed.became, deed.reason = Became.REFUSED, str(error)
        except Exception as error:
            note(action.name, error)
            deed.became, deed.reason = Became.FAILED, f"{action.name} broke off: {said(error)}."
        if deed.number:
            self._note(deed)
        return deed

    def _site(self) -> Site:
        assert self.latest is not None
        return Site(renewed(self.latest.store), self.talk, dry=self.consent.is_dry(self.talk))

    def _previewed(self, deed: Deed, site: Site) -> Preview | None:
        procedure = procedure_of(deed.action, site)
        if not procedure.precondition():
            deed.became = Became.ALREADY
            return None
        preview = procedure.preview()
        deed.does, deed.lines, deed.rests_on = preview.does, preview.lines, dict(preview.rests_on)
        deed.risks |= preview.risks
        return preview

    def _agreed(self, deed: Deed, preview: Preview) -> bool:
        if preview.only_seen and (self.consent.yes or not self.talk.present):
            raise NotPossible(preview.only_seen)
        if self.consent.only_plans(self.talk):
            deed.became = Became.PLANNED
            return False
        given = self.consent.given(deed.action, deed.risks)
        if given is None:
            choice = self.talk.asks(preview)
            self._quit = choice is Choice.QUIT
            given = Became.APPLIED if choice is Choice.YES else Became.DECLINED
        deed.became = given
        return given is Became.APPLIED

    def _carry_out(self, deed: Deed, preview: Preview) -> None:
        procedure = self._unchanged(deed, preview)
        if self.journal is None:
            self.journal = self.begin()
        self._number += 1
        number = self._number
        files = self.journal.files(number)
        saved = procedure.save(files)
        deed.number = number
        self.journal.doing(Entry(number, to_json(deed.action), deed.does, saved))
        try:
            procedure.apply()
            procedure.verify()
        except NotDone as error:
            deed.became, deed.reason = Became.FAILED, str(error)

    def _unchanged(self, deed: Deed, preview: Preview) -> Procedure:
        """A procedure from evidence of now, which rests on the same as what was agreed to. Raises ``NotPossible``."""
        procedure = procedure_of(deed.action, Site(self.fresh(), self.talk))
        now = procedure.preview() if procedure.precondition() else None
        if now is None:
            raise NotPossible("Somebody else has done it meanwhile.")
        if differing := changed(preview.rests_on.items(), now.rests_on.items()):
            raise NotPossible(f"Changed since the question was asked: {', '.join(differing)}. Nothing was done.")
        if extra := now.risks - preview.risks:
            names = ", ".join(sorted(risk.value for risk in extra))
            raise NotPossible(f"It would do more now than what was agreed to ({names}). Nothing was done.")
        return procedure


def renewed(store: Store) -> Store:
    """The same evidence with all the time of a run: whoever was asked before may have used up the first one's."""
    return Store(replace(store.request, started=time.monotonic()), store.given())


def changed(before: Iterable[tuple[str, str]], now: Collection[tuple[str, str]]) -> list[str]:
    """The names of what is not as it was, or is not there any more."""
    return list(dict.fromkeys(name for name, value in before if (name, value) not in now))


def root_of(finding: Finding, check: str) -> RootCause | None:
    """A warning as a cause to attend to."""
    if finding.status is not Status.WARN or finding.cause is None:
        return None
    return RootCause(
        finding.cause, finding.subject, finding.message, finding.confidence, finding.evidence, finding.remedy, (check,)
    )


def hidden(attended: Iterable[Attended]) -> dict[str, int]:
    """How many actions were not done because a class of risk was not allowed, by the class."""
    counts: dict[str, int] = {}
    deeds = {id(deed): deed for one in attended for deed in one.deeds if deed.became is Became.NOT_ALLOWED}
    for deed in deeds.values():
        for risk in sorted(deed.risks - {Risk.SAFE}, key=lambda risk: risk.value):
            counts[risk.value] = counts.get(risk.value, 0) + 1
    return counts
