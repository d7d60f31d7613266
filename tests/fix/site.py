"""A site for procedures: a store with a planted ``.env``, and a person who answers what the test says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from ot_doctor.evidence import Deployment, EnvFile, Hub, ReleaseLine, Request, Unavailable, Workers, WorkerToken
from ot_doctor.fix.consent import Choice
from ot_doctor.fix.outcome import Attended, Deed
from ot_doctor.fix.procedure import Preview, Procedure, Site
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.store import Store

TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
OTHER = "hf_" + "ZyXwVuTsRqPoNmLkJiHgFeDcBa98765432"


@dataclass
class Script:
    """Answers from lists, and notes what it was told and asked."""

    answers: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    present: bool = True
    told: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        self.told.append(text)

    def waits(self, text: str) -> bool:
        self.told.append(text)
        return bool(self.answers) and self.answers.pop(0) == "enter"

    def token(self, text: str) -> Secret | None:
        self.told.append(text)
        return Secret(self.tokens.pop(0), "HUGGINGFACE_TOKEN") if self.tokens else None

    def begins(self, attended: Attended, place: str) -> None:
        self.told.append(f"{place} {attended.root.cause.value}")

    def restarts(self, attended: object) -> None:
        self.told.append("one restart")

    def previews(self, deed: Deed) -> None:
        self.told += [deed.does, *deed.lines]

    def asks(self, preview: Preview) -> Choice:
        self.told.append(preview.question)
        return Choice(self.answers.pop(0)) if self.answers else Choice.NO

    def became(self, deed: Deed) -> None:
        self.told.append(deed.became.value)

    def looked(self, attended: object) -> None:
        self.told.append("looked again")


def planted(env: Path, **environ: str) -> Store:
    """A store that knows of an ``.env`` and of nothing else."""
    nothing = Unavailable("there is nothing here", switched_off=True)
    deployment = Deployment(env.parent, "--dir", env, line=ReleaseLine.V0_4)
    known: dict[type, object] = {
        EnvFile: EnvFile(env, target=env.resolve() if env.is_symlink() else None), Deployment: deployment, Workers: nothing,
        WorkerToken: nothing, Hub: nothing,
    }  # fmt: skip
    return Store(Request(cwd=env.parent, environ=environ, started=time.monotonic()), known)


def site(env: Path, person: Script | None = None, **environ: str) -> Site:
    return Site(planted(env, **environ), person or Script())


def carried_out(procedure: Procedure, files: Path) -> dict[str, object]:
    """Precondition, preview, save, apply, verify; what undo needs."""
    assert procedure.precondition()
    procedure.preview()
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    saved = dict(procedure.save(files))
    procedure.apply()
    procedure.verify()
    return saved
