"""``ot-doctor fix`` on what the worker of v0.5 needs beside its own container: Redis, the native engine, the volume for audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from tests.parts.engine import Engine
from tests.scenarios import v05
from tests.scenarios.fixing import UP, WORKER, Fault, actions, containers, fix, holding_a_token, rebuilt, undo
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
        world.engine.docker("kill", name)

    return stop


def _of_root(world: World) -> None:
    world.engine.docker("exec", "-u", "0", WORKER, "chown", "0:0", SCRATCH)


def _scenario(after: Callable[[World], None], env: str = "", **changes: object) -> Scenario:
    def ready(world: World) -> None:
        v05.fill_native(world.models / "diar-native")
        (world.folder / "worker.sh").write_text(_WORKER.replace("{said}", _SAID))
        (world.folder / "redis").mkdir(exist_ok=True)
        (world.folder / "redis").chmod(0o777)

    mounts = f"{Scenario.volumes}      - ./worker.sh:/worker.sh:ro\n      - ./redis:/up\n      - pipeline_scratch:{SCRATCH}\n"
    scenario = Scenario(
        image="v0.5.1", env=v05.ENV + env, log=v05.job(*v05.NATIVE), volumes=mounts, services=_SERVICES, prepare=ready,
        command="[sh, /worker.sh]", extra="    depends_on: [redis, postgres]\n    stop_grace_period: 0s\n", after=after, up=UP,
    )  # fmt: skip
    return replace(scenario, **changes)  # type: ignore[arg-type]


FAULTS: Mapping[str, Fault] = {
    "redis": Fault(_scenario(_stopped(REDIS), log=_REFUSED), "broker-unreachable", ("worker.start",)),
    "the native engine": Fault(
        _scenario(_stopped(SIDECAR), "ENGINE_DIARIZER_REQUIRE_SIDECAR=true\n"), "native-unavailable", ("worker.start",)
    ),
    "the volume for audio": Fault(_scenario(_of_root, log=[""]), "scratch-permission", ("scratch.own",)),
}


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with hub_for(None) as hub:
        first = replace(FAULTS["redis"].scenario, after=None)
        yield first.build(engine, hub, tmp_path_factory.mktemp("stack"))
    engine.clear()


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
    untouched = [containers(stack, service) for service in ("postgres", "celery-worker")]
    told = fix(stack, "--yes", "--allow", "changes-files,restarts")
    assert actions(told) == [(fault.cause, one) for one in fault.actions] and told["left"] == [], told
    assert (told["causes"][0]["state"], told["exit_code"]) == ("gone", 0), told
    undo(stack, told["run"])
    again = stack.report()
    assert fault.cause in again.causes or name == "redis", again.summary()  # the worker's log tells of redis when it tries again
    assert stack.obey(report)
    stack.obey(report)
    assert [containers(stack, service) for service in ("postgres", "celery-worker")] == untouched
    assert stack.report().causes == [] and holding_a_token(stack) == []
