"""The token that the worker uses, and where it has it from."""

from __future__ import annotations

from dataclasses import dataclass

from ot_doctor.redaction.secret import Secret


@dataclass(frozen=True)
class WorkerToken:
    """The value of HUGGINGFACE_TOKEN in the first diarizing container; without one, the ``.env``'s as Compose reads it."""

    value: Secret | None  # None: not set; an empty Secret: set to nothing
    where: str  # "the environment of opentranscribe-celery-worker", "/srv/ot/.env:5"
    from_container: bool
    env_line: str | None = None  # "/srv/ot/.env:5": the line to fix, where there is one
    other_name: str | None = None  # a name that OpenTranscribe does not read and that has a token: "HF_TOKEN"

    @property
    def usable(self) -> bool:
        """Whether it is worth showing it to the Hub."""
        return self.value is not None and self.value.shape.well_formed and not self.value.shape.placeholder
