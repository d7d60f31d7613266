"""Which containers are examined, and what is read of each: recorded answers of a real engine, and the engine itself."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import Engine, Installation, Mount, Request, Role, Unavailable, Worker, Workers
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.docker import containers as source
from ot_doctor.sources.docker.engine import connect
from tests.parts.engine import Engine as RealEngine
from tests.parts.fixtures import clean_engine, engine

__all__ = ["clean_engine", "engine"]

ENGINE = Engine("unix:///var/run/docker.sock", "the default socket")
NOWHERE = Installation(None, "nothing")
TOKEN = "hf_RecordedRecordedRecordedRecorded12"
BACKEND = "davidamacey/opentranscribe-backend:v0.4.1"


def recorded(name: str) -> Any:
    return json.loads((Path(__file__).parent / "data" / f"inspect_{name}.json").read_text())


def parsed(inspect: Any, image: Any = None) -> Worker:
    return source.parse(ENGINE, Role.DIARIZER, inspect, image or {})


# -- what is read of one ---------------------------------------------------------------------------------------------


def test_a_recorded_worker() -> None:
    worker = parsed(recorded("worker"), recorded("image"))
    assert worker.name == "opentranscribe-celery-worker"
    assert worker.image == BACKEND
    assert (worker.status, worker.running, worker.health) == ("running", True, "unhealthy")
    assert worker.started_at == datetime(2026, 11, 21, 3, 51, 50, 578933, tzinfo=timezone.utc)
    assert worker.finished_at is None, "it never finished: the engine says year 1"
    assert (worker.user, worker.home) == ("appuser", "/home/appuser")
    assert worker.memory_limit == 512 * 1024 * 1024
    assert worker.log_driver == "json-file"
    assert worker.gpu.requested is False
    assert worker.image_labels == {}, "no label but those that are read"


def test_its_compose_labels() -> None:
    compose = parsed(recorded("worker")).compose
    assert (compose.project, compose.service) == ("opentranscribe", "celery-worker")
    assert compose.working_dir == "/srv/opentranscribe"
    assert compose.config_files == ("/srv/opentranscribe/compose.yml",)
    assert compose.environment_files == ()
    assert compose.version.startswith("2.")


def test_its_secrets_cannot_be_printed_and_the_rest_can() -> None:
    worker = parsed(recorded("worker"), recorded("image"))
    assert worker.env["HUGGINGFACE_TOKEN"] == Secret(TOKEN)
    assert isinstance(worker.env["POSTGRES_PASSWORD"], Secret)
    assert worker.setting("MAX_SPEAKERS") == "20"
    assert worker.image_env["APP_VERSION"] == "0.4.1"
    assert "MAX_SPEAKERS" not in worker.image_env_names
    assert TOKEN not in repr(worker) and "recorded-password" not in repr(worker)


def test_an_empty_token_is_a_token_that_is_set_to_nothing() -> None:
    inspect = recorded("worker")
    inspect["Config"]["Env"] = ["HUGGINGFACE_TOKEN=", "HF_TOKEN=short", "A=b=c", "=x", "NAME"]
    env = parsed(inspect).env
    assert env == {"HUGGINGFACE_TOKEN": Secret(""), "HF_TOKEN": Secret("short"), "A": "b=c"}


def test_its_mounts() -> None:
    mounts = {mount.destination: mount for mount in parsed(recorded("worker")).mounts}
    cache = "/home/appuser/.cache"
    assert mounts[f"{cache}/huggingface"] == Mount(
        "bind", "/srv/opentranscribe/models/huggingface", f"{cache}/huggingface", writable=True
    )
    assert mounts[f"{cache}/torch"].writable is False
    assert (mounts["/app/temp"].kind, mounts["/app/temp"].name) == ("volume", "opentranscribe_temp")
    assert mounts["/scratch"] == Mount("tmpfs", "", "/scratch", writable=False)


def test_a_worker_that_the_kernel_killed() -> None:
    worker = parsed(recorded("oom"))
    assert (worker.status, worker.exit_code, worker.oom_killed, worker.running) == ("exited", 137, True, False)
    assert worker.finished_at is not None and worker.started_at is not None and worker.finished_at > worker.started_at


def test_a_gpu_that_was_asked_for() -> None:
    gpu = parsed(recorded("gpu")).gpu
    assert (gpu.requested, gpu.device_ids, gpu.count) == (True, ("1",), 0)


@pytest.mark.parametrize(
    ("host", "env", "requested", "ids", "count"),
    [
        ({"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]}, [], True, (), -1),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}]}, [], True, ("nvidia.com/gpu=0",), 0),
        ({"DeviceRequests": [{"Driver": "other", "Count": 1, "Capabilities": [["tpu"]]}]}, [], False, (), 0),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=all"], True, (), -1),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=0,2"], True, ("0", "2"), 0),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=void"], False, (), 0),
        ({"Runtime": "nvidia"}, [], False, (), 0),
        ({"Devices": [{"PathOnHost": "/dev/nvidia0"}]}, [], True, ("/dev/nvidia0",), 0),
        ({"Devices": [{"PathOnHost": "/dev/snd"}]}, [], False, (), 0),
    ],
)
def test_ways_to_get_a_gpu(host: Any, env: list[str], requested: bool, ids: tuple[str, ...], count: int) -> None:
    gpu = parsed({"HostConfig": host, "Config": {"Env": env}}).gpu
    assert (gpu.requested, gpu.device_ids, gpu.count) == (requested, ids, count)


@pytest.mark.parametrize(
    ("user", "env", "home"),
    [
        ("appuser", [], "/home/appuser"),
        ("", [], "/root"),
        ("0:0", ["HF_HOME=/home/appuser/.cache/huggingface"], "/root"),
        ("1000:1000", ["HF_HOME=/home/user/.cache/huggingface"], "/home/user"),
        ("1000", ["HF_HOME=/models"], "/home/appuser"),
        ("appuser", ["HOME=/data"], "/data"),
    ],
)
def test_where_its_home_is(user: str, env: list[str], home: str) -> None:
    assert parsed({"Config": {"User": user, "Env": env}}).home == home


def test_a_worker_that_podman_describes() -> None:
    worker = parsed(recorded("podman"))
    assert (worker.name, worker.status, worker.health) == ("opentranscribe-celery-worker", "created", "")
    assert (worker.compose.service, worker.compose.working_dir) == ("celery-worker", "/srv/ot")
    assert worker.env["HUGGINGFACE_TOKEN"] == Secret(TOKEN) and worker.home == "/home/appuser"
    assert worker.mounts == (Mount("bind", "/srv/ot/models", "/x", writable=False),)
    assert (worker.started_at, worker.finished_at) == (None, None) and worker.created_at is not None


@pytest.mark.parametrize(
    ("podman", "mode", "own"), [(True, "private", True), (True, "host", False), (True, "", False), (False, "private", False)]
)
def test_user_ids_of_its_own(podman: bool, mode: str, own: bool) -> None:
    engine = Engine("unix:///e.sock", "DOCKER_HOST", podman=podman)
    assert source.parse(engine, Role.DIARIZER, {"HostConfig": {"UsernsMode": mode}}, {}).own_users is own


def test_the_labels_of_podman_compose_and_of_a_swarm() -> None:
    labels = {"io.podman.compose.project": "ot", "io.podman.compose.version": "1.6.0", "com.docker.compose.project": "ot"}
    compose = parsed({"Config": {"Labels": labels}}).compose
    assert (compose.project, compose.version, compose.by_podman_compose) == ("ot", "1.6.0", True)
    swarm = {"com.docker.stack.namespace": "ot", "com.docker.swarm.service.name": "ot_celery-worker"}
    compose = parsed({"Config": {"Labels": swarm}}).compose
    assert (compose.stack, compose.swarm_service, compose.by_podman_compose) == ("ot", "ot_celery-worker", False)


def test_an_error_that_prints_a_token() -> None:
    worker = parsed({"State": {"Error": f"\x1b[31mcannot mount {TOKEN}"}})
    assert re.fullmatch(r"cannot mount hf_…\(37:\w{4}\)", worker.error)


def test_commands_health_checks_and_labels_are_not_gathered() -> None:
    secret = "Tr0ub4dor99"
    worker = parsed({
        "State": {"Health": {"Status": "unhealthy", "Log": [{"Output": f"curl -u admin:{secret} http://x failed: 401"}]}},
        "Config": {
            "Cmd": ["celery", "flower", f"--basic_auth=admin:{secret}"], "Entrypoint": ["redis-server", "--requirepass", secret],
            "Healthcheck": {"Test": ["CMD-SHELL", f"mysql -p{secret}"]},
            "Labels": {"traefik.auth": secret, "org.opencontainers.image.description": secret, "com.docker.compose.x": secret},
        },
    })  # fmt: skip
    assert secret not in repr(worker) and worker.health == "unhealthy"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T03:14:15.123456789Z", datetime(2026, 11, 21, 3, 14, 15, 123456, tzinfo=timezone.utc)),
        ("2026-11-21T03:14:15Z", datetime(2026, 11, 21, 3, 14, 15, tzinfo=timezone.utc)),
        ("2026-11-21T04:14:15.5+01:00", datetime(2026, 11, 21, 3, 14, 15, 500000, tzinfo=timezone.utc)),
        ("2026-11-20T22:14:15.5-05:00", datetime(2026, 11, 21, 3, 14, 15, 500000, tzinfo=timezone.utc)),
        ("0001-01-01T00:00:00Z", None),
        ("2026-13-45T99:00:00Z", None),
        ("yesterday", None),
        (None, None),
        (1700000000, None),
    ],
)
def test_time_stamps(text: object, expected: datetime | None) -> None:
    assert source.moment(text) == expected


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], (*path, index))


@pytest.mark.parametrize("odd", [None, 7, -1.5, "x", "\0\x1b[2J", [], [None, 3, {}], {}, {"x": [1]}, True])
def test_whatever_stands_in_an_answer_is_no_reason_to_crash(odd: Any) -> None:
    whole = recorded("worker")
    for path in places(whole):
        changed = copy.deepcopy(whole)
        spot = changed
        for step in path[:-1]:
            spot = spot[step]
        spot[path[-1]] = odd
        worker = parsed(changed, changed)
        assert isinstance(worker.name, str) and isinstance(worker.exit_code, int) and isinstance(worker.env, dict)


# -- which ones ------------------------------------------------------------------------------------------------------


def entry(
    name: str, service: str = "", project: str = "", folder: str = "", *, state: str = "running", image: str = BACKEND,
    created: int = 1, **labels: str
) -> dict[str, Any]:  # fmt: skip
    pairs = {"service": service, "project": project, "project.working_dir": folder, **labels}
    return {
        "Id": f"{name:0<64}", "Names": [f"/{name}"], "Image": image, "State": state, "Created": created,
        "Labels": {f"com.docker.compose.{key}": value for key, value in pairs.items() if value},
    }  # fmt: skip


def chosen(
    *entries: dict[str, Any], directory: Path | None = None, named: tuple[str, ...] = ()
) -> dict[str, Role]:
    listed = [one for item in entries if (one := source.from_list(item))]
    return {container.name: role for container, role in source.choose(listed, directory, named)}


def test_roles() -> None:
    celery = ("celery-worker", "celery-cpu-worker", "celery-beat", "celery-embedding-worker")
    stack = [entry(f"opentranscribe-{name}", name, "ot", "/srv/ot") for name in (*celery, "backend", "flower", "diar-native")]
    stack += [entry("ot-celery-worker-gpu-scaled", "celery-worker-gpu-scaled", "ot", "/srv/ot")]
    stack += [entry(f"opentranscribe-{name}", name, "ot", "/srv/ot", image=f"{name}:1") for name in ("postgres", "redis")]
    roles = chosen(*stack)
    assert {name for name, role in roles.items() if role is Role.DIARIZER} == {
        "opentranscribe-celery-worker", "ot-celery-worker-gpu-scaled"
    }  # fmt: skip
    assert {name for name, role in roles.items() if role is Role.CELERY} == {
        "opentranscribe-celery-cpu-worker", "opentranscribe-celery-beat", "opentranscribe-celery-embedding-worker"
    }  # fmt: skip
    assert {name for name, role in roles.items() if role is Role.OTHER} == {
        "opentranscribe-backend", "opentranscribe-flower", "opentranscribe-diar-native"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("opentranscribe-celery-worker", Role.DIARIZER),
        ("opentranscribe-celery-worker-gpu-scaled", Role.DIARIZER),
        ("opentranscribe_celery-worker.1.k2j4h5", Role.DIARIZER),
        ("opentranscribe-celery-worker-2", Role.DIARIZER),
        ("opentranscribe-celery-cpu-worker", Role.CELERY),
        ("opentranscribe-celery-worker-notes", Role.CELERY),
        ("opentranscribe-anything", Role.OTHER),
    ],
)
def test_roles_by_name_where_compose_labelled_nothing(name: str, role: Role) -> None:
    assert chosen(entry(name)) == {name: role}


def test_a_celery_worker_of_another_application_is_left_alone() -> None:
    shop = entry("shop-celery-worker-1", "celery-worker", "shop", "/srv/shop", image="shop:1")
    assert chosen(shop) == {}
    ours = entry("opentranscribe-celery-worker", "celery-worker", "ot", "/srv/ot")
    assert chosen(shop, ours) == {"opentranscribe-celery-worker": Role.DIARIZER}


def test_a_fork_under_another_name_is_known_by_its_folder(tmp_path: Path) -> None:
    fork = entry("mine-celery-worker-1", "celery-worker", "mine", str(tmp_path), image="mine:1")
    assert chosen(fork, directory=tmp_path) == {"mine-celery-worker-1": Role.DIARIZER}


def test_the_folder_chooses_between_projects_even_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    here = entry("a-celery-worker-1", "celery-worker", "a", str(tmp_path / "link"), state="exited")
    there = entry("b-celery-worker-1", "celery-worker", "b", "/elsewhere")
    assert chosen(here, there, directory=tmp_path / "real") == {"a-celery-worker-1": Role.DIARIZER}


def test_a_project_counts_whole_though_its_parts_were_started_from_two_folders(tmp_path: Path) -> None:
    worker = entry("opentranscribe-celery-worker", "celery-worker", "ot", "/old/clone")
    backend = entry("opentranscribe-backend", "backend", "ot", str(tmp_path))
    assert set(chosen(worker, backend, directory=tmp_path)) == {"opentranscribe-celery-worker", "opentranscribe-backend"}


def test_another_folder_than_the_running_one_still_finds_the_running_one(tmp_path: Path) -> None:
    worker = entry("opentranscribe-celery-worker", "celery-worker", "ot", "/srv/ot")
    assert chosen(worker, directory=tmp_path) == {"opentranscribe-celery-worker": Role.DIARIZER}


def test_of_several_projects_the_running_one_is_taken() -> None:
    stopped = entry("a-celery-worker-1", "celery-worker", "a", "/a", state="exited", created=9)
    running = entry("b-celery-worker-1", "celery-worker", "b", "/b", created=1)
    assert chosen(stopped, running) == {"b-celery-worker-1": Role.DIARIZER}


def test_of_several_stopped_projects_the_newest_is_taken() -> None:
    old = entry("a-celery-worker-1", "celery-worker", "a", "/a", state="exited", created=1)
    new = entry("b-celery-worker-1", "celery-worker", "b", "/b", state="exited", created=2)
    assert chosen(old, new) == {"b-celery-worker-1": Role.DIARIZER}


def test_what_compose_run_left_behind_is_no_worker() -> None:
    left = entry("ot-celery-worker-run-5f3a", "celery-worker", "ot", "/srv/ot", state="exited", oneoff="True")
    assert chosen(left) == {}


@pytest.mark.parametrize("name", ["odd-one", "odd-service", "odd-one000000"])
def test_named_workers_are_the_diarizers(name: str) -> None:
    odd = entry("odd-one", "odd-service", "ot", "/srv/ot", image="mine:1")
    worker = entry("opentranscribe-celery-worker", "celery-worker", "ot", "/srv/ot")
    other = entry("b-celery-worker-1", "celery-worker", "b", "/b")
    roles = chosen(odd, worker, other, named=(name,))
    assert roles == {"odd-one": Role.DIARIZER, "opentranscribe-celery-worker": Role.CELERY}


def test_a_name_that_matches_nothing_says_what_there_is() -> None:
    with pytest.raises(Unavailable, match=r"'celery-wroker' \(--worker\)\. There are: opentranscribe-celery-worker\."):
        chosen(entry("opentranscribe-celery-worker", "celery-worker", "ot", "/srv/ot"), named=("celery-wroker",))
    with pytest.raises(Unavailable, match="no container of OpenTranscribe at all"):
        chosen(named=("x",))


@pytest.mark.parametrize("odd", [{}, {"Names": None, "Labels": None, "Created": "x"}, {"Names": [7], "Labels": [1], "Id": 3}])
def test_odd_entries_of_the_list_are_no_reason_to_crash(odd: dict[str, Any]) -> None:
    assert chosen(odd) == {}


# -- the engine itself -----------------------------------------------------------------------------------------------

COMPOSE = """\
name: ot-test
services:
  celery-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    container_name: opentranscribe-celery-worker
    network_mode: host
    env_file: .env
    volumes: ["./models:/home/appuser/.cache/huggingface"]
  celery-worker-gpu-scaled:
    image: davidamacey/opentranscribe-backend:v0.4.1
    network_mode: host
    env_file: .env
  celery-cpu-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    container_name: opentranscribe-celery-cpu-worker
    network_mode: host
  postgres:
    image: busybox
    container_name: opentranscribe-postgres
    network_mode: host
    command: ["sleep", "3600"]
"""


def examined(engine: RealEngine, installation: Installation = NOWHERE, **options: Any) -> Workers:
    return source.gather(Request(environ={"DOCKER_HOST": engine.host}, **options), installation)


@pytest.mark.engine
def test_no_containers_are_no_error(clean_engine: RealEngine) -> None:
    found = examined(clean_engine)
    assert found.containers == () and found.engine.endpoint == clean_engine.host


@pytest.mark.engine
def test_a_stack_that_compose_started(clean_engine: RealEngine, tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(COMPOSE)
    (tmp_path / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\n")
    clean_engine.compose(tmp_path, "up", "--detach")
    found = examined(clean_engine, Installation(tmp_path, "the working folder"))
    assert [worker.name for worker in found.containers] == [
        "opentranscribe-celery-worker", "ot-test-celery-worker-gpu-scaled-1", "opentranscribe-celery-cpu-worker"
    ]  # fmt: skip
    worker = found.diarizers[0]
    assert worker.running and worker.env["HUGGINGFACE_TOKEN"] == Secret(TOKEN)
    assert worker.compose.working_dir == str(tmp_path)
    assert worker.mounts == (Mount("bind", str(tmp_path / "models"), "/home/appuser/.cache/huggingface", writable=True),)
    assert "PYTHONWARNINGS" in worker.image_env_names and "HUGGINGFACE_TOKEN" not in worker.image_env_names

    clean_engine.docker("stop", "opentranscribe-celery-worker")
    found = examined(clean_engine)
    assert [(worker.name, worker.status) for worker in found.diarizers] == [
        ("ot-test-celery-worker-gpu-scaled-1", "running"), ("opentranscribe-celery-worker", "exited")
    ], "running ones first"  # fmt: skip


@pytest.mark.engine
def test_a_worker_whose_image_is_gone(clean_engine: RealEngine) -> None:
    image = clean_engine.import_image("opentranscribe-backend:gone", env={"A": "1"})
    clean_engine.docker("create", "--network", "none", "--name", "opentranscribe-celery-worker", "opentranscribe-backend:gone")
    clean_engine.docker("image", "rm", "--force", image)
    (worker,) = examined(clean_engine).diarizers
    assert (worker.status, worker.image) == ("created", "opentranscribe-backend:gone")
    assert worker.env["A"] == "1" and worker.image_env_names == frozenset()


@pytest.mark.engine
def test_containers_that_go_away_meanwhile_are_left_out(clean_engine: RealEngine) -> None:
    clean_engine.docker("create", "--network", "none", "--name", "opentranscribe-celery-worker", BACKEND)
    asked = Request(environ={"DOCKER_HOST": clean_engine.host})
    client, found = connect(asked)
    listed = [one for item in client.api.containers(all=True) if (one := source.from_list(item))]
    clean_engine.docker("rm", "opentranscribe-celery-worker")
    assert source.inspected(client, found, asked, [(one, Role.DIARIZER) for one in listed]) == []
    assert len(listed) == 1
    client.close()
