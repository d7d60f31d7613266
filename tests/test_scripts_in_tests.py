"""Scripts that tests run in a process of their own are texts, which no type checker reads: what they import must exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def holds(module: str, name: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return exists(f"{module}.{name}") or re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) is not None


def test_what_is_imported_exists() -> None:
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for module, names in re.findall(r"from (ot_doctor(?:\.\w+)*) import (\w+(?:, \w+)*)", path.read_text(encoding="utf-8")):
            wrong += [
                f"{path.relative_to(ROOT)}: from {module} import {name}"
                for name in names.split(", ")
                if not exists(module) or not holds(module, name)
            ]
    assert wrong == []
