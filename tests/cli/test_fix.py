"""``ot-doctor fix`` and ``undo`` as commands: what is asked, what is written, and what they exit with. There is no Docker."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import jsonschema
import pytest

from ot_doctor.cli.main import cli
from tests.fix.site import OTHER, TOKEN
from tests.fix.terminal import Terminal
from tests.parts import ready_doctor
from tests.parts.hub import LocalHub, pyannote_hub

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(Path(sys.executable).with_name("ot-doctor"))
SCHEMA = json.loads((ROOT / "docs" / "fix.schema.json").read_text(encoding="utf-8"))
COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n    env_file: .env\n"
NAME = "HUGGINGFACE_TOKEN"
PLAIN = f"POSTGRES_PASSWORD=canaryPassW0rd77\n{NAME}={TOKEN}\n"
SHADOWED = f"{PLAIN}{NAME}=\n"


class ForkInTerminal(Terminal):
    """What is in the terminal is a fork of the loaded doctor."""

    def __init__(self, *arguments: str, environ: Mapping[str, str], folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 140, 0, 0))
        before = ready_doctor.IN_ITS_TERMINAL
        process = ready_doctor.Started(*arguments, cwd=folder, env=environ, streams=(theirs,) * 3, before=before)
        self.process = process  # type: ignore[assignment]
        os.close(theirs)
        self.shown, self._from = "", 0


class Bench:
    """A folder with an installation, a home and a state folder of its own, and no Docker."""

    def __init__(self, folder: Path) -> None:
        self.ot, self.home, self.state = folder / "ot", folder / "home", folder / "state"
        for made in (self.ot, self.home):
            made.mkdir()
        (self.ot / "docker-compose.yml").write_text(COMPOSE)
        self.env = self.ot / ".env"
        self.env.write_text(PLAIN)
        self.env.chmod(0o644)
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "XDG_STATE_HOME": str(self.state),
            "DOCKER_HOST": f"unix://{folder / 'no.sock'}",
        }  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        return [SCRIPT, *arguments]

    def fix(self, *arguments: str, stdin: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        return self("fix", "--no-docker", "--offline", *arguments, stdin=stdin, **environ)

    def __call__(self, *arguments: str, stdin: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        return ready_doctor.run(*arguments, cwd=self.ot, env={**self.environ, **environ}, input=stdin)

    def terminal(self, *arguments: str) -> Terminal:
        return ForkInTerminal("fix", "--no-docker", "--offline", *arguments, environ=self.environ, folder=self.ot)

    def everything(self) -> dict[str, tuple[str, int, int]]:
        """Every byte, mode and inode below the folder."""
        found = {}
        for path in sorted(p for root in (self.ot, self.home, self.state) for p in root.rglob("*")):
            status = path.lstat()
            data = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (data, status.st_mode, status.st_ino)
        return found

    @property
    def mode(self) -> int:
        return self.env.stat().st_mode & 0o777


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


EXPOSED = ("--select", "token-exposed")


@pytest.mark.parametrize("options", [["--dry-run", "--yes", "--allow", "changes-files"], ["--allow", "changes-files"]])
def test_a_dry_run_and_one_without_a_terminal_change_no_byte(bench: Bench, options: list[str]) -> None:
    bench.env.write_text(SHADOWED)
    before = bench.everything()
    done = bench.fix(*EXPOSED, *options)
    assert bench.everything() == before and done.returncode == 1
    assert "mode 0644 becomes 0640" in done.stdout and "Nothing was changed." in done.stdout


def test_without_a_terminal_the_command_that_would_do_it_is_told_and_does_it(bench: Bench) -> None:
    told = bench.fix(*EXPOSED, "--dir", str(bench.ot)).stdout
    command = re.search(r"^  (ot-doctor fix .*)$", told, re.MULTILINE)
    assert command, told
    words = shlex.split(command[1])
    assert cli.commands["fix"].make_context("fix", words[2:]), "it is one that the command line takes"
    done = bench(*words[1:])
    assert bench.mode == 0o640 and "token-exposed" in done.stdout, done.stderr


def test_json_is_one_document_of_the_schema(bench: Bench) -> None:
    for options, code in ((["--dry-run"], 1), (["--yes", "--allow", "changes-files"], None), ([], None)):
        done = bench.fix(*EXPOSED, "--format", "json", *options)
        told = json.loads(done.stdout)
        jsonschema.validate(told, SCHEMA)
        assert told["exit_code"] == done.returncode and code in (None, done.returncode)
    assert bench.mode == 0o640


def test_a_warning_is_left_alone_unless_it_is_selected_and_is_told_of(bench: Bench) -> None:
    done = bench.fix("--yes", "--allow", "changes-files")
    assert bench.mode == 0o644 and "Warnings that it can fix as well: ot-doctor fix --select token-exposed" in done.stdout


def test_yes_alone_does_what_is_safe_and_counts_what_it_did_not(bench: Bench) -> None:
    done = bench.fix(*EXPOSED, "--yes")
    assert done.returncode == 1 and bench.mode == 0o644
    assert "1 step (changes-files)" in done.stdout and "--allow changes-files" in done.stdout
    assert "Not done: that needs --allow changes-files." in done.stdout and "Not fixed: token-exposed." in done.stdout


def test_the_command_that_would_do_it_allows_the_whole_remedy(bench: Bench) -> None:
    """Also the restart that comes after the step that was not allowed."""
    bench.env.write_text(SHADOWED)
    told = bench.fix("--select", "env-shadowed", "--yes").stdout
    assert re.search(r"^  ot-doctor fix .*--yes --allow changes-files,restarts$", told, re.MULTILINE), told


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--allow", "everything"], "is not one of changes-files"),
        (["--select", "token-expsed"], "Did you mean token-exposed"),
        (["--token-file", "/does/not/exist"], "there is no file"),
        (["--plan", "p.json", "--apply", "docker-compose.yml"], "carries a plan out"),
        (["--apply", "docker-compose.yml"], "is not a plan"),
        (["--plan", "/does/not/exist/p.json"], "there is no folder"),
    ],
)
def test_wrong_usage(bench: Bench, arguments: list[str], why: str) -> None:
    done = bench.fix(*arguments)
    assert done.returncode == 2 and why in done.stderr and bench.mode == 0o644
    told = json.loads(bench.fix(*arguments, "--format", "json").stdout)
    jsonschema.validate(told, SCHEMA)
    assert (told["exit_code"], told["error_kind"], told["changed_nothing"]) == (2, "usage", True) and why in told["error"]


def test_what_the_options_themselves_are_wrong_in_is_told_as_a_document_of_fix(bench: Bench) -> None:
    for arguments in (("--no-such-option",), ("--timeout", "x"), ("--dir", "/does/not/exist")):
        done = bench("fix", "--format", "json", *arguments)
        told = json.loads(done.stdout)
        jsonschema.validate(told, SCHEMA)
        assert done.returncode == told["exit_code"] == 2


def test_no_variable_agrees_to_anything(bench: Bench) -> None:
    names = ("YES", "APPLY", "TOKEN_FILE", "SELECT", "IGNORE")
    done = bench.fix(*EXPOSED, OT_DOCTOR_ALLOW="changes-files", **{f"OT_DOCTOR_{name}": "1" for name in names})
    assert done.returncode == 1 and bench.mode == 0o644 and "Nothing was changed." in done.stdout


def test_a_question_is_answered_undone_and_undone_again(bench: Bench) -> None:
    terminal = bench.terminal(*EXPOSED)
    terminal.answer("Change its mode? [y/N/d/s/q]", "y")
    terminal.expect("Looked again: token-exposed is gone")
    terminal.end()
    assert bench.mode == 0o640
    (run,) = re.findall(r"ot-doctor undo (\S+)", terminal.shown)
    assert run in bench("undo", "--list").stdout
    assert bench("undo").returncode == 2, "without a terminal it wants --yes"
    assert bench.mode == 0o640
    assert bench("undo", run, "--yes").returncode == 0 and bench.mode == 0o644
    assert bench("undo", run, "--yes").returncode == 0 and bench("undo", "--yes").returncode == 2


@pytest.mark.parametrize("line", ["", "Yes please", "q"])
def test_anything_but_a_yes_is_a_no(bench: Bench, line: str) -> None:
    terminal = bench.terminal(*EXPOSED)
    terminal.answer("Change its mode? [y/N/d/s/q]", line)
    assert terminal.end() == 1 and bench.mode == 0o644 and not list(bench.state.rglob("journal.jsonl"))


def test_an_edit_that_is_saved_while_the_question_stands_is_kept(bench: Bench) -> None:
    bench.env.write_text(SHADOWED)
    terminal = bench.terminal("--select", "env-shadowed")
    terminal.expect("Change the file? [y/N/d/s/q]")
    bench.env.write_text(f"{SHADOWED}MINE=1\n")
    terminal.type("y")
    terminal.expect("Changed since the question was asked")
    assert terminal.end() == 1 and bench.env.read_text() == f"{SHADOWED}MINE=1\n"


def test_two_at_once_are_refused(bench: Bench) -> None:
    terminal = bench.terminal(*EXPOSED)
    terminal.expect("Change its mode? [y/N/d/s/q]")
    second = bench.fix(*EXPOSED, "--yes", "--allow", "changes-files")
    assert second.returncode == 2 and "Another 'ot-doctor fix' or 'undo' works on" in second.stderr
    terminal.type("n")
    terminal.end()
    assert bench.mode == 0o644


def test_a_plan_is_carried_out_or_refused_where_it_is_stale(bench: Bench, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert bench.fix(*EXPOSED, "--plan", str(plan)).returncode == 1
    assert bench.mode == 0o644 and plan.stat().st_mode & 0o777 == 0o600 and TOKEN not in plan.read_text()
    bench.env.write_text(f"{PLAIN}MINE=1\n")
    stale = bench.fix(*EXPOSED, "--apply", str(plan))
    assert stale.returncode == 2 and f"Changed since: file {bench.env}" in stale.stderr and bench.mode == 0o644
    bench.fix(*EXPOSED, "--plan", str(plan))
    done = bench.fix(*EXPOSED, "--apply", str(plan))
    assert bench.mode == 0o640, done.stderr


def test_a_run_that_was_cut_off_is_told_and_can_be_taken_back(bench: Bench) -> None:
    bench.fix(*EXPOSED, "--yes", "--allow", "changes-files")
    (journal,) = bench.state.rglob("journal.jsonl")
    lines = [line for line in journal.read_text().splitlines() if '"done"' not in line and '"end"' not in line]
    journal.write_text("\n".join(lines) + "\n")
    told = bench.fix(*EXPOSED, "--yes")
    assert "was cut off in the middle of this: Takes the rights" in told.stderr and bench.mode == 0o640
    terminal = bench.terminal(*EXPOSED)
    terminal.answer("or leave all as it is? [L/u/r]", "")
    assert terminal.end() == 1 and bench.mode == 0o640 and "To undo it later: ot-doctor undo" in terminal.shown
    terminal = bench.terminal(*EXPOSED)
    terminal.answer("or leave all as it is? [L/u/r]", "u")
    terminal.answer("Change its mode? [y/N/d/s/q]", "n")
    terminal.end()
    assert bench.mode == 0o644 and "cut off" not in bench.fix(*EXPOSED, "--yes").stderr


def test_a_run_that_was_cut_off_can_be_resumed(bench: Bench) -> None:
    """What it did is there; what it did not do is found by looking again, and done."""
    bench.fix(*EXPOSED, "--yes", "--allow", "changes-files")
    (journal,) = bench.state.rglob("journal.jsonl")
    lines = [line for line in journal.read_text().splitlines() if '"done"' not in line and '"end"' not in line]
    journal.write_text("\n".join(lines) + "\n")
    bench.env.chmod(0o644)  # it was cut off before it did anything
    terminal = bench.terminal(*EXPOSED)
    terminal.answer("or leave all as it is? [L/u/r]", "r")
    terminal.answer("Change its mode? [y/N/d/s/q]", "y")
    terminal.end()
    assert bench.mode == 0o640 and "was cut off" not in bench.fix(*EXPOSED, "--yes").stderr
    assert bench("undo", "--yes").returncode == 0 and bench.mode == 0o644


def test_the_change_is_shown_with_what_is_around_it_and_the_cause_can_be_skipped(bench: Bench) -> None:
    bench.env.write_text(f"A=1\n{SHADOWED}B=2\n")
    terminal = bench.terminal("--select", "env-shadowed")
    terminal.answer("Change the file? [y/N/d/s/q]", "d")
    terminal.expect("     1  A=1")
    terminal.expect(f"+    4  # {NAME}=")
    terminal.expect("     5  B=2")
    terminal.answer("Change the file? [y/N/d/s/q]", "?")
    terminal.expect("also Enter, and s for skip")
    terminal.answer("Change the file? [y/N/d/s/q]", "s")
    assert terminal.end() == 1 and TOKEN not in terminal.shown and bench.env.read_text() == f"A=1\n{SHADOWED}B=2\n"


def test_a_journal_that_cannot_be_written_keeps_the_file_as_it_is(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = bench.fix(*EXPOSED, "--yes", "--allow", "changes-files", XDG_STATE_HOME=str(tmp_path / "file"))
    assert done.returncode == 2 and "Without a journal nothing is changed" in done.stderr and bench.mode == 0o644


def test_the_journal_is_in_no_bundle(bench: Bench, tmp_path: Path) -> None:
    bench.fix(*EXPOSED, "--yes", "--allow", "changes-files")
    (journal,) = bench.state.rglob("journal.jsonl")
    assert bench("collect", "--yes", "--offline", "--no-docker", "-o", str(tmp_path / "b.zip")).returncode == 0
    with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
        for name in bundle.namelist():
            assert "journal" not in name and journal.parent.name.encode() not in bundle.read(name)


def test_interrupted_at_a_question_it_ends_and_nothing_is_changed(bench: Bench) -> None:
    terminal = bench.terminal(*EXPOSED)
    terminal.expect("Change its mode? [y/N/d/s/q]")
    terminal.press(b"\x03")
    terminal.expect("interrupted")
    assert terminal.end() == 130 and bench.mode == 0o644
    assert bench.fix(*EXPOSED, "--yes", "--allow", "changes-files").stderr == "", "nothing is locked, and nothing was cut off"


def test_run_and_its_like_change_nothing(bench: Bench) -> None:
    bench.env.write_text(SHADOWED)
    before = bench.everything()
    for arguments in (("run", "--no-docker", "--offline"), ("list",), ("explain", "env-shadowed"), ("undo", "--list")):
        bench(*arguments)
    assert bench.everything() == before


# -- canaries ------------------------------------------------------------------------------------------


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with pyannote_hub(token=OTHER) as running:
        yield running


@pytest.mark.parametrize("way", ["prompt", "file", "stdin"])
def test_a_new_token_is_in_the_env_and_nowhere_else(bench: Bench, hub: LocalHub, tmp_path: Path, way: str) -> None:
    bench.env.write_text(f"POSTGRES_PASSWORD=canaryPassW0rd77\n{NAME}=your_token_here\n")
    bench.environ |= hub.client_environment()
    arguments = ["fix", "--no-docker", "--select", "token-placeholder", "-vv"]
    if way == "prompt":
        terminal = ForkInTerminal(*arguments, environ=bench.environ, folder=bench.ot)
        terminal.answer("Enter a token? [y/N/d/s/q]", "y")
        terminal.answer("it is not shown): ", OTHER)
        terminal.expect("Done, and verified.")
        terminal.end()
        said = terminal.shown
    else:
        source = tmp_path / "token"
        source.write_text(f"{OTHER}\n")
        given = "-" if way == "stdin" else str(source)
        allow = ["--yes", "--allow", "changes-files", "--token-file", given, "--format", "json"]
        done = bench(*arguments, *allow, stdin=f"{OTHER}\n" if way == "stdin" else None)
        said = done.stdout + done.stderr
        source.unlink()
    assert f"{NAME}={OTHER}" in bench.env.read_text(), said
    kept = [path for path in (*bench.state.rglob("*"), *bench.home.rglob("*")) if path.is_file()]
    assert any(path.name == "journal.jsonl" for path in kept)
    for canary in (OTHER, OTHER[3:], "canaryPassW0rd77"):
        assert canary not in said
        holding = [path.name for path in kept if canary.encode() in path.read_bytes()]
        assert holding == (["env"] if canary == "canaryPassW0rd77" else []), "the backup alone has what the file had"
