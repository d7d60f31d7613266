"""The changelog can be read by people and by programs: after Keep a Changelog."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

_KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
_HEADINGS = re.findall(r"^##+ .*", (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_what_is_not_released_yet_comes_first() -> None:
    assert _HEADINGS[0] == "## Unreleased"


def test_every_release_has_a_version_and_a_date_and_the_usual_kinds_of_changes_in_order() -> None:
    wrong = [h for h in _HEADINGS if not re.fullmatch(r"## (Unreleased|\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d)|### \w+", h)]
    kinds = [heading.removeprefix("### ") for heading in _HEADINGS]
    wrong += [kind for kind, heading in zip(kinds, _HEADINGS, strict=True) if heading.startswith("### ") and kind not in _KINDS]
    both = [(a, b) for a, b in pairwise(kinds) if a in _KINDS and b in _KINDS]
    wrong += [f"{b} after {a}" for a, b in both if _KINDS.index(a) >= _KINDS.index(b)]
    assert wrong == []
