from pathlib import Path

import pytest
from ot_doctor_site_example.image_pinned import image_pinned

from ot_doctor.check import Status
from ot_doctor.evidence import ComposeConfig, ComposeService
from ot_doctor.testing import assert_conforms, assert_findings_conform

FILE = Path("/srv/opentranscribe/docker-compose.yml")


def compose(image: str) -> ComposeConfig:
    return ComposeConfig((FILE,), {"celery-worker": ComposeService("celery-worker", FILE, 12, image=image)})


def test_it_keeps_to_the_rules() -> None:
    assert_conforms(image_pinned)


@pytest.mark.parametrize(
    ("image", "status"),
    [
        ("davidamacey/opentranscribe-backend:v0.4.1", Status.PASS),
        ("davidamacey/opentranscribe-backend@sha256:4bf5122f", Status.PASS),
        ("davidamacey/opentranscribe-backend:latest", Status.WARN),
        ("davidamacey/opentranscribe-backend", Status.WARN),
        ("registry.example.org:5000/opentranscribe-backend", Status.WARN),
        ("redis:8", Status.SKIP),
    ],
)
def test_a_tag_that_moves_is_a_warning(image: str, status: Status) -> None:
    findings = image_pinned(compose(image))
    assert_findings_conform(image_pinned, findings)
    assert [finding.status for finding in findings] == [status]
