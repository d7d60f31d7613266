"""The jobs in ``docs/ci``: what they run is run here by a shell, on a real stack."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts.engine import Engine
from tests.scenarios.scenario import DOCTOR, TOKEN, Scenario, World, hub_for

pytestmark = pytest.mark.slow

CI = Path(__file__).resolve().parent.parent / "docs" / "ci"
GITHUB = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))
STEPS = GITHUB["jobs"]["doctor"]["steps"]
JOB = GITLAB["ot-doctor"]
# What is missing in a test does not come with time: nobody waits five minutes for it.
OT_DOCTOR = f'#!/bin/bash\nexec {DOCTOR} "${{@/#5m/7s}}"\n'
PIPX = """#!/bin/sh
# Installs the checkout that is under test, and nothing else.
[ "$*" = "install ot-doctor" ] && cd "$(dirname "$0")" && mv checkout ot-doctor
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

    def __init__(self, world: World) -> None:
        self.world = world
        self.out = ""
        tools = world.home / "tools"
        tools.mkdir()
        for name, text in (("pipx", PIPX), ("checkout", OT_DOCTOR)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        environ = world.shell()
        self.summary = world.home / "summary.md"
        own = {"HUGGINGFACE_TOKEN": TOKEN, "PATH": f"{tools}:{environ['PATH']}", "GITHUB_STEP_SUMMARY": str(self.summary)}
        self.environ = environ | own

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
        scenario = Scenario(env="MIN_SPEAKERS=1\nMAX_SPEAKERS=20", cache="complete" if healthy else "absent", up=())
        runner = Runner(scenario.build(clean_engine, hub, tmp_path))
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


def test_github_keeps_the_reports_of_a_failure_too() -> None:
    (upload,) = [step for step in STEPS if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    written = [word for step in STEPS for word in step.get("run", "").split() if word.startswith("ot-doctor.")]
    assert written and all(Path(name).match(upload["with"]["path"]) for name in written)


def test_gitlab_keeps_the_reports_of_a_failure_too() -> None:
    words = " ".join(JOB["script"]).split()
    written = {words[at + 1] for at, word in enumerate(words) if word == "--output"}
    assert JOB["artifacts"]["when"] == "always"
    assert JOB["artifacts"]["reports"]["junit"] in written
    assert all(Path(name).match(JOB["artifacts"]["paths"][0]) for name in written)


def test_no_secret_is_in_a_command() -> None:
    """A masked variable in a command would stand in the process list and in a shell's trace."""
    for step in STEPS:
        assert "secrets." not in step.get("run", "")


@pytest.mark.parametrize("step", [s["run"] for s in STEPS if "run" in s] + JOB["before_script"] + JOB["script"])
def test_the_shell_can_read_each_line(step: str) -> None:
    assert subprocess.run(["bash", "-n", "-c", step], env={"PATH": os.environ["PATH"]}).returncode == 0
