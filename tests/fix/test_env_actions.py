"""Edits of the ``.env``: exactly what is meant changes, wherever the file is and however it is written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ot_doctor.actions import Action, EditEnv, Encoding, LineChange, LineEdit, ProtectEnv, ReencodeEnv, UntrackEnv
from ot_doctor.fix import whole_file
from ot_doctor.fix.actions.env import shown_line
from ot_doctor.fix.catalogue import procedure_of
from ot_doctor.fix.procedure import NotDone, NotPossible
from tests.fix.site import OTHER, TOKEN, carried_out, site

NAME = "HUGGINGFACE_TOKEN"
SHADOWED = f"A=1\n{NAME}={TOKEN}\n{NAME}=\nB=2\n"


@pytest.fixture
def env(tmp_path: Path) -> Path:
    folder = tmp_path / "ot"
    folder.mkdir()
    path = folder / ".env"
    path.write_text(SHADOWED)
    path.chmod(0o640)
    return path


def edit(env: Path, *edits: LineEdit) -> EditEnv:
    return EditEnv(str(env), edits)


def comment_out(line: int, key: str | None = NAME) -> LineEdit:
    return LineEdit(line, LineChange.COMMENT_OUT, key)


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        (SHADOWED, [comment_out(3)], f"A=1\n{NAME}={TOKEN}\n# {NAME}=\nB=2\n"),
        (f"A=1\r\n{NAME}=\r\n", [comment_out(2)], f"A=1\r\n# {NAME}=\r\n"),
        (f"A=1\n{NAME}=", [comment_out(2)], f"A=1\n# {NAME}="),
        (f"HF_TOKEN={TOKEN}\n{NAME}=\n", [LineEdit(1, LineChange.RENAME, "HF_TOKEN", NAME), comment_out(2)],
         f"{NAME}={TOKEN}\n# {NAME}=\n"),
        (f"export HF_TOKEN = '{TOKEN}'\n", [LineEdit(1, LineChange.RENAME, "HF_TOKEN", NAME)], f"export {NAME} = '{TOKEN}'\n"),
        ("MIN_SPEAKERS=5\nMAX_SPEAKERS=two\n", [LineEdit(2, LineChange.WRITE, "MAX_SPEAKERS", "MAX_SPEAKERS=20")],
         "MIN_SPEAKERS=5\nMAX_SPEAKERS=20\n"),
        (f"{NAME}=\u201c{TOKEN}\u201d\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], f"{NAME}={TOKEN}\n"),
        (f"{NAME}={NAME}={TOKEN}\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], f"{NAME}={TOKEN}\n"),
        (f"{NAME}={TOKEN}\t# mine\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], f"{NAME}={TOKEN}\n"),
        (f"{NAME}={TOKEN}\u200b\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], f"{NAME}={TOKEN}\n"),
        (f"{NAME}={TOKEN}{TOKEN}\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], f"{NAME}={TOKEN}\n"),
        (f"\ufeff{NAME}=\nA=1\n", [comment_out(1)], f"\ufeff# {NAME}=\nA=1\n"),
        (f"A=1\n set {NAME}={TOKEN}\n", [LineEdit(2, LineChange.DROP_SET)], f"A=1\n{NAME}={TOKEN}\n"),
    ],
)  # fmt: skip
def test_the_lines_that_are_meant_change_and_no_other_byte(
    env: Path, tmp_path: Path, before: str, edits: list[LineEdit], after: str
) -> None:
    env.write_bytes(before.encode())
    action = edit(env, *edits)
    saved = carried_out(procedure_of(action, site(env)), tmp_path / "files")
    assert env.read_bytes() == after.encode()
    assert not procedure_of(action, site(env)).precondition(), "a second time there is nothing to do"
    kind = type(procedure_of(action, site(env)))
    assert kind.undo(saved, tmp_path / "files", site(env)) and env.read_bytes() == before.encode()
    assert not kind.undo(saved, tmp_path / "files", site(env)), "and nothing to take back a second time"
    assert os.listdir(env.parent) == [".env"]


@pytest.mark.parametrize(
    ("before", "edits", "why"),
    [
        (SHADOWED, [comment_out(4)], "is not on line 4"),
        (SHADOWED, [comment_out(9)], "has no line 9"),
        ("A=1\nB=${A}x\n", [comment_out(1, "A")], "Other settings"),
        ("A=1\nB='not closed\n", [comment_out(1, "A")], "would not accept"),
        (f"{NAME}={TOKEN}{OTHER}\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], "does not hold one whole token"),
        (f"{NAME}={TOKEN}x\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], "does not hold one whole token"),
        (f"{NAME}='{TOKEN} {OTHER}'\n", [LineEdit(1, LineChange.KEEP_TOKEN, NAME)], "does not hold one whole token"),
        ("A='x\nB=2'\n", [comment_out(1, "A")], "Other settings"),
        ("A=1\n", [LineEdit(1, LineChange.WRITE, "A", "A='2")], "would not accept"),
        ("A=1\n", [LineEdit(1, LineChange.WRITE, "A", "A=2 # two")], "would not become what is meant"),
    ],
)
def test_what_would_change_anything_else_is_refused(env: Path, before: str, edits: list[LineEdit], why: str) -> None:
    env.write_text(before)
    with pytest.raises(NotPossible, match=why):
        procedure_of(edit(env, *edits), site(env)).precondition()
    assert env.read_text() == before


def test_another_file_than_the_one_examined_is_never_changed(env: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.env"
    other.write_text(SHADOWED)
    for action in (edit(other, comment_out(3)), ProtectEnv(str(other)), UntrackEnv(str(other))):
        with pytest.raises(NotPossible, match="that was examined"):
            procedure_of(action, site(env))


def test_a_link_stays_a_link_and_its_target_is_changed(env: Path, tmp_path: Path) -> None:
    link = tmp_path / "ot" / "linked.env"
    link.symlink_to(".env")
    carried_out(procedure_of(edit(link, comment_out(3)), site(link)), tmp_path / "files")
    assert link.is_symlink() and f"# {NAME}=" in env.read_text()


def test_of_a_file_with_two_names_both_change(env: Path, tmp_path: Path) -> None:
    os.link(env, tmp_path / "second")
    inode = env.stat().st_ino
    carried_out(procedure_of(edit(env, comment_out(3)), site(env)), tmp_path / "files")
    assert f"# {NAME}=" in (tmp_path / "second").read_text() and env.stat().st_ino == inode
    assert not (tmp_path / "files" / whole_file.TORN).exists()


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV])
def test_where_it_cannot_be_replaced_it_is_written_in_its_place(
    env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def busy(*names: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", busy)
    inode = env.stat().st_ino
    saved = carried_out(procedure_of(edit(env, comment_out(3)), site(env)), tmp_path / "files")
    assert f"# {NAME}=" in env.read_text() and env.stat().st_ino == inode and os.listdir(env.parent) == [".env"]
    kind = type(procedure_of(edit(env, comment_out(3)), site(env)))
    assert kind.undo(saved, tmp_path / "files", site(env)) and env.read_text() == SHADOWED


def test_one_that_was_torn_in_its_place_is_taken_back(env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.link(env, tmp_path / "second")
    procedure = procedure_of(edit(env, comment_out(3)), site(env))
    files = tmp_path / "files"
    files.mkdir()
    saved = procedure.save(files)

    def killed(handle: int, data: bytes) -> None:
        os.pwrite(handle, data[:20] + b"#" * 7, 0)
        raise KeyboardInterrupt

    monkeypatch.setattr(whole_file, "_fill", killed)
    with pytest.raises(KeyboardInterrupt):
        procedure.apply()
    monkeypatch.undo()
    assert env.read_text() != SHADOWED and (files / whole_file.TORN).exists()
    assert type(procedure).undo(saved, files, site(env)) and env.read_text() == SHADOWED


def test_owner_mode_and_attributes_stay(env: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(env, 12345, 23456)
    before = env.stat()
    carried_out(procedure_of(edit(env, comment_out(3)), site(env)), tmp_path / "files")
    after = env.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert after.st_ino != before.st_ino, "replaced as a whole"


def test_a_file_that_was_edited_meanwhile_is_left_alone(env: Path, tmp_path: Path) -> None:
    procedure = procedure_of(edit(env, comment_out(3)), site(env))
    assert procedure.precondition()
    files = tmp_path / "files"
    files.mkdir()
    procedure.save(files)
    env.write_text(SHADOWED + "C=3\n")
    with pytest.raises(NotPossible, match="was changed meanwhile"):
        procedure.apply()
    assert env.read_text() == SHADOWED + "C=3\n"


def test_an_edit_since_is_not_undone(env: Path, tmp_path: Path) -> None:
    procedure = procedure_of(edit(env, comment_out(3)), site(env))
    saved = carried_out(procedure, tmp_path / "files")
    env.write_text(env.read_text() + "C=3\n")
    with pytest.raises(NotPossible, match="was changed since"):
        type(procedure).undo(saved, tmp_path / "files", site(env))
    assert env.read_text().endswith("C=3\n")


def test_something_that_is_not_a_file_is_refused(env: Path) -> None:
    env.unlink()
    with pytest.raises(NotPossible):
        procedure_of(edit(env, comment_out(3)), site(env))
    os.mkfifo(env)
    with pytest.raises(NotPossible, match="not a regular file"):
        procedure_of(edit(env, comment_out(3)), site(env))
    env.unlink()
    env.mkdir()
    with pytest.raises(NotPossible, match="not a regular file"):
        procedure_of(edit(env, comment_out(3)), site(env))


_FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from ot_doctor.fix import whole_file
from ot_doctor.fix.procedure import NotPossible
file = whole_file.read(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    whole_file.write(file, b"x" * 100, Path(sys.argv[2]))
except NotPossible as error:
    print(error)
"""


@pytest.mark.parametrize("names", [1, 2])
def test_where_there_is_no_room_it_stays_as_it_was(env: Path, tmp_path: Path, names: int) -> None:
    if names == 2:
        os.link(env, tmp_path / "second")
    done = subprocess.run([sys.executable, "-c", _FULL, str(env), str(tmp_path)], capture_output=True, text=True, check=False)
    assert "could not be written" in done.stdout, done.stderr
    assert env.read_text() == SHADOWED and os.listdir(env.parent) == [".env"]


def test_what_does_not_arrive_is_not_called_written(env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lies(*names: object) -> None:
        """Says that it moved the file, and did not."""

    monkeypatch.setattr(os, "replace", lies)
    file = whole_file.read(env)
    with pytest.raises(NotDone, match="something else was read back"):
        whole_file.write(file, b"A=2\n", tmp_path)


@pytest.mark.parametrize(
    ("before", "wrong", "after"),
    [
        (f"A=1\r\n{NAME}={TOKEN}\r\n".encode("utf-16"), Encoding.UTF16, f"A=1\n{NAME}={TOKEN}\n".encode()),
        (f"{NAME}={TOKEN}\n".encode("utf-16-le"), Encoding.UTF16, f"{NAME}={TOKEN}\n".encode()),
        (f"A=\0001\n{NAME}={TOKEN}\n".encode(), Encoding.NUL, f"A=1\n{NAME}={TOKEN}\n".encode()),
        (b"A=1\r\nB=2\r\n", Encoding.CARRIAGE_RETURN, b"A=1\nB=2\n"),
    ],
)
def test_encodings(env: Path, tmp_path: Path, before: bytes, wrong: Encoding, after: bytes) -> None:
    env.write_bytes(before)
    action = ReencodeEnv(str(env), wrong)
    procedure = procedure_of(action, site(env))
    saved = carried_out(procedure, tmp_path / "files")
    assert env.read_bytes() == after and not procedure_of(action, site(env)).precondition()
    assert type(procedure).undo(saved, tmp_path / "files", site(env)) and env.read_bytes() == before


def test_an_encoding_that_does_not_help_is_refused(env: Path) -> None:
    env.write_bytes("A='x\n".encode("utf-16"))
    with pytest.raises(NotPossible, match="would not accept"):
        procedure_of(ReencodeEnv(str(env), Encoding.UTF16), site(env)).precondition()


def test_the_mode_loses_the_rights_of_others_alone(env: Path, tmp_path: Path) -> None:
    env.chmod(0o664)
    procedure = procedure_of(ProtectEnv(str(env)), site(env))
    saved = carried_out(procedure, tmp_path / "files")
    assert env.stat().st_mode & 0o7777 == 0o660
    assert not procedure_of(ProtectEnv(str(env)), site(env)).precondition()
    assert type(procedure).undo(saved, tmp_path / "files", site(env)) and env.stat().st_mode & 0o7777 == 0o664
    env.chmod(0o600)
    with pytest.raises(NotPossible, match="was changed since"):
        type(procedure).undo(saved, tmp_path / "files", site(env))


def test_git_forgets_the_file_and_knows_it_again(env: Path, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(env.parent), *words], capture_output=True, text=True, check=True)
        return done.stdout

    git("init", "--quiet")
    (env.parent / "other").write_text("x")
    git("add", "-f", ".env", "other")
    git("config", "core.hooksPath", str(tmp_path))
    staged = git("ls-files", "--stage")
    procedure = procedure_of(UntrackEnv(str(env)), site(env))
    saved = carried_out(procedure, tmp_path / "files")
    assert git("ls-files") == "other\n" and env.read_text() == SHADOWED
    assert not procedure_of(UntrackEnv(str(env)), site(env)).precondition()
    assert type(procedure).undo(saved, tmp_path / "files", site(env)) and git("ls-files", "--stage") == staged
    assert not type(procedure).undo(saved, tmp_path / "files", site(env))


@pytest.mark.parametrize(
    "line", [f"{NAME}={TOKEN}", f"# {NAME}={TOKEN}", f"export {NAME}='{TOKEN}' # x", TOKEN, f"PASSWORD={TOKEN[3:]}", TOKEN[3:]]
)
def test_no_line_shows_a_secret(line: str) -> None:
    shown = shown_line(line.encode())
    assert TOKEN not in shown and TOKEN[3:] not in shown and TOKEN[3:15] not in shown


def test_a_preview_shows_the_lines_with_their_numbers(env: Path) -> None:
    actions: list[Action] = [edit(env, comment_out(3))]
    preview = procedure_of(actions[0], site(env)).preview()
    assert preview.lines == (f"-    3  {NAME}=", f"+    3  # {NAME}=")
    assert preview.does == f"Comments out line 3 of {env}." and list(preview.rests_on) == [f"file {env}"]
