"""What the worker sees from inside, beside what this machine sees: a real engine, the worker's own Python, Hubs on both sides."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ot_doctor.check import Status
from ot_doctor.evidence import Answer, Stage, Unavailable, WorkerProbe
from tests.parts.engine import Engine
from tests.parts.hub import LocalHub, make_certificate, pyannote_hub
from tests.parts.proxy import engine_proxy, switches
from tests.parts.python_image import TAG

from .inside import CONTAINER, Inside
from .scenario import TOKEN, UNKNOWN_TOKEN

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def inside(engine: Engine, python_worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    place = Inside(engine, tmp_path_factory.mktemp("opentranscribe"))
    yield place
    place.down()


@pytest.fixture(scope="module")
def here() -> Iterator[LocalHub]:
    """The Hub on this machine's loopback."""
    with pyannote_hub(token=TOKEN) as hub:
        yield hub


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ca")
    path = make_certificate(folder)
    path.chmod(0o644)
    return path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def port_of(hub: LocalHub) -> int:
    return int(hub.url.rpartition(":")[2])


def test_the_machines_own_loopback_is_not_the_workers(inside: Inside, here: LocalHub) -> None:
    inside.up(env={"HF_ENDPOINT": here.url})
    before = inside.processes()
    since = time.time()
    seen = inside.look()
    assert inside.processes() == before, "nothing is left"
    events = inside.engine.docker("events", f"--since={since}", f"--until={time.time()}", "--format={{.Action}}").splitlines()
    (started,) = [event for event in events if event.startswith("exec_create") and "eval" in event]
    assert len(started) < 100, "one short line in the engine's events"
    assert not [event for event in events if "ot-doctor-probe" in event]
    assert seen.causes == ["network-refused"] and "This machine reaches it." in seen.said()
    (finding,) = seen.findings("worker-network")
    assert "host.docker.internal" in finding.remedy[0].text and "host-gateway" in finding.remedy[1].text
    assert (seen.probe.user, seen.probe.uid) == ("appuser", 1000)
    assert seen.probe.libraries == {"torch": "2.8.0", "pyannote.audio": "4.0.5", "huggingface_hub": "0.36.2"}
    assert seen.took < 5.0
    shown = inside.doctor("probe")
    assert shown.returncode == 1 and "connect    ✗ Connection refused" in shown.stdout and TOKEN[3:] not in shown.stdout
    document = json.loads(inside.doctor("run", "--format", "json").stdout)
    assert "network-refused" in [root["cause"] for root in document["diagnosis"]]
    assert "worker-network" not in inside.doctor("run", "--probe", "off", "-q").stdout


def test_a_worker_with_its_own_way_to_the_hub(inside: Inside, here: LocalHub, tmp_path: Path) -> None:
    """A Hub that only the worker reaches; a name that only the worker knows; a storage that only the worker does not reach."""
    port = free_port()
    inside.up("--add-host", "only.inside:127.0.0.1", env={"HF_ENDPOINT": f"http://127.0.0.1:{port}"})
    inside.serve(port)
    seen = inside.look()
    assert seen.status("worker-network") is Status.PASS and "This machine does not" in seen.said()
    assert seen.probe.inside and seen.probe.inside.token_sent
    assert {answer.answer for answer in seen.probe.inside.files} == {Answer.OK}

    inside.up("--add-host", "only.inside:127.0.0.1", env={"HF_ENDPOINT": f"http://only.inside:{port}"})
    inside.serve(port)
    seen = inside.look()
    assert seen.status("worker-network") is Status.PASS and seen.probe.here and seen.probe.here.fallen
    assert seen.probe.here.fallen.stage is Stage.NAMES and not seen.probe.inside.token_sent  # type: ignore[union-attr]

    (tmp_path / "hosts").write_text("")
    inside.up("-v", f"{tmp_path}/hosts:/etc/hosts:ro", env={"HF_ENDPOINT": here.url})
    inside.serve(port_of(here))
    seen = inside.look()  # both Hubs send to "localhost" for large files
    assert seen.causes == ["network-dns"] and seen.diagnosis[0].subject == "localhost", seen.said()

    named = here.url.replace("127.0.0.1", "localhost")
    inside.up("-v", f"{tmp_path}/hosts:/etc/hosts:ro", env={"HF_ENDPOINT": named})
    seen = inside.look()
    assert seen.causes == ["network-dns"] and seen.diagnosis[0].subject == named
    assert seen.took < 12.0


def test_a_proxy_that_only_the_worker_has(inside: Inside, here: LocalHub, certificate: Path) -> None:
    inside.up(env={"HF_ENDPOINT": here.url, "HTTP_PROXY": "http://someone:secret-word@127.0.0.1:9"})
    seen = inside.look()
    assert seen.causes == ["network-proxy"] and "secret-word" not in repr(seen)
    assert seen.probe.inside and seen.probe.inside.proxy == "http://127.0.0.1:9"
    with pyannote_hub(token=TOKEN, certificate=certificate) as encrypted:
        inside.up(env={"HF_ENDPOINT": encrypted.url, "HTTPS_PROXY": "http://127.0.0.1:3128"})
        inside.refuse(3128)
        seen = inside.look({"REQUESTS_CA_BUNDLE": str(certificate), "SSL_CERT_FILE": str(certificate)})
    assert seen.causes == ["network-proxy"] and "407 Proxy Authentication Required" in seen.said()


def test_a_private_certificate_that_one_side_trusts(inside: Inside, certificate: Path) -> None:
    trust = {"REQUESTS_CA_BUNDLE": str(certificate), "SSL_CERT_FILE": str(certificate)}
    mount = ("-v", f"{certificate}:/hub.pem:ro")
    with pyannote_hub(token=TOKEN, certificate=certificate) as encrypted:
        inside.up(*mount, env={"HF_ENDPOINT": encrypted.url})
        inside.serve(port_of(encrypted), "tls")
        seen = inside.look(trust)
        assert seen.causes == ["network-tls"], seen.said()
        steps = " ".join(step.text for step in seen.diagnosis[0].remedy)
        assert "'a local hub'" in steps and "SSL_CERT_FILE=/ca.pem" in steps

        inside.up(*mount, env={"HF_ENDPOINT": encrypted.url, "REQUESTS_CA_BUNDLE": "/hub.pem"})
        inside.serve(port_of(encrypted), "tls")
        seen = inside.look({})
        assert seen.status("worker-network") is Status.PASS and seen.causes == []
        assert seen.probe.inside and seen.probe.inside.trusted == "REQUESTS_CA_BUNDLE=/hub.pem"
        assert seen.probe.here and seen.probe.here.fallen and seen.probe.here.fallen.answer is Answer.TLS

        inside.up(*mount, env={"HF_ENDPOINT": encrypted.url, "REQUESTS_CA_BUNDLE": "/not/there.pem"})
        inside.serve(port_of(encrypted), "tls")
        assert "REQUESTS_CA_BUNDLE names /not/there.pem, which is not there" in inside.look(trust).said()


def test_process_1_has_another_token_or_none(inside: Inside) -> None:
    port = free_port()
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{port}"}
    inside.up(env=env, command=("sh", "-c", f"export HUGGINGFACE_TOKEN={UNKNOWN_TOKEN}; exec sleep 600"))
    inside.serve(port)
    seen = inside.look()
    assert seen.causes == ["env-shadowed"] and seen.probe.process.differs == ("HUGGINGFACE_TOKEN",), seen.said()
    assert UNKNOWN_TOKEN[3:] not in repr(seen)

    inside.up(env=env, command=("sh", "-c", "unset HUGGINGFACE_TOKEN; exec sleep 600"))
    inside.serve(port)
    seen = inside.look()
    assert seen.causes == ["token-missing"] and seen.probe.process.removed == ("HUGGINGFACE_TOKEN",), seen.said()
    assert seen.probe.inside and not seen.probe.inside.token_sent

    inside.up(env=env | {"HUGGINGFACE_TOKEN": ""}, command=("sh", "-c", f"export HUGGINGFACE_TOKEN={TOKEN}; exec sleep 600"))
    inside.serve(port)
    seen = inside.look()
    assert seen.causes == [] and "and the Hub accepts it" in seen.said()


def test_a_clock_an_hour_off(inside: Inside) -> None:
    port = free_port()
    inside.up(env={"HF_ENDPOINT": f"http://127.0.0.1:{port}"})
    inside.serve(port, "ahead")
    seen = inside.look()
    assert seen.status("worker-clock") is Status.WARN and "60 min behind the Hub's" in seen.said()


def test_narrow_containers(inside: Inside, here: LocalHub, tmp_path: Path) -> None:
    """Few processes, no rights, a file system that cannot be written to, a module that shadows the library's."""
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')\n")
    narrow = ("--pids-limit", "4", "--cap-drop", "ALL", "--read-only", "--security-opt", "no-new-privileges")
    inside.up(*narrow, "-v", f"{tmp_path}/json.py:/app/json.py:ro", "--user", "4321", env={"HF_ENDPOINT": here.url})
    seen = inside.look()
    assert seen.causes == ["network-refused"] and seen.probe.incomplete == (), seen.said()
    assert (seen.probe.user, seen.probe.uid) == ("", 4321)


def test_too_little_memory_is_left_alone(inside: Inside, here: LocalHub) -> None:
    eat = "python3 -c 'b = bytearray(40 << 20); import time; time.sleep(600)'"
    inside.up("--memory", "64m", env={"HF_ENDPOINT": here.url}, command=("sh", "-c", eat))
    time.sleep(1.0)
    seen = inside.look()
    assert isinstance(seen.evidence, Unavailable) and "too little memory left" in seen.evidence.reason
    assert seen.status("worker-network") is Status.UNKNOWN and seen.causes == []
    assert inside.engine.docker("inspect", "--format={{.State.OOMKilled}} {{.State.Running}}", CONTAINER) == "false true"


def test_workers_in_which_nothing_can_be_run(inside: Inside, here: LocalHub) -> None:
    """No Python, paused, stopped: a skip with the reason, and never a failure."""
    inside.up(env={"HF_ENDPOINT": here.url}, image="davidamacey/opentranscribe-backend:v0.4.1")
    seen = inside.look()
    assert seen.status("worker-network") is Status.SKIP and "There is no Python in" in seen.said()
    inside.up(env={"HF_ENDPOINT": here.url})
    inside.engine.do(CONTAINER, "pause")
    try:
        seen = inside.look()
    finally:
        inside.engine.do(CONTAINER, "unpause")
    assert seen.status("worker-network") is Status.SKIP and "is not running" in seen.said()
    inside.engine.do(CONTAINER, "kill")
    assert inside.look().status("worker-network") is Status.SKIP


def test_a_fake_driver_library(inside: Inside, here: LocalHub, tmp_path: Path) -> None:
    """NVML's answers, from a library that is compiled here: a GPU that answers, and one that was lost."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make the library with")
    source = Path(__file__).with_name("fake_nvml.c")
    for name, code in (("good", 0), ("lost", 999)):
        subprocess.run([compiler, "-shared", "-fPIC", f"-DCODE={code}", "-o", tmp_path / f"{name}.so", source], check=True)
    for name, status in (("good", Status.PASS), ("lost", Status.FAIL)):
        library = ("-v", f"{tmp_path}/{name}.so:/usr/lib/libnvidia-ml.so.1:ro")
        inside.up("--device", "/dev/null:/dev/nvidia0", *library, env={"HF_ENDPOINT": here.url, "LD_LIBRARY_PATH": "/usr/lib"})
        seen = inside.look(gpu=True)
        assert seen.probe.devices == ("nvidia0",)
        assert seen.status("gpu-answers") is status, seen.said()
    assert "Unknown Error" in seen.said() and "gpu-unavailable" in seen.causes


def test_a_client_that_is_killed_leaves_nothing(inside: Inside) -> None:
    """The probe waits for a Hub that never answers; the doctor is killed meanwhile."""
    port = free_port()
    inside.up(env={"HF_ENDPOINT": f"http://127.0.0.1:{port}"})
    silent = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
    inside.background(silent, port)
    before = inside.processes()
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; from tests.parts.engine import Engine\n"
        "from ot_doctor.evidence import Request, WorkerProbe\nfrom ot_doctor.sources.store import Store\n"
        "Store(Request(environ={'DOCKER_HOST': sys.argv[1]}, directory=Path(sys.argv[3]))).get(WorkerProbe)\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    doctor = subprocess.Popen([sys.executable, "-c", program, inside.engine.host, root, str(inside.folder)])
    until = time.monotonic() + 20
    while inside.processes() == before:
        assert time.monotonic() < until, "the probe did not begin"
    doctor.kill()
    doctor.wait()
    until = time.monotonic() + 12
    while inside.processes() != before:
        assert time.monotonic() < until, inside.processes()
        time.sleep(0.2)


def test_a_file_that_never_opens(inside: Inside, certificate: Path, tmp_path: Path) -> None:
    """A pipe that nobody writes to stands for a dead network share: whoever opens it waits for ever."""
    os.mkfifo(tmp_path / "ca.pem", 0o644)
    port = free_port()
    mounts = ("-v", f"{certificate}:/hub.pem:ro", "-v", f"{tmp_path}/ca.pem:/ca.pem")
    inside.up(*mounts, env={"HF_ENDPOINT": f"https://127.0.0.1:{port}", "REQUESTS_CA_BUNDLE": "/ca.pem"})
    inside.serve(port, "tls")
    before = inside.processes()
    seen = inside.look()
    assert seen.took < 9.0 and inside.processes() == before, "it ends in time, and nothing is left"
    assert seen.status("worker-network") in (Status.FAIL, Status.WARN, Status.UNKNOWN), seen.said()
    assert seen.probe.libraries and seen.status("process-environment") is Status.PASS, "the rest is told all the same"


def test_deep_tries_to_write_and_leaves_no_file(inside: Inside, here: LocalHub) -> None:
    inside.up("--tmpfs", "/home/appuser/.cache/huggingface:uid=1000", env={"HF_ENDPOINT": here.url})
    seen = inside.look(probe="deep")
    assert seen.status("cache-write-test") is Status.PASS, seen.said()
    assert inside.engine.execute(CONTAINER, "ls", "-A", "/home/appuser/.cache/huggingface") == ""
    inside.up("--read-only", env={"HF_ENDPOINT": here.url})
    seen = inside.look(probe="deep")
    assert seen.status("cache-write-test") is Status.WARN and "Read-only file system" in seen.said()
    assert isinstance(seen.evidence, WorkerProbe)


def test_exec_that_a_socket_proxy_refuses(inside: Inside, here: LocalHub, tmp_path: Path) -> None:
    inside.up(env={"HF_ENDPOINT": here.url})
    with engine_proxy(inside.engine.socket, switches("CONTAINERS", "INFO", "IMAGES"), at=tmp_path / "proxy.sock") as proxy:
        seen = inside.look({"DOCKER_HOST": proxy.address})
    assert seen.status("worker-network") is Status.SKIP and "does not allow to run a command" in seen.said()
    assert isinstance(seen.evidence, Unavailable) and "EXEC=1" in seen.evidence.reason


def test_libraries_are_imported_beside_a_worker_that_cannot_start(inside: Inside, here: LocalHub, tmp_path: Path) -> None:
    """One import that fails, one that ends the process: in a container of its own, which is gone afterwards."""
    (tmp_path / "torch.py").write_text("class version: cuda = None\n__version__ = '2.8.0+cpu'\n")
    (tmp_path / "torchaudio.py").write_text("print('noise')\nimport torch\ntorch.no_such_thing\n")
    (tmp_path / "ctranslate2.py").write_text("import os\nos.abort()\n")
    site = inside.engine.docker("run", "--rm", "--network", "none", TAG, "python3", "-m", "site", "--user-site")
    mounts = [part for path in tmp_path.iterdir() for part in ("-v", f"{path}:{site}/{path.name}:ro")]
    inside.up(*mounts, "--restart", "always", env={"HF_ENDPOINT": here.url}, command=("false",))
    before = inside.engine.containers()
    seen = inside.look(probe="deep")
    assert inside.engine.containers() == before, "nothing is left"
    assert {"lib-mismatch", "worker-crashed"} <= set(seen.causes), seen.said()
    assert "torchaudio cannot be imported" in seen.said() and "(torchaudio.py:3)" in seen.said()
    assert "Importing ctranslate2" in seen.said() and "pyannote.audio cannot be imported" in seen.said()


def test_a_worker_that_needs_no_hub_is_not_kept_waiting(inside: Inside) -> None:
    """A Hub that never answers, and a worker that must not ask it."""
    port = free_port()
    inside.up(env={"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HUB_OFFLINE": "1"})
    silent = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
    inside.background(silent, port)
    seen = inside.look()
    assert seen.status("worker-network") is Status.SKIP and seen.causes == [], seen.said()
    assert seen.status("process-environment") is Status.PASS and seen.took < 4.0
