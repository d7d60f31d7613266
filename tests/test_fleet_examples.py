"""The files in ``docs/fleet``: what they ask for is what ot-doctor writes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ot_doctor.cli.main import cli
from ot_doctor.report.formats import prometheus
from tests.parts.engine import parts_folder
from tests.report.reports import healthy, one_root_cause

FLEET = Path(__file__).resolve().parent.parent / "docs" / "fleet"
_METRIC = re.compile(r"\bot_doctor_\w+")


def written() -> set[str]:
    reports = (healthy(), one_root_cause())
    return {name for report in reports for name in re.findall(r"^# TYPE (\w+)", prometheus.render(report), re.M)}


def test_every_metric_that_is_asked_for_is_written() -> None:
    asked = {name: set(_METRIC.findall((FLEET / name).read_text())) for name in ("prometheus-rules.yml", "grafana.json")}
    assert all(asked.values())
    assert {name: sorted(metrics - written()) for name, metrics in asked.items()} == {name: [] for name in asked}


def test_the_dashboards_panels_have_numbers_and_places_of_their_own() -> None:
    panels = json.loads((FLEET / "grafana.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["targets"][0]["expr"] for panel in panels)


@pytest.mark.engine  # with the engine's parts comes promtool
def test_the_alerts_fire_when_they_must_and_not_before() -> None:
    folders = os.pathsep.join([str(parts_folder() / "root" / "usr" / "bin"), os.environ["PATH"]])
    promtool = shutil.which("promtool", path=folders)
    assert promtool, "bash tests/parts/install.sh brings promtool"
    command = [promtool, "test", "rules", "prometheus-rules.test.yml"]
    done = subprocess.run(command, cwd=FLEET, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_playbook_calls_commands_and_options_that_there_are() -> None:
    (play,) = yaml.safe_load((FLEET / "ansible.yml").read_text())
    tasks = [*play["tasks"], *next(task["block"] for task in play["tasks"] if "block" in task)]
    commands = [task["ansible.builtin.command"]["argv"][2:] for task in tasks if "ansible.builtin.command" in task]
    assert [command[0] for command in commands] == ["run", "collect"]
    for name, *arguments in commands:
        known = {option for parameter in cli.commands[name].params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= known
