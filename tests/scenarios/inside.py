"""A worker with a real Python, for what looks at it from inside; and servers that run in its own network."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ot_doctor.bundle.codec import decode, dump, encode, load
from ot_doctor.check import Finding, Result, Status
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.evidence import GpuGrant, Request, Unavailable, WorkerProbe, Workers
from ot_doctor.redaction.registry import new_registry
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import examine, prepare
from ot_doctor.sources.store import Store
from tests.parts import ready_doctor
from tests.parts.engine import Engine
from tests.parts.python_image import TAG

from .scenario import TOKEN

CONTAINER = "opentranscribe-celery-worker"
CHECKS = (
    "worker-network", "process-environment", "worker-clock", "gpu-answers", "cache-write-test", "worker-imports",
    "gpu-calculates",
)  # fmt: skip
_TESTS = Path(__file__).resolve().parents[1]
_SERVE = """
import sys, time
sys.path.insert(0, "/src")
from pathlib import Path
from tests.parts.hub import pyannote_hub
certificate = Path("/hub.pem") if "tls" in sys.argv[2:] else None
hub = pyannote_hub(token=sys.argv[2], certificate=certificate, port=int(sys.argv[1]))
hub.ahead = 3600.0 if "ahead" in sys.argv[2:] else 0.0
hub.start()
time.sleep(600)
"""
_PROXY = """
import http.server, sys
class Refusing(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        self.send_response(407, "Proxy Authentication Required")
        self.end_headers()
    do_HEAD = do_CONNECT
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Refusing).serve_forever()
"""


@dataclass
class Seen:
    """What one look found: the evidence, and what the checks make of it."""

    evidence: WorkerProbe | Unavailable
    results: tuple[Result, ...]
    diagnosis: tuple[RootCause, ...]
    took: float  # seconds

    @property
    def probe(self) -> WorkerProbe:
        assert isinstance(self.evidence, WorkerProbe), self.evidence
        return self.evidence

    @property
    def causes(self) -> list[str]:
        return [root.cause.value for root in self.diagnosis]

    def findings(self, name: str) -> tuple[Finding, ...]:
        return next(result.findings for result in self.results if result.check.name == name)

    def status(self, name: str) -> Status:
        return next(result.status for result in self.results if result.check.name == name)

    def said(self) -> str:
        return "\n".join(finding.message for result in self.results for finding in result.findings)


@dataclass
class Inside:
    """The worker's container; each ``up`` takes the place of the one before."""

    engine: Engine
    folder: Path

    def up(self, *options: str, env: Mapping[str, str] | None = None, command: Iterable[str] = (), image: str = TAG) -> None:
        self.down()
        (self.folder / "docker-compose.yml").write_text("services: {celery-worker: {image: x}}\n")
        (self.folder / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\n")
        labels = {"service": "celery-worker", "project": "ot", "project.working_dir": str(self.folder)}
        told = [part for name, value in labels.items() for part in ("--label", f"com.docker.compose.{name}={value}")]
        for name, value in {"HUGGINGFACE_TOKEN": TOKEN, **(env or {})}.items():
            told += ["--env", f"{name}={value}"]
        told += ["--network", "none"] if "--network" not in options else []
        told += ["-v", f"{_TESTS}:/src/tests:ro"]
        self.engine.docker("run", "-d", "--name", CONTAINER, *told, *options, image, *command)

    def down(self) -> None:
        self.engine.remove(CONTAINER)

    def serve(self, port: int, *words: str, token: str = TOKEN) -> None:
        """A Hub on the worker's own loopback; ``tls``, ``ahead`` (its clock, by an hour)."""
        self.background(_SERVE, port, token, *words)

    def refuse(self, port: int) -> None:
        """A proxy on the worker's own loopback that answers 407."""
        self.background(_PROXY, port)

    def background(self, code: str, port: int, *words: str) -> None:
        self.engine.docker("exec", "-d", CONTAINER, "python3", "-c", code, str(port), *words)
        listens = f"grep -q ':{port:04X} 00000000:0000 0A' /proc/net/tcp"
        self.engine.execute(CONTAINER, "sh", "-c", f"for _ in $(seq 300); do {listens} && exit; sleep 0.05; done; exit 1")

    def processes(self) -> str:
        return self.engine.execute(CONTAINER, "ps", "-o", "args")

    def doctor(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The installed ot-doctor, as a user calls it."""
        foreign = ("HF_", "OT_DOCTOR", "PYTHON", "XDG_")
        env = {name: value for name, value in self.engine.environment().items() if not name.startswith(foreign)}
        where = ("--dir", str(self.folder), "--worker", CONTAINER)
        return ready_doctor.run(*arguments, *where, cwd=self.folder, env={**env, "PYTHONUTF8": "1"})

    def look(self, environ: Mapping[str, str] | None = None, *, probe: str = "light", gpu: bool = False) -> Seen:
        """One look with the real engine, and the checks on what was recorded of it: live and bundle agree."""
        request = Request(
            directory=self.folder, workers=(CONTAINER,), probe=probe,
            environ={"DOCKER_HOST": self.engine.host, **(environ or {})},
        )  # fmt: skip
        with new_registry():
            plan = Plan(request, select=CHECKS)
            checks, store, notices = prepare(plan)
            if gpu:  # nothing can be mounted that the engine would take for one
                known = store.get(Workers)
                assert isinstance(known, Workers)
                asked = tuple(replace(one, gpu=GpuGrant(requested=True)) for one in known.containers)
                store = Store(request, {Workers: replace(known, containers=asked)})
            began = time.monotonic()
            found = examine(plan, checks, store, notices)
            took = time.monotonic() - began
            evidence = store.get(WorkerProbe)
            data = dump(encode(evidence))
            assert TOKEN.encode() not in data and TOKEN[3:].encode() not in data
            again = evidence if isinstance(evidence, Unavailable) else decode(WorkerProbe, load(data))
            planted = Store(request, {**store.given(), WorkerProbe: again})
            recorded = examine(plan, checks, planted, notices)
        assert [r.findings for r in recorded.results] == [r.findings for r in found.results]
        return Seen(evidence, found.results, found.diagnosis, took)
