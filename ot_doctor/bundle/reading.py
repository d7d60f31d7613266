"""A bundle from its file: everything in it is taken for a stranger's."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ot_doctor.bundle import Refused
from ot_doctor.bundle.archive import LARGEST_FILE, unpack
from ot_doctor.bundle.codec import Malformed, decode, load
from ot_doctor.bundle.manifest import EVIDENCE, MANIFEST, README, REPORT_JSON, VERSION, Manifest
from ot_doctor.core.files import NotAFile, TooLarge, read_small
from ot_doctor.evidence import Unavailable
from ot_doctor.sources.store import SOURCES, Store


@dataclass(frozen=True)
class Recording:
    """A bundle as it was read."""

    manifest: Manifest
    evidence: Mapping[type, object]  # a value or an ``Unavailable`` for every source that there is
    report: bytes | None  # report.json as it is in the bundle
    changed: tuple[str, ...] = ()  # members that are not what the manifest lists: somebody worked on the bundle

    def store(self, timeout: float = 30.0) -> Store:
        """The evidence for the checks; nothing is gathered. ``timeout`` is in seconds, for the checks alone."""
        request = replace(self.manifest.request, started=time.monotonic(), timeout=timeout)
        return Store(request, self.evidence)


def read_bundle(path: Path) -> Recording:
    """The bundle in a file. Raises ``Refused`` with a sentence that names the file."""
    data = read_file(path)
    try:
        if looks_like_json(data):
            raise Refused("it is a JSON file; a bundle is the zip or tar.gz that 'ot-doctor collect' writes")
        return _recording(unpack(data))
    except Refused as error:
        raise Refused(f"{path} cannot be read: {error}.") from error


def read_file(path: Path) -> bytes:
    """What a regular file holds. Raises ``Refused``, also for more than a bundle may have."""
    try:
        return read_small(path, LARGEST_FILE)[0]
    except TooLarge:
        raise Refused(f"{path} cannot be read: it is larger than any bundle ({LARGEST_FILE // 2**20} MiB).") from None
    except NotAFile:
        raise Refused(f"{path} cannot be read: it is not a regular file.") from None
    except IsADirectoryError:
        raise Refused(f"{path} cannot be read: it is a folder. Name the zip or tar.gz file itself.") from None
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def looks_like_json(data: bytes) -> bool:
    return data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _recording(members: Mapping[str, bytes]) -> Recording:
    top = _top(members)
    held = {name.removeprefix(top): data for name, data in members.items() if name.startswith(top)}
    manifest = _manifest(held[MANIFEST])
    evidence = {kind: _evidence(name, kind, held.get(name), manifest) for name, kind in EVIDENCE.items()}
    changed = tuple(
        member.name
        for member in manifest.members
        if member.name in held and member.name != README and sha256(held[member.name]).hexdigest() != member.sha256
    )
    return Recording(manifest, evidence, held.get(REPORT_JSON), changed)


def _top(members: Mapping[str, bytes]) -> str:
    """The folder that everything is in."""
    tops = [name.removesuffix(MANIFEST) for name in members if name.split("/") in ([MANIFEST], [name.split("/")[0], MANIFEST])]
    if len(tops) != 1:
        raise Refused(f"it is not a bundle of ot-doctor: it has no {MANIFEST}" if not tops else f"it holds {MANIFEST} twice")
    return tops[0]


def _manifest(data: bytes) -> Manifest:
    try:
        content = load(data)
        _check_format(content)
        return decode(Manifest, content)
    except Malformed as error:
        raise Refused(f"{MANIFEST} is wrong: {error}") from error


def _check_format(content: Any) -> None:
    written = content.get("format") if isinstance(content, dict) else None
    match = re.fullmatch(r"ot-doctor/bundle/([0-9]{1,6})", written) if isinstance(written, str) else None
    if not match:
        raise Refused(f"it is not a bundle of ot-doctor: its {MANIFEST} names no format of one")
    if int(match[1]) > VERSION:
        raise Refused(f"it is a bundle of a newer ot-doctor (format {int(match[1])}, this one reads {VERSION}). Update ot-doctor")
    if int(match[1]) < VERSION:
        raise Refused(f"it is a bundle of a format that is no longer read ({int(match[1])}). Collect a new one")


def _evidence(name: str, kind: type, data: bytes | None, manifest: Manifest) -> object:
    if data is None:
        return Unavailable(
            f"this bundle holds nothing about {SOURCES[kind].label}", hint="Collect a new one with the ot-doctor of today."
        )
    try:
        content = load(data)
        if isinstance(content, dict) and "unavailable" in content:
            return decode(Unavailable, content["unavailable"], "unavailable")
        if not isinstance(content, dict) or "value" not in content:
            raise Malformed("it has neither a value nor a reason why there is none")
        return decode(kind, content["value"], "value")
    except Malformed as error:
        raise Refused(f"{name} is wrong: {error}{_other_version(manifest)}") from error


def _other_version(manifest: Manifest) -> str:
    from ot_doctor import __version__

    made_by = re.sub(r"[^\w.+-]", "", manifest.tool.version)[:40]
    return f" (the bundle was made by ot-doctor {made_by}; this is {__version__})" if made_by != __version__ else ""
