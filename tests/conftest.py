"""Fixtures for all tests."""

import pytest

from ot_doctor import secrets
from ot_doctor.known_values import KnownValues
from tests.parts.fixtures import *  # noqa: F403


@pytest.fixture(autouse=True)
def no_secret_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test calls a secret is a word in another."""
    monkeypatch.setattr(secrets, "KNOWN", KnownValues())
    monkeypatch.setattr(secrets, "NAMES_BY_FINGERPRINT", {})


@pytest.fixture
def fixed_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fingerprints that are the same in each run."""
    monkeypatch.setattr(secrets, "_SALT", b"the same in each run")
