from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ot_doctor.evidence import Deployment, EnvFile, EnvProblem, Request, Unavailable
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.dotenv.env_files import gather, gather_asked
from ot_doctor_checks.env_shadowed import env_shadowed

TOKEN = "hf_" + "aB3" * 11 + "x"
T = "HUGGINGFACE_TOKEN"
PATH = {"PATH": os.environ.get("PATH", os.defpath)}


def read(path: Path, environ: dict[str, str] | None = None) -> EnvFile:
    return gather(Request(environ={**PATH, **(environ or {})}), Deployment(path.parent, "--dir", path))


def written(folder: Path, content: str | bytes, environ: dict[str, str] | None = None) -> EnvFile:
    path = folder / ".env"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, environ)


def test_entries_have_their_lines_and_the_last_one_counts(tmp_path: Path) -> None:
    file = written(tmp_path, f"# c\n{T}={TOKEN}\nMAX_SPEAKERS=20  # more\n{T}=\n")
    assert file.problem is None
    assert [(e.key, e.line) for e in file.entries] == [(T, 2), ("MAX_SPEAKERS", 3), (T, 4)]
    assert file.all(T)[0].value == Secret(TOKEN)
    entry = file.entry(T)
    assert entry is not None and entry.empty and isinstance(entry.value, Secret)
    assert file.entries[1].value == "20"
    assert str(file.where(3)) == f"{tmp_path}/.env:3"


def test_a_bare_key_does_not_take_an_earlier_value_away(tmp_path: Path) -> None:
    file = written(tmp_path, "GPU_ID=1\nGPU_ID\nNOTHING\n")
    assert [(e.key, e.value) for e in file.entries] == [("GPU_ID", "1"), ("GPU_ID", "1"), ("NOTHING", None)]
    assert file.entry("NOTHING") == file.entries[2]


def test_the_token_is_secret_wherever_it_stands(tmp_path: Path) -> None:
    other = "hf_" + "Q7z" * 11 + "Q"
    text = f'{T}={TOKEN}\nNOTE="mine is {TOKEN}"\nVITE_X={TOKEN}\n{T}=\n{other}\nhf_token=abc\n{T}=\nabcdefghijk12345\n'
    file = written(tmp_path, text)
    kept = [e for e in file.entries if e.value]
    assert kept and all(isinstance(e.value, Secret) for e in kept)
    for leak in (TOKEN, other, "abcdefghijk12345"):
        assert leak not in repr(file)


def test_facts_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o640)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    file = read(path)
    assert (file.mode, file.owner) == (0o640, os.getuid())
    assert file.modified_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)


def test_a_missing_file(tmp_path: Path) -> None:
    file = read(tmp_path / ".env")
    assert (file.problem, file.problem_text) == (EnvProblem.MISSING, f"{tmp_path}/.env does not exist")
    assert read(tmp_path / "no" / "folder" / ".env").problem is EnvProblem.MISSING
    (tmp_path / ".env").symlink_to("nowhere")
    assert read(tmp_path / ".env").problem is EnvProblem.MISSING


def test_a_folder_as_compose_makes_one_for_a_bind_mount(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert read(tmp_path / ".env").problem is EnvProblem.FOLDER


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    file = read(tmp_path / ".env")
    assert (file.problem, file.problem_text) == (EnvProblem.UNREADABLE, f"{tmp_path}/.env: {tmp_path}/.env is not a regular file")
    (tmp_path / "loop").symlink_to("loop")
    assert read(tmp_path / "loop").problem is EnvProblem.UNREADABLE


def test_a_file_that_may_not_be_read(tmp_path: Path, let_others_in: Callable[[Path], None]) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything: ask somebody else
        let_others_in(tmp_path)
        uid = os.geteuid()
        os.seteuid(65534)
        try:
            file = read(path)
        finally:
            os.seteuid(uid)
    else:
        file = read(path)
    assert file.problem is EnvProblem.UNREADABLE
    assert file.problem_text == f"{path}: Permission denied"
    assert file.mode == 0 and file.modified_at is not None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16(tmp_path: Path, encoding: str) -> None:
    file = written(tmp_path, f"{T}={TOKEN}\r\n".encode(encoding))
    assert (file.problem, file.problem_line) == (EnvProblem.UTF16, 1)
    assert not file.entries


def test_a_file_that_compose_refuses(tmp_path: Path) -> None:
    file = written(tmp_path, f'A=1\n{T}="{TOKEN}\nB=2\n')
    assert (file.problem, file.problem_line, file.problem_text) == (EnvProblem.REFUSED, 2, "unterminated quoted value")
    assert not file.entries and not file.odd_lines and TOKEN not in repr(file)


def test_too_large_a_file(tmp_path: Path) -> None:
    with open(tmp_path / ".env", "wb") as file:
        file.truncate(1024 * 1024 + 1)
    refused = read(tmp_path / ".env")
    assert (refused.problem, refused.problem_text) == (EnvProblem.TOO_LARGE, f"{tmp_path}/.env has more than 1 MB")
    refused = written(tmp_path, "A=1\n" * 10_001)
    assert (refused.problem, refused.problem_text) == (EnvProblem.TOO_LARGE, f"{tmp_path}/.env has more than 10,000 lines")


@pytest.mark.parametrize(
    "data", [random.Random(3).randbytes(1024 * 1024), b"A=b # c\n" * 10_000], ids=["random", "many lines"]
)
def test_a_huge_file_is_read_soon(tmp_path: Path, data: bytes) -> None:
    started = time.process_time()
    file = written(tmp_path, data)
    assert file.problem is EnvProblem.REFUSED or file.entries
    assert time.process_time() - started < 5


ODD = [
    (f"{T}=“hf_abc”", "U+201C LEFT DOUBLE QUOTATION MARK in the value"),
    ("GPU_ID=0”", "U+201D RIGHT DOUBLE QUOTATION MARK in the value"),
    ("TITLE=“My server”", "U+201C LEFT DOUBLE QUOTATION MARK in the value"),
    (f"{T}=hf_abc\u200b", "U+200B ZERO WIDTH SPACE in the value"),
    (f"{T}=hf_\xa0abc", "U+00A0 NO-BREAK SPACE in the value"),
    (f"{T}=hf_a\x1bbc", "U+001B CONTROL CHARACTER in the value"),
    (f"{T}=hf_abc\ufeff", "U+FEFF ZERO WIDTH NO-BREAK SPACE in the value"),
    (f"{T}=`hf_abc`", "U+0060 GRAVE ACCENT in the value"),
    (f"{T}={T}=hf_abc", f"the name {T}= pasted twice"),
    (f"{T}=HF_TOKEN=hf_abc", "the name HF_TOKEN= pasted twice"),
    ("GPU_ID=0\t# note", "a comment that stayed in the value: a TAB stands before the '#', Compose wants a space"),
    ("ANYTHING=0\t# note", "a comment that stayed in the value: a TAB stands before the '#', Compose wants a space"),
    (f"{T}=hf_abc#note", "a comment that stayed in the value: no space stands before the '#'"),
    (f"{T}= # note", "a comment in place of the value: Compose takes it for the value"),
    (f"{T}=# note", "a comment in place of the value: Compose takes it for the value"),
    ("OTHER= # note", "a comment in place of the value: Compose takes it for the value"),
    (f"{T}=\nhf_abc", "the value stands on the next line, where Compose does not look for it"),
    (f"{T}=\\\nhf_abc", "the value stands on the next line, where Compose does not look for it"),
    (f'{T}=hf_abc"', "a closing double quote without an opening one"),
    (f"{T}=hf_abc'", "a closing single quote without an opening one"),
    (f"{T}='hf_abc\nX=1'", "a quote that is closed on a later line only: the lines between are part of the value"),
    (f'{T}=" hf_abc "', "spaces inside the quotes, at the beginning or the end of the value"),
    (f"{T}=hf_abc my token", "more than one word in the token"),
    (f"{T}=hf_a$bc", "a '$', which Compose takes for the beginning of a variable"),
    (f"{T}=hf_abc\rB=1\r", "U+000D CARRIAGE RETURN inside the value: old Mac line ends join this line and the next ones"),
    ("НUGGINGFACE_TOKEN=hf_abc", "U+041D CYRILLIC CAPITAL LETTER EN in the name"),
]


@pytest.mark.parametrize(("line", "what"), ODD)
def test_odd_lines_that_do_harm(tmp_path: Path, line: str, what: str) -> None:
    odd = written(tmp_path, f"# first\n{line}\n").odd_lines
    assert next((o.line, o.what, o.harmful) for o in odd if o.harmful) == (2, what, True)
    assert "hf_abc" not in "".join(o.what + o.key for o in odd)


HARMLESS = [
    f"{T}=hf_abc",
    f'{T}="hf_abc"',
    f"{T}='hf_abc'  # note",
    f"{T} = hf_abc",
    f"export {T}=hf_abc   ",
    f"{T}=hf_abc  # my token",
    f"{T}=hf_abc\r",
    f"\ufeff{T}=hf_abc",
    f"{T}=\xa0hf_abc",
    f"{T}=\nNEXT=1",
    f"{T}=\n# hf_abc",
    f"{T}=${{NOT_SET}}",
    'DB_PASSWORD=a#b"c"',
    "COLOUR=#fff",
    "PROMPT=“Say” it — with\xa0care",
    "HF_ENDPOINT=http://hub/#x",
    'A="1" HUGGINGFACE_TOKEN=hf_abc',
]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_harmless_is_not_odd(tmp_path: Path, line: str) -> None:
    file = written(tmp_path, f"{line}\n")
    assert file.problem is None and file.entries and file.odd_lines == ()


def test_a_colon_is_odd_and_harmless(tmp_path: Path) -> None:
    assert [(o.line, o.key, o.harmful) for o in written(tmp_path, f"{T}: hf_abc\n").odd_lines] == [(1, T, False)]


def test_differences_are_gathered(tmp_path: Path) -> None:
    differences = written(tmp_path, f"{T}=hf_abc\r\n").differences
    assert [(d.line, d.key, d.reader.value) for d in differences] == [(1, T, "bash (opentr.sh)")]


def test_the_shell_wins_where_it_differs(tmp_path: Path) -> None:
    environ = {"MODEL_CACHE_DIR": "/shell", "GPU_ID": "0", T: TOKEN, "ELSE": "1"}
    file = written(tmp_path, f"MODEL_CACHE_DIR=./models\nGPU_ID=0\n{T}=hf_other\nCACHE=$MODEL_CACHE_DIR\n", environ)
    assert file.shell_wins == {"MODEL_CACHE_DIR": "/shell", T: Secret(TOKEN)}
    entry = file.entry("MODEL_CACHE_DIR")
    assert entry is not None and entry.value == "./models"
    assert file.entries[-1].value == "/shell"


def asked(here: Path, running: Path) -> tuple[EnvFile | None, tuple[str, ...]]:
    deployment = Deployment(here, "the working folder", running / ".env", running_dir=running)
    request = Request(environ=PATH)
    answer = gather_asked(request, deployment, gather(request, deployment))
    return answer.file, answer.differing_keys


def test_the_folder_that_was_asked_for_and_the_one_that_runs(tmp_path: Path) -> None:
    here, running = tmp_path / "here", tmp_path / "running"
    here.mkdir()
    running.mkdir()
    (running / ".env").write_text(f"{T}={TOKEN}\nSAME=1\nGONE=1\nLAST=0\nLAST=2\n")
    (here / ".env").write_text(f"{T}=hf_other\nSAME='1'\nNEW=1\nLAST=2\n")
    file, keys = asked(here, running)
    assert file is not None and file.path == here / ".env"
    assert keys == (T, "NEW", "GONE")
    (here / ".env").unlink()
    file, keys = asked(here, running)
    assert file is not None and (file.problem, keys) == (EnvProblem.MISSING, ())
    (here / ".env").symlink_to(running / ".env")
    assert asked(here, running) == (None, ())
    assert asked(running, running) == (None, ())


def test_a_printed_command_comments_out_a_quoted_value_with_all_of_its_lines(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    file = written(tmp_path, f"A=1\n{T}='{TOKEN}'\nB='x\ny'\n{T}=\"\n\n\"  # none\nC=3\n")
    assert [list(entry.lines) for entry in file.entries] == [[1], [2], [3, 4], [5, 6, 7], [8]]
    nothing = Unavailable("no engine")
    findings = list(env_shadowed(file, nothing, nothing, nothing))
    command = next(step.command for finding in findings for step in finding.remedy if step.command)
    subprocess.run(["sh", "-c", command], check=True, cwd="/")
    assert path.read_text() == f"A=1\n{T}='{TOKEN}'\nB='x\ny'\n# {T}=\"\n\n# \"  # none\nC=3\n"
    again = written(tmp_path, path.read_text())
    assert again.problem is None and [entry.key for entry in again.entries] == ["A", T, "B", "C"]
