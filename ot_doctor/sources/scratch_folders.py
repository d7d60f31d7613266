"""The volume for audio: asked of the worker that has it, else worked out from what the engine's archive shows."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from contextlib import closing

from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.native_engine import ScratchFolder
from ot_doctor.evidence.releases import NativeRules
from ot_doctor.evidence.workers import Mount, Worker
from ot_doctor.sources.docker.container_archive import ContainerArchive, PathRefused, may_be_read
from ot_doctor.sources.docker.container_exec import Unresponsive, run_in
from ot_doctor.sources.docker.container_user import owners_tell, user_of

_LOOK = r"""
for folder in "$1" "$1/engine" "$1/diar"; do
  [ -d "$folder" ] || continue
  if [ -r "$folder" ] && [ -w "$folder" ] && [ -x "$folder" ]; then usable=yes; else usable=no; fi
  echo "$usable $(ls -ldn "$folder")"
done
"""
_LISTED = re.compile(r"(yes|no) (\S{10,12}) +\d+ +(\d{1,10}) +(\d{1,10}) .*? (/\S{1,300})$", re.MULTILINE)


def scratch_folders(
    request: Request, rules: NativeRules, workers: Sequence[Worker]
) -> tuple[tuple[ScratchFolder, ...], Unavailable | None]:
    """As the first worker that has the volume sees it, running ones first; nothing where none has one."""
    having = [(w, mount) for w in workers for mount in w.mounts if mount.destination == rules.scratch]
    if not having:
        return (), None
    worker, mount = next(((w, m) for w, m in having if w.running), having[0])
    try:
        return _asked(request, worker, rules.scratch), None
    except Unavailable as error:
        if isinstance(error, Unresponsive) or not may_be_read(worker):
            return (), error
        try:
            return _read(request, worker, mount), None
        except (Unavailable, PathRefused):
            return (), error


def _asked(request: Request, worker: Worker, folder: str) -> tuple[ScratchFolder, ...]:
    answer = run_in(request, worker, _LOOK, [folder]).decode("utf-8", "replace")
    return tuple(
        ScratchFolder(worker.name, printable(path), usable == "yes", f"{user}:{group}", printable(mode))
        for usable, mode, user, group, path in _LISTED.findall(answer)
    )


def _read(request: Request, worker: Worker, mount: Mount) -> tuple[ScratchFolder, ...]:
    if mount.kind == "tmpfs":
        raise Unavailable(f"The volume for audio of {worker.name} lies in memory, which the engine does not show.")
    with closing(ContainerArchive(request, worker)) as archive:
        user = user_of(archive, worker)
        top = archive.first("/")
        if user is None or not owners_tell(worker.engine, [mount], top.uid if top else -1):
            raise Unavailable(f"The engine does not tell whom the files of {worker.name} belong to.")
        found = [(path, archive.first(path)) for path in (mount.destination, *_below(mount.destination))]
    return tuple(
        ScratchFolder(
            worker.name, path, mount.writable and all(user.may(folder, right) for right in "rwx"),
            f"{folder.uid}:{folder.gid}", folder.mode,
        )
        for path, folder in found
        if folder is not None and folder.mode.startswith("d")
    )  # fmt: skip


def _below(folder: str) -> tuple[str, ...]:
    return posixpath.join(folder, "engine"), posixpath.join(folder, "diar")
