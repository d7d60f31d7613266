"""Writes the reference pages into a folder."""

from __future__ import annotations

from pathlib import Path

from manual import commands, evidence, examples, release_lines, signatures, topics
from ot_doctor.logs.signatures import catalogue as log_signatures
from ot_doctor.run.discovery import CheckCatalogue, discover


def write(folder: Path) -> None:
    """Write every page below ``folder``, and remove those that are no longer made."""
    built_in = _built_in(discover())
    known = log_signatures().signatures
    pages = {
        **topics.pages(built_in, known),
        **signatures.pages(known, topics.links(built_in)),
        **commands.pages(),
        **release_lines.pages(),
        **evidence.pages(),
        **examples.files(),
    }
    for name, text in pages.items():
        _put(folder / name, text)
    for path in folder.rglob("*"):
        if path.is_file() and str(path.relative_to(folder)) not in pages:
            path.unlink()


def _built_in(catalogue: CheckCatalogue) -> CheckCatalogue:
    """The manual tells of ot-doctor's own checks, whatever else is installed where it is built."""
    own = {name: found for name, found in catalogue.checks.items() if found.owner.startswith("ot-doctor ")}
    return CheckCatalogue(own)


def _put(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
