from __future__ import annotations

from dataclasses import replace

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import Host, NextRelease, Purpose, ReleaseLine, Space, Unavailable
from ot_doctor_checks.next_space import next_space
from tests.checks.evidence import cache, deployment, host

V0_4 = NextRelease(ReleaseLine.V0_4, "v0.4", asked=True)
V0_5 = NextRelease(ReleaseLine.V0_5, "v0.5", asked=True)
MB = 1_000_000


def room(free: int, inodes: int = 10_000) -> Host:
    return host(spaces=(Space("/srv/ot/models", Purpose.MODEL_CACHE, 10**12, free, 20_000, inodes),))


def test_the_sizes_of_what_is_missing_are_added_up() -> None:
    (finding,) = next_space(V0_5, room(518 * MB), Unavailable("no cache"), deployment())
    assert finding.status is Status.PASS
    assert "517.0 MB" in finding.message and "native models (484 MB)" in finding.message
    (finding,) = next_space(V0_5, room(516 * MB), Unavailable("no cache"), deployment())
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.DISK_FULL)


def test_what_is_there_is_not_counted_again() -> None:
    assert [f.status for f in next_space(V0_5, room(485 * MB), cache(), deployment())] == [Status.PASS]
    assert [f.status for f in next_space(V0_5, room(485 * MB), cache(complete=False), deployment())] == [Status.FAIL]
    (finding,) = next_space(V0_4, room(0), cache(), deployment())
    assert (finding.status, "no model" in finding.message) == (Status.PASS, True)


def test_models_of_an_older_line_are_not_those_of_the_next_one() -> None:
    assert [f.status for f in next_space(V0_4, room(20 * MB), cache(line=ReleaseLine.V0_3), deployment())] == [Status.FAIL]


def test_inodes_count_too() -> None:
    assert [f.status for f in next_space(V0_4, room(10**10, inodes=3), Unavailable("no cache"), deployment())] == [Status.FAIL]
    uncounted = replace(room(10**10).spaces[0], inodes_total=0, inodes_free=0)
    assert [f.status for f in next_space(V0_4, host(spaces=(uncounted,)), Unavailable("no cache"), deployment())] == [Status.PASS]


def test_space_that_could_not_be_read_is_not_enough_space() -> None:
    (finding,) = next_space(V0_4, host(spaces=()), Unavailable("no cache"), deployment())
    assert finding.status is Status.UNKNOWN and finding.remedy
