"""How an action is carried out: the five things that each procedure can do, in their order, and how it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ot_doctor.actions import Risk
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.store import Store

Saved = Mapping[str, Any]  # what undo needs, as JSON can hold it; no secret


class NotPossible(Exception):
    """The action is not done, and nothing was changed. The text is a sentence that says why."""


class Irrevocable(NotPossible):
    """What was done cannot be taken back at all; whatever was done before it can."""


class NotDone(Exception):
    """The action was begun and did not have its effect. The text is a sentence."""


class Person(Protocol):
    """Whoever sits at the terminal, if anybody does."""

    present: bool

    def tell(self, text: str) -> None:
        """Show a line."""

    def waits(self, text: str) -> bool:
        """Show a text and wait for Enter; false where nobody is there, or who is there gives up."""

    def token(self, text: str) -> Secret | None:
        """A token that is typed unseen, or that a file holds; ``None``: there is none."""


@dataclass(frozen=True)
class Site:
    """What procedures look at and work on: the evidence of the newest look, and whoever is asked."""

    store: Store
    person: Person
    dry: bool = False  # nothing will be done, so not even a container that only looks is started


@dataclass(frozen=True)
class Preview:
    """What a procedure would do, before anybody agrees. No text holds a secret."""

    does: str  # "Comments out line 371 of /srv/ot/.env." A sentence
    question: str  # "Change the file?"
    lines: tuple[str, ...] = ()  # a diff, or what is concerned
    rests_on: Mapping[str, str] = field(default_factory=dict)  # what it was made from, by name: "file /srv/ot/.env" -> digest
    risks: frozenset[Risk] = frozenset()  # beside the action's own
    only_seen: str = ""  # a sentence: why it is done only when somebody has seen it and is asked
    around: tuple[str, ...] = ()  # the diff with the lines around it, for who asks; empty: ``lines`` are all there is


class Procedure(Protocol):
    """Made from an action and a site; a new one for each look. All but ``apply`` and ``undo`` change nothing.

    The loop calls ``precondition`` and ``preview``, and asks. Then it makes another one, whose preview must rest on the same, and
    calls its ``save``, ``apply`` and ``verify``.
    """

    def __init__(self, action: Any, site: Site) -> None: ...

    def precondition(self) -> bool:
        """Whether there is something to do; false: it is so already. Raises ``NotPossible`` where it cannot be done."""

    def preview(self) -> Preview:
        """What it would do. Raises ``NotPossible``."""

    def save(self, files: Path) -> Saved:
        """What ``undo`` needs. Larger things go into the folder ``files``, which is private and there already."""

    def apply(self) -> None:
        """Do it. Raises ``NotPossible`` before anything was changed, and ``NotDone`` after."""

    def verify(self) -> None:
        """Look whether it is done. Raises ``NotDone``."""

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """Take it back, also where ``apply`` was cut off anywhere; false: it is so already. Raises all three."""
