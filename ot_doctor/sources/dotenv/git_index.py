"""Whether git tracks a file, read from the repository's index.

No git is run: a repository's own settings can make git start programs.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ot_doctor.core.files import TooLarge, read_small

_LARGEST_INDEX = 64 * 1024 * 1024  # bytes: about 700,000 files
_LARGEST_SETTINGS = 1024 * 1024
_LONGEST_NAME = 4096  # bytes; names of version 4 are built from each other, so a small file could hold enormous ones
_FOLDER = 0o040000  # the mode of a folder that a sparse index holds in place of its files
_SETTING = re.compile(r'\s*(?:\[\s*([\w.-]+)\s*("(?:[^"\\]|\\.)*"\s*)?\])?\s*(?:([A-Za-z][\w-]*)\s*(=)?)?')


class NotKnown(Exception):
    """The repository is not one that can be read: damaged, too large, somebody else's, or of an unknown kind."""


def tracked(path: Path, owners: frozenset[int]) -> bool:
    """Whether the index of the nearest repository around ``path`` (absolute, no links) names it; ``False`` where there is none.

    ``owners``: the user ids whose repositories count. One of anybody else around a folder may claim what it likes.
    Raises ``NotKnown``.
    """
    try:
        found = _repository(path.parent, owners)
        if found is None or not path.is_relative_to(found.work_tree):
            return False
        return _names(found, os.fsencode(path.relative_to(found.work_tree)))
    except (OSError, TooLarge, ValueError, struct.error, IndexError) as error:  # ValueError: a name with a NUL
        raise NotKnown(str(error)) from error


# -- the repository ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Repository:
    git_dir: Path  # the index is here
    work_tree: Path
    hash_size: int


def _repository(folder: Path, owners: frozenset[int]) -> _Repository | None:
    for place in (folder, *folder.parents):
        entry = place / ".git"
        try:
            status = entry.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        git_dir = entry if stat.S_ISDIR(status.st_mode) else _pointed_to(entry)
        common = _common(git_dir)
        if not (os.path.lexists(git_dir / "HEAD") and (common / "objects").is_dir() and (common / "refs").is_dir()):
            if git_dir == entry:
                continue  # a folder that is only called so; git passes it over, too
            raise NotKnown(f"{entry} names {git_dir}, which is not a repository")
        if not {status.st_uid, git_dir.stat().st_uid} <= owners:
            raise NotKnown(f"{entry} belongs to another user")
        return _described(place, git_dir, common)
    return None


def _pointed_to(entry: Path) -> Path:
    """The folder that a ``.git`` file names: of a submodule, or of a work tree beside the first one."""
    text = os.fsdecode(read_small(entry, _LONGEST_NAME)[0])
    if not text.startswith("gitdir: "):
        raise NotKnown(f"{entry} is not a .git file")
    return Path(os.path.realpath(entry.parent / text.removeprefix("gitdir: ").rstrip("\r\n")))


def _common(git_dir: Path) -> Path:
    """The folder that the work trees of one repository share."""
    try:
        named = os.fsdecode(read_small(git_dir / "commondir", _LONGEST_NAME)[0]).rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError):
        return git_dir
    return Path(os.path.realpath(git_dir / named))


def _described(place: Path, git_dir: Path, common: Path) -> _Repository:
    settings = _settings(common / "config")
    own = dict(settings) if common == git_dir else {}  # where the first work tree is says nothing about another one
    if settings.get("extensions.worktreeconfig", "").lower() not in ("", "false", "no", "off", "0"):
        own |= _settings(git_dir / "config.worktree")
    sizes = {"sha1": 20, "sha256": 32}
    kind = settings.get("extensions.objectformat", "sha1").lower()
    if kind not in sizes:
        raise NotKnown(f"{git_dir} has objects of the kind {kind}")
    elsewhere = own.get("core.worktree", "")
    work_tree = Path(os.path.realpath(git_dir / elsewhere)) if elsewhere else place
    return _Repository(git_dir, work_tree, sizes[kind])


def _settings(path: Path) -> dict[str, str]:
    """``section.key`` to value of a git configuration file; sections with a second name, and included files, are left out."""
    try:
        text = os.fsdecode(read_small(path, _LARGEST_SETTINGS)[0])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        parts = _SETTING.match(line)
        if parts is None:
            continue
        if parts[1]:
            section = "" if parts[2] else parts[1].lower()
        if section and parts[3]:
            found[f"{section}.{parts[3].lower()}"] = _value(line[parts.end() :]) if parts[4] else "true"
    return found


def _value(text: str) -> str:
    """A value without quotes, escapes and a comment."""
    quoted, out, characters = False, "", iter(text)
    for character in characters:
        if character == '"':
            quoted = not quoted
        elif character == "\\":
            out += next(characters, "")
        elif character in "#;" and not quoted:
            break
        else:
            out += character
    return out.strip()


# -- the index -----------------------------------------------------------------------------------------------------------


def _names(repository: _Repository, name: bytes) -> bool:
    try:
        data, _ = read_small(repository.git_dir / "index", _LARGEST_INDEX)
    except FileNotFoundError:
        return False  # nothing was ever added
    index = _Index.read(data, repository.hash_size)
    if index.names(name):
        return True
    if index.base is None:
        return False
    data, _ = read_small(repository.git_dir / f"sharedindex.{index.base.hex()}", _LARGEST_INDEX)
    shared = _Index.read(data, repository.hash_size)
    if shared.base is not None:
        raise NotKnown("a shared index that has one itself")
    return any(not _bit(index.deleted, place) for place in shared.places(name))


@dataclass(frozen=True)
class _Index:
    """The names of an index, in order; a split one holds the changes to a shared ``base``."""

    entries: tuple[tuple[bytes, int], ...]  # name and mode
    base: bytes | None = None
    deleted: bytes = b""  # which places of the base are gone: a compressed bitmap

    @classmethod
    def read(cls, data: bytes, hash_size: int) -> _Index:
        magic, version, count = struct.unpack_from(">4sII", data)
        end = len(data) - hash_size  # a checksum is last
        if magic != b"DIRC" or version not in (2, 3, 4) or count > (end - 12) // (hash_size + 42):
            raise NotKnown("an index that cannot be read")
        position, name, entries = 12, b"", []
        for _ in range(count):
            position, name, mode = _entry(data, position, name, version, hash_size)
            if position > end or len(name) > _LONGEST_NAME:
                raise NotKnown("an index that cannot be read")
            entries.append((name, mode))
        base, deleted = None, b""
        for signature, content in _extensions(data, position, end):
            if signature == b"link":
                base, deleted = content[:hash_size], content[hash_size:]
            elif not signature[:1].isupper() and signature != b"sdir":  # one that a reader must know
                raise NotKnown(f"an index with the extension {signature!r}")
        return cls(tuple(entries), base if base and any(base) else None, deleted)

    def names(self, name: bytes) -> bool:
        return bool(self.places(name))

    def places(self, name: bytes) -> list[int]:
        """Where the name stands. Raises ``NotKnown`` when a folder above it stands for all its files."""
        if any(mode == _FOLDER and name.startswith(entry) for entry, mode in self.entries):
            raise NotKnown("a sparse index, in which only the folder stands")
        return [place for place, (entry, _) in enumerate(self.entries) if entry == name]


def _entry(data: bytes, start: int, before: bytes, version: int, hash_size: int) -> tuple[int, bytes, int]:
    """Where the next entry begins, and the name and the mode of this one."""
    (mode,) = struct.unpack_from(">I", data, start + 24)
    (flags,) = struct.unpack_from(">H", data, start + 40 + hash_size)
    position = start + 42 + hash_size + (2 if flags & 0x4000 and version > 2 else 0)
    kept = 0
    if version == 4:
        cut, position = _number(data, position)
        if cut > len(before):
            raise NotKnown("an index that cannot be read")
        kept = len(before) - cut
    ending = data.find(b"\0", position, position + _LONGEST_NAME + 1)
    if ending < 0:
        raise NotKnown("an index with a name without an end")
    name = before[:kept] + data[position:ending]
    if version == 4:
        return ending + 1, name, mode
    return start + ((ending - start + 8) & ~7), name, mode


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A number of variable length, as git writes offsets, and where it ends."""
    value = -1
    for after, byte in enumerate(data[position : position + 5], position + 1):
        value = ((value + 1) << 7) + (byte & 127)
        if not byte & 128:
            return value, after
    raise NotKnown("an index that cannot be read")


def _extensions(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while position < end:
        signature, size = struct.unpack_from(">4sI", data, position)
        position += 8
        if size > end - position:
            raise NotKnown("an index that cannot be read")
        yield signature, data[position : position + size]
        position += size


def _bit(bitmap: bytes, place: int) -> bool:
    """A bit of a bitmap in git's EWAH form: runs of equal words, each followed by words that are written out."""
    size, words = struct.unpack_from(">II", bitmap)
    if place >= size or not words:
        return False
    wanted, at, number = place // 64, 0, 0
    while number < words:
        (marker,) = struct.unpack_from(">Q", bitmap, 8 + 8 * number)
        run, literal = (marker >> 1) & 0xFFFFFFFF, marker >> 33
        if wanted < at + run:
            return bool(marker & 1)
        at += run
        if wanted < at + literal:
            (word,) = struct.unpack_from(">Q", bitmap, 8 + 8 * (number + 1 + wanted - at))
            return bool(word >> (place % 64) & 1)
        at += literal
        number += 1 + literal
    return False
