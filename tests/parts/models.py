"""Model caches on disk as the Hub's clients leave them, and the ways in which they get damaged.

A cached repository is `models--org--name` with `blobs/<etag>`, `refs/main` (the commit) and
`snapshots/<commit>/<file>`, each file a relative link to its blob.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from . import hub

Owner = tuple[int, int]

#: A commit such as the Hub would name.
COMMIT = "84fd25912480287da0247647c3d2b4853cb3ee5d"

#: What OpenTranscribe v0.1 to v0.3 needs, and v0.4: pyannote 3 and pyannote 4.
V03_MODELS = (hub.DIARIZATION_31, hub.SEGMENTATION_30, hub.WESPEAKER)
V04_MODELS = (hub.COMMUNITY_1,)


def hub_repo(
    root: Path,
    repo_id: str,
    files: Mapping[str, bytes | int],
    *,
    commit: str = COMMIT,
    owner: Owner | None = None,
) -> Path:
    """Writes one cached repository under `root` (a hub folder) and returns its folder.

    A file is its content, or only a size: then it is sparse behind the first bytes that its kind begins with.
    """
    folder = root / f"models--{repo_id.replace('/', '--')}"
    for name in ("blobs", "refs", f"snapshots/{commit}"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # The client writes the commit without a line's end.
    (folder / "refs/main").write_text(commit)
    for name, content in files.items():
        blob = folder / "blobs" / _etag(repo_id, name, content)
        _write(blob, name, content)
        link = folder / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    if owner is not None:
        own(folder, owner)
    return folder


def v03_cache(models_dir: Path, *, owner: Owner | None = None) -> list[Path]:
    """A complete cache of v0.1 to v0.3: pyannote 3 keeps its own folder, `torch/pyannote`."""
    return _cache(models_dir, "torch/pyannote", V03_MODELS, owner)


def v04_cache(models_dir: Path, *, owner: Owner | None = None) -> list[Path]:
    """A complete cache of v0.4: pyannote 4 uses the client's own folder, `huggingface/hub`."""
    return _cache(models_dir, "huggingface/hub", V04_MODELS, owner)


def own(path: Path, owner: Owner) -> None:
    """Gives a folder, and all in it, to somebody (who need not exist here). Needs root, unless it is oneself."""
    for folder, subfolders, files in os.walk(path):
        for name in (".", *subfolders, *files):
            os.chown(Path(folder) / name, *owner, follow_symlinks=False)


def file_in(repo: Path, name: str) -> Path:
    """The link of a cached file in the newest snapshot: `file_in(repo, "config.yaml")`."""
    return repo / "snapshots" / (repo / "refs/main").read_text().strip() / name


# -- damage ----------------------------------------------------------------------------------------


def make_dangling(repo: Path, name: str) -> Path:
    """Removes the blob behind a link, as a copy without its blobs, or a clean-up by hand, does."""
    file_in(repo, name).resolve(strict=True).unlink()
    return file_in(repo, name)


def make_lfs_pointer(repo: Path, name: str) -> Path:
    """Replaces the content with a git-lfs pointer, as `git clone` without git-lfs leaves it."""
    size = file_in(repo, name).stat().st_size
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{secrets.token_hex(32)}\nsize {size}\n"
    return _overwrite(repo, name, pointer.encode())


def make_html(repo: Path, name: str) -> Path:
    """Replaces the content with a web page, as a download through a browser or a portal leaves it."""
    return _overwrite(repo, name, b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n")


def truncate(repo: Path, name: str, size: int = 1000) -> Path:
    """Cuts the content off, as a full disk or an interrupted copy leaves it."""
    os.truncate(file_in(repo, name), size)
    return file_in(repo, name)


def leave_incomplete(repo: Path, name: str, *, client: Literal["0.x", "1.x"] = "1.x", size: int = 0) -> Path:
    """Turns a cached file into an interrupted download, and returns the part that was left.

    Up to 0.x the part is `<etag>.incomplete` and is taken up again; from 1.x on it has eight hex digits more and,
    after a kill, stays for ever. The parts of files under 10 MB are empty.
    """
    link = file_in(repo, name)
    blob = link.resolve(strict=True)
    blob.unlink()
    link.unlink()
    tail = ".incomplete" if client == "0.x" else f".{secrets.token_hex(4)}.incomplete"
    part = blob.with_name(blob.name + tail)
    part.touch()
    os.truncate(part, size)
    _own_alike(part, repo)
    return part


def lock_owned_by_root(repo: Path, name: str = "config.yaml") -> Path:
    """The lock of a download that once ran as root: the worker's own user cannot take it. Needs root."""
    link = file_in(repo, name)
    etag = Path(os.readlink(link)).name
    lock = repo.parent / ".locks" / repo.name / f"{etag}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch(mode=0o644)
    own(repo.parent / ".locks", (0, 0))
    lock.chmod(0o644)
    return lock


# -- how it is done --------------------------------------------------------------------------------


def _cache(models_dir: Path, below: str, wanted: tuple[str, ...], owner: Owner | None) -> list[Path]:
    known = {repo.id: repo for repo in hub.pyannote_repos()}
    root = models_dir / below
    folders = [
        hub_repo(root, repo, {name: size for name, size in known[repo].files.items() if name not in hub.UNGATED})
        for repo in wanted
    ]
    if owner is not None:
        own(models_dir, owner)
    return folders


def _etag(repo_id: str, name: str, content: bytes | int) -> str:
    """A blob's name: sha256 for large files, git's for small ones. A sparse file's is only made to look so."""
    if isinstance(content, bytes):
        return hub.etag(name, content)
    return hashlib.sha256(f"{repo_id} {name} {content}".encode()).hexdigest()


def _write(blob: Path, name: str, content: bytes | int) -> None:
    if isinstance(content, bytes):
        blob.write_bytes(content)
        return
    blob.write_bytes(hub.beginning(name)[:content])
    os.truncate(blob, content)


def _overwrite(repo: Path, name: str, content: bytes) -> Path:
    """Writes through the link into the blob: its owner and its name, now a wrong one, stay."""
    file_in(repo, name).write_bytes(content)
    return file_in(repo, name)


def _own_alike(path: Path, like: Path) -> None:
    if os.geteuid() == 0:
        known = like.stat()
        os.chown(path, known.st_uid, known.st_gid)
