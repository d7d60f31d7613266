"""``ot-doctor fix`` on an ``.env`` in a place where it cannot simply be replaced: real mounts, real rights, a disk that is full.

They need what the private engine needs: Linux, root and namespaces.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_fix import SHADOWED, Bench
from tests.parts.engine import Engine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine")]

FIXED = f"{SHADOWED[: SHADOWED.rstrip().rindex(chr(10))]}\n# HUGGINGFACE_TOKEN=\n"
FIX = ["fix", "--no-docker", "--offline", "--select", "env-shadowed", "--yes", "--allow", "changes-files", "--format", "json"]
SOMEBODY = 12345  # a user without any rights of their own
AS_SOMEBODY = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "--"]


@pytest.fixture
def bench(engine: Engine, tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.env.write_text(SHADOWED)
    return made


def within(bench: Bench, script: str, source: Path | None = None) -> dict[str, Any]:
    """Run ``fix`` in a mount namespace after the script, and ``undo`` after that; what each said, and the file after each."""
    steps = f"""
        set -eu; cd "$1"
        {script}
        shift 2
        set +e
        "$@" > "$FIXED_SAYS"; cp -p .env "$AFTER.fix" 2>/dev/null; stat -c %i .env > "$AFTER.inode"; ls -A > "$AFTER.ls"
        "$UNDO" undo --yes > "$AFTER.undone" 2>&1; cat .env > "$AFTER.undo"
    """
    out = bench.home.parent
    told = {"FIXED_SAYS": f"{out}/says", "AFTER": f"{out}/after", "UNDO": bench.command()[0]}
    command = ["unshare", "--mount", "--propagation=private", "sh", "-c", steps, "sh", str(bench.ot), str(source or "")]
    done = subprocess.run(
        [*command, *bench.command(*FIX)], env={**bench.environ, **told}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (out / "says").read_text().startswith("{"), done.stderr
    found: dict[str, Any] = json.loads((out / "says").read_text())
    found["files"] = {kind: (out / f"after.{kind}").read_text() for kind in ("fix", "inode", "ls", "undo", "undone")}
    found["outcomes"] = [(action["outcome"], action["reason"]) for one in found["causes"] for action in one["actions"]]
    return found


def first(told: dict[str, Any]) -> tuple[str, str]:
    outcome, reason = told["outcomes"][0]
    return outcome, reason or ""


def test_a_file_that_is_mounted_over_the_env_is_written_where_it_is(bench: Bench, tmp_path: Path) -> None:
    """A container that has the file, or a NAS that mounts it: renaming over it is EBUSY."""
    real = tmp_path / "real.env"
    real.write_text(SHADOWED)
    inode = real.stat().st_ino
    bench.env.write_text("nothing of this is seen\n")
    told = within(bench, 'mount --bind "$2" .env', real)
    assert first(told) == ("applied", "") and told["files"]["fix"] == FIXED
    assert told["files"]["inode"].strip() == str(inode) == str(real.stat().st_ino)
    assert told["files"]["ls"].split() == [".env", "docker-compose.yml"], "nothing is left beside it"
    assert told["files"]["undo"] == SHADOWED == real.read_text(), told["files"]["undone"]
    assert bench.env.read_text() == "nothing of this is seen\n"


def test_on_a_disk_that_is_mounted_read_only_it_is_refused(bench: Bench) -> None:
    told = within(bench, 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1"')
    assert first(told)[0] == "refused" and "mounted read-only" in first(told)[1]
    assert bench.env.read_text() == SHADOWED


@pytest.mark.parametrize("grows", [False, True], ids=["replaced", "in its place"])
def test_on_a_full_disk_the_file_is_as_it_was_and_nothing_is_left(bench: Bench, grows: bool) -> None:
    """A second name makes it be written in its place, and what it holds fills its last page."""
    page = os.sysconf("SC_PAGE_SIZE")
    text = f"#{'x' * (page - len(SHADOWED) - 2)}\n{SHADOWED}"
    assert len(text) == page
    bench.env.write_text(text)
    fill = """
        mkdir disk && mount -t tmpfs -o size=64k tmpfs disk && cp -p .env docker-compose.yml disk/ && cd disk
        {second}; dd if=/dev/zero of=filler bs=4096 2>/dev/null || true; test "$(stat -f -c %f .)" = 0
    """.format(second="ln .env second" if grows else ":")
    told = within(bench, fill)
    outcome, reason = first(told)
    assert outcome == "refused" and "No space left on device. It is as it was." in reason
    assert told["files"]["fix"] == text
    assert sorted(told["files"]["ls"].split()) == sorted([".env", "docker-compose.yml", "filler", *(["second"] if grows else [])])


def as_somebody(bench: Bench) -> subprocess.CompletedProcess[str]:
    command = [*AS_SOMEBODY, *bench.command(*FIX)]
    return subprocess.run(command, cwd=bench.ot, env=bench.environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def shared(bench: Bench, tmp_path: Path, let_others_in: Callable[[Path], None]) -> Bench:
    """The home and the state are somebody's own, and the folder is not."""
    let_others_in(tmp_path)
    bench.state.mkdir(mode=0o700)
    for path in (bench.home, bench.state):
        os.chown(path, SOMEBODY, SOMEBODY)
    return bench


def test_in_a_folder_that_cannot_be_written_to_the_file_is_written_where_it_is(shared: Bench) -> None:
    os.chown(shared.env, SOMEBODY, SOMEBODY)
    shared.env.chmod(0o600)
    before = shared.env.stat()
    done = as_somebody(shared)
    assert done.stdout.startswith("{"), done.stderr
    after = shared.env.stat()
    assert shared.env.read_text() == FIXED, done.stdout
    assert (after.st_ino, after.st_uid, after.st_mode) == (before.st_ino, before.st_uid, before.st_mode)
    assert sorted(os.listdir(shared.ot)) == [".env", "docker-compose.yml"]


@pytest.mark.parametrize("folder_is_theirs", [False, True])
def test_a_file_that_this_user_is_not_allowed_to_write_is_left_alone(shared: Bench, folder_is_theirs: bool) -> None:
    """Even where a new one could take its place: it belongs to somebody else."""
    if folder_is_theirs:
        os.chown(shared.ot, SOMEBODY, SOMEBODY)
    shared.env.chmod(0o644)
    before = shared.env.stat()
    told = json.loads(as_somebody(shared).stdout)
    (action, *_) = [action for one in told["causes"] for action in one["actions"]]
    assert action["outcome"] == "refused" and "You are not allowed to change" in action["reason"] and "sudo" in action["reason"]
    after = shared.env.stat()
    assert shared.env.read_text() == SHADOWED and (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert told["changed_nothing"] and told["exit_code"] == 1
