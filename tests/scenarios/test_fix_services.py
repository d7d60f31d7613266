"""``ot-doctor fix`` on what the worker of v0.5 needs beside its own container: Redis, the native engine, the volume for audio."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from ot_doctor.evidence import Deployment, ModelCache, Workers
from ot_doctor_checks._cache_remedies import remove_model
from ot_doctor_checks._service_remedies import own_scratch
from tests.fix import on_the_engine
from tests.parts.engine import Engine
from tests.scenarios import v05
from tests.scenarios.fixing import UP, WORKER, Fault, actions, containers, fix, holding_a_token, rebuilt, undo
from tests.scenarios.forms import forms
from tests.scenarios.scenario import Scenario, World, hub_for

pytestmark = pytest.mark.engine

REDIS, SIDECAR, SCRATCH = "opentranscribe-redis-1", "opentranscribe-diar-native-1", "/scratch/opentranscribe"
# Redis leaves a mark where the worker sees it, which tells that it is connected as Celery does: not at once, but soon.
_SERVICES = f"""\
  redis:
    image: busybox
    stop_grace_period: 0s
    volumes: [./redis:/up]
    command: [sh, -c, "touch /up/mark; exec sleep 9999"]
  postgres:
    image: busybox
    env_file: .env
    stop_grace_period: 0s
    command: [sleep, "9999"]
  diar-native:
    image: davidamacey/opentranscribe-backend:v0.5.1
    command: diar-server
    network_mode: service:celery-worker
    stop_grace_period: 0s
    volumes:
      - ./models/diar-native:/models:ro
      - pipeline_scratch:{SCRATCH}
volumes:
  pipeline_scratch:
"""
_WORKER = """\
cat /recorded.log >&2
while sleep 0.3; do
  [ -e /up/mark ] && rm /up/mark && sleep 2 && echo '2026-11-28 15:06:01,499 INFO:celery.worker.consumer.connection:{said}' >&2
done
"""
_SAID = "Connected to redis://redis:6379/0"
_REFUSED = [
    v05.text(
        second, "ERROR", "celery.worker.consumer.consumer",
        "consumer: Cannot connect to redis://redis:6379/0: Error 111 connecting to redis:6379. Connection refused..\n"
        f"Trying again in {second}.00 seconds... ({second}/100)",
    )
    for second in (2, 4, 6, 8)
]  # fmt: skip


def _stopped(name: str) -> Callable[[World], None]:
    def stop(world: World) -> None:
        world.engine.do(name, "kill")

    return stop


def _of_root(world: World) -> None:
    world.engine.execute(WORKER, "chown", "0:0", SCRATCH, user="0")


def _scenario(after: Callable[[World], None], env: str = "", **changes: object) -> Scenario:
    def ready(world: World) -> None:
        v05.fill_native(world.models / "diar-native")
        (world.folder / "worker.sh").write_text(_WORKER.replace("{said}", _SAID))
        (world.folder / "redis").mkdir(exist_ok=True)
        (world.folder / "redis").chmod(0o777)
        (world.folder / "redis" / "mark").unlink(missing_ok=True)  # of a start before

    mounts = f"{Scenario.volumes}      - ./worker.sh:/worker.sh:ro\n      - ./redis:/up\n      - pipeline_scratch:{SCRATCH}\n"
    scenario = Scenario(
        image="v0.5.1", env=v05.ENV + env, log=v05.job(*v05.NATIVE), volumes=mounts, services=_SERVICES, prepare=ready,
        command="[sh, /worker.sh]", extra="    depends_on: [redis, postgres]\n    stop_grace_period: 0s\n", after=after, up=UP,
    )  # fmt: skip
    return replace(scenario, **changes)  # type: ignore[arg-type]


FAULTS: Mapping[str, Fault] = {
    "redis": Fault(
        _scenario(_stopped(REDIS), log=_REFUSED), "broker-unreachable", ("worker.start",), forms=("compose up --no-deps",)
    ),
    "the native engine": Fault(
        _scenario(_stopped(SIDECAR), "ENGINE_DIARIZER_REQUIRE_SIDECAR=true\n"),
        "native-unavailable",
        ("worker.start",),
        forms=("compose up --no-deps",),
    ),
    "the volume for audio": Fault(_scenario(_of_root, log=[""]), "scratch-permission", ("scratch.own",), forms=("exec chown",)),
}


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with hub_for(None) as hub:
        first = replace(FAULTS["redis"].scenario, after=None)
        yield first.build(engine, hub, tmp_path_factory.mktemp("stack"))
    engine.clear()


def what_it_does(world: World) -> object:
    """Of the services, and of the volume for audio."""
    services = [world.engine.inspect(name)["State"]["Running"] for name in (REDIS, SIDECAR)]
    return services, world.engine.execute(WORKER, "stat", "-c", "%u:%g", SCRATCH)


@pytest.mark.parametrize("name", FAULTS)
def test_fixed_taken_back_and_obeyed_as_printed(stack: World, name: str) -> None:
    fault = FAULTS[name]
    rebuilt(stack, replace(fault.scenario, after=None))
    stack.compose(*UP)
    assert fault.scenario.after
    fault.scenario.after(stack)
    stack.bundled = False
    report = stack.report()
    assert report.causes == [fault.cause], report.summary()
    steps = report.diagnosis[0]["remedy"]["steps"]
    assert forms(step["command"] for step in steps if step["command"] and step["risk"] != "safe") == set(fault.forms)
    before = what_it_does(stack)
    untouched = [containers(stack, service) for service in ("postgres", "celery-worker")]
    told = fix(stack, "--yes", "--allow", "changes-files,restarts")
    assert actions(told) == [(fault.cause, one) for one in fault.actions] and told["left"] == [], told
    assert (told["causes"][0]["state"], told["exit_code"]) == ("gone", 0), told
    undo(stack, told["run"])
    assert what_it_does(stack) == before, "as it was"
    assert stack.obey(report)
    stack.obey(report)
    assert [containers(stack, service) for service in ("postgres", "celery-worker")] == untouched
    assert stack.report().causes == [] and holding_a_token(stack) == []


PASTED = ("exec rm", "run chown in a volume")


def test_commands_that_no_scenario_prints_are_pasted_twice(stack: World) -> None:
    """Of a cache that is in the container alone, and of a volume whose worker is stopped."""
    rebuilt(stack, replace(FAULTS["the volume for audio"].scenario, after=_of_root))
    store = on_the_engine.site(stack).store
    deployment, workers, cache = store.get(Deployment), store.get(Workers), store.get(ModelCache)
    assert isinstance(deployment, Deployment) and isinstance(workers, Workers) and isinstance(cache, ModelCache)
    (worker,) = workers.diarizers
    model = next(model for model in cache.models if model.required)
    alone = replace(cache, root=replace(cache.root, path=None))
    stopped = replace(workers, containers=tuple(replace(one, status="exited") for one in workers.containers))
    look = (WORKER, "sh", "-c", f"stat -c %u:%g {SCRATCH}; ls {os.path.dirname(model.container_path)}")
    before = stack.engine.execute(*look)
    assert before.startswith("0:0") and "models--pyannote" in before
    printed = [remove_model(deployment, worker, alone, model).command or "", own_scratch(deployment, stopped).command or ""]
    assert forms(printed) == set(PASTED)
    for _ in range(2):
        for command in printed:
            stack.engine.run("sh", "-c", command, cwd=stack.home, env=stack.shell())
        assert stack.engine.execute(*look) == "1000:999"
