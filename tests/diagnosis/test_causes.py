from __future__ import annotations

import itertools
import sys

import pytest

from ot_doctor.check import Cause
from ot_doctor.diagnosis.causes import BREAKS_NO_JOB, EXPLAINS, LINKS, explains, explanation, title
from tests.rooms import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_a_short_title_and_an_explanation(cause: Cause) -> None:
    assert 10 <= len(title(cause)) <= 80
    assert not title(cause).endswith(".")
    assert len(explanation(cause).splitlines()) >= 2
    assert all(len(line) < 80 for line in explanation(cause).splitlines())


def test_the_file_of_texts_has_each_cause_once_in_the_order_of_the_vocabulary_and_nothing_else() -> None:
    found = tomllib.loads((ROOT / "ot_doctor/diagnosis/causes.toml").read_text(encoding="utf-8"))
    assert list(found) == [cause.value for cause in Cause]
    assert all(set(texts) == {"title", "explanation"} for texts in found.values())
    assert not [name for name, texts in found.items() if "-\n" in texts["explanation"]], "a word that is broken at its hyphen"


def test_the_build_takes_the_texts_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "diagnosis/*.toml" in project["tool"]["setuptools"]["package-data"]["ot_doctor"]


def test_no_cause_explains_itself_and_none_explains_in_a_circle() -> None:
    def reachable(cause: Cause, seen: frozenset[Cause]) -> frozenset[Cause]:
        for effect in EXPLAINS.get(cause, frozenset()) - seen:
            seen = reachable(effect, seen | {effect})
        return seen

    for cause in Cause:
        assert cause not in reachable(cause, frozenset())


def test_every_link_says_why() -> None:
    assert all(link.why and link.effects for link in LINKS)


@pytest.mark.parametrize(
    ("cause", "other"),
    [
        (Cause.ENV_SHADOWED, Cause.TOKEN_MISSING),
        (Cause.ENV_SHADOWED, Cause.STALE_WORKER_ENV),
        (Cause.STALE_WORKER_ENV, Cause.TOKEN_MISSING),
        (Cause.STALE_WORKER_ENV, Cause.SPEAKERS_CONFIG),
        (Cause.WRONG_FOLDER, Cause.STALE_WORKER_ENV),
        (Cause.ENV_UNREADABLE, Cause.TOKEN_MISSING),
        (Cause.TOKEN_MALFORMED, Cause.TOKEN_INVALID),
        (Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_INVALID),
        (Cause.OUT_OF_MEMORY, Cause.WORKER_DOWN),
        (Cause.SPEAKERS_CONFIG, Cause.WORKER_DOWN),
        (Cause.DISK_FULL, Cause.CACHE_INCOMPLETE),
        (Cause.CACHE_PERMISSION, Cause.CACHE_MISSING),
        (Cause.CACHE_PERMISSION, Cause.UNRECOGNISED),
        (Cause.GATED_NOT_ACCEPTED, Cause.UNRECOGNISED),
        (Cause.MODEL_CORRUPT, Cause.UNRECOGNISED),
    ],
)
def test_what_a_cause_brings_about_is_explained_by_it(cause: Cause, other: Cause) -> None:
    assert explains(cause, other)
    assert not explains(other, cause)


@pytest.mark.parametrize(
    ("cause", "other"),
    [
        # each of the two must be mended, so both are to be reported
        (Cause.STALE_WORKER_ENV, Cause.GATED_NOT_ACCEPTED),
        (Cause.TOKEN_INVALID, Cause.GATED_NOT_ACCEPTED),
        (Cause.CACHE_PERMISSION, Cause.GATED_NOT_ACCEPTED),
        (Cause.CACHE_PERMISSION, Cause.MODEL_CORRUPT),
        (Cause.CACHE_PERMISSION, Cause.CACHE_INCOMPLETE),  # misplaced models stay misplaced
        (Cause.CACHE_PERMISSION, Cause.OFFLINE_CACHE_MISSING),
        (Cause.OFFLINE_CACHE_MISSING, Cause.CACHE_INCOMPLETE),
        (Cause.TOKEN_EXPOSED, Cause.UNRECOGNISED),
        (Cause.WORKER_DOWN, Cause.TOKEN_MISSING),
    ],
)
def test_what_must_be_mended_by_itself_is_not_explained_away(cause: Cause, other: Cause) -> None:
    assert not explains(cause, other)


@pytest.mark.parametrize("cause", [Cause.ENV_SHADOWED, Cause.STALE_WORKER_ENV])
def test_a_setting_explains_only_what_follows_from_the_same_setting(cause: Cause) -> None:
    assert explains(cause, Cause.TOKEN_MISSING, "HUGGINGFACE_TOKEN", None)
    assert explains(cause, Cause.TOKEN_INVALID, "HUGGINGFACE_TOKEN", "HUGGINGFACE_TOKEN")
    assert not explains(cause, Cause.TOKEN_MISSING, "MAX_SPEAKERS", "HUGGINGFACE_TOKEN")
    assert not explains(cause, Cause.TOKEN_MISSING, "MAX_SPEAKERS", None)
    assert explains(cause, Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS", "MAX_SPEAKERS")
    assert not explains(cause, Cause.SPEAKERS_CONFIG, "HUGGINGFACE_TOKEN", "MAX_SPEAKERS")


def test_an_unrecognised_failure_about_the_hub_comes_from_nothing_else() -> None:
    assert explains(Cause.GPU_UNAVAILABLE, Cause.UNRECOGNISED, "0", None)
    assert not explains(Cause.GPU_UNAVAILABLE, Cause.UNRECOGNISED, "0", "huggingface.co")
    assert explains(Cause.GATED_NOT_ACCEPTED, Cause.UNRECOGNISED, "pyannote/x", "huggingface.co")


def test_what_breaks_no_job_explains_no_failure() -> None:
    assert not any(explains(cause, Cause.UNRECOGNISED) for cause in BREAKS_NO_JOB)


def test_the_relation_only_names_causes_of_the_vocabulary() -> None:
    assert set(EXPLAINS) | set(itertools.chain.from_iterable(EXPLAINS.values())) <= set(Cause)
