"""A document in time, whatever a plug-in, a source or an input does: whole runs of the real command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.parts.ready_doctor import SCRIPT, Started, script

pytestmark = pytest.mark.slow

TIMEOUT = 1.0  # seconds: what --timeout says
MEMORY = 300_000  # KiB that the processes may have, each
HARD = "__import__('re').match('(a+)+$', 'a' * 50 + '!')"  # holds the interpreter
HELD = "__import__('ctypes').PyDLL(None).sleep(60)"  # as well, and takes no processor: no other thread runs meanwhile
CHECK = '''
import os, re, signal, subprocess, sys, threading, time
from ot_doctor.check import Cause, Family, Finding, Seen, Status, Step, check, failed, passed
{top}

@check("site-mine", title="It is so", family=Family.HOST)
def mine():
    """Because."""
{body}
    yield passed("fine")
'''
ALONE = ("--no-docker", "--offline", "--format", "json", "--timeout", f"{TIMEOUT:g}")


def installation(path: Path) -> Path:
    path.mkdir()
    (path / ".env").write_text("HUGGINGFACE_TOKEN=\n")
    (path / "docker-compose.yml").write_text("services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend\n")
    return path


def plug_in(tmp_path: Path, body: str = "pass", top: str = "", name: str = "mine") -> tuple[str, ...]:
    (tmp_path / "checks").mkdir(exist_ok=True)
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    (tmp_path / "checks" / f"{name}.py").write_text(CHECK.format(top=top, body=indented).replace("site-mine", f"site-{name}"))
    return ("--checks-dir", str(tmp_path / "checks"))


def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}


def start(tmp_path: Path, *arguments: str, environ: Mapping[str, str] | None = None, **more: Any) -> Started:
    return Started(*arguments, cwd=installation(tmp_path / "ot"), env={**environment(tmp_path), **(environ or {})}, **more)


def doctor(tmp_path: Path, *arguments: str, stdin: int | None = None) -> tuple[dict[str, Any], str]:
    """The document, valid, in time and in little memory, and what was said on standard error."""
    process = start(tmp_path, *ALONE, *arguments, streams=(stdin, None, None))
    began = time.monotonic()
    try:
        process.wait(20)
    finally:
        process.kill()
    took = time.monotonic() - began
    said, complained = process.communicate(5)
    assert took < TIMEOUT + 2, complained
    assert process.peak < MEMORY
    document = json.loads(said)
    assert document["exit_code"] == process.returncode, complained
    return document, complained


def said_of(document: dict[str, Any], name: str = "site-mine") -> str:
    (check,) = [check for check in document["checks"] if check["name"] == name]
    return f"{check['status']}: {check['findings'][0]['message']}"


ENDINGS = {
    "a regular expression in a check": (HARD, "", "the check site-mine was running"),
    "a power in a check": ("10 ** 10 ** 9", "", "the check site-mine was running"),
    "a function in C at import": ("pass", HELD, "checks/mine.py was being loaded"),
    "it ends the process": ("os._exit(0)", "", "before its end, with exit code 0 while the check site-mine"),
    "it ends the process at import": ("pass", "os._exit(7)", "with exit code 7 while the plug-in"),
    "it crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", "", "by the signal SIGSEGV while the check site-mine"),
    "an alarm": ("signal.setitimer(signal.ITIMER_REAL, .1); time.sleep(9)", "", "by the signal SIGALRM"),
    "it ends what it did not start": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", "", "by the signal SIGTERM"),
}


@pytest.mark.parametrize(("body", "top", "said"), ENDINGS.values(), ids=ENDINGS)
def test_what_ends_or_holds_the_process_is_named_in_one_document(tmp_path: Path, body: str, top: str, said: str) -> None:
    document, _ = doctor(tmp_path, *plug_in(tmp_path, body, top))
    if top or "import" in said:  # nothing was checked yet
        assert document["exit_code"] == 3 and document["checks"] == []
    else:  # what the other checks found is kept
        assert document["exit_code"] == 1 and document["diagnosis"][0]["cause"] == "token-missing"
        assert said_of(document) == "unknown: the run was given up before the check site-mine had ended"
    assert said in " ".join([*document["notices"], *(f["message"] for c in document["checks"] for f in c["findings"])])


def test_each_format_and_file_says_what_was_given_up(tmp_path: Path) -> None:
    names = ("old.json", "a.txt", "b.md", "c.html", "d.xml", "e.sarif", "f.prom", "g.nagios")
    (tmp_path / "old.json").write_text('{"exit_code": 0}')
    outputs = [part for name in names for part in ("--output", str(tmp_path / name))]
    process = start(tmp_path, "--no-docker", "--offline", "--timeout", "1", *outputs, *plug_in(tmp_path, HELD))
    out, err = process.communicate(30)
    sentence = "The run did not end within 1 s while the check site-mine was running, and was given up. Leave it out with"
    assert process.returncode == 1 and sentence in " ".join(out.split()) and err == ""
    assert sentence in json.loads((tmp_path / "old.json").read_text())["notices"][0]
    assert any(sentence in error.get("message", "") for error in ElementTree.parse(tmp_path / "d.xml").iter("error"))
    for name in names:
        text = (tmp_path / name).read_text()
        assert "token-missing" in text and "OT-DOCTOR-WAS" not in text, name


@pytest.mark.parametrize("arguments", [("list",), ("explain", "token-present"), ("--format", "junit"), ("--format", "github")])
def test_a_plug_in_that_holds_the_interpreter_while_it_is_loaded(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    process = start(tmp_path, *arguments, *plug_in(tmp_path, top=HELD), environ={"OT_DOCTOR_TIMEOUT": "1"})
    began = time.monotonic()
    out, err = process.communicate(40)
    assert time.monotonic() - began < TIMEOUT + 2
    assert process.returncode == 3 and "mine.py was being loaded" in err and "Leave out --checks-dir" in err
    if arguments[0] == "--format":
        assert "mine.py was being loaded" in out


def test_modules_that_sleep_at_import_end_together_and_each_is_named(tmp_path: Path) -> None:
    for name in ("one", "three", "two"):
        options = plug_in(tmp_path, top="time.sleep(60)", name=name)
    document, _ = doctor(tmp_path, *options)
    assert [Path(notice.split(" could not")[0]).name for notice in document["notices"]] == ["one.py", "three.py", "two.py"]
    assert any(check["name"] == "token-present" and check["status"] == "fail" for check in document["checks"])
    assert document["exit_code"] == 1


def test_sleeping_checks_take_the_time_once_and_nothing_of_the_others(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e", "f"):
        options = plug_in(tmp_path, "time.sleep(60)", name=name)
    document, _ = doctor(tmp_path, *options)
    assert {said_of(document, f"site-{name}") for name in "abcdef"} == {
        f"unknown: the check site-{name} did not end in time" for name in "abcdef"
    }
    assert said_of(document, "token-present").startswith("fail")


SURVIVED = {
    "large findings without end": ("while True: yield passed('x' * 1_000_000)", "unknown"),
    "words without end": (
        "class Odd(Exception):\n    def __str__(self):\n        while True: time.sleep(.01)\nraise Odd",
        "unknown: the check site-mine itself failed: Odd",
    ),
    "no depth": ("sys.setrecursionlimit(30)", "pass"),
    "no descriptor": ("while True: os.open('/dev/null', 0)", "unknown: Too many files are open"),
    "no module": ("sys.modules.clear()", "pass"),
    "no streams": ("sys.stdout = sys.stderr = sys.stdin = None", "pass"),
    "another folder": ("os.chdir('/')", "pass"),
    "exit": ("sys.exit(0)", "unknown"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "said"), SURVIVED.values(), ids=SURVIVED)
def test_the_run_survives_a_mistake_of_a_check(tmp_path: Path, body: str, said: str) -> None:
    document, _ = doctor(tmp_path, *plug_in(tmp_path, body))
    assert said_of(document, "token-present").startswith("fail")
    assert said in said_of(document) or said in json.dumps(document["checks"][-1])


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    document, _ = doctor(tmp_path, *plug_in(tmp_path, "yield passed('x', evidence=[Seen('a', 'b', 'c')] * 100_000)"))
    assert said_of(document, "token-present").startswith("fail") and said_of(document) == "pass: x"
    (check,) = [check for check in document["checks"] if check["name"] == "site-mine"]
    assert check["findings"][0]["evidence"][-1]["text"] == "99900 more pieces of evidence are left out"


TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
SPOKEN = {
    "a command": f"os.system('echo SPOKEN {TOKEN} >&2')",
    "a descriptor": f"os.write(2, b'SPOKEN {TOKEN}\\n')",
    "a thread after the end": (
        f"def speak():\n    while True: print('SPOKEN {TOKEN}', flush=True); time.sleep(.001)\n"
        "threading.Thread(target=speak).start()"
    ),
}


@pytest.mark.parametrize("body", SPOKEN.values(), ids=SPOKEN)
def test_what_a_plug_in_writes_is_shown_without_secrets_and_not_in_the_document(tmp_path: Path, body: str) -> None:
    document, err = doctor(tmp_path, *plug_in(tmp_path, body))
    assert said_of(document) == "pass: fine"
    assert "SPOKEN hf_…" in err and TOKEN not in err


RAISED = {
    "a thread": f"threading.Thread(target=lambda: int('{TOKEN}')).start(); time.sleep(.1)",
    "a finalizer": f"class Odd:\n    def __del__(self): int('{TOKEN}')\nOdd()",
}


@pytest.mark.parametrize("body", RAISED.values(), ids=RAISED)
def test_what_a_thread_raises_is_shown_to_those_who_ask(tmp_path: Path, body: str) -> None:
    options = plug_in(tmp_path, body)
    assert doctor(tmp_path, *options)[1] == ""
    (tmp_path / "again").mkdir()
    _, err = doctor(tmp_path / "again", *options, "-vv")
    assert "raised" in err and "Traceback" in err and TOKEN not in err


def test_modules_that_are_no_files(tmp_path: Path) -> None:
    options = plug_in(tmp_path)
    folder = tmp_path / "checks"
    os.mkfifo(folder / "fifo.py")
    (folder / "zero.py").symlink_to("/dev/zero")
    (folder / "loop.py").symlink_to("loop.py")
    with (folder / "huge.py").open("wb") as file:
        file.truncate(10**10)
    document, _ = doctor(tmp_path, *options)
    names = {Path(notice.split(" could not")[0]).name for notice in document["notices"]}
    assert names == {"fifo.py", "zero.py", "loop.py", "huge.py"} and said_of(document) == "pass: fine"


def test_a_log_on_standard_input_that_never_ends(tmp_path: Path) -> None:
    readable, writable = os.pipe()
    try:
        os.write(writable, b"so far\n")
        document, _ = doctor(tmp_path, "--logs", "-", stdin=readable)
    finally:
        os.close(readable)
        os.close(writable)
    assert said_of(document, "last-attempt").startswith("unknown") and document["exit_code"] in (1, 3)


def test_an_engine_that_never_answers(tmp_path: Path) -> None:
    address = str(tmp_path / "engine.sock")
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(address)
        engine.listen(50)
        arguments = ("--offline", "--format", "json", "--timeout", "1")
        process = start(tmp_path, *arguments, environ={"DOCKER_HOST": f"unix://{address}"})
        began = time.monotonic()
        out, _ = process.communicate(30)
        assert time.monotonic() - began < 3
    assert said_of(json.loads(out), "docker-engine").startswith(("unknown", "fail"))


def test_a_folder_that_hangs_before_anything_has_a_deadline(tmp_path: Path) -> None:
    """As on a dead network file system: looking at it never ends. The option itself is looked at by the main thread."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, time\nreal = os.stat\n"
        "os.stat = lambda path, *a, **k: time.sleep(60) if 'dead' in str(path) else real(path, *a, **k)\n"
    )
    began = time.monotonic()
    environ = {**environment(tmp_path), "PYTHONPATH": str(tmp_path / "site")}
    done = script(*ALONE, "--dir", str(tmp_path / "dead"), cwd=tmp_path, env=environ, timeout=40)
    assert time.monotonic() - began < TIMEOUT + 2
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 3


# -- the terminal and the processes ----------------------------------------------------------------


def begun(tmp_path: Path, body: str, timeout: str, *arguments: str) -> Started:
    """A run in a session of its own, whose check does that now."""
    options = plug_in(tmp_path, f"open({str(tmp_path / 'begun')!r}, 'w').close(); {body}")
    before = "import os; os.setsid()"
    process = start(tmp_path, "--no-docker", "--offline", "--timeout", timeout, *arguments, *options, before=before)
    until = time.monotonic() + 20
    while not (tmp_path / "begun").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return process


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Started]:
    """A run of a minute whose check sleeps, begun."""
    process = begun(tmp_path, "time.sleep(60)", "60")
    yield process
    process.kill()


def workers_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("to_all", [False, True], ids=["to the parent", "to all, five times"])
def test_an_interrupt_ends_it_with_one_sentence(held: Started, to_all: bool) -> None:
    for _ in range(5 if to_all else 1):
        with contextlib.suppress(ProcessLookupError):  # the first of them may have ended it
            (os.killpg if to_all else os.kill)(held.pid, signal.SIGINT)
    out, err = held.communicate(5)
    assert (held.returncode, out, err.strip()) == (130, "", "ot-doctor: interrupted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_dies_of_the_signal_that_it_is_sent(held: Started, number: int) -> None:
    (child,) = workers_of(held.pid)
    held.send_signal(number)
    held.communicate(5)
    assert held.returncode == -number and gone(child)


def test_no_orphan_is_left(held: Started) -> None:
    (child,) = workers_of(held.pid)
    held.kill()
    held.wait(5)
    until = time.monotonic() + 5
    while not gone(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert gone(child)


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    process = begun(tmp_path, "time.sleep(.5)", "2", "--format", "json")
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(5)
    os.killpg(process.pid, signal.SIGCONT)
    out, _ = process.communicate(10)
    assert said_of(json.loads(out), "token-present").startswith("fail")


def test_an_interrupt_ends_what_holds_the_interpreter(tmp_path: Path) -> None:
    process = begun(tmp_path, HELD, "60")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(5)
    assert (process.returncode, out, err.strip()) == (130, "", "ot-doctor: interrupted")


def test_a_slow_reader_gets_the_whole_document(tmp_path: Path) -> None:
    options = plug_in(tmp_path, "for i in range(900): yield passed('x' * 500)")
    readable, writable = os.pipe()
    process = start(tmp_path, *ALONE, *options, streams=(None, writable, None))
    os.close(writable)
    time.sleep(TIMEOUT + 2.5)
    with open(readable, encoding="utf-8") as out:
        document = json.load(out)
    assert document["exit_code"] == process.wait(10)


def test_too_few_threads_are_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'ulimit -v 200000; exec "$@"', "sh", str(SCRIPT), *ALONE], cwd=installation(tmp_path / "ot"),
        env=environment(tmp_path), capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "fault of ot-doctor" not in done.stdout + done.stderr and "Traceback" not in done.stderr
    assert json.loads(done.stdout)["exit_code"] == done.returncode
