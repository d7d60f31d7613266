"""The secrets in Compose files and the files that these name: no check looks at them, and a log may quote them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import yaml

from ot_doctor.core.files import TooLarge, read_small
from ot_doctor.evidence.env_file import ComposeService
from ot_doctor.redaction.names import is_secret, keep, register_text
from ot_doctor.sources.dotenv.compose_dialect import TemplateRefused

_MOST_FILES = 20
_LARGEST = 1024 * 1024


def register_secrets(document: yaml.Node, substituted: Callable[[str], str]) -> None:
    """Register the secrets of one document: of mappings, and of lists with ``KEY=value``."""
    waiting, seen = [document], {id(document)}
    while waiting:
        node = waiting.pop()
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner.append(value)
                if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                    _register(str(key.value), str(value.value), substituted)
        elif isinstance(node, yaml.SequenceNode):
            inner = list(node.value)
            for item in inner:
                if isinstance(item, yaml.ScalarNode):
                    name, equals, text = str(item.value).partition("=")
                    _register(name if equals else "", text if equals else name, substituted)
        new = [one for one in inner if isinstance(one, yaml.CollectionNode) and id(one) not in seen]
        seen.update(map(id, new))
        waiting += new


def _register(name: str, text: str, substituted: Callable[[str], str]) -> None:
    if "$" in text and (is_secret(name, text) or "://" in text):
        try:
            text = substituted(text)
        except TemplateRefused:
            return
    keep(name, text)


def register_env_files(services: Iterable[ComposeService], known: Path) -> None:
    """Register the secrets of the ``env_file:`` entries; ``known`` was read already."""
    paths = {path.parent / name: None for service in services for path in (service.path,) for name in service.env_files}
    for path in [path for path in paths if path != known][:_MOST_FILES]:
        register_file(path)


def register_file(path: Path) -> None:
    """Register the secrets in a file that is read line by line; nothing where it cannot be."""
    with suppress(OSError, ValueError, TooLarge):
        register_text(read_small(path, _LARGEST)[0].decode("utf-8", "replace"))
