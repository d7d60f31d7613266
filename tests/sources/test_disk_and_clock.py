"""Disks that do not answer, links in circles, long names, and clocks gone wild: no source crashes or waits for ever."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import Installation, ReleaseLine, Request, Unavailable, Workers
from ot_doctor.evidence.workers import ComposeLabels, Role
from ot_doctor.sources import folder_search
from ot_doctor.sources import stack as deployment_source
from ot_doctor.sources.compose import compose_files
from ot_doctor.sources.docker.containers import choose, from_list, moment, parse
from ot_doctor.sources.dotenv import env_files
from ot_doctor.sources.model_cache import cache
from tests.checks.evidence import ENGINE, deployment, worker, workers
from tests.checks.evidence import env_file as env_of
from tests.sources.test_model_cache import mounts

# -- a disk that does not answer -------------------------------------------------------------------------------------


@pytest.fixture
def dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder under which each look waits for ever, as on a network share that is gone."""
    folder, released = tmp_path / "dead", threading.Event()
    folder.mkdir()

    def hanging(call: Callable[..., Any]) -> Callable[..., Any]:
        def look(path: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(str(folder)):
                released.wait(30)
            return call(path, *args, **kwargs)

        return look

    for name in ("stat", "lstat", "open", "scandir", "statvfs", "readlink"):
        monkeypatch.setattr(os, name, hanging(getattr(os, name)))
    yield folder
    released.set()


def _labelled(folder: Path) -> Workers:
    return workers(worker(compose=ComposeLabels(project="ot", service="celery-worker", working_dir=str(folder))))


@pytest.mark.parametrize(
    "gather",
    [
        lambda dead, request: folder_search.gather(request(cwd=dead / "below")),
        lambda dead, request: folder_search.gather(request(directory=dead)),
        lambda dead, request: deployment_source.gather(request(), Installation(dead, "--dir"), _labelled(dead)),
        lambda dead, request: deployment_source.gather(request(), Installation(None, "nothing"), _labelled(dead)),
        lambda dead, request: cache.gather(
            request(no_exec=True), deployment(ReleaseLine.V0_4), workers(worker(mounts=mounts(dead), env={})), env_of("")
        ),
    ],
    ids=["the working folder", "--dir", "the folder of the stack", "the folder that the labels name", "the model cache"],
)
def test_a_folder_that_does_not_answer_is_given_up_in_time(dead: Path, gather: Callable[..., object]) -> None:
    began = time.monotonic()
    said = r"The file system of .*/dead.* does not answer: nothing came back within 0\.\d s\."
    with pytest.raises(Unavailable, match=said) as caught:
        gather(dead, lambda **options: Request(timeout=2.0, environ={}, **options))
    assert time.monotonic() - began < 1.9, "a third of the time, not all of it"
    assert "umount -l" in caught.value.hint


# -- links in circles, long names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["a circle", "a long name", "a pipe", "a folder", "closed"])
def test_an_odd_entry_in_place_of_each_file_of_the_folder(tmp_path: Path, kind: str) -> None:
    names = (".env", "docker-compose.yml", "docker-compose.override.yml", "VERSION", "opentr.sh", "models")
    for name in names:
        path = tmp_path / name
        if kind == "a circle":
            path.symlink_to(path)
        elif kind == "a long name":
            path.symlink_to("x" * 255 + "/" + "y" * 300)
        elif kind == "a pipe":
            os.mkfifo(path)
        elif kind == "a folder":
            path.mkdir()
        else:
            path.write_text("A=1\n")
            path.chmod(0)
    (tmp_path / "docker-compose.prod.yml").write_text("services:\n  celery-worker:\n    image: x\n")
    request = Request(timeout=20, environ={}, no_exec=True, directory=tmp_path)
    found = folder_search.gather(request)
    where = deployment_source.gather(request, found, _labelled(tmp_path))
    read = env_files.gather(request, where)
    compose_files.gather(request, where, read)
    cache.gather(request, where, workers(worker(mounts=mounts(tmp_path / "models"), env={})), read)
    assert where.directory == tmp_path


@pytest.mark.parametrize("value", ["x" * 300, "loop", "../" * 3000, "~nobody-at-all/x", "a\x07b"])
def test_an_odd_model_cache_dir(tmp_path: Path, value: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    where = deployment(running_dir=tmp_path, directory=tmp_path)
    found = cache.gather(
        Request(environ={}, no_exec=True), where, Unavailable("no engine"), env_of(f"MODEL_CACHE_DIR={value}\n")
    )
    assert not found.complete


@pytest.mark.parametrize("label", ["loop", "x" * 5000, "\0", "relative"])
def test_an_odd_folder_in_the_labels_of_a_container(tmp_path: Path, label: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    labels = {"com.docker.compose.project": "a", "com.docker.compose.project.working_dir": f"{tmp_path}/{label}"}
    listed = from_list({"Id": "c0", "Names": ["/opentranscribe-celery-worker"], "Image": "x", "Labels": labels})
    assert listed is not None
    assert len(choose([listed], tmp_path, ())) == 1


# -- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        (7, None),
        ("2026-13-45T99:99:99Z", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-11-21T01:37:28Z", datetime(2026, 11, 21, 1, 37, 28, tzinfo=timezone.utc)),
        ("2026-11-21T02:37:28+01:00", datetime(2026, 11, 21, 1, 37, 28, tzinfo=timezone.utc)),
        ("2026-11-21T02:37:28.123456789012+0100", datetime(2026, 11, 21, 1, 37, 28, 123456, tzinfo=timezone.utc)),
    ],
)
def test_time_stamps_of_containers(text: object, at: datetime | None) -> None:
    assert moment(text) == at
    inspect = {"Id": "c0", "Created": text, "State": {"StartedAt": text, "FinishedAt": text}}
    assert parse(ENGINE, Role.DIARIZER, inspect, {}).started_at == at


@pytest.mark.parametrize("seconds", [0, -1, -(10**10), 315_000_000, 2**38])
def test_a_file_from_another_age(tmp_path: Path, seconds: int) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    os.utime(path, (seconds, seconds))
    read = env_files.gather(Request(environ={}), deployment(running_dir=tmp_path, directory=tmp_path, env_path=path))
    assert read.entries and (read.modified_at is None or read.modified_at.tzinfo is timezone.utc)
