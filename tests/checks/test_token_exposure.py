from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import ComposeConfig, EnvFile, Role, Unavailable, WorkerLog, Workers
from ot_doctor_checks.token_exposure import token_exposure
from tests.checks.evidence import TOKEN, compose, deployment, env_file, everything_said, only, sed, worker, worker_log, workers

NONE = Unavailable("not there")


def judge(
    env: EnvFile | Unavailable = NONE,
    containers: Workers | Unavailable = NONE,
    files: ComposeConfig | Unavailable = NONE,
    log: WorkerLog | Unavailable = NONE,
) -> Finding:
    return only(token_exposure, env, containers, files, log, deployment())


def test_nothing_shows_it() -> None:
    assert judge(env_file(), workers(), compose(), worker_log()).status is Status.PASS


def test_a_file_on_a_machine_of_which_only_the_engine_is_reached() -> None:
    far = deployment(machine="ssh://me@srv")
    with pytest.raises(Unavailable, match="not there"):
        only(token_exposure, NONE, workers(), NONE, worker_log(), far)
    public = workers(worker(env={"VITE_TOKEN": TOKEN}))
    assert only(token_exposure, NONE, public, NONE, worker_log(), far).status is Status.FAIL


def test_world_readable() -> None:
    finding = judge(env_file(mode=0o644))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.TOKEN_EXPOSED)
    assert "mode 0644" in finding.message and finding.remedy[0].command == "chmod o-rwx /srv/ot/.env"


def test_world_readable_without_a_token_is_no_exposure() -> None:
    assert judge(env_file("HUGGINGFACE_TOKEN=\n", mode=0o644, tracked_by_git=True)).status is Status.PASS


def test_tracked_by_git_and_the_command_takes_it_out(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    for command in ("git init -q", "git add -f .env"):
        subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    finding = judge(env_file(tracked_by_git=True, path=path))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_EXPOSED)
    subprocess.run(finding.remedy[0].command or "", shell=True, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listed.stdout == "" and path.exists()


def test_a_link_whose_target_git_tracks(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/real.env").write_text("A=1\n")
    for command in ("git init -q", "git add -f real.env"):
        subprocess.run(command, shell=True, check=True, cwd=tmp_path / "kept")
    finding = judge(env_file(tracked_by_git=True, path=tmp_path / ".env", target=tmp_path / "kept/real.env"))
    subprocess.run(finding.remedy[0].command or "", shell=True, check=True)
    assert not subprocess.run(["git", "ls-files"], cwd=tmp_path / "kept", capture_output=True, check=True).stdout


def test_what_git_tracks_is_not_known() -> None:
    finding = judge(env_file(tracked_by_git=None))
    assert (finding.status, finding.cause) == (Status.UNKNOWN, None)
    assert "/srv/ot/.env" in finding.message and finding.remedy[0].command == "git -C /srv/ot ls-files -- .env"
    assert judge(env_file("HUGGINGFACE_TOKEN=\n", tracked_by_git=None)).status is Status.PASS


@pytest.mark.parametrize("name", ["VITE_HF_TOKEN", "NEXT_PUBLIC_TOKEN", "REACT_APP_HF", "PUBLIC_HF", "NUXT_PUBLIC_X"])
def test_browser_side_variable_in_env(name: str) -> None:
    finding = judge(env_file(f"HUGGINGFACE_TOKEN={TOKEN}\n{name}={TOKEN}\n"))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.TOKEN_EXPOSED, name)
    assert finding.remedy[0].command == sed(f"2s/^[^#]*{name}/# &/")
    assert TOKEN not in everything_said(finding)


def test_browser_side_variable_in_a_container_and_a_compose_file_is_one_finding() -> None:
    frontend = worker("frontend", service="frontend", role=Role.OTHER, env={"VITE_HF_TOKEN": TOKEN})
    finding = judge(env_file(), workers(worker(), frontend), compose(("VITE_HF_TOKEN", TOKEN), service="frontend"))
    assert finding.subject == "VITE_HF_TOKEN"
    assert [seen.source for seen in finding.evidence] == ["compose", "container"]
    assert any("--no-build frontend" in (step.command or "") for step in finding.remedy)


@pytest.mark.parametrize(
    "line", ["VITE_API_KEY=abcdefgh12345678", "VITE_HF_TOKEN=hf_your_token_here", "VITE_URL=http://x", "VITE_HF_TOKEN="]
)
def test_browser_side_variables_without_a_token_pass(line: str) -> None:
    assert judge(env_file(f"{line}\n")).status is Status.PASS


def test_a_token_in_the_log() -> None:
    finding = judge(log=worker_log(source={"token_lines": (17, 41)}))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.TOKEN_EXPOSED)
    assert "lines 17, 41" in finding.message


def test_readable_for_the_group_is_no_exposure() -> None:
    assert judge(env_file(mode=0o640)).status is Status.PASS
