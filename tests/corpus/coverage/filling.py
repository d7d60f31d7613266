"""Turns the expression of a message into the text that a worker's log would hold, with plausible values in its gaps."""

from __future__ import annotations

import ast
import errno
import os
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

# What a gap holds, by the name of what is put there; the first that is found counts. None of them may tell a cause by itself.
_CACHE = "/home/appuser/.cache/huggingface/hub"
_BLOB = f"{_CACHE}/models--pyannote--segmentation-3.0/blobs/0e2b"
_ERROR = "something else"
_VALUES: tuple[tuple[str, str], ...] = tuple(
    (pattern, value)
    for pattern, value in (
        (r"repo_?type", "model"),
        (r"^retries$|^new_retry$", "Retry(total=2, connect=None, read=None, redirect=None, status=None)"),
        (r"header_x|_header$", "X-Example"),
        (r"^lib_name$", "libcublas.so.*[0-9]"),
        (r"^major$|^minor$|^arch$|(?:cap|cc)_?(?:major|minor)$", "6"),
        (r"^capability$", "61"),
        (r"human_status", "signal 9 (SIGKILL)"),
        (r"^proc$|process$", "<ForkProcess(ForkPoolWorker-1, started daemon)>"),
        (r"request\.method|^method$", "GET"),
        (r"status_?code|response\.status", "418"),  # a number that no rule knows
        (r"backend_name|^location$", "cuda"),
        (r"repo|model_?(?:id|name)|checkpoint$|pretrained", "pyannote/segmentation-3.0"),
        (r"proxy_?(?:url)?$", "http://proxy.lan:3128"),
        (r"endpoint", "https://huggingface.co"),
        (r"broker|as_uri", "redis://redis:6379/0"),
        (r"url|href", "https://huggingface.co/pyannote/segmentation-3.0/resolve/main/pytorch_model.bin"),
        (r"host(?:name)?$|netloc|authority", "huggingface.co"),
        (r"^port$|_port$", "443"),
        (r"revision|commit|branch", "main"),
        (r"audio|wav|sound", "meeting.wav"),
        (r"lock", f"{_CACHE}/.locks/models--pyannote--segmentation-3.0/0e2b.lock"),
        (r"file_?name|basename", "pytorch_model.bin"),
        (r"path|file|folder|dir$|directory|root|dest|dst|src|blob|pointer|cache|^f$|_fp$", _BLOB),
        (r"device|index$", "0"),
        (r"duration|seconds|wait|sleep|delay|timeout|limit|time$|interval|elapsed", "30.0"),
        (r"version|\bv$", "3.0.1"),
        (
            r"size|length|len$|^n$|num|count|total|nbytes|number|pos|offset|index|start|end|max|min|batch|rate|dim|shape|pid|attempt"
            r"|retries|^i$|idx|samples|channel|speakers|clusters|status|(?:^|_)code",
            "3",
        ),
        (r"type|class|cls|__name__", "Value"),
        (r"key|name|attr|param|arg|option|field|label|func|module|package|lib", "example"),
        (r"err|error|exc|exception|^e$|^ex$|reason|cause|msg|message|detail|body", _ERROR),
    )
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), value) for pattern, value in _VALUES)
_DEFAULT = "example"
_PERCENT = re.compile(r"%(?:\((?P<name>\w+)\))?[-#0 +]*(?:\d+|\*)?(?:\.\d+)?(?P<kind>[diouxXeEfFgGcrsa%])")
_BRACES = re.compile(r"\{(?P<name>[^{}!:]*)(?:!(?P<as>\w))?(?::[^{}]*)?\}")
_SAME = frozenset({"strip", "lstrip", "rstrip", "dedent", "_", "cleandoc", "str", "indent", "fill"})
_DEEPEST = 6


def value_of(name: str) -> str:
    """What stands for a variable, by its name."""
    last = re.sub(r"\(.*|\[.*", "", name).rpartition(".")[2] or name
    for candidate in (last, name):
        for pattern, value in _COMPILED:
            if pattern.search(candidate):
                return value
    return _DEFAULT


def _quoted(value: str) -> str:
    """What ``repr()`` makes of it; of an error, the call that would make it."""
    if value == _ERROR:
        return f"Error('{value}')"
    return value if value[:1] == "<" or value.endswith(")") or value.replace(".", "", 1).isdigit() else f"'{value}'"


class Filler:
    """Fills in the messages of one file."""

    def __init__(self, tree: ast.Module, constants: Mapping[str, ast.expr]) -> None:
        self._constants = {**constants, **{name: value for name, value, _ in _assigned(tree.body, nested=False)}}
        self._of_scope: dict[ast.AST, list[tuple[str, ast.expr, int]]] = {}

    def tells(self, node: ast.expr, scopes: Sequence[ast.AST], line: int, depth: int = 0) -> bool:
        """Whether an expression holds words of the library's own."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str) and bool(node.value.strip())
        if isinstance(node, ast.Name | ast.Attribute):
            meant = self._meant(node, scopes, line)
            return depth < _DEEPEST and meant is not node and self.tells(meant, scopes, getattr(meant, "lineno", line), depth + 1)
        return any(self.tells(part, scopes, line, depth) for part in _parts(node))

    def text(self, node: ast.expr, scopes: Sequence[ast.AST], line: int, depth: int = 0) -> str:
        """The text that an expression stands for."""
        if depth > _DEEPEST:
            return _DEFAULT
        deeper = depth + 1
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(part, scopes, line, deeper) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            value = self.text(node.value, scopes, line, deeper)
            return _quoted(value) if node.conversion == ord("r") else value
        if isinstance(node, ast.List | ast.Tuple):
            return "\n".join(self.text(part, scopes, line, deeper) for part in node.elts)
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return self.text(node.elt, scopes, line, deeper)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.text(node.left, scopes, line, deeper) + self.text(node.right, scopes, line, deeper)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            return self.percent(node.left, values, scopes, line, deeper)
        if isinstance(node, ast.IfExp):
            return self.text(node.body, scopes, line, deeper) or self.text(node.orelse, scopes, line, deeper)
        if isinstance(node, ast.BoolOp):
            told = [one for one in node.values if self.tells(one, scopes, line)]
            return self.text(told[0] if told else node.values[0], scopes, line, deeper)
        if isinstance(node, ast.Call):
            return self._called(node, scopes, line, deeper)
        meant = self._meant(node, scopes, line)
        if meant is node or not self.tells(meant, scopes, getattr(meant, "lineno", line), deeper):
            return value_of(ast.unparse(node))
        return self.text(meant, scopes, getattr(meant, "lineno", line), deeper)  # what a name was when it was put in

    def _called(self, node: ast.Call, scopes: Sequence[ast.AST], line: int, depth: int) -> str:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name == "format" and isinstance(function, ast.Attribute):
            named = {word.arg: word.value for word in node.keywords if word.arg}
            return self._braces(self.text(function.value, scopes, line, depth), node.args, named, scopes, line, depth)
        if name in _SAME:
            owned = isinstance(function, ast.Attribute) and self.tells(function.value, scopes, line)
            inner = function.value if owned and isinstance(function, ast.Attribute) else node.args[0] if node.args else None
            if inner is not None:
                text = self.text(inner, scopes, line, depth)
                return textwrap.dedent(text) if name in ("dedent", "cleandoc") else text.strip() if "strip" in name else text
        if name == "safe_format" or (name.endswith("format") and node.args and self.tells(node.args[0], scopes, line)):
            return self.percent(node.args[0], node.args[1:], scopes, line, depth)
        if name == "join" and node.args and self.tells(node.args[0], scopes, line):
            return self.text(node.args[0], scopes, line, depth)
        if name == "repr" and node.args:
            return _quoted(self.text(node.args[0], scopes, line, depth))
        value = value_of(ast.unparse(function))
        return value.upper() if name == "upper" else value

    def percent(self, node: ast.expr, values: Sequence[ast.expr], scopes: Sequence[ast.AST], line: int, depth: int = 0) -> str:
        """A text with ``%s`` in it, and what is put there."""
        text = self.text(node, scopes, line, depth)
        left = list(values)
        mapping = left[0] if len(left) == 1 and isinstance(left[0], ast.Dict) else None

        def put(match: re.Match[str]) -> str:
            if match["kind"] == "%":
                return "%"
            if match["name"]:
                keys = mapping.keys if mapping else []
                at = [isinstance(key, ast.Constant) and key.value == match["name"] for key in keys]
                if mapping and True in at:
                    return self.text(mapping.values[at.index(True)], scopes, line, depth + 1)
                return value_of(match["name"])
            value = self.text(left.pop(0), scopes, line, depth + 1) if left else _DEFAULT
            return _quoted(value) if match["kind"] in "ra" else value if match["kind"] == "s" or value[:1].isdigit() else "3"

        return _PERCENT.sub(put, text) if left or mapping or "%(" in text else text

    def _braces(
        self, text: str, args: Sequence[ast.expr], named: dict[str, ast.expr], scopes: Sequence[ast.AST], line: int, depth: int
    ) -> str:
        left = list(args)

        def put(match: re.Match[str]) -> str:
            name = match["name"].partition(".")[0].partition("[")[0]
            if name in named:
                value = self.text(named[name], scopes, line, depth + 1)
            elif name.isdigit() and int(name) < len(args):
                value = self.text(args[int(name)], scopes, line, depth + 1)
            elif not name and left:
                value = self.text(left.pop(0), scopes, line, depth + 1)
            else:
                value = value_of(match["name"])
            if "." in match["name"]:  # "{0.status_code}"
                value = value_of(match["name"])
            return _quoted(value) if match["as"] == "r" else value

        return _BRACES.sub(put, text)

    def os_error(self, name: str, rest: Sequence[ast.expr], scopes: Sequence[ast.AST], line: int) -> str:
        """How Python shows an ``OSError`` that is made of a number."""
        number = getattr(errno, name, errno.EINVAL)
        where = f": '{self.text(rest[1], scopes, line)}'" if len(rest) > 1 else ""
        said = rest and self.tells(rest[0], scopes, line)
        return f"[Errno {number}] {self.text(rest[0], scopes, line) if said else os.strerror(number)}{where}"

    def _meant(self, node: ast.expr, scopes: Sequence[ast.AST], line: int) -> ast.expr:
        """What a name stands for: the value that the function gave it last above a line, or the module's."""
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute) and node.attr.isupper():
            name = node.attr
        else:
            return node
        for scope in reversed(scopes[1:]):
            if scope not in self._of_scope:
                self._of_scope[scope] = list(_assigned(getattr(scope, "body", [])))
            above = [value for own, value, at in self._of_scope[scope] if own == name and at < line]
            if above:
                return above[-1]
        return self._constants.get(name, node)


def _parts(node: ast.expr) -> list[ast.expr]:
    """What a text is put together of; nothing for what only a running program knows."""
    if isinstance(node, ast.JoinedStr):
        return list(node.values)
    if isinstance(node, ast.FormattedValue):
        return [node.value]
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.List | ast.Tuple):
        return node.elts
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return [node.elt]
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        owner = [function.value] if isinstance(function, ast.Attribute) else []
        return [*owner, *node.args] if name in _SAME or name in ("join", "repr") or name.endswith("format") else []
    return []


def constants_of(trees: Iterable[ast.Module]) -> dict[str, ast.expr]:
    """What the modules of a library call by names in capitals: one imports them from the other."""
    return {name: value for tree in trees for name, value, _ in _assigned(tree.body, nested=False) if name.isupper()}


def _assigned(body: Iterable[ast.stmt], *, nested: bool = True) -> Iterable[tuple[str, ast.expr, int]]:
    """Each value that a name gets in a body, in the order of the source; what is added to it is put behind what was there."""
    found: dict[str, ast.expr] = {}
    nodes = [node for statement in body for node in (ast.walk(statement) if nested else [statement])]
    for node in sorted((one for one in nodes if hasattr(one, "lineno")), key=lambda one: one.lineno):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
            yield node.targets[0].id, node.value, node.lineno
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            found[node.target.id] = node.value
            yield node.target.id, node.value, node.lineno
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and isinstance(node.target, ast.Name):
            name = node.target.id
            if name in found:
                found[name] = ast.BinOp(found[name], ast.Add(), node.value)
                yield name, found[name], node.lineno
