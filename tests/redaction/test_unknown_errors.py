"""Tokens in the decisive lines of errors that nobody knows: shown, and hidden in every format and in a bundle."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.test_commands import Doctor
from tests.logs import mutations
from tests.redaction.secret_traces import Planted, everything_in, traces

OUTPUTS = ("r.txt", "r.json", "r.md", "r.html", "r.xml", "r.sarif", "r.prom", "r.nagios")
HEAD = "[2026-11-21 01:37:28,804: {}/MainProcess] "


def _record(text: str) -> str:
    return f"{HEAD.format('ERROR')}The flux capacitor refuses {text}\n"


def _raised(text: str) -> str:
    frames = f'Traceback (most recent call last):\n  File "/app/flux.py", line 4, in fill\n    fill("{text}")\n'
    return f"{frames}FluxError: no flux for {text}\n"


def _in_job(text: str) -> str:
    return (
        f"{HEAD.format('INFO')}Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1\n"
        f"{HEAD.format('ERROR')}GPU transcription failed for file 0192f6a4-77b1-7cc0-8a35-5f3f1e9d2c10: no flux for {text}\n"
        f"{HEAD.format('ERROR')}Task transcription.gpu_transcribe[5d1c2b8e-0000-4000-8000-000000000001] raised unexpected: "
        f"FluxError('no flux for {text}')\n{_raised(text)}"
    )


def _in_json(text: str) -> str:
    entry = {"timestamp": "2026-11-21 01:37:28,804", "level": "ERROR", "name": "app.flux", "message": "x"}
    return json.dumps({**entry, "exc_info": _raised(text)}) + "\n"


def _panic(text: str) -> str:
    return f"thread 'main' panicked at src/main.rs:4:5:\nno flux for {text}\n"


#: How a token may stand in a line, and in which kinds of errors; {} is the token.
WRITTEN = (
    "{}", "token={}", "Bearer {}", "https://ada:{}@huggingface.co/x", "https://huggingface.co/x?token={}",
    "{{'Authorization': 'Bearer {}'}}", "HUGGINGFACE_TOKEN={}{}", "\"{}\"",
)  # fmt: skip
ERRORS: tuple[Callable[[str], str], ...] = (_record, _raised, _in_job, _in_json, _panic)


def _logs() -> list[tuple[str, str, list[Planted]]]:
    """A log of each kind of error, every way of writing in it with a token of its own."""
    chance = random.Random(7)
    found = []
    for error in ERRORS:
        planted, text = [], ""
        for written in (*WRITTEN, "%s"):
            token = "hf_" + "".join(chance.choices(string.ascii_letters + string.digits, k=34))
            planted.append(Planted(f"{error.__name__} {written}", token, random=True))
            text += error(quote(f"Bearer {token}") if written == "%s" else written.replace("{}{}", "{0}{0}").format(token))
        found.append((error.__name__, text, planted))
    return found


def _said(folder: Path, text: str) -> tuple[str, dict[str, bytes]]:
    """What is shown on the screen, and everything that is said and written of a log."""
    home = folder / "home-of-one"
    home.mkdir()
    doctor = Doctor(home)
    log = folder / "worker.log"
    log.write_text(text, encoding="utf-8")
    written = folder / "written"
    written.mkdir(exist_ok=True)
    outputs = [option for name in OUTPUTS for option in ("--output", str(written / name))]
    run = doctor("--logs", str(log), "-vv", *outputs)
    bundle = str(written / "b.zip")
    collected = doctor("collect", "--yes", "-o", bundle, "--logs", str(log))
    diagnosed = doctor("diagnose", "-vv", bundle)
    runs = {"run": run, "collect": collected, "diagnose": diagnosed}
    codes = {name: done.returncode for name, done in runs.items()}
    assert codes == {"run": 1, "collect": 0, "diagnose": 1}, collected.stderr
    said = {name: f"{done.stdout}\n{done.stderr}".encode() for name, done in runs.items()}
    for path in sorted(written.iterdir()):
        said |= dict(everything_in(path))
    return run.stdout, said


@pytest.mark.slow
def test_it_is_hidden_in_every_format_and_in_a_bundle(tmp_path: Path) -> None:
    wrong = []
    for name, text, planted in _logs():
        (tmp_path / name).mkdir()
        shown, said = _said(tmp_path / name, text)
        assert "flux" in shown, name
        wrong += [f"{place}: {trace}" for place, data in said.items() for trace in traces(data, planted)]
    assert wrong == [], "\n".join(wrong[:20])


def test_it_is_hidden_where_a_terminal_broke_it_in_two(tmp_path: Path) -> None:
    _, text, planted = _logs()[0]
    shown, said = _said(tmp_path, mutations.terminal_80(text))
    wrong = [f"{place}: {trace}" for place, data in said.items() for trace in traces(data, planted)]
    assert "flux" in shown and wrong == [], "\n".join(wrong[:20])
