"""The project's words: those that readers with English as a second language stumble over are not used, in code neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUMBLED_OVER = re.compile(r"\b([Mm]end(s|ed|ing)?|heeds?|anew|could not be had|may not (read|write|use|enter)|is to be)\b")
SUFFIXES = (".py", ".toml", ".md", ".json", ".1", ".css", ".js")


def written() -> Iterator[Path]:
    for folder in ("ot_doctor", "checks", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            generated = {"_build", "__pycache__", "reference"} & set(path.parts)
            if path.is_file() and path.suffix in SUFFIXES and not generated:
                yield path
    yield ROOT / "README.md"


def test_nobody_stumbles_over_a_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in written()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if STUMBLED_OVER.search(line)
    ]
    assert not found, "\n".join(found)
