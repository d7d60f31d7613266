"""Whether git tracks the ``.env``: by indexes that git wrote, by such as no git wrote, and in repositories of strangers."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ot_doctor.evidence import Deployment, EnvFile, Request
from ot_doctor.sources.dotenv.env_files import gather

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git to write an index with")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
STRANGER = 12345


def read(path: Path, environ: dict[str, str] | None = None, timeout: float = 30.0) -> EnvFile:
    return gather(Request(environ=environ or {}, timeout=timeout), Deployment(path.parent, "--dir", path))


def tracked(path: Path) -> bool | None:
    return read(path).tracked_by_git


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=n", "-c", "user.email=n@example", "-c", "protocol.file.allow=always", "-c", "safe.directory=*")
    done = subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def give_away(*folders: Path) -> None:
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """A ``.env`` in a folder of a repository, whose root has one, too; nothing is added yet."""
    folder = tmp_path / "ot" / "app"
    folder.mkdir(parents=True)
    git(tmp_path / "ot", "init", "-q", "-b", "main")
    for path in (folder, folder.parent):
        (path / ".env").write_text("A=1\n")
        (path / ".env.example").write_text("A=\n")
    return folder / ".env"


# -- what git writes ---------------------------------------------------------------------------------------------------


def test_no_repository_tracks_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    assert tracked(tmp_path / ".env") is False


def test_only_the_file_itself_counts(env: Path) -> None:
    assert tracked(env) is False
    git(env.parent, "add", "-f", "../.env", ".env.example")
    assert tracked(env) is False
    assert tracked(env.parent.parent / ".env") is True
    git(env.parent, "add", "-f", ".env")
    assert tracked(env) is True
    git(env.parent, "rm", "-q", "--cached", ".env")
    assert tracked(env) is False


def test_nothing_of_the_environment_matters(env: Path) -> None:
    git(env.parent, "add", "-f", ".env")
    assert read(env, {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "PATH": ""}).tracked_by_git is True


@pytest.mark.parametrize("version", ["2", "4"])
def test_versions_of_the_index(env: Path, version: str) -> None:
    root = env.parent.parent
    for number in range(300):
        (root / f"app/file-{number:03}-{'x' * (number % 40)}").write_text("")
    git(root, "update-index", "--index-version", version)
    git(root, "add", "-A", "--", ".", ":!app/.env")
    assert struct.unpack(">I", (root / ".git/index").read_bytes()[4:8]) == (int(version),)
    assert tracked(env) is False
    git(root, "add", "-f", "app/.env")
    assert tracked(env) is True


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2", "4"])
def test_many_files(env: Path, version: str) -> None:
    root = env.parent.parent
    names = "".join(f"100644 {'1' * 40}\tsome/folder/of/a/large/project/file-{number}.py\n" for number in range(50_000))
    subprocess.run(["git", "update-index", "--index-info"], cwd=root, input=names, text=True, check=True, timeout=60)
    git(root, "update-index", "--index-version", version)
    assert tracked(env) is False
    git(root, "add", "-f", "app/.env")
    assert tracked(env) is True


@pytest.mark.parametrize("flag", ["--intent-to-add", "--skip-worktree", "--assume-unchanged"])
@pytest.mark.parametrize("version", ["3", "4"])
def test_flags_of_an_entry(env: Path, flag: str, version: str) -> None:
    git(env.parent, "add", "-f", "../.env", *([flag] if flag == "--intent-to-add" else []), ".env")
    if flag != "--intent-to-add":
        git(env.parent, "update-index", flag, ".env", "../.env")
    git(env.parent, "update-index", "--index-version", version)
    assert tracked(env) is True


def test_a_name_that_is_longer_than_its_flags_can_say(env: Path) -> None:
    long = env.parent / ("a" * 200)
    for _ in range(5):
        long = long / ("a" * 200)
    long.mkdir(parents=True)
    (long / "f").write_text("")
    git(env.parent, "add", "-f", ".")
    assert tracked(env) is True


def test_a_conflict(env: Path) -> None:
    root = env.parent.parent
    git(root, "add", "-Af")
    git(root, "commit", "-qm", "1")
    git(root, "checkout", "-qb", "other")
    env.write_text("A=2\n")
    git(root, "commit", "-qam", "2")
    git(root, "checkout", "-q", "main")
    env.write_text("A=3\n")
    git(root, "commit", "-qam", "3")
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "merge", "other")
    assert len(git(root, "ls-files", "-u").splitlines()) == 3
    assert tracked(env) is True


def test_objects_of_the_other_kind(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / "a").write_text("")
    git(tmp_path, "add", "a")
    assert tracked(tmp_path / ".env") is False
    git(tmp_path, "add", "-f", ".env")
    assert tracked(tmp_path / ".env") is True
    git(tmp_path, "update-index", "--index-version", "4", "--split-index")
    assert tracked(tmp_path / ".env") is True


def test_a_split_index(env: Path) -> None:
    root = env.parent.parent
    git(root, "config", "splitIndex.maxPercentChange", "100")
    for number in range(200):
        (root / f"a{number:03}").write_text("")
    git(root, "add", "-Af")
    git(root, "update-index", "--split-index")
    assert tracked(env) is True  # from the shared one
    (root / "a001").write_text("changed")
    git(root, "add", "a001")
    git(root, "rm", "-q", "--cached", "app/.env", "a003", "a150")
    assert list((root / ".git").glob("sharedindex.*"))
    assert tracked(env) is False  # deleted from it
    assert tracked(root / ".env") is True
    git(root, "add", "-f", "app/.env")
    assert tracked(env) is True  # in the changes
    for shared in (root / ".git").glob("sharedindex.*"):
        shared.unlink()
    assert tracked(root / ".env") is None


def sparse(root: Path) -> None:
    git(root, "add", "-Af")
    git(root, "commit", "-qm", "1")
    git(root, "sparse-checkout", "init", "--cone", "--sparse-index")


def test_a_sparse_index(env: Path) -> None:
    root = env.parent.parent
    sparse(root)
    assert not env.exists()
    assert b"app/\0" in (root / ".git/index").read_bytes()
    assert tracked(root / ".env") is True
    env.parent.mkdir(exist_ok=True)
    env.write_text("A=1\n")
    assert tracked(env) is None  # the folder stands there, and its files are in an object


def test_a_second_work_tree_and_a_submodule(env: Path, tmp_path: Path) -> None:
    root = env.parent.parent
    git(root, "add", "-Af")
    git(root, "commit", "-qm", "1")
    git(root, "worktree", "add", "-q", str(tmp_path / "second"))
    second = tmp_path / "second/app/.env"
    assert (tmp_path / "second/.git").is_file() and tracked(second) is True
    git(second.parent, "rm", "-q", "--cached", ".env")
    assert (tracked(second), tracked(env)) == (False, True)
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(root), "module")
    inside = outer / "module/app/.env"
    assert (outer / "module/.git").is_file() and tracked(inside) is True
    git(inside.parent, "rm", "-q", "--cached", ".env")
    assert tracked(inside) is False


@pytest.mark.parametrize("where", ["..", '"{root}"', "{root} # here"])
def test_a_work_tree_by_its_setting(env: Path, where: str) -> None:
    root = env.parent.parent
    git(root, "add", "-Af")
    with (root / ".git/config").open("a") as file:
        file.write(f"[Core] WorkTree = {where.format(root=root)}\n")
    assert tracked(env) is True
    with (root / ".git/config").open("a") as file:
        file.write('[core "else"]\n\tworktree = /\n[core]\n\tworktree = ../app\n')
    assert tracked(root / ".env") is False  # outside of the work tree
    assert tracked(env) is True and git(env.parent, "ls-files", "--", ".env") == ".env"


def test_a_link_carries_nothing_along(env: Path) -> None:
    root = env.parent.parent
    link = root / "link"
    link.symlink_to("app/.env")
    git(root, "add", "-f", "link")
    assert tracked(link) is False
    git(root, "add", "-f", "app/.env")
    file = read(link)
    assert file.tracked_by_git is True
    assert file.target == env
    assert read(env).target is None


def test_a_folder_that_is_only_called_so(env: Path) -> None:
    git(env.parent, "add", "-f", ".env")
    (env.parent / ".git").mkdir()
    assert tracked(env) is True
    (env.parent / ".git").rmdir()
    (env.parent / ".git").write_text("gitdir: nowhere\n")
    assert tracked(env) is None


def test_what_git_says_is_what_the_index_says(tmp_path: Path) -> None:
    """Many repositories by chance."""
    chance = random.Random(7)
    for turn in range(12):
        root = tmp_path / str(turn)
        root.mkdir()
        git(root, "init", "-q", *(["--object-format=sha256"] if turn % 3 == 0 else []))
        files = {f"{chance.choice('abc')}/{chance.choice('xyz') * chance.randint(1, 30)}/.env" for _ in range(8)} | {".env"}
        for name in files:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
        git(root, "update-index", "--index-version", chance.choice("24"))
        git(root, "add", "-f", *chance.sample(sorted(files), 4))
        if turn % 2:
            git(root, "update-index", "--split-index")
            git(root, "add", "-f", *chance.sample(sorted(files), 2))
            git(root, "rm", "-q", "--cached", *chance.sample(git(root, "ls-files").splitlines(), 2))
        listed = git(root, "ls-files").splitlines()
        assert {name for name in files if tracked(root / name)} == set(listed)


# -- what nobody should have written -----------------------------------------------------------------------------------


def header(version: int, count: int) -> bytes:
    return struct.pack(">4sII", b"DIRC", version, count)


def growing() -> bytes:
    """Each name is the one before and a letter more: 600,000 of them would be 180 GB."""
    entry = bytes(60) + b"\0\1" + b"\0" + b"a" + b"\0"
    return header(4, 600_000) + entry * 600_000 + bytes(20)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda: b"", id="empty"),
        pytest.param(lambda: b"DIRC", id="short"),
        pytest.param(lambda: header(9, 0) + bytes(20), id="a version of the future"),
        pytest.param(lambda: header(2, 0xFFFFFFFF) + bytes(2000), id="a huge count"),
        pytest.param(lambda: header(2, 3) + b"\xff" * 2000, id="no end of a name"),
        pytest.param(lambda: header(4, 3) + bytes(62) + b"\xff" * 2000, id="a number without an end"),
        pytest.param(lambda: header(2, 0) + b"TREE\xff\xff\xff\xff" + bytes(20), id="a huge extension"),
        pytest.param(lambda: header(2, 0) + b"what\0\0\0\0" + bytes(20), id="an extension that must be known"),
        pytest.param(lambda: header(2, 0) + b"link\0\0\0\x14" + b"\1" * 20 + bytes(20), id="a base that is not there"),
        pytest.param(growing, id="names that grow"),
    ],
)
def test_an_index_that_no_git_wrote(env: Path, content: Callable[[], bytes]) -> None:
    (env.parent.parent / ".git/index").write_bytes(content())
    started = time.monotonic()
    assert tracked(env) is None
    assert time.monotonic() - started < 5


def test_an_index_that_is_cut_anywhere(env: Path) -> None:
    root = env.parent.parent
    git(root, "add", "-f", ".env", "app/.env.example")
    git(root, "update-index", "--split-index")
    git(root, "add", "-f", "app/.env")
    whole = (root / ".git/index").read_bytes()
    for end in range(len(whole)):
        (root / ".git/index").write_bytes(whole[:end])
        read(env)  # whatever it is, no exception
        if end < 40:
            assert tracked(env) is None


@pytest.mark.slow
def test_a_bitmap_that_is_none(env: Path) -> None:
    root = env.parent.parent
    git(root, "config", "splitIndex.maxPercentChange", "100")
    git(root, "add", "-Af")
    git(root, "update-index", "--split-index")
    git(root, "rm", "-q", "--cached", ".env.example")
    index = root / ".git/index"
    whole = index.read_bytes()
    start = whole.index(b"link") + 8 + 20
    chance = random.Random(3)
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(3):
            changed[chance.randrange(start, len(changed) - 20)] = chance.randrange(256)
        index.write_bytes(changed)
        assert tracked(env) in (True, False, None)
    index.write_bytes(whole[: start + 4] + b"\xff" * 4 + bytes(len(whole) - start - 8))
    assert tracked(root / ".env") is None  # a bitmap that says it is longer than the file


@pytest.mark.parametrize("name", ["index", "config", "commondir", "HEAD"])
@pytest.mark.parametrize("kind", ["fifo", "endless", "large", "loop", "folder"])
def test_a_file_of_the_repository_that_is_none(env: Path, name: str, kind: str) -> None:
    git(env.parent, "add", "-f", ".env")
    path = env.parent.parent / ".git" / name
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)  # a hole
    started = time.monotonic()
    assert tracked(env) is (True if name == "HEAD" else None)
    assert time.monotonic() - started < 3


# -- nothing is run --------------------------------------------------------------------------------------------------------


def exploit(folder: Path, mark: Path) -> None:
    """A repository whose ``git ls-files`` fetches a folder that it lacks, by a program that the repository names."""
    source = folder.parent / "source"
    (source / "d/e").mkdir(parents=True)
    (source / "d/e/f").write_text("x")
    (source / "top").write_text("y")
    git(source, "init", "-q", "-b", "main")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "1")
    git(folder.parent, "clone", "-q", "--no-checkout", str(source), str(folder))
    git(folder, "sparse-checkout", "init", "--cone", "--sparse-index")
    git(folder, "checkout", "-q", "main")
    tree = git(folder, "rev-parse", "HEAD:d")
    program = folder.parent / "program"
    program.write_text(f'#!/bin/sh\necho ran >> {mark}\nexec git-upload-pack "$@"\n')
    program.chmod(0o755)
    for name, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(source),
        "remote.origin.uploadpack": str(program),
    }.items():
        git(folder, "config", name, value)
    (folder / ".git/objects" / tree[:2] / tree[2:]).unlink(missing_ok=True)
    for pack in (folder / ".git/objects/pack").iterdir():
        pack.unlink()


@pytest.mark.parametrize("given_away", [False, pytest.param(True, marks=needs_root)])
@pytest.mark.parametrize("where", [".", "below"])
def test_a_repository_runs_nothing(tmp_path: Path, where: str, given_away: bool) -> None:
    victim, mark = tmp_path / "victim", tmp_path / "ran"
    exploit(victim, mark)
    (victim / where).mkdir(exist_ok=True)
    path = victim / where / ".env"
    path.write_text("A=1\n")
    git(victim, "config", "core.fsmonitor", f"touch {mark}; false")
    git(victim, "config", "alias.ls-files", f"!touch {mark}")
    if given_away:
        give_away(victim)
    assert tracked(path) is False
    assert not mark.exists()
    subprocess.run(["git", "-c", "safe.directory=*", "ls-files"], cwd=victim, capture_output=True, timeout=60)
    assert mark.exists()  # it would have


@needs_root
def test_somebody_elses_repository_is_believed_about_his_own_file_alone(env: Path) -> None:
    root = env.parent.parent
    git(root, "add", "-f", ".env", "app/.env")
    give_away(root)
    assert tracked(env) is True
    os.chown(env, 0, 0)  # as sudo leaves it
    assert tracked(env) is True
    os.chown(env.parent, 0, 0)
    assert tracked(env) is None  # a stranger's folder above one's own
    assert tracked(root / ".env") is True
