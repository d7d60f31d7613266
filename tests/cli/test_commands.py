"""The commands, as a user starts them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ot_doctor import __version__
from ot_doctor.check import Cause
from ot_doctor.logs.faults.rule import rules
from ot_doctor.logs.signatures import catalogue as log_signatures
from ot_doctor.run.discovery import discover
from tests.parts import ready_doctor
from tests.parts.models import v04_cache
from tests.scenarios import logs

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ready_doctor.SCRIPT
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
TOKEN = "hf_" + "CmDlInEtOkEnCmDlInEtOkEn1234567890"
COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n    env_file: .env\n"
ESCAPE = "\x1b["

Done = subprocess.CompletedProcess[str]


class Doctor:
    """Runs ``ot-doctor`` where there is no Docker and nothing of the user's own."""

    def __init__(self, folder: Path) -> None:
        self.home, self.cwd = folder / "home", folder / "cwd"
        self.socket = folder / "no-such.sock"
        self.home.mkdir()
        self.cwd.mkdir()
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "DOCKER_HOST": f"unix://{self.socket}",
        }  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        return [str(SCRIPT), *arguments]

    def __call__(self, *arguments: str, stdin: str | None = None, **environ: str) -> Done:
        done = ready_doctor.run(*arguments, cwd=self.cwd, env={**self.environ, **environ}, input=stdin, timeout=60)
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def script(self, *arguments: str) -> Done:
        """By the installed console script."""
        return ready_doctor.script(*arguments, cwd=self.cwd, env=self.environ, timeout=60)

    def start(self, *arguments: str, out: int | None = None, before: str = "") -> ready_doctor.Started:
        return ready_doctor.Started(*arguments, cwd=self.cwd, env=self.environ, streams=(None, out, None), before=before)


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Stands in a folder with nothing in it."""
    return Doctor(tmp_path)


@pytest.fixture
def installed(doctor: Doctor) -> Doctor:
    """Stands in an OpenTranscribe folder with all its models; nothing is asked over the network."""
    (doctor.cwd / "docker-compose.yml").write_text(COMPOSE)
    (doctor.cwd / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nMIN_SPEAKERS=1\nMAX_SPEAKERS=20\n")
    (doctor.cwd / ".env").chmod(0o600)
    v04_cache(doctor.cwd / "models")
    doctor.environ |= {"OT_DOCTOR_OFFLINE": "1", "OT_DOCTOR_NO_DOCKER": "1"}
    return doctor


@pytest.fixture
def engine_that_hangs(installed: Doctor) -> Iterator[Doctor]:
    """There is a socket, and nobody answers at it."""
    del installed.environ["OT_DOCTOR_NO_DOCKER"]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(installed.socket))
        server.listen(16)
        yield installed


def broken(doctor: Doctor) -> None:
    (doctor.cwd / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nMIN_SPEAKERS=9\nMAX_SPEAKERS=2\n")


def warned(doctor: Doctor) -> None:
    (doctor.cwd / ".env").chmod(0o644)


def document(done: Done) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(read)
    assert read["exit_code"] == done.returncode
    return read


def refused(done: Done) -> str:
    """Wrong usage: nothing on standard output, one sentence on standard error."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    lines: list[str] = done.stderr.splitlines()
    assert lines[0].startswith("ot-doctor: ") and len(lines) <= 2
    assert len(lines) == 1 or lines[1].endswith("--help' shows the options.")
    return lines[0]


def status(read: dict[str, Any], name: str) -> str:
    return str(next(check["status"] for check in read["checks"] if check["name"] == name))


def test_help_names_the_commands(doctor: Doctor) -> None:
    for flag in ("--help", "-h"):
        done = doctor.script(flag)
        assert done.returncode == 0 and done.stderr == ""
        assert all(re.search(rf"^  {command} ", done.stdout, re.MULTILINE) for command in ("run", "list", "explain"))


def test_help_of_run_names_every_option_and_the_exit_codes(doctor: Doctor) -> None:
    text = doctor("run", "--help").stdout
    options = "dir env-file logs worker select ignore offline no-docker no-exec timeout format fail-on strict checks-dir verbose"
    for option in [*options.split(), "quiet", "color", "ascii"]:
        assert f"--{option}" in text
    assert "Exit codes: 0 " in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_version(doctor: Doctor) -> None:
    done = doctor.script("--version")
    assert (done.returncode, done.stdout) == (0, f"ot-doctor, version {__version__}\n")


def test_list_shows_every_check(doctor: Doctor) -> None:
    done = doctor("list", COLUMNS="100")
    assert done.returncode == 0 and done.stderr == ""
    for name, found in discover().checks.items():
        assert re.search(rf"^{name} +{found.check.family.value} +{re.escape(found.check.title)}$", done.stdout, re.M)


def test_list_of_causes_and_signatures(doctor: Doctor) -> None:
    causes = doctor("list", "--causes").stdout
    assert re.findall(r"^([a-z][a-z-]+)  ", causes, re.M)[1:] == [cause.value for cause in Cause]
    signatures = doctor("list", "--signatures").stdout
    assert all(re.search(rf"^{s.name} +(none \(|{s.cause})", signatures, re.M) for s in log_signatures().signatures)
    told = " ".join(signatures.split())
    assert all(f" {rule.name} {rule.cause}: {rule.title} " in f"{told} " for rule in rules())
    assert "two lists" in refused(doctor("list", "--signatures", "--causes"))
    assert doctor("list", "--causes", OT_DOCTOR_SIGNATURES="site.toml").stdout == causes  # files, for the other commands


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize(
    "command",
    ["list", "list --causes", "list --signatures", "explain cache-permissions", "explain cache", "explain v4-falls-back",
     "--help", "run --help", "collect --help", "diagnose --help"],
)  # fmt: skip
def test_what_is_shown_fits_the_terminal(command: str, columns: int, doctor: Doctor) -> None:
    shown = doctor(*command.split(), COLUMNS=str(columns)).stdout
    assert shown and [line for line in shown.splitlines() if len(line) > columns or line.endswith(" ot-")] == []


def test_explain_a_cause_says_how_to_fix_it(doctor: Doctor) -> None:
    text = doctor("explain", "token-missing").stdout
    assert text.index("How to fix it") < text.index("HUGGINGFACE_TOKEN=<token>") < text.index("Reported by: ")
    recreate = "docker compose up -d --force-recreate --no-deps --pull never --no-build celery-worker"
    assert f"\n     {recreate}\n" in text, "a command is not broken"
    for line in text.splitlines():
        assert len(line) <= 80 or line.startswith("     docker "), line


def test_explain_a_family_names_its_checks(doctor: Doctor) -> None:
    text = doctor("explain", "cache").stdout
    assert all(name in text for name, found in discover().checks.items() if found.check.family.value == "cache")


def test_help_is_in_sections_and_ends_with_examples(doctor: Doctor) -> None:
    text = doctor("run", "--help").stdout
    sections = re.findall(r"^(\S.*):$", text, re.M)
    assert sections == ["Where to look", "What to leave out", "Output", "CI", "Help", "Examples"]
    assert "Time limit for the whole run." in text and re.search(r"--color \S+ +Whether", text)
    top = doctor("--help").stdout
    assert "..." not in top.partition("Commands:")[2] and "ot-doctor --dir " in top and "'ot-doctor run --help'" in top


def test_list_with_a_folder_of_more_checks(doctor: Doctor, tmp_path: Path) -> None:
    done = doctor("list", "--checks-dir", str(plug_in(tmp_path)))
    assert f"{tmp_path}/plug-ins/loud.py" in done.stdout and "my-loud" in done.stdout
    assert f"ot-doctor: the plug-in {tmp_path}/plug-ins/broken.py could not be loaded: SyntaxError" in done.stderr
    assert "loud at import" not in done.stdout


@pytest.mark.parametrize("name", ["token-format", "gated-not-accepted", "worker-down", "model-access"])
def test_explain_tells_of_checks_and_causes(name: str, doctor: Doctor) -> None:
    done = doctor("explain", name)
    assert done.returncode == 0 and done.stdout.startswith(f"{name} (") and len(done.stdout) > 200


def test_a_name_that_is_a_check_and_a_cause_is_told_of_as_both(doctor: Doctor) -> None:
    text = doctor("explain", "env-shadowed").stdout
    assert "env-shadowed (a check of the family env): " in text and "env-shadowed (a cause): " in text


def test_explain_in_ascii(doctor: Doctor) -> None:
    assert doctor("explain", "token-exposure", "--ascii").stdout.isascii()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "token-fromat"], "There is no check, family, cause, signature or rule 'token-fromat'."),
        (["explain", "token-fromat"], "Did you mean token-format"),
        (["explain", "xyzzy"], "list --causes and list --signatures show the others."),
        (["explain", "gatd-not-accepted"], "Did you mean gated-not-accepted"),
        (["explain", "v4-fals-back"], "Did you mean v4-falls-back"),
        (["explain", "speaker"], "Did you mean speakers"),
        (["explain"], "Missing argument 'NAME'"),
        (["--select", "tokn-format"], "There is no check or family 'tokn-format'. Did you mean token-format"),
        (["--ignore", "nothing-like-it"], "There is no check or family 'nothing-like-it'."),
        (["--select", "gated-not-accepted"], "'gated-not-accepted' is a cause, not a check or family. model-access, "),
        (["--require", "model-access"], "'model-access' is a check, not a family. Its family is access."),
        (["--require", "acces"], "There is no family 'acces'. Did you mean access"),
        (["--select", "token", "--ignore", "token"], "No check is left to run"),
        (["--frobnicate"], "No such option '--frobnicate'"),
        (["-x"], "No such option '-x'"),
        (["frobnicate"], "There is no command 'frobnicate'. 'ot-doctor --help' shows the commands."),
        (["explian"], "There is no command 'explian'. Did you mean explain?"),
        (["--logs", "."], "is a folder, not a log. Name the file in it."),
        (["run", "extra"], "unexpected extra argument (extra)"),
        (["--format", "xml"], "'xml' is not one of 'text', 'json'"),
        (["--format"], "'--format' requires an argument"),
        (["--fail-on", "perhaps"], "'perhaps' is not one of 'warn', 'fail', 'never'"),
        (["--timeout", "soon"], "'soon' is not a number of seconds from 1 to 86400"),
        (["--timeout", "0"], "'0' is not a number of seconds from 1 to 86400"),
        (["--timeout", "nan"], "'nan' is not a number of seconds from 1 to 86400"),
        (["--dir", "no-such-folder"], "'no-such-folder' does not exist"),
        (["--env-file", "no-such-file"], "'no-such-file' does not exist"),
        (["--logs", "no-such.log"], "there is no file /"),
        (["--checks-dir", "no-such-folder"], "'no-such-folder' does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_wrong_usage_is_one_sentence_and_exit_code_2(arguments: list[str], said: str, doctor: Doctor) -> None:
    assert said in refused(doctor(*arguments))


def test_without_an_installation_the_three_ways_are_named(doctor: Doctor) -> None:
    for arguments in ([], ["--offline", "--no-docker"]):
        done = doctor(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        said, *ways = done.stderr.splitlines()
        assert said.startswith("ot-doctor: No OpenTranscribe installation was found.") and said.endswith("One of these helps:")
        wanted = ("inside the OpenTranscribe folder", "--dir", "Start the stack", "--logs")
        assert len(ways) == 4 and all(way in line for way, line in zip(wanted, ways, strict=True))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "json"], ["run", "--format=json"], ["--format", "json", "--frobnicate"], ["--frobnicate", "--format=json"],
        ["--format", "json", "--select", "nothing"], ["--format", "json", "--dir", "nowhere"], ["run", "--format", "json", "x"],
        ["--format", "text", "--format", "json", "--timeout", "x"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_in_json_is_one_document_with_the_error(arguments: list[str], doctor: Doctor) -> None:
    read = document(doctor(*arguments))
    assert read["exit_code"] == 2 and read["error"] and read["checks"] == []


def test_wrong_usage_in_json_by_the_environment(doctor: Doctor) -> None:
    assert document(doctor("--frobnicate", OT_DOCTOR_FORMAT="json"))["exit_code"] == 2
    assert refused(doctor("--frobnicate", "--format", "text", OT_DOCTOR_FORMAT="json"))


def test_two_checks_of_one_name(installed: Doctor, tmp_path: Path) -> None:
    folder = plug_in(tmp_path)
    quiet = (folder / "loud.py").read_text().replace("print('loud at import')", "")
    for name in ("loud.py", "twin.py"):
        (folder / name).write_text(quiet)
    said = refused(installed("--checks-dir", str(folder)))
    assert "two checks are named 'my-loud'" in said and f"{folder}/loud.py" in said and f"{folder}/twin.py" in said
    assert document(installed("--checks-dir", str(folder), "--format", "json"))["exit_code"] == 2
    assert "my-loud" in refused(installed("list", "--checks-dir", str(folder)))


def plug_in(tmp_path: Path) -> Path:
    """A folder with one check that prints and one module that cannot be loaded."""
    folder = tmp_path / "plug-ins"
    folder.mkdir()
    (folder / "broken.py").write_text("def (:\n")
    (folder / "loud.py").write_text(
        "from ot_doctor.check import Family, check, passed\nprint('loud at import')\n\n"
        "@check('my-loud', title='It is loud', family=Family.HOST)\ndef loud():\n"
        "    '''It prints, and no check should.'''\n    print('loud when run')\n    yield passed('said')\n"
    )
    return folder


def test_a_run_in_the_folder(installed: Doctor) -> None:
    done = installed()
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "  ✓ token " in done.stdout and ESCAPE not in done.stdout and TOKEN not in done.stdout
    assert re.search(r"^✓ No problem found: \d+ checks passed, \d+ skipped$", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1] == "More: ot-doctor -v"
    again = installed.script("run")
    assert (_settled(again.stdout), again.stderr, again.returncode) == (_settled(done.stdout), "", 0)


def _settled(text: str) -> str:
    """Fingerprints of secrets differ from run to run."""
    return re.sub(r"\((\d+):[0-9a-f]{4}\)", r"(\1)", text)


def test_a_failure(installed: Doctor) -> None:
    broken(installed)
    done = installed()
    assert done.returncode == 1
    assert done.stdout.index("speakers-config") < done.stdout.index("How to fix it:") < done.stdout.index("✗ speakers ")
    read = document(installed("--format", "json"))
    assert [root["cause"] for root in read["diagnosis"]] == ["speakers-config"] and read["error"] is None
    assert TOKEN not in done.stdout + json.dumps(read)


def test_what_cannot_be_checked(doctor: Doctor) -> None:
    (doctor.cwd / "docker-compose.yml").write_text(COMPOSE)
    (doctor.cwd / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\n")
    (doctor.cwd / ".env").chmod(0o600)
    done = doctor("--offline")
    assert done.returncode == 3 and "could not run" in done.stdout and str(doctor.socket) in done.stdout
    assert document(doctor("--offline", "--format", "json"))["summary"]["unknown"] > 0


def test_a_plug_in_runs_and_a_broken_one_is_a_notice(installed: Doctor, tmp_path: Path) -> None:
    done = installed("--checks-dir", str(plug_in(tmp_path)), "--format", "json")
    read = document(done)
    assert read["exit_code"] == 3 and status(read, "my-loud") == "pass"
    assert len(read["notices"]) == 1 and "broken.py could not be loaded: SyntaxError" in read["notices"][0]
    assert "loud at import" in done.stderr and "loud when run" in done.stderr


def test_options_come_from_the_environment_too(doctor: Doctor) -> None:
    (doctor.cwd / "ot").mkdir()
    (doctor.cwd / "ot" / "docker-compose.yml").write_text(COMPOSE)
    (doctor.cwd / "ot" / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\n")
    environ = {"DIR": str(doctor.cwd / "ot"), "FORMAT": "json", "OFFLINE": "1", "NO_DOCKER": "yes", "TIMEOUT": "20"}
    environ["SELECT"] = "token-format hub-reachable speakers"
    read = document(doctor(**{f"OT_DOCTOR_{name}": value for name, value in environ.items()}))
    assert [check["name"] for check in read["checks"]] == ["token-format", "hub-reachable", "speaker-limits"]
    assert status(read, "hub-reachable") == "skip" and read["deployment"]["dir"] == str(doctor.cwd / "ot")


def test_an_option_wins_over_the_environment(installed: Doctor) -> None:
    assert installed("--format", "text", OT_DOCTOR_FORMAT="json").stdout.startswith("ot-doctor ")
    assert document(installed("--format", "json", "--dir", ".", OT_DOCTOR_DIR="/"))["exit_code"] == 0


def test_a_wrong_value_in_the_environment_is_wrong_usage(installed: Doctor) -> None:
    assert "'xml'" in refused(installed(OT_DOCTOR_FORMAT="xml"))
    assert "'maybe'" in refused(installed(OT_DOCTOR_OFFLINE="maybe"))


def test_select_and_ignore(installed: Doctor) -> None:
    read = document(installed("--format", "json", "--select", "token", "--ignore", "token-role"))
    expected = {"token-present", "token-format", "token-accepted", "token-exposure", "token-names", "browser-files"}
    assert {check["name"] for check in read["checks"]} == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environ", "code"),
    [
        ([], {}, 0),
        (["--strict"], {}, 1),
        (["--fail-on", "warn"], {}, 1),
        (["--strict", "--fail-on", "fail"], {}, 0),
        (["--fail-on", "fail", "--strict"], {}, 1),
        (["--fail-on", "warn", "--fail-on", "never"], {}, 0),
        ([], {"OT_DOCTOR_STRICT": "1"}, 1),
        ([], {"OT_DOCTOR_FAIL_ON": "warn"}, 1),
        (["--fail-on", "fail"], {"OT_DOCTOR_STRICT": "1"}, 0),
        (["--strict"], {"OT_DOCTOR_FAIL_ON": "never"}, 1),
    ],
)
def test_of_strict_and_fail_on_the_last_one_given_wins(
    arguments: list[str], environ: dict[str, str], code: int, installed: Doctor
) -> None:
    warned(installed)
    done = installed("--format", "json", "--select", "token-exposure", *arguments, **environ)
    assert document(done)["exit_code"] == code


def test_fail_on_never(installed: Doctor) -> None:
    broken(installed)
    assert installed("--fail-on", "never").returncode == 0


def test_a_log_alone(doctor: Doctor) -> None:
    healthy = "\n".join(logs.v04_success()) + "\n"
    read = document(doctor("--logs", "-", "--format", "json", stdin=healthy))
    assert read["exit_code"] == 0 and status(read, "last-attempt") == "pass"
    assert {status(read, name) for name in ("docker-engine", "disk-space", "hub-reachable")} == {"skip"}
    read = document(doctor("--logs", "-", "--format", "json", stdin="nothing of interest\n"))
    assert read["exit_code"] == 3 and status(read, "worker-start") == "unknown"


def test_colour(installed: Doctor) -> None:
    assert ESCAPE in installed("--color", "always").stdout
    assert ESCAPE in installed("--color", "always", NO_COLOR="1").stdout
    assert ESCAPE not in installed("--color", "never").stdout
    assert ESCAPE not in installed(OT_DOCTOR_COLOR="auto").stdout


def on_a_terminal(doctor: Doctor, *arguments: str, columns: int = 0, errors: bool = True, **environ: str) -> str:
    """What a run shows on a terminal, with or without its errors; one of 0 columns does not tell its width."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = ready_doctor.Started(
        *arguments, cwd=doctor.cwd, env={**doctor.environ, "TERM": "xterm", **environ},
        streams=(None, inner, inner if errors else None),
    )  # fmt: skip
    os.close(inner)
    shown = b""
    with os.fdopen(outer, "rb", buffering=0) as terminal:
        while select.select([terminal], [], [], 30)[0]:
            try:
                shown += terminal.read(65536) or b""
            except OSError:  # the other end is closed
                break
    process.wait(30)
    return shown.decode()


def test_on_a_terminal_there_is_colour_unless_no_color_is_set(installed: Doctor) -> None:
    assert ESCAPE in on_a_terminal(installed)
    assert ESCAPE not in on_a_terminal(installed, NO_COLOR="1").replace("\r\x1b[K", "")


def test_the_width_is_that_of_standard_output_where_errors_lead_elsewhere(installed: Doctor) -> None:
    for arguments in (["-v", "--color", "never"], ["list"]):
        wide = on_a_terminal(installed, *arguments, columns=100, errors=False)
        narrow = on_a_terminal(installed, *arguments, columns=60, errors=False)
        assert max(map(len, wide.splitlines())) > 80 and len(narrow.splitlines()) > len(wide.splitlines())


def test_ascii(installed: Doctor) -> None:
    done = installed("--ascii", "-v")
    assert done.stdout.isascii() and "ok token-format: The token is well-formed (hf_...(37))" in _settled(done.stdout)


def test_quiet_and_verbose(installed: Doctor) -> None:
    assert "token-format" not in installed("-q").stdout
    assert len(installed("-v").stdout) >= len(installed().stdout) > len(installed("-q").stdout)


def test_a_reader_that_goes_away_is_no_error(installed: Doctor) -> None:
    for arguments in (["list"], ["--format", "json"], ["-v"], ["explain", "token-format"], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        process = installed.start(*arguments, out=write)
        os.close(write)
        assert process.communicate(60)[1] == ""


@pytest.mark.parametrize("argument", ["list", "run", "--help"])
def test_a_full_disk_is_said(argument: str, installed: Doctor) -> None:
    with open("/dev/full", "wb") as full:
        process = installed.start(argument, out=full.fileno())
    _, error = process.communicate(60)
    assert (process.returncode, error) == (2, "ot-doctor: the result could not be written: No space left on device\n")


def test_an_interruption_is_130_and_no_traceback(engine_that_hangs: Doctor) -> None:
    process = engine_that_hangs.start("--timeout", "60")
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(20)
    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in error and "interrupted" in error


def test_an_engine_that_hangs_ends_with_the_timeout_and_is_named(engine_that_hangs: Doctor) -> None:
    began = time.monotonic()
    read = document(engine_that_hangs("--timeout", "2", "--format", "json"))
    assert time.monotonic() - began < 2 + 3
    assert read["exit_code"] == 3 and status(read, "worker-running") == "unknown" and status(read, "token-format") != "fail"


def test_progress_names_what_is_waited_for_on_a_terminal_alone(engine_that_hangs: Doctor) -> None:
    shown = on_a_terminal(engine_that_hangs, "--timeout", "2")
    assert shown.index("Waiting for the Docker engine") < shown.rindex("\r\x1b[K") < shown.index("ot-doctor 0")
    assert re.search(r"Waiting for the Docker engine[\w ]*: [012] s of 2 s \(Ctrl-C stops\)", shown)
    assert engine_that_hangs("--timeout", "1").stderr == ""


def test_progress_is_cut_at_the_width_of_the_terminal(engine_that_hangs: Doctor) -> None:
    shown = on_a_terminal(engine_that_hangs, "--timeout", "2", columns=30)
    lines = [line for line in re.findall(r"\r\x1b\[K([^\r\x1b]*)", shown.partition("ot-doctor 0")[0]) if line]
    assert lines and all(len(line) == 29 and line.endswith("…") for line in lines)


def test_python_m(doctor: Doctor) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ot_doctor", "--version"], cwd=ROOT, env=doctor.environ, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"ot-doctor, version {__version__}\n")


LOADED = """
import os, sys
heavy, runs = sys.argv[1].split(","), [line.split() for line in sys.argv[2].splitlines()]
end = os._exit

def tell(code):
    print("LOADED", *run[:1], *{name.split(".")[0] for name in sys.modules} & set(heavy), file=sys.stderr, flush=True)
    end(code)

from ot_doctor.cli.main import main
for run in runs:
    if not os.fork():
        os._exit, sys.argv = tell, ["ot-doctor", *run]
        main()
    os.wait()
"""


def loaded(doctor: Doctor, *runs: str) -> list[set[str]]:
    """Which of the heavy packages each of the runs has loaded. The process that does the work tells it before its parent does."""
    heavy = "docker,huggingface_hub,yaml,requests,httpx,urllib3,tabulate,dotenv"
    done = subprocess.run(
        [sys.executable, "-c", LOADED, heavy, "\n".join(runs)], cwd=doctor.cwd, env=doctor.environ, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    told = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("LOADED")]
    first = {run: set(packages) for run, *packages in reversed(told)}
    return [first[run.split()[0]] for run in runs]


def test_what_is_not_needed_is_not_loaded(installed: Doctor) -> None:
    *little, listing, whole = loaded(installed, "--help", "--version", "explain token-format", "list", "run")
    assert little == [set()] * 3 and listing == {"tabulate"}
    assert whole and not whole & {"docker", "huggingface_hub", "requests", "httpx"}


def test_probe_takes_what_it_can_do(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {celery-worker: {image: x}}\n")
    doctor.environ["OT_DOCTOR_PROBE"] = "gpu"
    done = doctor("run", "--dir", str(tmp_path), "--no-docker")
    assert done.returncode == 2 and "'gpu' must stand on the command line" in done.stderr
    del doctor.environ["OT_DOCTOR_PROBE"]
    assert doctor("run", "--dir", str(tmp_path), "--no-docker", "--probe", "gpu").returncode == 1, "there is no .env"
    done = doctor("probe", "--dir", str(tmp_path), "--no-docker", "--format", "json")
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] and document["schema"] == "ot-doctor/probe/1"
    assert document["worker"] is None and "--no-docker" in document["reason"]


@pytest.mark.parametrize("option", [["--probe", "off"], ["--no-exec"]])
def test_the_look_from_inside_can_be_left_out(doctor: Doctor, tmp_path: Path, option: list[str]) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {celery-worker: {image: x}}\n")
    done = doctor("run", "--dir", str(tmp_path), "--no-docker", "--select", "worker-network", *option, "--format", "json")
    assert status(json.loads(done.stdout), "worker-network") == "skip"
