"""The cache through the engine's archive: no command is run, no path of the host is looked at, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ot_doctor.evidence import CachedModel, CacheView, FileState, ModelCache, Mount, ReleaseLine, Request, Worker, Workers
from ot_doctor.sources.model_cache.cache import gather
from tests.checks.evidence import deployment, env_file, worker
from tests.parts import models
from tests.parts.engine import Engine
from tests.parts.images import BACKEND
from tests.parts.proxy import EngineProxy, Rule, engine_proxy, switches

pytestmark = pytest.mark.engine

CACHE = "/home/appuser/.cache"
HUB = f"{CACHE}/huggingface/hub"
WEIGHTS = "segmentation/pytorch_model.bin"
APPUSER, OTHER, ROOT = (1000, 998), (1234, 1234), (0, 0)
READ_ONLY = switches("CONTAINERS", "INFO")


@dataclass
class Stack:
    engine: Engine
    proxy: EngineProxy  # at a TCP port: its host's disk is not this one
    folder: Path
    container: str  # running

    def worker(self, **changes: object) -> Worker:
        binds = tuple(Mount("bind", str(self.folder / n), f"{CACHE}/{n}", True) for n in ("huggingface", "torch"))
        at = replace(worker().engine, endpoint=self.proxy.address, found_by="DOCKER_HOST", api_version="1.43")
        return replace(worker("kept", engine=at, id=self.container, mounts=binds, env={}), **changes)  # type: ignore[arg-type]

    def made(self, *options: str, command: str = "create") -> str:
        """One more container of the same image."""
        binds = [word for n in ("huggingface", "torch") for word in ("-v", f"{self.folder / n}:{CACHE}/{n}")]
        return self.engine.docker(command, "--network", "host", *binds, *options, f"{BACKEND}:v0.4.1")


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running container for all tests, behind a proxy that lets only GET and HEAD through."""
    top = tmp_path_factory.mktemp("archive")
    for folder in (top, top.parent):
        folder.chmod(0o755)
    for name in ("huggingface", "torch"):
        (top / "models" / name).mkdir(parents=True)
    with engine_proxy(engine.socket, READ_ONLY) as proxy:
        made = Stack(engine, proxy, top / "models", "")
        made.container = made.made("-d", command="run")
        yield made
    engine.clear()


@pytest.fixture
def cached(stack: Stack) -> Iterator[Path]:
    """A complete model of the worker's user; what a test makes of it goes afterwards."""
    (repo,) = models.v04_cache(stack.folder)
    models.own(stack.folder, APPUSER)
    stack.proxy.asked.clear()
    yield repo
    for name in ("huggingface", "torch"):
        (stack.folder / name).chmod(0o755)
        for inside in (stack.folder / name).iterdir():
            shutil.rmtree(inside)


def look(one: Worker, line: ReleaseLine = ReleaseLine.V0_4, timeout: float = 30.0) -> ModelCache:
    request = Request(no_exec=True, environ={"DOCKER_HOST": one.engine.endpoint}, timeout=timeout)
    return gather(request, deployment(line), Workers(one.engine, (one,)), env_file())


def from_host(one: Worker) -> ModelCache:
    nowhere = replace(one.engine, endpoint="unix:///nowhere/docker.sock")
    return gather(Request(no_exec=True, environ={}), deployment(), Workers(nowhere, (replace(one, engine=nowhere),)), env_file())


def contents(cache: ModelCache) -> list[object]:
    def files(model: CachedModel) -> list[object]:
        return [(f.name, f.state, f.size if f.state is not FileState.NOT_A_FILE else 0) for f in model.files]

    return [(m.repo, m.present, m.commit, m.problem, len(m.incomplete), files(m)) for m in cache.models]


def verdict(cache: ModelCache) -> tuple[bool | None, bool | None]:
    return cache.access.readable, cache.access.writable


def damage(repo: Path, how: str) -> None:
    link = models.file_in(repo, WEIGHTS)
    if how == "absent":
        shutil.rmtree(repo)
    elif how == "lfs":
        models.make_lfs_pointer(repo, WEIGHTS)
    elif how in ("empty", "small"):
        models.truncate(repo, WEIGHTS, 0 if how == "empty" else 900_000)
    elif how == "dangling":
        models.make_dangling(repo, WEIGHTS)
    elif how in ("pipe", "folder", "loop", "file", "out"):
        blob = link.resolve()
        link.unlink()
        if how == "pipe":
            os.mkfifo(link)
        elif how == "folder":
            link.mkdir()
        elif how == "file":
            shutil.copyfile(blob, link)
        else:
            link.symlink_to(link.name if how == "loop" else "../" * 30 + "nowhere/file")
    elif how == "incomplete":
        models.leave_incomplete(repo, WEIGHTS)
    elif how == "no ref":
        (repo / "refs/main").unlink()
    elif how == "linked":
        moved = repo.with_name("moved")
        repo.rename(moved)
        repo.symlink_to("moved")


HOW = [
    "whole", "absent", "lfs", "empty", "small", "dangling", "pipe", "folder", "loop", "file", "out", "incomplete", "no ref",
    "linked",
]  # fmt: skip


def test_it_tells_what_the_host_tells(stack: Stack, cached: Path) -> None:
    """One container for all damages, which are made and taken back under it."""
    different: list[object] = []
    for how in HOW:
        damage(cached, how)
        seen, host = look(stack.worker()), from_host(stack.worker())
        if contents(seen) != contents(host):
            different.append((how, contents(seen), contents(host)))
        assert (seen.view, seen.host_side, host.view) == (CacheView.ARCHIVE, False, CacheView.HOST), how
        assert seen.complete is (how in ("whole", "file", "linked")), how
        assert seen.root.exists is True and seen.root.path is None
        if how == "linked":
            cached.unlink()
            shutil.rmtree(cached.with_name("moved"))
        shutil.rmtree(cached, ignore_errors=True)
        models.v04_cache(stack.folder)
    assert different == []


def changes(stack: Stack) -> list[str]:
    """In an order of their own: the engine has none."""
    return sorted(str(one) for one in stack.engine.ask("GET", f"/containers/{stack.container}/changes"))


def test_it_asks_little_and_changes_nothing(stack: Stack, cached: Path) -> None:
    before = sorted(stack.folder.rglob("*"))
    changed = changes(stack)
    cache = look(stack.worker())
    assert cache.complete and cache.suffices and cache.access.user == "appuser (1000)"
    assert cache.access.how == "worked out from owner and mode"
    assert stack.proxy.endpoints() == {"GET /containers/{id}/archive", "HEAD /containers/{id}/archive"}
    assert len(stack.proxy.asked) <= 40
    assert sorted(stack.folder.rglob("*")) == before
    assert changes(stack) == changed


def test_a_large_folder_is_not_taken_whole(stack: Stack, cached: Path) -> None:
    models.truncate(cached, WEIGHTS, 2 * 1024**3)
    models.truncate(cached, "embedding/pytorch_model.bin", 0)
    began = time.monotonic()
    cache = look(stack.worker())
    states = {file.name: (file.state, file.size) for file in cache.models[0].files}
    assert states[WEIGHTS] == (FileState.OK, 2 * 1024**3)
    assert states["embedding/pytorch_model.bin"][0] is FileState.EMPTY
    assert time.monotonic() - began < 5


def test_a_worker_in_every_state(stack: Stack, cached: Path) -> None:
    never = stack.made()
    assert look(stack.worker(id=never, status="created")).suffices
    dying = stack.made("-d", "--restart", "always", "--entrypoint", "false", command="run")
    assert look(stack.worker(id=dying, status="restarting")).suffices
    for one in (dying, never):
        stack.engine.remove(one)
    kept = f"/containers/{stack.container}"
    stack.engine.ask("POST", f"{kept}/pause")
    assert look(stack.worker(status="paused")).suffices
    stack.engine.ask("POST", f"{kept}/unpause")
    stack.engine.ask("POST", f"{kept}/stop?t=0")
    assert look(stack.worker(status="exited")).suffices
    stack.engine.ask("POST", f"{kept}/start")


def test_a_cache_on_a_named_volume(stack: Stack, cached: Path) -> None:
    one = stack.engine.docker("create", "--network", "host", "-v", f"kept:{CACHE}/huggingface", f"{BACKEND}:v0.4.1")
    mount = Mount("volume", "/var/lib/docker/volumes/kept/_data", f"{CACHE}/huggingface", True, "kept")
    empty = look(stack.worker(id=one, status="created", mounts=(mount,)))
    assert (empty.view, empty.complete, verdict(empty)) == (CacheView.ARCHIVE, False, (True, False)), "root's"
    stack.engine.run("docker", "cp", "-a", f"{stack.folder}/huggingface/.", f"{one}:{CACHE}/huggingface")
    filled = look(stack.worker(id=one, status="created", mounts=(mount,)))
    assert filled.complete and filled.access.readable
    assert filled.models[0].path == f"{HUB}/models--pyannote--speaker-diarization-community-1"


@pytest.mark.parametrize(
    ("owner", "mode", "user", "expected"),
    [
        (APPUSER, 0o700, "appuser", (True, True)),
        (OTHER, 0o755, "appuser", (True, False)),
        (OTHER, 0o750, "appuser", (False, False)),
        ((1234, 998), 0o770, "appuser", (True, True)),  # its group, which its own /etc/passwd tells
        ((1234, 44), 0o770, "appuser", (True, True)),  # one of its groups, which its own /etc/group tells
        ((1234, 44), 0o770, "1000:998", (False, False)),  # who names a group has no others
        ((1234, 44), 0o770, "1000", (True, True)),
        ((1234, 998), 0o770, "1234:video", (True, True)),
        (APPUSER, 0o077, "appuser", (False, False)),
        (OTHER, 0o700, "root", (True, True)),
    ],
)
def test_owner_group_and_mode(
    stack: Stack, cached: Path, owner: tuple[int, int], mode: int, user: str, expected: tuple[bool, bool]
) -> None:
    models.own(stack.folder / "huggingface", owner)
    for path, folders, _ in os.walk(stack.folder / "huggingface"):
        for name in (".", *folders):
            os.chmod(os.path.join(path, name), mode)
    cache = look(stack.worker(user=user))
    assert (cache.complete, verdict(cache)) == (True, expected)
    assert bool(cache.access.denied) is (expected != (True, True))


def test_a_group_that_was_added(stack: Stack, cached: Path) -> None:
    models.own(stack.folder / "huggingface", (1234, 4321))
    for path in (stack.folder / "huggingface", *(p for p in (stack.folder / "huggingface").rglob("*") if p.is_dir())):
        path.chmod(0o770)
    assert verdict(look(stack.worker())) == (False, False)
    assert verdict(look(stack.worker(group_add=("4321",)))) == (True, True)


def test_a_read_only_mount_and_a_blob_that_only_root_reads(stack: Stack, cached: Path) -> None:
    mounts = (replace(stack.worker().mounts[0], writable=False), *stack.worker().mounts[1:])
    cache = look(stack.worker(mounts=mounts))
    assert cache.root.read_only and verdict(cache) == (True, False)
    blob = models.file_in(cached, WEIGHTS).resolve()
    os.chown(blob, *ROOT)
    blob.chmod(0o600)
    cache = look(stack.worker())
    assert verdict(cache) == (False, False) and not cache.suffices
    assert [(d.what, d.owner, d.mode) for d in cache.access.denied] == [("read", "root (0)", "-rw-------")]


def test_what_lies_in_memory_is_not_called_missing(stack: Stack, cached: Path) -> None:
    """The engine does not show a tmpfs, and shows the empty folder under it instead."""
    one = stack.engine.docker("create", "--network", "host", "--tmpfs", f"{CACHE}/huggingface", f"{BACKEND}:v0.4.1")
    cache = look(stack.worker(id=one, mounts=(Mount("tmpfs", "", f"{CACHE}/huggingface", True),)))
    assert (cache.view, verdict(cache)) == (CacheView.NOBODY, (None, None))
    assert {file.state for file in cache.models[0].files} == {FileState.UNREADABLE}


def test_the_containers_own_layer(stack: Stack, cached: Path) -> None:
    cache = look(stack.worker(env={"HF_HOME": "/tmp/moved"}))
    assert (cache.view, cache.root.exists, cache.access.readable, cache.access.writable) == (CacheView.ARCHIVE, False, True, None)
    assert {file.state for file in cache.models[0].files} == {FileState.MISSING}


def test_ids_of_another_namespace_are_not_judged(stack: Stack, cached: Path) -> None:
    remapped = replace(stack.worker().engine, userns_remap=True)
    models.own(stack.folder / "huggingface", OTHER)
    for change in (remapped, replace(stack.worker().engine, operating_system="Docker Desktop")):
        cache = look(stack.worker(engine=change))
        assert (cache.complete, cache.access.how, verdict(cache)) == (True, "not known", (None, None))


def test_a_folder_that_is_gone_is_not_made_again(stack: Stack, tmp_path: Path) -> None:
    """The engine makes the source of each bind mount before it shows any file of a container."""
    gone = tmp_path / "gone"
    gone.mkdir()
    one = stack.made("-v", f"{gone}:/gone")
    mounts = (*stack.worker().mounts, Mount("bind", str(gone), "/gone", True))
    here = replace(stack.worker().engine, endpoint=stack.engine.host)
    gone.rmdir()
    assert look(stack.worker(id=one, mounts=mounts, engine=here, status="created")).view is CacheView.HOST
    assert not gone.exists()


def test_a_container_that_went_away(stack: Stack) -> None:
    cache = look(stack.worker(id="f0" * 32))
    assert (cache.view, verdict(cache)) == (CacheView.NOBODY, (None, None))
    assert {file.state for file in cache.models[0].files} == {FileState.UNREADABLE}


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>" + b"x" * 2000
NO_STAT = b"HTTP/1.1 200 OK\r\nX-Docker-Container-Path-Stat: !!!!\r\nContent-Length: 0\r\n\r\n"
WRONG = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}"
LONG = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 40\r\n\r\n" + b"[" * 40


def _archive(answer: bytes) -> Rule:
    return lambda _, path: answer if path.endswith("/archive") else None


@pytest.mark.parametrize("answer", [HTML, NO_STAT, WRONG, LONG, b""], ids=["page", "no stat", "error", "nested", "hangs"])
def test_an_engine_that_answers_nonsense_or_not_at_all(stack: Stack, cached: Path, answer: bytes) -> None:
    began = time.monotonic()
    threads = threading.active_count()
    with engine_proxy(stack.engine.socket, _archive(answer)) as proxy:
        at = replace(stack.worker().engine, endpoint=proxy.address)
        cache = look(stack.worker(engine=at), timeout=8.0)
    assert (cache.view, verdict(cache)) == (CacheView.NOBODY, (None, None))
    assert {file.state for file in cache.models[0].files} == {FileState.UNREADABLE}
    assert time.monotonic() - began < 3 + 2
    assert threading.active_count() <= threads + 6


def test_an_archive_that_is_refused_leaves_the_host(stack: Stack, cached: Path, tmp_path: Path) -> None:
    with engine_proxy(stack.engine.socket, switches("INFO"), at=tmp_path / "docker.sock") as proxy:
        at = replace(stack.worker().engine, endpoint=proxy.address)
        cache = look(stack.worker(engine=at))
    assert (cache.view, cache.suffices) == (CacheView.HOST, True)
    assert {path for _, path in proxy.asked} == {f"/containers/{stack.container}/archive"}
