"""The journal: private, on the disk before the run goes on, and right wherever the run was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ot_doctor.fix import journal
from ot_doctor.fix.journal import Busy, Entry, Journal, NoJournal, locked, stored
from ot_doctor.fix.outcome import Became
from ot_doctor.fix.takeback import take_back, undoable
from tests.fix.site import TOKEN, site

SHADOWED = f"A=1\nHUGGINGFACE_TOKEN={TOKEN}\nHUGGINGFACE_TOKEN=\n"
FIXED = SHADOWED.replace("\nHUGGINGFACE_TOKEN=\n", "\n# HUGGINGFACE_TOKEN=\n")

# One whole run on a planted .env; it kills itself at the n-th thing that is put on the disk.
_RUN = """
import os, signal, sys
from pathlib import Path
from ot_doctor.actions import EditEnv, LineChange, LineEdit
from ot_doctor.fix import journal, whole_file
from ot_doctor.fix.catalogue import procedure_of, to_json
from tests.fix.site import site

env, state, left = Path(sys.argv[1]), Path(sys.argv[2]), [int(sys.argv[3])]
real = os.fsync

def counted(handle):
    real(handle)
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync = counted
action = EditEnv(str(env), (LineEdit(3, LineChange.COMMENT_OUT, "HUGGINGFACE_TOKEN"),))
with journal.locked(state, str(env.parent)):
    log = journal.Journal.begin(state, str(env.parent))
    procedure = procedure_of(action, site(env))
    assert procedure.precondition()
    entry = journal.Entry(1, to_json(action), procedure.preview().does)
    entry.saved = procedure.save(log.files(1))
    log.doing(entry)
    procedure.apply()
    procedure.verify()
    log.done(entry, "applied")
    log.end()
print("whole")
"""


def run_until(env: Path, state: Path, number: int) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _RUN, str(env), str(state), str(number)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )


@pytest.mark.slow
def test_killed_anywhere_the_file_is_whole_and_can_be_taken_back(tmp_path: Path) -> None:
    seen = set()
    for number in range(1, 30):
        env, state = tmp_path / str(number) / ".env", tmp_path / f"state-{number}"
        env.parent.mkdir()
        env.write_text(SHADOWED)
        done = run_until(env, state, number)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        now = env.read_text()
        assert now in (SHADOWED, FIXED)
        run = next(iter(stored(state)), None)
        seen.add((now == FIXED, run is not None and run.cut_off))
        with locked(state, str(env.parent)):  # the lock of the dead is free
            pass
        if run is not None:
            before = [r.became for r in take_back(run, site(env), lambda entry: True)]
            assert set(before) <= {Became.UNDONE, Became.ALREADY}
            assert not undoable(stored(state)[0]) and not stored(state)[0].cut_off
        assert env.read_text() == SHADOWED
        if done.returncode == 0:
            break
    else:
        pytest.fail("it never ended")
    assert number > 6 and {(False, False), (False, True), (True, True), (True, False)} <= seen


def test_it_is_private(tmp_path: Path) -> None:
    state = tmp_path / "ot-doctor"
    log = Journal.begin(state, "/srv/ot")
    log.files(1)
    modes = {path.stat().st_mode & 0o777 for path in [state, *state.rglob("*")] if path.is_dir()}
    assert modes == {0o700} and (log.run.folder / "journal.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_may_write_to_is_made_private(tmp_path: Path) -> None:
    state = tmp_path / "ot-doctor"
    state.mkdir()
    state.chmod(0o777)
    Journal.begin(state, "/srv/ot")
    assert state.stat().st_mode & 0o777 == 0o700


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ot-doctor").symlink_to("elsewhere")
    with pytest.raises(NoJournal, match="not a folder of yours"):
        Journal.begin(tmp_path / "ot-doctor", "/srv/ot")


def test_without_a_journal_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoJournal, match="Without a journal nothing is changed"):
        Journal.begin(tmp_path / "file" / "ot-doctor", "/srv/ot")


def test_the_newest_ten_are_kept(tmp_path: Path) -> None:
    names = [Journal.begin(tmp_path / "s", "/srv/ot").run.name for _ in range(13)]
    assert [run.name for run in stored(tmp_path / "s")] == list(reversed(names[-10:]))


def test_two_at_once_are_refused_and_two_installations_are_not(tmp_path: Path) -> None:
    one, other = locked(tmp_path / "s", "/srv/ot"), locked(tmp_path / "s", "/srv/other")
    with one, other, pytest.raises(Busy, match="/srv/ot"), locked(tmp_path / "s", "/srv/ot"):
        pass
    with locked(tmp_path / "s", "/srv/ot"):
        pass


def test_a_line_that_was_cut_off_hides_no_later_one(tmp_path: Path) -> None:
    log = Journal.begin(tmp_path / "s", "/srv/ot")
    log.doing(Entry(1, {"name": "env.mode"}, "Does it."))
    with open(log.run.folder / "journal.jsonl", "a") as file:
        file.write('{"event": "do')
    Journal(stored(tmp_path / "s")[0]).leave()
    (run,) = stored(tmp_path / "s")
    assert run.left and [e.number for e in run.entries] == [1] and not run.cut_off


def test_what_is_no_journal_is_passed_over(tmp_path: Path) -> None:
    runs = tmp_path / "s" / "runs"
    for name, text in {"a": "", "b": "[]\n3\nnull\n", "c": '{"event": "done", "number": 9}\n', "d": "\xff\n"}.items():
        (runs / name).mkdir(parents=True)
        (runs / name / "journal.jsonl").write_text(text)
    assert stored(tmp_path / "s") == []
    assert journal.state_folder({"XDG_STATE_HOME": "relative"}, "/") == Path("/.local/state/ot-doctor")
