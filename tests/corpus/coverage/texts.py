"""Every text that a library's source can raise, warn, log or print, by its syntax tree, with its gaps filled in."""

from __future__ import annotations

import ast
import builtins
import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.corpus.coverage.filling import Filler, constants_of

_LEVELS = {
    "warning": "WARNING", "warn": "WARNING", "warning_once": "WARNING", "error": "ERROR", "exception": "ERROR",
    "critical": "CRITICAL", "crit": "CRITICAL", "fatal": "CRITICAL",
}  # fmt: skip
_WARNERS = frozenset({"warn", "rank_zero_warn", "rank_zero_deprecation", "warn_once", "_warn_once"})
_SHOWN = {
    "httpx._exceptions.": "httpx.", "httpx._urls.": "httpx.", "httpx2._exceptions.": "httpx2.", "amqp.": "amqp.exceptions.",
    "filelock.": "filelock._error.", "pickle.": "_pickle.", "queue.": "_queue.", "billiard.Buffer": "billiard.exceptions.Buffer",
    "billiard.Auth": "billiard.exceptions.Auth",
}  # fmt: skip
_NO_TEXT = frozenset({"StopIteration", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt"})
# A class whose text is put together in its own __init__.
_ERROR = re.compile(r"(?:Error|Exception|Timeout|Exceeded|Incomplete\w*|Dependency|Version)$")
_BUILT_IN = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type))


@dataclass(frozen=True)
class Text:
    """One place in a library's source that writes a text."""

    library: str
    path: str  # of the file in the wheel
    function: str  # qualified: "HfApi.whoami"; "<module>" outside of any
    kind: str  # "raised", "warned", "logged", "printed"
    type: str  # the exception's class with its module, or the warning's; empty for what is logged or printed
    level: str  # "WARNING", "ERROR", "CRITICAL" of what is logged; else empty
    text: str  # filled in
    line: int = field(default=0, compare=False)
    called_by: tuple[str, ...] = field(default=(), compare=False)  # "path:function", the outermost first

    @property
    def key(self) -> tuple[str, ...]:
        """What stays the same from version to version, as long as the text does."""
        return (self.library, self.path, self.function.rpartition(".")[2], self.kind, self.type.rpartition(".")[2], self.text)


def texts_of(
    library: str, files: Mapping[str, str], *, without: Iterable[str] = (), prints: bool = False
) -> list[Text]:
    """All texts of a release, each once, in the order of its files; files that are no Python are left out.

    ``without`` are patterns of functions that do not count; ``prints`` says whether what is printed counts.
    """
    trees: dict[str, ast.Module] = {}
    for path, source in files.items():
        try:
            trees[path] = ast.parse(source)
        except SyntaxError:
            continue
    classes = {node.name: _module(path) for path, tree in trees.items() for node in tree.body if isinstance(node, ast.ClassDef)}
    found: dict[tuple[str, ...], Text] = {}
    constants = constants_of(trees.values())
    for path, tree in trees.items():
        walker = _Walker(library, path, tree, classes, constants, tuple(without), prints=prints)
        walker.visit(tree)
        for text in walker.found:
            found.setdefault(text.key, text)
    return list(found.values())


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class _Walker(ast.NodeVisitor):
    """Goes through one file."""

    def __init__(
        self,
        library: str,
        path: str,
        tree: ast.Module,
        classes: Mapping[str, str],
        constants: Mapping[str, ast.expr],
        without: tuple[str, ...],
        *,
        prints: bool,
    ) -> None:
        self.found: list[Text] = []
        self._library, self._path, self._without, self._prints = library, path, without, prints
        self._names: list[str] = []
        self._scopes: list[ast.AST] = [tree]
        self._imports = dict(_imports(path, tree))
        self._classes = classes
        self._loggers = dict(_log_names(tree))
        self._fill = Filler(tree, constants)

    # -- where ---------------------------------------------------------------------------------

    def _within(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._names.append(node.name)
        name = ".".join(self._names)
        if not any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(node.name, pattern) for pattern in self._without):
            if not isinstance(node, ast.ClassDef):
                self._scopes.append(node)
            self.generic_visit(node)
            if not isinstance(node, ast.ClassDef):
                self._scopes.pop()
        self._names.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _within

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    # -- what ----------------------------------------------------------------------------------

    def visit_Raise(self, node: ast.Raise) -> None:
        self.generic_visit(node)
        raised = node.exc
        if raised is None:
            return
        call = raised if isinstance(raised, ast.Call) else None
        name = call.func if call else raised
        arguments = list(call.args) if call else []
        if (call and _last(name)[:1].islower()) or (_last(name).startswith("_") and call):
            if not arguments or not _last(arguments[0])[:1].isupper():  # no helper that makes the exception of a class
                return
            name, arguments = arguments[0], arguments[1:]
        if call:
            arguments += [word.value for word in call.keywords if word.arg in ("message", "msg")]
        kind = _last(name)
        if not kind.strip("_")[:1].isupper() or kind in _NO_TEXT:
            return
        self._add(node, "raised", self._message(node, arguments) if arguments else "", kind=self._full(name))

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        function = node.func
        name = _last(function)
        owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
        if not node.args:
            return
        if name == "__init__" and len(self._names) > 1 and _ERROR.search(self._names[-2]):
            kind = self._classes.get(self._names[-2], _module(self._path))
            self._add(node, "raised", self._message(node, list(node.args)), kind=_as_shown(f"{kind}.{self._names[-2]}"))
            return
        if not owner and name in self._loggers:
            self._add(node, "logged", self._logged(node), level=_LEVELS[self._loggers[name]])
        elif name in _WARNERS and not _is_logger(owner):
            category = next((word.value for word in node.keywords if word.arg == "category"), None)
            category = category or (node.args[1] if len(node.args) > 1 else None)
            told, arguments = category, node.args[:1]
            if isinstance(node.args[0], ast.Call) and _last(node.args[0].func)[:1].isupper():  # an instance of the warning
                told, arguments = node.args[0].func, node.args[0].args
            kind = self._full(told) if told is not None and _last(told)[:1].isupper() else "UserWarning"
            self._add(node, "warned", self._message(node, arguments), kind=kind)
        elif name in _LEVELS and _is_logger(owner):
            self._add(node, "logged", self._logged(node), level=_LEVELS[name])
        elif name == "print" and not owner and self._prints:
            self._add(node, "printed", self._message(node, node.args[:1]))

    def _add(self, node: ast.AST, how: str, text: str | None, *, kind: str = "", level: str = "") -> None:
        if text is None:
            return
        text = text.replace("418 Server Error", "503 Server Error")
        function = ".".join(self._names) or "<module>"
        line = getattr(node, "lineno", 0)
        self.found.append(Text(self._library, self._path, function, how, kind, level, text, line))

    def _message(self, node: ast.AST, arguments: list[ast.expr]) -> str | None:
        """What ``str()`` makes of an exception of these arguments; ``None`` where the source holds no word of it."""
        line = getattr(node, "lineno", 0)
        first = next((argument for argument in arguments if not isinstance(argument, ast.Starred)), None)
        if first is None:
            return None if arguments else ""
        if isinstance(first, ast.Attribute) and ast.unparse(first).startswith("errno."):
            return self._fill.os_error(first.attr, arguments[1:], self._scopes, line)
        told = [argument for argument in arguments if self._fill.tells(argument, self._scopes, line)]
        return self._fill.text(told[0], self._scopes, line).strip() if told else None

    def _logged(self, node: ast.Call) -> str | None:
        if not self._fill.tells(node.args[0], self._scopes, node.lineno):
            return None
        return self._fill.percent(node.args[0], node.args[1:], self._scopes, node.lineno).strip()

    def _full(self, name: ast.expr) -> str:
        """A class with the module that Python shows it with."""
        dotted = ast.unparse(name)
        last = dotted.rpartition(".")[2]
        if last in self._classes:
            return _as_shown(f"{self._classes[last]}.{last}")
        if dotted in _BUILT_IN and dotted not in self._imports:
            return str(vars(builtins)[dotted].__name__)
        first, dot, rest = dotted.partition(".")
        return _as_shown(f"{self._imports[first]}{dot}{rest}" if first in self._imports else dotted)


def _as_shown(name: str) -> str:
    """A class as Python shows it, where it says that its module is another one than its source's."""
    return next((name.replace(begin, shown, 1) for begin, shown in _SHOWN.items() if name.startswith(begin)), name)


def _last(name: ast.expr) -> str:
    return name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""


def _is_logger(owner: str) -> bool:
    last = owner.removesuffix("()").rpartition(".")[2].lower()
    return last in ("logger", "_logger", "log", "logging", "_log", "l") or owner.startswith(("logging.getLogger(", "get_logger("))


def _imports(path: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    package = _module(path).split(".")
    if not path.endswith("/__init__.py"):
        package = package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            for alias in node.names:
                yield alias.asname or alias.name, ".".join([*base, *filter(None, [node.module]), alias.name])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0], alias.name.partition(".")[0])


def _log_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a module gives a logger's methods: ``error, warn = logger.error, logger.warning``."""
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        target = node.targets[0]
        pairs = (
            zip(target.elts, node.value.elts, strict=False)
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            else [(target, node.value)]
        )
        for name, value in pairs:
            if not isinstance(name, ast.Name) or not isinstance(value, ast.Attribute) or value.attr not in _LEVELS:
                continue
            if _is_logger(ast.unparse(value.value)):
                yield name.id, value.attr
