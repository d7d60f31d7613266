"""A worker's image with a real Python, made of the machine's own: its interpreter, its standard library, and what ldd names.

Nothing can be pulled in a test. The published images have a Python, and what looks at a worker from inside needs it.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from . import images

#: The tag of the image; it is a backend's, so that its containers are taken for OpenTranscribe's.
TAG = f"{images.BACKEND}:v0.4.1-python"
#: Packages that pretend to be installed in the user's site, as the published images have theirs.
PACKAGES = {"torch": "2.8.0", "pyannote.audio": "4.0.5", "huggingface_hub": "0.36.2"}

_PYTHON = Path("/usr/bin/python3")
_LEFT_OUT = re.compile(r"/(?:test|tests|idlelib|lib2to3|ensurepip|pydoc_data|tkinter|distutils|turtledemo|config-[\w.-]+)(?:/|$)")
_ASK = "import json, sys, sysconfig; print(json.dumps([sysconfig.get_path('stdlib'), '%d.%d' % sys.version_info[:2]]))"


def why_no_python() -> str | None:
    """Why no such image can be made here; ``None`` where it can."""
    return None if _PYTHON.exists() else f"there is no {_PYTHON} to make a worker's image of"


@cache
def python_rootfs(busybox: Path) -> bytes:
    """A tar of the backend's file system with ``python3`` in it."""
    said = subprocess.run([str(_PYTHON), "-I", "-c", _ASK], check=True, capture_output=True, text=True, env={})
    library, version = json.loads(said.stdout)
    program, stdlib = _PYTHON.resolve(), Path(library)
    buffer = io.BytesIO(images.backend_rootfs(busybox))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        modules = [path for path in sorted(stdlib.rglob("*")) if not _LEFT_OUT.search(str(path.relative_to(stdlib.parent)))]
        files = [path for path in modules if path.is_file()]
        shared = [program, *(path for path in files if ".so" in path.suffixes)]
        _put(tar, program, f"usr/bin/python{version}")
        images.put_link(tar, "usr/bin/python3", f"python{version}")
        for path in {*files, *_libraries(shared)}:
            _put(tar, path, str(path).lstrip("/"))
        _settings(tar, f"home/appuser/.local/lib/python{version}/site-packages")
    return buffer.getvalue()


def _libraries(programs: Iterable[Path]) -> Iterator[Path]:
    """What the programs load, by the names by which they ask for it."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True)
    named = {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+)", said.stdout, re.MULTILINE)}
    folders = {path.parent for path in named if path.name.startswith("libc.so")}
    yield from named
    for name in ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"):  # loaded by name when a host is looked up
        yield from (path for folder in folders if (path := folder / name).exists())


def _put(tar: tarfile.TarFile, path: Path, name: str) -> None:
    info = tar.gettarinfo(str(path.resolve()), name)
    info.uid = info.gid = 0
    info.type, info.linkname = tarfile.REGTYPE, ""  # two links to one file are two files
    info.size = path.stat().st_size
    with path.open("rb") as content:
        tar.addfile(info, content)


def _settings(tar: tarfile.TarFile, site: str) -> None:
    images.put_file(tar, "etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    for name, version in PACKAGES.items():
        folder = f"{site}/{name.replace('.', '_')}-{version}.dist-info"
        images.put_file(tar, f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode())
