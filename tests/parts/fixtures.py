"""Fixtures over the parts. A conftest takes them in with `from tests.parts.fixtures import *`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .engine import Engine, why_not
from .hub import LocalHub, pyannote_hub
from .python_image import TAG, why_no_python

__all__ = ["clean_engine", "engine", "hub", "python_worker"]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """One engine for the whole run, with the images in it. Where there is none: skipped, or failed if it must be."""
    if reason := why_not():
        # A test run that says it has an engine must not pass by skipping what needs one.
        if os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") == "1":
            pytest.fail(f"OT_DOCTOR_REQUIRE_ENGINE=1, but {reason}")
        pytest.skip(reason)
    with Engine() as engine:
        engine.import_backends()
        engine.import_busybox()
        yield engine


@pytest.fixture(scope="session")
def python_worker(engine: Engine) -> str:
    """The name of the worker's image that has a real Python; it is made when the first test asks for it."""
    if reason := why_no_python():
        if os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") == "1":
            pytest.fail(f"OT_DOCTOR_REQUIRE_ENGINE=1, but {reason}")
        pytest.skip(reason)
    engine.import_python_worker()
    return TAG


@pytest.fixture
def clean_engine(engine: Engine) -> Iterator[Engine]:
    """The same engine for a test that makes containers: they, their volumes and networks go afterwards."""
    yield engine
    engine.clear()


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    """A local Hub where every gated repository's conditions are accepted; change it as the test needs."""
    with pyannote_hub() as hub:
        yield hub
