"""Input that is far larger than any real one: read within a bound, or refused by a sentence that names it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import ready_doctor

pytestmark = pytest.mark.slow

SECONDS = 20.0
MEMORY = 300 * 1024  # kB

_READ = """
import json, os, random, string, sys, time
from pathlib import Path
from ot_doctor.evidence import Mount, Request, Unavailable
from ot_doctor.sources.compose import compose_files
from ot_doctor.sources.dotenv import env_files
from ot_doctor.sources.model_cache import cache
from tests.checks.evidence import deployment, env_file as made, worker, workers
kind, home = sys.argv[1], Path(sys.argv[2])
request = Request(environ={}, no_exec=True)
compose = home / "docker-compose.yml"
where = deployment(running_dir=home, directory=home, env_path=home / ".env", compose_files=(compose,))
began = time.monotonic()
try:
    if kind == "env":
        found = env_files.gather(request, where).problem_text
    elif kind == "compose":
        found = "; ".join(compose_files.gather(request, where, made("")).problems)
    else:
        mounts = tuple(Mount("bind", f"{home}/{n}" if n else str(home), f"/m/{n}" if n else "/a", True) for n in range(1000))
        one = worker(env={"HF_HOME": kind}, status="exited", mounts=mounts)
        cache.gather(request, where, workers(one), made(""))
        found = ""
except Unavailable as reason:
    found = reason.reason
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"found": found, "seconds": time.monotonic() - began, "kB": peak}))
"""


def read(kind: str, home: Path) -> str:
    done = ready_doctor.run_code(_READ, kind, str(home), cwd=home, env={}, timeout=90)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kB"] < MEMORY, f"{result['kB'] // 1024} MB"
    assert result["seconds"] < SECONDS
    return str(result["found"])


def _token(number: int, length: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()[:length]


ENV = {
    "10,000 secrets": ("".join(f"A{n}_TOKEN={_token(n, 40)}\n" for n in range(10_000)), ""),
    "one of 1 MB": (f"A_TOKEN={'aB3dE6gH9k' * 100_000}\n", ""),
    "10,000 quotes": ("A='x\n" * 10_000, ""),
    "variables that double": (
        "A0=0123456789\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 60)),
        "beyond all measure",
    ),
    "more lines": ("A=1\n" * 10_001, "has more than 10,000 lines"),
    "more bytes": ("A=" + "x y" * 400_000, "has more than 1 MB"),
}


@pytest.mark.parametrize("name", ENV)
def test_a_large_env_file(tmp_path: Path, name: str) -> None:
    text, said = ENV[name]
    (tmp_path / ".env").write_text(text)
    found = read("env", tmp_path)
    assert said in found and bool(said) is bool(found), found


_SERVICE = "services:\n  celery-worker:\n    environment:\n"
COMPOSE = {
    "40,000 settings": (_SERVICE + "".join(f"      HF_A{n}: v{n}\n" for n in range(40_000)), ""),
    "40,000 secrets": (_SERVICE + "".join(f"      A{n}_TOKEN: {_token(n, 20)}\n" for n in range(40_000)), ""),
    "empty mappings": ("services: [" + "{}," * 690_000 + "]", "has more than 200,000 keys, values and brackets"),
    "services": ("services:\n" + "".join(f"  s{n}: {{}}\n" for n in range(150_000)), "has more than 200,000"),
    "a bomb of anchors": (
        "services:\n  s0: &a0 {A: b}\n" + "".join(f"  s{n}: &a{n}\n    <<: [{f'*a{n - 1}, ' * 4}]\n" for n in range(1, 60)),
        "too many entries",
    ),
    "depth": ("services: " + "[" * 100_000, "nest"),
    "bytes": ("services: {}\n" + "#" * 3_000_000, "has more than 2 MB"),
}


@pytest.mark.parametrize("name", COMPOSE)
def test_a_large_compose_file(tmp_path: Path, name: str) -> None:
    text, said = COMPOSE[name]
    (tmp_path / "docker-compose.yml").write_text(text)
    found = read("compose", tmp_path)
    assert said in found and bool(said) is bool(found), found
    assert not said or str(tmp_path / "docker-compose.yml") in found


def test_a_path_longer_than_the_system_takes(tmp_path: Path) -> None:
    found = read("/a" * 50_000, tmp_path)
    assert found.startswith("HF_HOME of ") and "100,004 characters" in found and "4,095 bytes" in found


def test_a_path_of_seven_hundred_folders_that_are_there(tmp_path: Path) -> None:
    """Each is looked at once, and not once for each that lies below it."""
    script = "import os\nfor n in range(700): os.mkdir('a'); os.chdir('a')"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    try:
        assert read("/a" * 701, tmp_path) == ""
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "a"], check=True)  # Python's own way of it calls itself for each level
