"""What ``make dist`` builds: an sdist that is complete, a wheel, and one file that runs with nothing but Python."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ot_doctor import __version__
from ot_doctor.run.discovery import discover
from tests.parts.engine import Engine
from tests.parts.hub import make_certificate, pyannote_hub
from tests.parts.shared import made_once
from tests.scenarios.scenario import TOKEN, Scenario, World, hub_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "docs" / "sample" / "worker.log"
COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n    env_file: .env\n"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(folder: Path) -> None:
        env = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("build"))}  # in memory where there is room: half of the work
        command: list[str | Path] = [sys.executable, ROOT / ".ci" / "dist.py", folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)
        assert done.returncode == 0, done.stdout + done.stderr

    return made_once(tmp_path_factory, "dist", build)


@pytest.fixture(scope="session")
def pyz(dist: Path) -> Path:
    return dist / "ot-doctor.pyz"


@pytest.fixture(scope="session")
def sdist(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(dist / f"ot_doctor-{__version__}.tar.gz") as archive:
        archive.extractall(folder)
    return folder / f"ot_doctor-{__version__}"


def pythons(oldest: int, newest: int) -> Iterator[str]:
    """Those that are on this machine, of the versions 3.oldest to 3.newest: themselves, and not a script that looks for one."""
    for minor in range(oldest, newest + 1):
        if found := shutil.which(f"python3.{minor}"):
            itself = subprocess.run([found, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True)
            if itself.returncode == 0:
                yield itself.stdout.strip()


def run(*command: str | Path, cwd: Path, timeout: float = 120, **environ: str) -> subprocess.CompletedProcess[str]:
    """Where nothing is set that the doctor, Python or the Hub's client could find something by."""
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8", **environ}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode
    return document


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in document["checks"]}


def test_what_is_built(dist: Path) -> None:
    names = {f"ot_doctor-{__version__}-py3-none-any.whl", f"ot_doctor-{__version__}.tar.gz", "ot-doctor.pyz"}
    beside = {"ot-doctor.pyz.sha256", "ot-doctor.cdx.json", "ot-doctor.sh"}
    assert {path.name for path in dist.iterdir()} == names | beside


def test_the_checksum_is_that_of_the_file(dist: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", "ot-doctor.pyz.sha256"], cwd=dist, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "ot-doctor.pyz: OK\n")


def test_the_bill_of_materials_lists_what_is_in_the_single_file(dist: Path, pyz: Path) -> None:
    bill = json.loads((dist / "ot-doctor.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    own = bill["metadata"]["component"]
    assert (own["name"], own["version"]) == ("ot-doctor", __version__)
    assert own["hashes"][0]["content"] == hashlib.sha256(pyz.read_bytes()).hexdigest()
    with zipfile.ZipFile(pyz) as archive:
        described = {name.split("-")[0].lower().replace("_", "-") for name in archive.namelist() if ".dist-info/" in name}
    listed = {component["name"] for component in bill["components"]}
    assert {"click", "docker", "huggingface-hub", "requests"} <= listed
    assert described - listed <= {"ot-doctor", "certifi", "hf-xet"}


def test_the_wheel_has_all_modules_their_data_and_the_manual_page(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    packages = {"ot_doctor": "ot_doctor", "checks": "ot_doctor_checks"}
    ours = {
        f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, package in packages.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not ours - names
    assert f"ot_doctor-{__version__}.data/data/share/man/man1/ot-doctor.1" in names
    assert {name.split("/")[0] for name in names} == {
        "ot_doctor", "ot_doctor_checks", f"ot_doctor-{__version__}.data", f"ot_doctor-{__version__}.dist-info",
    }  # fmt: skip


def test_the_sdist_holds_all_that_belongs_to_the_project(sdist: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("what belongs to the project is told by git")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True).stdout.split("\0")
    missing = [name for name in listed if name and (ROOT / name).is_file() and not (sdist / name).is_file()]
    assert missing == []
    assert not list(sdist.rglob("__pycache__"))


def test_the_tests_run_from_the_sdist(sdist: Path) -> None:
    some = ("test_check", "testing/test_conformance", "diagnosis/test_ranking", "sources/test_env_file")
    files = [f"tests/{name}.py" for name in some]
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, cwd=sdist, timeout=600)
    assert done.returncode == 0, done.stdout


def test_the_single_file_has_nothing_compiled_in_it(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib", ".pyc"))]
    tops = {name.split("/")[0] for name in names}
    assert {"tomli", "exceptiongroup"} <= tops  # what Python 3.10 needs beside the others
    assert not {"hf_xet", "certifi", "bin", "share", "pip", "setuptools"} & tops


def test_the_single_file_does_not_tell_when_or_where_it_was_made(pyz: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        archive.extractall(tmp_path / "stage")
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert str(ROOT).encode() not in content and b"file:///" + str(tmp_path.parent).encode() not in content
    spec = importlib.util.spec_from_file_location("dist", ROOT / ".ci" / "dist.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.pack(tmp_path / "stage", tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()


def test_the_single_file_can_be_run_as_a_program(pyz: Path, tmp_path: Path) -> None:
    assert run(pyz, "--version", cwd=tmp_path).stdout == f"ot-doctor, version {__version__}\n"


def test_the_single_file_runs_on_each_python(pyz: Path, tmp_path: Path) -> None:
    (tmp_path / ".ot-doctor.toml").write_text("timeout = 20\n")
    found = list(pythons(10, 20))
    assert found
    for python in found:
        alone = (python, "-I", "-S", pyz)
        listed = run(*alone, "list", cwd=tmp_path)
        names = [name for name in discover().checks if f"\n{name} " not in listed.stdout]
        assert listed.returncode == 0 and not names, (python, names, listed.stderr)
        explained = run(*alone, "explain", "token-accepted", cwd=tmp_path).stdout
        assert "token-accepted" in explained and f"It comes from: ot-doctor {__version__}" in explained, python
        document = report(run(*alone, "--logs", SAMPLE, "--format", "json", cwd=tmp_path))
        assert document["diagnosis"] and document["diagnosis"][0]["cause"] != "unrecognised", python


def test_a_python_that_is_too_old_is_told(pyz: Path, tmp_path: Path) -> None:
    old = next(pythons(6, 9), None)
    if old is None:
        pytest.skip("there is no older Python here")
    done = run(old, pyz, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("ot-doctor needs Python 3.10 or newer, and this is Python 3.")


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to make a certificate with")
def test_the_single_file_asks_the_hub(pyz: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    with pyannote_hub(token=TOKEN, certificate=make_certificate(tmp_path)) as hub:
        (tmp_path / "docker-compose.yml").write_text(COMPOSE)
        (tmp_path / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nHF_ENDPOINT={hub.url}\n")
        environ: dict[str, Any] = hub.client_environment() | {"TMPDIR": str(tmp_path / "tmp")}
        done = run(sys.executable, "-I", "-S", pyz, "--no-docker", "--format", "json", cwd=tmp_path, **environ)
    found = statuses(report(done))
    assert (found["hub-reachable"], found["token-accepted"]) == ("pass", "pass"), done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.engine
def test_the_single_file_says_what_the_installed_doctor_says(pyz: Path, clean_engine: Engine, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with hub_for([]) as hub:
        world = Scenario(cache="absent").build(clean_engine, hub, tmp_path)
        installed = world.report()
        environ: dict[str, Any] = world.shell() | {"TMPDIR": str(temporary)}
        done = run(sys.executable, "-I", "-S", pyz, "--format", "json", cwd=world.folder, **environ)
    document = report(done)
    assert [entry["cause"] for entry in document["diagnosis"]] == installed.causes != []
    assert statuses(document) == statuses(installed.document)
    assert list(temporary.iterdir()) == []


@pytest.mark.engine
def test_the_single_file_runs_in_a_container_that_has_only_python(pyz: Path, clean_engine: Engine, tmp_path: Path) -> None:
    """No network, no shell, no pip, no certificates, no users, nowhere to write: the engine's socket gives all the rest."""
    clean_engine.docker("import", "-", "only-python", stdin=only_python())
    with hub_for(None) as hub:
        world = Scenario(line="v0.4").build(clean_engine, hub, tmp_path)
        binds = (f"{pyz}:/ot-doctor.pyz:ro", f"{world.folder}:{world.folder}:ro", f"{clean_engine.socket}:/var/run/docker.sock")
        mounts = [word for bind in binds for word in ("-v", bind)]
        confined = ("docker", "run", "--rm", "--read-only", "--network", "none", "-w", str(world.folder))
        executable = str(Path(sys.executable).resolve())
        done = clean_engine.run(*confined, *mounts, "only-python", executable, "/ot-doctor.pyz", "--format", "json", check=False)
        by_hand, launched = report(done), report(launch(pyz, world, clean_engine))
    names = ("docker-engine", "worker-running", "token-present", "cache-complete", "last-attempt")
    for examined in (by_hand, launched):
        assert (examined["exit_code"], examined["diagnosis"], examined["tool"]["version"]) == (0, [], __version__), examined
        assert {name: statuses(examined)[name] for name in names} == dict.fromkeys(names, "pass")
    different = {name for name, status in statuses(by_hand).items() if status != statuses(launched)[name]}
    assert different == {"hub-reachable", "model-access", "token-accepted"}, "the launcher's way, offline, leads to the same"
    assert statuses(by_hand)["hub-reachable"] == "warn"  # the cache is complete, so nobody needs the Hub


def launch(pyz: Path, world: World, engine: Engine) -> subprocess.CompletedProcess[str]:
    """``ot-doctor.sh`` on a machine without a Python, with the image named."""
    environ: dict[str, Any] = {**world.shell(), "OT_DOCTOR_WITH": "image", "OT_DOCTOR_IMAGE": "only-python", "DOCKER_HOST": f"unix://{engine.socket}"}
    return run("sh", pyz.parent / "ot-doctor.sh", "--offline", "--format", "json", cwd=world.folder, **environ)


def only_python() -> bytes:
    """A file system with the Python that runs the tests, its own library, and the shared libraries that they need."""
    executable = Path(sys.executable).resolve()
    standard = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
    left_out = {"site-packages", "dist-packages", "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"}
    files = set()
    for place, folders, names in os.walk(standard):
        folders[:] = [name for name in folders if name not in left_out and not name.startswith("config-")]
        files |= {Path(place, name) for name in names if not re.search(r"\.opt-\d\.pyc$", name)}
    programs = [executable, *(path for path in files if ".so" in path.suffixes)]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for path in sorted({executable, *files, *shared_libraries(programs)}):
            tar.add(path, arcname=str(path).lstrip("/"), recursive=False)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, str(executable)
        tar.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    return buffer.getvalue()


def shared_libraries(programs: list[Path]) -> set[Path]:
    shown = subprocess.run(["ldd", *programs], capture_output=True, text=True).stdout
    return {Path(found) for found in re.findall(r"(/\S+) \(0x", shown)}


