"""Random secrets in every place that the installed ``ot-doctor`` reads: no byte that it says or writes tells one.

A few examples, always the same, are tried; ``OT_DOCTOR_TEST_SECRETS=200`` tries so many, and others each time.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.cli.test_commands import Doctor
from tests.parts import ready_doctor
from tests.parts.engine import Engine
from tests.redaction.secret_garden import PASSWORD_NAMES, Garden, in_single_quotes, log_of, surroundings
from tests.redaction.secret_traces import Planted, leaked
from tests.scenarios.scenario import _VOLUMES, TOKEN, Scenario, hub_for

pytestmark = pytest.mark.slow

MANY = int(os.environ.get("OT_DOCTOR_TEST_SECRETS", "0"))
_OUTPUTS = ("r.txt", "r.json", "r.md", "r.html", "r.xml", "r.sarif", "r.prom", "r.nagios")


def tries(examples: int) -> settings:
    return settings(
        max_examples=MANY or examples, derandomize=not MANY, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip


def run(doctor: Doctor, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return ready_doctor.run(*arguments, cwd=doctor.cwd, env={**doctor.environ, **(environ or {})})


def told(name: str, done: subprocess.CompletedProcess[str]) -> dict[str, bytes]:
    return {f"{name}, standard output": done.stdout.encode(), f"{name}, standard error": done.stderr.encode()}


@pytest.mark.parametrize("breaks", [False, True], ids=["env that Compose takes", "env that Compose refuses"])
@tries(2)
@given(data=st.data())
def test_nothing_of_what_is_read_from_files_and_the_shell_leaves(breaks: bool, data: st.DataObject) -> None:
    garden = Garden(data)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        there = surroundings(base, garden, breaks=breaks)
        written = base / "written"
        written.mkdir()
        outputs = [option for output in _OUTPUTS for option in ("--output", str(written / output))]
        said: dict[str, bytes] = {}
        done = run(there.doctor, *there.arguments, "--offline", "-vv", *outputs, environ=there.environ)
        assert done.returncode in (1, 3), done.stderr
        assert len(list(written.iterdir())) == len(_OUTPUTS)
        said |= told("run", done)
        bundles = []  # of everything, and of the folder alone: their difference is large
        endings = (".tar.gz", ".zip") if breaks else (".zip", ".tar.gz")
        for ending, asked in zip(endings, (there.arguments, there.arguments[:2]), strict=True):
            bundle = written / f"bundle{ending}"
            done = run(there.doctor, "collect", "--yes", "-o", str(bundle), *asked, "--offline", environ=there.environ)
            assert done.returncode == 0, done.stderr
            said |= told(f"collect {ending}", done)
            bundles.append(str(bundle))
        for arguments in (["diagnose", "-vv", bundles[0]], ["diff", bundles[0], bundles[1]]):
            done = run(there.doctor, *arguments)
            assert done.returncode in (0, 1, 3), done.stderr
            said |= told(arguments[0], done)
        found = leaked(said, written.iterdir(), garden.planted)
        assert not found, "\n".join(found)


_OPTIONS = (
    "--select={}", "--ignore={}", "--timeout={}", "--env-file=/x/{}", "--dir=/x/{}", "--logs={}", "--format={}", "--worker={}",
    "--output=/x/{}/r.json", "--output={}", "--checks-dir={}", "--signatures={}", "--config=/{}", "--wait={}", "--redact={}",
    "--{}", "{}", "explain {}", "diagnose {}", "diff {} {}", "collect --yes -o /{}", "collect --yes -o {}/r.zip",
    "completion {}", "list --checks-dir {}",
)  # fmt: skip


@tries(1)
@given(data=st.data())
def test_nothing_of_an_option_leaves(data: st.DataObject) -> None:
    """What is wrong in the command line or the environment is quoted in the sentence about it."""
    garden = Garden(data)
    with tempfile.TemporaryDirectory() as name:
        doctor = Doctor(Path(name))
        said: dict[str, bytes] = {}
        for number, option in enumerate(_OPTIONS):
            token = garden.token(option)
            shown = ("text", "json", "junit", "github", "nagios")[number % 5]
            done = run(doctor, *option.format(token, token).split(), environ={"OT_DOCTOR_FORMAT": shown})
            assert done.returncode in (1, 2, 3), (option, done.stderr)
            said |= told(option, done)
        for variable in ("SELECT", "DIR", "TIMEOUT", "OUTPUT", "FAIL_ON"):
            value = garden.token(f"OT_DOCTOR_{variable}")
            said |= told(variable, run(doctor, environ={f"OT_DOCTOR_{variable}": value}))
        password = garden.password("a password of the shell in an option")
        said |= told("shell", run(doctor, "--select", password, environ={"SMTP_PASS": password}))
        found = leaked(said, Path(name).rglob("*.*"), garden.planted)
        assert not found, "\n".join(found)


def _echo(number: int, token: str, key: str) -> bytes:
    """Answers of a Hub, a proxy or a portal that repeat what they were sent, and tell what they know."""
    page = f"<html><body>Denied: Authorization: Bearer {token} <!-- {quote(token)} --></body></html>"
    error = json.dumps({"error": f"Invalid token {token} for {key}"})
    auth = {"accessToken": {"displayName": token[3:], "role": token}}
    who = {"type": "user", "name": key, "email": "ada@example.org", "auth": auth}
    head = (
        f"X-Error-Message: Invalid credentials {token} in Authorization header\r\nX-Error-Code: {token}\r\n"
        f'WWW-Authenticate: Bearer realm="{token}", error="{key}"\r\n'
    )
    status, body, more = (
        ("401 Unauthorized", error, head), ("403 Forbidden", page, "Content-Type: text/html\r\n"),
        ("200 OK", json.dumps(who), ""),
        ("302 Found", "", f"Location: /login?token={token}&next={key}\r\n"), ("500 " + token, error, head),
        ("407 Proxy", page, head), ("200 OK", page, "Content-Type: text/html\r\n"), ("302 Found", "", f"Location: http://{token}@x/\r\n"),
        (token, token, ""), ("429 Too Many", error, f"RateLimit: t={token}\r\n"),
    )[number]  # fmt: skip
    data = body.encode()
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data


@pytest.mark.parametrize("number", range(10))
@tries(1)
@given(data=st.data())
def test_nothing_of_what_a_hub_or_a_proxy_answers_leaves(number: int, data: st.DataObject) -> None:
    from tests.test_hostile import hub

    garden = Garden(data)
    token, key, proxy = garden.token("HUGGINGFACE_TOKEN"), garden.key("told by the Hub"), garden.plain_password("HTTP_PROXY")
    answer = _echo(number, token, key)
    with tempfile.TemporaryDirectory() as name, hub(lambda connection: connection.sendall(answer)) as url:
        doctor = Doctor(Path(name))
        (doctor.cwd / "docker-compose.yml").write_text("services:\n  celery-worker:\n    env_file: .env\n")
        (doctor.cwd / ".env").write_text(f"HUGGINGFACE_TOKEN={token}\n")
        written = Path(name) / "written"
        written.mkdir()
        outputs = [option for output in _OUTPUTS for option in ("--output", str(written / output))]
        said: dict[str, bytes] = {}
        through = f"http://me:{proxy}@{url.removeprefix('http://')}"
        for where in ({"HF_ENDPOINT": url, "NO_PROXY": "*"}, {"HF_ENDPOINT": "https://hub.example.org", "HTTPS_PROXY": through}):
            done = run(doctor, "--no-docker", "--timeout", "10", "-vv", *outputs, environ=where)
            assert done.returncode in (0, 1, 3), done.stderr
            said |= told(str(sorted(where)), done)
        here = {"HF_ENDPOINT": url, "NO_PROXY": "*"}
        done = run(doctor, "collect", "--yes", "-o", str(written / "b.zip"), "--no-docker", environ=here)
        assert done.returncode == 0, done.stderr
        found = leaked(said | told("collect", done), written.iterdir(), garden.planted)
        assert not found, "\n".join(found)


@tries(8)
@given(data=st.data())
def test_nothing_of_what_an_engine_tells_leaves(data: st.DataObject) -> None:
    from ot_doctor.bundle.codec import dump, encode
    from ot_doctor.evidence import Role
    from ot_doctor.redaction import registry
    from ot_doctor.redaction.redactor import Redactor
    from ot_doctor.report.formats import FORMATS, render
    from ot_doctor.report.redacted import redacted
    from ot_doctor.sources.docker.containers import parse
    from tests.checks.evidence import ENGINE, workers
    from tests.report.reports import three_causes

    registry._CURRENT.set(registry.Registry())
    garden = Garden(data)
    password, flag = garden.password("Config.Env"), garden.plain_password("Config.Cmd")
    bare = garden.token("a name of Config.Env")
    inspect = {
        "Id": "1f" * 32, "Name": f"/worker-{garden.token('Name')}", "Image": "sha256:1",
        "State": {
            "Status": "running", "Error": f"oci: {password} {garden.token('State.Error')}",
            "Health": {"Status": "unhealthy", "Log": [{"Output": "x" * 480 + garden.token("Health.Log") + f" {password}"}]},
        },
        "Config": {
            "Env": [f"DB_PASS={password}", f"{bare}=1", f"URL=redis://:{garden.plain_password('a URL of Config.Env')}@redis/0"],
            "Cmd": ["celery", "--broker-password", flag, f"--token={garden.token('an option of Config.Cmd')}"],
            "User": garden.token("User"), "Image": f"registry/{garden.token('Config.Image')}:v0.4.1",
            "Labels": {
                "org.opencontainers.image.source": f"https://git:{garden.plain_password('a label')}@git/x",
                "com.docker.compose.project": garden.token("a label of Compose"),
            },
        },
        "HostConfig": {"LogConfig": {"Type": garden.token("LogConfig")}},
        "Mounts": [{"Type": "bind", "Source": f"/srv/{garden.token('a mount')}/{flag}", "Destination": "/x"}],
    }  # fmt: skip
    worker = parse(ENGINE, Role.DIARIZER, inspect, {"Config": {"Env": [f"A={garden.key('the env of the image')}"]}})
    there = workers(worker)
    redactor = Redactor()
    said = {"bundle": dump(encode(redactor.evidence(there)))}
    report = redacted(replace(three_causes(), workers=there, notices=(repr(worker),)), redactor)
    said |= {name: render(report, name).encode() for name in FORMATS}
    found = leaked(said, [], garden.planted)
    assert not found, "\n".join(found)


@pytest.mark.engine
@tries(1)
@given(data=st.data())
def test_nothing_of_what_a_real_engine_tells_leaves(
    clean_engine: Engine, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    garden = Garden(data)
    values = [garden.password(f"{name} in the container") for name in PASSWORD_NAMES[:6]]
    env = "HUGGINGFACE_TOKEN={token}\n"
    env += "".join(f"{name}={in_single_quotes(value)}\n" for name, value in zip(PASSWORD_NAMES, values, strict=False))
    url, flag = garden.plain_password("REDIS_URL"), garden.plain_password("a word of the command")
    tokens = [garden.token(place) for place in ("a label", "the output of the health check", "a volume", "quoted in the log")]
    extra = f"""\
    labels:
      org.opencontainers.image.description: {tokens[0]}
    healthcheck:
      test: ["CMD-SHELL", "echo refused {tokens[1]} $$REDIS_PASSWORD; exit 1"]
      interval: 1s
      retries: 1
"""
    scenario = Scenario(
        env=env, extra=extra, environment=f"      REDIS_URL: redis://:{url}@redis/0\n      BROKER_TOKEN: {flag}\n",
        volumes=_VOLUMES + f"      - ./{tokens[2]}:/{tokens[2]}\n", log=log_of([*values, flag, url], [tokens[3]]).splitlines(),
        after=lambda world: time.sleep(3), cache="absent",
    )  # fmt: skip
    base = tmp_path_factory.mktemp("engine")
    try:
        with hub_for(None) as hub:
            world = scenario.build(clean_engine, hub, base)
            written = base / "written"
            written.mkdir()
            outputs = [option for output in _OUTPUTS for option in ("--output", str(written / output))]
            said: dict[str, bytes] = {}
            for name, arguments in {
                "run": ["-vv", *outputs], "collect": ["-o", str(written / "b.zip"), "--yes"],
            }.items():  # fmt: skip
                done = ready_doctor.run(name, *arguments, cwd=world.folder, env=world.shell())
                assert done.returncode in (0, 1), done.stderr
                said |= told(name, done)
            found = leaked(said, written.iterdir(), [*garden.planted, Planted("HUGGINGFACE_TOKEN", TOKEN, random=True)])
            assert not found, "\n".join(found)
            assert b"unhealthy" in (written / "r.json").read_bytes()
    finally:
        clean_engine.clear()
