"""What containers are recreated for, what is shown before, and where they are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ot_doctor.actions import RecreateServices, RestartContainer, Risk
from ot_doctor.fix.actions import container
from ot_doctor.fix.catalogue import procedure_of
from ot_doctor.fix.procedure import NotDone, NotPossible
from tests.fix.on_the_engine import SERVICE, site
from tests.parts.engine import Engine
from tests.scenarios import logs
from tests.scenarios.fixing import UP, WORKER, containers, fix, outcomes, rebuilt
from tests.scenarios.scenario import Scenario, World, hub_for

pytestmark = pytest.mark.engine

RECREATE = RecreateServices((SERVICE,))
SHORT = "    stop_grace_period: 0s\n"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends at once ends sooner here than a real worker."""
    monkeypatch.setattr(container, "_LASTS", 0.3)


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with hub_for(None) as hub:
        yield Scenario(up=UP).build(engine, hub, tmp_path_factory.mktemp("stack"))
    engine.clear()


def written(world: World, text: str) -> None:
    world.env_path.write_text(world.env_path.read_text() + text)


def test_what_is_not_expected_is_shown_and_needs_somebody_who_sees_it(stack: World) -> None:
    scenario = Scenario(environment="      - DEVICE=${DEVICE:-auto}\n", environ={"DEVICE": "cuda"})
    rebuilt(stack, scenario)
    world = stack
    del world.environ["DEVICE"]
    assert f"{WORKER}, unexpected: DEVICE: cuda becomes auto" in procedure_of(RECREATE, site(world)).preview().lines
    compose = world.folder / "docker-compose.yml"
    text = compose.read_text()
    for before, after, said in (
        ("/torch:/home", "/other:/home", "mount /home/appuser/.cache/torch"),
        ("backend:v0.4.1", "backend:v0.3.3", "image davidamacey/opentranscribe-backend:v0.3.3"),
        ("    network_mode", "    devices: [/dev/null]\n    network_mode", "devices: none becomes /dev/null"),
    ):
        compose.write_text(text.replace(before, after))
        preview = procedure_of(RECREATE, site(world)).preview()
        assert any(f"{WORKER}, unexpected: {said}" in line for line in preview.lines) and said in preview.only_seen
    written(world, "MAX_SPEAKERS=10\n")
    there = containers(world, "celery-worker")
    told = fix(world, "--yes", "--allow", "restarts")
    assert outcomes(told) == {"stale-worker-env": ["refused"]} and "devices: none becomes" in str(told), told
    assert containers(world, "celery-worker") == there
    compose.write_text(text.replace("backend:v0.4.1", "backend:v9"))
    with pytest.raises(NotPossible, match="backend:v9"):
        procedure_of(RECREATE, site(world)).precondition()
    compose.write_text(text)
    rests = procedure_of(RECREATE, site(world)).preview().rests_on
    world.compose("up", "-d", "--force-recreate")
    written(world, "A=b\n")
    now = procedure_of(RECREATE, site(world)).preview().rests_on
    assert {name for name in rests if rests[name] != now[name]} == {f"container {WORKER}", f"file {world.env_path}"}
    compose.rename(world.folder / "aside.yml")
    (world.folder / "opentr.sh").touch()
    with pytest.raises(NotPossible, match="from which the container was made, is not there any more"):
        procedure_of(RECREATE, site(world))
    (world.folder / "opentr.sh").unlink()


def test_a_job_is_not_interrupted_unasked(stack: World) -> None:
    rebuilt(stack, Scenario(log=logs.v04_success()[:2]))
    written(stack, "MAX_SPEAKERS=10\n")
    preview = procedure_of(RECREATE, site(stack)).preview()
    assert preview.risks == {Risk.INTERRUPTS} and "A diarization is running" in "\n".join(preview.lines)


def test_a_worker_that_failed_is_started_anew_although_nothing_differs(stack: World) -> None:
    rebuilt(stack, Scenario(log=logs.v04_failure(["RuntimeError: CUDA error: unspecified launch failure"], "CUDA error")))
    doing = procedure_of(RECREATE, site(stack))
    assert doing.precondition() and doing.preview().lines == ("Nothing differs from what runs.",)


def test_a_worker_that_does_not_stay_up_is_not_done(stack: World, tmp_path: Path) -> None:
    rebuilt(stack, Scenario(command='["sh", "-c", "test -z $$BAD && exec sleep 9999"]', extra=SHORT))
    written(stack, "BAD=1\n")
    doing = procedure_of(RECREATE, site(stack))
    assert doing.precondition()
    doing.preview()
    doing.save(tmp_path)
    doing.apply()
    with pytest.raises(NotDone, match="does not stay up"):
        doing.verify()


def test_a_container_that_compose_did_not_make_is_left_alone(stack: World) -> None:
    rebuilt(stack, Scenario())
    stack.engine.docker("rm", "-f", WORKER)
    stack.engine.docker("run", "-d", "--name", WORKER, "--env-file", str(stack.env_path), "--network", "none",
                        "davidamacey/opentranscribe-backend:v0.4.1")  # fmt: skip
    with pytest.raises(NotPossible, match="no container of the service"):
        procedure_of(RECREATE, site(stack)).precondition()
    with pytest.raises(NotPossible, match="not one of the containers"):
        procedure_of(RestartContainer("somebody-elses"), site(stack))
