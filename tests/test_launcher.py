"""``ot-doctor.sh`` picks a Python: with programs that only say that they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "docs" / "ot-doctor.sh"
TOOLS = ("sh", "dirname", "head", "pwd", "printf")
GOOD = '#!/bin/sh\nif [ "$1" = -c ]; then exit 0; fi\necho "python $*"\n'
OLD = "#!/bin/sh\nexit 1\n"
UV = '#!/bin/sh\necho "uv $*"\n'
DOCKER = """#!/bin/sh
case $1 in
ps) echo 0123456789ab ;;
inspect) case $3 in
    *Config.Image*) echo worker-image ;;
    *Mounts*) for kind in 'bind  /dev' 'bind  /not there' 'bind  /' 'bind  /dev'; do echo "$kind"; done
        echo volume cache /var/lib/docker/volumes/cache/_data ;;
    *config_files*) echo docker-compose.yml,/dev/null ;;
    esac ;;
*) echo "docker $*" ;;
esac
"""


class Machine:
    """A search path with nothing on it but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.programs / tool).symlink_to(found)
        shutil.copy(SCRIPT, folder / "ot-doctor.sh")
        (folder / "ot-doctor.pyz").touch()

    def has(self, name: str, script: str) -> None:
        program = self.programs / name
        program.write_text(script)
        program.chmod(0o755)

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        shell = str(Path(shutil.which("dash") or "/bin/sh"))
        command = [shell, str(self.folder / "ot-doctor.sh"), *arguments]
        env = {"PATH": str(self.programs), **environ}
        return subprocess.run(command, env=env, cwd=self.folder, capture_output=True, text=True, timeout=30)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "a folder"
    folder.mkdir()
    return Machine(folder)


def test_a_python_that_is_new_enough(machine: Machine) -> None:
    machine.has("python3", GOOD)
    machine.has("uv", UV)
    done = machine.run("--offline", "a b")
    assert (done.returncode, done.stdout) == (0, f"python {machine.folder}/ot-doctor.pyz --offline a b\n")


def test_a_newer_one_beside_an_old_one(machine: Machine) -> None:
    machine.has("python3", OLD)
    machine.has("python3.12", GOOD)
    assert machine.run("run").stdout == f"python {machine.folder}/ot-doctor.pyz run\n"


def test_uv_where_every_python_is_too_old(machine: Machine) -> None:
    machine.has("python3", OLD)
    machine.has("uv", UV)
    assert machine.run("run").stdout.startswith("uv run --no-project --python >=3.10 ")


def test_the_workers_image_where_there_is_neither(machine: Machine) -> None:
    machine.has("docker", DOCKER)
    said = machine.run("run").stdout
    assert "--pull never" in said and said.endswith(" worker-image /ot-doctor.pyz run\n")
    assert f"source={machine.folder},target={machine.folder},readonly" in said
    assert "source=/var/run/docker.sock" in said
    assert said.count("type=bind") == 5, "the socket, the file, the folder, the worker's own, and the Compose file outside of it"
    assert said.count("type=bind,source=/dev,target=/dev,readonly") == 1 and "type=bind,source=/dev/null,target=/dev/null" in said
    assert "type=volume,source=cache,target=/var/lib/docker/volumes/cache/_data,volume-nocopy,readonly" in said
    assert "other-image" in machine.run(OT_DOCTOR_IMAGE="other-image").stdout
    assert "source=/run/user/1000/docker.sock" in machine.run(DOCKER_HOST="unix:///run/user/1000/docker.sock").stdout


def test_one_way_alone(machine: Machine) -> None:
    machine.has("python3", GOOD)
    machine.has("docker", DOCKER)
    assert machine.run(OT_DOCTOR_WITH="image").stdout.startswith("docker run ")
    assert machine.run(OT_DOCTOR_WITH="uv").returncode == 2
    assert machine.run(OT_DOCTOR_WITH="magic").returncode == 2


def test_nothing_at_all_is_one_sentence_and_wrong_usage(machine: Machine) -> None:
    done = machine.run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "No Python 3.10 or newer was found" in done.stderr and "OT_DOCTOR_IMAGE" in done.stderr
    os.remove(machine.folder / "ot-doctor.pyz")
    assert "Put ot-doctor.pyz beside this file" in machine.run().stderr
