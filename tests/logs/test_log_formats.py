"""The formats in which workers log: time, level, logger, process, message and traceback of each."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from ot_doctor.evidence import Record
from ot_doctor.logs.lines import MAX_LINE, own_time_agrees, time_before
from ot_doctor.logs.scanner import RecordScan

AT = datetime(2026, 11, 28, 15, 5, 45, 499000, tzinfo=timezone.utc)
TRACEBACK = "Traceback (most recent call last):\n  File \"/app/x.py\", line 4, in x\nRuntimeError: \"telling\""
AT_ENTRY = {"timestamp": "2026-11-28 15:05:45,499"}
FORMATS = {
    "celery": "[2026-11-28 15:05:45,499: {level}/MainProcess] {message}",
    "v0.5 text": "2026-11-28 15:05:45,499 {level}:app.x:{message}",
    "v0.5 JSON": '{{"timestamp": "2026-11-28 15:05:45,499", "level": "{level}", "name": "app.x", "message": "{message}"}}',
    "dashes": "2026-11-28 15:05:45,499 - app.x - {level} - {message}",
    "brackets": "[2026-11-28 15:05:45,499] {level} [app.x] {message}",
    "in": "[2026-11-28 15:05:45,499] {level} in app.x: {message}",
    "plain": "2026-11-28 15:05:45,499 {level} {message}",
    "bare": "{level}:app.x:{message}",
}
WRAPS = {
    "alone": "{}",
    "compose": "opentranscribe-celery-worker  | {}",
    "docker -t": "2026-11-28T15:05:45.499000000Z {}",
    "compose -t": "opentranscribe-celery-worker  | 2026-11-28T15:05:45.499000000Z {}",
    "journald": "Nov 28 15:05:45 host opentranscribe-celery-worker[812]: {}",
    "journald, short-iso": "2026-11-28T15:05:45.499+0000 host opentranscribe-celery-worker[812]: {}",
    "syslog": "<30>Nov 28 15:05:45 host 3f1d2c4b5a69[812]: {}",
    "syslog, RFC 5424": "<30>1 2026-11-28T15:05:45.499Z host 3f1d2c4b5a69 812 3f1d2c4b5a69 - {}",
}


def scan(text: str, *, block: int = 1 << 20) -> list[Record]:
    found: list[Record] = []
    scanning = RecordScan((b"a mark",), (b"telling", b'" is "'), found.append, error_words=(b"ERROR:",))
    lines = text.encode().splitlines(keepends=True)
    for at in range(0, len(lines), max(1, block // 100)):
        scanning.feed(b"".join(lines[at : at + max(1, block // 100)]))
    scanning.close()
    return found


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_record_of_each_format_in_each_wrapping(form: str, wrap: str) -> None:
    def shown(level: str, message: str) -> str:
        return WRAPS[wrap].format(FORMATS[form].format(level=level, message=message)) + "\n"

    found = scan(shown("INFO", "before") * 30 + shown("WARNING", "it is telling: yes") + shown("INFO", "not telling a thing"))
    (record,) = (record for record in found if record.level != "INFO")
    assert (record.text, record.level, record.lines) == ("it is telling: yes", "WARNING", (31, 31))
    has_time = form != "bare" or wrap in ("docker -t", "compose -t", "journald, short-iso", "syslog, RFC 5424")
    assert record.at == (AT if has_time else None)
    assert record.logger == ("app.x" if form not in ("celery", "plain") else "")
    assert record.process == ("MainProcess" if form == "celery" else "")


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"v0.5 JSON"}))
def test_a_traceback_belongs_to_the_record_before_it(form: str) -> None:
    first, last = (FORMATS[form].format(level=level, message="x") for level in ("ERROR", "INFO"))
    (record,) = scan(f"{first}\n{TRACEBACK}\n{last}\n")
    assert (record.text, record.lines) == (f"x\n{TRACEBACK}", (1, 4))


def test_a_record_in_json_holds_its_traceback_and_any_other_key() -> None:
    entry = {**AT_ENTRY, "level": "ERROR", "name": "app.x", "message": "two\nlines", "data": {"id": [1]}}
    (record,) = scan(json.dumps({**entry, "exc_info": TRACEBACK, "request_id": "-"}) + "\nwhat is printed\n")
    assert record.text == f"two\nlines\n{TRACEBACK}"
    assert (record.at, record.level, record.logger, record.lines) == (AT, "ERROR", "app.x", (1, 1))


def test_what_stands_between_records_in_json_belongs_to_none() -> None:
    record = json.dumps({**AT_ENTRY, "level": "ERROR", "name": "a.b", "message": "telling 1"})
    texts = [r.text for r in scan(f'{record}\n{{"telling": 2\ntelling 3\n{{"level": 7, "message": "telling 4"}}\n{record}\n')]
    assert texts == ["telling 1", '{"telling": 2', "telling 3", '{"level": 7, "message": "telling 4"}', "telling 1"]


def test_a_record_in_json_that_is_cut_off_tells_what_is_there() -> None:
    entry = json.dumps({**AT_ENTRY, "level": "ERROR", "name": "a.b", "message": 'telling "x"\nand more'})
    (record,) = scan(entry[:-6])
    assert (record.text, record.level) == ('telling "x"\nand ', "ERROR")


def test_the_keys_of_other_formatters_in_json() -> None:
    (record,) = scan('{"asctime": "2026-11-28T15:05:45.499Z", "levelname": "warn", "logger": "a.b", "msg": "telling"}\n')
    assert (record.at, record.level, record.logger, record.text) == (AT, "WARNING", "a.b", "telling")


def test_a_word_with_a_quotation_mark_is_found_in_json() -> None:
    (record,) = scan(json.dumps({**AT_ENTRY, "level": "WARNING", "name": "a", "message": '"x" is "y"'}))
    assert record.text == '"x" is "y"'


def test_a_very_long_record_in_json_keeps_its_end() -> None:
    frames = "".join(f'  File "/app/x{number}.py", line 4, in x\n' for number in range(1_000))
    entry = {**AT_ENTRY, "level": "ERROR", "name": "a", "message": "x", "exc_info": f"{frames}telling"}
    (record,) = scan(json.dumps(entry) + "\n")
    assert len(json.dumps(entry)) > MAX_LINE and record.text.endswith("telling")


def test_what_json_hides_is_made_printable_and_redacted() -> None:
    token = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    entry = {**AT_ENTRY, "level": "ERROR", "name": "a", "message": f"telling \x1b[2J {token} \ud800"}
    (record,) = scan(json.dumps(entry) + "\n")
    assert "\x1b" not in record.text and token not in record.text and "hf_…(37:" in record.text
    record.text.encode()


def test_json_with_characters_that_are_not_shown_is_read_all_the_same() -> None:
    entry = {**AT_ENTRY, "level": "ERROR", "name": "a", "message": "telling\u00a0x", "exc_info": "Oops: \u202ey"}
    (record,) = scan(json.dumps(entry, ensure_ascii=False) + "\n")
    assert record.level == "ERROR" and "Oops" in record.text and "\u202e" not in record.text
    (record,) = scan('{"telling": "\x1b[2J\u202e"\n')
    assert "\x1b" not in record.text and "\u202e" not in record.text


def test_an_error_in_json_names_its_level_wherever_its_message_does() -> None:
    quoted = json.dumps({"level": "INFO"})
    entry = {"message": f"telling {quoted}", "level": "ERROR", **AT_ENTRY}
    quiet = json.dumps({**AT_ENTRY, "level": "INFO", "name": "a", "message": "x"}) + "\n"
    (record,) = scan(quiet * 30 + json.dumps(entry) + "\n")
    assert (record.level, record.text) == ("ERROR", f"telling {quoted}")


@pytest.mark.parametrize(
    "text",
    [
        "Task transcription.gpu_transcribe[8f2c5a1e] received",
        "Rediarization failed: telling",
        "ERROR: telling",
        "Note: INFO:telling",
        '{"error": "telling"}',
        "2026-11-28 telling",
    ],
)
def test_what_only_looks_like_a_head_is_part_of_the_message(text: str) -> None:
    found = scan(f"[2026-11-28 15:05:45,499: WARNING/MainProcess] telling\n  {text}\n")
    assert [record.text for record in found] == [f"telling\n  {text}"]


@pytest.mark.parametrize("block", [300, 2_000])
@pytest.mark.parametrize("form", FORMATS)
def test_records_of_each_format_may_cross_blocks(form: str, block: int) -> None:
    first = FORMATS[form].format(level="ERROR", message="telling")
    more = "" if form == "v0.5 JSON" else "and more\n" * 20
    quiet = FORMATS[form].format(level="INFO", message="x") + "\n"
    (record,) = scan(f"{quiet * 7}{first}\n{more}{quiet * 20}", block=block)
    assert record.text == f"telling\n{more}".strip("\n")


@pytest.mark.parametrize("form", ["celery", "v0.5 text", "v0.5 JSON"])
def test_the_own_time_of_a_record_before_a_place(form: str) -> None:
    line = FORMATS[form].format(level="INFO", message="x").encode()
    text = b"first\n" + line + b"\nprinted\ntelling"
    assert time_before(text, text.index(b"telling")) == AT
    assert time_before(b"printed\ntelling", 8) is None


@pytest.mark.parametrize("form", ["celery", "v0.5 text", "v0.5 JSON"])
def test_own_times_are_compared_with_the_engines(form: str) -> None:
    line = FORMATS[form].format(level="INFO", message="x").encode()
    assert own_time_agrees(b"2026-11-28T15:05:45.499000000Z " + line)
    assert not own_time_agrees(b"2026-11-28T14:05:45.499000000Z " + line)
