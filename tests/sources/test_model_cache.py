"""The model cache as the host's disk has it: real folders, and every way in which they get damaged."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import (
    COMMUNITY_1,
    DIARIZATION_3_1,
    SEGMENTATION_3_0,
    CachedFile,
    CachedModel,
    FileState,
    ModelCache,
    Mount,
    ReleaseLine,
    Request,
    Unavailable,
    Worker,
    Workers,
)
from ot_doctor.sources.model_cache import host_view
from ot_doctor.sources.model_cache.cache import gather
from ot_doctor.sources.model_cache.host_view import find_models
from tests.checks.evidence import deployment, env_file, worker
from tests.parts import models

CACHE = "/home/appuser/.cache"
WEIGHTS = "segmentation/pytorch_model.bin"
NO_DOCKER = Unavailable("no engine")


def mounts(folder: Path, *, writable: bool = True) -> tuple[Mount, ...]:
    return tuple(Mount("bind", str(folder / name), f"{CACHE}/{name}", writable) for name in ("huggingface", "torch"))


def stopped(folder: Path, env: dict[str, str] | None = None, image_env: dict[str, str] | None = None) -> Worker:
    (folder / "huggingface").mkdir(parents=True, exist_ok=True)
    (folder / "torch").mkdir(parents=True, exist_ok=True)
    return worker(mounts=mounts(folder), status="exited", env=env or {}, image_env=image_env or {})


def look(one: Worker, line: ReleaseLine = ReleaseLine.V0_4, env: str = "", home: Path = Path("/srv/ot")) -> ModelCache:
    request = Request(no_exec=True, environ={})
    where = deployment(line, running_dir=home, directory=home)
    return gather(request, where, Workers(one.engine, (one,)), env_file(env))


def of(cache: ModelCache, repo: str = COMMUNITY_1) -> CachedModel:
    return next(model for model in cache.models if model.repo == repo)


def file_of(cache: ModelCache, name: str = WEIGHTS, repo: str = COMMUNITY_1) -> CachedFile:
    return next(file for file in of(cache, repo).files if file.name == name)


# -- complete --------------------------------------------------------------------------------------------------------


def test_a_complete_v0_4_cache(tmp_path: Path) -> None:
    (repo,) = models.v04_cache(tmp_path)
    cache = look(stopped(tmp_path))
    assert cache.complete and cache.host_side
    assert cache.root.container_path == f"{CACHE}/huggingface/hub"
    assert (cache.root.path, cache.root.exists, cache.root.set_by) == (str(tmp_path / "huggingface/hub"), True, "")
    assert (of(cache).path, of(cache).commit, of(cache).problem) == (str(repo), models.COMMIT, "")
    assert file_of(cache).size == 1_200_000
    assert file_of(cache).path == str(models.file_in(repo, WEIGHTS))
    assert not of(cache, SEGMENTATION_3_0).present and not of(cache, SEGMENTATION_3_0).required
    assert cache.models_dir == str(tmp_path)
    assert (cache.misplaced, cache.old_layout, cache.offline) == ((), (), None)


def test_a_complete_v0_3_cache(tmp_path: Path) -> None:
    models.v03_cache(tmp_path)
    cache = look(stopped(tmp_path), ReleaseLine.V0_3)
    assert cache.complete
    assert cache.root.path == str(tmp_path / "torch/pyannote")


def test_v0_3_files_beside_a_v0_4_worker_are_old_and_not_misplaced(tmp_path: Path) -> None:
    old = models.v03_cache(tmp_path)
    cache = look(stopped(tmp_path))
    assert not cache.complete and cache.misplaced == ()
    assert sorted(cache.old_layout) == sorted(map(str, old))


def test_an_unknown_line_takes_a_model_from_the_place_that_has_it(tmp_path: Path) -> None:
    models.v03_cache(tmp_path)
    models.v04_cache(tmp_path)
    cache = look(stopped(tmp_path), ReleaseLine.UNKNOWN)
    assert cache.root.container_path == f"{CACHE}/huggingface/hub"
    assert of(cache).complete and of(cache, DIARIZATION_3_1).complete and of(cache, SEGMENTATION_3_0).complete
    assert "/torch/pyannote/" in of(cache, DIARIZATION_3_1).path


def test_a_cache_that_is_a_link_on_the_host(tmp_path: Path) -> None:
    models.v04_cache(tmp_path / "disk")
    (tmp_path / "disk/torch").mkdir()
    (tmp_path / "models").symlink_to("disk")
    assert look(stopped(tmp_path / "models")).complete


def test_a_thousand_other_files_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models.v04_cache(tmp_path)
    crowd = tmp_path / "huggingface/hub/models--openai--whisper/blobs"
    crowd.mkdir(parents=True)
    flat = tmp_path / "huggingface/hub/datasets"
    flat.mkdir()
    for number in range(500):
        for folder in (crowd, flat):
            os.mknod(folder / str(number))
    asked: list[str] = []
    lstat = os.lstat

    def listened(path: Any, **named: Any) -> os.stat_result:
        asked.append(str(path))
        return lstat(path, **named)

    monkeypatch.setattr(os, "lstat", listened)
    assert look(stopped(tmp_path)).complete
    assert len(asked) < 200
    assert not [path for path in asked if path.startswith((str(crowd), str(flat)))]


# -- damaged ---------------------------------------------------------------------------------------------------------


def damaged(folder: Path, how: str) -> ModelCache:
    (repo,) = models.v04_cache(folder)
    blob = models.file_in(repo, WEIGHTS).resolve()
    link = models.file_in(repo, WEIGHTS)
    if how == "lfs":
        models.make_lfs_pointer(repo, WEIGHTS)
    elif how == "html":
        models.make_html(repo, WEIGHTS)
    elif how == "html after a byte order mark":
        blob.write_bytes(b"\xef\xbb\xbf\r\n<!doctype html>")
    elif how == "empty":
        models.truncate(repo, WEIGHTS, 0)
    elif how == "small":
        models.truncate(repo, WEIGHTS, 900_000)
    elif how == "not an archive":
        blob.write_bytes(b"\0" * 2_000_000)
    elif how == "pickle":
        blob.write_bytes(b"\x80" + b"\0" * 2_000_000)
    elif how == "dangling":
        models.make_dangling(repo, WEIGHTS)
    elif how == "missing":
        link.unlink()
    elif how == "folder":
        link.unlink()
        link.mkdir()
    elif how == "pipe":
        link.unlink()
        os.mkfifo(link)
    elif how == "pipe as a blob":
        blob.unlink()
        os.mkfifo(blob)
    elif how == "cycle":
        link.unlink()
        link.symlink_to(link.name)
    elif how == "huge":
        os.truncate(blob, 3 * 1024**3)
    elif how == "absolute link to the host":
        link.unlink()
        link.symlink_to(blob)
    elif how == "absolute link as the container has it":
        link.unlink()
        link.symlink_to(f"{CACHE}/huggingface/hub/{repo.name}/blobs/{blob.name}")
    elif how == "relative link out of the mount":
        link.unlink()
        shutil.move(blob, folder / "weights")
        link.symlink_to(os.path.relpath(folder / "weights", link.parent))
    return look(stopped(folder))


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ("lfs", FileState.LFS_POINTER),
        ("html", FileState.HTML),
        ("html after a byte order mark", FileState.HTML),
        ("empty", FileState.EMPTY),
        ("small", FileState.TRUNCATED),
        ("not an archive", FileState.TRUNCATED),
        ("pickle", FileState.OK),
        ("dangling", FileState.DANGLING),
        ("missing", FileState.MISSING),
        ("folder", FileState.NOT_A_FILE),
        ("pipe", FileState.NOT_A_FILE),
        ("pipe as a blob", FileState.NOT_A_FILE),
        ("cycle", FileState.DANGLING),
        ("huge", FileState.OK),
        ("absolute link to the host", FileState.DANGLING),
        ("absolute link as the container has it", FileState.OK),
        ("relative link out of the mount", FileState.DANGLING),
    ],
)
def test_what_became_of_a_file(tmp_path: Path, how: str, state: FileState) -> None:
    cache = damaged(tmp_path, how)
    assert file_of(cache).state is state
    assert cache.complete is (state is FileState.OK)
    others = [file for file in of(cache).files if file.name != WEIGHTS]
    assert [file.state for file in others] == [FileState.OK] * 4


def test_a_link_from_one_mount_into_another(tmp_path: Path) -> None:
    (repo,) = models.v04_cache(tmp_path)
    one = stopped(tmp_path)
    link = models.file_in(repo, WEIGHTS)
    shutil.move(link.resolve(), tmp_path / "torch/weights")
    link.unlink()
    link.symlink_to(f"{CACHE}/torch/weights")
    assert file_of(look(one)).state is FileState.OK


def test_no_refs_main_is_a_problem_and_the_newest_snapshot_is_shown(tmp_path: Path) -> None:
    (repo,) = models.v04_cache(tmp_path)
    (repo / "refs/main").unlink()
    old = repo / "snapshots/0000"
    old.mkdir()
    os.utime(old, (1, 1))
    cache = look(stopped(tmp_path))
    assert (of(cache).commit, of(cache).problem, of(cache).complete) == (models.COMMIT, "no refs/main", False)
    assert file_of(cache).state is FileState.OK


@pytest.mark.parametrize("text", ["../../../etc", "", "\0\0", "a" * 5000, "-\n\n"])
def test_a_ref_that_is_no_commit(tmp_path: Path, text: str) -> None:
    (repo,) = models.v04_cache(tmp_path)
    (repo / "refs/main").write_text(text)
    assert not of(look(stopped(tmp_path))).complete


def test_a_ref_to_a_snapshot_that_is_not_there(tmp_path: Path) -> None:
    (repo,) = models.v04_cache(tmp_path)
    (repo / "refs/main").write_text("f" * 40 + "\n")
    cache = look(stopped(tmp_path))
    assert of(cache).commit == "f" * 40
    assert {file.state for file in of(cache).files} == {FileState.MISSING}


@pytest.mark.parametrize("client", ["0.x", "1.x"])
def test_an_interrupted_download(tmp_path: Path, client: str) -> None:
    (repo,) = models.v04_cache(tmp_path)
    part = models.leave_incomplete(repo, WEIGHTS, client=client)  # type: ignore[arg-type]
    cache = look(stopped(tmp_path))
    assert of(cache).incomplete == (str(part),)
    assert file_of(cache).state is FileState.MISSING


def test_names_that_are_not_text(tmp_path: Path) -> None:
    (repo,) = models.v04_cache(tmp_path)
    for name in (b"new\nline.incomplete", b"sp ace.incomplete", b"\xff\xfe.incomplete", b"\x1b[31mred.incomplete"):
        Path(os.fsdecode(os.fsencode(repo / "blobs") + b"/" + name)).touch()
    names = [path.rpartition("/")[2] for path in of(look(stopped(tmp_path))).incomplete]
    assert sorted(names) == ["new?line.incomplete", "red.incomplete", "sp ace.incomplete", "\ufffd\ufffd.incomplete"]
    for shown in names:
        shown.encode()


def test_folders_where_files_should_be(tmp_path: Path) -> None:
    (repo,) = models.v04_cache(tmp_path)
    (repo / "refs/main").unlink()
    (repo / "refs/main").mkdir()
    assert not look(stopped(tmp_path)).complete
    shutil.rmtree(repo)
    repo.write_text("no folder")
    assert not look(stopped(tmp_path)).complete


# -- where it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "env", "place", "set_by"),
    [
        (ReleaseLine.V0_4, {}, f"{CACHE}/huggingface/hub", ""),
        (ReleaseLine.V0_4, {"HF_HOME": f"{CACHE}/huggingface"}, f"{CACHE}/huggingface/hub", ""),
        (ReleaseLine.V0_4, {"HF_HOME": "/data"}, "/data/hub", "HF_HOME"),
        (ReleaseLine.V0_4, {"HF_HOME": "~/x"}, "/home/appuser/x/hub", "HF_HOME"),
        (ReleaseLine.V0_4, {"HF_HOME": "$DATA/x", "DATA": "/d"}, "/d/x/hub", "HF_HOME"),
        (ReleaseLine.V0_4, {"HF_HOME": "//data//"}, "/data/hub", "HF_HOME"),
        (ReleaseLine.V0_4, {"HF_HOME": ""}, "/app/hub", "HF_HOME"),
        (ReleaseLine.V0_4, {"HF_HUB_CACHE": "/c", "HF_HOME": "/data"}, "/c", "HF_HUB_CACHE"),
        (ReleaseLine.V0_4, {"HUGGINGFACE_HUB_CACHE": "/c", "HF_HOME": "/d"}, "/c", "HUGGINGFACE_HUB_CACHE"),
        (ReleaseLine.V0_4, {"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub", "XDG_CACHE_HOME"),
        (ReleaseLine.V0_4, {"TORCH_HOME": "/t", "PYANNOTE_CACHE": "/p"}, f"{CACHE}/huggingface/hub", ""),
        (ReleaseLine.V0_5, {"HF_HOME": "/data"}, "/data/hub", "HF_HOME"),
        (ReleaseLine.V0_3, {"TORCH_HOME": "/t", "HF_HOME": "/h"}, f"{CACHE}/torch/pyannote", ""),
        (ReleaseLine.V0_3, {"PYANNOTE_CACHE": "/p"}, "/p", "PYANNOTE_CACHE"),
        (ReleaseLine.V0_4, {"HOME": "/home/user"}, "/home/user/.cache/huggingface/hub", ""),
    ],
)
def test_where_each_line_looks(tmp_path: Path, line: ReleaseLine, env: dict[str, str], place: str, set_by: str) -> None:
    cache = look(stopped(tmp_path, env, {"HF_HOME": f"{CACHE}/huggingface"}), line)
    assert (cache.root.container_path, cache.root.set_by) == (place, set_by)


def test_a_place_of_the_image_itself_is_not_moved(tmp_path: Path) -> None:
    cache = look(stopped(tmp_path, {"HF_HOME": "/models"}, {"HF_HOME": "/models"}))
    assert (cache.root.container_path, cache.root.set_by) == ("/models/hub", "")


def test_a_place_off_the_mounts_cannot_be_seen_of_a_stopped_container(tmp_path: Path) -> None:
    models.v04_cache(tmp_path)
    cache = look(stopped(tmp_path, {"HF_HOME": "/data"}))
    assert (cache.root.mount, cache.root.path, cache.root.exists, cache.host_side) == (None, None, None, False)
    assert {file.state for file in of(cache).files} == {FileState.UNREADABLE}
    assert (cache.access.how, cache.access.readable, cache.access.writable) == ("not known", None, None)


def test_the_longest_mount_holds_the_place(tmp_path: Path) -> None:
    models.hub_repo(tmp_path / "deep", COMMUNITY_1, {"config.yaml": b"a: b\n"})
    one = stopped(tmp_path)
    inner = Mount("bind", str(tmp_path / "deep"), f"{CACHE}/huggingface/hub/", True)
    cache = look(replace(one, mounts=(inner, *one.mounts)))
    assert cache.root.path == str(tmp_path / "deep") and cache.root.mount == inner
    assert file_of(cache, "config.yaml").state is FileState.OK
    assert cache.models_dir == str(tmp_path / "deep")


def test_a_mount_that_only_begins_alike_is_not_it(tmp_path: Path) -> None:
    one = worker(mounts=(Mount("bind", str(tmp_path), f"{CACHE}/hugging", True),), status="exited", env={})
    assert look(one).root.mount is None


def test_an_engine_elsewhere_is_not_looked_for_on_this_disk(tmp_path: Path) -> None:
    models.v04_cache(tmp_path)
    one = stopped(tmp_path)
    remote = replace(one, engine=replace(one.engine, endpoint="tcp://10.0.0.5:2376"))
    cache = look(remote)
    assert (cache.root.path, cache.host_side, cache.complete) == (None, False, False)
    assert {file.state for file in of(cache).files} == {FileState.UNREADABLE}


@pytest.mark.parametrize(
    ("env", "offline"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE=1"),
        ({"HF_HUB_OFFLINE": "True"}, "HF_HUB_OFFLINE=True"),
        ({"TRANSFORMERS_OFFLINE": "on"}, "TRANSFORMERS_OFFLINE=on"),
        ({"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "yes"}, "TRANSFORMERS_OFFLINE=yes"),
        ({"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}, None),
        ({"HF_HUB_OFFLINE": "2"}, None),
        ({"HF_DATASETS_OFFLINE": "1"}, None),
    ],
)
def test_what_forbids_downloads(tmp_path: Path, env: dict[str, str], offline: str | None) -> None:
    assert look(stopped(tmp_path, env)).offline == offline


def test_the_configured_folder(tmp_path: Path) -> None:
    one = stopped(tmp_path / "models")
    (tmp_path / "link").symlink_to("models")
    assert look(one, home=tmp_path).configured is None
    assert look(one, env="MODEL_CACHE_DIR=./models/", home=tmp_path).configured == str(tmp_path / "models")
    assert look(one, env="MODEL_CACHE_DIR=other", home=tmp_path).configured == str(tmp_path / "other")
    assert look(one, env="MODEL_CACHE_DIR=./link", home=tmp_path).configured == str(tmp_path / "models")
    assert look(one, env="MODEL_CACHE_DIR=", home=tmp_path).configured is None


@pytest.mark.parametrize("env", ["", "MODEL_CACHE_DIR=./elsewhere\n"])
def test_without_docker_the_env_tells_where(tmp_path: Path, env: str) -> None:
    models.v04_cache(tmp_path / ("elsewhere" if env else "models"))
    where = deployment(ReleaseLine.V0_4, running_dir=None, directory=tmp_path)
    cache = gather(Request(environ={}), where, NO_DOCKER, env_file(env))
    assert cache.complete and cache.worker == "" and cache.host_side
    assert (cache.access.how, cache.access.readable) == ("not known", None)


def test_without_docker_and_without_an_env(tmp_path: Path) -> None:
    where = deployment(ReleaseLine.UNKNOWN, running_dir=None, directory=tmp_path)
    cache = gather(Request(environ={}), where, NO_DOCKER, Unavailable("no .env"))
    assert (cache.root.path, cache.root.exists) == (str(tmp_path / "models/huggingface/hub"), False)
    assert not any("none" in file.path for model in cache.models for file in model.files)
    assert not any(model.present for model in cache.models)


# -- in the wrong place ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", ["home/ana/.cache/torch/pyannote", ".cache/torch/pyannote", "root/.cache/torch/pyannote"])
def test_models_where_the_guides_tar_recipe_puts_them(tmp_path: Path, packed: str) -> None:
    models.v03_cache(tmp_path / "packed")
    shutil.copytree(tmp_path / "packed/torch/pyannote", tmp_path / "models/torch" / packed, symlinks=True)
    cache = look(stopped(tmp_path / "models"), ReleaseLine.V0_3)
    assert not cache.complete
    assert len(cache.misplaced) == 3
    assert all(path.startswith(f"{tmp_path}/models/torch/{packed}/models--pyannote--") for path in cache.misplaced)


def test_models_unpacked_beside_the_folders(tmp_path: Path) -> None:
    models.hub_repo(tmp_path, COMMUNITY_1, {"config.yaml": b"a: b\n"})
    assert look(stopped(tmp_path)).misplaced == (str(tmp_path / "models--pyannote--speaker-diarization-community-1"),)


def test_plain_folders_as_the_guide_shows_them(tmp_path: Path) -> None:
    plain = tmp_path / "torch/pyannote/segmentation-3.0"
    plain.mkdir(parents=True)
    (plain / "pytorch_model.bin").touch()
    assert look(stopped(tmp_path), ReleaseLine.V0_3).misplaced == (str(plain),)
    assert look(stopped(tmp_path), ReleaseLine.V0_4).old_layout == (str(plain),)


def test_models_in_the_other_lines_place(tmp_path: Path) -> None:
    (repo,) = models.v04_cache(tmp_path)
    wrong = tmp_path / "torch/pyannote" / repo.name
    wrong.parent.mkdir(parents=True)
    repo.rename(wrong)
    cache = look(stopped(tmp_path))
    assert (cache.misplaced, cache.old_layout) == ((str(wrong),), ())
    assert look(stopped(tmp_path), ReleaseLine.V0_3).misplaced == ()


def test_the_search_follows_no_links_and_ends(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    one = stopped(folder)
    (folder / "torch/loop").symlink_to(folder)
    models.v03_cache(tmp_path / "elsewhere")
    (folder / "torch/away").symlink_to(tmp_path / "elsewhere")
    (folder / "torch" / "/".join("abcdefgh") / "models--pyannote--segmentation-3.0").mkdir(parents=True)
    assert look(one, ReleaseLine.V0_3).misplaced == ()


def test_a_crowded_folder_does_not_hide_the_others_from_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_view, "_MOST_SEARCHED", 2_000)  # a tenth, as the crowd
    monkeypatch.setattr(host_view, "_MOST_SEARCHED_IN_ONE", 200)
    (tmp_path / "huggingface/crowd").mkdir(parents=True)
    for number in range(2_500):
        os.mknod(tmp_path / "huggingface/crowd" / str(number))
    lost = tmp_path / "torch/root/.cache/torch/pyannote/models--pyannote--segmentation-3.0"
    lost.mkdir(parents=True)
    assert look(stopped(tmp_path), ReleaseLine.V0_3).misplaced == (str(lost),)


def test_locks_of_the_client_and_what_was_put_away_are_no_models(tmp_path: Path) -> None:
    for folder in ("hub/.locks", "hub/.ot-doctor-removed/20261128-1203-1", "lost"):
        (tmp_path / folder / "models--pyannote--x").mkdir(parents=True)
    assert list(find_models(str(tmp_path), [])) == [str(tmp_path / "lost" / "models--pyannote--x")]
