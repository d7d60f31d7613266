from __future__ import annotations

import itertools
import os
import random
import time
from pathlib import Path

import pytest

from ot_doctor.evidence import ComposeConfig, Deployment, EnvEntry, EnvFile, Request, Unavailable
from ot_doctor.redaction.names import keep
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.compose.compose_files import gather, service_names

UPSTREAM = """\
x-logging: &logging
  driver: json-file
x-gpu: &gpu
  environment:
    GPU_DEVICE_ID: ${GPU_DEVICE_ID:-0}
    MODEL_CACHE_DIR: $MODEL_CACHE_DIR
services:
  postgres:
    image: postgres:17
    env_file: .env
    environment:
      - POSTGRES_PASSWORD=${POSTGRES_PASSWORD}
  celery-worker:
    <<: *gpu
    image: davidamacey/opentranscribe-backend:${TAG:-latest}
    container_name: opentranscribe-celery-worker
    logging: *logging
    env_file:
      - path: .env
        required: false
      - extra.env
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              device_ids: ["${GPU_DEVICE_ID:-0}"]
              capabilities: [gpu]
  celery-worker-gpu-scaled:
    image: x
    scale: ${GPU_SCALE_WORKERS:-4}
    profiles: [gpu-scale, "${OTHER}"]
    runtime: nvidia
    environment:
      - HUGGINGFACE_TOKEN=${HUGGINGFACE_TOKEN}
      - HF_TOKEN
      - CACHE_NOTE=${HUGGINGFACE_TOKEN:-none}!
      - UNIMPORTANT=1
      - PYANNOTE_CACHE=
"""
TOKEN = "hf_" + "aB3" * 11


def write(folder: Path, *texts: str) -> tuple[Path, ...]:
    paths = tuple(folder / f"compose{number}.yml" for number in range(len(texts)))
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def config(paths: tuple[Path, ...], env: dict[str, str] | None = None, shell: dict[str, str] | None = None) -> ComposeConfig:
    folder = paths[0].parent
    entries = tuple(EnvEntry(key, keep(key, value), line) for line, (key, value) in enumerate((env or {}).items(), 1))
    deployment = Deployment(folder, "--dir", folder / ".env", compose_files=paths)
    return gather(Request(environ=shell or {}), deployment, EnvFile(folder / ".env", entries=entries))


def settings(found: ComposeConfig, service: str) -> dict[str, str | Secret | None]:
    return {s.key: s.value for s in found.environment if s.service == service}


def test_the_services_of_upstreams_kind_of_file(tmp_path: Path) -> None:
    found = config(write(tmp_path, UPSTREAM), {"TAG": "v0.4.1", "MODEL_CACHE_DIR": "./models", "OTHER": "both"})
    assert found.problems == ()
    assert set(found.services) == {"postgres", "celery-worker", "celery-worker-gpu-scaled"}
    worker = found.services["celery-worker"]
    assert (worker.image, worker.container_name) == ("davidamacey/opentranscribe-backend:v0.4.1", "opentranscribe-celery-worker")
    assert (worker.line, worker.env_files, worker.gpu, worker.replicas) == (13, (".env", "extra.env"), True, None)
    scaled = found.services["celery-worker-gpu-scaled"]
    assert (scaled.replicas, scaled.profiles, scaled.gpu) == (4, ("gpu-scale", "both"), True)
    assert (found.services["postgres"].env_files, found.services["postgres"].gpu) == ((".env",), False)


def test_settings_come_with_line_references_and_only_where_they_matter(tmp_path: Path) -> None:
    found = config(write(tmp_path, UPSTREAM), {"MODEL_CACHE_DIR": "./models", "HUGGINGFACE_TOKEN": TOKEN})
    assert settings(found, "celery-worker") == {"GPU_DEVICE_ID": "0", "MODEL_CACHE_DIR": "./models"}
    assert settings(found, "postgres") == {}
    scaled = settings(found, "celery-worker-gpu-scaled")
    assert list(scaled) == ["HUGGINGFACE_TOKEN", "HF_TOKEN", "CACHE_NOTE", "PYANNOTE_CACHE"]
    assert (scaled["HUGGINGFACE_TOKEN"], scaled["HF_TOKEN"], scaled["PYANNOTE_CACHE"]) == (Secret(TOKEN), None, "")
    token = found.setting("celery-worker-gpu-scaled", "HUGGINGFACE_TOKEN")
    assert token is not None and (token.line, token.references) == (35, ("HUGGINGFACE_TOKEN",))
    assert TOKEN not in repr(found)


def test_a_value_made_of_a_secret_is_one(tmp_path: Path) -> None:
    text = "services:\n  w:\n    environment:\n      CACHE_A: x${DB_PASSWORD}\n      CACHE_B: x\n"
    found = settings(config(write(tmp_path, text), {"DB_PASSWORD": "open sesame"}), "w")
    assert found == {"CACHE_A": Secret("xopen sesame"), "CACHE_B": "x"}


def test_the_shell_wins_over_the_env_file(tmp_path: Path) -> None:
    text = "services: {w: {environment: {GPU_A: '${A}', GPU_B: '${B}', GPU_C: '${C}'}}}"
    found = config(write(tmp_path, text), {"A": "file", "B": "file"}, {"A": "shell"})
    assert settings(found, "w") == {"GPU_A": "shell", "GPU_B": "file", "GPU_C": ""}


def test_without_an_env_file_the_shell_alone_tells(tmp_path: Path) -> None:
    paths = write(tmp_path, "services: {w: {image: 'x:${A}${B}'}}")
    deployment = Deployment(tmp_path, "--dir", tmp_path / ".env", compose_files=paths)
    found = gather(Request(environ={"A": "1"}), deployment, Unavailable("no"))
    assert found.services["w"].image == "x:1"


def test_later_files_go_over_earlier_ones(tmp_path: Path) -> None:
    over = """\
services:
  celery-worker:
    image: mine
    environment: [GPU_DEVICE_ID=1]
    env_file: more.env
  new: {deploy: {replicas: 2}, gpus: all}
"""
    found = config(write(tmp_path, UPSTREAM, over))
    worker = found.services["celery-worker"]
    assert (worker.image, worker.container_name) == ("mine", "opentranscribe-celery-worker")
    assert worker.env_files == (".env", "extra.env", "more.env")
    setting = found.setting("celery-worker", "GPU_DEVICE_ID")
    assert setting is not None and (setting.value, setting.path.name, setting.line) == ("1", "compose1.yml", 4)
    assert (found.services["new"].replicas, found.services["new"].gpu) == (2, True)


def test_composes_own_tags(tmp_path: Path) -> None:
    over = """\
services:
  celery-worker:
    container_name: !reset null
    env_file: !override [only.env]
    environment: {GPU_DEVICE_ID: !reset null}
  celery-worker-gpu-scaled:
    environment: !override {GPU_X: "1"}
    profiles: !reset []
  postgres: !reset null
"""
    found = config(write(tmp_path, UPSTREAM, over))
    assert set(found.services) == {"celery-worker", "celery-worker-gpu-scaled"}
    worker = found.services["celery-worker"]
    assert (worker.container_name, worker.env_files) == ("", ("only.env",))
    assert "GPU_DEVICE_ID" not in settings(found, "celery-worker")
    assert settings(found, "celery-worker-gpu-scaled") == {"GPU_X": "1"}
    assert found.services["celery-worker-gpu-scaled"].profiles == ()


def test_extends_include_and_unknown_tags_do_no_harm(tmp_path: Path) -> None:
    text = "include: [other.yml]\nservices: {w: {extends: {file: base.yml, service: w}, image: !mine x, build: !!binary aa}}\n"
    found = config(write(tmp_path, text))
    assert found.services["w"].image == "x"
    assert "line 1 uses include, so Compose must read it, and " in found.problems[0] and len(found.problems) == 1


def test_what_compose_refuses_is_a_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    found = config(write(tmp_path, "services:\n  a: {image: '${NO:?hf_secret}'}\n  b: {image: x}\n"))
    assert found.problems == (f"{tmp_path}/compose0.yml: Compose refuses line 2: required variable NO is missing a value",)
    assert found.services["b"].image == "x"


def test_files_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    (good, broken) = write(tmp_path, "services: {w: {}}", "services:\n  w: [\n")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "large", "wb") as file:
        file.truncate(2 * 1024 * 1024 + 1)
    found = config((good, broken, *(tmp_path / name for name in ("folder", "pipe", "large", "missing"))))
    assert set(found.services) == {"w"}
    reasons = [problem.removeprefix(f"{tmp_path}/") for problem in found.problems]
    assert reasons[0].startswith("compose1.yml: it is not valid YAML") and "line 3" in reasons[0]
    assert reasons[1:] == [
        "folder: it is a folder",
        f"pipe: it cannot be read ({tmp_path}/pipe is not a regular file)",
        f"large: the file is too large ({tmp_path}/large has more than 2 MB)",
        "missing: it cannot be read (No such file or directory)",
    ]


def doubling(first: str, step: str) -> str:
    names = "abcdefghijklmnopqrstuvwxy"
    lines = [first]
    for that, this in itertools.pairwise(names):
        lines.append(step.format(this=this, those=",".join([f"*{that}"] * 9)))
    return "\n".join(lines) + "\n"


HOSTILE = {
    "nested lists": "services: " + "[" * 1_900_000,
    "nested mappings": "services: " + "{a: " * 400_000,
    "nested blocks": "services:\n  " + "- " * 900_000,
    "aliases": doubling("a: &a [x,x,x]", "{this}: &{this} [{those}]") + "services: *y",
    "merged aliases": doubling("a: &a {k: v}", "{this}: &{this} {{<<: [{those}]}}") + "services: *y",
    "merged settings": doubling("a: &a {k: v}", "{this}: &{this} {{<<: [{those}]}}") + "services: {w: {environment: *y}}",
    "itself": "services: &s {<<: *s, a: &b {<<: *b, environment: *b}}",
    "templates": "services: {w: {image: '" + "${A:-" * 150_000 + "}" * 150_000 + "'}}",
    "one scalar": "services: {w: " + "a " * 900_000 + "}",
    "wrong kinds": "services: {a: 1, b: [x], c: {environment: 3, deploy: [], env_file: {a: b}, image: [x], scale: x}, [q]: {}}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_soon(tmp_path: Path, name: str) -> None:
    paths = write(tmp_path, HOSTILE[name])
    started = time.process_time()
    assert isinstance(service_names(paths[0]), frozenset | None)
    assert isinstance(config(paths), ComposeConfig)
    assert time.process_time() - started < 10


@pytest.mark.slow
def test_random_bytes_are_no_compose_file(tmp_path: Path) -> None:
    chance = random.Random(1)
    pieces = [b"services:", b"\n", b"  ", b"- ", b"a: ", b"&a ", b"*a", b"<<: ", b"{", b"}", b"[", b"]", b'"']
    pieces += [b"!reset ", b"${A", b"? ", b"| ", b"\xff", b"---\n"]
    path = tmp_path / "compose.yml"
    for size in range(400):
        noise = b"" if size % 7 else chance.randbytes(size)
        path.write_bytes(b"services:\n" + b"".join(chance.choices(pieces, k=size % 40)) + noise)
        assert isinstance(service_names(path), frozenset | None)
        assert isinstance(config((path,)), ComposeConfig)


def test_service_names(tmp_path: Path) -> None:
    (path,) = write(tmp_path, UPSTREAM)
    assert service_names(path) == frozenset({"postgres", "celery-worker", "celery-worker-gpu-scaled"})
    assert service_names(tmp_path) is service_names(tmp_path / "missing") is None
    for text in ("", "services", "- services", "services: 1", "services: [a]", "# services", "a: {services: {b: {}}}"):
        path.write_text(text)
        assert service_names(path) == frozenset()
    path.write_bytes("services:\n  a: {image: x}\n".encode("utf-16"))
    assert service_names(path) == frozenset()
    path.write_text("services:\n\tcelery-worker:\n")
    assert service_names(path) is None
