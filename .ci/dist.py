#!/usr/bin/env python3
"""Builds what is given away: an sdist, a wheel, and the single file ot-doctor.pyz with its checksum, the list of what is in it
(ot-doctor.cdx.json, CycloneDX) and ot-doctor.sh, which finds a Python for it. Usage: .ci/dist.py FOLDER

The single file holds all that the doctor needs, as pure Python, and runs with nothing but a Python of one of the versions below.
It is the same, byte for byte, when it is built again from the same packages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ot_doctor.remote.single_file import CERTIFI, MAIN

ROOT = Path(__file__).resolve().parent.parent
OLDEST = "3.10"
PYTHONS = (OLDEST, "3.11", "3.12", "3.13", "3.14")
SYSTEMS = ({"sys_platform": "linux", "platform_system": "Linux"}, {"sys_platform": "darwin", "platform_system": "Darwin"})
LEFT_OUT = {
    "hf-xet": "hf_xet*",  # compiled, and only for downloads, which the doctor does not make
    "certifi": "certifi*",  # OpenSSL reads no file in a zip: it would be unpacked at each start
}
USELESS = ("bin", "share", "**/*.pyi", "*.dist-info/RECORD", "*.dist-info/REQUESTED", "*.dist-info/direct_url.json")
COMPILED = ("**/*.so", "**/*.pyd", "**/*.dylib")


def build(folder: Path) -> None:
    """Put the files into the folder, in place of older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("ot_doctor-*.whl", "ot_doctor-*.tar.gz", "ot-doctor.*"):
        for path in folder.glob(pattern):
            path.unlink()
    with tempfile.TemporaryDirectory() as temporary:
        source, stage = Path(temporary, "source"), Path(temporary, "stage")
        copy(source)
        run("-m", "build", "--no-isolation", "--outdir", str(folder), str(source))  # whoever installs from source isolates it
        (wheel,) = folder.glob("*.whl")
        fill(stage, wheel)
        single = folder / "ot-doctor.pyz"
        pack(stage, single)
        digest = hashlib.sha256(single.read_bytes()).hexdigest()
        (folder / "ot-doctor.pyz.sha256").write_text(f"{digest}  {single.name}\n", encoding="ascii")
        (folder / "ot-doctor.cdx.json").write_text(bill_of_materials(stage, digest), encoding="utf-8")
        launcher = folder / "ot-doctor.sh"
        shutil.copyfile(ROOT / "docs" / "ot-doctor.sh", launcher)
        launcher.chmod(0o755)


def copy(source: Path) -> None:
    """All that belongs to the project, so that the build leaves no trace in the checkout, and the sdist holds everything."""
    if (ROOT / ".git").exists():
        listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
        paths = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    else:  # an unpacked sdist
        paths = [path for path in ROOT.rglob("*") if path.is_file()]
    for path in paths:
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    (source / "MANIFEST.in").write_text("graft .\nglobal-exclude *.py[co]\n", encoding="utf-8")


def fill(stage: Path, wheel: Path) -> None:
    """Install the wheel and everything that it needs on any of the Pythons, and leave what cannot be in a zip."""
    install(stage, str(wheel))
    while needed := sorted(missing(stage)):  # pip looks at the needs of the running Python alone
        install(stage, "--no-deps", *needed)
    for pattern in (*LEFT_OUT.values(), *USELESS, *COMPILED):
        for path in list(stage.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, text in (("__main__.py", MAIN), ("certifi.py", CERTIFI)):
        (stage / name).write_text(text, encoding="utf-8")


def install(stage: Path, *what: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--no-compile", "--upgrade")
    run("-m", "pip", "install", *options, "--only-binary=:all:", f"--python-version={OLDEST}", f"--target={stage}", *what)


def missing(stage: Path) -> Iterator[str]:
    """The requirements of what is there, for some Python and system, that are not there."""
    found = list(distributions(path=[str(stage)]))
    have = {canonicalize_name(distribution.name) for distribution in found} | set(LEFT_OUT)
    environments = [{**system, "python_version": python, "extra": ""} for python in PYTHONS for system in SYSTEMS]
    for requirement in {Requirement(text) for distribution in found for text in distribution.requires or ()}:
        wanted = requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments)
        if wanted and canonicalize_name(requirement.name) not in have:
            yield f"{requirement.name}{requirement.specifier}"


def pack(stage: Path, target: Path) -> None:
    """One file that can be run, with nothing in it that tells when or where it was made."""
    with target.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in stage.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(stage).as_posix(), date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    target.chmod(0o755)


def bill_of_materials(stage: Path, digest: str) -> str:
    """What the single file is made of, in CycloneDX 1.5: names, versions, licences; and nothing that tells when it was made."""
    components = []
    own: dict[str, object] = {}
    for distribution in sorted(distributions(path=[str(stage)]), key=lambda found: canonicalize_name(found.name)):
        name = canonicalize_name(distribution.name)
        metadata = distribution.metadata
        licence = next((str(metadata[key]) for key in ("License-Expression", "License") if metadata.get_all(key)), "")
        purl = f"pkg:pypi/{name}@{distribution.version}"
        component: dict[str, object] = {
            "type": "library", "bom-ref": purl, "name": name, "version": distribution.version, "purl": purl
        }  # fmt: skip
        if licence and "\n" not in licence:
            component["licenses"] = [{"license": {"name": licence}}]
        if name == "ot-doctor":
            own = {**component, "type": "application", "hashes": [{"alg": "SHA-256", "content": digest}]}
        else:
            components.append(component)
    head = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}
    content = {**head, "metadata": {"component": own}, "components": components}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(arguments[:3])} ended with {done.returncode}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    build(parser.parse_args().folder.resolve())
