"""Names that nothing has, or that an option does not take: the sentence says what was meant, or what to give instead."""

from __future__ import annotations

import pytest

from ot_doctor.run.discovery import discover
from ot_doctor.run.lookup import kinds_of, no_such, not_taken

CHECKS = {name: found.check for name, found in discover().checks.items()}
REPORTERS = "disk-space, last-attempt and worker-start can report it."
OF_THE_LOG = "Use logs, the family of checks that read the log."
BOTH = ("check", "family")


def test_every_name_has_one_kind_and_a_family_or_a_check_comes_before_a_cause() -> None:
    kinds = kinds_of(CHECKS)
    assert {kinds["token"], kinds["token-format"], kinds["disk-full"], kinds["v4-falls-back"], kinds["gate-closed"]} == {
        "family", "check", "cause", "log signature", "rule",
    }  # fmt: skip
    assert kinds["env-shadowed"] == "check"  # a cause has that name, too


@pytest.mark.parametrize(
    ("name", "taken", "said"),
    [
        ("tokn-format", BOTH, "There is no check or family 'tokn-format'. Did you mean token-format?"),
        ("Token-Format", BOTH, "There is no check or family 'Token-Format'. Did you mean token-format?"),
        ("speaker", BOTH, "There is no check or family 'speaker'. Did you mean speakers or speaker-limits?"),
        ("disk-full", BOTH, f"'disk-full' is a cause, not a check or family. {REPORTERS}"),
        ("disk-fill", BOTH, f"There is no check or family 'disk-fill'. Did you mean the cause disk-full? {REPORTERS}"),
        ("v4-falls-back", BOTH, f"'v4-falls-back' is a log signature, not a check or family. {OF_THE_LOG}"),
        ("gate-closed", BOTH, f"'gate-closed' is a rule, not a check or family. {OF_THE_LOG}"),
        ("model-access", ("family",), "'model-access' is a check, not a family. Its family is access."),
        ("disk-full", ("family",), "'disk-full' is a cause, not a family. Checks of cache and logs can report it."),
        (
            "access", ("check",),
            "'access' is a family, not a check. Its checks are hub-reachable, model-access and worker-network.",
        ),
        ("disk-full", ("check",), "'disk-full' is a cause, not a check. Write cause = \"disk-full\"."),
        ("zzzzz", BOTH, "There is no check or family 'zzzzz'. 'ot-doctor list' shows what there is."),
    ],
)  # fmt: skip
def test_a_name_that_is_not_taken(name: str, taken: tuple[str, ...], said: str) -> None:
    assert not_taken(name, taken, CHECKS) == said


def test_a_name_like_nothing_points_to_the_lists() -> None:
    assert no_such("zzzzz", ["a"], "check") == (
        "There is no check 'zzzzz'. 'ot-doctor list' shows the checks; list --causes and list --signatures show the others."
    )
