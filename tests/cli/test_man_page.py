"""The manual page: made from the commands, and shown by ``man`` as it is meant."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import click
import pytest

from ot_doctor.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "man" / "ot-doctor.1"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("man", ROOT / ".ci" / "man.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as a reader sees it, in lines of 200 columns."""
    if not shutil.which("man"):
        pytest.skip("there is no man here")
    environ = {"PATH": "/usr/bin:/bin", "MANWIDTH": "200", "LANG": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(["man", "--warnings", "-l", str(PAGE)], capture_output=True, text=True, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_page_is_the_one_that_the_commands_make(maker: ModuleType) -> None:
    assert PAGE.read_text(encoding="utf-8") == maker.page(), "make man"


def test_a_reader_sees_every_command_and_option(shown: str) -> None:
    for name, command in cli.commands.items():
        assert f"ot-doctor {name}\n" in shown
        for param in command.params:
            if isinstance(param, click.Option):
                for option in param.opts:
                    assert re.search(rf"^ +(-\w, )?{option}\b", shown, re.MULTILINE) or f"{option}, " in shown, option
                assert re.search(rf"^ +OT_DOCTOR_{str(param.name).upper()}$", shown, re.MULTILINE), param.name


@pytest.mark.parametrize("section", ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"])
def test_a_reader_sees_the_usual_sections(shown: str, section: str) -> None:
    assert f"\n{section}\n" in shown


def test_names_and_examples_can_be_copied(shown: str) -> None:
    assert "ot-doctor --wait 5m --require access" in shown and ".ot-doctor.toml" in shown
    assert 'eval "$(ot-doctor completion bash)"' in shown
    assert "‐" not in shown and "−" not in shown and "’" not in shown


def test_the_codes_are_those_of_the_program(shown: str, maker: ModuleType) -> None:
    assert list(maker.EXIT_STATUS) == ["0", "1", "2", "3", "4"]
    listed = shown.split("EXIT STATUS\n")[1].split("ENVIRONMENT\n")[0]
    assert re.findall(r"^ +(\d) ", listed, re.MULTILINE) == ["0", "1", "2", "3", "4"]


@pytest.mark.skipif(not shutil.which("mandoc"), reason="there is no mandoc here")
def test_mandoc_has_nothing_to_say() -> None:
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(PAGE)], capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if "missing date" not in line]  # a date would change without the page
    assert said == []


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        (".SH oops", r"\&.SH oops"),
        ("'br", r"\&\(aqbr"),
        (r"a\fBb", r"a\efBb"),
        ("--no-exec", r"\-\-no\-exec"),
    ],
)
def test_text_means_itself(maker: ModuleType, plain: str, written: str) -> None:
    assert maker.text(plain) == written
