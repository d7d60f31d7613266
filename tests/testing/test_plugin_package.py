"""A third party's package, as docs/extend shows it: built, installed, tested, run, and gone again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests" / "plugin" / "ot-doctor-site-example"
SAMPLE = ROOT / "docs" / "sample"
OWNER = "ot-doctor-site-example 1.0 (ot_doctor_site_example.image_pinned)"


class Site:
    """A fresh virtual environment with ot-doctor, the package's source, and nothing of the package yet."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        shutil.copytree(SOURCE, self.source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
        self.dist = folder / "dist"
        self._venv = folder / "venv"
        venv.create(self._venv, with_pip=False)
        self.python = self._venv / "bin" / "python"
        (self.packages,) = self._venv.glob("lib/python*/site-packages")
        self._borrow()

    def _borrow(self) -> None:
        """Let the new environment see ot-doctor and what it needs where they are installed already."""
        installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        lines = [f"import site; site.addsitedir({folder!r})" for folder in sorted(installed)]
        (self.packages / "borrowed.pth").write_text("\n".join(lines) + "\n")

    def pip(self, *arguments: str) -> str:
        """pip of the running interpreter, at work on the new environment; nothing is fetched."""
        done = self._run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(self.python), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self) -> Path:
        arguments = ("wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(self.dist))
        done = self._run(sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, str(self.source))
        assert done.returncode == 0, done.stdout + done.stderr
        (wheel,) = self.dist.glob("*.whl")
        return wheel

    def install(self, wheel: Path) -> None:
        self.pip("install", "--quiet", "--no-deps", "--no-index", str(wheel))

    def doctor(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(str(self.python), "-m", "ot_doctor", *arguments)

    def tests(self) -> subprocess.CompletedProcess[str]:
        return self._run(str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider")

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OT_DOCTOR_", "PYTEST_"))}
        return subprocess.run(command, cwd=self.source, env=environ, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def installed(site: Site) -> Site:
    site.install(site.build())
    return site


def test_its_own_tests_pass_where_it_is_installed(installed: Site) -> None:
    done = installed.tests()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout


def test_list_names_it_and_its_owner(installed: Site) -> None:
    done = installed.doctor("list")
    assert done.returncode == 0 and not done.stderr
    lines = re.sub(r"\n +", " ", done.stdout).splitlines()  # a long last column goes on below
    rows = {line.split()[0]: line for line in lines if line.strip()}
    assert rows["image-pinned"].endswith(f"(from {OWNER})") and " worker " in rows["image-pinned"]
    assert "The worker asks the site's mirror of the Hub" in rows["hub-mirror"]


def test_explain_tells_its_own_words(installed: Site) -> None:
    text = installed.doctor("explain", "hub-mirror").stdout
    assert "This site's firewall lets nobody through" in text and "network-refused" in text
    assert "ot-doctor-site-example 1.0 (ot_doctor_site_example.hub_mirror)" in text
    assert "hub-mirror" in installed.doctor("explain", "network-refused").stdout


@pytest.mark.parametrize(("tag", "status", "code"), [("v0.4.1", "pass", 0), ("latest", "warn", 1)])
def test_it_is_run_like_the_built_in_ones(installed: Site, tmp_path: Path, tag: str, status: str, code: int) -> None:
    compose = (SAMPLE / "docker-compose.yml").read_text()
    (tmp_path / "docker-compose.yml").write_text(compose.replace(":v0.4.1", f":{tag}"))
    where = ("--dir", str(tmp_path), "--logs", str(SAMPLE / "worker.log"), "--no-docker", "--offline", "--strict")
    done = installed.doctor("--select", "image-pinned", *where, "--format", "json")
    report = json.loads(done.stdout)
    assert [(check["name"], check["status"]) for check in report["checks"]] == [("image-pinned", status)]
    assert done.returncode == report["exit_code"] == code


def test_uninstalled_it_is_gone(installed: Site, tmp_path: Path) -> None:
    shutil.copytree(installed.packages, tmp_path / "packages")
    installed.pip("uninstall", "--quiet", "--yes", "ot-doctor-site-example")
    try:
        shown = installed.doctor("list").stdout
        assert "token-format" in shown and "image-pinned" not in shown and "hub-mirror" not in shown
        done = installed.doctor("explain", "image-pinned")
        assert done.returncode == 2 and "There is no check, family, cause, signature or rule 'image-pinned'" in done.stderr
    finally:
        shutil.copytree(tmp_path / "packages", installed.packages, dirs_exist_ok=True)  # for who comes after it
