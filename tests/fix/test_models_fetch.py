"""Models that are downloaded by the worker itself: its Python, the real ``huggingface_hub``, its token, its cache."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import pytest

from ot_doctor.actions import FetchModels
from ot_doctor.fix.catalogue import procedure_of
from ot_doctor.fix.procedure import NotDone, NotPossible
from tests.fix import relay
from tests.fix.on_the_engine import Somebody, Walk, site
from tests.parts.hub import COMMUNITY_1
from tests.scenarios.conftest import bring_up  # noqa: F401
from tests.scenarios.scenario import TOKEN, Scenario, World

pytestmark = pytest.mark.engine

FOLDER = "models--" + COMMUNITY_1.replace("/", "--")
ACTION = FetchModels((COMMUNITY_1,), "opentranscribe-celery-worker")
# This Python, and what it is linked with, in an image that has neither.
_MOUNTED = {
    sys.base_prefix: "/home/appuser/.local", str(Path(huggingface_hub.__file__).parents[1]): "/site", "/lib": "/lib",
    "/lib64": "/lib64", relay.__file__: "/relay.py",
}  # fmt: skip
_ENVIRONMENT = "      - PYTHONPATH=/site\n      - LD_LIBRARY_PATH=/home/appuser/.local/lib\n"
_VOLUMES = "".join(f"      - {os.path.realpath(there)}:{here}:ro\n" for there, here in _MOUNTED.items() if os.path.exists(there))


@pytest.fixture
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    folder = tmp_path_factory.mktemp("r")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "hub.sock"))
        for path in (folder, folder.parent, folder / "hub.sock"):
            path.chmod(0o777)
        made.listen()
        yield made
        made.shutdown(socket.SHUT_RDWR)


def worker(listening: socket.socket) -> Scenario:
    def carried_on(world: World) -> None:
        port = int(world.hub.url.rpartition(":")[2])
        threading.Thread(
            target=relay.relay, args=(listening, lambda: socket.create_connection(("127.0.0.1", port))), daemon=True
        ).start()

    folder = os.path.dirname(listening.getsockname())
    return Scenario(
        cache="absent", command='["python3", "/relay.py"]', environment=_ENVIRONMENT, prepare=carried_on,
        extra="    stop_grace_period: 0s\n", volumes=f"{Scenario.volumes}{_VOLUMES}      - {folder}:/relay\n",
    )  # fmt: skip


def test_a_model_is_downloaded_by_the_worker_and_put_away_again(
    bring_up: Callable[[Scenario], World], listening: socket.socket, tmp_path: Path  # noqa: F811
) -> None:
    world = bring_up(worker(listening))
    person = Somebody()
    walk = Walk(world, ACTION, tmp_path)
    preview = walk.applied(person)
    hub = world.models / "huggingface" / "hub"
    assert preview.lines == (f"{COMMUNITY_1}: 5 of 5 files",)
    assert f"{COMMUNITY_1}: config.yaml, " in person.said and TOKEN[3:] not in person.said
    assert (hub / FOLDER).stat().st_uid == 1000
    report = world.report()
    assert report.status("cache-complete") == "pass" and report.exit_code == 0, report.summary()
    (hub / FOLDER / "refs" / "main").unlink()
    assert procedure_of(ACTION, site(world)).precondition(), "the client would not find it"
    walk.undone()
    assert not (hub / FOLDER).exists() and world.report().warned_causes() >= {"cache-missing"}
    world.hub.tokens.clear()
    doing = procedure_of(ACTION, site(world))
    assert doing.precondition()
    with pytest.raises(NotDone, match="did not succeed"):
        doing.apply()


def test_offline_mode_and_a_worker_that_is_down_are_respected(bring_up: Callable[[Scenario], World]) -> None:  # noqa: F811
    world = bring_up(Scenario(cache="absent", environment="      - HF_HUB_OFFLINE=1\n"))
    with pytest.raises(NotPossible, match="HF_HUB_OFFLINE=1 forbids"):
        procedure_of(ACTION, site(world)).precondition()
    world.compose("kill")
    with pytest.raises(NotPossible, match="is running"):
        procedure_of(ACTION, site(world))
