from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import ComposeConfig, EnvFile, EnvProblem, Unavailable, Workers
from ot_doctor_checks.env_shadowed import env_shadowed
from tests.checks.evidence import (
    OTHER_TOKEN,
    TOKEN,
    compose,
    deployment,
    env_file,
    everything_said,
    kept,
    only,
    sed,
    worker,
    workers,
)

GOOD = f"HUGGINGFACE_TOKEN={TOKEN}\n"


def judge(env: EnvFile, files: ComposeConfig | None = None, containers: Workers | Unavailable | None = None) -> Finding:
    return only(env_shadowed, env, files or Unavailable("not read"), containers or workers(), deployment())


def other_worker(value: str = "") -> Workers:
    return workers(worker(env={"HUGGINGFACE_TOKEN": value}))


def test_nothing_wins() -> None:
    assert judge(env_file(), compose()).status is Status.PASS


@pytest.mark.parametrize("spoiler", ["", "hf_your_token_here", "# paste here"])
def test_a_later_line_that_is_no_token(spoiler: str) -> None:
    finding = judge(env_file(f"{GOOD}A=1\nHUGGINGFACE_TOKEN={spoiler}\n"))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.ENV_SHADOWED, "HUGGINGFACE_TOKEN")
    assert "Line 3 of /srv/ot/.env" in finding.message and "line 1" in finding.message
    assert finding.remedy[0].command == sed('3s/^[^#]*HUGGINGFACE_TOKEN/# &/')
    assert "--force-recreate" in (finding.remedy[1].command or "")


def test_several_spoilers_go_at_once_and_a_second_paste_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "my .env"
    path.write_text(f"HUGGINGFACE_TOKEN=\n{GOOD}HUGGINGFACE_TOKEN=\nA=1\nHUGGINGFACE_TOKEN=\n")
    finding = judge(env_file(path.read_text(), path=path))
    for _ in range(2):
        subprocess.run(finding.remedy[0].command or "", shell=True, check=True)
        assert path.read_text() == f"HUGGINGFACE_TOKEN=\n{GOOD}# HUGGINGFACE_TOKEN=\nA=1\n# HUGGINGFACE_TOKEN=\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "shared.env", tmp_path / ".env"
    real.write_text(f"{GOOD}HUGGINGFACE_TOKEN=\n")
    link.symlink_to(real)
    finding = judge(env_file(real.read_text(), path=link, target=real))
    subprocess.run(finding.remedy[0].command or "", shell=True, check=True)
    assert link.is_symlink() and link.read_text() == f"{GOOD}# HUGGINGFACE_TOKEN=\n"


def test_a_file_of_root_is_edited_with_sudo() -> None:
    finding = judge(env_file(f"{GOOD}HUGGINGFACE_TOKEN=\n", owner=0, editable=False))
    assert (finding.remedy[0].command or "").startswith("sudo sh -c 't=$(mktemp) && ")


def test_two_tokens_warn() -> None:
    finding = judge(env_file(f"{GOOD}HUGGINGFACE_TOKEN={OTHER_TOKEN}\n"))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.ENV_SHADOWED)
    assert finding.remedy[0].command == sed('1s/^[^#]*HUGGINGFACE_TOKEN/# &/')
    assert TOKEN not in everything_said(finding)


@pytest.mark.parametrize(
    "text",
    [GOOD + GOOD, "HUGGINGFACE_TOKEN=\n" + GOOD, "HUGGINGFACE_TOKEN=\nHUGGINGFACE_TOKEN=x\n", GOOD + "HUGGINGFACE_TOKEN\n"],
)
def test_duplicates_that_spoil_nothing(text: str) -> None:
    assert judge(env_file(text)).status is Status.PASS


@pytest.mark.parametrize("key", ["MIN_SPEAKERS", "MAX_SPEAKERS", "NUM_SPEAKERS", "HF_HOME", "MODEL_CACHE_DIR"])
def test_other_settings_warn(key: str) -> None:
    finding = judge(env_file(f"{key}=2\n{key}=3\n"))
    assert (finding.status, finding.cause, finding.subject) == (Status.WARN, Cause.ENV_SHADOWED, key)
    assert "line 2 (3) overrides the others" in finding.message
    assert judge(env_file(f"{key}=2\n{key}=2\n")).status is Status.PASS


@pytest.mark.parametrize("value", ["", OTHER_TOKEN, "hf_your_token_here"])
def test_an_environment_entry_wins(value: str) -> None:
    finding = judge(env_file(), compose(("HUGGINGFACE_TOKEN", value)), other_worker(value))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.ENV_SHADOWED, "HUGGINGFACE_TOKEN")
    assert "/srv/ot/docker-compose.yml:20" in finding.message
    assert finding.remedy[0].command == sed('20s/^[^#]*HUGGINGFACE_TOKEN/# &/', '/srv/ot/docker-compose.yml')
    assert TOKEN not in everything_said(finding)


def test_an_interpolation_names_its_variable() -> None:
    finding = judge(env_file(), compose(("HUGGINGFACE_TOKEN", ""), references=("HF_TOKEN",)), other_worker())
    assert finding.status is Status.FAIL and "through ${HF_TOKEN}" in everything_said(finding)


def test_an_entry_beside_others_on_its_line_is_not_deleted_by_command() -> None:
    files = compose(("HUGGINGFACE_TOKEN", ""), ("OTHER", "1"))
    same_line = tuple(type(s)(s.service, s.key, s.value, s.path, 20) for s in files.environment)
    finding = judge(env_file(), type(files)(files.files, files.services, same_line), other_worker())
    assert finding.remedy[0].command is None and "line 20" in finding.remedy[0].text


def test_a_container_that_still_has_the_token_of_env_makes_it_a_warning() -> None:
    finding = judge(env_file(), compose(("HUGGINGFACE_TOKEN", "")))
    assert finding.status is Status.WARN and "at the next recreate" in finding.message


@pytest.mark.parametrize("text, value", [(GOOD, TOKEN), ("HUGGINGFACE_TOKEN=\n", OTHER_TOKEN), ("A=1\n", OTHER_TOKEN)])
def test_an_entry_that_takes_nothing_away(text: str, value: str) -> None:
    assert judge(env_file(text), compose(("HUGGINGFACE_TOKEN", value)), other_worker(value)).status is Status.PASS


def test_a_bare_entry_takes_the_shells_value() -> None:
    files = compose(("HUGGINGFACE_TOKEN", None))
    assert judge(env_file(), files, other_worker()).status is Status.PASS
    shell = kept({"HUGGINGFACE_TOKEN": OTHER_TOKEN})
    finding = judge(env_file(shell_wins=shell), files, other_worker(OTHER_TOKEN))
    assert finding.status is Status.FAIL and "takes HUGGINGFACE_TOKEN of the shell" in finding.message


def test_an_entry_of_a_service_that_does_not_diarize_is_left_out() -> None:
    assert judge(env_file(), compose(("HUGGINGFACE_TOKEN", ""), service="postgres")).status is Status.PASS


def test_without_containers_the_usual_services_are_looked_at() -> None:
    finding = judge(env_file(), compose(("HUGGINGFACE_TOKEN", "")), Unavailable("no engine"))
    assert finding.status is Status.FAIL


def test_an_environment_entry_for_a_speaker_limit_warns() -> None:
    finding = judge(env_file("MAX_SPEAKERS=4\n"), compose(("MAX_SPEAKERS", "20")))
    assert (finding.status, finding.subject) == (Status.WARN, "MAX_SPEAKERS") and "sets it to 20" in finding.message
    assert judge(env_file("MAX_SPEAKERS=4\n"), compose(("MAX_SPEAKERS", "4"))).status is Status.PASS


def test_the_shells_model_cache_dir_warns() -> None:
    finding = judge(env_file("MODEL_CACHE_DIR=./models\n", shell_wins={"MODEL_CACHE_DIR": "/tmp/x"}))
    assert (finding.status, finding.subject) == (Status.WARN, "MODEL_CACHE_DIR")
    assert finding.remedy[0].command == "unset MODEL_CACHE_DIR"


def test_an_unreadable_file_is_skipped() -> None:
    assert judge(env_file("", problem=EnvProblem.UTF16)).status is Status.SKIP
