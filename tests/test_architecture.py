"""The rooms of the house and what each may import, held by reading the code. Each test lists its offenders."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from tests.rooms import CHECKS, FILES, PACKAGES, PICTURE, ROOMS, ROOT, arrows, imports, nodes, ours, picture, room_of, tree

_ABOVE = {room: tuple(ROOMS)[:index] for index, room in enumerate(ROOMS)}
# Rooms that do not simply import everything above them.
_MAY_IMPORT = {**_ABOVE, "checks": ("actions", "check", "evidence"), "testing": (*_ABOVE["testing"],)}
_PUBLIC = {"ot_doctor.actions", "ot_doctor.check", "ot_doctor.testing", "ot_doctor.conformance", "ot_doctor.__main__"}
_SDKS = {"docker", "huggingface_hub", "requests", "urllib3", "httpx"}
# Who opens a secret: the type itself, the source that speaks to the Hub, the one that fills in Compose's templates, and what
# writes a new token.
_REVEALERS = {
    "ot_doctor.redaction.secret", "ot_doctor.sources.hub.client", "ot_doctor.sources.compose.compose_files",
    "ot_doctor.sources.ping", "ot_doctor.fix.actions.env_token",
}  # fmt: skip
# Beside the command line: the parent that ends a run in time, and what runs in a container of its own.
_MAY_END_THE_PROCESS = {
    "ot_doctor.core.supervisor", "ot_doctor.sources.trial.in_container", "ot_doctor.sources.probe.calculation",
}  # fmt: skip
# Who reads texts that somebody else wrote: a log, an engine, a Hub, Compose.
_READ_WHAT_OTHERS_WROTE = (
    "logs.records", "sources.docker.containers", "sources.docker.swarm", "sources.dotenv.env_files", "sources.hub.answers",
)  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _line(module: str, line: int) -> str:
    return f"{FILES[module].relative_to(ROOT)}:{line}"


def _calls(module: str) -> Iterator[ast.Call]:
    return (node for node in nodes(module) if isinstance(node, ast.Call))


def _imported_names(module: str) -> set[str]:
    own = (node for node in nodes(module) if isinstance(node, ast.ImportFrom))
    return {f"{node.module}.{alias.name}" for node in own for alias in node.names}


def _late_lines(module: str) -> set[int]:
    """Lines of a module that run only when somebody calls a function, or never: those for types."""
    late = [outer for outer in nodes(module) if isinstance(outer, _FUNCTIONS)]
    late_blocks = [n for n in nodes(module) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return {line for node in (*late, *late_blocks) for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def test_the_walk_sees_the_code() -> None:
    assert {"ot_doctor.cli.main", "ot_doctor.sources.store", f"{CHECKS}.token_format", CHECKS} <= set(FILES)
    assert "ot_doctor.check" in {name for name, _ in imports("ot_doctor.run.runner")}
    assert "ot_doctor.run.session" in {name for name, _ in imports("ot_doctor.cli.main")}, "late imports count"
    assert ("cli", "run") in arrows()


def test_every_module_is_in_a_room() -> None:
    rooms = {*ROOMS, "checks", None}
    loose = [
        module
        for module in FILES
        if room_of(module) not in rooms or (module.count(".") == 1 and module not in PACKAGES and module.startswith("ot_doctor."))
    ]
    assert set(loose) <= _PUBLIC, f"in no room: {sorted(set(loose) - _PUBLIC)}"


def test_a_room_imports_only_what_stands_above_it() -> None:
    offenders = [
        f"{_line(module, line)} imports {name}"
        for module in FILES
        for name, line in ours(module)
        if (room := room_of(module)) in _MAY_IMPORT
        and (other := room_of(name)) not in (room, None)
        and other not in _MAY_IMPORT[str(room)]
    ]
    assert not offenders, "\n".join(offenders)


def test_imports_go_in_no_circle() -> None:
    graph = {module: sorted({name for name, _ in ours(module)} - {module}) for module in FILES}
    done: set[str] = set()
    circles: list[str] = []

    def walk(module: str, above: tuple[str, ...]) -> None:
        if module in above:
            circles.append(" -> ".join((*above[above.index(module) :], module)))
        elif module not in done:
            for name in graph[module]:
                walk(name, (*above, module))
            done.add(module)

    for module in FILES:
        walk(module, ())
    assert not circles, "\n".join(circles)


def test_no_two_modules_share_a_name() -> None:
    names = Counter(module.rpartition(".")[2] for module in FILES if module not in PACKAGES and module.startswith("ot_doctor."))
    assert not {name: count for name, count in names.items() if count > 1}


def test_no_two_types_share_a_name() -> None:
    classes = [(node.name, module) for module in FILES for node in tree(module).body if isinstance(node, ast.ClassDef)]
    names = Counter(name for name, _ in classes if not name.startswith("_"))
    assert not [(name, module) for name, module in classes if names[name] > 1]


def test_docker_the_hub_client_and_programs_are_used_by_sources_alone_and_imported_late() -> None:
    offenders = [
        f"{_line(module, line)} imports {name}"
        for module in FILES
        for name, line in imports(module)
        if name.split(".")[0] in (*_SDKS, "subprocess")
        and (room_of(module) != "sources" or (name != "subprocess" and line not in _late_lines(module)))
    ]
    assert not offenders, "\n".join(offenders)


def test_click_and_standard_output_belong_to_the_command_line() -> None:
    offenders = [
        f"{_line(module, line)} imports {name}"
        for module in FILES
        for name, line in imports(module)
        if name.split(".")[0] == "click" and room_of(module) != "cli"
    ]
    for module in FILES:
        if room_of(module) not in ("cli", None):
            for call in _calls(module):
                written = ast.unparse(call.func)
                ends = written == "os._exit" and module not in _MAY_END_THE_PROCESS
                if ends or written == "print" or written.startswith(("sys.stdout.", "sys.stderr.")):
                    offenders.append(f"{_line(module, call.lineno)} calls {written}")
    assert not offenders, "\n".join(offenders)


def test_a_secret_is_revealed_in_few_places() -> None:
    offenders = [
        _line(module, call.lineno)
        for module in FILES.keys() - _REVEALERS
        for call in _calls(module)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "reveal"
    ]
    offenders += [
        _line(module, node.lineno)
        for module in FILES.keys() - {"ot_doctor.redaction.secret"}
        for node in nodes(module)
        if isinstance(node, ast.Attribute) and node.attr == "_value" and ast.unparse(node) != "self._value"
    ]
    assert not offenders, "\n".join(offenders)


def test_texts_are_redacted_on_the_way_out_alone() -> None:
    """What comes in is made printable; that a text was somebody else's is known where it is read alone."""
    ways_out = {"cli", "report", "fix", "testing", "conformance", "redaction"}  # fix: its plans and its journal
    readers = {f"ot_doctor.{module}" for module in _READ_WHAT_OTHERS_WROTE}
    offenders = [
        f"{_line(module, call.lineno)} calls {name}"
        for module in FILES
        for call in _calls(module)
        if (name := ast.unparse(call.func).rpartition(".")[2]) in ("redact", "redact_outside", "shown")
        and room_of(module) not in ways_out
        and not (name == "redact_outside" and module in readers)
        and f"ot_doctor.redaction.masking.{name}" in _imported_names(module)
    ]
    offenders += [
        f"{_line(module, 1)} redacts what a format shows"
        for module in FILES
        if module.startswith("ot_doctor.report.formats.")
        and "ot_doctor.redaction.masking" in {name for name, _ in imports(module)}
    ]
    assert not offenders, "\n".join(offenders)


def test_threads_are_started_with_the_registry_of_whoever_starts_them() -> None:
    offenders = [
        f"{_line(module, call.lineno)} starts a thread by itself: use ot_doctor.core.deadline.start"
        for module in FILES.keys() - {"ot_doctor.core.deadline"}
        for call in _calls(module)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "start" and "thread" in ast.unparse(call.func.value).lower()
    ]
    assert not offenders, "\n".join(offenders)


def test_no_file_grows_beyond_what_one_can_keep_in_mind() -> None:
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in FILES.items()}
    long = {module: lines for module, lines in lengths.items() if lines > (200 if room_of(module) == "checks" else 400)}
    assert not long


def test_the_picture_of_the_rooms_is_the_one_that_the_imports_draw() -> None:
    order = [*ROOMS, "checks"]
    assert all(order.index(a) > order.index(b) for a, b in arrows()), "an arrow that points down"
    assert PICTURE.read_text(encoding="utf-8") == picture(), "draw it again: python -m tests.rooms"
