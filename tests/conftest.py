"""Fixtures for all tests."""

from tests.parts.fixtures import *  # noqa: F403
