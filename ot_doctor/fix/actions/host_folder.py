"""A folder of the host, or a volume, that belongs to the worker: worked on as root, through the worker's own image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from ot_doctor.evidence import ModelCache, Unavailable, Worker, Workers
from ot_doctor.fix import whole_file
from ot_doctor.fix.actions.container import or_else
from ot_doctor.fix.procedure import NotDone, NotPossible, Site
from ot_doctor.sources.docker import alterations
from ot_doctor.sources.docker.alterations import FOLDER
from ot_doctor.sources.model_cache.host_view import PUT_AWAY

_READS = ("DAC_READ_SEARCH",)
_OWNS = ("CHOWN", "FOWNER", "DAC_READ_SEARCH")
_MOVES = ("CHOWN", "FOWNER", "DAC_OVERRIDE")
_ODD = "a line break\n"
_FIND = f"""
if [ -n "$(find {FOLDER} -xdev -name '*
*' -print)" ]; then echo a line break; exit; fi
find {FOLDER} -xdev "$@" -exec stat -c '%u %g %a %n' {{}} +
"""
_AT_ONCE = 60_000  # bytes of names in one command
_SCRATCH = "/scratch/opentranscribe"


class HostFolder:
    """The folder, which must be the model cache that was examined, one above it, or the volume for audio."""

    def __init__(self, path: str, container: str, site: Site) -> None:
        workers = site.store.get(Workers)
        known = () if isinstance(workers, Unavailable) else workers.containers
        worker = next((worker for worker in known if worker.name == container), None)
        if worker is None:
            raise NotPossible(f"{container}, whose image would do it, is not one of the containers that were examined.")
        if path not in _places(worker, site):
            raise NotPossible(f"{path} is neither the model cache nor a volume of {container}, so it is left alone.")
        self.path = path
        self.site = site
        self.worker = worker

    def looks(self, *command: str) -> str:
        with or_else(NotPossible):
            return alterations.as_root(self.site.store.request, self.worker, self.path, command, _READS, writes=False)

    def found(self, *conditions: str) -> list[tuple[int, int, int, str]]:
        """Owner, group, mode and path (below the folder, with ``/``) of each entry to which find's conditions apply."""
        output = self.looks("sh", "-euc", _FIND, "ot-doctor", *conditions)
        if output.startswith(_ODD):
            raise NotPossible(f"A name in {self.path} has a line break, so nothing is changed there.")
        return [_entry(line) for line in output.split("\n") if line]

    def own(self, uid: int, gid: int) -> None:
        self._changes(_OWNS, "chown", "-hR", f"{uid}:{gid}", FOLDER)

    def open(self) -> None:
        self._changes(_OWNS, "chmod", "-R", "u+rwX", FOLDER)

    def own_again(self, entries: Iterable[tuple[int, int, int, str]]) -> None:
        """Owners as they were, of what is still there."""
        self._each("chown -h", [(f"{uid}:{gid}", name) for uid, gid, _, name in entries])

    def open_again(self, entries: Iterable[tuple[int, int, int, str]]) -> None:
        """Modes as they were, of what is still there; the innermost first, while one may still go in."""
        self._each("chmod", sorted(((f"{mode:o}", name) for *_, mode, name in entries), key=lambda one: one[1], reverse=True))

    def moves(self, script: str, *arguments: str) -> str:
        """What a script of ours for ``sh`` prints; arguments are never code."""
        return self._changes(_MOVES, "sh", "-euc", script, "ot-doctor", *arguments)

    def _each(self, command: str, entries: Sequence[tuple[str, str]]) -> None:
        """``command`` with what it takes first (an owner, a mode), and the name. An entry that is gone since is no error."""
        script = (
            'c=$1; shift; while [ $# -gt 1 ]; do o=$1 p=$(printf %b "$2"); shift 2; '
            'if [ -e "$p" ] || [ -L "$p" ]; then $c "$o" "$p"; fi; done'
        )
        for some in _portions([(value, _escaped(name)) for value, name in entries]):
            self._changes(_OWNS, "sh", "-euc", script, "ot-doctor", command, *(word for entry in some for word in entry))

    def _changes(self, rights: Sequence[str], *command: str) -> str:
        with or_else(NotDone):
            return alterations.as_root(self.site.store.request, self.worker, self.path, command, rights, writes=True)


def away_of(cache: str, files: Path) -> str:
    """Where models of a cache (as the helper sees it) are put by an action that keeps its things in ``files``."""
    return f"{cache}/{PUT_AWAY}/{files.parent.parent.name}-{files.name}"


def below(path: str, folder: str) -> str:
    """A path of the host as the helper sees it. Raises ``NotPossible`` for one elsewhere."""
    inside = PurePosixPath(path)
    if not inside.is_relative_to(folder) or ".." in inside.parts:
        raise NotPossible(f"{path} is not in {folder}.")
    return str(PurePosixPath(FOLDER) / inside.relative_to(folder))


def keep_manifest(entries: Iterable[tuple[int, int, int, str]], path: Path) -> None:
    """Owners and modes as they are, for undo."""
    lines = (f"{uid} {gid} {mode:o} {name}\n" for uid, gid, mode, name in entries)
    whole_file.keep("".join(lines).encode("utf-8", "surrogateescape"), path)


def manifest(path: Path) -> list[tuple[int, int, int, str]]:
    """What was kept. Raises ``NotPossible``."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        entries = [_entry(line) for line in text.split("\n") if line]
    except (OSError, ValueError) as error:
        raise NotPossible(f"{path} cannot be read any more, so the former owners are not known.") from error
    if any(".." in PurePosixPath(name).parts or not PurePosixPath(name).is_relative_to(FOLDER) for *_, name in entries):
        raise NotPossible(f"{path} is not what was kept there.")
    return entries


def _entry(line: str) -> tuple[int, int, int, str]:
    uid, gid, mode, name = line.split(" ", 3)
    return int(uid), int(gid), int(mode, 8), name


def _escaped(name: str) -> str:
    """As printf's %b takes it: the engine's API carries no other bytes than those of UTF-8."""
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\0{b:03o}" for b in name.encode("utf-8", "surrogateescape"))


def _portions(entries: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    some: list[tuple[str, str]] = []
    size = 0
    for entry in entries:
        if some and size + len(entry[1]) > _AT_ONCE:
            yield some
            some, size = [], 0
        some.append(entry)
        size += len(entry[1])
    if some:
        yield some


def _places(worker: Worker, site: Site) -> set[str]:
    """Where something may be changed: below what is mounted as the cache, or for audio."""
    cache = site.store.get(ModelCache)
    places = {mount.name or mount.source for mount in worker.mounts if mount.destination == _SCRATCH}
    if isinstance(cache, ModelCache):
        mount = cache.root.mount
        places |= {place for place in (cache.models_dir, cache.root.path, mount and (mount.name or mount.source)) if place}
        # Between the cache and the folder of all models: models in a wrong place are looked for there, and moved within it.
        between = PurePosixPath(cache.root.path or "/").parents
        places |= {str(one) for one in between if cache.models_dir and one.is_relative_to(cache.models_dir)}
    return places - {"/", ""}
