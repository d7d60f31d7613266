"""The data file of releases: whole, in order, and the only place that knows them."""

from __future__ import annotations

import pytest

from ot_doctor.evidence import ReleaseLine, models
from ot_doctor.evidence.releases import line_of_sign, line_of_version, newer_than_known, releases, services
from ot_doctor.logs.signatures import catalogue


def test_every_line_is_there_once_and_in_order() -> None:
    assert [release.line for release in releases()] == [line for line in ReleaseLine if line is not ReleaseLine.UNKNOWN]
    numbers = [version for release in releases() for version in release.versions]
    assert numbers == sorted(set(numbers))
    for release in releases():
        assert release.source and release.read.year >= 2026 and release.marks and release.services["diarizer"]
        assert any(model.required and model.gated and model.files for model in release.models)


def test_log_signatures_name_lines_that_are_known() -> None:
    signs = {signature.release for signature in catalogue(()).signatures if signature.release}
    assert signs and all(line_of_sign(sign) is not ReleaseLine.UNKNOWN for sign in signs)
    assert line_of_sign("v9") is ReleaseLine.UNKNOWN


@pytest.mark.parametrize(
    ("version", "line", "newer"),
    [
        ("v0.1.0", ReleaseLine.V0_3, False),
        ("0.4.1", ReleaseLine.V0_4, False),
        ("v0.5.1", ReleaseLine.V0_5, False),
        ("v0.6.0", ReleaseLine.V0_5, True),
        ("v1.0", ReleaseLine.V0_5, True),
        ("v0.0.9", ReleaseLine.UNKNOWN, False),
        ("latest", ReleaseLine.UNKNOWN, False),
        (None, ReleaseLine.UNKNOWN, False),
    ],
)
def test_the_line_of_a_version(version: str | None, line: ReleaseLine, newer: bool) -> None:
    assert (line_of_version(version), newer_than_known(version)) == (line, newer)


def test_roles() -> None:
    assert "celery-worker-gpu-diarize" in services("diarizer") and services("diarizer")[0] == "celery-worker"
    assert not {"celery-worker-gpu-transcribe", "celery-worker-diarize", "diar-native"} & set(services("diarizer"))


def test_for_an_unknown_line_no_model_is_required_by_itself() -> None:
    known = models(ReleaseLine.UNKNOWN)
    assert len({model.repo for model in known}) == len(known) == 5
    assert not any(model.required for model in known)
