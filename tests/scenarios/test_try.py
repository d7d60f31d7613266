"""A diarization of generated voices beside a worker: the container is real, and packages of that name stand in for pyannote."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.fix.terminal import Terminal
from tests.parts import models, ready_doctor
from tests.parts.engine import Engine

from .inside import CONTAINER, Inside
from .scenario import APPUSER, TOKEN

pytestmark = pytest.mark.engine

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "try.schema.json").read_text(encoding="utf-8"))
# What pyannote.audio looks like from outside. MODE says how it ends.
_TORCH = "def tensor(values): return values\ndef device(name): return name\ndef load(*paths, **options): return options\n"
_PYANNOTE = '''
import os, time, torch

assert torch.load("weights") == {"weights_only": False}, "as the worker loads them"

class GatedRepoError(OSError):
    pass
GatedRepoError.__module__ = "huggingface_hub.errors"

class Turn:
    def __init__(self, begins, ends): self.start, self.end = begins, ends

class Annotation:
    def __init__(self, turns): self._turns = turns
    def itertracks(self, yield_label): return ((Turn(*times), "_", "SPEAKER_0%d" % voice) for voice, *times in self._turns)

class Found:
    def __init__(self, turns): self.speaker_diarization = Annotation(turns)

class Pipeline:
    @classmethod
    def from_pretrained(cls, model, token=None):
        mode = os.environ.get("MODE", "")
        assert token == os.environ["HUGGINGFACE_TOKEN"], "the worker's token"
        print("Loading", model)
        if mode == "gated":
            raise GatedRepoError(
                "403 Client Error. (Request ID: Root=1-6)\\n\\nCannot access gated repo for url "
                "https://huggingface.co/" + model + "/resolve/main/config.yaml.\\nAccess to model " + model + " is restricted "
                "and you are not in the authorized list. Visit https://huggingface.co/" + model + " to ask for access."
            )
        if mode == "damaged" and model.endswith("community-1"):
            raise RuntimeError("PytorchStreamReader failed reading zip archive: failed finding central directory")
        if mode == "killed":
            os._exit(137)  # the first process of a container cannot kill itself
        if mode == "hangs":
            time.sleep(60)
        return cls()

    def to(self, device): assert device == "cpu"

    def __call__(self, file, min_speakers, max_speakers):
        assert (min_speakers, max_speakers) == (1, 4)
        (channel,) = file["waveform"]
        loud = sum(abs(value) for value in channel) / len(channel)
        assert (len(channel), file["sample_rate"]) == (192000, 16000) and 0.01 < loud < 0.5 and max(channel) <= 1
        turns = ((0, .3, 2.2), (1, 2.5, 4.4), (0, 4.7, 6.6), (1, 6.9, 8.6), (0, 8.9, 10.2), (1, 10.4, 11.7))
        return Found({"silent": (), "random": ((0, 0.0, 12.0), (1, 1.0, 11.0))}.get(os.environ.get("MODE"), turns))
'''


@pytest.fixture(scope="module")
def inside(engine: Engine, python_worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    place = Inside(engine, tmp_path_factory.mktemp("opentranscribe"))
    packages = place.folder / "packages"
    for name, text in (("torch", _TORCH), ("pyannote/audio", _PYANNOTE)):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text(text)
    (packages / "pyannote" / "__init__.py").touch()
    yield place
    place.down()


def environment(inside: Inside) -> dict[str, str]:
    foreign = ("HF_", "PYTHON", "LC_", "XDG_")
    own = {name: value for name, value in inside.engine.environment().items() if not name.startswith(foreign)}
    return own | {"LANG": "C.UTF-8"}


def tried(inside: Inside, *options: str, mode: str = "", format_: str = "json") -> subprocess.CompletedProcess[str]:
    packages = inside.folder / "packages"
    inside.up("-v", f"{packages}:/packages:ro", env={"PYTHONPATH": "/packages", "MODE": mode, "MAX_SPEAKERS": "4"})
    done = ready_doctor.run(
        "try", "--dir", str(inside.folder), "--format", format_, *options, cwd=inside.folder, env=environment(inside)
    )
    assert TOKEN not in done.stdout + done.stderr
    left = inside.engine.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert left == [CONTAINER], "the container of the trial is gone"
    return done


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(done.stdout)
    assert content["exit_code"] == done.returncode, done.stderr
    jsonschema.validate(content, SCHEMA)
    return content


def test_it_works(inside: Inside) -> None:
    content = document(tried(inside))
    assert (content["outcome"], content["speakers"], content["exit_code"]) == ("works", 2, 0)
    assert content["device"] == "cpu" and content["model"] == "pyannote/speaker-diarization-community-1"
    assert content["peak_memory_bytes"] > 1_000_000 and content["seconds"] > 0 and content["agreement"] == 1
    assert content["not_tried"] == [] and content["refused_model"] is None


def test_terms_that_are_not_accepted_are_the_cause(inside: Inside) -> None:
    content = document(tried(inside, mode="gated"))
    assert (content["outcome"], content["stage"], content["exit_code"]) == ("failed", "load", 1)
    assert [cause["cause"] for cause in content["report"]["diagnosis"]] == ["gated-not-accepted"]


def test_the_model_that_takes_the_place_of_a_damaged_one(inside: Inside) -> None:
    done = tried(inside, mode="damaged", format_="text")
    said = " ".join(done.stdout.split())
    assert done.returncode == 0 and said.startswith("! Diarization works: 2 speakers"), said
    assert "community-1 could not be loaded, and pyannote/speaker-diarization-3.1 took its place, as it does in" in said
    assert "model-corrupt" in said and "Seen in trial.log lines 1-" in said and "/trial.log" not in said


def test_what_is_killed_and_what_finds_no_voice(inside: Inside) -> None:
    content = document(tried(inside, mode="killed"))
    assert (content["outcome"], content["container_exit_code"], content["exit_code"]) == ("out-of-memory", 137, 1)
    content = document(tried(inside, mode="silent"))
    assert (content["outcome"], content["speakers"], content["exit_code"]) == ("no-voice", 0, 1)
    content = document(tried(inside, mode="random"))
    assert (content["outcome"], content["speakers"], content["exit_code"]) == ("mixed-up", 2, 0)
    assert content["agreement"] < 0.6


def test_what_hangs_is_ended_from_inside(inside: Inside) -> None:
    """Whether it would work with more time is not known."""
    done = tried(inside, "--timeout", "12", mode="hangs")
    assert (done.returncode, done.stdout) == (3, "")
    assert "did not come to an end within 10 s: that was while the models were loaded" in done.stderr
    assert "--timeout 900" in done.stderr


def test_a_gpu_that_the_worker_does_not_have(inside: Inside) -> None:
    done = tried(inside, "--gpu")
    assert (done.returncode, done.stdout) == (3, "")
    assert "has no GPU" in done.stderr


def test_fix_offers_it_as_its_last_step(inside: Inside) -> None:
    """Asked for at a terminal; named without one; and never done by --yes alone."""
    cache = inside.folder / "models"
    for part in ("huggingface", "torch"):
        (cache / part).mkdir(parents=True, exist_ok=True)
    models.v04_cache(cache)
    models.own(cache, APPUSER)
    mounts = [word for part in ("huggingface", "torch") for word in ("-v", f"{cache}/{part}:/home/appuser/.cache/{part}")]
    inside.up("-v", f"{inside.folder / 'packages'}:/packages:ro", *mounts, env={"PYTHONPATH": "/packages", "MAX_SPEAKERS": "4"})
    env = inside.folder / ".env"
    environ = {**environment(inside), "XDG_STATE_HOME": str(inside.folder / "state")}
    command = ["fix", "--dir", str(inside.folder), "--offline", "--select", "token-exposed"]
    named = f"To try it with two generated voices: ot-doctor try --dir {inside.folder}\n"

    env.chmod(0o644)
    allowed = [*command, "--yes", "--allow", "changes-files"]
    done = ready_doctor.run(*allowed, cwd=inside.folder, env=environ)
    assert done.returncode == 0 and done.stdout.endswith(named), done.stdout + done.stderr
    assert "generated voices" not in ready_doctor.run(*allowed, cwd=inside.folder, env=environ).stdout

    for answer, tells in (("", ""), ("y", "It took")):
        env.chmod(0o644)
        terminal = Terminal(*command, environ=environ, folder=inside.folder)
        terminal.answer("Change its mode? [y/N/d/s/q]", "y")
        terminal.answer("Try it now with two generated voices? [y/N]", answer)
        assert terminal.end() == 0, terminal.shown
        assert ("It took" in terminal.shown) is bool(tells) and TOKEN not in terminal.shown
