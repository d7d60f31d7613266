"""What the worker may do in the cache: worked out from real owners and modes, and asked of real containers."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.check import Status
from ot_doctor.evidence import (
    COMMUNITY_1,
    CacheAccess,
    FileState,
    ModelCache,
    Mount,
    ReleaseLine,
    Request,
    Unavailable,
    Worker,
    Workers,
)
from ot_doctor.sources.docker import container_exec
from ot_doctor.sources.docker.container_user import User, owners_tell
from ot_doctor.sources.model_cache.access import Question, asked
from ot_doctor.sources.model_cache.cache import gather
from ot_doctor.sources.model_cache.container_view import _SCRIPT, _parse
from ot_doctor.sources.model_cache.fs_view import CacheLook, Existence, Look
from ot_doctor_checks._remedies import own_cache
from ot_doctor_checks.cache_permissions import cache_permissions
from tests.checks.evidence import deployment, env_file, worker
from tests.parts import models
from tests.parts.engine import Engine, parts_folder
from tests.parts.images import BACKEND

CACHE = "/home/appuser/.cache"
WEIGHTS = "segmentation/pytorch_model.bin"
APPUSER = (1000, 998)
OTHER = (1234, 1234)
ROOT = (0, 0)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def folder(tmp_path: Path, let_others_in: Callable[[Path], None]) -> Iterator[Path]:
    """A models folder of the worker's user; everybody may come as far as there."""
    made = tmp_path / "models"
    for name in ("huggingface", "torch"):
        (made / name).mkdir(parents=True)
    let_others_in(tmp_path)
    yield made


def mounts(folder: Path, *, writable: bool = True) -> tuple[Mount, ...]:
    return tuple(Mount("bind", str(folder / name), f"{CACHE}/{name}", writable) for name in ("huggingface", "torch"))


def look(one: Worker, *, no_exec: bool = False, timeout: float = 30.0, line: ReleaseLine = ReleaseLine.V0_4) -> ModelCache:
    request = Request(no_exec=no_exec, environ={"DOCKER_HOST": one.engine.endpoint}, timeout=timeout)
    return gather(request, deployment(line), Workers(one.engine, (one,)), env_file())


def worked_out(folder: Path, user: str = "appuser", *, writable: bool = True) -> ModelCache:
    return look(worker(mounts=mounts(folder, writable=writable), status="exited", user=user, env={}), no_exec=True)


def verdict(cache: ModelCache) -> tuple[bool | None, bool | None]:
    return cache.access.readable, cache.access.writable


# -- worked out ------------------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize(
    ("owner", "mode", "user", "expected"),
    [
        (APPUSER, 0o755, "appuser", (True, True)),
        (APPUSER, 0o700, "appuser", (True, True)),
        (OTHER, 0o755, "appuser", (True, False)),
        (OTHER, 0o777, "appuser", (True, True)),
        (OTHER, 0o750, "appuser", (False, False)),
        ((1234, 1000), 0o770, "appuser", (False, False)),  # the group of appuser is not 1000
        ((1234, 1000), 0o770, "1000:1000", (True, True)),
        (ROOT, 0o755, "appuser", (True, False)),
        (OTHER, 0o700, "root", (True, True)),
        (OTHER, 0o700, "", (True, True)),
        (OTHER, 0o700, "1234", (True, True)),
        (APPUSER, 0o077, "appuser", (False, False)),  # the owner's bits count for the owner, however open the others are
    ],
)
def test_owner_group_and_mode(folder: Path, owner: tuple[int, int], mode: int, user: str, expected: tuple[bool, bool]) -> None:
    models.v04_cache(folder)
    models.own(folder, owner)
    for path, folders, _ in os.walk(folder):
        for name in (".", *folders):
            os.chmod(os.path.join(path, name), mode)
    cache = worked_out(folder, user)
    assert cache.access.how == "worked out from owner and mode"
    assert verdict(cache) == expected
    assert cache.complete
    assert bool(cache.access.denied) is (expected != (True, True))


@needs_root
def test_a_blob_that_only_root_reads(folder: Path) -> None:
    (repo,) = models.v04_cache(folder, owner=APPUSER)
    blob = models.file_in(repo, WEIGHTS).resolve()
    os.chown(blob, 0, 0)
    blob.chmod(0o600)
    cache = worked_out(folder)
    assert verdict(cache) == (False, False)
    (denied,) = cache.access.denied
    assert (denied.what, denied.owner, denied.mode) == ("read", "root (0)", "-rw-------")
    assert denied.path == str(models.file_in(repo, WEIGHTS))
    assert not cache.suffices


@needs_root
def test_a_cache_that_root_made(folder: Path) -> None:
    cache = worked_out(folder)
    assert verdict(cache) == (True, False)
    (denied,) = cache.access.denied
    assert (denied.path, denied.what, denied.owner, denied.mode) == (f"{folder}/huggingface", "write", "root (0)", "drwxr-xr-x")
    assert cache.root.exists is False


@needs_root
def test_locks_of_root_only(folder: Path) -> None:
    (repo,) = models.v04_cache(folder, owner=APPUSER)
    lock = models.lock_owned_by_root(repo)
    cache = worked_out(folder)
    assert verdict(cache) == (True, False)
    assert [denied.path for denied in cache.access.denied] == [str(lock.parent.parent), str(lock.parent), str(lock)]


@needs_root
def test_models_that_are_not_required_do_not_matter(folder: Path) -> None:
    models.v04_cache(folder)
    other = models.hub_repo(folder / "huggingface/hub", "pyannote/segmentation-3.0", {"config.yaml": b"a: b\n"})
    models.own(folder, APPUSER)
    models.own(other, ROOT)
    other.chmod(0o700)
    assert verdict(worked_out(folder)) == (True, True)


@needs_root
def test_a_read_only_mount(folder: Path) -> None:
    models.v04_cache(folder, owner=APPUSER)
    cache = worked_out(folder, writable=False)
    assert cache.root.read_only and verdict(cache) == (True, False)
    assert [(denied.path, denied.what) for denied in cache.access.denied] == [(f"{folder}/huggingface/hub", "write")]
    assert verdict(worked_out(folder, "root", writable=False)) == (True, False)


@needs_root
def test_a_read_only_file_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, a mount that is read-only for the doctor alone says nothing of the worker's."""
    models.v04_cache(folder, owner=APPUSER)
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        monkeypatch.setattr("ot_doctor.sources.disk._MARKS_OF_A_CONTAINER", ("/",))
        assert not worked_out(folder).root.read_only
        monkeypatch.setattr("ot_doctor.sources.disk._MARKS_OF_A_CONTAINER", ())
        cache = worked_out(folder)
        assert cache.root.read_only and verdict(cache) == (True, False)
    finally:
        subprocess.run(["umount", folder], check=True)


VIRTUAL_MACHINES: list[dict[str, object]] = [
    {"operating_system": "Docker Desktop"},
    {"operating_system": "OrbStack"},
    {"operating_system": "Rancher Desktop WSL Distribution"},
    {"operating_system": "Ubuntu 24.04 LTS", "endpoint": "unix:///home/me/.colima/default/docker.sock"},
    {"operating_system": "Alpine Linux v3.20", "endpoint": "unix:///home/me/.rd/docker.sock"},
    {"operating_system": "fedora", "endpoint": "unix:///run/user/1000/podman/machine/podman.sock"},
    {"operating_system": "Ubuntu 24.04 LTS", "platform": "darwin"},
]


@pytest.mark.parametrize("change", VIRTUAL_MACHINES)
def test_an_engine_in_a_virtual_machine_is_told(change: dict[str, Any]) -> None:
    engine = replace(worker().engine, **change)
    assert engine.in_vm and not engine.same_user_ids
    assert not replace(worker().engine, operating_system="SUSE Linux Enterprise Desktop 15").in_vm


@needs_root
@pytest.mark.parametrize("change", VIRTUAL_MACHINES)
def test_a_stopped_worker_in_a_virtual_machine_is_not_accused(folder: Path, change: dict[str, Any]) -> None:
    """The files belong to the user of the host, and the virtual machine shows them as the worker's own."""
    models.v04_cache(folder, owner=OTHER)
    one = worker(mounts=mounts(folder), status="exited", env={})
    assert look(one, no_exec=True).access.writable is False, "it is, on Linux itself"
    inside = replace(one, engine=replace(one.engine, **change))
    cache = look(inside, no_exec=True)
    findings = cache_permissions(cache, deployment(), Workers(inside.engine, (inside,)), Unavailable("not asked"))
    assert not any(f.status is Status.FAIL for f in findings)


def test_what_owner_and_mode_allow_and_the_container_does_not_is_told() -> None:
    at = Look("/cache", Existence.YES, "drwxr-xr-x", 1000, 1000, rights="")
    closed = Look("/other", Existence.YES, "drwxr-xr-x", 0, 0, rights="rx")
    allowed = Question({"/cache": CacheLook((at,), closed, ())}, {"/cache": ()}, False, True, str, True)
    found = {d.path: d.mode_allows for d in asked(allowed, User("appuser", 1000, 1000)).denied}
    assert found == {"/cache": True, "/other": False}


@pytest.mark.parametrize("change", [{"rootless": True}, {"userns_remap": True}, *VIRTUAL_MACHINES])
def test_other_user_ids_on_the_host_tell_nothing(folder: Path, change: dict[str, Any]) -> None:
    models.v04_cache(folder)
    one = worker(mounts=mounts(folder), status="exited", env={})
    cache = look(replace(one, engine=replace(one.engine, **change)), no_exec=True)
    assert (cache.access.how, verdict(cache)) == ("not known", (None, None))
    assert cache.complete


def test_a_user_that_only_the_image_knows(folder: Path) -> None:
    models.v04_cache(folder)
    cache = worked_out(folder, "somebody")
    assert (cache.access.how, cache.access.uid) == ("not known", None)


@needs_root
def test_a_doctor_who_may_not_look(folder: Path) -> None:
    """As another user than root, in a process of its own: nothing is known, and nothing is claimed."""
    models.v04_cache(folder, owner=APPUSER)
    (folder / "huggingface").chmod(0o700)
    child = os.fork()
    if child == 0:
        result = 1
        try:
            os.setgid(OTHER[1])
            os.setgroups([])
            os.setuid(OTHER[0])
            cache = worked_out(folder)
            (model,) = [m for m in cache.models if m.repo == COMMUNITY_1]
            unseen = {file.state for file in model.files} == {FileState.UNREADABLE}
            result = 0 if unseen and cache.access.readable is None and cache.root.exists is None else 2
        finally:
            os._exit(result)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- the script by itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_script_runs_in_every_shell_and_takes_no_argument_for_code(tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell) or shutil.which(shell, path=str(parts_folder() / "root"))
    if program is None:
        pytest.skip(f"no {shell} here")
    (repo,) = models.v04_cache(tmp_path)
    marker = tmp_path / "executed"
    models.truncate(repo, WEIGHTS, 3 * 1024**3)
    (repo / "blobs/$(touch x).incomplete").touch()
    command = [program, *(["sh"] if shell == "busybox" else []), "-c", _SCRIPT, "ot-doctor"]
    odd = f"/nowhere/$(touch {marker})/`touch {marker}`;'\" * \\"
    arguments = ["folder", odd, "folder", "-n", "model", str(repo), f"{tmp_path}/locks", "1", WEIGHTS, "end"]
    ran = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not marker.exists()
    answers = _parse(ran.stdout)
    assert answers is not None and answers.user.uid == os.getuid() and answers.user.gid == os.getgid()
    assert answers.looks[odd] == Look(odd, Existence.NO) and answers.looks["-n"] == Look("-n", Existence.NO)
    (weights,) = [look for path, look in answers.looks.items() if path.endswith(WEIGHTS)]
    assert (weights.found, weights.mode[0], weights.uid, weights.gid) == (Existence.YES, "-", os.getuid(), os.getgid())
    assert (weights.size, weights.head) == (3 * 1024**3, b"PK\x03\x04".ljust(64, b"\0"))
    assert abs(weights.changed - time.time()) < 60
    assert answers.looks[str(repo)].mode.startswith("d") and answers.looks[str(repo)].inode == repo.stat().st_ino


def test_an_image_without_what_the_script_needs_says_so() -> None:
    ran = subprocess.run(["/bin/sh", "-c", _SCRIPT, "ot-doctor", "end"], capture_output=True, text=True, env={"PATH": ""})
    assert (ran.stdout, ran.stderr) == ("there is no stat\n", "")
    assert _parse(ran.stdout) is None


def test_what_is_no_user_and_what_od_makes_of_blanks() -> None:
    assert _parse("user\t\u00b2\t1\tappuser\nend\n") is None
    for bytes_ in (" 50 4b\n 03\n", "50  4b \n03\n"):
        answers = _parse(f"user\t1000\tx\tappuser\npath\t/m\ter\t+\n{bytes_}stat\t-rw-r--r--\t1\t2\t3\t4\t5\t/m\nend\n")
        assert answers is not None and answers.user == User("appuser", 1000, -1)
        assert answers.looks["/m"] == Look("/m", Existence.YES, "-rw-r--r--", 1, 2, 3, b"PK\x03", 4, "r", 5.0)


# -- asked of a container --------------------------------------------------------------------------------------------


def running(engine: Engine, folder: Path, *options: str) -> Worker:
    """A running container of the v0.4 image with the usual mounts, and the evidence of it."""
    binds = [word for m in mounts(folder) for word in ("-v", f"{m.source}:{m.destination}")]
    name = f"worker-{time.monotonic_ns()}"
    container = engine.docker("run", "-d", "--network", "host", "--name", name, *binds, *options, f"{BACKEND}:v0.4.1")
    found = replace(worker().engine, endpoint=engine.host, found_by="DOCKER_HOST")
    return worker(name, engine=found, id=container, mounts=mounts(folder), env={})


@pytest.fixture(scope="module")
def kept(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One container for all tests that leave it as it is."""
    top = tmp_path_factory.mktemp("access")
    for folder in (top, top.parent):
        folder.chmod(0o755)
    for name in ("huggingface", "torch"):
        (top / "models" / name).mkdir(parents=True)
    one = running(engine, top / "models")
    yield one
    remove(engine, one)


def remove(engine: Engine, one: Worker) -> None:
    engine.remove(one.id)


@pytest.fixture
def one(kept: Worker) -> Iterator[Worker]:
    """The same container; what a test puts into its folders goes afterwards."""
    yield kept
    for mount in kept.mounts:
        for inside in Path(mount.source).iterdir():
            shutil.rmtree(inside)
    models.own(folder_of(kept), ROOT)


@pytest.fixture
def started(engine: Engine) -> Iterator[Callable[..., Worker]]:
    """``running`` for a container of the test's own, which goes with it."""
    made: list[Worker] = []

    def start(folder: Path, *options: str) -> Worker:
        made.append(running(engine, folder, *options))
        return made[-1]

    yield start
    for one in made:
        remove(engine, one)


def folder_of(one: Worker) -> Path:
    return Path(one.mounts[0].source).parent


def hidden(one: Worker) -> Worker:
    """The same, with an engine whose host's disk is not the one to look at."""
    return replace(one, engine=replace(one.engine, operating_system="Docker Desktop"))


def without_paths(cache: ModelCache) -> list[object]:
    return [
        (m.repo, m.present, m.commit, m.problem, len(m.incomplete), [(f.name, f.state, f.size) for f in m.files])
        for m in cache.models
    ]


@pytest.mark.engine
@pytest.mark.parametrize(
    "how",
    ["healthy", "absent", "lfs", "html", "empty", "small", "dangling", "pipe", "folder", "incomplete", "no ref", "absolute"],
)
def test_the_container_tells_what_the_host_tells(one: Worker, how: str) -> None:
    folder = folder_of(one)
    if how != "absent":
        (repo,) = models.v04_cache(folder)
        link = models.file_in(repo, WEIGHTS)
    if how == "lfs":
        models.make_lfs_pointer(repo, WEIGHTS)
    elif how == "html":
        models.make_html(repo, WEIGHTS)
    elif how in ("empty", "small"):
        models.truncate(repo, WEIGHTS, 0 if how == "empty" else 900_000)
    elif how == "dangling":
        models.make_dangling(repo, WEIGHTS)
    elif how in ("pipe", "folder"):
        link.unlink()
        os.mkfifo(link) if how == "pipe" else link.mkdir()
    elif how == "incomplete":
        models.leave_incomplete(repo, WEIGHTS)
    elif how == "no ref":
        (repo / "refs/main").unlink()
    elif how == "absolute":
        blob = link.resolve()
        link.unlink()
        link.symlink_to(blob)
    models.own(folder, APPUSER)
    from_host, from_inside = look(one), look(hidden(one))
    assert (from_host.host_side, from_inside.host_side) == (True, False)
    assert without_paths(from_host) == without_paths(from_inside)
    assert from_inside.complete is (how == "healthy")
    assert from_host.access.how == from_inside.access.how == "asked in the container"
    assert (from_host.access.user, verdict(from_host)) == ("appuser (1000)", (True, True))
    assert from_inside.models[0].path == f"{CACHE}/huggingface/hub/models--pyannote--speaker-diarization-community-1"
    assert from_inside.root.exists is from_host.root.exists is (how != "absent")


@pytest.mark.engine
@pytest.mark.parametrize("how", ["mine", "another's", "root's", "closed", "closed blobs", "secret blob", "locks", "empty root's"])
def test_asking_and_working_out_agree(one: Worker, how: str) -> None:
    folder = folder_of(one)
    if how != "empty root's":
        (repo,) = models.v04_cache(folder, owner=APPUSER)
    if how == "another's":
        models.own(folder, OTHER)
    elif how == "root's":
        models.own(folder, ROOT)
    elif how == "closed":
        models.own(folder, ROOT)
        repo.chmod(0o700)
    elif how == "closed blobs":
        models.own(repo / "blobs", ROOT)
        (repo / "blobs").chmod(0o700)
    elif how == "secret blob":
        blob = models.file_in(repo, WEIGHTS).resolve()
        os.chown(blob, *OTHER)
        blob.chmod(0o600)
    elif how == "locks":
        models.lock_owned_by_root(repo)
    asked, out = look(one), look(one, no_exec=True)
    assert (asked.access.how, out.access.how) == ("asked in the container", "worked out from owner and mode")
    assert verdict(asked) == verdict(out)
    assert [d for d in asked.access.denied if d.what != "write"] == [d for d in out.access.denied if d.what != "write"]
    assert asked.host_side and without_paths(asked) == without_paths(out)
    expected = {"mine": (True, True), "another's": (True, False), "root's": (True, False), "locks": (True, False)}
    assert verdict(asked) == expected.get(how, (True, False) if how == "empty root's" else (False, False))


@pytest.mark.engine
def test_what_the_user_may_not_enter_is_not_called_missing(one: Worker) -> None:
    (repo,) = models.v04_cache(folder_of(one), owner=ROOT)
    (repo / "blobs").chmod(0o700)
    cache = look(hidden(one))
    assert {file.state for file in cache.models[0].files} == {FileState.UNREADABLE}
    assert cache.access.readable is False
    first = cache.access.denied[0]
    assert (first.what, first.container_path.rpartition("/")[2]) == ("enter", "blobs")


@pytest.mark.engine
def test_another_user_of_the_container_is_asked(started: Callable[..., Worker], folder: Path) -> None:
    models.v04_cache(folder, owner=APPUSER)
    cache = look(started(folder, "--user", "1234:1234"))
    assert (cache.access.uid, cache.access.user, verdict(cache)) == (1234, "1234", (True, False))
    assert "1000" in cache.access.denied[0].owner


@pytest.mark.engine
def test_a_cache_in_the_containers_own_layer(one: Worker) -> None:
    cache = look(replace(one, env={"HF_HOME": "/tmp/moved"}))
    assert (cache.root.mount, cache.root.path, cache.root.set_by, cache.root.exists) == (None, None, "HF_HOME", False)
    assert (cache.host_side, verdict(cache)) == (False, (True, True))
    assert {file.state for file in cache.models[0].files} == {FileState.MISSING}


@pytest.mark.engine
def test_a_folder_that_was_replaced_under_its_mount(started: Callable[..., Worker], engine: Engine, folder: Path) -> None:
    """The container keeps the folder that was deleted: what lies there now, it does not see."""
    one = started(folder)
    shutil.rmtree(folder / "huggingface")
    models.v04_cache(folder, owner=APPUSER)
    cache = look(one)
    assert (cache.host_side, cache.replaced, cache.complete) == (False, True, False)
    engine.ask("POST", f"/containers/{one.id}/restart?t=0")
    cache = look(one)
    assert (cache.host_side, cache.replaced, cache.complete) == (True, False, True)


@pytest.mark.engine
def test_a_container_that_cannot_be_asked(started: Callable[..., Worker], engine: Engine, folder: Path) -> None:
    models.v04_cache(folder, owner=APPUSER)
    one = started(folder)
    engine.ask("POST", f"/containers/{one.id}/pause")
    assert look(one).access.how == "worked out from owner and mode"
    engine.ask("POST", f"/containers/{one.id}/unpause")
    remove(engine, one)
    assert look(one).access.how == "worked out from owner and mode"


@pytest.mark.engine
def test_a_script_that_hangs_is_given_up(one: Worker) -> None:
    request = Request(environ={"DOCKER_HOST": one.engine.endpoint}, timeout=3.0)
    threads = threading.active_count()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer within"):
        container_exec.run_in(request, one, "sleep 60", [])
    assert time.monotonic() - began < 3 + 2
    assert threading.active_count() <= threads + 2


@pytest.mark.engine
def test_arguments_are_never_code_and_nothing_is_left_behind(one: Worker, engine: Engine) -> None:
    odd = "a b'\"$(id)`id`\\n*;&\n\ttab"
    request = Request(environ={"DOCKER_HOST": one.engine.endpoint})
    assert container_exec.run_in(request, one, 'printf %s "$1"', [odd]) == odd.encode()
    before = sorted(map(str, engine.ask("GET", f"/containers/{one.id}/changes")))
    look(one)
    assert sorted(map(str, engine.ask("GET", f"/containers/{one.id}/changes"))) == before
    folder = folder_of(one)
    assert sorted(folder.rglob("*")) == [folder / "huggingface", folder / "torch"]


@pytest.mark.engine
@pytest.mark.parametrize("name", ["a:b -n", "a,b $(touch x)", "it's \"c:d\", e"])
def test_the_folder_of_any_name_is_given_to_the_worker_by_the_printed_command(engine: Engine, tmp_path: Path, name: str) -> None:
    given = tmp_path / name
    (given / "hub").mkdir(parents=True)
    step = own_cache(deployment(), worker(), CacheAccess("asked", "appuser (1000)", 1000, False, False), str(given))
    assert step.command
    done = subprocess.run(
        ["sh", "-c", step.command], env=engine.environment(), cwd="/", capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stat().st_uid for path in (given, given / "hub")} == {1000}


@pytest.mark.parametrize(("change", "tells"), [({}, True), ({"podman": True}, False), ({"userns_remap": True}, False)])
def test_the_owners_of_an_archive(change: dict[str, bool], tells: bool) -> None:
    assert owners_tell(replace(worker().engine, **change), (), 0) is tells  # type: ignore[arg-type]


@pytest.mark.parametrize(("rootless", "uid", "unmapped"), [(True, 65534, True), (True, 0, False), (False, 65534, False)])
def test_an_owner_whom_a_rootless_engines_containers_do_not_have(rootless: bool, uid: int, unmapped: bool) -> None:
    closed = Look("/m", Existence.YES, "drwxr-xr-x", uid, uid, rights="rx")
    looks = {"/m": CacheLook(ancestors=(closed,), locks=Look("/m/.locks", Existence.NO), models=())}
    question = Question(looks, {"/m": ()}, False, True, str, False, rootless)
    (denied,) = asked(question, User("appuser", 1000, 998)).denied
    assert denied.unmapped is unmapped
