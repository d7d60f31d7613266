"""Calls that may hang: each has its deadline, and one that hangs keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from ot_doctor.core.deadline import Calls, TookTooLong, within


def test_calls_one_after_the_other_share_a_thread_until_one_hangs_in_it() -> None:
    forever = threading.Event()
    with closing(Calls()) as calls:
        first = calls.within(5, threading.get_ident)
        assert calls.within(5, threading.get_ident) == first != threading.get_ident()
        with pytest.raises(TookTooLong, match=r"no answer within 0\.1 s"):
            calls.within(0.1, forever.wait)
        second = calls.within(5, threading.get_ident)
        assert second != first and calls.within(5, threading.get_ident) == second
        forever.set()  # what comes late is nobody's answer
        assert calls.within(5, lambda: "mine") == "mine"


def test_what_a_call_raises_is_raised_and_the_next_one_is_made() -> None:
    def leave() -> None:
        raise SystemExit("gone")

    with closing(Calls()) as calls:
        with pytest.raises(ZeroDivisionError):
            calls.within(5, lambda: 1 // 0)
        with pytest.raises(RuntimeError, match="SystemExit: gone"):
            calls.within(5, leave)
        assert calls.within(5, lambda: 1) == 1


def test_no_thread_is_left_but_one_that_hangs() -> None:
    before, forever = set(threading.enumerate()), threading.Event()
    assert within(5, lambda: 1) == 1
    with closing(Calls()) as calls:
        calls.within(5, lambda: 1)
    assert set(threading.enumerate()) == before
    began = time.monotonic()
    with pytest.raises(TookTooLong):
        within(0.1, forever.wait)
    assert time.monotonic() - began < 2
    (hangs,) = set(threading.enumerate()) - before
    forever.set()
    hangs.join(5)
    assert not hangs.is_alive()
