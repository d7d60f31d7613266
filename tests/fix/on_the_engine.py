"""Carries out an action on a scenario's world as the loop does, twice, and takes it back, twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ot_doctor.actions import Action
from ot_doctor.evidence import Request
from ot_doctor.fix.catalogue import from_json, procedure, procedure_of, to_json
from ot_doctor.fix.procedure import Preview, Saved, Site
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.store import Store
from tests.scenarios.scenario import World


@dataclass
class Somebody:
    """Whoever sits at the terminal, or nobody."""

    present: bool = False
    said: str = ""

    def tell(self, text: str) -> None:
        self.said += f"{text}\n"

    def waits(self, text: str) -> bool:
        return self.present

    def token(self, text: str) -> Secret | None:
        return None


def site(world: World, person: Somebody | None = None) -> Site:
    """With evidence of now."""
    request = Request(directory=world.folder, cwd=world.home, environ=world.shell(), timeout=90)
    return Site(Store(request), person or Somebody())


@dataclass
class Walk:
    """One action of a run, from the first look to the last undo."""

    world: World
    action: Action
    folder: Path  # an empty one, in place of the run's
    number: int = 1

    def __post_init__(self) -> None:
        assert from_json(to_json(self.action)) == self.action
        self.files = self.folder / "20261128-1203-1" / "files" / str(self.number)
        self.files.mkdir(parents=True, exist_ok=True)
        self.saved: Saved = {}

    def applied(self, person: Somebody | None = None) -> Preview:
        """Done, and done already when it is asked for again."""
        doing = procedure_of(self.action, site(self.world, person))
        assert doing.precondition()
        preview = doing.preview()
        self.saved = doing.save(self.files)
        doing.apply()
        doing.verify()
        assert not procedure_of(self.action, site(self.world, person)).precondition(), "it is done already"
        return preview

    def undone(self) -> None:
        """Taken back, and taken back already when it is asked for again."""
        kind = procedure(self.action.name)
        assert kind.undo(self.saved, self.files, site(self.world))
        assert not kind.undo(self.saved, self.files, site(self.world)), "it is taken back already"
