"""The model cache and the volume for audio: owners, modes, and models that are broken or in the wrong place."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from ot_doctor.actions import MoveCache, OpenCache, OwnScratch, QuarantineModels
from ot_doctor.fix.actions.host_folder import HostFolder, away_of, below, keep_manifest, manifest
from ot_doctor.fix.procedure import NotDone, NotPossible, Preview, Saved, Site
from ot_doctor.sources.model_cache.host_view import PUT_AWAY

_MANIFEST = "owners"
_NOT_LOOKED = "Which files these are is looked up when it is done: for that a container is started."
_SHOWN = 10
_SIZES = 'for p do if [ -e "$p" ]; then du -sk "$p"; fi; done'
# Owners stay: they are put out of the way as they are. What is not there (any more) is passed over.
_PUT_AWAY = """
away=$1; shift
mkdir -p "$away"
chown "$(stat -c %u:%g "${away%/*/*}")" "$away" "${away%/*}"
for p do if [ -e "$p" ]; then mv "$p" "$away/"; fi; done
"""
_PUT_BACK = """
away=$1; shift
for p do
  if [ -e "$away/${p##*/}" ]; then
    if [ -e "$p" ]; then echo "$p is there again" >&2; exit 1; fi
    mv "$away/${p##*/}" "$p"
    echo "$p"
  fi
done
rmdir "$away" "${away%/*}" 2>/dev/null || :
"""
_MOVE = """
owner=$1 to=$2 away=$3; shift 3
[ -d "$to" ] || { mkdir -p "$to"; chown "$owner" "$to"; }
for p do
  there=$to/${p##*/}
  if [ -d "$p" ]; then
    if [ -e "$there" ]; then mkdir -p "$away"; mv "$there" "$away/"; fi
    mv "$p" "$to/"
    chown -hR "$owner" "$there"
  fi
done
"""
_MOVE_BACK = """
from=$1; shift
for p do if [ -e "$from/${p##*/}" ] && [ ! -e "$p" ]; then mv "$from/${p##*/}" "$p"; echo "$p"; fi; done
"""


class _Owners:
    """What changes owners or modes of a whole folder share. ``_wrong`` finds what is not as it should be."""

    verb = "Gives"
    question = "Change the owners?"

    def __init__(self, action: Any, site: Site) -> None:
        self.action = action
        self.folder = HostFolder(action.volume if isinstance(action, OwnScratch) else action.path, action.container, site)
        self.dry = site.dry
        self._entries = [] if site.dry else self._wrong()

    def _wrong(self) -> list[tuple[int, int, int, str]]:
        uid, gid = str(self.action.uid), str(self.action.gid)
        return self.folder.found("(", "!", "-user", uid, "-o", "!", "-group", gid, ")")

    def precondition(self) -> bool:
        return self.dry or bool(self._entries)

    def words(self) -> str:
        return f"Gives {self.folder.path} to user {self.action.uid} and group {self.action.gid}, with all that is in it."

    def preview(self) -> Preview:
        if self.dry:
            return Preview(self.words(), self.question, (_NOT_LOOKED,))
        count = len(self._entries)
        shown = [(_shown(name, self.folder.path), *one) for *one, name in self._entries[:_SHOWN]]
        lines = [f"{name}: owner {uid}:{gid}, mode {mode:o}" for name, uid, gid, mode in shown]
        lines += [f"… and {count - _SHOWN} more"] if count > _SHOWN else []
        lines.append(f"A container of {self.folder.worker.image} does it, which sees this folder alone and has no network.")
        return Preview(self.words(), self.question, tuple(lines), {f"folder {self.folder.path}": str(count)})

    def save(self, files: Path) -> Saved:
        keep_manifest(self._entries, files / _MANIFEST)
        return {"path": self.folder.path, "container": self.action.container}

    def apply(self) -> None:
        self.folder.own(self.action.uid, self.action.gid)

    def verify(self) -> None:
        if left := self._wrong():
            raise NotDone(f"{len(left)} files and folders of {self.folder.path} are as they were.")

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        folder = HostFolder(str(saved["path"]), str(saved["container"]), site)
        entries = manifest(files / _MANIFEST)
        now = {name: (uid, gid) for uid, gid, _, name in folder.found()}
        different = [one for one in entries if now.get(one[3], one[:2]) != one[:2]]
        folder.own_again(different)
        return bool(different)


class CacheOwn(_Owners):
    """``cache.own``"""


class ScratchOwn(_Owners):
    """``scratch.own``"""


class CacheOpen(_Owners):
    """``cache.chmod``"""

    action: OpenCache
    question = "Change the modes?"

    def _wrong(self) -> list[tuple[int, int, int, str]]:
        return self.folder.found("!", "-type", "l", "(", "!", "-perm", "-600", "-o", "-type", "d", "!", "-perm", "-700", ")")

    def words(self) -> str:
        return f"Lets the owner of {self.folder.path} read and write all that is in it."

    def apply(self) -> None:
        self.folder.open()

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        folder = HostFolder(str(saved["path"]), str(saved["container"]), site)
        entries = manifest(files / _MANIFEST)
        now = {name: mode for *_, mode, name in folder.found()}
        different = [one for one in entries if now.get(one[3], one[2]) != one[2]]
        folder.open_again(different)
        return bool(different)


class CacheQuarantine:
    """``cache.quarantine``: into a folder beside them, from which undo takes them back."""

    def __init__(self, action: QuarantineModels, site: Site) -> None:
        self.action = action
        self.folder = HostFolder(action.cache, action.container, site)
        wrong = [name for name in action.models if not name.startswith("models--") or "/" in name]
        if wrong:
            raise NotPossible(f"{wrong[0]} is not the folder of a model.")
        self._away = ""
        self._there = dict.fromkeys(action.models) if site.dry else self._sizes()

    def _sizes(self) -> dict[str, int | None]:
        """Kilobytes of each of the models that is there."""
        output = self.folder.looks("sh", "-euc", _SIZES, "ot-doctor", *_inside(self.action.cache, self.action.models))
        sizes = (line.partition("\t") for line in output.split("\n") if line)
        return {PurePosixPath(name).name: int(size) for size, _, name in sizes}

    def precondition(self) -> bool:
        return bool(self._there)

    def preview(self) -> Preview:
        sizes = {name: "" if size is None else f": {size:,} kB" for name, size in self._there.items()}
        lines = [f"{self.action.cache}/{name}{size}" for name, size in sizes.items()]
        does = f"Moves {_counted(lines)} of {self.action.cache} out of the way, into {PUT_AWAY} there. Nothing is deleted."
        return Preview(does, "Move it away?", tuple(lines), {f"model {name}": "there" for name in self._there})

    def save(self, files: Path) -> Saved:
        self._away = away_of(below(self.action.cache, self.action.cache), files)
        return {
            "cache": self.action.cache, "models": list(self._there), "container": self.action.container, "away": self._away,
        }  # fmt: skip

    def apply(self) -> None:
        self.folder.moves(_PUT_AWAY, self._away, *_inside(self.action.cache, self.action.models))

    def verify(self) -> None:
        if left := self._sizes():
            raise NotDone(f"{', '.join(left)} is still in {self.action.cache}.")

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        cache, models = str(saved["cache"]), tuple(map(str, saved["models"]))
        folder = HostFolder(cache, str(saved["container"]), site)
        return bool(folder.moves(_PUT_BACK, str(saved["away"]), *_inside(cache, models)))


class CacheMove:
    """``cache.move``: to where the release looks, and to the worker's user."""

    def __init__(self, action: MoveCache, site: Site) -> None:
        self.action = action
        self._base = common_folder((action.cache, *action.models))
        self.folder = HostFolder(self._base, action.container, site)
        self._sources = [below(path, self._base) for path in action.models]
        self._to = below(action.cache, self._base)
        self._away = ""
        self._lost = self._sources if site.dry else self._missing()

    def _missing(self) -> list[str]:
        """What has to be moved, and is there."""
        script = 'for p do if [ -d "$p" ]; then echo "$p"; fi; done'
        return [path for path in self.folder.looks("sh", "-c", script, "ot-doctor", *self._sources).split("\n") if path]

    def precondition(self) -> bool:
        return bool(self._lost)

    def preview(self) -> Preview:
        lines = [f"{_shown(name, self._base)} goes to {self.action.cache}" for name in self._lost]
        does = f"Moves {_counted(lines)} to {self.action.cache}, where this release looks, and gives them to the worker's user."
        return Preview(does, "Move them?", tuple(lines), {f"model {path}": "there" for path in self._lost})

    def save(self, files: Path) -> Saved:
        self._away = away_of(self._to, files)
        owners = [one for one in self.folder.found() if _is_in(one[3], self._sources)]
        keep_manifest(owners, files / _MANIFEST)
        return {
            "models": list(self.action.models), "cache": self.action.cache, "container": self.action.container,
            "away": self._away,
        }  # fmt: skip

    def apply(self) -> None:
        self.folder.moves(_MOVE, f"{self.action.uid}:{self.action.gid}", self._to, self._away, *self._sources)

    def verify(self) -> None:
        if left := self._missing():
            raise NotDone(f"{_shown(left[0], self._base)} was not moved.")

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        action = MoveCache(tuple(map(str, saved["models"])), str(saved["cache"]), str(saved["container"]))
        procedure = cls(action, site)
        done = procedure.folder.moves(_MOVE_BACK, procedure._to, *procedure._sources)
        procedure.folder.own_again(manifest(files / _MANIFEST))
        there = [f"{procedure._to}/{PurePosixPath(path).name}" for path in action.models]
        return bool(done + procedure.folder.moves(_PUT_BACK, str(saved["away"]), *there))


def common_folder(paths: tuple[str, ...]) -> str:
    """The innermost folder that holds them all."""
    first, *others = [PurePosixPath(path) for path in paths]
    return str(next((one for one in (first, *first.parents) if all(path.is_relative_to(one) for path in others)), "/"))


def _is_in(name: str, folders: list[str]) -> bool:
    return any(name == folder or name.startswith(f"{folder}/") for folder in folders)


def _inside(cache: str, models: tuple[str, ...]) -> list[str]:
    return [below(f"{cache}/{name}", cache) for name in models]


def _shown(name: str, folder: str) -> str:
    inside = PurePosixPath(name).relative_to("/models")
    return str(PurePosixPath(folder) / inside) if folder.startswith("/") else f"{inside} of {folder}"


def _counted(things: list[str]) -> str:
    return f"{len(things)} model{'' if len(things) == 1 else 's'}"
