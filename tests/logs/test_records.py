"""From bytes to records: prefixes, continuation lines, and whatever else stands in a log."""

from __future__ import annotations

import json
import random
import time
from datetime import datetime, timezone

import pytest

from ot_doctor.evidence import Record
from ot_doctor.logs.lines import MAX_LINE, own_head, unwrap
from ot_doctor.logs.proof import evidence, without_frames
from ot_doctor.logs.records import MAX_LINES
from ot_doctor.logs.scanner import RecordScan
from ot_doctor.redaction import registry

HEAD = "[2026-11-21 01:37:28,804: ERROR/ForkPoolWorker-1] "
TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"


def scan(text: str | bytes, *, block: int = 1 << 20, words: tuple[bytes, ...] = (b"telling",)) -> list[Record]:
    found: list[Record] = []
    raw = text.encode() if isinstance(text, str) else text
    scanning = RecordScan((), words, found.append)
    lines = raw.splitlines(keepends=True)
    while lines:
        piece, lines = lines[: max(1, block // 100)], lines[max(1, block // 100) :]
        scanning.feed(b"".join(piece))
    scanning.close()
    return found


def test_a_record_and_its_continuation_lines() -> None:
    (record,) = scan(
        f"{HEAD}first telling\nTraceback (most recent call last):\n  File x\nOops: end\n{HEAD.replace('ERROR', 'INFO')}next\n"
    )
    assert record.text == "first telling\nTraceback (most recent call last):\n  File x\nOops: end"
    assert record.lines == (1, 4)
    assert (record.level, record.process) == ("ERROR", "ForkPoolWorker-1")
    assert record.at == datetime(2026, 11, 21, 1, 37, 28, 804000, tzinfo=timezone.utc)


@pytest.mark.parametrize("block", [100, 300, 1 << 20])
def test_a_record_may_cross_blocks(block: int) -> None:
    text = f"{HEAD}first\n" + "more\n" * 20 + "telling\n" + f"{HEAD.replace('ERROR', 'INFO')}next\n" * 30
    (record,) = scan(text, block=block)
    assert record.lines == (1, 22)
    assert record.text.endswith("telling")


@pytest.mark.parametrize(
    "wrapped",
    [
        "celery-worker  | {}", "\x1b[36mopentranscribe-celery-worker  | \x1b[0m{}", "2026-11-21T01:37:28.804123456Z {}",
        "opentranscribe-celery-worker  | 2026-11-21T01:37:28.804123456Z {}", "\x1b[31m{}\x1b[0m", "{}\r",
    ],
)  # fmt: skip
def test_what_others_put_around_a_line_is_taken_off(wrapped: str) -> None:
    (record,) = scan(wrapped.format(HEAD + "telling") + "\n" + wrapped.format("and more") + "\n")
    assert record.text == "telling\nand more"
    assert record.level == "ERROR"


def test_the_engines_stamp_is_the_records_time() -> None:
    (record,) = scan(f"2026-11-21T05:00:00.5Z {HEAD}telling\n")
    assert record.at == datetime(2026, 11, 21, 5, 0, 0, 500000, tzinfo=timezone.utc)


def test_the_engines_own_json_lines() -> None:
    lines = [json.dumps({"log": text + "\n", "stream": "stderr", "time": "2026-11-21T05:00:00Z"}, separators=(",", ":"))
             for text in (HEAD + "it's “telling”", "and more")]  # fmt: skip
    (record,) = scan("\n".join(lines) + "\n")
    assert record.text == "it's “telling”\nand more"


def test_a_long_line_in_several_of_the_engines_entries() -> None:
    texts = (HEAD + "telling x", "y", "z\n", "and more\n")
    entries = [json.dumps({"log": text, "time": "2026-11-21T05:00:00Z"}, separators=(",", ":")) for text in texts]
    (record,) = scan("\n".join(entries) + "\n")
    assert (record.text, record.lines) == ("telling xyz\nand more", (1, 4))


def test_a_json_file_that_was_cut_at_both_ends() -> None:
    entry = json.dumps({"log": HEAD + "telling\n", "stream": "stderr"}, separators=(",", ":"))
    first, second = scan(f"{entry[30:]}\n{entry}\n{entry[:-12]}")[-2:]
    assert first.text == "telling" and second.level == "ERROR" and second.text.startswith("telling")


def test_a_coloured_compose_log() -> None:
    name = "\x1b[36mcelery-worker  | \x1b[0m"
    (record,) = scan(f"{name}{HEAD.replace('ERROR', 'INFO')}x\n" * 50 + f"{name}{HEAD}telling\n{name}and more\n")
    assert (record.text, record.level, record.lines) == ("telling\nand more", "ERROR", (51, 52))


@pytest.mark.parametrize("kind", ["INFO", "WARNING"])
@pytest.mark.parametrize("block", [300, 5_000, 1 << 20])
def test_of_very_many_errors_in_a_row_the_first_and_the_last_are_kept(kind: str, block: int) -> None:
    ordinary = HEAD.replace("ERROR", kind) + "ordinary\n"
    error = HEAD + "broken {}\n"
    found: list[Record] = []
    scanning = RecordScan((b"a mark",), (b"telling",), found.append, error_words=(b": ERROR/",))
    lines = [ordinary * 3 + error.format(number) for number in range(200)]
    lines[100] = HEAD + "telling\n"
    raw = "".join(lines).encode().splitlines(keepends=True)
    for at in range(0, len(raw), max(1, block // 100)):
        scanning.feed(b"".join(raw[at : at + max(1, block // 100)]))
    scanning.close()
    texts = [record.text for record in found]
    assert texts[0] == "broken 0" and texts[-1] == "broken 199"
    at = texts.index("telling")
    assert texts[at - 1] == "broken 99" and texts[at + 1] == "broken 101"
    assert 20 <= len(texts) <= 30 and [record.lines for record in found] == sorted(record.lines for record in found)


def test_compose_services_are_not_mixed() -> None:
    (record,) = scan(f"celery-worker  | {HEAD}telling\nbackend  | GET / 500\ncelery-worker  | and more\n")
    assert record.text == "telling"


def test_a_progress_bar_shows_its_last_state() -> None:
    (record,) = scan("\rtelling   0%|   |\rtelling  50%|## |\rtelling 100%|###|\n")
    assert record.text == "telling 100%|###|"


def test_invalid_bytes_escapes_and_tokens_do_not_come_through() -> None:
    (record,) = scan(HEAD.encode() + b"telling \xff\xfe \x1b[2J\x07 " + TOKEN.encode() + b"\n")
    assert "\x1b" not in record.text and "\x07" not in record.text
    assert TOKEN not in record.text and "hf_…(37:" in record.text


def test_lines_that_hold_a_token_are_noted() -> None:
    scanning = RecordScan((), (b"telling",), lambda record: None)
    scanning.feed(f"nothing\nBearer {TOKEN}\nhf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".encode())
    scanning.feed(f"nothing\n{TOKEN} {TOKEN}\n".encode())
    assert scanning.token_lines == [2, 5]


def test_very_many_tokens_of_a_log_are_counted_once_and_few_are_remembered() -> None:
    line = b" ".join(b"hf_" + f"{number:06}AbCdEfGhIjKlMnOpQrStUvWxYzAb".encode() for number in range(8_000)) + b"\n"
    scanning = RecordScan((), (b"telling",), lambda record: None)
    began = time.process_time()
    scanning.feed((b"hf_" + b"x" * 34 + b"\n") * 100_000)
    scanning.feed(line)
    assert time.process_time() - began < 5
    assert scanning.token_lines == [100_001] and len(registry.current()._names) < 300


def test_a_very_long_line_keeps_its_ends() -> None:
    (record,) = scan(HEAD + "telling " + "x" * 1_000_000 + " end\n")
    assert len(record.text) < MAX_LINE + 100
    assert record.text.startswith("telling x") and record.text.endswith("x end")


def test_a_very_long_record_keeps_its_ends() -> None:
    (record,) = scan(HEAD + "telling\n" + "".join(f"{number}\n" for number in range(900)))
    lines = record.text.split("\n")
    assert len(lines) == MAX_LINES + 1
    assert lines[0] == "telling" and lines[-1] == "899"


def test_an_information_is_not_joined_with_a_librarys_line() -> None:
    retry = "'x' thrown while requesting HEAD https://huggingface.co/telling"
    (record,) = scan(f"{HEAD.replace('ERROR', 'INFO')}all is well\n{retry}\n")
    assert (record.text, record.level, record.lines) == (retry, "", (2, 2))


def test_a_print_that_begins_with_a_line_end_stays_below_its_prefix() -> None:
    head = HEAD.replace("ERROR", "WARNING")
    (record,) = scan(f"{head}\nCould not download 'telling' pipeline.\nIt might be private.\n", words=(b"telling",))
    assert record.text == "Could not download 'telling' pipeline.\nIt might be private."
    assert (record.lines, record.level, record.process) == ((1, 3), "WARNING", "ForkPoolWorker-1")


def test_unprefixed_lines_stand_alone_and_a_traceback_stays_whole() -> None:
    text = 'telling one\ntelling two\nTraceback (most recent call last):\n  File "x", line 1\n    code\ntelling.Error: three\n'
    assert [record.text.split("\n")[0] for record in scan(text)] == [
        "telling one",
        "telling two",
        "Traceback (most recent call last):",
    ]
    assert scan(text)[2].text.endswith("telling.Error: three")


def test_a_long_traceback_without_a_prefix_is_one_record_to_its_last_line() -> None:
    frames = "".join(f'  File "x.py", line {number}, in f\n    g()\n' for number in range(30))
    header = "Traceback (most recent call last):\n"
    text = f"{header}{frames}telling.First: 1\n\nThe above exception was the direct cause of the following exception:\n\n"
    records = scan(f"{text}{header}{frames}telling.Last: 2\n", words=(b"Traceback", b"telling"))
    assert len(records) == 1 and records[0].text.endswith("telling.Last: 2")
    assert [record.text.split("\n")[0] for record in scan("telling\n" * 300)] == ["telling"] * 300


def test_the_task_is_named() -> None:
    (record,) = scan(f"{HEAD}Task transcribe_audio[8f2c5a1e-1111-4222-8333-444455556666] telling\n")
    assert record.task == "8f2c5a1e-1111-4222-8333-444455556666"


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_do_no_harm(seed: int) -> None:
    chance = random.Random(seed)
    junk = chance.randbytes(20_000) + b"\n[2026-99-99 99:99:99,999: ERROR/x] telling\n" + chance.randbytes(2_000)
    assert any("telling" in record.text for record in scan(junk))
    unwrap(chance.randbytes(100), 1)
    unwrap(b'{"log":' + chance.randbytes(50), 1)
    unwrap(b'{"log":"' + b"[" * 5000, 1)


def test_source_lines_of_a_traceback_are_no_evidence() -> None:
    text = 'Traceback (most recent call last):\n  File "x", line 1, in f\n    raise E("no")\n    ^^^^^\nE: real\n  on'
    assert without_frames(text) == "Traceback (most recent call last):\nE: real\n  on"
    assert evidence(Record((1, 1), None, "INFO", "E: real")) == ""


@pytest.mark.parametrize(
    ("lines", "own"),
    [
        ("[2026-11-21 01:37:28,804: INFO/MainProcess] a\nb\n", True),
        ("b\n[2026-11-21 01:37:28,804: INFO/MainProcess] a\n", False),
        ("[2026-11-21 01:37:28,804: INFO/MainProcess] a\n" * 3, False),
        ("", False),
    ],
)
def test_lines_that_no_others_are_like(lines: str, own: bool) -> None:
    assert own_head(lines.encode()) == (lines.encode() if own else b"")
