"""The laboratory: a worker in namespaces of its own, where huggingface.co is a local Hub. Runs as root.

`python -m tests.corpus.lab NAME FOLDER`, started by `make` within `unshare`, leaves the log of that case in the folder.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.parts import hub as parts
from tests.parts.hub import Account, LocalHub, Token
from tests.parts.hub_answers import Answer

from . import venvs, xet
from .case import OTHER_TOKEN, TOKEN, Run

USER = 1000
GROUP = 999
HOME = "/home/appuser"
HUB_NAMES = ("huggingface.co", "cdn-lfs.hf.co", *xet.HOSTS)
_HERE = Path(__file__).parent
_END = re.compile(r"Task (?:handler raised error|\S+\[(?P<id>[0-9a-f-]+)\] (?:succeeded in|raised unexpected))")


class LabHub(LocalHub):
    """The local Hub under the real one's name and port."""

    failing: tuple[int, bytes] | None = None  #: a status and a body for every request
    storage: xet.Storage | None = None  #: large files are in Xet, not on the older host

    @property
    def url(self) -> str:
        return "https://huggingface.co"

    def start(self) -> None:
        self._server = parts._Server(("127.0.0.1", 443), _LabHandler)
        self._server.hub = self
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        if self.storage is not None:
            plain = parts._Server(("127.0.0.1", 80), _LabHandler)
            plain.hub = self
            threading.Thread(target=plain.serve_forever, args=(0.02,), daemon=True).start()


class _LabHandler(parts._Handler):
    def _serve(self) -> None:
        if sent := self.headers.get("Authorization"):
            self.headers.replace_header("Authorization", sent.strip())  # as HTTP has it, and the real one does
        hub = self.server.hub
        assert isinstance(hub, LabHub)
        if hub.failing is not None:
            self._send(Answer(hub.failing[0], hub.failing[1], "text/html"), cut=False)
            return
        answer = hub.storage.answer(self.headers.get("Host", ""), self.path, self.headers.get("Range")) if hub.storage else None
        if answer is not None:
            self._send(answer, cut=hub.storage is not None and hub.storage.cuts(self.path))
        else:
            super()._serve()

    def _send(self, answer: Answer, *, cut: bool) -> None:
        hub = self.server.hub
        if isinstance(hub, LabHub) and hub.storage is not None:
            hub.storage.announce(answer)
        # Large files lie on another host, and a client drops its token on the way there.
        if "/lfs/" in answer.headers.get("Location", ""):
            answer.headers["Location"] = answer.headers["Location"].replace("huggingface.co", "cdn-lfs.hf.co")
        answer.headers.setdefault("X-Request-Id", f"Root=1-691fc1d2-{secrets.token_hex(12)};{uuid.uuid4()}")
        super()._send(answer, cut=cut)


class Lab:
    """What a case may change before its worker starts, and do while it runs."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.root = folder / "root"
        self.log = folder / "log"
        self.hosts = dict.fromkeys(HUB_NAMES, "127.0.0.1")
        self.resolver = ""
        self.trusted = True
        self.certificate_names: Sequence[str] = HUB_NAMES
        self.env = dict(run.env)
        self.hub = LabHub(
            parts.pyannote_repos(), [Token(TOKEN, Account("ada")), Token(OTHER_TOKEN, Account("ada"), revoked=True)]
        )
        for repo in self.hub.repos.values():
            if repo.gated:
                repo.accepted.add("ada")
        if run.venv.startswith("pyannote"):
            for path in venvs.models().glob("*/*/**/*.*"):
                organisation, name, *inside = path.relative_to(venvs.models()).parts
                self.hub.repos[f"{organisation}/{name}"].files["/".join(inside)] = path.read_bytes()
        self.ids = [str(job.get("id") or uuid.uuid5(uuid.NAMESPACE_DNS, f"{run.name}/{n}")) for n, job in enumerate(run.jobs)]
        self._worker: subprocess.Popen[bytes] | None = None
        self.broker: subprocess.Popen[bytes] | None = None
        self._make_root()

    # -- places ----------------------------------------------------------------------------------

    def path(self, inside: str) -> Path:
        """Where a path of the worker's lies outside."""
        return self.root / inside.lstrip("/")

    @property
    def cache(self) -> Path:
        """The Hub's client's folder in the release line's cache."""
        return self.path(self.cache_inside)

    @property
    def cache_inside(self) -> str:
        return f"{HOME}/.cache/huggingface/hub" if self.run.newer else f"{HOME}/.cache/torch/pyannote"

    @property
    def root_of_cache_inside(self) -> str:
        return f"{HOME}/.cache/huggingface" if self.run.newer else f"{HOME}/.cache/torch"

    # -- the worker ------------------------------------------------------------------------------

    def start_worker(self, ids: Sequence[str] | None = None) -> None:
        run = self.run
        command = [
            "/usr/sbin/chroot",
            f"--userspec={USER}:{GROUP}",
            "--groups=44",
            str(self.root),
            "/bin/sh",
            "-c",
            'cd /app; exec "$@"',
            "sh",
        ]
        worker = ["/opt/venv/bin/python", "-m", "celery", "-A", "app", "worker", "--loglevel=info", "-Q", "gpu"]
        worker.append(f"--concurrency={run.concurrency}")
        if run.threads:
            worker += ["--pool=threads", "--hostname", "gpu-transcription@%h", "-E"]
        command += run.command or worker
        with self.log.open("ab") as log:
            self._worker = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._environment(ids))

    def kill_worker(self) -> None:
        if self._worker is not None and self._worker.poll() is None:
            for pid in self.children():
                os.kill(pid, signal.SIGKILL)
            self._worker.kill()
            self._worker.wait()

    def children(self) -> list[int]:
        assert self._worker is not None
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._worker.pid)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in listed.stdout.split()]

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for(self, met: Callable[[str], object], seconds: float | None = None) -> bool:
        """Wait until the log meets something or the worker is gone."""
        until = time.monotonic() + (seconds or self.run.seconds)
        while time.monotonic() < until:
            if met(self.text()):
                time.sleep(0.3)  # the traceback that belongs to it
                return True
            if self._worker is not None and self._worker.poll() is not None:
                time.sleep(0.1)
                return bool(met(self.text()))
            time.sleep(0.1)
        return False

    def ended(self, text: str) -> bool:
        return len(_END.findall(text)) >= len(self.run.jobs)

    # -- how it is built -------------------------------------------------------------------------

    def _environment(self, ids: Sequence[str] | None) -> dict[str, str]:
        run = self.run
        jobs = [dict(job, id=id) for job, id in zip(run.jobs, self.ids, strict=True) if ids is None or id in ids]
        env = {
            "PATH": "/opt/venv/bin:/usr/bin:/bin",
            "HOME": HOME,
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": "/opt/over:/app" if run.over else "/app",
            "LAB_JOBS": json.dumps(jobs),
            "LAB_RELEASE": run.release,
            "PYTHONWARNINGS": "ignore::UserWarning:pyannote.audio.core.io",
            "HF_HUB_ETAG_TIMEOUT": "3",
            "HF_HUB_DOWNLOAD_TIMEOUT": "3",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "OMP_NUM_THREADS": "2",
        }
        if self.trusted:
            env |= {"SSL_CERT_FILE": "/etc/ssl/lab.pem", "REQUESTS_CA_BUNDLE": "/etc/ssl/lab.pem"}
        if run.token is not None:
            env["HUGGINGFACE_TOKEN"] = run.token
        return env | self.env

    def _make_root(self) -> None:
        root = self.root
        root.mkdir(parents=True)
        _mount("-t", "tmpfs", "-o", "mode=755,size=400m", "root", root)
        folders = "usr etc/ssl proc dev tmp app opt/venv opt/over run var"
        for name in [*folders.split(), HOME[1:] + "/.cache/huggingface", HOME[1:] + "/.cache/torch"]:
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        (root / "tmp").chmod(0o1777)
        for name in ("usr", "dev", "proc"):
            _mount("--rbind", f"/{name}", root / name)
        for inside, source in (("opt/venv", self.run.venv), ("opt/over", self.run.over)):
            if source:
                _mount("--bind", venvs.folder(source), root / inside)
        for name in ("app.py", "programs.py", "programs_models.py"):
            shutil.copy(_HERE / name, root / "app")
        (root / "etc/passwd").write_text(f"root:x:0:0::/root:/bin/sh\nappuser:x:{USER}:{GROUP}::{HOME}:/bin/sh\n")
        (root / "etc/group").write_text(f"root:x:0:\nappuser:x:{GROUP}:\n")
        (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
        _give(root / HOME[1:])

    def finish_root(self) -> None:
        """The files of /etc, after the case has had its say."""
        hosts = {"localhost": "127.0.0.1", "redis": "127.0.0.1"} | self.hosts
        self.path("/etc/hosts").write_text("".join(f"{ip}\t{name}\n" for name, ip in hosts.items() if ip))
        self.path("/etc/resolv.conf").write_text(self.resolver or "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.hub.certificate = _certificate(self.folder, self.certificate_names)
        public = self.hub.certificate.read_text().partition("-----BEGIN PRIVATE")[0]
        self.path("/etc/ssl/lab.pem").write_text(public)


def _mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def _give(folder: Path) -> None:
    """Everything below to the worker's user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, GROUP, follow_symlinks=False)


def _certificate(folder: Path, names: Sequence[str]) -> Path:
    path, key = folder / "lab.pem", folder / "lab.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=Lab", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
         "-keyout", str(key), "-out", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + key.read_text())
    return path


def make(run: Run, folder: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    socket.sethostname("3f1d2c4b5a69")
    lab = Lab(run, folder)
    run.prepare(lab)
    lab.finish_root()
    broker = ["redis-server", "--save", "", "--bind", "127.0.0.1", *run.broker]
    with lab.hub:
        if run.broker_late:
            lab.start_worker()
            time.sleep(run.broker_late)
        redis = lab.broker = subprocess.Popen(broker, stdout=subprocess.DEVNULL, cwd=folder)
        try:
            if not run.broker_late:
                lab.start_worker()
            if run.meanwhile is None:
                lab.wait_for(lambda text: not run.command and lab.ended(text))
            else:
                run.meanwhile(lab)
        finally:
            lab.kill_worker()
            redis.kill()


def main() -> None:
    from .runs import RUNS

    run = next(run for run in RUNS if run.name == sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="lab.") as folder:
        try:
            make(run, Path(folder))
            shutil.copy(Path(folder) / "log", sys.argv[2])
        finally:
            subprocess.run(["umount", "-R", "-l", f"{folder}/root"], check=False)
            time.sleep(0.2)


if __name__ == "__main__":
    main()
