"""The source of a library: the ``.py`` files of a wheel that are asked for, read from PyPI once and kept in a folder.

pip finds the wheel; of it only the list of its files and the files themselves are read, by ranges of bytes, so that torch costs a
few hundred kilobytes.
"""

from __future__ import annotations

import fnmatch
import io
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PYTHON = "3.12"
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")
_CHUNK = 1 << 18  # bytes that are read at once
_SECONDS = 60.0
_TRIES = 3


class NoSource(Exception):
    """The source of a version cannot be read; the message says why."""


def source(name: str, version: str, wanted: Iterable[str], cache: Path) -> dict[str, str]:
    """The text of each file of the release that one of the patterns finds, by its path in the wheel.

    Raises ``NoSource`` where pip finds no such wheel, or it cannot be read.
    """
    wanted = tuple(wanted)
    kept = cache / f"{name}-{version}.zip"
    asked = cache / f"{name}-{version}.json"
    if not kept.exists() or json.loads(asked.read_text(encoding="utf-8")) != list(wanted):
        cache.mkdir(parents=True, exist_ok=True)
        files = _fetched(_address(name, version), wanted)
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        asked.write_text(json.dumps(list(wanted)), encoding="utf-8")
    with zipfile.ZipFile(kept) as archive:
        return {path: archive.read(path).decode("utf-8", "replace") for path in archive.namelist()}


def _address(name: str, version: str) -> str:
    """Where the wheel lies, by pip: it asks the index, and installs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run", "--no-deps",
            "--ignore-installed", "--target", folder, "--only-binary=:all:", "--python-version", _PYTHON,
            *(option for platform in _PLATFORMS for option in ("--platform", platform)),
            "--use-feature=fast-deps", "--report", str(report), f"{name}=={version}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoSource(f"pip finds no wheel of {name} {version}: {done.stderr.strip().rpartition(chr(10))[2]}")
        return str(json.loads(report.read_text(encoding="utf-8"))["install"][0]["download_info"]["url"])


def _fetched(address: str, wanted: tuple[str, ...]) -> dict[str, bytes]:
    parts = urlsplit(address)
    try:
        raw = io.FileIO(unquote(parts.path)) if parts.scheme == "file" else _Ranges(address)
        with io.BufferedReader(raw, _CHUNK) as buffered, zipfile.ZipFile(buffered) as wheel:
            names = [name for name in wheel.namelist() if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)]
            return {name: wheel.read(name) for name in names if name.endswith(".py")}
    except (OSError, zipfile.BadZipFile) as error:
        raise NoSource(f"{address} cannot be read: {error}") from error


class _Ranges(io.RawIOBase):
    """A file behind an address, of which only the parts that are read are transferred."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._at = 0
        _, total = self._range(0, 1)
        self._size = total

    def _range(self, begin: int, end: int) -> tuple[bytes, int]:
        request = urllib.request.Request(self._address, headers={"Range": f"bytes={begin}-{end - 1}"})
        for left in reversed(range(_TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                    if answer.status != 206:
                        raise NoSource(f"{self._address} cannot be read in parts")
                    return answer.read(), int(answer.headers["Content-Range"].rpartition("/")[2])
            except OSError:
                if not left:
                    raise
                time.sleep(1)
        raise AssertionError

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        data, _ = self._range(self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
