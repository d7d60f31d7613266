"""A bundle from the evidence of a run."""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from typing import Any

from ot_doctor import __version__
from ot_doctor.bundle import Refused
from ot_doctor.bundle.archive import LARGEST_MEMBER, pack
from ot_doctor.bundle.codec import Malformed, decode, dump, encode, load
from ot_doctor.bundle.manifest import (
    EVIDENCE,
    FORMAT,
    MANIFEST,
    README,
    REPORT_JSON,
    REPORT_TEXT,
    Manifest,
    Member,
    Tool,
)  # fmt: skip
from ot_doctor.evidence import Hit, Record, Request, Unavailable, WorkerLog
from ot_doctor.redaction.redactor import Hidden, Redactor, leaks
from ot_doctor.sources.store import SOURCES

TOP = "ot-doctor-report"
_LIBRARIES = ("click", "docker", "huggingface_hub", "python-dotenv", "PyYAML")
_LOGGED = 200  # attempts of one worker, the newest


@dataclass(frozen=True)
class Bundle:
    """A finished bundle: the bytes of every member, and what it says of itself."""

    manifest: Manifest
    members: Mapping[str, bytes]  # by the name within the top folder, in the order in which they are written

    def archive(self, ending: str) -> bytes:
        """The file. ``ending`` is one of ``ot_doctor.bundle.archive.ENDINGS``."""
        return pack({f"{TOP}/{name}": data for name, data in self.members.items()}, ending, self.manifest.created)


def make_bundle(
    evidence: Mapping[type, object],
    *,
    request: Request,
    report_text: str,
    report_json: str,
    created: datetime,
    level: str,
    redactor: Redactor,
    hidden: Iterable[Hidden] = (),
) -> Bundle:
    """The bundle of one run.

    ``evidence`` holds what was gathered or why it could not be (``Store.given``); it is redacted here. ``report_text``
    (Markdown) and ``report_json`` are finished documents, in which ``hidden`` was hidden. Raises ``Refused`` when a known secret
    stands in a member, or when one is too large.
    """
    redacted = {kind: redactor.evidence(evidence[kind]) for kind in EVIDENCE.values() if kind in evidence}
    asked = redactor.evidence(replace(request, environ={}, started=0.0))
    described: dict[str, tuple[str, bytes]] = {
        REPORT_TEXT: ("the report, for people", _document(report_text)),
        REPORT_JSON: ("the report, for programs", _document(report_json)),
    }
    for name, kind in EVIDENCE.items():
        if kind in redacted:
            described[name] = _recorded(kind, redacted[kind])
    log = redacted.get(WorkerLog)
    counted = _summary(hidden, (described[name][1] for name in EVIDENCE if name in described))
    for name, text in _logs(log).items() if isinstance(log, WorkerLog) else ():
        described[name] = ("the telling records of the log", _document(text))
    manifest = Manifest(FORMAT, Tool(__version__), created, level, asked, platform.python_version(), _libraries(), hidden=counted)
    described = {README: ("what this is, and how to read it", _document(_readme(manifest, described))), **described}
    members = {name: data for name, (_, data) in described.items()}
    listing = tuple(Member(name, what, len(data), sha256(data).hexdigest()) for name, (what, data) in described.items())
    manifest = replace(manifest, members=listing)
    members = {README: members.pop(README), MANIFEST: dump(encode(manifest)), **members}
    _check(members)
    return Bundle(manifest, members)


def _document(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _recorded(kind: type, value: object) -> tuple[str, bytes]:
    """What a member is, and its bytes; evidence that cannot be recorded says why."""
    label = SOURCES[kind].label
    if not isinstance(value, Unavailable):
        try:
            data = dump({"value": encode(value)})
            decode(kind, load(data)["value"], "value")  # what could not be read again is not written
            return label, data
        except (Malformed, TypeError, ValueError) as error:
            value = Unavailable(f"{label} could not be recorded: {error}", hint="This is a fault of ot-doctor.")
    return f"{label}: why it is not known", dump({"unavailable": encode(value)})


def _summary(hidden: Iterable[Hidden], evidence: Iterable[bytes]) -> tuple[Hidden, ...]:
    """What was hidden in the report and in the evidence, the most frequent first."""
    counted = Counter({item.name: item.count for item in hidden})
    counted.update(name for data in evidence for name in _secrets(load(data)))
    return tuple(Hidden(name, count) for name, count in counted.most_common())


def _secrets(data: Any) -> Iterator[str]:
    """The names of the secrets that stand in recorded evidence without their values."""
    if isinstance(data, dict) and "fingerprint" in data and "secret" in data:
        yield data["secret"] or "secret value"
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _secrets(item)


def _libraries() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # part of a zipapp, for instance
            continue
    return found


def _check(members: Mapping[str, bytes]) -> None:
    for name, data in members.items():
        names = leaks(name.encode() + b"\n" + data)
        if names:
            raise Refused(f"Nothing was written: {name} would have held {', '.join(names)}, which is a fault of ot-doctor.")
        if len(data) > LARGEST_MEMBER:
            raise Refused(f"Nothing was written: {name} is too large for a bundle ({len(data)} bytes).")


def _logs(log: WorkerLog) -> dict[str, str]:
    """The records that were kept, as a person reads a log: one text a worker, the oldest attempt first."""
    parts: dict[str, list[str]] = {}
    for attempt in reversed(log.attempts[:_LOGGED]):
        lines = parts.setdefault(_log_name(attempt.worker), [])
        cause = f", {attempt.cause}" if attempt.cause else ""
        lines.append(f"# attempt of task {attempt.task or '(unnamed)'}: {attempt.outcome.value}{cause}")
        lines += _lines(attempt.decisive, attempt.hits)
    if log.stray:
        parts.setdefault(_log_name("outside-attempts"), []).extend(_lines((), log.stray))
    return {name: "\n".join(lines) + "\n" for name, lines in parts.items()}


def _lines(records: Iterable[Record], hits: Iterable[Hit]) -> list[str]:
    kept = {record.lines: record for record in (*records, *(hit.record for hit in hits))}
    return [_line(kept[place]) for place in sorted(kept)]


def _line(record: Record) -> str:
    return f"{record.at.isoformat() if record.at else '-'} {record.level or '-'} {record.text}"


def _log_name(worker: str) -> str:
    return f"logs/{re.sub(r'[^A-Za-z0-9_-]', '_', worker)[:60] or 'worker'}.log"


def _readme(manifest: Manifest, described: Mapping[str, tuple[str, bytes]]) -> str:
    width = max(map(len, described))
    held = "\n".join(f"  {name:<{width}}  {what}" for name, (what, _) in described.items())
    hidden = "".join(f"  {item.name}: {item.count} times\n" for item in manifest.hidden) or "  nothing\n"
    return f"""\
A report of ot-doctor {manifest.tool.version} about an OpenTranscribe installation, made {manifest.created:%Y-%m-%d %H:%M:%S} UTC.

How to read it

  report.md                 What was found. Any editor shows it.
  ot-doctor diagnose FILE   Runs the checks of an ot-doctor that is installed anywhere on what is recorded here. FILE is the
                            zip or tar.gz that this README is in. It needs no Docker and no network.
  ot-doctor diff OLD NEW    Says what changed between two such files.

What it holds

{held}
  {MANIFEST:<{width}}  versions, options, and the size and SHA-256 of each file

What it does not hold

  No value of a token, a password or a key: each stands here as its length, its prefix and a fingerprint, which is equal for
  equal values in this file and says nothing outside it.
  No audio, no transcript, no database, no model, and of the worker's log only the records that tell of diarization.

What was hidden ({manifest.redact})

{hidden}"""


def listing(bundle: Bundle) -> str:
    """What is in the bundle and what was hidden, for the user to look at before it is written."""
    width = max(len(member.name) for member in bundle.manifest.members)
    rows = [f"  {member.name:<{width}}  {_size(member.size):>9}  {member.what}" for member in bundle.manifest.members]
    rows.append(f"  {MANIFEST:<{width}}  {_size(len(bundle.members[MANIFEST])):>9}  versions, options and this listing")
    hidden = ", ".join(f"{item.name} ×{item.count}" for item in bundle.manifest.hidden)
    total = sum(map(len, bundle.members.values()))
    head = f"{len(bundle.members)} files, {_size(total)} before they are compressed:"
    return "\n".join([head, *rows, f"Hidden: {hidden}." if hidden else "Nothing had to be hidden."])


def _size(size: int) -> str:
    return f"{size} B" if size < 1000 else f"{size / 1000:.1f} kB" if size < 10**6 else f"{size / 10**6:.1f} MB"
