"""Finding the OpenTranscribe folder on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ot_doctor.evidence import Installation, Request, Unavailable
from ot_doctor.sources import folder_search as source

COMPOSE = "services:\n  celery-worker:\n    image: x\n"
OTHER = "services:\n  web:\n    image: x\n    environment:\n      PEER: celery-worker\n"


def found(cwd: Path, **options: object) -> Installation:
    return source.gather(Request(cwd=cwd, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "docker-compose.prod.yml", "compose.gpu.yaml"],
)
def test_a_folder_with_the_workers_compose_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(COMPOSE)
    here = found(tmp_path)
    assert (here.directory, here.found_by) == (tmp_path, "the working folder")


@pytest.mark.parametrize("name", ["opentr.sh", "opentranscribe.sh"])
def test_a_parent_with_one_of_the_scripts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / "a/b").mkdir(parents=True)
    here = found(tmp_path / "a/b")
    assert (here.directory, here.found_by) == (tmp_path, "a parent of the working folder")


def test_the_nearest_one_wins(tmp_path: Path) -> None:
    (tmp_path / "opentr.sh").touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/compose.yml").write_text(COMPOSE)
    assert found(tmp_path / "inner").directory == tmp_path / "inner"


@pytest.mark.parametrize(
    "content", [OTHER, "", "celery-worker", "services: [celery-worker]", "celery-worker: \0", "# celery-worker\n"]
)
def test_a_compose_file_without_that_service_is_another_applications(tmp_path: Path, content: str) -> None:
    (tmp_path / "compose.yml").write_text(content)
    assert found(tmp_path) == Installation(None, "nothing")


def test_random_bytes_folders_pipes_and_dangling_links_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(b"celery-worker" + os.urandom(100_000))
    (tmp_path / "opentr.sh").mkdir()
    os.mkfifo(tmp_path / "docker-compose.yml")
    (tmp_path / "compose.yml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "docker-compose.x.yml").symlink_to("docker-compose.x.yml")
    assert found(tmp_path) == Installation(None, "nothing")


def test_a_named_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "opentr.sh").touch()
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "opentranscribe.sh").touch()
    assert found(tmp_path, directory=tmp_path / "named") == Installation(tmp_path / "named", "--dir")


def test_a_named_folder_that_is_no_installation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services:\n  web:\n    image: nginx\n")
    (tmp_path / ".env").write_text("A=1\n")
    with pytest.raises(Unavailable, match=r"is not an OpenTranscribe folder \(--dir\): it has no Compose file"):
        found(tmp_path, directory=tmp_path)
    (tmp_path / "own.yml").write_text("services:\n  celery-worker:\n    image: x\n")
    (tmp_path / ".env").write_text("COMPOSE_FILE=own.yml\n")
    assert found(tmp_path, directory=tmp_path).directory == tmp_path


@pytest.mark.parametrize("name", ["none", "file", "\0"])
def test_a_named_folder_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"is not a folder \(--dir\)"):
        found(tmp_path, directory=tmp_path / name)


def test_a_log_alone_needs_no_folder(tmp_path: Path) -> None:
    (tmp_path / "opentr.sh").touch()
    assert found(tmp_path, logs=("worker.log",), log_alone=True) == Installation(None, "nothing")
    assert found(tmp_path, logs=("worker.log",)).directory == tmp_path


# -- the files that Compose takes by itself ---------------------------------------------------------------------------


def names(folder: Path, **environ: str) -> list[str]:
    files = source.compose_files(Request(environ=environ), folder)
    return [str(path.relative_to(folder)) for path in files]


def test_the_first_base_file_and_the_first_override(tmp_path: Path) -> None:
    for name in ("docker-compose.yml", "docker-compose.override.yml", "docker-compose.prod.yml"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["docker-compose.yml", "docker-compose.override.yml"]
    (tmp_path / "compose.yaml").touch()
    assert names(tmp_path) == ["compose.yaml", "docker-compose.override.yml"]


def test_an_override_alone_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "compose.override.yml").touch()
    assert names(tmp_path) == []


def test_compose_file_of_the_dotenv_and_of_the_shell(tmp_path: Path) -> None:
    for name in ("compose.yml", "a.yml", "b.yml"):
        (tmp_path / name).touch()
    (tmp_path / ".env").write_text('HUGGINGFACE_TOKEN=x\nexport COMPOSE_FILE="a.yml:b.yml" # both\n')
    assert names(tmp_path) == ["a.yml", "b.yml"]
    assert names(tmp_path, COMPOSE_FILE="b.yml") == ["b.yml"]
    assert names(tmp_path, COMPOSE_FILE="b.yml;a.yml", COMPOSE_PATH_SEPARATOR=";") == ["b.yml", "a.yml"]
    assert names(tmp_path, COMPOSE_FILE="gone.yml") == ["compose.yml"]
    (tmp_path / ".env").write_text('COMPOSE_FILE="a.yml\n')
    assert names(tmp_path) == ["compose.yml"], "Compose refuses that file"
