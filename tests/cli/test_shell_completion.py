"""What real shells offer when the tabulator key is pressed behind ``ot-doctor``."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ot_doctor.run.discovery import discover
from tests.parts import ready_doctor

pytestmark = pytest.mark.slow

SCRIPT = Path(sys.executable).with_name("ot-doctor")
FAMILIES = {"env", "token", "access", "cache", "worker", "logs", "speakers", "host"}
ENVIRON = {"PATH": f"{SCRIPT.parent}:{os.environ['PATH']}", "TERM": "dumb", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
# Each way in which a shell hands the words over: an option, an argument, a value behind others, and an empty word.
LINES = [
    ("ot-doctor --sel", {"--select"}),
    ("ot-doctor explain token-acc", {"token-accepted"}),
    ("ot-doctor --offline --ignore spea", {"speakers", "speaker-limits"}),
    ("ot-doctor run --require ", FAMILIES),
]
# What the program itself offers is the same in each of them.
MORE = [
    ("ot-doctor run --no-d", {"--no-docker"}),
    ("ot-doctor --offline --no-d", {"--no-docker"}),
    ("ot-doctor exp", {"explain"}),
    ("ot-doctor explain gated-not-acc", {"gated-not-accepted"}),
    ("ot-doctor --select token-", {name for name in discover().checks if name.startswith("token-")}),
    ("ot-doctor --format j", {"json", "junit"}),
    ("ot-doctor completion ", {"bash", "zsh", "fish"}),
]

SHELLS = ("bash", "zsh", "fish")
needs = {shell: pytest.mark.skipif(not shutil.which(shell), reason=f"there is no {shell} here") for shell in SHELLS}


def out(*command: str, **environ: str) -> str:
    env = {**ENVIRON, **environ}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, *command: str, folder: Path) -> None:
        self.process, self.handle = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**ENVIRON, "HOME": str(folder), "PS1": "READY> "})
        self.text = ""

    def type(self, text: str, until: str) -> str:
        """What has been shown since then, as soon as ``until`` is in it. A shell that was not ready gets a Tab once more."""
        self.text = ""
        os.write(self.handle, text.encode())
        began = time.monotonic()
        again = began + 10 if text.endswith("\t") else float("inf")
        while not re.search(until, self.text):
            assert time.monotonic() < began + 60, f"no {until!r} {time.monotonic() - began:.0f} s after {text!r}: {self.text!r}"
            if time.monotonic() > again:
                again += 10
                os.write(self.handle, b"\t")
            if select.select([self.handle], [], [], 0.2)[0]:
                self.text += os.read(self.handle, 65536).decode(errors="replace")
        return self.text

    def close(self) -> None:
        os.close(self.handle)
        os.waitpid(self.process, 0)


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal("bash", "--norc", "--noprofile", "-i", folder=tmp_path)
    terminal.type('eval "$(ot-doctor completion bash)"; echo do""ne\n', "done\r?\n")
    yield terminal
    terminal.close()


@pytest.fixture
def zsh(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal("zsh", "-f", "-i", folder=tmp_path)
    # Its line editor is ready when it shows the prompt, and what is typed before that may be lost.
    terminal.type("autoload -Uz compinit && compinit -u -D; echo do''ne\n", "(?s)done\r?\n.*READY> ")
    terminal.type('eval "$(ot-doctor completion zsh)"; echo do""ne\n', "(?s)done\r?\n.*READY> ")
    yield terminal
    terminal.close()


@needs["bash"]
def test_bash_offers() -> None:
    code = """
        eval "$(ot-doctor completion bash)"
        for line; do
            read -ra COMP_WORDS <<< "$line"; [[ $line == *" " ]] && COMP_WORDS+=("")
            COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
            COMPREPLY=()
            _ot_doctor_completion ot-doctor
            echo "${COMPREPLY[@]}"
        done
    """
    shown = out("bash", "--norc", "-c", code, "bash", *(line for line, _ in LINES)).splitlines()
    assert [(line, set(row.split())) for (line, _), row in zip(LINES, shown, strict=True)] == LINES


@needs["fish"]
def test_fish_offers_and_shows_what_a_check_is_about(tmp_path: Path) -> None:
    code = "ot-doctor completion fish | source; for line in $argv; complete --do-complete $line; echo; end"
    shown = out("fish", "--no-config", "-c", code, *(line for line, _ in LINES), HOME=str(tmp_path))
    rows = [answer.strip().splitlines() for answer in shown.split("\n\n")[:-1]]
    assert [(line, {one.split("\t")[0] for one in row}) for (line, _), row in zip(LINES, rows, strict=True)] == LINES
    title = discover().checks["token-accepted"].check.title
    assert rows[[line for line, _ in LINES].index("ot-doctor explain token-acc")] == [f"token-accepted\t{title}"]


@needs["bash"]
def test_the_tabulator_key_in_bash(bash: Terminal) -> None:
    assert "Traceback" not in bash.type("ot-doctor --sel\t", "--select ")
    assert "Traceback" not in bash.type("token-acc\t", "token-accepted ")


@needs["zsh"]
def test_the_tabulator_key_in_zsh(zsh: Terminal) -> None:
    assert "Traceback" not in zsh.type("ot-doctor --sel\t", "--select")
    assert "Traceback" not in zsh.type(" token-acc\t", "token-accepted")


@needs["bash"]
def test_a_bare_command_offers_the_commands_and_no_option(tmp_path: Path) -> None:
    offered = complete("ot-doctor ", tmp_path)
    assert {"run", "list", "explain", "completion"} <= offered and not any(name.startswith("-") for name in offered)


@pytest.mark.parametrize(("line", "offered"), [*LINES, *MORE])
def test_the_program_offers(line: str, offered: set[str], tmp_path: Path) -> None:
    assert complete(line, tmp_path) == offered
    asked = {"COMP_WORDS": line, "COMP_CWORD": line.split(" ")[-1], "_OT_DOCTOR_COMPLETE": "fish_complete"}
    done = ready_doctor.run(env={**ENVIRON, **asked}, cwd=tmp_path)
    assert {row.partition(",")[2].partition("\t")[0] for row in done.stdout.splitlines()} == offered


def complete(line: str, folder: Path, **environ: str) -> set[str]:
    """What the program itself answers, as the scripts ask it."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_OT_DOCTOR_COMPLETE": "bash_complete"}
    done = ready_doctor.run(env={**ENVIRON, **asked, **environ}, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    rows = done.stdout.splitlines()
    assert all(re.fullmatch(r"(plain|file|dir),.*", row) for row in rows), rows
    return {row.partition(",")[2] for row in rows}


def test_checks_of_a_folder_are_offered_and_what_they_print_is_not(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from ot_doctor.check import *\nimport os\nprint('noise')\nos.system('echo noise')\n"
        "@check('my-own-check', title='It is so', family=Family.HOST)\ndef mine():\n    'Because.'\n    yield passed('fine')\n"
    )
    words = f"ot-doctor --checks-dir {tmp_path} --select my-"
    asked = {"COMP_WORDS": words, "COMP_CWORD": "4", "_OT_DOCTOR_COMPLETE": "bash_complete"}
    done = subprocess.run([str(SCRIPT)], env={**ENVIRON, **asked}, capture_output=True, text=True, timeout=60)
    assert done.stdout == "plain,my-own-check\n"


@pytest.mark.parametrize("broken", ["ofline = true", "no TOML at all", "[[suppress]]"])
def test_a_file_of_options_that_is_wrong_does_no_harm(tmp_path: Path, broken: str) -> None:
    (tmp_path / ".ot-doctor.toml").write_text(broken)
    assert complete("ot-doctor run --sel", tmp_path) == {"--select"}


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, ot_doctor.cli.main as c\n"
        "try: c.cli.main(prog_name='ot-doctor')\n"
        "finally: print(*[m for m in ('docker', 'huggingface_hub', 'requests', 'yaml') if m in sys.modules], file=sys.stderr)"
    )
    asked = {"COMP_WORDS": "ot-doctor --select ", "COMP_CWORD": "2", "_OT_DOCTOR_COMPLETE": "bash_complete"}
    done = subprocess.run([sys.executable, "-c", code], env={**ENVIRON, **asked}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "token-accepted" in done.stdout
    assert done.stderr.strip() == ""
