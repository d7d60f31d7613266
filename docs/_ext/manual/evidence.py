"""What a check may ask for: every type of evidence with its fields, and every key of a log signature, from the code itself."""

from __future__ import annotations

import ast
import enum
import inspect
import io
import re
import sys
import textwrap
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from functools import cache
from typing import NamedTuple

from manual.markdown import code, page, table
from ot_doctor import evidence
from ot_doctor.logs import signatures
from ot_doctor.sources.store import SOURCES

_ALWAYS = (evidence.Request, evidence.Unavailable)


class _Known(NamedTuple):
    """What the source of a class says of one name in it."""

    name: str
    type: str
    meaning: str


def pages() -> dict[str, str]:
    """The pages by their paths below reference/."""
    return {"evidence-types.md": _types(), "signature-keys.md": _keys()}


def _types() -> str:
    kinds = [getattr(evidence, name) for name in evidence.__all__]
    classes = [kind for kind in kinds if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, enum.Enum))]
    asked = [*SOURCES, *_ALWAYS]
    parts = [kind for kind in classes if kind not in asked]
    plain = [kind for kind in kinds if isinstance(kind, type) and kind not in classes and kind not in asked]
    return page(
        "# Evidence, field by field",
        "The types are imported from `ot_doctor.evidence`. All are frozen: a check looks, and changes nothing. `X | None` means "
        "that it may not be known.",
        "## What a parameter may ask for",
        *(text for kind in asked for text in _class(kind)),
        "## What is in them",
        *(text for kind in (*parts, *plain) for text in _class(kind)),
    )


def _class(kind: type) -> Iterator[str]:
    yield f"### {kind.__name__}"
    yield _prose(inspect.getdoc(kind) if "__doc__" in vars(kind) and not _made(kind) else "")
    members = list(_members(kind))
    if issubclass(kind, enum.Enum):
        yield table(("value", "meaning"), [(code(f"{kind.__name__}.{m.name}"), _inline(m.meaning or m.type)) for m in members])
    elif members:
        rows = [(code(m.name), code(m.type) if m.type else "", _inline(m.meaning)) for m in members]
        yield table(("field", "type", "meaning"), [tuple(cell.replace("|", "\\|") for cell in row) for row in rows])


def _made(kind: type) -> bool:
    """Whether the class has no words of its own: dataclasses and enums make some."""
    return not kind.__doc__ or kind.__doc__.startswith(f"{kind.__name__}(") or kind.__doc__ == enum.Enum.__doc__


def _members(kind: type) -> Iterator[_Known]:
    """Fields, enum values, properties and methods, in the order of the source."""
    tree, comments = _source(sys.modules[kind.__module__].__name__)
    (node,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == kind.__name__]
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            name, type_, meaning = item.target.id, ast.unparse(item.annotation), comments.get(item.end_lineno or 0, "")
        elif isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name) and issubclass(kind, enum.Enum):
            name, type_, meaning = item.targets[0].id, str(ast.literal_eval(item.value)), comments.get(item.end_lineno or 0, "")
        elif isinstance(item, ast.FunctionDef):
            told = (ast.get_docstring(item) or "").partition("\n\n")[0]
            returns = ast.unparse(item.returns) if item.returns else ""
            arguments = ", ".join(argument.arg for argument in item.args.args[1:])
            is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in item.decorator_list)
            name, type_, meaning = (item.name if is_property else f"{item.name}({arguments})"), returns, told
        else:
            continue
        if not name.startswith("_"):
            yield _Known(name, type_, " ".join(meaning.split()))


@cache
def _source(module: str) -> tuple[ast.Module, dict[int, str]]:
    """A module's tree, and its comments by their lines."""
    text = inspect.getsource(sys.modules[module])
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    return ast.parse(text), {line: said for line, said in comments.items() if not said.startswith(("fmt:", "noqa", "type:"))}


def _keys() -> str:
    """The table of keys that the page about writing signatures includes."""
    told = re.findall(r"^``(\w+)``[ \t]+(.+?)(?=^``|\Z)", signatures.__doc__ or "", re.MULTILINE | re.DOTALL)
    return page(table(("key", "meaning"), [(code(key), _inline(textwrap.dedent(text))) for key, text in told]))


def _inline(text: str) -> str:
    """A comment or a docstring: names in double backquotes become code, all else is shown as it is."""
    parts: Iterable[str] = re.split(r"``(.+?)``", " ".join(text.split()))
    return "".join(code(part) if at % 2 else _plain(part) for at, part in enumerate(parts))


def _plain(text: str) -> str:
    return re.sub(r"[\\*_\[\]<>{}|~$#]", lambda match: f"\\{match[0]}", text)


def _prose(text: str | None) -> str:
    return "\n\n".join(_inline(paragraph) for paragraph in re.split(r"\n\s*\n", text or ""))
