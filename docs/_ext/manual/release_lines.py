"""The page of the release lines, from the data that the program itself reads."""

from __future__ import annotations

from manual.markdown import code, page, table
from ot_doctor.evidence.releases import Release, releases

_ROLES = {
    "diarizer": "diarizes",
    "engine": "the native engine",
    "exporter": "exports the native engine's models",
    "cloud": "a cloud provider's worker (lite)",
}


def pages() -> dict[str, str]:
    """The page by its path below reference/."""
    lines = releases()
    newest = lines[-1].line.value
    parts = [
        "# Release lines",
        f"What ot-doctor knows of OpenTranscribe's releases. A release that is newer than {newest} is read with the rules of "
        f"{newest}, and the check [release-line](checks/release-line.md) says so. How to add a line: "
        "[](/releases.md).",
        "## Models that are needed",
        _models(lines),
        "## Services",
        table(
            ("service", *(release.line.value for release in lines)),
            [(code(name), *(_role(release, name) for release in lines)) for name in _names(lines)],
        ),
    ]
    for release in lines:
        parts += [f"## {release.line.value}", f"Read on {release.read} from: {release.source}."]
        marks = [f"{code(mark.variable)} of the image" if mark.of_image else code(mark.variable) for mark in release.marks]
        parts.append(f"Its containers are told by {', '.join(marks)}.")
        ignored = [(code(one.setting), one.why + (" (v0.1.0 alone)" if one.v0_1 else "")) for one in release.ignored]
        parts += ["Settings that it does not read:", table(("setting", "it"), ignored)]
    return {"releases.md": page(*parts)}


def _models(lines: tuple[Release, ...]) -> str:
    repos = dict.fromkeys(model.repo for release in reversed(lines) for model in release.models)
    return table(("model", *(release.line.value for release in lines)), [(code(r), *(_need(x, r) for x in lines)) for r in repos])


def _need(release: Release, repo: str) -> str:
    model = next((model for model in release.models if model.repo == repo), None)
    if model is None:
        return "not used"
    return f"{'needed' if model.required else 'not needed'}, {'gated' if model.gated else 'open'}: {model.purpose}"


def _names(lines: tuple[Release, ...]) -> list[str]:
    return list(dict.fromkeys(n for release in lines for role in _ROLES for n in release.services.get(role, ())))


def _role(release: Release, name: str) -> str:
    return ", ".join(words for role, words in _ROLES.items() if name in release.services.get(role, ())) or "–"
