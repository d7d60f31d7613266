"""The rooms of the house and what each may import, held by reading the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    ("ot_doctor_checks" if path.parts[0] == "checks" else "ot_doctor")
    + "".join(f".{part}" for part in path.with_suffix("").parts[1:] if part != "__init__"): ROOT / path
    for path in sorted(p.relative_to(ROOT) for folder in ("ot_doctor", "checks") for p in (ROOT / folder).rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in FILES.items()}
PACKAGES = {module for module, path in FILES.items() if path.name == "__init__.py"}

# What may be imported by whom, of ours; a room names itself and everything below it. "ot_doctor" is its version alone.
MAY_IMPORT = {
    "ot_doctor.redaction.encodings": (),
    "ot_doctor.redaction.patterns": (),
    "ot_doctor.redaction.shell": (),
    "ot_doctor.redaction.registry": ("ot_doctor.redaction.encodings", "ot_doctor.redaction.patterns"),
    "ot_doctor.redaction.locations": ("ot_doctor.redaction.registry",),
    "ot_doctor.redaction.secret": ("ot_doctor.redaction.registry", "ot_doctor.redaction.patterns"),
    "ot_doctor.core.deadline": ("ot_doctor.core.limits",),
    "ot_doctor.core.limits": (),
    "ot_doctor.cli.interruption": (),
    "ot_doctor.cli.commands": (),
    "ot_doctor.core.supervisor": (),
    "ot_doctor.core.debug_log": ("ot_doctor.redaction.secret", "ot_doctor.core.deadline"),
    "ot_doctor.run.containment": (
        "ot_doctor",
        "ot_doctor.core.deadline",
        "ot_doctor.core.debug_log",
        "ot_doctor.core.supervisor",
    ),
    "ot_doctor.run.bounds": ("ot_doctor.check",),
    "ot_doctor.redaction.redactor": (
        "ot_doctor.check",
        "ot_doctor.redaction.secret",
        "ot_doctor.evidence",
        "ot_doctor.report.model",
        "ot_doctor.redaction.registry",
        "ot_doctor.redaction.shell",
        "ot_doctor.redaction.locations",
    ),
    "ot_doctor.check": ("ot_doctor.redaction.secret",),
    "ot_doctor.diagnosis.cause_texts": ("ot_doctor.check",),
    "ot_doctor.diagnosis.causes": ("ot_doctor.check", "ot_doctor.diagnosis.cause_texts"),
    "ot_doctor.evidence": (
        "ot_doctor",
        "ot_doctor.evidence",
        "ot_doctor.redaction.secret",
        "ot_doctor.core.deadline",
        "ot_doctor.core.debug_log",
        "ot_doctor.core.limits",
    ),
    "ot_doctor.run.discovery": (
        "ot_doctor",
        "ot_doctor.check",
        "ot_doctor.run.containment",
        "ot_doctor.core.deadline",
        "ot_doctor.core.debug_log",
        "ot_doctor.redaction.secret",
        "ot_doctor.core.supervisor",
    ),
    "ot_doctor.logs": ("ot_doctor.logs", "ot_doctor.evidence"),
    "ot_doctor.run.runner": (
        "ot_doctor",
        "ot_doctor.run.bounds",
        "ot_doctor.check",
        "ot_doctor.run.containment",
        "ot_doctor.evidence",
        "ot_doctor.core.deadline",
        "ot_doctor.core.debug_log",
        "ot_doctor.core.limits",
        "ot_doctor.core.supervisor",
    ),
    "ot_doctor.diagnosis.ranking": ("ot_doctor.check", "ot_doctor.diagnosis.causes", "ot_doctor.run.runner"),
    "ot_doctor.report": (
        "ot_doctor",
        "ot_doctor.check",
        "ot_doctor.diagnosis.causes",
        "ot_doctor.diagnosis.ranking",
        "ot_doctor.run.runner",
        "ot_doctor.evidence",
        "ot_doctor.report",
        "ot_doctor.redaction.secret",
        "ot_doctor.redaction.redactor",
        "ot_doctor.run.requirements",
    ),
    "ot_doctor.run.explain": (
        "ot_doctor",
        "ot_doctor.check",
        "ot_doctor.diagnosis.causes",
        "ot_doctor.run.discovery",
        "ot_doctor.evidence",
        "ot_doctor.run.session",
        "ot_doctor.run.requirements",
        "ot_doctor.run.suppressions",
    ),
    "ot_doctor.bundle": (
        "ot_doctor",
        "ot_doctor.bundle",
        "ot_doctor.check",
        "ot_doctor.evidence",
        "ot_doctor.redaction.redactor",
        "ot_doctor.redaction.secret",
    ),
    "ot_doctor.remedy_commands": ("ot_doctor.check",),
    "ot_doctor.conformance": (
        "ot_doctor.check",
        "ot_doctor.evidence",
        "ot_doctor.remedy_commands",
        "ot_doctor.run.runner",
        "ot_doctor.redaction.secret",
    ),
    "ot_doctor.run.suppressions": ("ot_doctor.check", "ot_doctor.run.runner", "ot_doctor.redaction.secret"),
    "ot_doctor.run.requirements": ("ot_doctor.check", "ot_doctor.run.runner"),
    "ot_doctor.cli.configuration": (
        "ot_doctor.check",
        "ot_doctor.cli.commands",
        "ot_doctor.core.deadline",
        "ot_doctor.evidence",
        "ot_doctor.run.suppressions",
    ),
    "ot_doctor.run.retry": ("ot_doctor.check", "ot_doctor.report"),
    "ot_doctor.cli.shell_completion": ("ot_doctor.diagnosis.causes", "ot_doctor.check", "ot_doctor.run.session"),
    "ot_doctor_checks": ("ot_doctor.check", "ot_doctor.evidence", "ot_doctor.redaction.secret", "ot_doctor_checks"),
}
EVERYTHING = {
    "ot_doctor.cli.failure",
    "ot_doctor",
    "ot_doctor.__main__",
    "ot_doctor.cli.main",
    "ot_doctor.cli.bundles",
    "ot_doctor.run.session",
    "ot_doctor.cli.last_resort",
    "ot_doctor.cli.options",
    "ot_doctor.cli.output",
}
# Who may use standard output and error.
SPEAKERS = {"ot_doctor.cli.main", "ot_doctor.cli.bundles", "ot_doctor.cli.options", "ot_doctor.cli.output"}
REVEALERS = {"ot_doctor.redaction.secret", "ot_doctor.sources.hub.client", "ot_doctor.sources.compose.compose_files"}


def room_of(module: str) -> str | None:
    """The most particular room that a module is in; ``None`` where it may import everything of ours."""
    if module in EVERYTHING:
        return None
    return max((room for room in MAY_IMPORT if module == room or module.startswith(f"{room}.")), key=len)


def imports(module: str) -> Iterator[tuple[str, int, bool]]:
    """What a module imports as full names, with the line, and whether only inside a function."""
    tree = TREES[module]
    inside = {id(node) for outer in ast.walk(tree) if isinstance(outer, _FUNCTIONS) for node in ast.walk(outer)}
    typing_only = {id(node) for outer in ast.walk(tree) if _is_type_checking(outer) for node in ast.walk(outer)}
    for node in ast.walk(tree):
        later = id(node) in inside or id(node) in typing_only
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".") if module in PACKAGES else module.split(".")[:-1]
            start = base[: len(base) - node.level + 1] if node.level else []
            name = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{name}.{alias.name}"
                yield (full if full in FILES else name), node.lineno, later


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def calls(module: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(TREES[module]) if isinstance(node, ast.Call))


def test_the_walk_sees_the_code() -> None:
    assert {"ot_doctor.cli.main", "ot_doctor.sources.store", "ot_doctor_checks.token_format", "ot_doctor_checks"} <= set(FILES)
    assert ("ot_doctor.check", False) in {(name, later) for name, _, later in imports("ot_doctor.run.runner")}
    assert "ot_doctor_checks._remedies" in {name for name, _, _ in imports("ot_doctor_checks.token_format")}


@pytest.mark.parametrize("module", FILES)
def test_a_module_is_in_a_room_and_imports_only_what_its_room_may(module: str) -> None:
    room = room_of(module)
    if room is None:
        return
    for name, line, _ in imports(module):
        if name.split(".")[0] not in ("ot_doctor", "ot_doctor_checks"):
            continue
        allowed = any(name == part or (part != "ot_doctor" and name.startswith(f"{part}.")) for part in MAY_IMPORT[room])
        assert allowed, f"{FILES[module]}:{line} imports {name}"


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith("ot_doctor_checks")])
def test_checks_know_evidence_and_not_how_it_is_gathered(module: str) -> None:
    for name, line, _ in imports(module):
        assert not name.startswith(("ot_doctor.sources", "ot_doctor.sources.store")), f"{FILES[module]}:{line}"


@pytest.mark.parametrize("module", FILES)
def test_docker_and_the_hub_client_are_imported_by_sources_alone_and_late(module: str) -> None:
    for name, line, later in imports(module):
        if name.split(".")[0] in ("docker", "huggingface_hub", "requests", "urllib3", "httpx"):
            assert module.startswith("ot_doctor.sources."), f"{FILES[module]}:{line} imports {name}"
            assert later, f"{FILES[module]}:{line} imports {name} before anybody needs it"


def test_imports_go_in_no_circle() -> None:
    graph = {module: {name for name, _, later in imports(module) if name in FILES and not later} for module in FILES}

    def walk(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above, module))
        for name in graph[module]:
            if not (name in PACKAGES and module.startswith(f"{name}.")):  # a package is entered before its modules
                walk(name, (*above, module))

    for module in FILES:
        walk(module, ())


@pytest.mark.parametrize("module", sorted(FILES.keys() - SPEAKERS))
def test_nobody_prints_but_the_command_line(module: str) -> None:
    for call in calls(module):
        written = ast.unparse(call.func)
        assert written not in ("print", "click.echo", "click.secho"), f"{FILES[module]}:{call.lineno}"
        assert not written.startswith(("sys.stdout.", "sys.stderr.")), f"{FILES[module]}:{call.lineno}"


@pytest.mark.parametrize("module", FILES)
def test_a_secret_is_revealed_in_few_places(module: str) -> None:
    lines = [c.lineno for c in calls(module) if isinstance(c.func, ast.Attribute) and c.func.attr == "reveal"]
    assert not lines or module in REVEALERS, f"{FILES[module]}:{lines}"
    private = [
        n.lineno
        for n in ast.walk(TREES[module])
        if isinstance(n, ast.Attribute) and ast.unparse(n) != "self._value" and n.attr == "_value"
    ]
    assert not private or module == "ot_doctor.redaction.secret", f"{FILES[module]}:{private}"


@pytest.mark.parametrize("module", FILES)
def test_no_file_grows_beyond_what_one_can_keep_in_mind(module: str) -> None:
    lines = len(FILES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= (200 if module.startswith("ot_doctor_checks") else 400)


@pytest.mark.parametrize("module", FILES)
def test_no_name_of_an_error_is_swallowed_whole(module: str) -> None:
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{FILES[module]}:{node.lineno} a bare except"
