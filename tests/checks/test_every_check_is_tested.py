"""Every built-in check has a test that it passes and one that it fails or warns in: held by running them and listening."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.check import Cause, Check, Family, Finding, check
from ot_doctor.diagnosis.fixable import FIXED, GUIDED_TO_THE_END, WORDS, by_cause
from ot_doctor.run.discovery import discover
from ot_doctor_checks.token_format import token_format
from tests.checks import test_remedies
from tests.checks.listener import own_test
from tests.diagnosis.test_fix_kinds import faults
from tests.scenarios import test_fix_services
from tests.scenarios.forms import NOT_PASTED, forms

HERE = Path(__file__).parent
_NEVER_FAILS = {"docker-engine"}  # an engine that does not answer leaves things unknown, and that is all it says


def missing(checks: Mapping[str, Check], statuses: Mapping[str, list[str]]) -> list[str]:
    """What to add, a sentence for each check that is not tested enough."""
    sentences = []
    for name, one in sorted(checks.items()):
        had = set(statuses.get(name, ()))
        wanted = ["a test that it passes"] if "pass" not in had else []
        bad = {"unknown"} if name in _NEVER_FAILS else {"fail", "warn"}
        wanted += [] if had & bad else ["a test that it fails or warns in"]
        if wanted:
            sentences.append(f"The check {name} is not tested: add {' and '.join(wanted)} to tests/checks/{own_test(one)}.")
    return sentences


Heard = dict[str, Any]


@pytest.fixture(scope="module")
def built_in() -> dict[str, Check]:
    return {name: one.check for name, one in discover().checks.items() if one.owner.startswith("ot-doctor ")}


@pytest.fixture(scope="module")
def heard(built_in: dict[str, Check], tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """What the listener wrote while the checks' own tests ran."""
    folder = tmp_path_factory.mktemp("heard")
    files = {HERE / own_test(one) for one in built_in.values()}
    written = folder / "statuses.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.checks.listener", "-p", "no:xdist", "-p", "no:cacheprovider"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, f"--basetemp={folder / 'run'}", *(str(file) for file in sorted(files) if file.exists())],
        cwd=HERE.parents[1], env={**environ, "OT_DOCTOR_TEST_STATUSES": str(written)}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert written.exists(), done.stdout + done.stderr
    found: Heard = json.loads(written.read_text(encoding="utf-8"))
    return found


def test_every_check_passes_in_one_of_its_tests_and_does_not_in_another(heard: Heard, built_in: dict[str, Check]) -> None:
    sentences = missing(built_in, heard["statuses"])
    if sentences:
        pytest.fail("\n".join(sentences), pytrace=False)


def test_what_fix_can_do_about_each_cause_is_what_the_remedies_name(heard: Heard) -> None:
    """The table of ``docs/fix.md``: the best that any remedy of the cause offers, and the actions of all."""
    order = (FIXED, GUIDED_TO_THE_END, WORDS)
    table = {cause.value: (one.kind, list(one.actions)) for cause, one in by_cause().items()}
    names: dict[str, set[str]] = {cause: set().union(*map(set, kinds.values())) for cause, kinds in heard["fixes"].items()}
    found = {cause: (min(kinds, key=order.index), sorted(names[cause])) for cause, kinds in heard["fixes"].items()}
    wrong = {cause: (said, found.get(cause)) for cause, said in table.items() if said != found.get(cause, (WORDS, []))}
    assert not wrong and list(table) == [cause.value for cause in Cause]
    assert sum(kind != WORDS for kind, _ in table.values()) >= 20


def test_each_form_of_a_printed_command_is_pasted_twice_somewhere(heard: Heard) -> None:
    printed = forms(heard["commands"])
    pasted = {form for fault in faults() for form in fault.forms} | set(test_remedies.PASTED) | set(test_fix_services.PASTED)
    assert not printed - pasted - set(NOT_PASTED), f"never pasted: {sorted(printed - pasted - set(NOT_PASTED))}"
    assert len(printed) > 30 and not pasted & set(NOT_PASTED)


def test_no_edit_uses_what_only_one_make_of_sed_knows(heard: Heard) -> None:
    """Extended regular expressions and substitutions as POSIX has them, which BSD's sed takes too."""
    found = (re.match(r"t=\S+ && LC_ALL=C sed -E '([^']*)'", command) for command in heard["commands"])
    edits = [edit for one in found if one for edit in one[1].split(";")]
    assert len(edits) > 5
    assert not [edit for edit in edits if not re.fullmatch(r"\d+s/([^/\\]|\\[1-9])+/[^/]*/", edit)]
    options = re.compile(r"(?:^|&& |\{ |\()(?:sudo )?(?:sed|mktemp|tr|cp|mv|rm|chown|chmod) --|sed -i")
    assert not [command for command in heard["commands"] if options.search(command)]


def test_what_is_missing_is_said() -> None:
    @check("worker-clock", title="The worker's clock is right", family=Family.WORKER)
    def worker_clock() -> list[Finding]:
        """Never called."""
        raise AssertionError

    checks = {"worker-clock": worker_clock, "token-format": token_format}
    assert missing(checks, {"token-format": ["fail", "pass"], "worker-clock": ["pass", "warn"]}) == []
    assert missing(checks, {"token-format": ["skip", "warn"]}) == [
        "The check token-format is not tested: add a test that it passes to tests/checks/test_token_format.py.",
        "The check worker-clock is not tested: add a test that it passes and a test that it fails or warns in "
        "to tests/checks/test_test_every_check_is_tested.py.",
    ]
