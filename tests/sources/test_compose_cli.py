"""Where a Compose file uses what our own reading does not follow, Compose itself is asked: the real one, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ot_doctor.evidence import ComposeConfig, Deployment, EnvEntry, EnvFile, Request
from ot_doctor.redaction.names import keep
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.compose import compose_cli
from ot_doctor.sources.compose.compose_files import gather
from tests.parts.engine import parts_folder

COMPOSE = parts_folder() / "root/usr/libexec/docker/cli-plugins/docker-compose"
TOKEN = "hf_" + "aB3" * 11
real = pytest.mark.engine
BASE = """\
services:
  base:
    image: b
    env_file: [.env]
    environment:
      HUGGINGFACE_TOKEN: ${HUGGINGFACE_TOKEN}
      MIN_SPEAKERS: 2
"""


@pytest.fixture
def compose(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own Compose, which need not be root's."""
    if not COMPOSE.exists() and os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") != "1":
        pytest.skip(f"no Compose in {parts_folder()}: run tests/parts/install.sh as root")
    monkeypatch.setattr(compose_cli, "program", lambda *_: str(COMPOSE))


def config(folder: Path, timeout: float = 30, **files: str) -> ComposeConfig:
    """``main`` is the file in use, the others lie beside it."""
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    value = keep("HUGGINGFACE_TOKEN", TOKEN)
    env = EnvFile(folder / ".env", entries=(EnvEntry("HUGGINGFACE_TOKEN", value, 1),))
    deployment = Deployment(folder, "--dir", folder / ".env", compose_files=(folder / "main.yml",))
    return gather(Request(environ={}, cwd=Path("/"), timeout=timeout), deployment, env)


def value(found: ComposeConfig, service: str, key: str) -> str | None:
    setting = found.setting(service, key)
    assert setting is not None
    return setting.value.reveal() if isinstance(setting.value, Secret) else setting.value


@real
@pytest.mark.usefixtures("compose")
def test_what_is_extended_has_its_own_place(tmp_path: Path) -> None:
    text = "services:\n  w:\n    extends: {file: base.yml, service: base}\n    environment:\n      MIN_SPEAKERS: '3'\n"
    found = config(tmp_path, main=text, base=BASE)
    assert found.problems == ()
    assert (found.read_by, found.why_read_by) == (str(COMPOSE), f"{tmp_path}/main.yml:3 uses extends")
    assert value(found, "w", "HUGGINGFACE_TOKEN") == TOKEN and value(found, "w", "MIN_SPEAKERS") == "3"
    token, speakers = found.setting("w", "HUGGINGFACE_TOKEN"), found.setting("w", "MIN_SPEAKERS")
    assert token and (token.path, token.line, token.references) == (tmp_path / "base.yml", 6, ("HUGGINGFACE_TOKEN",))
    assert speakers and (speakers.path, speakers.line) == (tmp_path / "main.yml", 5)
    assert found.services["w"].image == "b" and found.services["w"].env_files == (str(tmp_path / ".env"),)
    assert (found.services["w"].path, found.services["w"].line) == (tmp_path / "main.yml", 2)


@real
@pytest.mark.usefixtures("compose")
def test_what_is_included_is_there(tmp_path: Path) -> None:
    found = config(tmp_path, main="include: [base.yml]\nservices: {w: {image: x, profiles: [gpu]}}\n", base=BASE)
    assert found.problems == () and set(found.services) == {"base", "w"}
    assert found.services["base"].path == tmp_path / "base.yml" and found.services["w"].profiles == ("gpu",)
    assert value(found, "base", "MIN_SPEAKERS") == "2"


@real
@pytest.mark.usefixtures("compose")
def test_what_is_reset_is_gone(tmp_path: Path) -> None:
    text = "services:\n  w:\n    extends: base\n    environment: !override {NUM_SPEAKERS: 2}\n" + BASE.partition("services:\n")[2]
    found = config(tmp_path, main=text)
    assert found.problems == ()
    assert found.setting("base", "MIN_SPEAKERS") and value(found, "w", "NUM_SPEAKERS") == "2"


def test_a_file_that_uses_none_of_it_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_cli, "ask", lambda *_: pytest.fail("Compose was asked"))
    found = config(tmp_path, main=BASE)
    assert found.services["base"].image == "b" and (found.read_by, found.problems) == ("", ())


@pytest.mark.parametrize(
    "name",
    [
        "https://example.com/compose.yml", "oci://example.com/x", "git@github.com:a/b.git", "ssh://git@example.com/a",
        "github.com/a/b", "me@example.com:a/b", "${WHERE}/x.yml", "HTTPS://example.com/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "text",
    ["include: ['{}']\nservices: {{}}\n", "services: {{w: {{extends: {{file: '{}', service: b}}}}}}\n"],
    ids=["include", "extends"],
)
def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setattr(compose_cli, "ask", lambda *_: pytest.fail("Compose was asked"))
    found = config(tmp_path, main=text.format(name))
    assert f"it names '{name}', which is not the path of a file on this machine: nothing is fetched" in found.problems[0]
    assert found.read_by == ""


def test_an_included_file_that_includes_a_remote_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_cli, "ask", lambda *_: pytest.fail("Compose was asked"))
    found = config(tmp_path, main="include: [a.yml]\nservices: {}\n", a="include:\n  - path: [oci://x/y]\n")
    assert "'oci://x/y'" in found.problems[0]


@real
@pytest.mark.usefixtures("compose")
@pytest.mark.parametrize("name", ["https://github.com/a/b.git", "oci://127.0.0.1:9/x"])
def test_compose_itself_fetches_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Should a file change between our look and Compose's."""
    monkeypatch.setattr(compose_cli, "local_files", lambda files, _: files)
    found = config(tmp_path, main=f"include: ['{name}']\nservices: {{}}\n")
    assert "Compose refuses them: " in found.problems[0] and "disabled" in found.problems[0]


@real
@pytest.mark.usefixtures("compose")
def test_what_the_folder_sets_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"
    (tmp_path / ".env").write_text("COMPOSE_EXPERIMENTAL_GIT_REMOTE=true\nCOMPOSE_FILE=other.yml\nCOMPOSE_PROFILES=x\n")
    (tmp_path / "git").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "true")
    monkeypatch.setattr(compose_cli, "local_files", lambda files, _: files)
    found = config(tmp_path, main="include: ['https://github.com/a/b.git']\nservices: {}\n")
    assert "disabled" in found.problems[0] and not mark.exists()


def test_the_folders_own_variables_of_an_included_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/.env").write_text("A=1\n")
    (tmp_path / "sub/inc.yml").write_text(BASE)
    found = config(tmp_path, main="include: [sub/inc.yml]\nservices: {}\n")
    assert f"{tmp_path}/sub/.env gives values to" in found.problems[0]


def test_without_compose_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_cli, "PROGRAMS", (str(tmp_path / "docker-compose"),))
    found = config(tmp_path, main="include: [base.yml]\nservices: {}\n", base=BASE)
    assert found.problems == (
        f"{tmp_path}/main.yml: line 1 uses include, so Compose must read it, and there is no docker-compose that root alone can "
        f"change in {tmp_path}",
    )


def script(folder: Path, text: str) -> str:
    path = folder / "docker-compose"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/bin/sleep 60 & /bin/sleep 60", "Compose did not end in time"),
        ("/bin/sleep 60 >/dev/null 2>&1 & exit 0", ""),
        ("exec >&- 2>&-; /bin/sleep 60", "Compose did not end in time"),
        ("while :; do echo services services; done", "Compose's answer is larger than 4 MiB"),
        ("echo 'no such \033[31mthing' >&2; exit 15", "Compose refuses them: no such"),
        ("exit 3", "Compose refuses them: exit code 3"),
        ("echo '{ services'", "it is not valid YAML"),
    ],
)
def test_an_odd_program_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    found_program = script(tmp_path, text)
    monkeypatch.setattr(compose_cli, "program", lambda *_: found_program)
    began = time.monotonic()
    found = config(tmp_path, timeout=4, main="include: [base.yml]\nservices: {}\n", base=BASE)
    assert time.monotonic() - began < 10
    assert said in "".join(found.problems) and "\033" not in "".join(found.problems)
    assert bool(found.problems) == bool(said)


def test_only_a_program_of_roots_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Deployment(tmp_path, "--dir", tmp_path / ".env")
    mine = script(tmp_path, "exit 0")
    monkeypatch.setattr(compose_cli, "PROGRAMS", (mine, "/bin/sh"))
    assert compose_cli.program(Request(cwd=tmp_path), here) == os.path.realpath("/bin/sh")
    monkeypatch.setattr(compose_cli, "PROGRAMS", ("/bin/sh",))
    assert compose_cli.program(Request(cwd=Path(os.path.realpath("/bin/sh")).parent), here) is None
    tmp_path.chmod(0o777)  # anybody can put another program there
    (tmp_path / "link").symlink_to(mine)
    for name in (mine, str(tmp_path / "link")):
        monkeypatch.setattr(compose_cli, "PROGRAMS", (name,))
        assert compose_cli.program(Request(cwd=Path("/")), Deployment(Path("/srv"), "--dir", Path("/srv/.env"))) is None
