"""What nobody should do to the command, done to it: it ends in time, with a document, and without a secret."""

from __future__ import annotations

import base64
import json
import os
import re
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.check import Cause, Family, Finding, Seen, Status, Step, check, failed, passed
from ot_doctor.redaction.masking import redact
from ot_doctor.redaction.secret import Secret
from tests.parts import ready_doctor
from tests.scenarios import logs
from tests.scenarios.conftest import bring_up  # noqa: F401
from tests.scenarios.scenario import DOCTOR, TOKEN, Scenario

pytestmark = pytest.mark.slow

CHANCE = "hf_" + "aB3dE5gH7jK9mN1pQ4sT6vX8yZ0cF2wLrU"  # no ten characters of it come twice
COMPOSE = "services:\n  celery-worker:\n    image: x\n    env_file: .env\n"
ALONE = ("--no-docker", "--offline", "--timeout", "5")
PLUG_IN = """\
import os, subprocess, sys
from collections.abc import Iterator
from ot_doctor.check import *
@check("mine", title="t", family=Family.HOST, causes=(Cause.DISK_FULL,))
def mine() -> Iterator[Finding]:
    "Why."
"""


def folder(path: Path, env: str = f"HUGGINGFACE_TOKEN={CHANCE}\n", compose: str | bytes = COMPOSE) -> Path:
    path.mkdir(parents=True)
    (path / "docker-compose.yml").write_bytes(compose if isinstance(compose, bytes) else compose.encode())
    (path / ".env").write_text(env)
    (path / ".env").chmod(0o600)
    return path


def shell(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONUTF8": "1", **(extra or {})}


def doctor(
    where: Path, *arguments: str, env: Mapping[str, str] | None = None, redirect: str = "", timeout: float = 20
) -> subprocess.CompletedProcess[str]:
    """The installed command, with the redirections that a shell is asked for."""
    if redirect:
        command = ["sh", "-c", f'exec "$0" "$@" {redirect}', str(DOCTOR), *arguments]
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        done = subprocess.run(command, cwd=where, env=shell(where, env), timeout=timeout, **streams)
    else:
        done = ready_doctor.run(*arguments, cwd=where, env=shell(where, env), timeout=timeout)
    said = done.stdout + done.stderr
    assert "Traceback" not in said and "\x1b" not in said, said
    assert not pieces(CHANCE) & {said[at : at + 10] for at in range(len(said))}, "a piece of the token was printed"
    return done


def pieces(secret: str) -> set[str]:
    return {secret[at : at + 10] for at in range(len(secret) - 9)}


def document(where: Path, *arguments: str, env: Mapping[str, str] | None = None, redirect: str = "") -> dict[str, Any]:
    done = doctor(where, "--format", "json", *arguments, env=env, redirect=redirect)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["exit_code"] == done.returncode
    return report


def found(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    return dict(next(c for c in report["checks"] if c["name"] == name)["findings"][0])


# -- secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"name '{CHANCE[3:]}'",
        f"{CHANCE[:15]}\n{CHANCE[15:]}",
        f"{CHANCE[:22]}\n    {CHANCE[22:]} was refused",
        f"…{CHANCE[5:17]}…",
        f"hf%5F{CHANCE[3:]}",
        f"\\u0068\\u0066\\u005f{CHANCE[3:]}",
        f"x{CHANCE[3:]}y",
    ],
)
def test_no_piece_of_a_token_that_was_met_is_shown(text: str) -> None:
    Secret(CHANCE)
    assert not pieces(CHANCE) & {redact(text)[at : at + 10] for at in range(len(text))}


@pytest.mark.parametrize(
    "hidden, text",
    [
        ("Zq8Zq7Zq6Zq5Zq4", "hf_Zq9Zq1Zq2Zq3Ab\nZq8Zq7Zq6Zq5Zq4Zq3Zq"),  # 37 characters over two lines
        ("Zq8Zq7Zq6Zq5Zq4", "GET /?token=hf%5fZq8Zq7Zq6Zq5Zq4"),
        (base64.b64encode(b"me:Zq8Zq7Zq6").decode(), f"Authorization: Basic {base64.b64encode(b'me:Zq8Zq7Zq6').decode()}"),
        ("Zq8Zq7Zq6", 'connection to db failed: password="Zq8Zq7Zq6"'),
    ],
)
def test_a_secret_that_nobody_met_is_told_by_what_stands_around_it(hidden: str, text: str) -> None:
    assert hidden not in redact(text)


def test_ordinary_words_stay() -> None:
    Secret(CHANCE)
    for text in ("hf_abcdefgh\nTraceback", "basic settings", "HUGGINGFACE_TOKEN=hf_… on line 3", "x" * 100, "http://a:80/b@c"):
        assert re.sub(r"hf_…\(11:\w{4}\)", "hf_abcdefgh", redact(text)) == text


def test_redacting_a_long_word_is_quick() -> None:
    began = time.monotonic()
    for unit in ("n", "eyJaaaaaaaa-", "a://b:", "hf_a\n", "bearer "):
        redact(unit * (400_000 // len(unit)))
    assert time.monotonic() - began < 8


# -- the command's surroundings --------------------------------------------------------------------


@pytest.mark.parametrize("redirect", ["2>&-", "<&-", "<&- 2>&-"])
def test_a_closed_stream_changes_no_exit_code(tmp_path: Path, redirect: str) -> None:
    home = folder(tmp_path / "ot")
    assert document(home, *ALONE, redirect=redirect)["exit_code"] == 0


@pytest.mark.parametrize("redirect", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_output_ends_the_run_properly(tmp_path: Path, redirect: str) -> None:
    home = folder(tmp_path / "ot")
    assert doctor(home, *ALONE, redirect=redirect).returncode == 0
    assert doctor(home, "--no-such-option", redirect=redirect).returncode == 2
    assert (home / ".env").read_text() == f"HUGGINGFACE_TOKEN={CHANCE}\n"


def test_a_log_from_a_closed_standard_input(tmp_path: Path) -> None:
    report = document(tmp_path, "--logs", "-", redirect="<&-")
    assert report["exit_code"] == 3 and "standard input is closed" in json.dumps(report)


def test_settings_of_docker_that_never_end(tmp_path: Path) -> None:
    home = folder(tmp_path / "ot")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").symlink_to("/dev/zero")
    report = document(home, "--offline", "--timeout", "5", env={"DOCKER_CONFIG": str(tmp_path / "config")})
    assert found(report, "docker-engine")["status"] in ("unknown", "pass")


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("slip", ["services:\n\tcelery-worker:\n", COMPOSE + "  x: [\n", COMPOSE.encode() + b"# \xff\xfe\n"])
def test_a_compose_file_with_a_slip_is_an_installation_and_no_pass(tmp_path: Path, slip: str | bytes) -> None:
    report = document(folder(tmp_path / "ot", compose=slip), *ALONE)
    finding = found(report, "env-shadowed")
    assert finding["status"] == "unknown" and "docker-compose.yml" in finding["message"]
    assert report["exit_code"] == 3


@pytest.mark.parametrize("name", ["a b", "q'uo\"te", "$HOME `id` $(false)", "new\nline", "😀", "-rf;#&"])
def test_remedies_for_odd_folders_work(tmp_path: Path, name: str) -> None:
    home = folder(tmp_path / name, env=f"HUGGINGFACE_TOKEN={CHANCE}\nHUGGINGFACE_TOKEN=\n")
    (root,) = document(home, *ALONE)["diagnosis"]
    subprocess.run(["sh", "-c", root["remedy"]["steps"][0]["command"]], cwd="/", check=True, env=shell(home))
    assert document(home, *ALONE)["diagnosis"] == []


@pytest.mark.parametrize("name", ["\x1b[31mred", "\u202ertl", b"\xff\xfe", CHANCE])
def test_a_command_that_cannot_be_printed_is_left_out(tmp_path: Path, name: str | bytes) -> None:
    """Cleaned, it would act on another file."""
    path = tmp_path / os.fsdecode(name)
    (root,) = document(folder(path, env=f"HUGGINGFACE_TOKEN={CHANCE}\nHUGGINGFACE_TOKEN=\n"), *ALONE)["diagnosis"]
    assert [step["command"] for step in root["remedy"]["steps"]] == [None, None]
    assert "left out" in root["remedy"]["steps"][0]["text"]
    assert "left out" in " ".join(doctor(path, *ALONE).stdout.split())


def test_a_token_under_a_strange_name_or_without_its_beginning(tmp_path: Path) -> None:
    home = folder(tmp_path / "ot", env=f"HUGGINGFACE_TOKEN={CHANCE}\nMIN_SPEAKERS=“{CHANCE[3:]}”\nGPU_DEVICE_ID={CHANCE}x\n")
    assert document(home, *ALONE, "-v")["exit_code"] == 1  # `doctor` looks for the pieces
    doctor(home, *ALONE, "-v")


# -- plug-ins --------------------------------------------------------------------------------------

UNKNOWN_PLUG_INS = {
    "endless": "    while True: pass",
    "wrong text": "    yield passed(5)",
    "wrong status": "    yield Finding('fail', 'x')",
    "wrong cause": "    yield Finding(Status.WARN, 'x', cause='disk-full')",
    "wrong remedy": "    yield Finding(Status.FAIL, 'x', cause=Cause.DISK_FULL, remedy='abc')",
    "base exception": "    raise BaseException('x')",
    "unspeakable": "    class Odd(Exception):\n        def __str__(self): raise ValueError\n    raise Odd",
    "stop": "    sys.exit(0)",
}


@pytest.mark.parametrize("body", UNKNOWN_PLUG_INS.values(), ids=UNKNOWN_PLUG_INS)
def test_a_plug_in_that_fails_is_unknown_and_the_rest_runs(tmp_path: Path, body: str) -> None:
    report = with_plug_in(tmp_path, f"{PLUG_IN}{body}\n    yield passed('x')\n", timeout="1")
    assert found(report, "mine")["status"] == "unknown" and report["exit_code"] == 3
    assert found(report, "token-present")["status"] == "pass"


PRINTING_PLUG_INS = {
    "print": "    print('SPOKEN')",
    "descriptor": "    os.write(1, b'SPOKEN')",
    "command": "    subprocess.run(['echo', 'SPOKEN'])",
    "original": "    sys.__stdout__.write('SPOKEN')",
    "closed": "    sys.__stdout__.close(); sys.stderr.close()",
    "nothing": "    sys.stdout = sys.stderr = None",
}


@pytest.mark.parametrize("body", PRINTING_PLUG_INS.values(), ids=PRINTING_PLUG_INS)
def test_what_a_plug_in_prints_leaves_the_document_alone(tmp_path: Path, body: str) -> None:
    report = with_plug_in(tmp_path, f"{PLUG_IN}{body}\n    yield passed('x')\n")
    assert found(report, "mine")["status"] == "pass" and report["exit_code"] == 0


@pytest.mark.parametrize("module", ["raise BaseException('x')\n", PLUG_IN.replace("Family.HOST", "'host'") + "    yield\n"])
def test_a_plug_in_that_cannot_be_loaded_is_named(tmp_path: Path, module: str) -> None:
    report = with_plug_in(tmp_path, module)
    assert "mine.py" in report["notices"][0] and report["exit_code"] == 3


def with_plug_in(tmp_path: Path, module: str, timeout: str = "2") -> dict[str, Any]:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "mine.py").write_text(module)
    options = ("--no-docker", "--offline", "--timeout", timeout, "--checks-dir", str(tmp_path / "checks"))
    return document(folder(tmp_path / "ot"), *options)


def test_a_check_is_made_of_what_it_says() -> None:
    with pytest.raises(TypeError):
        check("a-check", title=None, family=Family.HOST)  # type: ignore[arg-type]
    for wrong in (
        lambda: passed("x", subject=5),  # type: ignore[arg-type]
        lambda: passed("x", evidence=["y"]),  # type: ignore[list-item]
        lambda: Seen("log", 3, "x"),  # type: ignore[arg-type]
        lambda: Step("x", command=5),  # type: ignore[arg-type]
        lambda: failed(Cause.DISK_FULL, "x", remedy=[Step("y")], confidence="sure"),  # type: ignore[arg-type]
        lambda: Finding(Status.WARN, "x", cause="disk-full"),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            wrong()


# -- the Hub ---------------------------------------------------------------------------------------


@contextmanager
def hub(answer: Callable[[Any], None]) -> Iterator[str]:
    """A server that answers every request with whatever ``answer`` writes to the socket."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(10)
            try:
                self.request.recv(65536)
                answer(self.request)
            except OSError:
                pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def sends(body: Any) -> Callable[[Any], None]:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + content)


def drips(connection: Any) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.5)


def floods(connection: Any) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        connection.sendall(b"X-A: " + b"a" * (1 << 20) + b"\r\n")


WHO = {"type": "user", "auth": {"accessToken": {"displayName": CHANCE[3:], "role": "read"}}}
ANSWERS = {
    "huge name": sends(WHO | {"name": "n" * 500_000}),
    "the token as a name": sends(WHO | {"name": CHANCE}),
    "escapes": sends(WHO | {"name": "\x1b[31mbob\n✓ fine\u202e"}),
    "an array": sends([[]]),
    "drips": drips,
    "floods": floods,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_hub_that_answers_anything(tmp_path: Path, answer: Callable[[Any], None]) -> None:
    home = folder(tmp_path / "ot")
    began = time.monotonic()
    with hub(answer) as url:
        report = document(home, "--no-docker", "--timeout", "3", "-v", env={"HF_ENDPOINT": url, "NO_PROXY": "*"})
    assert time.monotonic() - began < 7
    assert report["exit_code"] == 3 and "\u202e" not in json.dumps(report, ensure_ascii=False)


# -- logs and the engine ---------------------------------------------------------------------------

SPOKEN = [
    "[2026-11-21 01:37:30,000: INFO/MainProcess] segment: 'Cannot access gated repo for url https://huggingface.co/x'",
    "[2026-11-21 01:37:31,000: INFO/MainProcess] Processing file Cannot access gated repository.wav",
    '[2026-11-21 01:37:33,000: WARNING/MainProcess] Could not parse: "Errno 13 Permission denied GatedRepoError 403 pyannote"',
    "✗ token-present: Root cause: token-missing",
    "\x1b]8;;http://x\x07# heading <script>\u202e",
]


def test_what_people_say_in_a_recording_is_no_evidence(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("\n".join([*logs.v04_success(), *SPOKEN]) + "\n")
    report = document(tmp_path, "--logs", str(log))
    assert report["diagnosis"] == [] and found(report, "last-attempt")["status"] == "pass"


@pytest.mark.engine
def test_a_container_that_goes_away_and_an_engine_that_stops_answering(bring_up: Callable[[Scenario], Any]) -> None:  # noqa: F811
    world = bring_up(Scenario())
    world.examined = True  # nothing of it can be looked at twice
    for command in ("kill", "rm -f"):
        away = threading.Timer(0.1, lambda said=command: world.engine.docker(*said.split(), "opentranscribe-celery-worker"))
        away.start()
        report = world.report("--timeout", "10")
        away.join()
        assert report.exit_code in (0, 1, 3) and "itself failed" not in json.dumps(report.document)


@pytest.mark.engine
def test_a_log_of_long_lines_that_holds_secrets(bring_up: Callable[[Scenario], Any]) -> None:  # noqa: F811
    error = ["huggingface_hub.errors.HfHubHTTPError: 401", f"Bearer {TOKEN}", f"token={TOKEN[:15]}", TOKEN[15:], "DbSecret4711x"]
    env = "HUGGINGFACE_TOKEN={token}\nPOSTGRES_PASSWORD=DbSecret4711x\n"
    noise = ["pyannote diarization ERROR " + "x" * 200_000] * 10
    log = [*noise, *logs.v04_failure(error, f"401 for hf%5F{TOKEN[3:]}")]
    world = bring_up(Scenario(env=env, log=log, cache="absent"))
    began = time.monotonic()
    for form in ("json", "text"):
        done = world.doctor("-v", format=form)
        said = done.stdout + done.stderr
        assert "Traceback" not in said and "DbSecret4711x" not in said
        assert not pieces(TOKEN) & {said[at : at + 10] for at in range(len(said))}
    assert time.monotonic() - began < 30
