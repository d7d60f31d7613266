"""What goes wrong around a run: odd files, outputs that fail, limits, bugs, interruptions. There is a document all the same."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.cli.failure import tell
from ot_doctor.cli.interruption import CODE
from ot_doctor.cli.output import CouldNotWrite, write_files
from ot_doctor.core.debug_log import where_to_report
from ot_doctor.core.limits import limit_reached
from tests.cli.test_commands import SCHEMA, SCRIPT, TOKEN, Doctor, doctor, document, engine_that_hangs, installed, refused  # noqa: F401
from tests.parts import ready_doctor

pytestmark = pytest.mark.slow

CRASHING = """
from ot_doctor.run import session as place
def crash(*arguments, **options):
    raise KeyError("boom {token}")
place.{function} = crash
from ot_doctor.cli.main import main
main()
"""


def limited(doctor: Doctor, *arguments: str, **limits: int) -> subprocess.CompletedProcess[str]:  # noqa: F811
    def limit() -> None:
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    return subprocess.run(
        doctor.command(*arguments), cwd=doctor.cwd, env=doctor.environ, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, preexec_fn=limit,
    )  # fmt: skip


def odd_file(kind: str, path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "circle":
        path.symlink_to(path.name)


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pipe", "device", "circle"])
@pytest.mark.parametrize("option", ["--output", "--logs", "--signatures"])
def test_only_regular_files_are_read_and_written(option: str, kind: str, installed: Doctor) -> None:  # noqa: F811
    odd_file(kind, installed.cwd / "odd.md")
    began = time.monotonic()
    read = document(installed(option, "odd.md", "--format", "json"))
    assert time.monotonic() - began < 15
    assert (read["exit_code"], read["error_kind"]) == (2, "usage") and "odd.md" in read["error"]
    assert ("is not a regular file" in read["error"]) is (kind != "circle")


@pytest.mark.parametrize("kind", ["pipe", "device", "circle"])
@pytest.mark.parametrize("command", [("diagnose", "odd.zip"), ("diff", "odd.zip", "odd.zip"), ("collect", "-y", "-o", "odd.zip")])
def test_a_bundle_is_a_regular_file(command: tuple[str, ...], kind: str, installed: Doctor) -> None:  # noqa: F811
    odd_file(kind, installed.cwd / "odd.zip")
    assert "odd.zip" in refused(installed(*command))


@pytest.mark.parametrize("length", [230, 245, 252])
def test_a_name_may_be_as_long_as_the_system_takes(length: int, installed: Doctor) -> None:  # noqa: F811
    name = "n" * (length - 5) + ".json"
    assert document(installed("--format", "json", "--output", name))["exit_code"] == 0
    assert json.loads((installed.cwd / name).read_text())["exit_code"] == 0


def test_a_name_that_is_too_long_is_wrong_usage(installed: Doctor) -> None:  # noqa: F811
    for name in ("n" * 300 + ".json", "n" * 5000 + ".json"):
        assert "File name too long" in document(installed("--format", "json", "--output", name))["error"]


@pytest.mark.parametrize("arguments", [("--output", "x.md"), ("--logs", "x.log"), ("--dir", "."), ()])
def test_a_working_folder_that_was_deleted(arguments: tuple[str, ...], doctor: Doctor) -> None:  # noqa: F811
    code = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    command = ["sh", "-c", code, "sh", str(doctor.cwd), *doctor.command("--format", "json", *arguments)]
    done = subprocess.run(command, env=doctor.environ, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert "Traceback" not in done.stderr
    assert document(done)["exit_code"] == 2


def test_the_document_and_the_process_say_the_same_where_an_output_cannot_be_written(installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / "x.md").symlink_to("/proc/self/mem")
    read = document(installed("--format", "json", "--output", "x.md"))
    assert (read["exit_code"], read["error_kind"]) == (2, "usage") and "x.md" in read["error"]


def test_a_file_that_may_grow_no_further(installed: Doctor) -> None:  # noqa: F811
    done = limited(installed, "--format", "json", "--output", "x.html", RLIMIT_FSIZE=100)
    read = json.loads(done.stdout)
    assert done.returncode == read["exit_code"] == 2 and "x.html: File too large" in read["error"]
    assert not list(installed.cwd.glob("*.html")) and not list(installed.cwd.glob(".ot-doctor-*"))


def test_a_folder_without_rights(installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / "closed").mkdir(mode=0o500)
    command = installed.command("--format", "json", "--output", "closed/x.md")
    if os.geteuid() == 0:  # who may write everywhere, but without that right
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]
    read = document(subprocess.run(command, cwd=installed.cwd, env=installed.environ, capture_output=True, text=True, timeout=60))
    assert read["exit_code"] == 2 and "closed/x.md: Permission denied" in read["error"]


def test_a_staged_file_is_named_by_its_target(tmp_path: Path) -> None:
    with pytest.raises(CouldNotWrite, match=r"/proc/x\.md: "):
        write_files({Path("/proc/x.md"): "x"})
    with pytest.raises(CouldNotWrite, match="is not a regular file"):
        write_files({Path("/dev/null"): "x"})


# -- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("megabytes", [195, 90, 58, 48, 40])
def test_little_memory(megabytes: int, installed: Doctor) -> None:  # noqa: F811
    done = limited(installed, "--format", "json", RLIMIT_AS=megabytes * 2**20)
    assert "Traceback" not in done.stderr
    read = document(done)
    assert read["error_kind"] in ("usage", None) and "fault" not in str(read["error"])
    if read["error"]:
        assert f"ulimit -v allows {megabytes} MB" in read["error"]


@pytest.mark.parametrize("files", range(4, 13))
def test_few_open_files(files: int, installed: Doctor) -> None:  # noqa: F811
    done = limited(installed, "--format", "json", RLIMIT_NOFILE=files)
    assert "ot_doctor/" not in done.stderr, done.stderr
    if "Fatal Python error" in done.stderr or "importlib" in done.stderr:  # not even Python begins
        assert files < 7
        return
    if not done.stdout:
        assert done.returncode == 2 and "ulimit -n" in done.stderr
        return
    read = document(done)
    assert read["error_kind"] in ("usage", None)
    if read["error"]:
        assert f"Too many files are open (ulimit -n allows {files})" in read["error"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "too little memory"),
        (RuntimeError("can't start new thread"), "No more threads can be started"),
        (OSError(24, "Too many open files"), "Too many files are open"),
        (OSError(12, "Cannot allocate memory"), "too little memory"),
        (ImportError("libssl.so: failed to map segment from shared object"), "too little memory"),
        (RuntimeError("dictionary changed size"), None),
        (OSError(28, "No space left on device"), None),
    ],
)
def test_what_a_limit_looks_like(error: Exception, said: str | None) -> None:
    outer = ValueError("what came of it")
    outer.__cause__ = error
    for raised in (error, outer):
        found = limit_reached(raised)
        assert found is None if said is None else found is not None and said in found


@pytest.mark.parametrize("error", [SystemError("error return without exception set"), ImportError("cannot import name 'Rows'")])
def test_what_an_allocation_becomes_that_fails_unnoticed_is_told_only_where_memory_is_limited(error: Exception) -> None:
    assert limit_reached(error) is None, "no limit is set here"
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\n"
        f"from ot_doctor.core.limits import limit_reached; print(limit_reached({type(error).__name__}('x')))\n"
        "print(limit_reached(ModuleNotFoundError('x')))"
    )
    said, of_a_missing_module = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert "too little memory" in said and "4096 MB" in said and of_a_missing_module == "None"


# -- bugs ------------------------------------------------------------------------------------------------------------


def crashed(doctor: Doctor, *arguments: str, function: str = "prepare") -> Any:  # noqa: F811
    code = CRASHING.format(function=function, token=TOKEN)
    return ready_doctor.run_code(code, *arguments, cwd=doctor.cwd, env=doctor.environ, timeout=60)


def test_a_bug_is_exit_code_4_and_a_sentence_with_where_to_report_it(installed: Doctor) -> None:  # noqa: F811
    done = crashed(installed)
    assert (done.returncode, done.stdout) == (4, "") and TOKEN not in done.stderr
    assert done.stderr.startswith("ot-doctor: Internal error: KeyError: 'boom hf_…")
    assert f"report it {where_to_report()}" in done.stderr and "-vv" in done.stderr and len(done.stderr.splitlines()) == 1


def test_vv_shows_the_traceback_of_a_bug_without_secrets(installed: Doctor) -> None:  # noqa: F811
    done = crashed(installed, "-vv")
    assert done.returncode == 4 and "Traceback" in done.stderr and "in crash" in done.stderr and TOKEN not in done.stderr
    assert "Traceback" not in crashed(installed, "-v").stderr


@pytest.mark.parametrize("command", [(), ("list",)])
def test_a_bug_is_in_the_document_in_the_format_that_is_wanted(command: tuple[str, ...], installed: Doctor) -> None:  # noqa: F811
    installed.environ["OT_DOCTOR_FORMAT"] = "json"
    done = crashed(installed, *command, function="catalogue_of" if command else "prepare")
    read = document(done)
    assert (read["exit_code"], read["error_kind"]) == (4, "internal") and "Internal error: KeyError" in read["error"]


def test_a_bug_heeds_the_format_of_the_file(installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / ".ot-doctor.toml").write_text('format = "json"\n')
    assert document(crashed(installed))["error_kind"] == "internal"


@pytest.mark.parametrize("name", ["sarif", "junit", "html", "markdown", "github", "prometheus", "nagios"])
def test_a_bug_in_every_format(name: str, installed: Doctor) -> None:  # noqa: F811
    done = crashed(installed, "--format", name)
    assert done.returncode == (3 if name == "nagios" else 4) and "KeyError" in done.stdout and done.stderr == ""
    if name in ("html", "markdown", "github"):
        assert "ot-doctor itself failed" in done.stdout


def test_a_report_that_would_leak_is_a_document_about_that(installed: Doctor) -> None:  # noqa: F811
    code = f'''
from ot_doctor.cli import main as cli, show
from ot_doctor.redaction.secret import Secret
secret = Secret({TOKEN!r}, "HUGGINGFACE_TOKEN")
render = show.render
show.render = lambda *arguments: render(*arguments) + {TOKEN!r}
cli.main()
'''
    arguments = ("--format", "json", "--output", "x.json")
    done = ready_doctor.run_code(code, *arguments, cwd=installed.cwd, env=installed.environ, timeout=60)
    read = document(done)
    assert (read["exit_code"], read["error_kind"]) == (4, "internal") and "would have held HUGGINGFACE_TOKEN" in read["error"]
    assert TOKEN not in done.stdout + done.stderr and not (installed.cwd / "x.json").exists()


def test_where_to_report_is_what_the_distribution_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from email.message import Message
    from importlib import metadata

    said = Message()
    said["Project-URL"] = "Documentation, https://example.org/docs"
    monkeypatch.setattr(metadata, "metadata", lambda name: said)
    assert where_to_report() == "to whoever you got ot-doctor from"
    said["Project-URL"] = "Issues, https://example.org/issues"
    assert where_to_report() == "at https://example.org/issues"


def test_an_exception_that_cannot_say_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert tell(Mute()) == 4
    assert "Internal error: Mute." in capsys.readouterr().err


def test_windows_is_told_where_it_runs(doctor: Doctor) -> None:  # noqa: F811
    code = """
import click, sys
sys.modules["pwd"] = sys.modules["fcntl"] = sys.modules["resource"] = None
sys.platform = "win32"
sys.argv = ["ot-doctor"]
from ot_doctor.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], env=doctor.environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ot-doctor: ") and "Run it inside WSL" in done.stderr and len(done.stderr.splitlines()) == 1


# -- interruptions and shells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.05])
def test_five_interruptions_in_a_row(pause: float, engine_that_hangs: Doctor) -> None:  # noqa: F811
    process = engine_that_hangs.start("--timeout", "60")
    time.sleep(1.5)
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
    output, error = process.communicate(20)
    assert (process.returncode, output) == (CODE, "") and error.strip() in ("ot-doctor: interrupted", ""), error


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"_OT_DOCTOR_COMPLETE": "bash_complete"}, "COMP_WORDS"),
        ({"_OT_DOCTOR_COMPLETE": "bash_complete", "COMP_WORDS": "ot-doctor "}, "COMP_CWORD"),
        ({"_OT_DOCTOR_COMPLETE": "zsh_complete", "COMP_WORDS": "ot-doctor ", "COMP_CWORD": "x"}, "COMP_CWORD"),
        ({"_OT_DOCTOR_COMPLETE": "tcsh_complete", "COMP_WORDS": "ot-doctor ", "COMP_CWORD": "1"}, "'tcsh_complete'"),
        ({"_OT_DOCTOR_COMPLETE": "bash_explode"}, "'bash_explode'"),
        ({"_OT_DOCTOR_COMPLETE": "bash"}, "must be one of bash_complete"),
    ],
)
def test_a_completion_that_nobody_can_answer(environ: dict[str, str], said: str, doctor: Doctor) -> None:  # noqa: F811
    assert said in refused(doctor(**environ))


def test_interruptions_that_are_ignored_still_are(engine_that_hangs: Doctor) -> None:  # noqa: F811
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    process = engine_that_hangs.start("--timeout", "4", "--format", "json", before=ignore)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(30)
    assert process.returncode == json.loads(output)["exit_code"] == 3
