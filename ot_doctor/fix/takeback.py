"""Takes back what a run of ``fix`` did, the newest action first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ot_doctor.actions import RecreateServices
from ot_doctor.core.debug_log import note, said
from ot_doctor.fix.catalogue import procedure
from ot_doctor.fix.journal import Entry, Journal, NoJournal, Run
from ot_doctor.fix.outcome import Became
from ot_doctor.fix.procedure import Irrevocable, NotDone, NotPossible, Site

# What changed nothing, so that there is nothing to take back.
_CHANGED_NOTHING = (Became.REFUSED.value, Became.ALREADY.value)


@dataclass(frozen=True)
class TakenBack:
    """One action of a run, and what became of taking it back."""

    entry: Entry
    became: Became  # UNDONE, ALREADY (it is so already), REFUSED, FAILED, DECLINED
    reason: str = ""
    for_good: bool = False  # it can never be taken back, which is no reason to keep what was done before


def undoable(run: Run) -> list[Entry]:
    """What can be taken back, the newest first; an action that was cut off is among it.

    Containers are recreated last: from the files as they were.
    """
    found = [entry for entry in run.to_undo if entry.outcome not in _CHANGED_NOTHING]
    return sorted(found, key=lambda entry: entry.action.get("name") == RecreateServices.name)


def take_back(
    run: Run, site: Site, agreed: Callable[[Entry], bool], told: Callable[[TakenBack], object] = lambda result: None
) -> list[TakenBack]:
    """Take back each action for which ``agreed``; where one cannot be taken back now, those before it are left as well.

    ``told`` gets each result as it comes.
    """
    journal, results = Journal(run), list[TakenBack]()
    for entry in undoable(run):
        if not agreed(entry):
            results.append(TakenBack(entry, Became.DECLINED))
            told(results[-1])
            break
        result = _one(run, entry, site)
        if result.for_good or result.became in (Became.UNDONE, Became.ALREADY):
            try:
                (journal.lasts if result.for_good else journal.undone)(entry)
            except NoJournal as error:
                result = TakenBack(entry, Became.FAILED, str(error))
        results.append(result)
        told(result)
        if result.became in (Became.REFUSED, Became.FAILED) and not result.for_good:
            break
    return results


def _one(run: Run, entry: Entry, site: Site) -> TakenBack:
    files = run.folder / "files" / str(entry.number)
    try:
        done = procedure(str(entry.action["name"])).undo(entry.saved, files, site)
    except Irrevocable as refused:
        return TakenBack(entry, Became.REFUSED, str(refused), for_good=True)
    except NotPossible as refused:
        return TakenBack(entry, Became.REFUSED, str(refused))
    except NotDone as error:
        return TakenBack(entry, Became.FAILED, str(error))
    except Exception as error:  # a journal may be anything
        note("undo", error)
        return TakenBack(entry, Became.FAILED, f"It could not be taken back: {said(error)}.")
    return TakenBack(entry, Became.UNDONE if done else Became.ALREADY)
