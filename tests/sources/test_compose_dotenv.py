"""The parser of ``.env`` files on its own; ``test_compose_agrees`` holds it against the real Compose."""

from __future__ import annotations

import random
import time

import pytest

from ot_doctor.sources.dotenv.compose_dialect import (
    Assignment,
    Budget,
    DotenvRefused,
    TemplateRefused,
    parse,
    references,
    substitute,
)
from tests.sources.env_rows import REFUSED, ROWS, SHELL, Row


def nothing(name: str) -> str | None:
    return None


def in_the_container(data: bytes) -> dict[str, str]:
    """Both passes of Compose: the project's environment, then the container's."""
    project = {a.key: a.value for a in parse(data, SHELL.get) if a.value is not None}
    return {a.key: a.value for a in parse(data, {**project, **SHELL}.get) if a.value is not None}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_line_gives_what_compose_gives(row: Row) -> None:
    if row.compose == REFUSED:
        with pytest.raises(DotenvRefused):
            in_the_container(row.data)
    else:
        assert in_the_container(row.data).get(row.key) == row.compose


def test_duplicates_and_bare_keys_are_kept_in_order_with_their_lines() -> None:
    data = b'# top\n\nA=1\nB="two\nlines"\n\nA=\nBARE\nHF_TOKEN\n  A=3 # c\n'
    assert parse(data, SHELL.get) == (
        Assignment("A", "1", 3),
        Assignment("B", "two\nlines", 4, 5),
        Assignment("A", "", 7),
        Assignment("BARE", None, 8),
        Assignment("HF_TOKEN", "hf_shell", 9),
        Assignment("A", "3", 10),
    )


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b'A=1\nB="hf_secret\nC=2\n', 2, "unterminated quoted value"),
        (b"A=1\n\nset B=hf_secret\n", 3, "key cannot contain a space"),
        (b"# c\nhf/secret=1\n", 2, 'unexpected character "/" in variable name'),
        (b"\xff\xfeA\0", 1, 'unexpected character "\ufffd" in variable name'),
        (b"A\0B=1\n", 1, 'unexpected character "U+0000" in variable name'),
        (b"A=1\nB=${hf_secret\n", 2, "invalid template: '${' without its '}'"),
        (b"B=${NO:?hf_secret}\n", 1, "required variable NO is missing a value"),
        (b"A=hf_secret\0\n", 1, "setenv: invalid argument (a NUL byte)"),
        (b"A=1\nhf_secret", 2, "setenv: invalid argument (a name without '=', or a value without a name)"),
    ],
)
def test_a_refusal_names_the_line_and_shows_no_value(data: bytes, line: int, message: str) -> None:
    with pytest.raises(DotenvRefused) as refused:
        parse(data, nothing)
    assert (refused.value.line, refused.value.message) == (line, message)


def test_a_nul_that_a_later_line_replaces_does_no_harm() -> None:
    assert parse(b"A=\0\nA=1\n", nothing)[-1].value == "1"


def test_the_lookup_wins_over_the_file() -> None:
    assert [a.value for a in parse(b"A=file\nB=${A}\nC=$A\n", {"A": "shell"}.get)] == ["file", "shell", "shell"]


@pytest.mark.parametrize("kind", ["bytes", "text", "assignments"])
def test_random_input_is_read_or_refused_and_never_slow(kind: str) -> None:
    chance = random.Random(kind)
    pieces = [b"A", b"=", b"\n", b'"', b"'", b"$", b"${", b"}", b"\\", b" ", b"#", b"\xff", b"\r", b":-", b"\0", b"\xc2\xa0"]
    started = time.process_time()
    for _ in range(300):
        if kind == "bytes":
            data = chance.randbytes(chance.randint(0, 20_000))
        elif kind == "text":
            data = b"".join(chance.choices(pieces, k=chance.randint(0, 2_000)))
        else:
            data = b"\n".join(b"A=" + b"".join(chance.choices(pieces[:-2], k=3)) for _ in range(200))
        try:
            parse(data, nothing)
        except DotenvRefused as refused:
            assert 1 <= refused.line <= data.count(b"\n") + 1
    assert time.process_time() - started < 10


MEGABYTES = 3 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(random.Random(5).randbytes(MEGABYTES), id="random bytes"),
        pytest.param(b"#" + random.Random(6).randbytes(MEGABYTES).replace(b"\n", b""), id="random comment"),
        pytest.param(b"A=" + b"x" * MEGABYTES, id="one value"),
        pytest.param(b"A" * MEGABYTES, id="one name"),
        pytest.param(b" " * MEGABYTES + b"=", id="blanks"),
        pytest.param(b'A="' + b"x" * MEGABYTES, id="open quote"),
        pytest.param(b'A="' + b"\\" * MEGABYTES, id="backslashes"),
        pytest.param(b'A="' + b"\\n" * (MEGABYTES // 2) + b'"', id="escapes"),
        pytest.param(b"A=" + b"${" * (MEGABYTES // 2), id="open braces"),
        pytest.param(b"A=" + b"${A:-" * (MEGABYTES // 6) + b"}" * (MEGABYTES // 6), id="nested"),
        pytest.param(b"A=" + b"${A:-{" * (MEGABYTES // 7) + b"}", id="never closed"),
        pytest.param(b"A=" + b"${A:-}" * (MEGABYTES // 6), id="side by side"),
        pytest.param(b"A=1234567890\n" + b"A=$A$A\n" * 1000, id="doubling"),
        pytest.param(b"A=" + b"x" * 100_000 + b"\n" + b"B=$A\n" * 100_000, id="a long value again and again"),
    ],
)
def test_megabytes_of_anything_end_soon(data: bytes) -> None:
    started = time.process_time()
    try:
        parse(data, nothing)
    except DotenvRefused as refused:
        assert len(refused.message) < 200
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A/${A}/$$A", "a/a/$A"),
        ("${NO}|${NO:-x}|${NO-x}|${EMPTY:-x}|${EMPTY-x}", "|x|x|x|"),
        ("${A:+x}|${NO:+x}|${EMPTY:+x}|${EMPTY+x}", "x|||x"),
        ("${NO:-${A}}${NO:-{b}}", "a{b}"),
        ("$1 $ $-", "$1 $ $-"),
    ],
)
def test_substitution_in_compose_files(text: str, expected: str) -> None:
    assert substitute(text, {"A": "a", "EMPTY": ""}.get, Budget()) == expected


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${1}", "${A!}", "${NO?}", "${A:?${}}"])
def test_substitution_that_compose_refuses(text: str) -> None:
    with pytest.raises(TemplateRefused):
        substitute(text, {"A": "a"}.get, Budget())


def test_references_are_the_names_in_a_text() -> None:
    assert references("$A ${B:-${C}} $$D $1 ${A}") == ("A", "B", "C")
