"""Logs that a terminal or a mail program wrapped: their lines are joined again, and nothing else is."""

from __future__ import annotations

import pytest

from ot_doctor.logs.faults.unwrapping import rejoined
from tests.corpus.cases_of import NAMES, case_of
from tests.logs import mutations
from tests.logs.test_public_reports import REPORTS

WRAPS = (mutations.terminal_80, mutations.folded_80)


@pytest.mark.parametrize("wrap", WRAPS, ids=lambda wrap: wrap.__name__)
def test_no_word_is_lost_or_changed(wrap: mutations.Mutation) -> None:
    """What the verdicts are then, ``tests/corpus/test_public.py`` holds."""
    for report in REPORTS:
        wrapped = wrap(report.text)
        joined = rejoined(wrapped.encode())
        if joined is not None:
            assert "".join(joined[0].decode().split()) == "".join(report.text.split())
            assert len(joined[1]) == joined[0].count(b"\n") < wrapped.count("\n") + 1


def test_where_each_line_began_is_told() -> None:
    text = "A first line.\n" + "word " * 70 + "\nOSError: [Errno 28] No space left on device\n"
    joined = rejoined(mutations.folded_80(text).encode())
    assert joined is not None and joined[1] == [1, 2, 7]
    assert joined[0].decode().split("\n")[2] == "OSError: [Errno 28] No space left on device"


def test_an_address_that_is_longer_than_a_line_is_whole_again() -> None:
    address = "https://huggingface.co/facebook/" + "n" * 70 + "/resolve/main/model.safetensors"
    text = "HTTPError: 401 Client Error: Unauthorized for url: " + address + "\n" + "some words " * 20 + "\n"
    joined = rejoined(mutations.folded_80(text).encode())
    assert joined is not None and address in joined[0].decode()


_INFO = "[2026-11-21 01:37:28,804: INFO/MainProcess] "


def test_records_at_info_are_whole_again_where_a_terminal_broke_them() -> None:
    text = "".join(f"{_INFO}Processing file {number}: {'x' * number} [Errno 13] Permission denied.mp3\n" for number in range(9))
    joined = rejoined(mutations.terminal_80(text).encode())
    assert joined is not None and joined[0].decode() == text


@pytest.mark.parametrize("width", [80, 97])
def test_an_error_is_not_joined_to_a_record_that_is_not_read(width: int) -> None:
    """Records that repeat are as long as each other, so that they look full."""
    error = "/bin/bash: line 1: /app/ud2: cannot execute binary file: Exec format error\n"
    text = f"{_INFO:x<{width}}\n" * 20 + error
    joined = rejoined(text.encode())
    assert joined is None or error in joined[0].decode().splitlines(keepends=True)


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    assert (joined := rejoined(b"\xff" * 79 + b"A" + b"\xfe" * 20 + b"\n")) is None or b"\xff" in joined[0]
    wrapped = b"\xff" * 80 + b"\n" + b"\xfe" * 20 + b"\n"
    joined = rejoined(wrapped)
    assert joined is not None and joined[0] == b"\xff" * 80 + b"\xfe" * 20 + b"\n"


def test_what_workers_wrote_is_hardly_ever_taken_for_wrapped() -> None:
    """The whole corpus: what is joined there is judged as well (``test_accuracy.py``); it must be rare."""
    taken = [name for name in NAMES if rejoined(case_of(name).log.read_bytes()) is not None]
    assert len(taken) * 20 <= len(NAMES), taken
