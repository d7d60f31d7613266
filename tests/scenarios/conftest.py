"""What every scenario needs: a way to bring its world up, and a clean engine afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.parts.engine import Engine
from tests.scenarios.scenario import BringUp, Scenario, World, hub_for


@pytest.fixture
def bring_up(clean_engine: Engine, tmp_path: Path) -> Iterator[BringUp]:
    """``bring_up(Scenario(...))`` is the scenario's world, running."""
    with ExitStack() as stack:

        def up(scenario: Scenario) -> World:
            hub = stack.enter_context(hub_for(scenario.accepted))
            return scenario.build(clean_engine, hub, tmp_path)

        yield up
