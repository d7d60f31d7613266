"""The jobs in ``docs/ci``: what they run is run here by a shell, on a real stack."""

from __future__ import annotations

import hashlib
import os
import subprocess
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts.engine import Engine
from tests.scenarios import logs
from tests.scenarios.scenario import DOCTOR, TOKEN, Scenario, World, hub_for

pytestmark = pytest.mark.slow

CI = Path(__file__).resolve().parent.parent / "docs" / "ci"
GITHUB = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))
STEPS = GITHUB["jobs"]["doctor"]["steps"]
JOB = GITLAB["ot-doctor"]
# Stands for the single file that a project puts in a place of its own. What is missing in a test does not come with time: nobody
# waits five minutes for it, and where it is known to be missing, not at all.
SINGLE_FILE = f"""\
import os, sys
os.execv({str(DOCTOR)!r}, [{str(DOCTOR)!r}, *("{{wait}}" if word == "5m" else word for word in sys.argv[1:])])
"""
# The worker's stand-in gets the log of a job that it has not done.
SAMPLE_JOB = """\
#!/bin/sh
exec docker exec --interactive opentranscribe-celery-worker sh -c 'cat > /proc/1/fd/1' < job.log
"""


def run_github(shell: Callable[..., int]) -> int:
    """The steps as a runner goes through them: after a failure only those that always run."""
    code = 0
    for step in STEPS:
        if "run" in step and (code == 0 or step.get("if") == "always()"):
            code = shell(["bash", "-e", "-c", step["run"]]) or code
    return code


def run_gitlab(shell: Callable[..., int]) -> int:
    """The two parts of the script as one, the last one in a shell of its own."""
    code = shell(["bash", "-e", "-o", "pipefail", "-c", "\n".join([*JOB["before_script"], *JOB["script"]])])
    shell(["bash", "-e", "-o", "pipefail", "-c", "\n".join(JOB["after_script"])])
    return code


class Runner:
    """A machine of a CI service, with the stack's folder checked out."""

    def __init__(self, world: World, wait: str = "7s") -> None:
        self.world = world
        self.out = ""
        file = world.home / "ot-doctor-0.1.0.pyz"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("__main__.py", SINGLE_FILE.format(wait=wait))
        (world.folder / "ci").mkdir()
        script = world.folder / "ci" / "transcribe-sample.sh"
        script.write_text(SAMPLE_JOB)
        script.chmod(0o755)
        (world.folder / "job.log").write_text("".join(f"{line}\n" for line in logs.v04_success()))
        self.summary = world.home / "summary.md"
        self.environ = world.shell() | {
            "HUGGINGFACE_TOKEN": TOKEN, "GITHUB_STEP_SUMMARY": str(self.summary), "RUNNER_TEMP": str(world.home),
            "OT_DOCTOR_URL": file.as_uri(), "OT_DOCTOR_SHA256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }  # fmt: skip

    def shell(self, command: list[str]) -> int:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        done = subprocess.run(command, cwd=self.world.folder, env=self.environ, timeout=400, **streams)
        self.out += done.stdout + done.stderr
        return done.returncode

    def file(self, name: str) -> str:
        return (self.world.folder / name).read_text(encoding="utf-8")


@pytest.fixture(params=[run_github, run_gitlab], ids=["github", "gitlab"])
def job(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.engine
@pytest.mark.parametrize("healthy", [True, False], ids=["healthy", "agreement-missing"])
def test_a_job_brings_the_stack_up_and_ends_as_the_doctor_does(
    job: Callable[..., int], healthy: bool, clean_engine: Engine, tmp_path: Path
) -> None:
    with hub_for(None if healthy else []) as hub:
        cache = "complete" if healthy else "absent"
        scenario = Scenario(env="MIN_SPEAKERS=1\nMAX_SPEAKERS=20", cache=cache, log=logs.v04_success()[:1], up=())
        runner = Runner(scenario.build(clean_engine, hub, tmp_path), wait="7s" if healthy else "1s")
        code = job(runner.shell)
    assert code == (0 if healthy else 1), runner.out
    assert TOKEN not in runner.out and not any(TOKEN in runner.file(name) for name in ("ot-doctor.xml", "ot-doctor.html"))
    suites = ElementTree.fromstring(runner.file("ot-doctor.xml"))
    assert (suites.find(".//failure") is None) is healthy
    assert ("gated-not-accepted" in runner.file("ot-doctor.html")) is not healthy
    assert runner.world.engine.docker("ps", "--all", "--quiet") == ""
    if job is run_github:
        assert "::group::" in runner.out and ("::error" in runner.out) is not healthy
        assert ("gated-not-accepted" in runner.summary.read_text(encoding="utf-8")) is not healthy


@pytest.mark.engine
def test_a_file_with_another_checksum_is_not_run(job: Callable[..., int], clean_engine: Engine, tmp_path: Path) -> None:
    with hub_for(None) as hub:
        runner = Runner(Scenario(up=()).build(clean_engine, hub, tmp_path))
        runner.environ["OT_DOCTOR_SHA256"] = "0" * 64
        code = job(runner.shell)
    assert code != 0 and "FAILED" in runner.out and "ot-doctor 0." not in runner.out


def test_github_uploads_sarif_of_the_run() -> None:
    (upload,) = [step for step in STEPS if "upload-sarif" in step.get("uses", "")]
    name = upload["with"]["sarif_file"]
    assert any(f"--output {name}" in step.get("run", "") for step in STEPS)
    assert upload["if"].startswith("always()") and name in upload["if"]
    assert GITHUB["permissions"]["security-events"] == "write"


def test_nothing_is_installed_from_where_it_is_not_published() -> None:
    for text in (*(step.get("run", "") for step in STEPS), *JOB["before_script"], *JOB["script"]):
        assert not any(way in text for way in ("pipx install ot-doctor", "pip install ot-doctor", "uvx ot-doctor"))


def test_github_keeps_the_reports_of_a_failure_too() -> None:
    (upload,) = [step for step in STEPS if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    words = [word for step in STEPS for word in step.get("run", "").split()]
    written = [words[at + 1] for at, word in enumerate(words) if word == "--output" and words[at + 1].startswith("ot-doctor.")]
    assert written and all(Path(name).match(upload["with"]["path"]) for name in written)


def test_gitlab_keeps_the_reports_of_a_failure_too() -> None:
    words = " ".join(JOB["script"]).split()
    written = {words[at + 1] for at, word in enumerate(words) if word == "--output"}
    assert JOB["artifacts"]["when"] == "always"
    assert JOB["artifacts"]["reports"]["junit"] in written
    assert written <= set(JOB["artifacts"]["paths"])


def test_no_secret_is_in_a_command() -> None:
    """A masked variable in a command would stand in the process list and in a shell's trace."""
    for step in STEPS:
        assert "secrets." not in step.get("run", "")


@pytest.mark.parametrize("step", [s["run"] for s in STEPS if "run" in s] + JOB["before_script"] + JOB["script"])
def test_the_shell_can_read_each_line(step: str) -> None:
    assert subprocess.run(["bash", "-n", "-c", step], env={"PATH": os.environ["PATH"]}).returncode == 0


def test_the_composite_action_fetches_checks_and_runs(tmp_path: Path) -> None:
    action = yaml.safe_load((CI / "action.yml").read_text(encoding="utf-8"))
    fetch, examine = action["runs"]["steps"]
    single = tmp_path / "single.py"
    single.write_text("import sys\nopen('args.txt', 'w').write('\\n'.join(sys.argv[1:]))\nsys.exit(3)\n")
    digest = hashlib.sha256(single.read_bytes()).hexdigest()
    inputs = {"url": single.as_uri(), "sha256": digest, "options": "--require worker -q", "python": "python3"}

    def step(one: dict[str, Any], **changes: str) -> int:
        given = {name: value.format(**inputs) for name, value in {
            name: text.replace("${{ inputs.", "{").replace(" }}", "}") for name, text in one["env"].items()
        }.items()}  # fmt: skip
        environ = {**os.environ, "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output"), **given, **changes}
        return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", one["run"]], env=environ, cwd=tmp_path).returncode

    assert step(fetch, SHA256="0" * 64) != 0 and not (tmp_path / "ot-doctor.pyz").exists()
    assert step(fetch) == 0
    assert step(examine) == 3
    assert (tmp_path / "args.txt").read_text().splitlines()[-3:] == ["--require", "worker", "-q"]
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert outputs == {"report": str(tmp_path / "ot-doctor.html"), "exit-code": "3"}
    assert set(action["outputs"]) == set(outputs)
