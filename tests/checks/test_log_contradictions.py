"""What the log says of token and access, where the container, the cache and the Hub say otherwise now."""

from __future__ import annotations

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import Unavailable
from tests.checks.evidence import cache, hit, hub, worker_log
from tests.checks.test_worker_start import REGISTER, judged

REFUSED = worker_log(stray=(hit("token-register", "token-invalid", REGISTER),))


def test_a_token_that_the_hub_accepts_is_not_the_cause_although_no_model_was_asked_for() -> None:
    (finding,) = judged(REFUSED, hub=hub(files=()))
    assert finding.status is Status.WARN
    assert "The Hub accepts the token that the worker has now." in finding.message


def test_a_cache_that_cannot_be_read_is_the_cause_and_not_the_missing_token_in_the_log() -> None:
    log = worker_log(stray=(hit("no-token", "token-missing", "You must be authenticated to access it."),))
    (finding,) = judged(log, cache=cache(readable=False))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_PERMISSION)


def test_what_is_merely_possible_does_not_stand_against_the_hubs_answer() -> None:
    text = "LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub"
    log = worker_log(stray=(hit("hub-not-located", "network-refused", text, certain=False, possible=True),))
    (finding,) = judged(log)
    assert finding.status is Status.WARN
    (finding,) = judged(log, hub=Unavailable("not asked"))
    assert (finding.status, finding.confidence.value) == (Status.FAIL, "possible")


def test_an_error_that_nothing_explains_fails_unless_another_one_is_known() -> None:
    unknown = hit("", "unrecognised", "ZeroDivisionError: division by zero", certain=False)
    (finding,) = judged(worker_log(stray=(unknown,)))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.UNRECOGNISED)
    known = hit("module", "lib-mismatch", "No module named 'x'")
    assert [finding.cause for finding in judged(worker_log(stray=(unknown, known)))] == [Cause.LIB_MISMATCH]


def test_lines_of_no_worker_are_not_passed() -> None:
    (finding,) = judged(worker_log(source={"lines_read": 12, "of_a_worker": False}))
    assert finding.status is Status.UNKNOWN and finding.remedy
