"""The README says what is so. ``make readme`` writes its generated parts again."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ot_doctor.run.discovery import discover
from tests.parts.engine import Engine
from tests.scenarios import logs
from tests.scenarios.scenario import Scenario, hub_for

README = Path(__file__).parents[1] / "README.md"
_DENIED = "/home/appuser/.cache/huggingface/hub/models--pyannote--speaker-diarization-community-1"


def _holds(begin: str, end: str, wanted: str) -> None:
    """The text between two marks of the README is ``wanted``."""
    text = README.read_text()
    before, mark, rest = text.partition(begin)
    assert mark, f"{begin!r} is not in the README"
    present, mark, after = rest.partition(end)
    assert mark, f"{end!r} is not in the README"
    if os.environ.get("OT_DOCTOR_UPDATE_GOLDEN") == "1" and present != wanted:
        README.write_text(before + begin + wanted + end + after)
        present = wanted
    changed = [f"- {line}" for line in present.splitlines() if line not in wanted.splitlines()]
    changed += [f"+ {line}" for line in wanted.splitlines() if line not in present.splitlines()]
    if present != wanted:
        pytest.fail("README.md does not say what is so; `make readme` writes it:\n" + "\n".join(changed), pytrace=False)


def test_table_of_checks() -> None:
    families: dict[str, list[str]] = {}
    for found in discover().checks.values():
        if found.owner.startswith("ot-doctor "):
            families.setdefault(found.check.family.value, []).append(f"`{found.check.name}`")
    questions = dict(re.findall(r"^\| ([a-z]+) \| ([^|]+\?) \| `", README.read_text(), re.MULTILINE))
    assert list(questions) == list(families), "each family has a question, in their order"
    rows = "".join(f"| {family} | {questions[family]} | {', '.join(names)} |\n" for family, names in families.items())
    _holds("| family | the question | checks |\n|---|---|---|\n", "\n<!-- end -->", rows)


def test_exit_codes() -> None:
    codes = re.findall(r"^\| (\d) \|", README.read_text().partition("## Exit codes")[2], re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "4"]


@pytest.mark.engine
def test_report(clean_engine: Engine, tmp_path: Path) -> None:
    """The report in the README is the root cause and the steps of a run; only the folder and the moments are made the same."""
    log = logs.v04_failure(*logs.permission_denied(_DENIED))
    with hub_for(None) as hub:
        world = Scenario(cache="none", log=log, endpoint=False).build(clean_engine, hub, tmp_path)
        done = world.doctor("--offline", "-q", format="text")
        assert done.returncode == 1
    # Lines break elsewhere in a longer path, so white space does not count.
    text = " ".join(done.stdout.replace(str(world.folder), "/srv/opentranscribe").split())
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-11-21 01:37:04 UTC", text)
    shown = README.read_text().partition("```text\n")[2].partition("```")[0]
    head, dots, steps = shown.partition("  […]\n")
    assert dots and len(shown.splitlines()) <= 12
    assert text.startswith(" ".join(head.split()) + " ") and f" {' '.join(steps.split())} " in text + " "
