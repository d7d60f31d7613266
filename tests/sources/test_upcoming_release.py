"""Which release may come next, and what a name of one means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.evidence import ComposeConfig, ComposeService, NextRelease, ReleaseLine, Request, Unavailable
from ot_doctor.sources.upcoming_release import gather, tag_of, version_of
from tests.checks.evidence import COMPOSE_PATH, deployment, worker, workers

REPO = "davidamacey/opentranscribe-backend"


@pytest.mark.parametrize(
    "name, version",
    [
        ("v0.5", "v0.5"), ("0.5.1", "v0.5.1"), ("latest", "v0.5"), (f"{REPO}:v0.4.1", "v0.4.1"), (f"{REPO}:latest", "v0.5"),
        (REPO, "v0.5"), (f"ghcr.io:5000/{REPO}:v0.3.3", "v0.3.3"), ("v9x", ""), ("five", ""), (f"{REPO}@sha256:{'0' * 64}", ""),
    ],
)  # fmt: skip
def test_the_release_that_a_name_means(name: str, version: str) -> None:
    assert version_of(name) == version


def test_the_tag_of_an_image() -> None:
    assert tag_of(f"localhost:5000/{REPO}") == ""
    assert tag_of(f"{REPO}:v0.4.1@sha256:abc") == "v0.4.1"


def files(image: str, policy: str = "") -> ComposeConfig:
    service = ComposeService("celery-worker", COMPOSE_PATH, 12, image=image, pull_policy=policy)
    return ComposeConfig((COMPOSE_PATH,), {"celery-worker": service})


def test_a_tag_that_moves_may_bring_the_newest_line() -> None:
    found = gather(Request(), deployment(), workers(), files(f"{REPO}:latest", "always"))
    assert found == replace(
        NextRelease(ReleaseLine.V0_5, "v0.5", asked=False), image=f"{REPO}:latest", image_at=found.image_at, moves=True,
        always_pulled=True,
    )  # fmt: skip
    assert found.image_at and found.image_at.line == 12


def test_without_compose_files_the_containers_image_tells() -> None:
    found = gather(Request(), deployment(), workers(worker(image=f"{REPO}:latest")), Unavailable("no files"))
    assert found.moves and not found.always_pulled and found.image_at is None


@pytest.mark.parametrize("image, line", [(f"{REPO}:v0.4.1", ReleaseLine.V0_4), (f"{REPO}:latest", ReleaseLine.V0_5)])
def test_nothing_to_expect(image: str, line: ReleaseLine) -> None:
    with pytest.raises(Unavailable) as raised:
        gather(Request(), deployment(line), workers(), files(image))
    assert raised.value.switched_off


def test_the_release_that_is_asked_about_comes_first() -> None:
    found = gather(Request(next_release="v0.6.0"), deployment(), workers(), files(f"{REPO}:v0.4.1"))
    assert found.asked and found.line is ReleaseLine.V0_5 and found.unknown_to_us
