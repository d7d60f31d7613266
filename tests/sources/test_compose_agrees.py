"""The parser against the real Compose v2, whose program resolves a file without any engine."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from ot_doctor.evidence import Deployment, Request
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.compose import compose_files
from ot_doctor.sources.dotenv import env_files
from ot_doctor.sources.dotenv.compose_dialect import DotenvRefused, parse
from tests.parts.engine import parts_folder
from tests.sources.env_rows import ROWS, SHELL, Row

COMPOSE = parts_folder() / "root/usr/libexec/docker/cli-plugins/docker-compose"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not COMPOSE.exists() and os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") != "1",
        reason=f"no Compose in {parts_folder()}: run tests/parts/install.sh as root",
    ),
]
ENVIRON = {"PATH": os.defpath, "HOME": "/nowhere", **SHELL}


def resolve(folder: Path) -> dict[str, dict[str, str]] | str:
    """Each service's environment as Compose resolves it, or its complaint."""
    done = subprocess.run(
        [COMPOSE, "-f", "compose.yml", "config", "--format", "json"], cwd=folder, env=ENVIRON, capture_output=True, timeout=60
    )
    if done.returncode:
        return done.stderr.decode(errors="replace").strip().splitlines()[-1]
    services = json.loads(done.stdout)["services"]
    # ``config`` doubles every dollar, so that its output may be read by Compose again
    return {
        name: {key: value.replace("$$", "$") for key, value in (service.get("environment") or {}).items()}
        for name, service in services.items()
    }


def project(folder: Path, *files: tuple[str, bytes]) -> Path:
    """A project with a service for each file, named after it."""
    services = {name.lstrip("."): {"image": "none", "env_file": [name]} for name, _ in files}
    (folder / "compose.yml").write_text(json.dumps({"name": "agrees", "services": services}))
    for name, data in files:
        (folder / name).write_bytes(data)
    return folder


def gathered(folder: Path) -> dict[str, str] | None:
    """The ``.env`` of a folder as the doctor reads it; ``None`` where it is refused."""
    found = env_files.gather(Request(environ=ENVIRON), Deployment(folder, "--dir", folder / ".env"))
    if found.problem:
        return None
    values = ((e.key, e.value) for e in found.entries if e.value is not None)
    return {key: value.reveal() if isinstance(value, Secret) else value for key, value in values}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_reaches_the_container_as_the_doctor_says(row: Row, tmp_path: Path) -> None:
    said = resolve(project(tmp_path, (".env", row.data)))
    assert gathered(tmp_path) == (None if isinstance(said, str) else said["env"]), said


FRAGMENTS = (
    *("A", "B", "KEY", "HF_TOKEN", "export", "set", "x1", "hf_abc", "é", "ſ", "K"),
    *("=", "=", "=", ":", " ", " ", "\t", "\r", "\xa0", "\u3000", "\u200b", "\ufeff", "\v", "\x1c", "\x85"),
    *('"', '"', "'", "'", "`", "“", "#", " #", "\\", "\\n", "\\0101", "\\012", "\\0", "\\$", '\\"', "\\c"),
    *(
        "$",
        "$$",
        "$A",
        "${A}",
        "${A:-",
        "${B-",
        "${KEY:+",
        "${NO+",
        "${HF_TOKEN:-x}",
        "${",
        "{",
        "}",
        "}",
        "-",
        ".",
        "[",
        "]",
        "/",
        "<",
        ",",
    ),
)


def generated(count: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)

    def piece(most: int) -> str:
        return "".join(chance.choices(FRAGMENTS, k=chance.randint(0, most)))

    files = []
    for _ in range(count):
        lines = [f"{chance.choice(('A', 'B', 'KEY', 'export A', 'A '))}={piece(7)}" for _ in range(chance.randint(1, 3))]
        if chance.random() < 0.3:
            lines.insert(0, piece(5))
        if chance.random() < 0.2:
            quote = chance.choice("'\"")
            lines.append(f"C={quote}{piece(3)}\n{piece(3)}{quote}")
        files.append(
            chance.choice(("", "", "\ufeff")).encode() + "\n".join(lines).encode() + chance.choice((b"\n", b"\n", b"", b"\xe9"))
        )
    return files


def effective(data: bytes) -> dict[str, str] | None:
    try:
        return {a.key: a.value for a in parse(data, ENVIRON.get) if a.value is not None}
    except DotenvRefused:
        return None


def test_generated_files_read_as_compose_reads_them(tmp_path: Path) -> None:
    files = [(f"f{number}", data) for number, data in enumerate(generated(1200, seed=7))]
    accepted = [(name, data) for name, data in files if effective(data) is not None]
    assert len(accepted) > 400
    said = resolve(project(tmp_path, *accepted))
    assert isinstance(said, dict), said
    for name, data in accepted:
        assert said[name] == effective(data), data


def test_generated_files_that_are_refused_are_refused_by_compose(tmp_path: Path) -> None:
    refused = [data for data in generated(300, seed=8) if effective(data) is None]
    assert len(refused) > 40
    for number, data in enumerate(refused[:60]):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert isinstance(resolve(project(folder, (".env", data))), str), data


FIRST = """\
x-base: &base
  image: base:${TAG:-latest}
  environment: &shared
    GPU_A: ${HF_TOKEN}
    GPU_B: ${FROM_FILE:-default}
    GPU_C: "a$$b${NOT_SET}"
    GPU_D: 007
    GPU_E: true
services:
  merged:
    <<: *base
    container_name: name-${TAG}
  own:
    <<: *base
    environment:
      <<: *shared
      GPU_A: mine
  listed:
    image: x
    environment:
      - GPU_A=${FROM_FILE}=${EMPTY:-e}
      - GPU_B= spaced
      - GPU_C=
      - GPU_C=twice
    scale: ${COUNT}
    profiles: [a]
  typed:
    image: x
    environment:
      GPU_A: 0x1F
      GPU_B: 1.50
      GPU_C: 2.0
      GPU_D: 1e3
      GPU_E: True
      GPU_F: yes
      GPU_G: 0o17
      GPU_H: 1_000
      GPU_I: 1:30
      GPU_J: -5
      GPU_K: .5
      GPU_L: 0b11
      GPU_M: 089
      GPU_N: 0.00001
      GPU_O: "007"
      GPU_Q: 1e25
      GPU_R: off
      GPU_S: FALSE
      GPU_T: "1.50"
      GPU_U: +7
      GPU_V: |
        two
        lines
      GPU_W: 123456789.0
      GPU_X: 0.123456789
      GPU_Y: -0
      GPU_Z: 1.
      GPU_AA: 1_0.5
      GPU_AB: 018
      GPU_AC: -0o7
      GPU_AD: 123456.25
  dropped:
    image: x
"""
SECOND = """\
services:
  merged:
    image: over
    environment: ["GPU_B=over", "GPU_F=${TAG:+tagged}"]
  own:
    environment: {GPU_B: !reset null}
  listed:
    environment: !override {GPU_Z: z}
    profiles: !reset []
  dropped: !reset null
"""
DOTENV = b"FROM_FILE='of the file' # c\nTAG=v1\nHF_TOKEN=hf_file\nEMPTY=\nCOUNT=3\n"


@pytest.mark.parametrize("files", [(FIRST,), (FIRST, SECOND)], ids=["one file", "two files"])
def test_compose_files_say_what_compose_says(files: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(DOTENV)
    paths = tuple(tmp_path / f"{number}.yml" for number in range(len(files)))
    for path, text in zip(paths, files, strict=True):
        path.write_text(text)
    named = [word for path in paths for word in ("-f", path.name)]
    command = [str(COMPOSE), *named, "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRON, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["services"]

    request = Request(environ=ENVIRON)
    deployment = Deployment(tmp_path, "--dir", tmp_path / ".env", compose_files=paths)
    found = compose_files.gather(request, deployment, env_files.gather(request, deployment))
    assert [problem for problem in found.problems if "so Compose must read it" not in problem] == []
    assert set(found.services) == set(said)
    for name, service in said.items():
        ours = found.services[name]
        environment = {s.key: s.value for s in found.environment if s.service == name}
        revealed = {key: value.reveal() if isinstance(value, Secret) else value for key, value in environment.items()}
        assert revealed == {key: value.replace("$$", "$") for key, value in service.get("environment", {}).items()}
        assert (ours.image, ours.container_name) == (service["image"], service.get("container_name", ""))
        assert ours.replicas == service.get("scale", service.get("deploy", {}).get("replicas"))
        assert ours.profiles == tuple(service.get("profiles", ()))
