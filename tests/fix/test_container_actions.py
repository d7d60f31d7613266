"""Containers that are recreated, started, let go on and started again: those that are meant and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ot_doctor.actions import RecreateServices, RestartContainer, Risk, StartServices, UnpauseContainer
from ot_doctor.fix.actions import container
from ot_doctor.fix.catalogue import procedure_of
from ot_doctor.fix.procedure import NotDone, NotPossible
from tests.fix.on_the_engine import Walk, site
from tests.scenarios import logs
from tests.scenarios.conftest import bring_up  # noqa: F401
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, Scenario, World
from tests.scenarios.test_fix import fix, outcomes

pytestmark = pytest.mark.engine

WORKER, SERVICE = "opentranscribe-celery-worker", "celery-worker"
RECREATE = RecreateServices((SERVICE,))
WITH_POSTGRES = Scenario(
    extra="    pull_policy: always\n    depends_on: [postgres]\n",
    services='  postgres:\n    image: busybox\n    env_file: .env\n    stop_grace_period: 0s\n    command: [sleep, "9999"]\n',
    up=("up", "-d", "--pull", "never"),
)
BringUp = Callable[[Scenario], World]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends at once ends sooner here than a real worker."""
    monkeypatch.setattr(container, "_LASTS", 0.5)


def state(world: World, name: str, what: str = "{{.Id}} {{.State.Status}}") -> str:
    return world.engine.docker("inspect", f"--format={what}", name)


def written(world: World, text: str) -> None:
    world.env_path.write_text(world.env_path.read_text() + text)


def test_a_worker_is_recreated_and_nothing_else(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    world = bring_up(WITH_POSTGRES)
    database, before = state(world, "opentranscribe-postgres-1"), state(world, WORKER)
    assert not procedure_of(RECREATE, site(world)).precondition(), "nothing differs"
    old = world.env_path.read_bytes()
    written(world, f"MAX_SPEAKERS=10\nHUGGINGFACE_TOKEN={UNKNOWN_TOKEN}\nA=with $$ and ${{B}}\n")
    world.environ["B"] = "b"
    walk = Walk(world, RECREATE, tmp_path)
    preview = walk.applied()
    said = "\n".join(preview.lines)
    assert f"{WORKER}: MAX_SPEAKERS: 20 becomes 10" in preview.lines and "HUGGINGFACE_TOKEN: hf_…" in said
    assert "unexpected" not in said and TOKEN not in said and UNKNOWN_TOKEN not in said and not preview.risks
    assert state(world, WORKER) != before and "MAX_SPEAKERS=10" in state(world, WORKER, "{{.Config.Env}}")
    world.env_path.write_bytes(old)
    walk.undone()
    assert "MAX_SPEAKERS=20" in state(world, WORKER, "{{.Config.Env}}")
    assert state(world, "opentranscribe-postgres-1") == database


def test_what_is_paused_or_stopped_goes_on(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    world = bring_up(WITH_POSTGRES)
    database, before = state(world, "opentranscribe-postgres-1"), state(world, WORKER)
    world.engine.docker("pause", WORKER)
    walk = Walk(world, UnpauseContainer(WORKER), tmp_path)
    walk.applied()
    assert state(world, WORKER) == before
    walk.undone()
    assert state(world, WORKER, "{{.State.Status}}") == "paused"
    world.engine.docker("unpause", WORKER)
    for action in (StartServices((SERVICE,)), RestartContainer(WORKER)):
        world.engine.docker("kill", WORKER)
        walk = Walk(world, action, tmp_path / action.name)
        walk.applied()
        assert state(world, WORKER) == before
        if action.name == "worker.start":
            walk.undone()
            assert state(world, WORKER, "{{.State.Status}}") == "exited"
            world.engine.docker("start", WORKER)
    assert state(world, "opentranscribe-postgres-1") == database
    world.engine.docker("rm", "-f", WORKER)
    Walk(world, StartServices((SERVICE,)), tmp_path / "made").applied()
    assert state(world, "opentranscribe-postgres-1") == database


def test_what_is_not_expected_is_shown_and_needs_somebody_who_sees_it(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    scenario = Scenario(environment="      - DEVICE=${DEVICE:-auto}\n", environ={"DEVICE": "cuda"})
    world = bring_up(scenario)
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
    there = state(world, WORKER)
    told = fix(world, "--yes", "--allow", "restarts")
    assert outcomes(told) == {"stale-worker-env": ["refused"]} and "devices: none becomes" in str(told), told
    assert state(world, WORKER) == there
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


def test_a_job_is_not_interrupted_unasked(bring_up: BringUp) -> None:  # noqa: F811
    world = bring_up(Scenario(log=logs.v04_success()[:2]))
    written(world, "MAX_SPEAKERS=10\n")
    preview = procedure_of(RECREATE, site(world)).preview()
    assert preview.risks == {Risk.INTERRUPTS} and "A diarization is running" in "\n".join(preview.lines)


def test_a_worker_that_failed_is_started_anew_although_nothing_differs(bring_up: BringUp) -> None:  # noqa: F811
    world = bring_up(Scenario(log=logs.v04_failure(["RuntimeError: CUDA error: unspecified launch failure"], "CUDA error")))
    doing = procedure_of(RECREATE, site(world))
    assert doing.precondition() and doing.preview().lines == ("Nothing differs from what runs.",)


def test_a_worker_that_does_not_stay_up_is_not_done(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    world = bring_up(Scenario(command='["sh", "-c", "test -z $$BAD && exec sleep 9999"]', extra="    stop_grace_period: 0s\n"))
    written(world, "BAD=1\n")
    doing = procedure_of(RECREATE, site(world))
    assert doing.precondition()
    doing.preview()
    doing.save(tmp_path)
    doing.apply()
    with pytest.raises(NotDone, match="does not stay up"):
        doing.verify()


def test_a_container_that_compose_did_not_make_is_left_alone(bring_up: BringUp) -> None:  # noqa: F811
    world = bring_up(Scenario(up=()))
    world.engine.docker("run", "-d", "--name", WORKER, "--env-file", str(world.env_path), "--network", "none",
                        "davidamacey/opentranscribe-backend:v0.4.1")  # fmt: skip
    with pytest.raises(NotPossible, match="no container of the service"):
        procedure_of(RECREATE, site(world)).precondition()
    with pytest.raises(NotPossible, match="not one of the containers"):
        procedure_of(RestartContainer("somebody-elses"), site(world))
