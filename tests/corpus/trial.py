"""`ot-doctor try` with the real pyannote.audio 3 and 4: `python -m tests.corpus.trial [NAME…]`, as root.

The worker and what is tried beside it are real containers of a private engine, with an environment of `venvs.py` in them, and
models of the real architecture with random weights. What comes out is compared, and a table says what was seen.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts import images, models
from tests.parts.engine import Engine
from tests.scenarios.inside import CONTAINER, Inside
from tests.scenarios.scenario import APPUSER, DOCTOR, TOKEN

from . import venvs
from .case import COMMUNITY, PIPELINE, SEGMENTATION

_PORT = 8081
_HUB = """
import sys, time
sys.path[:] = ["/src", *(folder for folder in sys.path if folder != "/packages")]  # some package has tests, too
from pathlib import Path
from tests.parts.hub import pyannote_hub
hub = pyannote_hub(token=sys.argv[2], port=int(sys.argv[1]))
for path in Path("/weights").glob("*/*/**/*.*"):
    organisation, name, *inside = path.relative_to("/weights").parts
    hub.repos[f"{organisation}/{name}"].files["/".join(inside)] = path.read_bytes()
for repo in hub.repos.values():
    if "no-terms" in sys.argv[3:]:
        repo.accepted.clear()
hub.start()
time.sleep(600)
"""
_LIMITED = """
import os, resource
if size := int(os.environ.get("ADDRESS_SPACE", 0)):
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
"""
_WITH_MEMORY = """
import sys
from ot_doctor.cli.main import main
from ot_doctor.sources.trial import beside_worker
beside_worker.MEMORY = int(sys.argv.pop(1))
main()
"""
_ENVIRONMENTS: dict[images.Line, str] = {"v0.3": "pyannote-3.4.0", "v0.4": "pyannote-4.0.4"}
_BELOW: dict[images.Line, str] = {"v0.3": "torch/pyannote", "v0.4": "huggingface/hub"}

Damage = Callable[[Path], object]  # of the folder with the cached repositories


def _cut(repo: str, name: str) -> Damage:
    return lambda cache: models.truncate(cache / f"models--{repo.replace('/', '--')}", name)


def _all(*steps: Damage) -> Damage:
    return lambda cache: [step(cache) for step in steps]


@dataclass(frozen=True)
class Case:
    """What is wrong, and what `try` must say. `outcome` is empty where it comes to an end: the number of speakers is chance."""

    name: str
    line: images.Line
    outcome: str = ""
    stage: str | None = None
    causes: tuple[str, ...] = ()
    model: str = ""  #: that was loaded
    cached: bool = True  #: the models are there; else the Hub is asked
    damage: Damage = lambda cache: None
    hub: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    memory: int = 0  #: bytes that the container gets; 0: as many as always


_CUT_COMMUNITY = _cut(COMMUNITY, "segmentation/pytorch_model.bin")
_CUT_SEGMENTATION = _cut(SEGMENTATION, "pytorch_model.bin")
CASES = (
    Case("p3-cached", "v0.3", model=PIPELINE),
    Case("p4-cached", "v0.4", model=COMMUNITY),
    Case("p3-downloaded", "v0.3", model=PIPELINE, cached=False),
    Case("p4-downloaded", "v0.4", model=COMMUNITY, cached=False),
    Case("p3-no-terms", "v0.3", "failed", "load", ("gated-not-accepted",), cached=False, hub=("no-terms",)),
    Case("p4-no-terms", "v0.4", "failed", "load", ("gated-not-accepted",), cached=False, hub=("no-terms",)),
    Case("p3-no-token", "v0.3", "failed", "load", ("token-invalid",), cached=False, env={"HUGGINGFACE_TOKEN": ""}),
    Case("p3-no-hub", "v0.3", "failed", "load", ("network-refused",), cached=False, env={"HF_ENDPOINT": "http://127.0.0.1:9"}),
    Case("p4-no-token", "v0.4", "failed", "load", ("token-missing",), cached=False, env={"HUGGINGFACE_TOKEN": ""}),
    Case("p4-no-hub", "v0.4", "failed", "load", ("network-refused",), cached=False, env={"HF_ENDPOINT": "http://127.0.0.1:9"}),
    Case("p3-cut-weights", "v0.3", "failed", "load", ("model-corrupt",), damage=_CUT_SEGMENTATION),
    Case("p4-cut-weights", "v0.4", "failed", "load", ("model-corrupt",), damage=_all(_CUT_COMMUNITY, _CUT_SEGMENTATION)),
    Case("p4-fallback", "v0.4", causes=("model-corrupt",), model=PIPELINE, damage=_CUT_COMMUNITY),
    Case("p3-killed", "v0.3", "out-of-memory", "diarize", memory=700 * 2**20),
    Case("p4-killed", "v0.4", "out-of-memory", "diarize", memory=700 * 2**20),
    Case("p4-no-address-space", "v0.4", "failed", "diarize", ("out-of-memory",), env={"ADDRESS_SPACE": str(1700 * 2**20)}),
    Case("p4-min-above-max", "v0.4", "failed", "diarize", ("speakers-config",), env={"MIN_SPEAKERS": "5", "MAX_SPEAKERS": "2"}),
)


def _fill(cache: Path, line: images.Line) -> None:
    for organisation in venvs.models().iterdir():
        for repo in organisation.iterdir():
            files = {str(path.relative_to(repo)): path.read_bytes() for path in repo.rglob("*.*") if path.is_file()}
            models.hub_repo(cache / _BELOW[line], f"{organisation.name}/{repo.name}", files)


def tried(case: Case, inside: Inside) -> dict[str, Any]:
    """The document of `ot-doctor try`."""
    cache = inside.folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    for part in ("huggingface", "torch"):
        (cache / part).mkdir(parents=True)
    if case.cached:
        _fill(cache, case.line)
        case.damage(cache / _BELOW[case.line])
    models.own(cache, APPUSER)
    packages = venvs.folder(_ENVIRONMENTS[case.line]) / "lib/python3.11/site-packages"
    limits = inside.folder / "limits"
    limits.mkdir(exist_ok=True)
    (limits / "sitecustomize.py").write_text(_LIMITED)
    mounts = {cache / "huggingface": "/home/appuser/.cache/huggingface", cache / "torch": "/home/appuser/.cache/torch"}
    read = {packages: "/packages", limits: "/limits", venvs.models(): "/weights", Path("/usr/lib"): "/usr/lib"}
    options = [f"{source}:{target}" for source, target in mounts.items()]
    options += [f"{source}:{target}:ro" for source, target in read.items()]
    env = {"PYTHONPATH": "/limits:/packages", "HF_ENDPOINT": f"http://127.0.0.1:{_PORT}", "HF_HUB_DISABLE_XET": "1"}
    image = f"{images.BACKEND}:{case.line}-python"
    inside.up(*(word for option in options for word in ("-v", option)), env={**env, **case.env}, image=image)
    inside.background(_HUB, _PORT, TOKEN, *case.hub)
    command = [str(DOCTOR)] if not case.memory else [sys.executable, "-c", _WITH_MEMORY, str(case.memory)]
    command += ["try", "--dir", str(inside.folder), "--worker", CONTAINER, "--format", "json"]
    environ = {**inside.engine.environment(), "PYTHONUTF8": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=400)
    if not done.stdout:
        raise RuntimeError(f"{case.name}: exit code {done.returncode}: {done.stderr}")
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def wrong(case: Case, content: Mapping[str, Any]) -> list[str]:
    """What is not as it must be."""
    causes = tuple(cause["cause"] for cause in (content["report"] or {"diagnosis": ()})["diagnosis"])
    pairs: list[tuple[str, object, object]] = [("stage", content["stage"], case.stage), ("causes", causes, case.causes)]
    pairs += [("outcome", content["outcome"], case.outcome)] if case.outcome else [("model", content["model"], case.model)]
    pairs.append(("token_present", content["token_present"], case.env.get("HUGGINGFACE_TOKEN") != ""))
    if not case.outcome and content["speakers"] is None:
        pairs.append(("speakers", None, "a number"))
    if not case.outcome and content["outcome"] == "works":
        pairs.append(("outcome", "works", "what random weights deserve"))
    return [f"{name}: {seen!r}, not {wanted!r}" for name, seen, wanted in pairs if seen != wanted]


def main() -> int:
    wanted = [case for case in CASES if case.name in sys.argv[1:] or len(sys.argv) == 1]
    for line in dict.fromkeys(case.line for case in wanted):
        venvs.ensure(_ENVIRONMENTS[line])
        told = ", ".join(f"{name} {version}" for name, version in venvs.versions(_ENVIRONMENTS[line]).items())
        print(f"{line}: {told}", flush=True)
    venvs.ensure_models()
    amiss = 0
    with Engine() as engine, tempfile.TemporaryDirectory(prefix="ot-trial-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        for line in dict.fromkeys(case.line for case in wanted):
            engine.import_python_worker(f"{images.BACKEND}:{line}-python", line)
        inside = Inside(engine, Path(folder))
        for case in wanted:
            content = tried(case, inside)
            problems = wrong(case, content)
            amiss += bool(problems)
            speakers = f"{content['speakers']} speakers (agreement {content['agreement']})"
            seen = f"{content['outcome']}, {speakers}, stage {content['stage']}"
            cost = f"{content['diarization_seconds']:.1f} of {content['seconds']:.1f} s, {content['peak_memory_bytes'] >> 20} MiB"
            print(f"{'✗' if problems else '✓'} {case.name:20} {seen}, {cost} {'; '.join(problems)}", flush=True)
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
