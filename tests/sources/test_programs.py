"""A program that is started: what goes in and comes out, and that it ends in time whatever it does."""

from __future__ import annotations

import os
import time

import pytest

from ot_doctor.sources.programs import TooMuchOutput, run

LARGE = os.urandom(300_000)  # more than a pipe holds


def sh(script: str, seconds: float = 5.0, *, most: int = 1_000_000, data: bytes = b"") -> tuple[int, bytes, str]:
    ended = run(["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, "/", seconds, most=most, data=data)
    return ended.code, ended.output, ended.errors


def test_what_goes_in_comes_out_while_it_goes_in() -> None:
    assert sh("cat", data=LARGE) == (0, LARGE, "")
    assert sh("cat >/dev/null; echo no >&2; exit 3", data=LARGE) == (3, b"", "no\n")


def test_a_program_that_does_not_read_is_no_error() -> None:
    assert sh("exit 0", data=LARGE) == (0, b"", "")
    assert sh("exec <&-; echo done", data=LARGE) == (0, b"done\n", "")
    assert sh("cat") == (0, b"", ""), "nothing to read"


@pytest.mark.parametrize("script", ["sleep 30", "exec >&- 2>&-; sleep 30", "sleep 30 & exit 0"])
@pytest.mark.parametrize("data", [b"", LARGE])
def test_it_ends_in_time(script: str, data: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        sh(script, 0.3, data=data)
    assert time.monotonic() - began < 3


def test_it_is_ended_when_it_prints_too_much() -> None:
    with pytest.raises(TooMuchOutput):
        sh("yes", most=10_000)
    with pytest.raises(TooMuchOutput):
        sh("yes >&2", most=10_000)
