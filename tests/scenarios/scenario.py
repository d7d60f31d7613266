"""A scenario: a small OpenTranscribe folder, brought up with the real Compose and examined by the installed ot-doctor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts import models, ready_doctor
from tests.parts.engine import Engine
from tests.parts.hub import COMMUNITY_1, LocalHub, pyannote_hub

from . import logs
from .forms import forms_of

TOKEN = "hf_" + "Qw3rTy7uIo" * 3 + "Zx9c"
UNKNOWN_TOKEN = "hf_" + "Nm5bVc2xZl" * 3 + "Pq8w"  # well-formed, and no Hub knows it
DOCTOR = Path(sys.executable).parent / "ot-doctor"
APPUSER = (1000, 998)

_COMPOSE = """\
services:
  celery-worker:
    image: davidamacey/opentranscribe-backend:{image}
    container_name: opentranscribe-celery-worker
    command: {command}
    network_mode: host
{env_file}{environment}{extra}    volumes:
{volumes}
{services}"""
_VOLUMES = """\
      - ${MODEL_CACHE_DIR:-./models}/huggingface:/home/appuser/.cache/huggingface
      - ${MODEL_CACHE_DIR:-./models}/torch:/home/appuser/.cache/torch
      - ./recorded.log:/recorded.log:ro
"""


@dataclass
class World:
    """A scenario that is up: what a test may touch before, and look at after."""

    engine: Engine
    hub: LocalHub
    folder: Path
    home: Path  # an empty HOME for the doctor
    environ: dict[str, str] = field(default_factory=dict)  # the shell's extra variables
    examined: bool = False  # a bundle of it has been compared with the live report, and a dry run of fix left it as it was
    bundled: bool = True  # whether a bundle is compared as well

    @property
    def env_path(self) -> Path:
        return self.folder / ".env"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def shell(self) -> dict[str, str]:
        foreign = ("HF_", "HUGGING", "OT_DOCTOR", "XDG_", "REQUESTS_", "SSL_CERT", "CURL_CA", "COMPOSE_", "PYTHON")
        env = {k: v for k, v in self.engine.environment().items() if not k.startswith(foreign)}
        return env | {"HOME": str(self.home), "NO_PROXY": "127.0.0.1,localhost", "PYTHONUTF8": "1"} | self.environ

    def compose(self, *arguments: str) -> str:
        return self.engine.compose(self.folder, *arguments, env=self.shell())

    def doctor(self, *arguments: str, cwd: Path | None = None, format: str = "json") -> subprocess.CompletedProcess[str]:
        """Run ot-doctor as a user would, in the scenario's folder."""
        return ready_doctor.run("--format", format, *arguments, cwd=cwd or self.folder, env=self.shell())

    def _run(self, command: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run(command, cwd=cwd, env=self.shell(), timeout=120, **streams)

    def report(self, *arguments: str, cwd: Path | None = None) -> Report:
        """What a run says, or at the first look at a world ``collect``: its bundle is examined as well, and a fix tried dry."""
        if self.examined or not self.bundled:
            report = self._of_a_run(*arguments, cwd=cwd)
        else:
            from .bundles import document_that_agrees
            from .dry_runs import nothing_changes

            with nothing_changes(self):
                report = Report(document_that_agrees(self, *arguments, cwd=cwd), self)
        if not self.examined:
            from .dry_runs import assert_dry, is_new

            self.examined = True
            if is_new(report.document):
                assert_dry(self, *arguments, cwd=cwd)
        return report

    def _of_a_run(self, *arguments: str, cwd: Path | None) -> Report:
        done = self.doctor(*arguments, cwd=cwd)
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        secrets = [value for value in (TOKEN, UNKNOWN_TOKEN) if value[3:] in done.stdout + done.stderr]
        assert not secrets, "a token was printed"
        assert done.stdout.startswith("{"), done.stderr
        report = Report(json.loads(done.stdout), self)
        assert report.exit_code == done.returncode
        return report

    def until_restarting(self, container: str = "opentranscribe-celery-worker") -> None:
        """Until the engine waits for seconds before it starts the container once more: in between it runs for a moment."""
        until = time.monotonic() + 60
        while True:
            told = self.engine.inspect(container)
            if told["State"]["Status"] == "restarting" and told["RestartCount"] >= 5:
                return
            assert time.monotonic() < until
            time.sleep(0.1)

    def obey(self, report: Report, index: int = 0, without: Container[str] = ()) -> list[str]:
        """Run the commands of a remedy exactly as printed, but for those forms, from another folder; returns them."""
        printed = [step["command"] for step in report.diagnosis[index]["remedy"]["steps"] if step["command"]]
        commands = [command for command in printed if not all(form in without for form in forms_of(command))]
        for command in commands:
            done = self._run(["sh", "-c", command], Path("/"))
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return commands


@dataclass
class Report:
    """A JSON report with handles for assertions."""

    document: dict[str, Any]
    world: World

    @property
    def exit_code(self) -> int:
        return int(self.document["exit_code"])

    @property
    def diagnosis(self) -> list[dict[str, Any]]:
        return list(self.document["diagnosis"])

    @property
    def causes(self) -> list[str]:
        return [entry["cause"] for entry in self.diagnosis]

    @property
    def subjects(self) -> list[str | None]:
        return [entry["subject"] for entry in self.diagnosis]

    def check(self, name: str) -> dict[str, Any]:
        return next(c for c in self.document["checks"] if c["name"] == name)

    def status(self, name: str) -> str:
        return str(self.check(name)["status"])

    def statuses(self, status: str) -> set[str]:
        return {c["name"] for c in self.document["checks"] if c["status"] == status}

    def warned_causes(self) -> set[str]:
        return {f["cause"] for c in self.document["checks"] for f in c["findings"] if f["status"] == "warn" and f["cause"]}

    def text_of(self, name: str) -> str:
        """Every word of a check's findings: messages, evidence, remedies."""
        return json.dumps(self.check(name)["findings"], ensure_ascii=False)

    def remedy_text(self, index: int = 0) -> str:
        return json.dumps(self.diagnosis[index]["remedy"], ensure_ascii=False)

    def summary(self) -> str:
        rows = [f"exit {self.exit_code}: {[(e['cause'], e['subject']) for e in self.diagnosis]}"]
        for entry in self.document["checks"]:
            if entry["status"] != "pass":
                rows += [f"{entry['name']}: {f['status']} {f['cause']} {f['message']}" for f in entry["findings"]]
        return "\n".join(rows)


@dataclass
class Scenario:
    """How the world is set up. ``env`` holds the text of ``.env`` with ``{token}`` in it; bytes are written as they are."""

    line: str = "v0.4"
    image: str | None = None
    env: str | bytes | None = "HUGGINGFACE_TOKEN={token}\nMIN_SPEAKERS=1\nMAX_SPEAKERS=20\n"
    accepted: Sequence[str] | None = None  # gated repositories; None: all
    log: Sequence[str] | None = None  # None: a successful job of the line
    cache: str = "complete"  # "complete", "absent", "none": no models folder at all
    command: str = "[]"  # [] is the image's own: print the recorded log and wait
    env_file: bool = True
    environment: str = ""  # YAML lines of the service's environment, six blanks deep
    extra: str = ""  # YAML lines of the service, four blanks deep
    volumes: str = _VOLUMES
    services: str = ""  # YAML of more services, two blanks deep
    hub_setup: Callable[[LocalHub], None] | None = None
    prepare: Callable[[World], None] | None = None  # after the files are written, before `up`
    up: Sequence[str] = ("up", "-d")
    after: Callable[[World], None] | None = None  # after `up`
    environ: Mapping[str, str] = field(default_factory=dict)
    endpoint: bool = True  # HF_ENDPOINT of the local Hub at the end of .env

    def build(self, engine: Engine, hub: LocalHub, tmp_path: Path, name: str = "opentranscribe") -> World:
        """Write the folder and bring it up."""
        folder, home = tmp_path / name, tmp_path / "home"
        folder.mkdir()
        home.mkdir(exist_ok=True)
        os.chmod(tmp_path, 0o755)
        world = World(engine, hub, folder, home, dict(self.environ))
        if self.hub_setup:
            self.hub_setup(hub)
        self.write(world)
        if self.prepare:
            self.prepare(world)
        if self.up:
            world.compose(*self.up)
        if self.after:
            self.after(world)
        return world

    def write(self, world: World) -> None:
        """The files alone."""
        tag = self.image or {"v0.4": "v0.4.1", "v0.3": "v0.3.3", "v0.1": "v0.1.0"}[self.line]
        parts = {
            "image": tag,
            "command": "" if self.command == "[]" else self.command,
            "env_file": "    env_file: .env\n" if self.env_file else "",
            "environment": f"    environment:\n{self.environment}" if self.environment else "",
            "extra": self.extra,
            "volumes": self.volumes,
            "services": self.services,
        }
        (world.folder / "docker-compose.yml").write_text(_COMPOSE.format(**parts).replace("    command: \n", ""))
        self._write_env(world)
        log = self.log if self.log is not None else (logs.v04_success() if self.line == "v0.4" else logs.v03_success())
        (world.folder / "recorded.log").write_text("".join(f"{line}\n" for line in log))
        if self.cache == "complete":
            fill = models.v04_cache if self.line == "v0.4" else models.v03_cache
            for part in ("huggingface", "torch"):
                (world.models / part).mkdir(parents=True)
            fill(world.models)
            models.own(world.models, APPUSER)
        elif self.cache == "absent":
            for part in ("huggingface", "torch"):
                (world.models / part).mkdir(parents=True)
            models.own(world.models, APPUSER)

    def _write_env(self, world: World) -> None:
        if isinstance(self.env, bytes):
            world.env_path.write_bytes(self.env)
        elif self.env is not None:
            text = self.env.replace("{token}", TOKEN)
            if self.endpoint:
                text = f"HF_ENDPOINT={world.hub.url}\n{text}"
            world.env_path.write_text(text)
            world.env_path.chmod(0o600)


BringUp = Callable[[Scenario], World]  # the fixture that brings a scenario up


def hub_for(accepted: Sequence[str] | None) -> LocalHub:
    """The local Hub with the worker's token."""
    return pyannote_hub(accepted, token=TOKEN)


__all__ = ["APPUSER", "COMMUNITY_1", "DOCTOR", "TOKEN", "UNKNOWN_TOKEN", "BringUp", "Report", "Scenario", "World", "hub_for"]
