from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ot_doctor.check import (
    Cause,
    Check,
    Confidence,
    Family,
    Finding,
    Risk,
    Seen,
    Status,
    Step,
    check,
    failed,
    passed,
    skipped,
    unknown,
    warned,
)

STEP = Step("Do it.", command="true")


def test_statuses_are_ranked_from_good_to_bad() -> None:
    assert sorted(Status, key=lambda status: status.rank) == [Status.PASS, Status.SKIP, Status.WARN, Status.UNKNOWN, Status.FAIL]


def test_causes_are_ranked_in_the_order_of_mending() -> None:
    order = [Cause.WORKER_DOWN, Cause.WRONG_FOLDER, Cause.ENV_UNREADABLE, Cause.ENV_SHADOWED, Cause.STALE_WORKER_ENV]
    order += [Cause.TOKEN_MISSING, Cause.TOKEN_INVALID, Cause.CACHE_READONLY, Cause.CACHE_PERMISSION, Cause.DISK_FULL]
    order += [Cause.TOKEN_SCOPE, Cause.GATED_NOT_ACCEPTED, Cause.CACHE_INCOMPLETE, Cause.NETWORK_DNS, Cause.SPEAKERS_CONFIG]
    assert sorted(order, key=lambda cause: cause.rank) == order


def test_a_failed_finding_carries_everything() -> None:
    seen = Seen("hub", "pyannote/x", "403")
    finding = failed(
        Cause.GATED_NOT_ACCEPTED, "no", remedy=[STEP], subject="pyannote/x", expected="200", evidence=iter([seen]),
        confidence=Confidence.LIKELY,
    )  # fmt: skip
    assert finding == Finding(
        Status.FAIL, "no", Cause.GATED_NOT_ACCEPTED, "pyannote/x", "200", (seen,), (STEP,), Confidence.LIKELY
    )
    assert STEP.risk is Risk.SAFE


@pytest.mark.parametrize(
    ("finding", "status"),
    [
        (passed("good"), Status.PASS),
        (warned("hm"), Status.WARN),
        (skipped("not here"), Status.SKIP),
        (unknown("cannot tell"), Status.UNKNOWN),
    ],
)
def test_the_other_findings_need_neither_cause_nor_remedy(finding: Finding, status: Status) -> None:
    assert (finding.status, finding.cause, finding.remedy) == (status, None, ())


@pytest.mark.parametrize(
    "make",
    [
        lambda: failed(Cause.DISK_FULL, "full", remedy=[]),
        lambda: failed(Cause.DISK_FULL, "", remedy=[STEP]),
        lambda: Finding(Status.FAIL, "no cause", remedy=(STEP,)),
        lambda: Finding(Status.PASS, "fine", Cause.DISK_FULL),
        lambda: passed(""),
    ],
)
def test_half_a_finding_is_refused(make: Callable[[], Finding]) -> None:
    with pytest.raises(ValueError, match=r"needs a|has no cause"):
        make()


def test_a_check_is_data_and_a_function() -> None:
    @check("is-even", title="It is even", family=Family.HOST, causes=[Cause.DISK_FULL], after=["is-number"])
    def is_even(number: int, what: str = "it") -> Iterator[Finding]:
        """Even numbers only.

        Because.
        """
        yield passed(f"{what} is {number}")

    assert isinstance(is_even, Check)
    assert (is_even.name, is_even.title, is_even.family) == ("is-even", "It is even", Family.HOST)
    assert (is_even.causes, is_even.after) == ((Cause.DISK_FULL,), ("is-number",))
    assert is_even.explanation == "Even numbers only.\n\nBecause."
    assert [f.message for f in is_even(2)] == ["it is 2"]
    assert [f.message for f in is_even(4, what="four")] == ["four is 4"]


@pytest.mark.parametrize("name", ["", "Token", "token_format", "2fast", "-x", "x-", "a--b", "token format", "tökén", "a\n"])
def test_a_name_is_lower_case_words_joined_by_hyphens(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case words"):
        check(name, title="t", family=Family.ENV)


def test_a_check_explains_itself() -> None:
    with pytest.raises(ValueError, match="no docstring"):

        @check("silent", title="t", family=Family.ENV)
        def silent() -> list[Finding]:
            return []
