from __future__ import annotations

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import Unavailable, WriteTest
from ot_doctor_checks.cache_write_test import cache_write_test
from tests.checks.evidence import only, probe, statuses

HUB = "/home/appuser/.cache/huggingface/hub"


def test_a_folder_that_can_be_written_passes_and_one_that_cannot_is_a_warning() -> None:
    findings = cache_write_test(probe(writes=(WriteTest(HUB, True), WriteTest(f"{HUB}/.locks", False, "Disk quota exceeded"))))
    assert statuses(findings) == [Status.PASS, Status.WARN]
    assert findings[1].cause is Cause.CACHE_PERMISSION and "Disk quota exceeded" in findings[1].message


def test_not_tried_is_skipped() -> None:
    assert only(cache_write_test, probe()).status is Status.SKIP
    assert only(cache_write_test, Unavailable("off")).status is Status.SKIP
