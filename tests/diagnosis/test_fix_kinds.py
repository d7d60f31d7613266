"""The table of what fix can do about each cause: every action in it is carried out end to end, for that cause, in a scenario.

The scenarios run where there is an engine, and hold there that just these actions were done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ot_doctor.diagnosis.fixable import by_cause
from tests.fix import test_every_action
from tests.scenarios import test_fix_own_engine, test_fix_services, test_remedies
from tests.scenarios.fixing import Fault

# Where the cache is on no mount, that is the root cause, and its scenario is "a cache elsewhere". Of a token without permission
# the Hub says that before it looks at the terms.
_UNDER_ANOTHER_CAUSE = {
    ("cache-permission", "env.edit"), ("cache-permission", "worker.recreate"), ("gated-not-accepted", "guide.allow-gated"),
}  # fmt: skip


def faults() -> Iterator[Fault]:
    yield from test_remedies.REMEDIES.values()
    yield from test_remedies.FIXED.values()
    yield from itertools.chain(*test_remedies.GUIDED.values())
    yield from test_fix_services.FAULTS.values()
    yield from test_fix_own_engine.FAULTS.values()
    yield from test_every_action.FETCHED.values()


def test_each_action_of_each_cause_has_a_scenario() -> None:
    table = {(cause.value, action) for cause, kind in by_cause().items() for action in kind.actions}
    shown = {(fault.cause, action) for fault in faults() for action in fault.actions}
    assert table - shown == _UNDER_ANOTHER_CAUSE, f"without a scenario: {sorted(table - shown - _UNDER_ANOTHER_CAUSE)}"
    assert shown <= table, f"not in fix_kinds.toml: {sorted(shown - table)}"
    assert len({fault.cause for fault in faults() if fault.actions}) >= 20
