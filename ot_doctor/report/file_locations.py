"""Where in files something was seen, for the formats that can point at a file and a line."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ot_doctor.check import Finding, Seen
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.report.model import Report

_LINE = re.compile(r"\bline (\d{1,9})\b")


@dataclass(frozen=True)
class Place:
    """A file, and the line in it where one is known."""

    path: str  # relative, with "/"
    line: int | None


def workspace() -> tuple[str, ...]:
    """The folder that a CI job of GitHub is checked out into, as the report's texts may write it; empty elsewhere."""
    folder, home = os.environ.get("GITHUB_WORKSPACE", "").rstrip("/"), os.path.expanduser("~").rstrip("/")
    if not folder:
        return ()
    return (folder, f"~{folder.removeprefix(home)}") if home and folder.startswith(f"{home}/") else (folder,)


def installation(report: Report) -> tuple[str, ...]:
    """The folders of the installation; empty where there is none."""
    deployment = report.deployment
    return (str(deployment.home), str(deployment.directory)) if deployment else ()


def places(problem: Finding | RootCause, folders: tuple[str, ...]) -> list[Place]:
    """Where in files of these folders something was seen: the lines that the message names first, files without a line last."""
    found = dict.fromkeys(place for seen in problem.evidence if (place := _place(seen, folders)))
    named = [int(line) for line in _LINE.findall(problem.message)]
    return sorted(found, key=lambda place: (place.line is None, named.index(place.line) if place.line in named else len(named)))


def place_of(problem: Finding | RootCause, report: Report, folders: tuple[str, ...]) -> list[Place]:
    """The same, and where nothing was seen in a file the installation's own: the ``.env``, else its Compose file."""
    own = [report.deployment.env_path, *report.deployment.compose_files] if report.deployment else []
    of_the_installation = (Seen("file", str(path), "") for path in own)
    return places(problem, folders) or [place for seen in of_the_installation if (place := _place(seen, folders))][:1]


def _place(seen: Seen, folders: tuple[str, ...]) -> Place | None:
    location = seen.location
    if location is None or location.path is None:
        return None
    for folder in folders:
        path = location.path.removeprefix(f"{folder}/")
        if path != location.path and path and not {"", ".", ".."} & set(path.split("/")):
            return Place(path, location.line)
    return None
