"""Attempts in a container's log, and what every finding has to do with the newest failure."""

from __future__ import annotations

import pytest

from tests.parts import hub, models
from tests.scenarios import logs
from tests.scenarios.scenario import BringUp, Report, Scenario, World

pytestmark = pytest.mark.engine

OTHER = "9a3d6b2f-2222-4333-8444-555566667777"
GPU = "transcription.gpu_transcribe"
CACHE = "/home/appuser/.cache/huggingface/hub/models--pyannote--speaker-diarization-community-1"


def line(second: int, text: str, level: str = "INFO", process: str = "MainProcess") -> str:
    return f"[2026-11-21 01:37:{second:02},804: {level}/{process}] {text}"


def loads(second: int) -> str:
    return line(second, f"Loading PyAnnote v4 pipeline: {hub.COMMUNITY_1}")


def attempts(report: Report) -> dict[str | None, tuple[str, str | None]]:
    return {attempt["task"]: (attempt["outcome"], attempt["cause"]) for attempt in report.document["attempts"]}


def relations(report: Report) -> set[tuple[str, str]]:
    return {
        (finding["cause"], finding["relation"])
        for check in report.document["checks"]
        for finding in check["findings"]
        if finding["status"] == "fail"
    }


def owned_by_root(world: World) -> None:
    models.own(world.models, (0, 0))
    for path in (world.models, *world.models.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


def test_tasks_of_a_thread_pool_that_run_at_once(bring_up: BringUp) -> None:
    error, summary = logs.gated_403(hub.COMMUNITY_1)
    log = [
        line(1, f"Task {GPU}[{logs.TASK}] received"), line(1, f"Task {GPU}[{OTHER}] received"), loads(2), loads(2),
        line(3, f"GPU transcription failed for file 0c1d: {summary}", "ERROR"),
        line(9, "TIMING: diarization completed in 6.345s - 2 speakers, 12 segments"),
        line(10, f"Task {GPU}[{OTHER}] succeeded in 9.2s: {{'status': 'success'}}"),
        line(11, f"Task {GPU}[{logs.TASK}] raised unexpected: RuntimeError({summary!r})", "ERROR"),
        "Traceback (most recent call last):", *error,
    ]  # fmt: skip
    report = bring_up(Scenario(accepted=[], cache="absent", log=log)).report()
    assert attempts(report) == {logs.TASK: ("failed", "gated-not-accepted"), OTHER: ("succeeded", None)}
    assert report.causes == ["gated-not-accepted"], report.summary()
    assert relations(report) == {("gated-not-accepted", "explains-the-failure")}


def test_a_permission_that_is_called_gated_while_the_gate_is_closed_too(bring_up: BringUp) -> None:
    denied = "/home/appuser/.cache/torch/pyannote/models--pyannote--speaker-diarization-3.1"
    log = [
        line(2, "Performing speaker diarization...", process="ForkPoolWorker-1"),
        line(5, "", "WARNING", "ForkPoolWorker-1"),
        "Could not download 'pyannote/speaker-diarization-3.1' pipeline.",
        "It might be because the pipeline is private or gated so make",
        line(5, f"PyAnnote model access error: [Errno 13] Permission denied: '{denied}'", "ERROR", "ForkPoolWorker-1"),
        line(6, f"Task transcribe_audio[{logs.TASK}] succeeded in 5.0s: {{'status': 'error', 'message': 'gated'}}"),
    ]
    world = bring_up(Scenario(line="v0.3", accepted=[], cache="absent", log=log, prepare=owned_by_root))
    report = world.report()
    assert report.causes[0] == "cache-permission" and set(report.causes[1:]) == {"gated-not-accepted"}, report.summary()
    assert attempts(report) == {logs.TASK: ("failed", "cache-permission")}
    assert relations(report) == {
        ("cache-permission", "explains-the-failure"), ("gated-not-accepted", "would-break-the-next-run")
    }  # fmt: skip
    text = world.doctor(format="text").stdout
    assert "It explains the last failure" in text and "would break the next run" in text


def test_memory_that_a_smaller_batch_saved(bring_up: BringUp) -> None:
    log = logs.v04_success()
    log.insert(5, line(6, "Diarization OOM with batch_size=16, reducing and retrying...", "WARNING"))
    log.insert(6, line(9, "Diarization succeeded with reduced batch_size=8 (original: 16)"))
    report = bring_up(Scenario(log=log)).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert attempts(report) == {logs.TASK: ("recovered", "gpu-out-of-memory")}
    assert "did not stop it" in report.text_of("last-attempt")


def test_what_people_say_into_a_microphone(bring_up: BringUp) -> None:
    log = logs.v04_success()
    log[5:5] = [
        line(6, "Transcript segment: Cannot access gated repository", "WARNING"),
        line(6, "LLM summary: 'Invalid HuggingFace token', she said", "ERROR"),
        line(6, "[00:12.000 --> 00:14.500] CUDA out of memory. Tried to allocate 2 GiB", "WARNING"),
        line(6, "Speaker text: Cannot access gated repository"),
    ]
    report = bring_up(Scenario(log=log)).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert attempts(report) == {logs.TASK: ("succeeded", None)}


def test_an_attempt_that_a_restart_cut_off(bring_up: BringUp) -> None:
    banner = [" -------------- gpu-transcription@3f1d2c4b5a69 v5.6.3 (recovery)", "--- ***** -----", " -------------- [queues]"]
    log = [*banner, line(1, f"Task {GPU}[{logs.TASK}] received"), *logs.v04_success()[1:5]]
    world = bring_up(Scenario(log=[*log, "", *banner, line(40, "gpu-transcription@3f1d2c4b5a69 ready.")]))
    report = world.report()
    assert attempts(report) == {logs.TASK: ("failed", "unrecognised")}
    assert report.causes == ["unrecognised"], report.summary()
    assert "started again" in report.diagnosis[0]["message"]
    assert "you do not need a new token" in report.diagnosis[0]["message"]
    assert world.obey(report), "how the container ended can be looked up"


def test_the_byte_count_that_looks_like_a_status_in_a_log_alone(bring_up: BringUp) -> None:
    log = [
        line(2, "Performing speaker diarization...", process="ForkPoolWorker-1"),
        line(
            5, "HuggingFace authentication error: CUDA out of memory. Tried to allocate 401.00 MiB. GPU 0 has 7.78 GiB", "ERROR",
            "ForkPoolWorker-1",
        ),
        line(6, f"Task transcribe_audio[{logs.TASK}] succeeded in 5.0s: {{'status': 'error', 'message': 'Check your token'}}"),
    ]  # fmt: skip
    world = bring_up(Scenario(log=[]))
    (world.home / "worker.log").write_text("".join(f"{text}\n" for text in log))
    report = world.report("--logs", "worker.log", cwd=world.home)
    assert report.causes == ["gpu-out-of-memory"] and report.exit_code == 1, report.summary()
    assert attempts(report) == {logs.TASK: ("failed", "gpu-out-of-memory")}
    assert "token" not in report.remedy_text()


def test_libraries_that_do_not_fit_with_good_access(bring_up: BringUp) -> None:
    error = "module 'torchaudio' has no attribute 'AudioMetaData'"
    log = logs.v04_failure([f"AttributeError: {error}"], error)
    report = bring_up(Scenario(cache="absent", log=log)).report()
    assert report.causes == ["lib-mismatch"] and report.exit_code == 1, report.summary()
    assert "you do not need a new token" in report.diagnosis[0]["message"]
    assert "settings/tokens" not in report.remedy_text()
    assert relations(report) == {("lib-mismatch", "explains-the-failure")}


def test_access_that_was_granted_after_the_failure(bring_up: BringUp) -> None:
    log = logs.v04_failure(*logs.gated_403(hub.COMMUNITY_1))
    report = bring_up(Scenario(cache="absent", log=log)).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    said = report.text_of("last-attempt")
    assert "Access is fine now. Run the job again." in said and "you do not need a new token" in said


def test_a_generic_text_and_what_is_wrong_now(bring_up: BringUp) -> None:
    generic = "An error happened while trying to locate the file on the Hub and we cannot find the requested files in the cache."
    log = logs.v04_failure([f"huggingface_hub.errors.LocalEntryNotFoundError: {generic}"], generic)
    env = "HUGGINGFACE_TOKEN={token}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\n"
    report = bring_up(Scenario(accepted=[], env=env, cache="absent", log=log)).report()
    assert report.causes == ["gated-not-accepted", "speakers-config"], report.summary()
    assert relations(report) == {
        ("gated-not-accepted", "explains-the-failure"), ("speakers-config", "would-break-the-next-run")
    }  # fmt: skip
    assert "last-attempt" in report.diagnosis[0]["explains"]
