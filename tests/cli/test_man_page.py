"""The manual page: made from the commands, and shown by ``man`` as it is meant."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ot_doctor.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "man" / "ot-doctor.1"


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as a reader sees it, in lines of 200 columns."""
    if not shutil.which("man"):
        pytest.skip("there is no man here")
    environ = {"PATH": "/usr/bin:/bin", "MANWIDTH": "200", "LANG": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(["man", "--warnings", "-l", str(PAGE)], capture_output=True, text=True, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow  # and each Python has a Docutils of its own, whose pages differ
def test_the_page_is_the_one_that_the_commands_make(tmp_path: Path) -> None:
    """On any day, and whoever's clock and language it is."""
    environ = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "SOURCE_DATE_EPOCH": "0"}
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-E", "-b", "man", str(PAGE.parent), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert text_of(tmp_path / PAGE.name) == text_of(PAGE), "make man"


def text_of(page: Path) -> str:
    """The page without the line that names the version of Docutils."""
    return re.sub(r"^\.\\\" by the Docutils .*\n", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_a_reader_sees_every_command_and_option(shown: str) -> None:
    for name, command in cli.commands.items():
        if command.hidden:
            continue
        assert f"ot-doctor {name}\n" in shown
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                for option in param.opts:
                    assert re.search(rf"^ +(-\w, )?{option}\b", shown, re.MULTILINE) or f"{option}, " in shown, option
                if param.allow_from_autoenv:
                    assert re.search(rf"^ +OT_DOCTOR_{str(param.name).upper()}$", shown, re.MULTILINE), param.name


@pytest.mark.parametrize("section", ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"])
def test_a_reader_sees_the_usual_sections(shown: str, section: str) -> None:
    assert f"\n{section}\n" in shown


def test_names_and_examples_can_be_copied(shown: str) -> None:
    assert "ot-doctor --wait 5m --require access" in shown and ".ot-doctor.toml" in shown
    assert 'eval "$(ot-doctor completion bash)"' in shown
    assert "‐" not in shown and "−" not in shown and "’" not in shown


def test_the_codes_are_those_of_the_program(shown: str) -> None:
    listed = shown.split("EXIT STATUS\n")[1].split("ENVIRONMENT\n")[0]
    assert re.findall(r"^ +(\d) ", listed, re.MULTILINE) == ["0", "1", "2", "3", "4"]


@pytest.mark.skipif(not shutil.which("mandoc"), reason="there is no mandoc here")
def test_mandoc_has_nothing_to_say() -> None:
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(PAGE)], capture_output=True, text=True)
    # A date would change without the page, and Docutils puts an empty paragraph behind each heading.
    known = ("missing date", "cannot parse date", "skipping paragraph macro: sp after S")
    said = [line for line in done.stdout.splitlines() if not any(words in line for words in known)]
    assert said == []


@pytest.mark.parametrize("name", ["dir", "no-exec", "format"])
def test_an_option_has_its_default_and_its_variable(shown: str, name: str) -> None:
    assert f"Environment: OT_DOCTOR_{name.upper().replace('-', '_')}." in shown
    assert "Default: text." in shown
