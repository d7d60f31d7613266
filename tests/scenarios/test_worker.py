"""The worker: absent, stopped, restarting, out of memory, with bad speaker limits."""

from __future__ import annotations

import json

import pytest

from tests.parts import images, ready_doctor
from tests.scenarios.scenario import BringUp, Scenario, World

pytestmark = pytest.mark.engine


def _until_killed(world: World) -> None:
    world.engine.until_oom_killed("opentranscribe-celery-worker")


def test_no_worker(bring_up: BringUp) -> None:
    world = bring_up(Scenario(up=()))
    report = world.report()
    assert report.causes == ["worker-down"] and report.exit_code == 1, report.summary()
    world.obey(report)
    again = world.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


def test_stopped_by_hand_is_not_out_of_memory(bring_up: BringUp) -> None:
    def kill(world: World) -> None:
        world.compose("kill")

    world = bring_up(Scenario(after=kill))
    report = world.report()
    assert report.causes == ["worker-down"], report.summary()
    world.obey(report)
    assert world.report().exit_code == 0


def test_out_of_memory(bring_up: BringUp) -> None:
    command = f'["sh", "-c", {images.EAT_MEMORY!r}]'.replace("'", '"')
    scenario = Scenario(command=command, extra="    mem_limit: 16m\n", after=_until_killed)
    report = bring_up(scenario).report()
    assert report.causes == ["out-of-memory"] and report.exit_code == 1, report.summary()
    assert "worker-running" in report.diagnosis[0]["explains"]


def test_restarting(bring_up: BringUp) -> None:
    extra, after = "    restart: always\n", World.until_restarting
    report = bring_up(Scenario(command='["sh", "-c", "exit 3"]', extra=extra, after=after)).report()
    assert report.causes == ["worker-down"] and report.exit_code == 1, report.summary()
    assert "exit code 3" in str(report.diagnosis[0])


def test_min_above_max(bring_up: BringUp) -> None:
    env = "HUGGINGFACE_TOKEN={token}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\n"
    report = bring_up(Scenario(env=env)).report()
    assert report.causes == ["speakers-config"] and report.exit_code == 1, report.summary()


def test_limits_of_an_environment_entry_are_mended_there(bring_up: BringUp) -> None:
    world = bring_up(Scenario(environment='      MIN_SPEAKERS: "9"\n      MAX_SPEAKERS: "2"\n'))
    report = world.report()
    assert report.causes == ["speakers-config"] and report.exit_code == 1, report.summary()
    file = world.folder / "docker-compose.yml"
    step = report.diagnosis[0]["remedy"]["steps"][0]
    assert f"at {file}:8:" in step["text"] and step["command"] is None, report.remedy_text()
    file.write_text(file.read_text().replace('MIN_SPEAKERS: "9"', 'MIN_SPEAKERS: "1"'))
    world.obey(report)
    again = world.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


def test_comment_in_max_speakers(bring_up: BringUp) -> None:
    env = "HUGGINGFACE_TOKEN={token}\nMAX_SPEAKERS=20\t# Can be increased\n"
    world = bring_up(Scenario(env=env))
    report = world.report()
    assert report.causes == ["speakers-config"] and report.exit_code == 1, report.summary()
    assert f"{world.env_path}:3" in str(report.diagnosis[0])


def test_speaker_limits_are_ignored_by_v01(bring_up: BringUp) -> None:
    env = "HUGGINGFACE_TOKEN={token}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\n"
    report = bring_up(Scenario(line="v0.1", env=env, log=[])).report()
    assert report.causes == [], report.summary()
    assert "ignore" in report.text_of("speaker-limits")


def test_a_worker_that_nothing_is_called_is_wrong_usage(bring_up: BringUp) -> None:
    world = bring_up(Scenario())
    for arguments in ((), ("--dir", str(world.folder))):
        done = world.doctor("--worker", "celery-wroker", *arguments, cwd=world.home if not arguments else None)
        said = json.loads(done.stdout)
        assert (done.returncode, said["exit_code"], said["error_kind"]) == (2, 2, "usage")
        assert "'celery-wroker' (--worker). There are: opentranscribe-celery-worker." in said["error"]
    bundle = world.home / "made.zip"
    collect = ("collect", "--yes", "--worker", "celery-wroker", "-o", str(bundle))
    done = ready_doctor.run(*collect, cwd=world.folder, env=world.shell())
    assert done.returncode == 2 and "There are: opentranscribe-celery-worker." in done.stderr and not bundle.exists()
