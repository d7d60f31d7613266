"""``ot-doctor explain`` of a log signature, and ``--signatures FILE``, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.parts import ready_doctor

pytestmark = pytest.mark.slow

OWN = """
[[signature]]
name = "site-proxy-says-no"
patterns = ['''SiteProxy: refused (?P<subject>[\\w.-]+)''']
words = ["SiteProxy: refused"]
kind = "cause"
cause = "network-proxy"
explain = "The site's own proxy does not let this host through."
remedy = "Ask the network's administrator."
source = "the site's handbook"
matches = ["SiteProxy: refused huggingface.co"]
"""


def ot_doctor(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OT_DOCTOR_", "PYTHON"))}
    return ready_doctor.run(*arguments, cwd=Path.cwd(), env=environ | variables, timeout=60)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_explain_shows_a_signature() -> None:
    done = ot_doctor("explain", "hub-xet-failed")
    assert done.returncode == 0 and not done.stderr
    for part in (
        "a log signature",
        "network-refused, likely",
        "HF_HUB_DISABLE_XET=1",
        "xet-core#303",
        "CAS service error",
        "all",
    ):
        assert part in done.stdout, part


def test_explain_shows_a_rule() -> None:
    done = ot_doctor("explain", "name-not-resolved")
    assert done.returncode == 0 and not done.stderr
    for part in ("a rule for errors in a log", "network-dns, likely", "the resolver's own error"):
        assert part in done.stdout, part


def test_explain_shows_a_cause_and_the_signature_of_its_name() -> None:
    shown = ot_doctor("explain", "disk-full").stdout
    assert "disk-full (a cause)" in shown and "disk-full (a log signature)" in shown


def test_explain_of_a_typo_suggests_signatures_too() -> None:
    done = ot_doctor("explain", "cudnn-misssing")
    assert done.returncode == 2
    assert "Did you mean cudnn-missing" in done.stderr


def test_explain_shows_a_users_own(own: Path) -> None:
    shown = ot_doctor("explain", "site-proxy-says-no", "--signatures", str(own)).stdout
    assert f"It comes from: {own}" in " ".join(shown.split()) and "Ask the network's administrator." in shown
    assert shown == ot_doctor("explain", "site-proxy-says-no", OT_DOCTOR_SIGNATURES=str(own)).stdout


@pytest.mark.parametrize(
    "text, says",
    [
        (OWN.replace("'''SiteProxy", "'''(SiteProxy"), "signature 'site-proxy-says-no': patterns:"),
        (OWN.replace('"network-proxy"', '"bad-luck"'), "signature 'site-proxy-says-no': cause 'bad-luck' is none"),
        (OWN.replace("explain", "explains"), "signature 'site-proxy-says-no': unknown key 'explains'"),
        (OWN.replace("words =", "#"), "signature 'site-proxy-says-no': words missing"),
        (OWN.replace("refused huggingface.co", "let huggingface.co"), "signature 'site-proxy-says-no': matches:"),
        ("[[signature", "is not TOML"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_exit_code_2(own: Path, tmp_path: Path, text: str, says: str) -> None:
    own.write_text(text, encoding="utf-8")
    (tmp_path / "worker.log").touch()
    done = ot_doctor("--logs", str(tmp_path / "worker.log"), "--signatures", str(own))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ot-doctor: --signatures: {own}") and says in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_named_in_json_too(tmp_path: Path) -> None:
    done = ot_doctor("--signatures", str(tmp_path / "gone.toml"), "--format", "json")
    assert done.returncode == 2
    assert f"{tmp_path / 'gone.toml'} cannot be read: No such file or directory" in json.dumps(json.loads(done.stdout))


def test_a_users_own_signature_decides_an_attempt(own: Path, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text(
        "[2026-11-21 01:00:00,000: INFO/MainProcess] Loading PyAnnote v4 pipeline: pyannote/speaker-diarization-community-1\n"
        "[2026-11-21 01:00:02,000: ERROR/MainProcess] GPU transcription failed for file 8f: SiteProxy: refused huggingface.co\n",
        encoding="utf-8",
    )

    def attempt(*more: str) -> dict[str, object]:
        done = ot_doctor("--logs", str(log), "--no-docker", "--offline", "--format", "json", *more)
        return json.loads(done.stdout)["attempts"][0]  # type: ignore[no-any-return]

    assert attempt()["cause"] == "unrecognised"
    assert attempt("--signatures", str(own))["cause"] == "network-proxy"
