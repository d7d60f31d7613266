from __future__ import annotations

from dataclasses import replace
from typing import Any

from ot_doctor.check import Cause, Finding, Risk, Status
from ot_doctor.evidence import COMMUNITY_1, DIARIZATION_3_1, FileState, ModelCache, ReleaseLine
from ot_doctor_checks.cache_complete import cache_complete
from tests.checks.evidence import (
    MODELS,
    cache,
    cached_model,
    deployment,
    everything_said,
    host,
    hub,
    only,
    statuses,
    worker,
    workers,
)  # fmt: skip

FILES = ("config.yaml", "plda/plda.npz")
FOLDER = "models--pyannote--speaker-diarization-community-1"


def judged(given: ModelCache, line: ReleaseLine = ReleaseLine.V0_4) -> list[Finding]:
    return list(cache_complete(given, deployment(line), workers(), hub(line=line), host()))


def with_model(*, state: FileState = FileState.OK, present: bool = True, **changes: Any) -> ModelCache:
    incomplete = changes.pop("incomplete", ())
    model = cached_model(COMMUNITY_1, FILES, state=state, present=present, incomplete=incomplete)
    return cache(models=(model,), **changes)


def test_a_complete_model_passes_with_path_and_size() -> None:
    finding = only(cache_complete, cache(), deployment(), workers(), hub(), host())
    assert finding.status is Status.PASS
    assert f"{MODELS}/huggingface/hub/{FOLDER}" in finding.message
    assert "MB" in finding.message


def test_an_absent_model_that_the_next_job_downloads_is_a_warning() -> None:
    (finding,) = judged(with_model(state=FileState.MISSING, present=False))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.CACHE_MISSING)
    assert "The next job downloads what is missing" in finding.message


def test_an_absent_model_that_cannot_be_stored_points_at_the_permissions() -> None:
    (finding,) = judged(with_model(state=FileState.MISSING, present=False, writable=False))
    assert finding.status is Status.WARN
    assert "cache-permissions" in finding.message


def test_an_absent_model_fails_in_offline_mode_with_the_copy_commands() -> None:
    (finding,) = judged(with_model(state=FileState.MISSING, present=False, offline="HF_HUB_OFFLINE=1"))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.OFFLINE_CACHE_MISSING, COMMUNITY_1)
    first = finding.remedy[0].text
    assert first.startswith("Either let this machine download") and ". Or copy the models" in first
    commands = [step.command for step in finding.remedy if step.command]
    assert f"hf download {COMMUNITY_1} --cache-dir /tmp/pyannote-models" in commands[0]
    assert f"tar -C {MODELS}/huggingface/hub -xzf" in commands[1]
    assert "rsync -a" in everything_said(finding)
    assert "chown" in commands[2]


def test_dangling_links_fail_in_offline_mode_and_are_named() -> None:
    (finding,) = judged(with_model(state=FileState.DANGLING, offline="HF_HUB_OFFLINE=1"))
    assert finding.cause is Cause.OFFLINE_CACHE_MISSING
    assert "plda/plda.npz (dangling link)" in finding.message
    assert len([seen for seen in finding.evidence if seen.text == "dangling link"]) == 2


def test_a_broken_off_download_that_the_next_job_completes_is_a_warning() -> None:
    blob = f"{MODELS}/huggingface/hub/{FOLDER}/blobs/abc.incomplete"
    (finding,) = judged(with_model(state=FileState.MISSING, incomplete=(blob,)))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.CACHE_INCOMPLETE)
    assert "The next job downloads what is missing" in finding.message
    assert blob in everything_said(finding)


def test_a_broken_off_download_that_cannot_be_completed_says_so() -> None:
    (finding,) = judged(with_model(state=FileState.MISSING, writable=False))
    assert finding.cause is Cause.CACHE_INCOMPLETE
    assert "cannot be stored" in finding.message


def test_a_git_lfs_pointer_fails_with_a_command_that_removes_that_folder_alone() -> None:
    (finding,) = judged(with_model(state=FileState.LFS_POINTER))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.MODEL_CORRUPT, COMMUNITY_1)
    step = finding.remedy[0]
    assert step.risk is Risk.CHANGES_FILES
    assert step.command == (
        "docker run --rm --pull never --network none --user 0:0 --entrypoint rm "
        f"--mount type=bind,source={MODELS}/huggingface/hub,target=/models "
        f"davidamacey/opentranscribe-backend:v0.4.1 -rf /models/{FOLDER}"
    )
    assert "git-lfs pointer" in finding.message


def test_html_empty_and_truncated_files_are_corrupt_too() -> None:
    for state in (FileState.HTML, FileState.EMPTY, FileState.TRUNCATED):
        (finding,) = judged(with_model(state=state))
        assert finding.cause is Cause.MODEL_CORRUPT, state


def test_a_damaged_model_in_offline_mode_is_replaced_by_a_copy() -> None:
    (finding,) = judged(with_model(state=FileState.EMPTY, offline="HF_HUB_OFFLINE=1"))
    assert finding.cause is Cause.MODEL_CORRUPT
    assert "hf download" in everything_said(finding)


def test_a_damaged_model_without_a_container_or_off_the_mounts() -> None:
    damaged = with_model(state=FileState.EMPTY)
    gone = cache_complete(damaged, deployment(), workers(worker("another-one")), hub(), host())
    assert gone[0].remedy[0].command == f"sudo rm -rf {MODELS}/huggingface/hub/{FOLDER}"
    inside = replace(damaged, root=replace(damaged.root, path=None, mount=None))
    command = cache_complete(inside, deployment(), workers(), hub(), host())[0].remedy[0].command
    assert command is not None
    assert command.startswith("docker exec --user 0:0 opentranscribe-celery-worker rm -rf /home/appuser/")


def test_misplaced_models_fail_with_the_command_that_moves_all_of_them() -> None:
    line = ReleaseLine.V0_3
    absent = cache(False, line=line)
    place = f"{MODELS}/torch/home/ana/.cache/torch/pyannote"
    folders = [model.path.rpartition("/")[2] for model in absent.models]
    root = replace(absent.root, path=f"{MODELS}/torch/pyannote", container_path="/home/appuser/.cache/torch/pyannote")
    models = tuple(replace(m, path=f"{root.path}/{folder}") for m, folder in zip(absent.models, folders, strict=True))
    given = replace(absent, root=root, models=models, misplaced=tuple(f"{place}/{folder}" for folder in folders))
    findings = judged(given, line)
    assert statuses(findings) == [Status.FAIL]
    assert findings[0].cause is Cause.CACHE_INCOMPLETE
    assert all(model.repo in findings[0].message for model in models)
    command = findings[0].remedy[0].command or ""
    assert f"--mount type=bind,source={MODELS}/torch,target=/models" in command
    for folder in folders:
        assert f"mv /models/home/ana/.cache/torch/pyannote/{folder} /models/pyannote" in command
    assert "chown -hR 1000:1000 /models/pyannote" in command


def test_misplaced_models_that_are_not_needed_are_a_warning() -> None:
    place = f"{MODELS}/torch/home/ana/.cache/torch/pyannote/models--pyannote--speaker-diarization-3.1"
    warning, good = judged(cache(misplaced=(place,)))
    assert (warning.status, warning.cause) == (Status.WARN, Cause.CACHE_INCOMPLETE)
    assert place in warning.message
    assert good.status is Status.PASS


def test_files_that_the_doctor_may_not_read_are_unknown() -> None:
    (finding,) = judged(with_model(state=FileState.UNREADABLE))
    assert finding.status is Status.UNKNOWN
    assert "Run ot-doctor as root" in everything_said(finding)


def test_files_that_the_worker_may_not_read_are_the_permission_checks() -> None:
    (finding,) = judged(with_model(state=FileState.UNREADABLE, readable=False))
    assert finding.status is Status.SKIP
    assert "cache-permissions" in finding.message


def test_files_of_the_old_layout_are_a_note() -> None:
    good, note = judged(cache(old_layout=(f"{MODELS}/torch/pyannote/models--pyannote--segmentation-3.0",)))
    assert (good.status, note.status) == (Status.PASS, Status.PASS)
    assert f"{MODELS}/torch/pyannote" in note.message


def test_nothing_fails_while_the_release_line_is_unknown() -> None:
    whole = cached_model(COMMUNITY_1, FILES, required=False)
    broken = cached_model(DIARIZATION_3_1, FILES, state=FileState.HTML, required=False)
    findings = judged(cache(models=(whole, broken)), ReleaseLine.UNKNOWN)
    assert statuses(findings) == [Status.PASS, Status.WARN]
    absent = cached_model(COMMUNITY_1, FILES, state=FileState.MISSING, present=False, required=False)
    assert statuses(judged(cache(models=(absent,)), ReleaseLine.UNKNOWN)) == [Status.SKIP]


def test_a_folder_that_was_made_anew_under_a_running_worker() -> None:
    finding = judged(replace(cache(False), replaced=True))[0]
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_INCOMPLETE)
    assert finding.remedy[0].command == "docker restart opentranscribe-celery-worker"
