"""A private Docker engine for one test run, beside whatever else the machine runs.

The engine lives in namespaces of its own: processes (so that killing one process ends every container, whatever
happened), mounts (so that nothing stays mounted), and network (so that its bridge and its firewall rules meet
nobody else's). Several of them, and the machine's own Docker, can therefore run at the same time. Bind mounts still
mean the machine's own folders, as they do for a user.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import quote

from docker import APIClient

from . import images, python_image

# Where an engine's folder is: short, because the path of a socket may have 107 bytes at most.
MEMORY, _DISK = Path("/dev/shm"), Path("/tmp")
_ROOM = 3 * 2**30  # bytes that there must be in memory
_PREFIX = "otd-engine-"

#: Variables of the caller's shell that would point its Docker or its Compose somewhere else.
_FOREIGN = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION", "DOCKER_DEFAULT_PLATFORM")

# Runs as process 2 of the new namespaces. An empty /run hides the machine's own containerd, which dockerd would
# otherwise join, and keeps sockets and locks with fixed names to ourselves.
_LAUNCH = 'set -e; mount -t tmpfs tmpfs /run; "$1" ip link set lo up; "$1" hostname "$2"; shift 2; exec "$@"'


def parts_folder() -> Path:
    """Where tests/parts/install.sh puts the programs: OT_DOCTOR_PARTS, or .parts at the root of the repository."""
    named = os.environ.get("OT_DOCTOR_PARTS")
    return Path(named).resolve() if named else Path(__file__).resolve().parents[2] / ".parts"


def why_not() -> str | None:
    """Why no engine can be started here, in words for a skipped test; None when it can."""
    if sys.platform != "linux":
        return "a private Docker engine needs Linux"
    root = parts_folder() / "root"
    if not (root / "busybox").exists():
        return f"no engine in {root.parent}: run tests/parts/install.sh as root"
    if os.geteuid() != 0:
        return "a private Docker engine needs root"
    tried = subprocess.run(_unshare("true"), capture_output=True, text=True)
    if tried.returncode != 0:
        return f"namespaces are not permitted here: {tried.stderr.strip()}"
    return None


def has_room(folder: Path) -> bool:
    """Whether tests may keep their files there: in memory a container takes a fifth less processor time than on a disk."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return False
    return os.path.ismount(folder) and told.f_bavail * told.f_frsize > _ROOM and not told.f_flag & os.ST_NOEXEC


class EngineError(RuntimeError):
    """The engine did not start, or a command to it failed; the text has its log or its output."""


class Engine:
    """A running dockerd of our own. Use it as a context manager, or call `start` and `stop`.

    The engine dies with the thread that started it, so that a killed test run leaves none behind.
    """

    def __init__(self, *, deadline: float = 60.0, hostname: str = "", place: Path | None = None) -> None:
        self._deadline = deadline
        self._hostname = hostname or socket.gethostname()
        self._place = place or (MEMORY if has_room(MEMORY) else _DISK)
        self._root = parts_folder() / "root"
        self._home: Path | None = None
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # -- what a test needs to know ---------------------------------------------------------------

    @property
    def home(self) -> Path:
        """The folder that holds everything of this engine; it goes with it."""
        if self._home is None:
            raise EngineError("the engine is not running")
        return self._home

    @property
    def socket(self) -> Path:
        return self.home / "docker.sock"

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        """What the engine itself has logged so far."""
        return (self.home / "dockerd.log").read_text(errors="replace")

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of a shell whose `docker` and `docker compose` are these; `base` is os.environ by default."""
        env = dict(os.environ if base is None else base)
        for name in [name for name in env if name in _FOREIGN or name.startswith("COMPOSE_")]:
            del env[name]
        env["DOCKER_HOST"] = self.host
        env["DOCKER_CONFIG"] = str(self.home / "config")
        env["PATH"] = f"{self.home / 'bin'}:{env.get('PATH', os.defpath)}"
        return env

    # -- its life --------------------------------------------------------------------------------

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the engine and returns when it answers; raises EngineError with its log when it does not."""
        if reason := why_not():
            raise EngineError(reason)
        _sweep()
        self._home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._place))
        self._lock = _hold(self._home)
        self._prepare_client()
        try:
            with (self._home / "dockerd.log").open("wb") as log:
                self._process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._engine_environment(),
                    start_new_session=True,
                )
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the engine and all its containers at once, and removes its folders. Safe to call twice."""
        if self._process is not None:
            # The death of the namespace's first process takes everything with it; nothing is left to ask politely.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._home is not None:
            _remove(self._home)
            self._home = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # -- what a test does with it ----------------------------------------------------------------

    def run(
        self,
        *command: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        timeout: float = 120.0,
        stdin: bytes | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as a user of this engine would: `engine.run("docker", "compose", "up", "-d", cwd=project)`."""
        environment = self.environment(env)
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        raw = subprocess.run(
            [program, *command[1:]], cwd=cwd, env=environment, input=stdin or b"", capture_output=True, timeout=timeout
        )
        done = subprocess.CompletedProcess(
            raw.args, raw.returncode, raw.stdout.decode(errors="replace"), raw.stderr.decode(errors="replace")
        )
        if check and done.returncode != 0:
            raise EngineError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def docker(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> str:
        """What `docker ARGUMENTS` prints, without the line's end."""
        return self.run("docker", *arguments, check=check, stdin=stdin).stdout.strip()

    def compose(self, project: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """What `docker compose ARGUMENTS` prints in the project's folder.

        Without `docker` before it, which would start it twice: first to ask what it is.
        """
        return self.run("docker-compose", *arguments, cwd=project, env=env).stdout.strip()

    def inspect(self, container: str) -> dict[str, Any]:
        """What `docker inspect` prints of one container."""
        told: dict[str, Any] = self.ask("GET", f"/containers/{container}/json")
        return told

    def containers(self, label: str = "") -> list[str]:
        """The ids of all containers, or of those with a label, which is a name or NAME=VALUE."""
        filters = quote(json.dumps({"label": [label]} if label else {}))
        return [str(one["Id"]) for one in self.ask("GET", f"/containers/json?all=1&filters={filters}")]

    def do(self, container: str, what: str) -> None:
        """`docker start CONTAINER`, or what else it is called."""
        if told := self.ask("POST", f"/containers/{container}/{what}"):
            raise EngineError(told["message"])

    def remove(self, container: str) -> None:
        """With its unnamed volumes, whatever it does; no error where it is gone."""
        self.ask("DELETE", f"/containers/{container}?force=1&v=1")

    def revive(self, container: str) -> None:
        """Start it, or let it go on; whatever it was, it runs then."""
        self.do(container, "unpause" if self.inspect(container)["State"]["Paused"] else "start")

    def execute(self, container: str, *command: str, user: str = "") -> str:
        """What a command prints in a running container, without the line's end."""
        with contextlib.closing(APIClient(base_url=self.host, version="auto", timeout=60)) as api:
            made = str(api.exec_create(container, list(command), user=user)["Id"])
            printed = api.exec_start(made).decode(errors="replace")
            if code := api.exec_inspect(made)["ExitCode"]:
                raise EngineError(f"{' '.join(command)} ended with {code} in {container}:\n{printed}")
        return printed.strip()

    def cable(self, other: Engine) -> tuple[str, str]:
        """Lays a cable to another engine: the addresses of this one's and of the other one's end."""
        assert self._process is not None and other._process is not None
        ends = ("10.99.0.1", "10.99.0.2")
        for engine, command in (
            (self, "link add otd type veth"),  # its other end is called veth0
            (self, f"link set veth0 netns {other._process.pid}"),
            (self, f"addr add {ends[0]}/24 dev otd"),
            (self, "link set otd up"),
            (other, f"addr add {ends[1]}/24 dev veth0"),
            (other, "link set veth0 up"),
        ):
            network = f"--net=/proc/{engine._process.pid}/ns/net"  # type: ignore[union-attr]
            subprocess.run(["nsenter", network, "--", str(self._root / "busybox"), "ip", *command.split()], check=True)
        return ends

    def import_image(
        self,
        tag: str,
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = "appuser",
        workdir: str | None = "/app",
        labels: Mapping[str, str] | None = None,
        exec_healthcheck: Sequence[str] | str | None = None,
        command: Sequence[str] | None = None,
    ) -> str:
        """Makes an image that plays the OpenTranscribe backend, and returns its id."""
        lines = images.changes(
            env=env,
            user=user,
            workdir=workdir,
            labels=labels,
            exec_healthcheck=exec_healthcheck,
            command=command or ["celery"],
        )
        return self._import(tag, images.backend_rootfs(self._root / "busybox"), lines)

    def import_backends(self) -> None:
        """The backend image of every release line under its real names (see images.BACKEND_TAGS)."""
        for tag, line in images.BACKEND_TAGS.items():
            self.import_image(f"{images.BACKEND}:{tag}", env=images.backend_image_env(line))

    def import_python_worker(self, tag: str = python_image.TAG, line: images.Line = "v0.4") -> None:
        """The backend image of a release line with a real Python (see python_image)."""
        env = images.backend_image_env(line)
        lines = images.changes(env=env, user="appuser", workdir="/app", command=["celery"])
        self._import(tag, python_image.python_rootfs(self._root / "busybox"), lines)

    def import_busybox(self, tag: str = "busybox:latest") -> str:
        """The small public image that remedies such as `docker run --rm -v … busybox chown …` want."""
        return self._import(tag, images.plain_rootfs(self._root / "busybox"), images.changes(command=["sh"]))

    def until_oom_killed(self, container: str) -> None:
        """Starts a container that eats its memory again until the engine has noted why it died.

        The kernel's notice and the container's exit race each other, and the engine forgets a notice that comes second.
        """
        for _ in range(10):
            self.docker("wait", container)
            if self.docker("inspect", "--format={{.State.OOMKilled}}", container) == "true":
                return
            self.docker("start", container)
        raise EngineError(f"{container} was never noted as killed for memory")

    def clear(self) -> None:
        """Removes every container, volume and network that a test made; the images stay."""
        if containers := self.containers():
            # Side by side, as the engine's own client does it: most of a removal is waiting for processes to end.
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(self.remove, containers))
        self.ask("POST", "/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D")
        self.ask("POST", "/networks/prune")

    def ask(self, method: str, path: str) -> Any:
        """What the engine's interface answers, read as JSON."""
        text = self.answer(method, path)
        return json.loads(text) if text else None

    def answer(self, method: str, path: str) -> str:
        """The same as text. By the socket: each start of `docker` takes longer than what the engine does."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(60)
            connection.sock.connect(str(self.socket))
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400 and answer.status not in (404, 409):  # gone meanwhile, or about to go
            raise EngineError(f"{method} {path}: {answer.status} {text}")
        return text

    # -- how it is done --------------------------------------------------------------------------

    def _import(self, tag: str, rootfs: bytes, lines: list[str]) -> str:
        options = [part for line in lines for part in ("--change", line)]
        return self.docker("import", *options, "-", tag, stdin=rootfs)

    def _prepare_client(self) -> None:
        for name in ("bin", "config/cli-plugins"):
            (self.home / name).mkdir(parents=True)
        (self.home / "config" / "config.json").write_text("{}\n")
        compose = self._root / "usr/libexec/docker/cli-plugins/docker-compose"
        (self.home / "config/cli-plugins/docker-compose").symlink_to(compose)
        (self.home / "bin/docker-compose").symlink_to(compose)
        (self.home / "bin/docker").symlink_to(self._root / "usr/bin/docker")

    def _engine_environment(self) -> dict[str, str]:
        own = ":".join(str(self._root / folder) for folder in ("usr/sbin", "usr/bin"))
        # Without the caller's proxies and Docker settings: the engine never has to reach anything.
        return {"PATH": f"{own}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home), "TMPDIR": str(self.home)}

    def _command(self) -> list[str]:
        home = self.home
        (home / "daemon.json").write_text("{}\n")
        dockerd = [
            "dockerd",
            f"--config-file={home / 'daemon.json'}",
            f"--host={self.host}",
            f"--data-root={home / 'data'}",
            f"--exec-root={home / 'exec'}",
            f"--pidfile={home / 'dockerd.pid'}",
            f"--cgroup-parent=/{home.name}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--group=root",
        ]
        if not _firewall_works():
            dockerd += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"]
        launch = ["docker-init", "--", "sh", "-c", _LAUNCH, "launch", str(self._root / "busybox"), self._hostname, *dockerd]
        # A killed test run cannot clean up: the kernel then ends the engine with it.
        return ["setpriv", "--pdeathsig=KILL", *_unshare(*launch)]

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + self._deadline
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise EngineError(f"dockerd ended with {self._process.returncode}:\n{self.log[-4000:]}")
            if _answers(self.socket):
                return
            time.sleep(0.05)
        raise EngineError(f"dockerd did not answer in {self._deadline:g} s:\n{self.log[-4000:]}")


def _unshare(*command: str) -> list[str]:
    return [
        "unshare", "--mount", "--propagation=slave", "--net", "--uts", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
        "--", *command,
    ]  # fmt: skip


def _firewall_works() -> bool:
    """Whether iptables can be used in a fresh network namespace; some kernels lack the modules."""
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        rule = ["unshare", "--net", "iptables", "--wait", "-t", "nat", "-N", "OTD"]
        return subprocess.run(rule, env=path, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(5)
            asking.connect(str(path))
            asking.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in asking.recv(100)
    except OSError:
        return False


def _hold(home: Path) -> IO[str]:
    """A lock that lasts as long as this process: a folder whose lock is free was left by a killed run."""
    lock = (home / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _sweep() -> None:
    for home in (*MEMORY.glob(f"{_PREFIX}*"), *_DISK.glob(f"{_PREFIX}*")):
        with contextlib.suppress(OSError), (home / "lock").open() as lock:
            # One that is being made right now may not hold its lock yet.
            if time.time() - home.stat().st_mtime > 60:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(home)


def _remove(home: Path) -> None:
    """Removes the folders; the last killed process may need a moment before it lets go of them."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        shutil.rmtree(home, ignore_errors=True)
        for folder in _cgroups(home.name):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if not home.exists() and not any(_cgroups(home.name)):
            return
        time.sleep(0.05)


def _cgroups(name: str) -> Iterator[Path]:
    """The engine's control groups, innermost first: cgroup v2 has one tree, v1 one for each controller."""
    tree = Path("/sys/fs/cgroup")
    for top in [tree / name, *tree.glob(f"*/{name}")]:
        for folder, _, _ in os.walk(top, topdown=False):
            yield Path(folder)
