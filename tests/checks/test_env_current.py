from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import ComposeConfig, ComposeService, EnvFile, EnvProblem, Mount, Unavailable, Workers
from ot_doctor.redaction.secret import Secret
from ot_doctor_checks.env_current import env_current
from tests.checks.evidence import (
    COMPOSE_PATH,
    ENGINE,
    LATER,
    MOUNTS,
    OTHER_TOKEN,
    TOKEN,
    celery,
    compose,
    deployment,
    env_file,
    everything_said,
    only,
    worker,
    workers,
)

GOOD = f"HUGGINGFACE_TOKEN={TOKEN}\n"


def judge(env: EnvFile, containers: Workers, files: ComposeConfig | None = None) -> list[Finding]:
    findings: list[Finding] = env_current(env, containers, files or Unavailable("not read"), deployment())
    return findings


def one(env: EnvFile, containers: Workers, files: ComposeConfig | None = None) -> Finding:
    return only(env_current, env, containers, files or Unavailable("not read"), deployment())


def test_the_same_everywhere() -> None:
    finding = one(env_file(), workers(worker(), celery()), compose())
    assert finding.status is Status.PASS and "opentranscribe-celery-cpu-worker" in finding.message


def test_an_edit_after_the_container_was_created() -> None:
    finding = one(env_file(GOOD, modified_at=LATER), workers(worker(env={"HUGGINGFACE_TOKEN": ""}), celery()))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.STALE_WORKER_ENV, "HUGGINGFACE_TOKEN")
    assert "created 2026-11-20 12:00:00 UTC, .env written 2026-11-20 13:00:00 UTC" in finding.message
    assert (finding.remedy[0].command or "").endswith("up -d --force-recreate --no-deps --pull never --no-build celery-worker")
    assert [(seen.where, seen.text) for seen in finding.evidence] == [
        ("/srv/ot/.env:1", f"HUGGINGFACE_TOKEN is {Secret(TOKEN)}"),
        ("the environment of opentranscribe-celery-worker", "HUGGINGFACE_TOKEN is empty"),
    ]


def test_two_tokens_of_one_shape_are_told_apart_without_showing_them() -> None:
    finding = one(env_file(GOOD), workers(worker(env={"HUGGINGFACE_TOKEN": OTHER_TOKEN})))
    texts = {seen.text for seen in finding.evidence}
    assert len(texts) == 2 and all("hf_…(37:" in text for text in texts)
    assert TOKEN not in everything_said(finding) and OTHER_TOKEN not in everything_said(finding)


def test_every_container_with_the_old_token_is_recreated_in_one_finding() -> None:
    old = {"HUGGINGFACE_TOKEN": OTHER_TOKEN}
    finding = one(env_file(GOOD), workers(worker(env=old), celery(env=old)))
    assert "--no-deps --pull never --no-build celery-worker celery-cpu-worker" in (finding.remedy[0].command or "")


def test_settings_are_reported_for_the_diarizer_alone() -> None:
    env = env_file(GOOD + "MAX_SPEAKERS=4\nHF_HOME=/x\nDIARIZATION_BATCH_SIZE=8\nPOSTGRES_DB=new\n")
    findings = judge(env, workers(worker(env={"HUGGINGFACE_TOKEN": TOKEN, "MAX_SPEAKERS": "20"}), celery()))
    assert [f.subject for f in findings] == ["MAX_SPEAKERS", "HF_HOME, DIARIZATION_BATCH_SIZE"]
    assert {f.status for f in findings} == {Status.FAIL}
    assert "MAX_SPEAKERS is '4'" in everything_said(findings[0]) and "MAX_SPEAKERS is '20'" in everything_said(findings[0])


def test_a_deleted_line_is_seen_when_the_compose_files_are_known() -> None:
    containers = workers(worker(env={"HUGGINGFACE_TOKEN": TOKEN, "NUM_SPEAKERS": "2", "PATH": "/bin"}))
    assert [f.subject for f in judge(env_file(GOOD), containers, compose())] == ["NUM_SPEAKERS"]
    assert [f.status for f in judge(env_file(GOOD), containers)] == [Status.PASS]


def test_what_the_image_sets_is_no_drift() -> None:
    containers = workers(
        worker(
            env={"HUGGINGFACE_TOKEN": TOKEN, "HF_HOME": "/home/appuser/.cache/huggingface"},
            image_env_names=frozenset({"HF_HOME"}),
        )
    )
    assert one(env_file(GOOD), containers, compose()).status is Status.PASS


def test_an_image_that_could_not_be_read_explains_every_variable() -> None:
    containers = workers(worker(env={"HUGGINGFACE_TOKEN": TOKEN, "HF_HOME": "/x"}, image_env_names=frozenset()))
    assert one(env_file(GOOD), containers, compose()).status is Status.PASS


def test_empty_and_absent_are_the_same() -> None:
    assert one(env_file(GOOD + "NUM_SPEAKERS=\n"), workers()).status is Status.PASS


def test_an_environment_entry_is_what_is_expected() -> None:
    containers = workers(worker(env={"HUGGINGFACE_TOKEN": OTHER_TOKEN}))
    assert one(env_file(GOOD), containers, compose(("HUGGINGFACE_TOKEN", OTHER_TOKEN))).status is Status.PASS
    finding = one(env_file(GOOD), workers(), compose(("HUGGINGFACE_TOKEN", OTHER_TOKEN)))
    assert finding.status is Status.FAIL and finding.evidence[0].source == "compose"


@pytest.mark.parametrize("entry", [("HUGGINGFACE_TOKEN", None), ("MAX_SPEAKERS", "${X}")])
def test_what_another_shell_decided_is_not_judged(entry: tuple[str, str | None]) -> None:
    key, value = entry
    files = compose((key, value), references=("X",))
    containers = workers(worker(env={"HUGGINGFACE_TOKEN": TOKEN, key: OTHER_TOKEN if key == "HUGGINGFACE_TOKEN" else "7"}))
    assert one(env_file(GOOD, shell_wins={"X": "1"}), containers, files).status is Status.PASS


def test_a_bare_key_is_not_judged() -> None:
    assert (
        one(env_file(f"{GOOD}MAX_SPEAKERS\n"), workers(worker(env={"HUGGINGFACE_TOKEN": TOKEN, "MAX_SPEAKERS": "3"}))).status
        is Status.PASS
    )


def test_a_service_that_does_not_read_env() -> None:
    files = replace(compose(), services={"celery-worker": ComposeService("celery-worker", COMPOSE_PATH, 3)})
    assert one(env_file(GOOD), workers(worker(env={})), files).status is Status.PASS


def test_a_second_env_file_makes_it_a_warning() -> None:
    service = ComposeService("celery-worker", COMPOSE_PATH, 3, env_files=(".env", "more.env"))
    finding = one(env_file(GOOD + "MAX_SPEAKERS=4\n"), workers(), replace(compose(), services={"celery-worker": service}))
    assert finding.status is Status.WARN and "another env_file" in finding.message


def test_a_worse_value_in_env_is_a_warning() -> None:
    finding = one(env_file("HUGGINGFACE_TOKEN=\n"), workers())
    assert (finding.status, finding.cause) == (Status.WARN, Cause.STALE_WORKER_ENV)
    assert "loses it at the next recreate" in finding.message


def test_a_leftover_container_that_does_not_run_is_left_out() -> None:
    old = worker("old", env={"HUGGINGFACE_TOKEN": OTHER_TOKEN}, status="exited")
    assert one(env_file(GOOD), workers(worker(), old)).status is Status.PASS
    assert one(env_file(GOOD), workers(old)).status is Status.FAIL


def test_a_moved_model_cache() -> None:
    env = env_file(GOOD + "MODEL_CACHE_DIR=/data/models\n", modified_at=LATER)
    finding = one(env, workers())
    assert (finding.status, finding.subject) == (Status.FAIL, "MODEL_CACHE_DIR")
    assert "/data/models" in everything_said(finding) and "/srv/ot/models" in everything_said(finding)


@pytest.mark.parametrize(
    "value, changes",
    [("./models", {}), ("models/", {}), ("/srv/ot/models", {}), ("~/models", {}), ("", {}), ("/data/models", {"mounts": ()})],
)
def test_the_model_cache_is_where_it_should_be(value: str, changes: dict[str, Any]) -> None:
    env = env_file(f"{GOOD}MODEL_CACHE_DIR={value}\n", modified_at=LATER)
    assert one(env, workers(worker(**changes))).status is Status.PASS


def test_a_model_cache_that_was_not_edited_since_is_left_to_the_cache_checks() -> None:
    assert one(env_file(GOOD + "MODEL_CACHE_DIR=/data/models\n"), workers()).status is Status.PASS


def test_docker_desktop_mounts_have_other_paths() -> None:
    engine = replace(ENGINE, operating_system="Docker Desktop")
    mounts = (replace(MOUNTS[0], source="/host_mnt/srv/ot/models/huggingface"), Mount("tmpfs", "", "/tmp", True))
    env = env_file(GOOD + "MODEL_CACHE_DIR=./models\n", modified_at=LATER)
    assert one(env, workers(worker(engine=engine, mounts=mounts))).status is Status.PASS


def test_no_containers_and_no_file() -> None:
    assert one(env_file(), Workers(ENGINE, ())).status is Status.PASS
    assert one(env_file("", problem=EnvProblem.FOLDER), workers()).status is Status.SKIP


def test_a_restarting_worker_counts() -> None:
    old = worker("old", env={"HUGGINGFACE_TOKEN": OTHER_TOKEN}, status="restarting")
    assert one(env_file(GOOD), workers(old, celery())).status is Status.FAIL


def test_a_deleted_line_is_not_looked_for_when_a_compose_file_could_not_be_read() -> None:
    containers = workers(worker(env={"HUGGINGFACE_TOKEN": TOKEN, "NUM_SPEAKERS": "2"}))
    files = replace(compose(), problems=("docker-compose.gpu.yml: not there",))
    finding = one(env_file(GOOD), containers, files)
    assert finding.status is Status.UNKNOWN and "docker-compose.gpu.yml: not there" in finding.message


def test_a_drift_is_only_possible_when_a_compose_file_could_not_be_read() -> None:
    files = replace(compose(), problems=("docker-compose.gpu.yml: not there",))
    finding = one(env_file(GOOD), workers(worker(env={"HUGGINGFACE_TOKEN": OTHER_TOKEN})), files)
    assert finding.status is Status.WARN and "a Compose file that could not be read" in finding.message


@pytest.mark.parametrize("name", ["HTTP_PROXY", "NO_PROXY"])
def test_a_proxy_that_the_engine_gave_is_no_old_value(name: str) -> None:
    given = worker(env={"HUGGINGFACE_TOKEN": TOKEN, name: "localhost"})
    assert one(env_file(GOOD), workers(given), compose()).status is Status.PASS
