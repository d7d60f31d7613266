"""Nothing that is looked at makes the doctor run something: the table of ``.github/SECURITY.md``, by the source and by runs."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts import ready_doctor
from tests.parts.engine import parts_folder
from tests.rooms import FILES, ROOT, tree

TABLE = (ROOT / ".github/SECURITY.md").read_text(encoding="utf-8")

# Modules that start programs, or load code, and no less.
STARTERS = {
    "subprocess", "pty", "multiprocessing", "concurrent.futures.process", "webbrowser", "paramiko", "pexpect", "ctypes", "runpy",
    "code", "pickle", "marshal", "shelve", "dill", "joblib", "torch", "antigravity", "pdb", "pip", "venv", "ensurepip",
}  # fmt: skip
# Functions that do, whatever they are called on.
CALLS = re.compile(
    r"(system|popen|startfile|posix_spawnp?|spawn[lv]p?e?|exec[lv]p?e?|fork|forkpty|which|launch|edit|pager|echo_via_pager|find_library|"
    r"create_subprocess_\w+|subprocess_\w+|ProcessPoolExecutor|exec_create|exec_start|exec_run|import_module|spec_from_file_location|"
    r"module_from_spec|exec_module|load_module|run_path|run_module|unsafe_load|full_load|get_pager_file)"
)
BUILT_IN = {"eval", "exec", "compile", "__import__", "breakpoint"}
HARMLESS = {"platform.system"}  # asks the kernel


def sites(module: str, tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Each place of a module that starts a program or loads code, as module, function and line. A name alone counts, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if isinstance(node, ast.ImportFrom) and node.level:
                continue  # ours
            base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                name = base + alias.name
                if any(name == starter or name.startswith(f"{starter}.") for starter in STARTERS):
                    yield module, name, node.lineno
                elif base and CALLS.fullmatch(alias.name):
                    yield module, alias.name, node.lineno
        elif isinstance(node, ast.Attribute) and CALLS.fullmatch(node.attr) and ast.unparse(node) not in HARMLESS:
            yield module, node.attr, node.lineno
        elif isinstance(node, ast.Name) and node.id in BUILT_IN:
            yield module, node.id, node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in STARTERS - {"code", "pip", "torch"}:
            yield module, node.value, node.lineno  # for import_module


def rows() -> set[tuple[str, str]]:
    """The module and the functions of each row of the table."""
    found = set()
    for line in TABLE.splitlines():
        names = re.findall(r"`([\w.]+)`", line.split("|")[1]) if line.startswith("| `ot_doctor") else []
        found |= {(names[0], function) for function in names[1:]}
    return found


def test_each_place_that_starts_something_is_in_the_table() -> None:
    places = [place for module in FILES for place in sites(module, tree(module))]
    missing = [f"{FILES[module]}:{line} {name}" for module, name, line in places if (module, name) not in rows()]
    assert missing == []
    assert rows() == {(module, name) for module, name, _ in places}, "the table holds what is there no more"


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess", "from subprocess import run", "import subprocess as s", "import os; os.system('x')",
        "import os; f = os.execvp", "from os import popen",
        "os.posix_spawn(a, b, c)", "eval('1')", "x = exec", "shutil.which('git')", "click.launch('x')",
        "importlib.import_module('x')", "importlib.import_module('subprocess')", "import concurrent.futures.process",
        "asyncio.create_subprocess_exec('x')", "loop.subprocess_exec(p, 'x')", "c.exec_run('x')", "yaml.unsafe_load(x)",
        "import pickle", "from concurrent.futures import process",
    ],
)  # fmt: skip
def test_the_reading_sees_a_program_that_is_started(code: str) -> None:
    assert list(sites("m", ast.parse(code)))


# -- and by running it -----------------------------------------------------------------------------------------------------

PROGRAMS = (
    "git", "docker", "docker-compose", "docker-credential-evil", "ssh", "sh", "bash", "zsh", "xdg-open", "systemctl", "getent",
    "less", "vi", "uname", "id", "ldconfig", "gcc", "hf", "curl",
)  # fmt: skip
AUDIT = """
import sys
MARK = sys.argv.pop(1)
STARTS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile", "pty.spawn",
          "webbrowser.open"}
def told(event, arguments):
    if event in STARTS:
        with open(MARK, "a") as file:
            file.write(f"{event} {arguments}\\n")
sys.addaudithook(told)
from ot_doctor.cli.main import main
main()
"""


class Trap:
    """An installation in which everything that could be made to start a program is; ``mark`` comes to be when one is started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.mark = folder / "ot", folder / "home", folder / "mark"
        (self.folder / ".git").mkdir(parents=True)
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".docker/cli-plugins").mkdir(parents=True)
        run = f"touch {self.mark}"
        programs = [self.folder / name for name in PROGRAMS]
        for path in [*programs, self.home / ".docker/cli-plugins/docker-compose", self.home / "startup"]:
            path.write_text(f"#!/bin/sh\n{run}\n")
            path.chmod(0o755)
        for name in ("click", "docker", "yaml", "huggingface_hub", "requests", "dotenv", "tabulate"):
            (self.folder / f"{name}.py").write_text(f"open({str(self.mark)!r}, 'w')\nraise SystemExit(9)\n")
        (self.folder / ".env").write_text(f"HUGGINGFACE_TOKEN=hf_{'aB3' * 11}x\nA=$({run})\nB=`{run}`\n")
        (self.folder / "docker-compose.yml").write_text(
            f'services:\n  celery-worker:\n    image: x\n    env_file: .env\n    environment:\n      C: "$({run})"\n'
        )
        (self.folder / "opentr.sh").write_text(f"#!/bin/sh\n{run}\n")
        (self.folder / ".git/config").write_text(f"[core]\n\tfsmonitor = {run}\n\tpager = {run}\n[alias]\n\tls-files = !{run}\n")
        (self.home / ".gitconfig").write_text(f"[credential]\n\thelper = !{run}\n")
        (self.home / ".ssh/config").write_text(f"Host *\n  ProxyCommand {run}\n")
        (self.home / ".docker/config.json").write_text(
            json.dumps({"credsStore": "evil", "credHelpers": {"x": "evil"}, "cliPluginsExtraDirs": [str(self.folder)]})
        )

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LD_LIBRARY_PATH")}
        programs = {name: f"touch {self.mark}" for name in ("PAGER", "EDITOR", "VISUAL", "BROWSER", "GIT_PAGER")}
        places = {
            "PATH": f":.:{self.folder}:/usr/bin:/bin", "HOME": str(self.home), "BASH_ENV": str(self.home / "startup"),
            "ENV": str(self.home / "startup"), "HF_ENDPOINT": "http://127.0.0.1:9", "SHELL": str(self.folder / "bash"),
        }  # fmt: skip
        return kept | programs | places

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environ | environ, cwd=self.folder, capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def forked(self, code: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The same in a fork of the loaded doctor, whose modules are loaded already."""
        return ready_doctor.run_code(code, str(self.mark), *arguments, cwd=self.folder, env=self.environ | environ)

    def audited(self, code: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run ``code``, which is no module of the working folder's."""
        program = self.folder.parent / "program/audited.py"
        program.parent.mkdir()
        program.write_text(code)
        return self.run(sys.executable, str(program), str(self.mark), *arguments, **environ)


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["run", "--offline", "--format", "json"], {}),
        (["run", "--offline"], {"DOCKER_HOST": "s\tsh://me@127.0.0.1"}),
        (["collect", "--offline", "--yes", "-o", "bundle.zip"], {}),
        (["completion", "bash"], {}),
        (["completion", "zsh"], {}),
        ([], {"_OT_DOCTOR_COMPLETE": "bash_source"}),
        (["explain", "token-missing"], {}),
        (["--help"], {}),
    ],
)
def test_a_run_starts_no_program(trap: Trap, arguments: list[str], environ: dict[str, str]) -> None:
    nothing_was_started(trap, trap.forked(AUDIT, *arguments, **environ))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environ"),
    [(["run", "--no-docker"], {}), (["run", "--offline"], {"DOCKER_HOST": "tcp://127.0.0.1:9"})],
)
def test_nor_does_loading_the_clients(trap: Trap, arguments: list[str], environ: dict[str, str]) -> None:
    """That of the Hub, and that of the engine."""
    nothing_was_started(trap, trap.audited(AUDIT, *arguments, **environ))


def nothing_was_started(trap: Trap, done: subprocess.CompletedProcess[str]) -> None:
    assert not trap.mark.exists(), trap.mark.read_text()
    assert done.stdout or "bundle.zip" in done.stderr
    assert "Traceback" not in done.stderr


COMPOSE = parts_folder() / "root/usr/libexec/docker/cli-plugins/docker-compose"


@pytest.mark.engine
@pytest.mark.skipif(
    not COMPOSE.exists() and os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") != "1", reason=f"no Compose in {parts_folder()}"
)
def test_compose_is_the_only_program_and_starts_nothing(trap: Trap) -> None:
    """Where a Compose file needs Compose itself."""
    text = "services:\n  celery-worker: {extends: {file: base.yml, service: b}}\n"
    (trap.folder / "docker-compose.yml").write_text(text)
    (trap.folder / "base.yml").write_text("services: {b: {image: x, env_file: .env, environment: [MIN_SPEAKERS]}}\n")
    (trap.folder / ".env").write_text("COMPOSE_EXPERIMENTAL_GIT_REMOTE=true\nMIN_SPEAKERS=2\n")
    ours = f"""
from ot_doctor.sources.compose import compose_cli
compose_cli.program = lambda *_: {str(COMPOSE)!r}
"""
    before, marker, after = AUDIT.partition("from ot_doctor.cli.main")
    before = before.replace("if event in STARTS:", f"if event in STARTS and arguments[0] != {str(COMPOSE)!r}:")
    environ = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    done = trap.audited(before + ours + marker + after, "run", "--offline", "--format", "json", **environ)
    assert not trap.mark.exists(), trap.mark.read_text()
    assert "'docker compose config' read the Compose files" in done.stdout, done.stderr


def test_the_trap_shuts(trap: Trap) -> None:
    """What would show in the other tests does show."""
    code = AUDIT.partition("from ot_doctor")[0] + "import subprocess; subprocess.run(['true'])"
    for run in (trap.audited, trap.forked):
        run(code)
        assert "subprocess.Popen" in trap.mark.read_text()
        trap.mark.unlink()


@pytest.mark.parametrize("command", [[sys.executable, "-m", "ot_doctor"], [str(Path(sys.executable).with_name("ot-doctor"))]])
def test_no_module_of_the_working_folder_is_loaded(trap: Trap, command: list[str]) -> None:
    done = trap.run(*command, "--offline", "--no-docker", "-v")
    assert not trap.mark.exists()
    assert "celery-worker" in done.stdout or "HUGGINGFACE_TOKEN" in done.stdout, done.stderr
