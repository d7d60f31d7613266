"""Options from ``.ot-doctor.toml`` and ``[tool.ot-doctor]``, read for the real options of ``run``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click
import pytest

from ot_doctor.cli import configuration
from ot_doctor.cli.configuration import Config, ConfiguredCommand
from ot_doctor.cli.main import cli, run
from ot_doctor.evidence import Request
from ot_doctor.run.discovery import discover
from ot_doctor.run.plan import Plan, wrong_name
from ot_doctor.run.suppressions import Suppression

COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n"
CHECKS = discover().checks

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An OpenTranscribe folder, stood in; nothing of the caller's environment counts."""
    for name in [name for name in os.environ if name.startswith(("OT_DOCTOR_", "COMPOSE_"))]:
        monkeypatch.delenv(name)
    installed = tmp_path / "ot"
    installed.mkdir()
    (installed / "docker-compose.yml").write_text(COMPOSE)
    monkeypatch.chdir(installed)
    return installed


def options(*arguments: str, command: click.Command = run) -> dict[str, Any]:
    """What the options of a command are in the end. Raises ``click.UsageError``."""
    with command.make_context("run", list(arguments), parent=click.Context(cli, info_name="ot-doctor")) as ctx:
        return {**ctx.params, "config": configuration.of(ctx), "fail_on": ctx.meta.get("ot_doctor.fail_on", "fail")}


def refused(*arguments: str) -> str:
    with pytest.raises(click.UsageError) as caught:
        options(*arguments)
    message = caught.value.format_message()
    assert "\n" not in message
    return message


def write(folder: Path, text: str, name: str = ".ot-doctor.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_nothing_changes(folder: Path) -> None:
    found = options()
    assert (found["offline"], found["timeout"], found["ignore"]) == (False, 30, ())
    assert found["config"] == Config()


def test_a_file_beside_the_installation_gives_options(folder: Path) -> None:
    path = write(
        folder,
        'offline = true\ntimeout = 60\nignore = ["token-role", "speakers"]\nfail-on = "warn"\nrequire = ["cache"]\nverbose = 1\n',
    )
    found = options()
    assert (found["offline"], found["timeout"], found["verbose"]) == (True, 60, 1)
    assert (found["ignore"], found["require"], found["fail_on"]) == (("token-role", "speakers"), ("cache",), "warn")
    assert found["config"].file == path


@pytest.mark.parametrize("source", ["the command line", "the environment"])
def test_the_command_line_and_the_environment_win(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    write(folder, 'timeout = 60\nfail-on = "never"\nignore = ["token"]\noffline = true\n')
    arguments = []
    if source == "the environment":
        monkeypatch.setenv("OT_DOCTOR_TIMEOUT", "7")
        monkeypatch.setenv("OT_DOCTOR_STRICT", "1")
        monkeypatch.setenv("OT_DOCTOR_IGNORE", "cache")
        monkeypatch.setenv("OT_DOCTOR_OFFLINE", "0")
    else:
        arguments = ["--timeout", "7", "--strict", "--ignore", "cache"]
    found = options(*arguments)
    assert (found["timeout"], found["fail_on"], found["ignore"]) == (7, "warn", ("cache",))
    assert found["offline"] is (source == "the command line")


def test_the_command_line_wins_over_the_environment_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "strict = true\n")
    assert options()["fail_on"] == "warn"
    monkeypatch.setenv("OT_DOCTOR_FAIL_ON", "never")
    assert options()["fail_on"] == "never"
    assert options("--fail-on", "fail")["fail_on"] == "fail"


def test_the_file_is_found_from_a_folder_below_and_by_dir(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "timeout = 60\n")
    (folder / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(folder / "deep" / "er")
    assert options()["timeout"] == 60
    monkeypatch.chdir("/")
    assert options()["timeout"] == 30
    assert options("--dir", str(folder))["timeout"] == 60
    monkeypatch.setenv("OT_DOCTOR_DIR", str(folder))
    assert options()["timeout"] == 60


def test_the_table_of_a_pyproject_counts_where_there_is_no_file_of_our_own(folder: Path) -> None:
    write(folder, "[tool.ot-doctor]\ntimeout = 60\n", "pyproject.toml")
    assert options()["timeout"] == 60
    write(folder, "timeout = 70\n")
    assert options()["timeout"] == 70


@pytest.mark.parametrize("text", ["[tool.ruff]\nline-length = 100\n", "this is no TOML", "tool = 3\n", 'name = "ot-doctor"\n'])
def test_a_pyproject_of_others_is_let_alone(folder: Path, text: str) -> None:
    write(folder, text, "pyproject.toml")
    assert options()["config"].file is None


def test_the_repository_that_is_stood_in_may_have_it_for_an_installation_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / "ci").mkdir()
    monkeypatch.chdir(repository / "ci")
    write(repository, "timeout = 60\n")
    assert options("--dir", str(folder))["timeout"] == 60
    write(folder, "timeout = 70\n")
    assert options("--dir", str(folder))["timeout"] == 70


def test_no_parent_is_looked_at_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "shared" / "mine"
    below.mkdir(parents=True)
    write(tmp_path / "shared", "offline = true\n")
    monkeypatch.chdir(below)
    assert options()["config"].file is None
    monkeypatch.chdir(tmp_path / "shared")
    assert options()["offline"] is True


def test_config_names_a_file_or_none(folder: Path, tmp_path: Path) -> None:
    write(folder, "timeout = 60\n")
    other = write(tmp_path, "timeout = 70\n", "ci.toml")
    shared = write(tmp_path, "[tool.ot-doctor]\ntimeout = 80\n", "pyproject.toml")
    assert options("--config", str(other))["timeout"] == 70
    assert options("--config", str(shared))["timeout"] == 80
    assert options("--config", os.devnull)["timeout"] == 30
    assert refused("--config", str(tmp_path / "no.toml")) == f"{tmp_path}/no.toml cannot be read: No such file or directory."
    empty = write(tmp_path / "other", "[tool.ruff]\n", "pyproject.toml")
    assert refused("--config", str(empty)) == f"{empty} has no table [tool.ot-doctor]."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ofline = true", "there is no option 'ofline'. Did you mean offline?"),
        ("fail_on = 'warn'", "there is no option 'fail_on'. Did you mean fail-on?"),
        ("xyzzy = 1", "there is no option 'xyzzy'. ot-doctor run --help shows them."),
        ("config = 'other.toml'", "there is no option 'config'."),
        ("help = true", "there is no option 'help'."),
        ("offline = 'yes'", "offline must be true or false."),
        ("timeout = '60'", "timeout must be a number."),
        ("timeout = true", "timeout must be a number."),
        ("timeout = 0", "is not a number of seconds from 1 to 86400."),
        ("timeout = nan", "'nan' is not a number of seconds from 1 to 86400."),
        ("ignore = 'token-role'", 'ignore must be a list of texts, such as ignore = ["…"].'),
        ("ignore = [1]", 'ignore must be a list of texts, such as ignore = ["…"].'),
        ("color = 1", 'color must be "auto" or "always" or "never".'),
        ("color = 'red'", "color: 'red' is not one of 'auto', 'always', 'never'."),
        ("env-file = 'no.env'", "env-file: File"),
        ("logs = ['no.log']", "logs: there is no file"),
        ("verbose = true", "verbose must be a number."),
        ("timeout = 1\ntimeout = 2", "is not valid TOML: Cannot overwrite a value"),
        ("checks-dir = ['checks']", "checks-dir loads code, and is taken from the command line or OT_DOCTOR_CHECKS_DIR only."),
        ("suppress = 3", "suppress must be written as [[suppress]] tables."),
        ("[suppress]\ncheck = 'token-role'", "suppress must be written as [[suppress]] tables."),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_name(folder: Path, text: str, said: str) -> None:
    path = write(folder, text)
    message = refused()
    assert message.startswith(str(path)) and said in message


def test_a_table_that_is_none_in_a_pyproject_is_wrong(folder: Path) -> None:
    path = write(folder, "[tool]\not-doctor = 3\n", "pyproject.toml")
    assert refused() == f"{path}: tool.ot-doctor must be a table: [tool.ot-doctor]."


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 100_000, b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_no_text_of_ours_is_wrong_usage(folder: Path, content: bytes) -> None:
    (folder / ".ot-doctor.toml").write_bytes(content)
    assert refused().startswith(f"{folder}/.ot-doctor.toml ")


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(folder: Path) -> None:
    (folder / ".ot-doctor.toml").write_bytes(b"\xef\xbb\xbftimeout = 60\r\noffline = true\r\n")
    assert options()["timeout"] == 60


def test_help_is_shown_whatever_is_wrong_with_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "ofline = true")
    with pytest.raises(click.exceptions.Exit) as caught:
        options("--help")
    assert caught.value.exit_code == 0 and "--offline" in capsys.readouterr().out


def test_paths_are_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "logs", "x", "worker.log")
    write(folder, "x", "ci.env")
    write(folder, 'logs = ["logs/worker.log", "-"]\nenv-file = "ci.env"\noutput = ["report.md", "logs/report.json"]\n')
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    found = options()
    assert found["logs"] == (str(folder / "logs/worker.log"), "-")
    assert found["env_file"] == folder / "ci.env"
    assert found["output"] == (folder / "report.md", folder / "logs/report.json")


@pytest.mark.parametrize("escape", ["an absolute path", "dots", "a link to a file", "a link to a folder", "the home folder"])
def test_a_file_that_was_not_named_speaks_only_of_what_is_below_its_folder(folder: Path, tmp_path: Path, escape: str) -> None:
    (tmp_path / "precious.md").write_text("precious")
    (folder / "link.md").symlink_to(tmp_path / "precious.md")
    (folder / "link").symlink_to(tmp_path)
    value = {
        "an absolute path": f"{tmp_path}/precious.md",
        "dots": "../precious.md",
        "a link to a file": "link.md",
        "a link to a folder": "link/precious.md",
        "the home folder": "~/precious.md",
    }[escape]
    path = write(folder, f'output = ["{value}"]\n')
    message = refused()
    assert message.startswith(f"{path}: output: {value} is outside of {folder}") and f"--config {path}" in message
    if escape != "the home folder":
        assert len(options("--config", str(path))["output"]) == 1


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, 'output = ["report.md"]\n')
    (tmp_path / "link").symlink_to(folder)
    assert options("--dir", str(tmp_path / "link"))["output"] == (tmp_path / "link" / "report.md",)


def test_suppressions_are_read_with_their_place(folder: Path) -> None:
    path = write(
        folder,
        '[[suppress]]\ncheck = "token-exposure"\nreason = "a  shared\\nmachine"\n'
        '[[suppress]]\ncheck = "disk-space"\nsubject = "~/models"\nreason = "small"\nuntil = 2026-12-31\n',
    )
    first, second = options()["config"].suppressions
    assert first == Suppression("token-exposure", "a shared machine", where=f"{path}, suppress 1")
    home = os.path.expanduser("~")
    assert second == Suppression("disk-space", "small", f"{home}/models", date(2026, 12, 31), f"{path}, suppress 2")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('reason = "x"', "check or cause is missing"),
        ('cause = "disc-full"\nreason = "x"', "There is no cause 'disc-full'. Did you mean disk-full?"),
        ('check = "token-role"', "reason is missing"),
        ('check = "token-role"\nreason = ""', "reason must be a text that is not empty."),
        ('check = "token-role"\nreason = " "', "reason must be a text that is not empty."),
        ('check = "token-role"\nreason = "x"\nuntil = "2026-12-31"', "until must be a date without quotes"),
        ('check = "token-role"\nreason = "x"\nuntil = 2026-12-31T00:00:00Z', "until must be a date without quotes"),
        ('check = "token-role"\nreason = "x"\nuntill = 2026-12-31', "there is no key 'untill'. Did you mean until?"),
        ('check = "token-role"\nreason = "x"\nsubject = 3', "subject must be a text"),
    ],
)
def test_a_suppression_that_is_wrong_is_said_with_its_number(folder: Path, table: str, said: str) -> None:
    path = write(folder, f'[[suppress]]\ncheck = "disk-space"\nreason = "x"\n[[suppress]]\n{table}\n')
    message = refused()
    assert message.startswith(f"{path}, suppress 2: ") and said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ignore = ["token-rol"]', "{file}: ignore: There is no check or family 'token-rol'. Did you mean token-role"),
        ('select = ["xyzzy"]', "{file}: select: There is no check or family 'xyzzy'. 'ot-doctor list' shows what there is."),
        ('[[suppress]]\ncheck = "token"\nreason = "x"', "{file}, suppress 1: 'token' is a family, not a check. Its checks are"),
        ('ignore = ["token-role", "cache"]\n[[suppress]]\ncheck = "disk-space"\nreason = "x"', None),
    ],
)
def test_names_of_checks_are_held_against_those_that_there_are(folder: Path, text: str, said: str | None) -> None:
    path = write(folder, text)
    config = options()["config"]
    wrong = wrong_name(Plan(Request(), named=config.named, suppressions=config.suppressions), CHECKS)
    assert wrong is None if said is None else str(wrong).startswith(said.format(file=path))


def test_another_command_takes_only_what_it_shares(folder: Path) -> None:
    write(folder, 'offline = true\noutput = ["report.md"]\nformat = "json"\n')
    shared = next(p for p in run.params if p.name == "offline")
    bundle = click.Option(["-o", "--output"], help="The bundle.")
    collect = ConfiguredCommand("collect", params=[shared, bundle], options_of="run", callback=lambda **_: None)
    found = options(command=collect)
    assert found["offline"] is True and found["output"] is None


def test_a_file_that_only_docker_could_have_led_to_is_mentioned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "offline = true\n")
    monkeypatch.chdir("/")
    said = options()["config"].overlooked(folder)
    assert said and str(folder) in said and f"--dir {folder}" in said
    assert options("--dir", str(folder))["config"].overlooked(folder) is None
    (folder / ".ot-doctor.toml").unlink()
    assert options()["config"].overlooked(folder) is None
    assert options()["config"].overlooked(None) is None


@pytest.mark.parametrize(
    "content",
    [
        ".".join("a" * 100_000) + " = 1\n",
        f"[{'.'.join('a' * 100_000)}]\n",
        " . ".join(["'a b'"] * 50_000) + " = 1\n",
        "x = {" + ".".join("a" * 100_000) + " = 1}\n",
        "x = " + "[" * 100_000 + "\n",
        "x = '" + "a" * 2_000_000 + "'\n",
    ],
)
def test_a_file_that_would_take_long_to_be_read_is_refused_at_once(folder: Path, content: str) -> None:
    write(folder, content)
    began = time.process_time()
    with pytest.raises(click.UsageError, match=r"\.ot-doctor\.toml"):
        options()
    assert time.process_time() - began < 2


@pytest.mark.parametrize("content", ["x" * 1_000_000, "x " * 500_000, '"' * 1_000_000, "a." * 40 + "\n" + ". " * 400_000])
def test_looking_for_long_keys_takes_no_long_time(content: str) -> None:
    began = time.process_time()
    configuration._DOTTED.search(content.encode())
    assert time.process_time() - began < 2


def test_keys_as_people_write_them_are_read(folder: Path) -> None:
    write(folder, 'timeout = 60\nignore = ["host"]  # a.b.c\n', name="other.toml")
    (folder / "pyproject.toml").write_text(
        "[tool.ot-doctor]\ntimeout = 61\n\n[tool.other.very.deep.table]\na.b.c.d = 'x.y.z'\n"
        + f"text = '''{'so on ... ' * 100}'''\n"
    )
    assert options()["timeout"] == 61


def test_a_folder_that_does_not_answer_ends_the_search(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(path: Path) -> bool:
        time.sleep(30)
        return False

    monkeypatch.setattr(configuration, "_DEADLINE", 0.3)
    monkeypatch.setattr(configuration, "_table_in", hang)
    began = time.monotonic()
    with pytest.raises(click.UsageError, match=r"took longer than 0\.3 s: a folder does not answer.*--config /dev/null"):
        options()
    assert time.monotonic() - began < 3
    assert options("--config", "/dev/null")["timeout"] == 30
    assert Config().overlooked(folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_a_file_of_another_user_that_was_not_named_writes_nothing(folder: Path) -> None:
    path = write(folder, "output = ['report.md']\n")
    assert options()["output"] == (folder / "report.md",)
    os.chown(folder, 65534, 65534)
    assert "output is not taken from a file that was not named" in refused()
    assert options("--config", str(path))["output"] == (folder / "report.md",), "whoever names it means it"
    os.chown(folder, 0, 0)
    os.chown(write(folder, "context = 'prod'\n"), 65534, 65534)
    assert "context is not taken from a file that was not named" in refused(), "a context may lead to ssh"
