from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import EnvFile, ModelCache, Unavailable
from ot_doctor.redaction.secret import Secret
from ot_doctor_checks.token_format import token_format
from tests.checks.evidence import OTHER_TOKEN, TOKEN, cache, deployment, env_file, everything_said, only, token, workers


def judge(
    value: str | None, env: EnvFile | Unavailable | None = None, model_cache: ModelCache | None = None, **changes: Any
) -> Finding:
    env = env or env_file(f"HUGGINGFACE_TOKEN={value}\n")
    return only(token_format, token(value, **changes), env, workers(), deployment(), model_cache or cache(complete=False))


def test_a_token_passes() -> None:
    finding = judge(TOKEN)
    assert finding.status is Status.PASS and TOKEN not in everything_said(finding)


def test_no_token_is_skipped() -> None:
    assert judge(None).status is Status.SKIP


@pytest.mark.parametrize(
    "value", ["hf_your_token_here", "your_huggingface_token_here", "<your_token>", "hf_" + "x" * 34, "hf_...", "hf_" + "0" * 34]
)
def test_example_values(value: str) -> None:
    finding = judge(value)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_PLACEHOLDER)
    assert "/srv/ot/.env:1" in finding.message


@pytest.mark.parametrize(
    "value, said",
    [
        (f"“{TOKEN}”", "character 1 of 39 is U+201C LEFT DOUBLE QUOTATION MARK"),
        (f"{TOKEN}\u200b", "character 38 of 38 is U+200B ZERO WIDTH SPACE"),
        (f"\xa0{TOKEN}", "U+00A0 NO-BREAK SPACE"),
        (f"{TOKEN}\r", "U+000D CARRIAGE RETURN"),
        (f'{TOKEN}"', "U+0022 QUOTATION MARK"),
        (f"`{TOKEN}`", "U+0060 GRAVE ACCENT"),
        (f"{TOKEN} mine", "U+0020 SPACE"),
        (f"HUGGINGFACE_TOKEN={TOKEN}", "pasted twice"),
        (f"HF_TOKEN={TOKEN}", "begins with 'HF_TOKEN='"),
        (f"{TOKEN}\t# my token", "A comment is part of the value"),
        (f"{TOKEN}#mine", "A comment is part of the value"),
        ("# paste here", "There is no token in .env: the line has only a comment"),
        (f"{TOKEN}{TOKEN}", "more than once"),
        ("api_org_" + "A1b2" * 8, "an organization's token"),
        ("api_" + "A1b2" * 8, "of the old kind"),
        ("hf_Ab1", "cut off: it has 6 characters instead of 37"),
        ("Ab1" * 12, "does not begin with hf_"),
    ],
)
def test_what_is_no_token(value: str, said: str) -> None:
    finding = judge(value)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_MALFORMED)
    assert said in finding.message and "/srv/ot/.env:1" in finding.message
    assert "--force-recreate" in (finding.remedy[-1].command or "")
    assert TOKEN not in everything_said(finding)


@pytest.mark.parametrize(
    "line",
    [
        f"HUGGINGFACE_TOKEN=“{TOKEN}”", f"HUGGINGFACE_TOKEN={TOKEN}\u200b", f"HUGGINGFACE_TOKEN=HUGGINGFACE_TOKEN={TOKEN}",
        f"export HUGGINGFACE_TOKEN={TOKEN}\t# mine", f"HUGGINGFACE_TOKEN={TOKEN}{TOKEN}", f"HUGGINGFACE_TOKEN={TOKEN} my token",
        f"HUGGINGFACE_TOKEN={TOKEN}`",
    ],
)  # fmt: skip
def test_the_repair_leaves_the_token_alone_on_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "my .env"
    path.write_text(f"A=1\n{line}\nB=2\n")
    value = line.partition("=")[2]
    env = env_file(f"A=1\nHUGGINGFACE_TOKEN={value}\nB=2\n", path=path)
    finding = judge(value, env, env_line=f"{path}:2")
    subprocess.run(finding.remedy[0].command or "", shell=True, check=True)
    assert path.read_text() == f"A=1\nHUGGINGFACE_TOKEN={TOKEN}\nB=2\n"


@pytest.mark.parametrize("value", [f"{TOKEN[:20]}\u200b{TOKEN[20:]}", "hf_Ab1", f"{TOKEN}\n"])
def test_no_repair_where_no_whole_token_can_be_seen(value: str) -> None:
    assert all("LC_ALL" not in (step.command or "") for step in judge(value, env_file("")).remedy)


def test_a_line_that_was_mended_needs_the_recreate_alone() -> None:
    finding = judge(f"{TOKEN}\u200b", env_file(f"HUGGINGFACE_TOKEN={OTHER_TOKEN}\n"))
    assert len(finding.remedy) == 1 and "--force-recreate" in (finding.remedy[0].command or "")


def test_an_unusual_length_is_only_a_warning() -> None:
    finding = judge(TOKEN + "x")
    assert (finding.status, finding.cause) == (Status.WARN, None)
    assert "38 characters instead of 37" in finding.message


def test_a_complete_cache_makes_it_a_warning() -> None:
    assert judge("hf_your_token_here", model_cache=cache()).status is Status.WARN
    assert judge(f"{TOKEN}\u200b", model_cache=cache()).status is Status.WARN


def test_without_an_env_file_the_place_in_the_container_is_named() -> None:
    finding = judge(f"{TOKEN}\u200b", Unavailable("none"), env_line=None)
    assert "the environment of opentranscribe-celery-worker" in finding.message
    assert Secret(TOKEN).shape.well_formed
