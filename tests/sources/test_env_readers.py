"""What bash and python-dotenv make of a ``.env``, held against both of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values

from ot_doctor.evidence import Reader
from ot_doctor.sources.dotenv.compose_dialect import DotenvRefused, parse
from ot_doctor.sources.dotenv.other_readers import bash_reading, differences
from tests.sources.env_rows import REFUSED, ROWS, SHELL, Row

PROCESS_NUMBER = "34 $$"
BASH, PYTHON = Reader.BASH, Reader.PYTHON
MORE_FOR_BASH = (
    "A=a&b\nB=1",
    "A=a;b\nB=1",
    "A=a|b\nB=1",
    "A=~/models\nB=x:~/y\nC=x~\nD=~",
    "A=C:\\models\\x\nB='C:\\models'",
    "A=don't\nB=2\nC=it's\nD=4",
    "A=don't\nB=2",
    "A=(1 2)\nB=2",
    "A=x(y)\nB=2",
    "A=1 B=2 C=$A",
    "export A=1 B=2\nexport C\nexport D= x",
    "A=1 # c\nB=2#c\n#C=3\n  # D=4",
    "A=\nB=$A-${A}-$HF_TOKEN",
    'A=\'x\'"y"z\\ w\nB="a\\nb\\"c\\\\d"',
    "A=1\\\n2\nB=3",
    "A=1 \r\nB=2\r\nC= x\r\n\r\nD='4'\r\n",
    "A=$'x'\nB=\"$\"\nC=$",
    "A=1\nA.B=2\n9C=3\nB-C=4\nD=5",
    "A=x # don't\nB=2",
    "A=<\nB=2",
    "A=1\nB='x\ny'\nC=3",
    "A=http://h:1/?a=b\nB=[1]\nC={x,y}\nD=*.nothing",
)


def bash_says(folder: Path, data: bytes, keys: list[str]) -> dict[str, str]:
    """What the keys hold after a real bash has sourced the file."""
    (folder / ".env").write_bytes(data)
    show = "".join(f'[ -n "${{{key}+x}}" ] && printf "%s\\0%s\\0" {key} "${key}"\n' for key in keys)
    script = f"set -a; source ./.env >/dev/null 2>&1\n{show}exit 0"
    environ = {"PATH": os.defpath, "HOME": "/home/somebody", **SHELL}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environ, capture_output=True, timeout=20)
    parts = done.stdout.decode(errors="replace").split("\0")[:-1]
    return dict(zip(parts[0::2], parts[1::2], strict=True))


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")


@needs_bash
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_table_says_what_bash_reads(row: Row, tmp_path: Path) -> None:
    said = bash_says(tmp_path, row.data, [row.key]).get(row.key)
    if row.name == PROCESS_NUMBER:
        assert said and said.removeprefix("hf_a").removesuffix("bc").isdecimal()
    else:
        assert said == row.bash


@needs_bash
@pytest.mark.parametrize("data", [row.data for row in ROWS] + [(text + "\n").encode() for text in MORE_FOR_BASH])
def test_the_rules_for_bash_are_bashs(data: bytes, tmp_path: Path) -> None:
    keys = ["A", "B", "C", "D", "E", "NEXT", "LATER", "HUGGINGFACE_TOKEN", "MAX_SPEAKERS"]
    said = bash_says(tmp_path, data, keys)
    reading = bash_reading(data.decode("utf-8", "replace"), {"HOME": "/home/somebody", **SHELL})
    assert {key: value for key, value in reading.values.items() if key in keys} == {
        key: value for key, value in said.items() if key not in reading.unknown
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_table_says_what_python_dotenv_reads(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / ".env"
    path.write_bytes(row.data)
    if row.python_dotenv == REFUSED:
        with pytest.raises(UnicodeDecodeError):
            dotenv_values(path)
    else:
        assert dotenv_values(path).get(row.key) == row.python_dotenv


def told(data: bytes) -> list[tuple[int, str, Reader, str]]:
    effective = {a.key: a for a in parse(data, SHELL.get)}
    return [(d.line, d.key, d.reader, d.what) for d in differences(data, effective, {"HOME": "/home/somebody", **SHELL})]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_difference_is_told_where_there_is_one(row: Row) -> None:
    try:
        effective = {a.key: a for a in parse(row.data, SHELL.get) if a.value is not None}
    except DotenvRefused:
        return
    if row.key not in effective or b"${" in row.data or b"LATER" in row.data:
        return
    found = {d.reader: d for d in differences(row.data, effective, SHELL)}
    for reader, theirs in ((BASH, row.bash), (PYTHON, row.python_dotenv)):
        assert (reader in found) == (theirs != row.compose), found
        if reader in found:
            assert "abc" not in found[reader].what


T = "HUGGINGFACE_TOKEN"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HUGGINGFACE_TOKEN=hf_abc\r\n", [(1, T, BASH, "keeps the carriage return at the end of the value")]),
        ("HUGGINGFACE_TOKEN = hf_abc\n", [(1, T, BASH, "takes the name before the space for a command")]),
        ("HUGGINGFACE_TOKEN= hf_abc\n", [(1, T, BASH, "takes the value behind the space for a command")]),
        ("\ufeffHUGGINGFACE_TOKEN=hf_abc\n", [(1, T, BASH, "takes the byte order mark for a part of the name")]),
        (
            "HUGGINGFACE_TOKEN: hf_abc\n",
            [(1, T, BASH, "takes the name before ':' for a command"), (1, T, PYTHON, "does not see the value")],
        ),
        ("GPU_ID=0\t# note\n", [(1, "GPU_ID", BASH, "leaves the comment out"), (1, "GPU_ID", PYTHON, "leaves the comment out")]),
        ("MODEL_CACHE_DIR=~/models\n", [(1, "MODEL_CACHE_DIR", BASH, "reads another value")]),
        (
            "HUGGINGFACE_TOKEN=hf_a$bc\n",
            [(1, T, PYTHON, "leaves the '$' as it is")],
        ),
        (
            "A=don't\nGPU_ID=1\nHUGGINGFACE_TOKEN=hf_abc\n",
            [(1, "", BASH, "finds no closing ', and reads nothing from this line on")],
        ),
        ("DB_PASSWORD = x\n", []),
        ("HUGGINGFACE_TOKEN=\"hf_abc\"\nexport GPU_ID='0' # x\n", []),
    ],
)
def test_a_difference_is_told_in_words(text: str, expected: list[tuple[int, str, Reader, str]]) -> None:
    assert told(text.encode()) == expected


def test_nothing_of_the_file_is_run(tmp_path: Path) -> None:
    assert len(told(f"GPU_A=`touch {tmp_path}/a`\nGPU_B=$(touch {tmp_path}/b)\n".encode())) == 2
    assert not list(tmp_path.iterdir())
