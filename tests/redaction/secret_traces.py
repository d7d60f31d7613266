"""Whether a secret stands in bytes, however it is written there. Knows nothing of how the doctor looks for it."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

PIECE = 8  # characters in a row of a token


@dataclass(frozen=True)
class Planted:
    """A secret, and where it was put."""

    place: str
    value: str
    random: bool = False  # a token: eight characters in a row give it away
    simple: bool = False  # a word or a number, which nothing but the whole of it gives away

    @property
    def body(self) -> str:
        return self.value[3:] if self.value.startswith(("hf_", "eyJ")) else self.value


def writings(value: str) -> set[str]:
    """The ways in which a whole value may be written."""
    data = value.encode()
    found = {
        value, value[::-1], quote(value), quote(value, safe=""), quote(value, safe="").lower(), quote_plus(value),
        repr(value)[1:-1], repr(data)[2:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(value))[3:-3], html.escape(value), html.escape(value, quote=False),
        html.escape(json.dumps(value)[1:-1]), data.hex(), data.hex().upper(),
        "".join(f"%{byte:02X}" for byte in data), "".join(f"\\u{ord(char):04x}" for char in value if ord(char) < 65536),
    }  # fmt: skip
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        own = encoded[(0, 2, 3)[before] : len(encoded) - 1]
        found |= {own, own.replace("+", "-").replace("/", "_")}
    return {text for text in found if len(text) >= 6}


def traces(data: bytes, planted: Iterable[Planted]) -> list[str]:
    """The places whose secret can be told from ``data``, with how it stands there."""
    text = data.decode("utf-8", "replace")
    views = {text, unquote(text), html.unescape(text)}
    secrets = list(planted)
    grams = set(_grams(views, {char for secret in secrets if secret.random for char in secret.body}))
    found = []
    for secret in secrets:
        if secret.simple:
            if re.search(rf"(?<!\w){re.escape(secret.value)}(?!\w)", text):
                found.append(f"{secret.place}: the word {secret.value!r}")
            continue
        for writing in writings(secret.value):
            if any(writing in view for view in views):
                found.append(f"{secret.place}: {writing!r}")
        if secret.random:
            pieces = {secret.body[at : at + PIECE] for at in range(len(secret.body) - PIECE + 1)}
            for piece in pieces | {piece[::-1] for piece in pieces}:
                if piece in grams:
                    found.append(f"{secret.place}: the piece {piece!r}")
    return found


def _grams(views: Iterable[str], chars: set[str]) -> Iterator[str]:
    """The pieces of the texts that hold nothing but these characters."""
    runs = re.compile(f"[{re.escape(''.join(sorted(chars)))}]{{{PIECE},}}") if chars else re.compile(r"(?!)")
    for run in {run for view in views for run in runs.findall(view)}:
        yield from (run[at : at + PIECE] for at in range(len(run) - PIECE + 1))


def everything_in(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file's name and bytes; those of each member of an archive, also as they are stored."""
    data = path.read_bytes()
    yield path.name, data
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                yield f"{path.name}: {info.filename}", info.filename.encode() + b"\n" + info.comment + archive.read(info)
    elif path.name.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar.getmembers():
                file = tar.extractfile(member)
                named = f"{member.name}\n{member.uname}\n{member.gname}\n{member.linkname}\n".encode()
                yield f"{path.name}: {member.name}", named + (file.read() if file else b"")


def leaked(said: Mapping[str, bytes], files: Iterable[Path], planted: Iterable[Planted]) -> list[str]:
    """Every trace in what was said and written, with the stream or the file that has it."""
    parts = [*said.items(), *(part for path in files for part in everything_in(path))]
    secrets = list(planted)
    if not traces(b"\n".join(data for _, data in parts), secrets):
        return []
    return [f"{name}: {found[0]}" for secret in secrets for name, data in parts if (found := traces(data, [secret]))]
