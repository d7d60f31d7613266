"""A YAML file as a tree of nodes, within bounds: any file may lie there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ot_doctor.core.files import TooLarge, read_small

_LARGEST = 2 * 1024 * 1024
_DEEPEST = 100  # levels of nesting; the composer of PyYAML calls itself for each
_MOST_STEPS = 300_000  # entries that are read in one file
_MOST_NODES = 200_000  # of one file: each takes a kilobyte of memory; upstream's largest file has three thousand
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unusable(Exception):
    """A file that is no Compose file, or that nobody can want to read."""


def documents(path: Path) -> list[yaml.Node]:
    """The documents of a Compose file. Raises ``Unusable``."""
    try:
        data, _ = read_small(path, _LARGEST)
    except TooLarge as error:
        raise Unusable(f"the file is too large ({error})") from None
    except IsADirectoryError:
        raise Unusable("it is a folder") from None
    except OSError as error:
        raise Unusable(f"it cannot be read ({error.strerror or error})") from None
    return parsed(data)


def parsed(data: bytes) -> list[yaml.Node]:
    """The documents of a YAML stream; none where no word of it speaks of services."""
    if b"services" not in data and b"include" not in data:
        return []
    try:
        _measure(data)
        return [node for node in yaml.compose_all(data, Loader=_LOADER) if node is not None]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Unusable(f"it is not valid YAML ({error.problem or 'unknown problem'}, line {line})") from None
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError):
        raise Unusable("it is not a text in YAML") from None


def _measure(data: bytes) -> None:
    """Refuse what is nested too deeply or has too much in it, before anything calls itself for each level or keeps it all."""
    depth = 0
    for count, event in enumerate(yaml.parse(data, Loader=_LOADER)):
        if count > _MOST_NODES:
            raise Unusable(f"it has more than {_MOST_NODES:,} keys, values and brackets")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise Unusable(f"it is nested more than {_DEEPEST} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


@dataclass
class Tree:
    """Looking things up in YAML nodes, with ``<<`` as Compose has it, and an end to it."""

    steps: int = field(default=_MOST_STEPS)

    def pairs(self, node: yaml.Node | None, depth: int = 0) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
        """The entries of a mapping, its own before merged ones; nothing for another kind of node."""
        if not isinstance(node, yaml.MappingNode) or depth > _DEEPEST:
            return
        merged: list[yaml.Node] = []
        for key, value in node.value:
            self._step()
            if isinstance(key, yaml.ScalarNode) and key.value == "<<":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif isinstance(key, yaml.ScalarNode):
                yield key.value, (key, value)
        for other in merged:
            yield from self.pairs(other, depth + 1)

    def items(self, node: yaml.Node | None) -> Iterator[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._step()
                yield item

    def get(self, node: yaml.Node | None, *path: str) -> yaml.Node | None:
        for name in path:
            node = next((value for key, (_, value) in self.pairs(node) if key == name), None)
        return node

    def mapping(self, node: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The entries by key: of two the mapping's own counts."""
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, pair in self.pairs(node):
            found.setdefault(key, pair)
        return found

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Unusable("it has too many entries to look through")
