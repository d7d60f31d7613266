"""Putting the folder and the running stack together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ot_doctor.evidence import (
    ComposeLabels,
    Deployment,
    Engine,
    Installation,
    ReleaseLine,
    Request,
    Role,
    Unavailable,
    Worker,
    Workers,
)
from ot_doctor.evidence.deployment import ComposeProgram
from ot_doctor.sources import folder_search
from ot_doctor.sources import stack as source
from ot_doctor.sources.compose import compose_files
from ot_doctor.sources.docker import containers as workers_source
from ot_doctor.sources.dotenv import env_files
from ot_doctor.sources.model_cache import cache
from tests.parts.engine import Engine as RealEngine
from tests.parts.fixtures import clean_engine, engine

__all__ = ["clean_engine", "engine"]

ENGINE = Engine("unix:///var/run/docker.sock", "the default socket")
NOWHERE = Installation(None, "nothing")
V0_3 = {"TRANSFORMERS_CACHE": "/home/appuser/.cache/huggingface/transformers"}
V0_4 = {"PYTHONWARNINGS": "ignore::UserWarning:pyannote.audio.core.io"}
NO_DOCKER = Unavailable("Docker checks are off (--no-docker).", switched_off=True)


def worker(
    name: str = "celery-worker",
    folder: Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    image_env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    image: str = "opentranscribe-backend:latest",
    role: Role = Role.DIARIZER,
    files: tuple[str, ...] = (),
    environment_files: tuple[str, ...] = (),
) -> Worker:
    compose = ComposeLabels("ot", name, str(folder), files, environment_files) if folder else ComposeLabels()
    return Worker(
        ENGINE, name, f"opentranscribe-{name}", role, image, compose, "running",
        env=env or {}, image_env=image_env or {}, image_labels=labels or {},
    )  # fmt: skip


def put_together(*containers: Worker, installation: Installation = NOWHERE, **options: object) -> Deployment:
    return source.gather(Request(**options), installation, Workers(ENGINE, containers))  # type: ignore[arg-type]


# -- the folder ------------------------------------------------------------------------------------------------------


def test_the_labels_tell_the_folder_where_the_user_stands_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").touch()
    (tmp_path / "docker-compose.prod.yml").touch()
    files = (str(tmp_path / "docker-compose.yml"), "docker-compose.prod.yml")
    found = put_together(worker(folder=tmp_path, files=files))
    assert (found.directory, found.running_dir, found.project) == (tmp_path, tmp_path, "ot")
    assert "opentranscribe-celery-worker" in found.found_by
    assert found.compose_files == (tmp_path / "docker-compose.yml", tmp_path / "docker-compose.prod.yml")
    assert found.env_path == tmp_path / ".env"
    assert not found.elsewhere


# Another machine's engine, reached over ssh.
FAR = replace(ENGINE, endpoint="ssh://me@srv", found_by="DOCKER_HOST", machine="ssh://me@srv")
OVER_SSH = Request(environ={"DOCKER_HOST": "ssh://me@srv"}, timeout=100_000)  # it begins when this file is read


def test_a_folder_on_another_machine_is_not_the_one_of_that_name_here(tmp_path: Path) -> None:
    for name in ("docker-compose.yml", ".env", "VERSION"):
        (tmp_path / name).write_text("services: {}\n" if name.endswith("yml") else "v0.3.3\n")
    one = worker(folder=tmp_path, files=("docker-compose.yml", "/elsewhere/more.yml"))
    found = source.gather(OVER_SSH, folder_search.gather(OVER_SSH), Workers(FAR, (one,)))
    assert (found.machine, found.directory, found.running_dir) == ("ssh://me@srv", tmp_path, tmp_path)
    assert found.compose_files == (tmp_path / "docker-compose.yml", Path("/elsewhere/more.yml")), "as the labels name them"
    assert (found.checkout_version, found.docker_host) == (None, None), "nothing is read here; the commands are for that machine"
    with pytest.raises(Unavailable, match="on ssh://me@srv, of which only the Docker engine was reached"):
        env_files.gather(OVER_SSH, found)
    with pytest.raises(Unavailable, match="on ssh://me@srv, of which only the Docker engine was reached"):
        compose_files.gather(OVER_SSH, found, NO_DOCKER)
    with pytest.raises(Unavailable, match="The model cache is on ssh://me@srv"):
        cache.gather(OVER_SSH, found, Workers(FAR, ()), NO_DOCKER)


def test_an_engine_on_another_machine_that_says_nothing_of_a_folder() -> None:
    with pytest.raises(Unavailable, match="ssh failed"):
        source.gather(OVER_SSH, NOWHERE, Unavailable("ssh failed"))
    with pytest.raises(Unavailable, match="not created by Compose"):
        source.gather(OVER_SSH, NOWHERE, Workers(FAR, (worker(),)))


def test_a_folder_here_counts_for_an_engine_elsewhere_if_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services:\n  celery-worker: {}\n")
    named = replace(OVER_SSH, directory=tmp_path)
    found = source.gather(named, folder_search.gather(named), Workers(FAR, (worker(folder=tmp_path),)))
    assert (found.machine, found.directory, found.running_dir) == ("", tmp_path, tmp_path)
    standing = replace(OVER_SSH, cwd=tmp_path)
    assert folder_search.gather(standing).directory is None, "where somebody stands says nothing of another machine"


def test_another_clone_than_the_one_that_runs(tmp_path: Path) -> None:
    asked, running = tmp_path / "asked", tmp_path / "running"
    for folder in (asked, running):
        folder.mkdir()
        (folder / "compose.yml").touch()
    here = Installation(asked, "the working folder", (asked / "compose.yml",))
    found = put_together(worker(folder=running, files=("gone.yml",)), installation=here)
    assert found.elsewhere and found.directory == asked and found.running_dir == running
    assert found.env_path == running / ".env", "that one is read by the next 'up' of the running stack"
    assert found.compose_files == (running / "compose.yml",), "never the other clone's"


def test_a_link_to_the_running_folder_is_the_running_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = put_together(worker(folder=tmp_path / "link"), installation=Installation(tmp_path / "real", "--dir"))
    assert not found.elsewhere and found.home == tmp_path / "link"


def test_a_running_folder_of_another_machine_is_not_claimed(tmp_path: Path) -> None:
    away = worker(folder=Path("/Users/somebody/opentranscribe"), files=("/Users/somebody/opentranscribe/compose.yml",))
    (tmp_path / "compose.yml").touch()
    found = put_together(away, installation=Installation(tmp_path, "--dir", (tmp_path / "compose.yml",)))
    assert found.running_dir is None and not found.elsewhere
    assert found.compose_files == (tmp_path / "compose.yml",)
    assert found.env_path == tmp_path / ".env"
    with pytest.raises(Unavailable, match=r"from /Users/somebody/opentranscribe, but that folder is not on this machine"):
        put_together(away)


def test_no_installation_names_the_three_ways() -> None:
    with pytest.raises(Unavailable) as caught:
        put_together()
    assert all(way in caught.value.hint for way in ("--dir", "opentr.sh", "Start the stack", "--logs"))
    with pytest.raises(Unavailable, match=r"Docker could not be asked: Docker checks are off"):
        source.gather(Request(), NOWHERE, NO_DOCKER)
    with pytest.raises(Unavailable, match="were not created by Compose"):
        put_together(worker())


def test_a_log_alone_has_no_deployment_and_needs_none() -> None:
    with pytest.raises(Unavailable) as caught:
        source.gather(Request(logs=("x.log",), log_alone=True), NOWHERE, NO_DOCKER)
    assert caught.value.switched_off


@pytest.mark.parametrize(
    ("named", "there", "expected"),
    [
        ((), (".env",), ".env"),
        (("prod.env",), ("prod.env",), "prod.env"),
        (("prod.env",), ("prod.env", ".env"), ".env"),
        (("prod.env",), (), ".env"),
    ],
)
def test_which_env_file(tmp_path: Path, named: tuple[str, ...], there: tuple[str, ...], expected: str) -> None:
    for name in there:
        (tmp_path / name).touch()
    assert put_together(worker(folder=tmp_path, environment_files=named)).env_path == tmp_path / expected
    asked = tmp_path / "asked.env"
    assert put_together(worker(folder=tmp_path, environment_files=named), env_file=asked).env_path == asked


def test_commands_name_an_engine_that_the_docker_command_does_not_find(tmp_path: Path) -> None:
    rootless = Engine("unix:///run/user/1000/docker.sock", "the rootless socket", known_to_cli=False)
    here = Installation(tmp_path, "--dir")
    found = source.gather(Request(), here, Workers(rootless, ()))
    assert found.docker("ps") == "DOCKER_HOST=unix:///run/user/1000/docker.sock docker ps"
    assert put_together(installation=here).docker("ps") == "docker ps"


# -- the release -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("containers", "line", "reason"),
    [
        ([worker(env=V0_3)], ReleaseLine.V0_3, "TRANSFORMERS_CACHE is set in opentranscribe-celery-worker"),
        ([worker(env=V0_4)], ReleaseLine.V0_4, "PYTHONWARNINGS"),
        ([worker(env=V0_4 | V0_3)], ReleaseLine.V0_4, "PYTHONWARNINGS"),
        ([worker(env={"PYTHONWARNINGS": "ignore"}, image_env=V0_4)], ReleaseLine.V0_4, "PYTHONWARNINGS"),
        ([worker(env=V0_4), worker("diar-native", role=Role.OTHER)], ReleaseLine.V0_5, "there is opentranscribe-diar-native"),
        ([worker(env=V0_4), worker("celery-redaction", role=Role.CELERY)], ReleaseLine.V0_5, "celery-redaction"),
        ([worker(env=V0_3), worker("diar-native", role=Role.OTHER)], ReleaseLine.V0_3, "TRANSFORMERS_CACHE"),
        ([worker(env={"TRANSFORMERS_CACHE": "/elsewhere"})], ReleaseLine.UNKNOWN, "shows no sign of a release"),
        ([worker(image="x/backend:v0.3.3")], ReleaseLine.V0_3, "its image x/backend:v0.3.3 is v0.3.3"),
        ([worker(image="x:v9.0.0")], ReleaseLine.V0_5, "is read with the rules of v0.5"),
        ([worker(env=V0_4, image="x:v0.6.0")], ReleaseLine.V0_5, "v0.6.0, which is newer"),
        ([worker(env=V0_4, image_env={"APP_VERSION": "v0.5.1"})], ReleaseLine.V0_5, "APP_VERSION=v0.5.1 is set"),
        ([worker(env=V0_4 | {"APP_VERSION": "v0.5.1"})], ReleaseLine.V0_4, "PYTHONWARNINGS"),
        ([worker(env=V0_4, image_env={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})], ReleaseLine.V0_5, "CUDA_DEVICE_ORDER"),
        ([worker(env=V0_4 | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})], ReleaseLine.V0_4, "PYTHONWARNINGS"),
        ([worker(), worker("backend", env=V0_4, role=Role.OTHER)], ReleaseLine.UNKNOWN, "opentranscribe-celery-worker"),
        ([worker("backend", env=V0_4, role=Role.OTHER)], ReleaseLine.V0_4, "opentranscribe-backend"),
        ([], ReleaseLine.UNKNOWN, "there is none"),
    ],
)
def test_the_release_line(containers: list[Worker], line: ReleaseLine, reason: str) -> None:
    found, why = source.release_line(Workers(ENGINE, tuple(containers)))
    assert found is line
    assert reason in why


def test_without_docker_the_line_is_unknown_whatever_the_checkout_says(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("v0.3.3\n")
    found = source.gather(Request(), Installation(tmp_path, "--dir"), NO_DOCKER)
    assert found.line is ReleaseLine.UNKNOWN and "--no-docker" in found.line_reason
    assert (found.version, found.checkout_version) == (None, "v0.3.3")


@pytest.mark.parametrize(
    ("image", "env", "line"),
    [
        ("davidamacey/opentranscribe-backend:v0.4.1", "", ReleaseLine.V0_4),
        ("${IMAGE:-davidamacey/opentranscribe-backend:${OT_IMAGE_TAG:-latest}}", "OT_IMAGE_TAG=v0.5.1\n", ReleaseLine.V0_5),
        ("davidamacey/opentranscribe-backend:${OT_IMAGE_TAG:-latest}", "A=1\n", ReleaseLine.UNKNOWN),
        ("davidamacey/opentranscribe-backend:latest", "", ReleaseLine.UNKNOWN),
        ("postgres:17.5-alpine", "", ReleaseLine.UNKNOWN),
    ],
)
def test_without_containers_the_tag_of_the_image_tells(tmp_path: Path, image: str, env: str, line: ReleaseLine) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(f"services:\n  celery-worker:\n    image: {image}\n")
    (tmp_path / ".env").write_text(env)
    found = source.gather(Request(), Installation(tmp_path, "--dir", (file,)), NO_DOCKER)
    assert found.line is line
    assert (str(file) in found.line_reason and "no container was asked" in found.line_reason) == (line is not ReleaseLine.UNKNOWN)


@pytest.mark.parametrize(
    ("container", "version"),
    [
        (worker(image="davidamacey/opentranscribe-backend:v0.4.1"), "v0.4.1"),
        (worker(image="registry:5000/opentranscribe-backend:0.4.1-blackwell@sha256:00"), "v0.4.1"),
        (worker(image="registry:5000/opentranscribe-backend"), None),
        (worker(image="opentranscribe-backend:latest"), None),
        (worker(labels={"org.opencontainers.image.version": "0.3.2"}, image="x:v0.3.3"), "v0.3.2"),
        (worker(labels={"org.opencontainers.image.version": "24.04", "org.opencontainers.image.ref.name": "ubuntu"}), None),
        (worker(image_env={"APP_VERSION": "0.5.0"}), "v0.5.0"),
        (worker(image_env={"APP_VERSION": "unknown"}), None),
    ],
)
def test_the_version_by_the_image(container: Worker, version: str | None) -> None:
    assert source.image_version(container) == version


def test_v0_1_is_told_apart(tmp_path: Path) -> None:
    here = Installation(tmp_path, "--dir")
    assert put_together(worker(env=V0_3, image="x:v0.1.0"), installation=here).v0_1
    assert not put_together(worker(env=V0_3, image="x:v0.2.1"), installation=here).v0_1
    assert not put_together(worker(env=V0_3), installation=here).v0_1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"soon", b"v0.3", b"v0.3.3.4"])
def test_an_odd_version_file_tells_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "VERSION").write_bytes(content)
    assert put_together(installation=Installation(tmp_path, "--dir")).checkout_version is None


# -- the engine itself -----------------------------------------------------------------------------------------------


@pytest.mark.engine
@pytest.mark.parametrize(("tag", "line", "version"), [
    ("v0.4.1", ReleaseLine.V0_4, "v0.4.1"), ("v0.3.3", ReleaseLine.V0_3, "v0.3.3"), ("latest", ReleaseLine.V0_4, None)
])  # fmt: skip
def test_a_stack_of_each_release(
    clean_engine: RealEngine, tmp_path: Path, tag: str, line: ReleaseLine, version: str | None
) -> None:
    service = {"image": f"davidamacey/opentranscribe-backend:{tag}", "network_mode": "host"}
    (tmp_path / "docker-compose.yml").write_text(json.dumps({"services": {"celery-worker": service}}))
    (tmp_path / "docker-compose.prod.yml").write_text("services:\n  celery-worker:\n    env_file: .env\n")
    (tmp_path / ".env").write_text("A=1\n")
    files = ("-f", "docker-compose.yml", "-f", "docker-compose.prod.yml")
    clean_engine.compose(tmp_path, *files, "--project-name", "otd", "up", "--detach")
    request = Request(environ={"DOCKER_HOST": clean_engine.host})
    found = source.gather(request, NOWHERE, workers_source.gather(request, NOWHERE))
    assert (found.line, found.version, found.project, found.directory) == (line, version, "otd", tmp_path)
    assert found.compose_files == (tmp_path / "docker-compose.yml", tmp_path / "docker-compose.prod.yml")
    if version is None:  # the command is the same for each
        command = found.compose("up --detach --force-recreate --no-deps --pull never --no-build celery-worker")
        again = clean_engine.run("sh", "-c", command, cwd=Path("/"))
        assert again.returncode == 0, "the command works from any folder"


@pytest.mark.parametrize(
    ("engine", "by_podman_compose", "program"),
    [
        (Engine("unix:///d.sock", "DOCKER_HOST", version="26.1"), False, ComposeProgram.DOCKER),
        (Engine("unix:///p.sock", "DOCKER_HOST", version="4.3.1", podman=True), False, ComposeProgram.STANDALONE),
        (Engine("unix:///p.sock", "DOCKER_HOST", version="4.7.0", podman=True), False, ComposeProgram.PODMAN),
        (Engine("unix:///p.sock", "DOCKER_HOST", version="5.0.0-dev", podman=True), False, ComposeProgram.PODMAN),
        (Engine("unix:///p.sock", "DOCKER_HOST", version="", podman=True), False, ComposeProgram.STANDALONE),
        (Engine("unix:///p.sock", "DOCKER_HOST", version="5.4.0", podman=True), True, ComposeProgram.PODMAN_COMPOSE),
    ],
)
def test_the_program_that_makes_the_containers(
    tmp_path: Path, engine: Engine, by_podman_compose: bool, program: ComposeProgram
) -> None:
    made = worker(folder=tmp_path)
    made = replace(made, compose=replace(made.compose, by_podman_compose=by_podman_compose))
    found = source.gather(Request(cwd=tmp_path), NOWHERE, Workers(engine, (made,)))
    assert (found.compose_by, found.endpoint) == (program, engine.endpoint)
