"""Which variables of the environment decide, and that those of one command leave the others usable."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from ot_doctor import __version__
from ot_doctor.cli.main import cli
from ot_doctor.cli.show import style_of
from tests.cli.test_commands import Doctor, doctor, document, installed  # noqa: F401

pytestmark = pytest.mark.slow

SIGNATURES = (Path(__file__).parents[2] / "docs" / "examples" / "signatures.toml").read_text(encoding="utf-8")
COMMANDS = {"": cli, **cli.commands}
VALUES = {  # valid for run; the folder is the working folder
    "CONTEXT": "default", "DIR": ".", "ENV_FILE": ".env", "LOGS": "worker.log", "WORKER": "celery-worker",
    "OFFLINE": "1", "NO_DOCKER": "1",
    "NO_EXEC": "1", "TIMEOUT": "20", "SIGNATURES": "more.toml", "SELECT": "env token", "IGNORE": "host", "CHECKS_DIR": "checks",
    "FORMAT": "github", "OUTPUT": "a.json", "FAIL_ON": "never", "STRICT": "1", "REQUIRE": "env", "WAIT": "1s",
    "PROBE": "off", "COPY": "1", "PING": "http://127.0.0.1:9/x", "HOST": "",
    "REDACT": "strict", "VERBOSE": "1", "QUIET": "1", "COLOR": "never", "ASCII": "1", "CONFIG": "/dev/null",
}  # fmt: skip


def read_by(command: click.Command) -> set[str]:
    """The variables that click itself would read."""
    context = click.Context(command, info_name="x", **command.context_settings)
    found = set()
    for param in command.get_params(context):
        if param.envvar:
            found |= {param.envvar} if isinstance(param.envvar, str) else set(param.envvar)
        if isinstance(param, click.Option) and param.allow_from_autoenv and param.name and context.auto_envvar_prefix:
            found.add(f"{context.auto_envvar_prefix}_{param.name.upper()}")
    return found


def test_only_documented_variables_are_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "man" / "ot-doctor.1").read_text(encoding="utf-8").replace("\\", "")
    for name, command in COMMANDS.items():
        for variable in read_by(command):
            assert f"{variable}\n" in page.replace("fB", "").replace("fP", ""), (name, variable)
            assert not variable.endswith(("HELP", "VERSION")), (name, variable)
    assert read_by(cli.commands["run"]) == {f"OT_DOCTOR_{name}" for name in VALUES}


@pytest.mark.parametrize("variable", ["OT_DOCTOR_VERSION", "OT_DOCTOR_HELP", "OT_DOCTOR__CLICK_DEFAULT_HELP"])
def test_a_variable_that_pins_an_installation_decides_nothing(variable: str, installed: Doctor) -> None:  # noqa: F811
    for value in ("1", __version__):
        assert document(installed("--format", "json", **{variable: value}))["checks"]
        assert installed("list", **{variable: value}).stdout.startswith("check ")


def test_values_that_are_valid_for_run_leave_every_other_command_usable(installed: Doctor) -> None:  # noqa: F811
    """All at once: a value that another command refuses is named in what it says."""
    (installed.cwd / "checks").mkdir()
    (installed.cwd / "worker.log").write_text("nothing\n")
    (installed.cwd / "more.toml").write_text(SIGNATURES)
    bundle = installed.cwd / "made.zip"
    set_ = {f"OT_DOCTOR_{name}": value for name, value in VALUES.items()}
    assert installed("collect", "--yes", "-o", str(bundle)).returncode == 0
    commands = [
        ("diagnose", str(bundle)), ("diff", str(bundle), str(bundle)), ("list",), ("explain", "token-invalid"),
        ("completion", "bash"), ("collect", "--yes", "-o", "other.zip"),
    ]  # fmt: skip
    for command in commands:
        done = installed(*command, **set_)
        assert "Invalid value" not in done.stdout + done.stderr and done.returncode in (0, 1, 3), (command, done.stderr)


def test_a_blank_is_a_part_of_a_path_in_a_variable(installed: Doctor) -> None:  # noqa: F811
    for folder in ("my logs", "my checks", "more checks", "my reports"):
        (installed.cwd / folder).mkdir()
    for log in ("a b.log", "c.log"):
        (installed.cwd / "my logs" / log).write_text("nothing\n")
    (installed.cwd / "my logs" / "more of it.toml").write_text(SIGNATURES)
    done = installed(
        "--format", "json",
        OT_DOCTOR_LOGS=os.pathsep.join(("my logs/a b.log", "my logs/c.log")),
        OT_DOCTOR_OUTPUT=os.pathsep.join(("my reports/a b.json", "", "my reports/c.md")),
        OT_DOCTOR_CHECKS_DIR=f"my checks{os.pathsep}more checks{os.pathsep}",
        OT_DOCTOR_SIGNATURES="my logs/more of it.toml",
    )  # fmt: skip
    assert document(done)["error"] is None
    assert sorted(os.listdir(installed.cwd / "my reports")) == ["a b.json", "c.md"]


@pytest.mark.parametrize(
    ("environ", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "xterm"}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_the_variables_that_many_programs_heed(
    environ: dict[str, str], terminal: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    options = {"color": "auto", "ascii": True, "verbose": 0, "quiet": False}
    assert style_of(options).colour is coloured
    assert style_of({**options, "color": "always"}).colour and not style_of({**options, "color": "never"}).colour
