"""The modules of the project and what each imports, read from the code; and the picture of the rooms drawn from it.

``python -m tests.rooms`` draws ``docs/_static/rooms.svg`` anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "_static" / "rooms.svg"
# A room may import those above it. "actions", "check" and "testing" are public modules; all others are packages.
ROOMS = {
    "core": "deadlines, debug log, printable text",
    "redaction": "secrets, and how they are kept out",
    "evidence": "frozen types of what is looked at",
    "actions": "what fix can do, as plain data",
    "check": "the contract of a check",
    "logs": "bytes to records to attempts",
    "sources": "Docker, Hub, files: how evidence is gathered",
    "diagnosis": "causes, ranking, relation",
    "run": "plan, discovery, runner, session",
    "report": "the report and its formats",
    "remote": "the doctor on other machines",
    "bundle": "evidence to a file and back",
    "fix": "how actions are done, journaled and undone",
    "testing": "conformance for authors of checks",
    "cli": "commands, options, output",
}
CHECKS = "ot_doctor_checks"  # the built-in plug-ins, in the folder checks/


def _name(path: Path) -> str:
    parts = list(path.with_suffix("").parts)
    if parts[0] == "checks":
        parts[0] = CHECKS
    return ".".join(parts).removesuffix(".__init__")


FILES = {_name(p.relative_to(ROOT)): p for folder in ("ot_doctor", "checks") for p in sorted((ROOT / folder).rglob("*.py"))}
PACKAGES = {module for module, path in FILES.items() if path.name == "__init__.py"}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


@cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    """All of a module's tree; to walk it costs more than what most look for."""
    return tuple(ast.walk(tree(module)))


def room_of(module: str) -> str | None:
    """``core`` of ``ot_doctor.core.deadline``; ``None`` for the package itself."""
    if module == CHECKS or module.startswith(f"{CHECKS}."):
        return "checks"
    parts = module.split(".")
    return {"conformance": "testing"}.get(parts[1], parts[1]) if len(parts) > 1 else None  # its old name


@cache
def imports(module: str) -> tuple[tuple[str, int], ...]:
    """What a module imports, as full names with their lines: late imports and those for types alone too."""
    found: list[tuple[str, int]] = []
    for node in nodes(module):
        if isinstance(node, ast.Import):
            found += ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".") if module in PACKAGES else module.split(".")[:-1]
            start = base[: len(base) - node.level + 1] if node.level else []
            name = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{name}.{alias.name}"
                found.append((full if full in FILES else name, node.lineno))
    return tuple(found)


def ours(module: str) -> Iterator[tuple[str, int]]:
    """The imports of a module that are modules of this project."""
    return ((name, line) for name, line in imports(module) if name in FILES)


def arrows() -> set[tuple[str, str]]:
    """Which room imports which, both by name."""
    found = {(room_of(module), room_of(name)) for module in FILES for name, _ in ours(module)}
    return {(a, b) for a, b in found if a and b and a != b and not a.startswith("__")}


def picture() -> str:
    """The rooms from top to bottom, and an arrow from each to those that it imports: they all point up."""
    rooms = [*ROOMS, "checks"]
    about = {**ROOMS, "checks": "the built-in checks and signatures"}
    top = {room: 20 + 52 * index for index, room in enumerate(rooms)}
    height = 20 + 52 * len(rooms)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {height}" width="820" height="{height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>The rooms of ot-doctor and what each imports; every arrow points up.</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#52606d"/></marker></defs>',
    ]
    for room in rooms:
        parts.append(f'<rect x="20" y="{top[room]}" width="400" height="36" rx="6" fill="#eef2f7" stroke="#52606d"/>')
        parts.append(f'<text x="32" y="{top[room] + 23}" font-weight="600" fill="#1f2933">{room}</text>')
        parts.append(f'<text x="124" y="{top[room] + 23}" fill="#3e4c59">{escape(about[room])}</text>')
    for source, target in sorted(arrows(), key=lambda pair: (rooms.index(pair[0]), rooms.index(pair[1]))):
        start, end = top[source] + 12, top[target] + 26
        bend = 420 + 28 * abs(rooms.index(source) - rooms.index(target))
        parts.append(
            f'<path d="M420 {start}C{bend} {start} {bend} {end} 422 {end}" fill="none" stroke="#52606d" stroke-opacity="0.55" '
            'marker-end="url(#head)"/>'
        )
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
