"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ot_doctor.redaction.registry import Registry, new_registry
from tests.parts.engine import MEMORY, has_room
from tests.parts.fixtures import *  # noqa: F403

# Where an example fails, what repeats it is printed (@reproduce_failure). HYPOTHESIS_PROFILE=search tries others in each run.
settings.register_profile("repeatable", derandomize=True, print_blob=True, database=None)
settings.register_profile("search", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


# Where pytest makes the folders of tests; ``pytest_configure`` would be too late.
if has_room(MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


# A background job, or nohup, ignores these, and what is started from here would as well.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
        places = (MEMORY, Path(tempfile.gettempdir()).resolve())
        above = next((place for place in places if place in folder.parents), folder.parent)
        for one in (folder, *folder.parents):
            if one == above:
                break
            one.chmod(0o755)

    return open_up


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes, long texts and fingerprints are no names: they may differ in each process, and all of them must agree."""
    return argname if isinstance(val, bytes) or (isinstance(val, str) and (len(val) > 60 or "(37:" in val)) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes each begins with its share of the long tests: one of those that begins last would be waited for."""
    count = getattr(config, "workerinput", {}).get("workercount", 1)
    if count > 1:
        long = [item for item in items if any(item.iter_markers("engine")) or any(item.iter_markers("slow"))]
        known = set(long)
        short = [item for item in items if item not in known]
        items[:] = [item for nth in range(count) for kind in (long, short) for item in _share(kind, nth, count)]


def pytest_collection_finish() -> None:
    """All tests stay until the end: to walk them again at each search for garbage takes a twentieth of a run."""
    gc.collect()
    gc.freeze()


def _share(items: list[pytest.Item], nth: int, count: int) -> list[pytest.Item]:
    return items[len(items) * nth // count : len(items) * (nth + 1) // count]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """One sentence at the very end in place of a line for each test that was skipped for want of an engine."""
    stats = terminalreporter.stats
    everything = stats.get("skipped", [])
    without_engine = [report for report in everything if "engine" in report.keywords]
    if not without_engine:
        return (yield)
    stats["skipped"] = [report for report in everything if report not in without_engine]
    yield
    stats["skipped"] = everything
    count = f"{len(without_engine)} test{'s' if len(without_engine) > 1 else ''}"
    terminalreporter.write_line(
        f"{count} with a real Docker engine skipped. On Debian or Ubuntu, this brings one: sudo tests/parts/install.sh"
    )
