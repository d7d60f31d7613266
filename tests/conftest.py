"""Fixtures for all tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ot_doctor.redaction.registry import Registry, new_registry
from tests.parts.fixtures import *  # noqa: F403


@pytest.fixture(autouse=True)
def registered() -> Iterator[Registry]:
    """What one test calls a secret is a word in another."""
    with new_registry() as registry:
        yield registry


@pytest.fixture
def fixed_salt(registered: Registry) -> Iterator[None]:
    """Fingerprints that are the same in each run."""
    with new_registry(b"the same in each run"):
        yield


@pytest.fixture
def let_others_in() -> Callable[[Path], None]:
    """``let_others_in(tmp_path)``: other users of the machine may enter the folder, and those above it."""

    def open_up(folder: Path) -> None:
        above = Path(tempfile.gettempdir()).resolve()
        for one in (folder, *folder.parents):
            if one == above:
                break
            one.chmod(0o755)

    return open_up


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes, long texts and fingerprints are no names: they may differ in each process, and all of them must agree."""
    return argname if isinstance(val, bytes) or (isinstance(val, str) and (len(val) > 60 or "(37:" in val)) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much of the project was not tried for want of an engine, and what brings one."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "engine" in report.keywords]
    if skipped and not os.environ.get("PYTEST_XDIST_WORKER"):
        count = f"{len(skipped)} test{'s' if len(skipped) > 1 else ''}"
        terminalreporter.write_line(
            f"{count} with a real Docker engine skipped. On Debian or Ubuntu, as root, this brings one: tests/parts/install.sh"
        )
