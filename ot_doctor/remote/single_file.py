"""The doctor as one file that runs with nothing but a Python: itself where it is one, else made of the installed packages.

Plug-ins of others do not travel.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from ot_doctor import __version__
from ot_doctor.run.discovery import BUILT_IN, GROUP

_PACKAGES = ("ot_doctor", BUILT_IN)
_LEFT_OUT = {"hf-xet", "certifi"}  # compiled, and for downloads; a file that OpenSSL cannot read within a zip
_QUICKLY = 3  # a tenth larger than usual, in a third of the time
_COMPILED = (".so", ".pyd", ".dylib", ".pyc", ".pyi")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
MAIN = """\
import sys

if sys.version_info < (3, 10):
    sys.exit("ot-doctor needs Python 3.10 or newer, and this is Python %d.%d." % sys.version_info[:2])

from ot_doctor.cli.main import main

main()
"""
CERTIFI = '''\
"""In place of certifi: the authorities that the system trusts, as the client of the Hub takes them too."""

import ssl


def where():
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or paths.openssl_cafile
'''


def single_file() -> bytes:
    """The file's bytes. Raises ``OSError`` where a part of the installation cannot be read."""
    started = Path(sys.argv[0])
    if zipfile.is_zipfile(started):
        return started.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICKLY) as archive:
        for name, path in sorted(_files().items()):
            archive.write(path, name)
        archive.writestr("__main__.py", MAIN)
        archive.writestr("certifi.py", CERTIFI)
        info = f"ot_doctor-{__version__}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: ot-doctor\nVersion: {__version__}\n")
        archive.writestr(f"{info}/entry_points.txt", f"[{GROUP}]\nbuiltin = {BUILT_IN}\n")
    return b"#!/usr/bin/env python3\n" + buffer.getvalue()


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for package in _PACKAGES:
        folder = Path(str(files(package)))
        found |= {f"{package}/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if _wanted(path)}
    for one in _needed("ot-doctor"):
        for file in one.files or ():
            path = Path(str(file.locate()))
            inside = not file.as_posix().startswith(("../", "/"))
            if inside and _wanted(path) and file.parts[0] not in (*_PACKAGES, "bin"):
                found.setdefault(file.as_posix(), path)
    return found


def _needed(name: str, seen: set[str] | None = None) -> Iterator[Distribution]:
    """What a package needs, and what that needs in its turn; the package itself is left out."""
    seen = set(_LEFT_OUT) if seen is None else seen
    for text in distribution(name).requires or ():
        match = _NAME.match(text)
        if match is None or "extra ==" in text or (key := match[0].lower().replace("_", "-")) in seen:
            continue
        seen.add(key)
        try:
            found = distribution(match[0])
        except PackageNotFoundError:  # for another Python or system
            continue
        yield found
        yield from _needed(match[0], seen)


def _wanted(path: Path) -> bool:
    return path.is_file() and path.suffix not in _COMPILED and "__pycache__" not in path.parts
