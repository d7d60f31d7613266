"""The v0.5 line: each scenario shows its root cause, and one wrong diagnosis that must not appear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.parts.hub import COMMUNITY_1, Fault
from tests.scenarios import logs, v05
from tests.scenarios.scenario import BringUp, Report, Scenario, World

pytestmark = pytest.mark.engine
TOKEN_CAUSES = {"token-missing", "token-invalid", "token-scope", "gated-not-accepted", "gated-pending"}


def healthy(report: Report) -> None:
    assert (report.exit_code, report.causes) == (0, []), report.summary()


@pytest.mark.parametrize("line", [v05.text, v05.as_json])
def test_healthy_and_native(bring_up: BringUp, line: Callable[..., str]) -> None:
    report = bring_up(v05.stack(log=v05.job(*v05.NATIVE, line=line), cache="absent")).report()
    healthy(report)
    assert report.document["deployment"]["version"] == "v0.5.1"
    assert "release line is v0.5" in report.text_of("release-line")
    assert [report.status(name) for name in ("native-engine", "native-models", "scratch-volume")] == ["pass"] * 3
    assert "by the native engine" in report.text_of("last-attempt")
    assert "native-unavailable" not in report.warned_causes()


def test_a_failure_and_then_a_success(bring_up: BringUp) -> None:
    log = [*v05.job(*v05.failed("CUDA error: unknown error"), end="'error'"), *v05.job(*v05.NATIVE, start=20)]
    report = bring_up(v05.stack(log=log)).report()
    healthy(report)
    assert "no longer counts" in report.text_of("last-attempt")


def test_gated_while_the_engine_has_no_models(bring_up: BringUp) -> None:
    summary = logs.gated_403(COMMUNITY_1)[1]
    scenario = v05.stack(
        native=False, cache="absent", accepted=(), backend_log=v05.DENIED, log=v05.job(*v05.failed(summary), end="'error'")
    )
    report = bring_up(scenario).report()
    assert report.causes[0] == "gated-not-accepted" and report.subjects[0] == COMMUNITY_1, report.summary()
    assert "worker-down" not in report.causes, report.summary()
    assert "native-unavailable" in report.warned_causes()
    assert "It finds no models" in report.text_of("native-engine") and "exit code 5" in report.text_of("native-models")


def test_pyannote_stands_in(bring_up: BringUp) -> None:
    report = bring_up(v05.stack(sidecar=False, log=v05.job(*v05.STOOD_IN))).report()
    healthy(report)
    assert report.status("native-engine") == "warn"
    assert "Diarization works, on the slower engine." in report.text_of("native-engine")
    assert "PyAnnote did the work" in report.text_of("last-attempt")


def test_the_engine_is_required_and_away(bring_up: BringUp) -> None:
    refused = "diar-native failed and engine.diarizer_require_sidecar is set, refusing the PyAnnote fallback: unreachable"
    scenario = v05.stack(
        sidecar=False, env="ENGINE_DIARIZER_REQUIRE_SIDECAR=true\n", log=v05.job(*v05.failed(refused), end="'error'")
    )
    report = bring_up(scenario).report()
    assert report.causes == ["native-unavailable"], report.summary()
    assert "worker-down" not in report.warned_causes()
    assert "slower engine" not in report.text_of("native-engine")


def test_the_models_folder_cannot_be_written(bring_up: BringUp) -> None:
    report = bring_up(v05.stack(native=False, backend_log=v05.NOT_WRITABLE, log=v05.job(*v05.STOOD_IN))).report()
    healthy(report)
    said = report.text_of("native-models")
    assert "exit code 7" in said and "models/diar-native" in said and "chown -hR 1000:999" in said
    assert not TOKEN_CAUSES & report.warned_causes() and "cache-permission" not in report.warned_causes()


def test_a_file_of_the_models_is_cut_off(bring_up: BringUp) -> None:
    def cut(world: World) -> None:
        (world.models / "diar-native" / "plda.npz").write_bytes(b"\x08")

    report = bring_up(v05.stack(prepare=cut)).report()
    assert report.status("native-models") == "warn" and "plda.npz" in report.text_of("native-models"), report.summary()
    assert "model-corrupt" not in report.warned_causes()


def test_a_refused_token_matters_not_while_the_engine_works(bring_up: BringUp) -> None:
    report = bring_up(v05.stack(accepted=(), cache="absent")).report()
    healthy(report)
    assert "gated-not-accepted" in report.warned_causes()
    assert "own complete models" in report.text_of("model-access")


def test_the_volume_for_audio_belongs_to_root(bring_up: BringUp) -> None:
    denied = "[Errno 13] Permission denied: '/scratch/opentranscribe/engine/8f2c.wav'"

    def to_root(world: World) -> None:
        world.engine.execute(v05.WORKER, "chown", "-R", "0:0", "/scratch/opentranscribe", user="0")

    world = bring_up(v05.stack(after=to_root, log=v05.job(*v05.failed(denied), end="'error'")))
    report = world.report()
    assert report.causes == ["scratch-permission"], report.summary()
    assert "cache-permission" not in report.causes
    assert "chown -hR 1000:999 /scratch/opentranscribe" in report.remedy_text()


def test_a_known_defect(bring_up: BringUp) -> None:
    defect = "Speaker diarization failed: Cannot execute emptyCache() without MPS backend."
    scenario = v05.stack(env="ENGINE_DIARIZER_BACKEND=pyannote\n", log=v05.job(*v05.failed(defect), end="'error'"))
    report = bring_up(scenario).report()
    assert report.causes == ["known-defect"], report.summary()
    assert "after v0.5.1" in report.remedy_text() and COMMUNITY_1 in report.remedy_text()
    assert "gpu-library" not in report.causes
    assert "keeps the older engine" in report.text_of("old-template")


def test_lines_of_an_old_template(bring_up: BringUp) -> None:
    def shorten(world: World) -> None:
        kept = [line for line in world.env_path.read_text().splitlines() if not line.startswith("REDIS_PASSWORD")]
        world.env_path.write_text("\n".join([*kept, "DIAR_NATIVE_MODE=cuda", "ENGINE_DIARIZER_BACKEND=pyannote", ""]))

    report = bring_up(v05.stack(prepare=shorten, log=v05.job(*v05.STOOD_IN[1:]))).report()
    healthy(report)
    said = report.text_of("old-template")
    assert "REDIS_PASSWORD is not set" in said and "keeps the older engine" in said
    assert "JWT_SECRET_KEY" not in said
    assert report.status("native-engine") == "pass"


def test_another_token_wins(bring_up: BringUp) -> None:
    other = "hf_" + "Zz9yXw8vUt" * 3 + "Sr7q"
    report = bring_up(v05.stack(env=f"HF_TOKEN={other}\n")).report()
    healthy(report)
    said = report.text_of("token-names")
    assert "HF_TOKEN wins for the export of the native engine's models" in said and other not in said
    assert report.status("token-present") == "pass"


def test_without_exec_what_was_not_asked_does_not_pass(bring_up: BringUp) -> None:
    report = bring_up(v05.stack()).report("--no-exec")
    assert report.status("native-engine") == "skip", report.summary()
    assert report.status("native-models") == "pass", "read on the host"
    assert report.exit_code == 0


def test_retried_three_times(bring_up: BringUp) -> None:
    put_off = [
        (
            "WARNING",
            "app.tasks.transcription.core",
            f"diar-native sidecar unavailable (unreachable) for file 0c1d (attempt {n}/4), retrying in 30s",
        )
        for n in (1, 2, 3)
    ]
    report = bring_up(v05.stack(sidecar=False, log=v05.job(*put_off, *v05.STOOD_IN))).report()
    healthy(report)
    assert len(report.document["attempts"]) == 1, "its retries are one attempt"


def test_out_of_memory_and_then_a_broken_context(bring_up: BringUp) -> None:
    memory = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.2 GiB is free."
    broken = "CUDA error: invalid device ordinal"
    log = [
        *v05.job(*v05.failed(memory), end="'error'"),
        *v05.job(*v05.failed(broken), end="'error'", start=20),
    ]
    report = bring_up(v05.stack(log=log)).report()
    assert report.causes == ["gpu-out-of-memory"], report.summary()
    assert "estart the worker" in report.remedy_text() and "GPU_DEVICE_ID" not in report.remedy_text()


def test_the_time_limit_of_loading(bring_up: BringUp) -> None:
    late = (
        "PyAnnote pipeline (pyannote/speaker-diarization-community-1) did not complete within 60.0s (possibly a stalled "
        "HuggingFace Hub network call — set HF_HUB_OFFLINE=1 if the cache is already warm)"
    )
    log = v05.job(*v05.failed(late), end="'error'")
    world = bring_up(v05.stack(env="ENGINE_DIARIZER_BACKEND=pyannote\n", cache="absent", log=log))
    world.hub.fault = Fault("blackhole")
    report = world.report("--timeout", "5")
    assert report.causes == ["network-timeout"], report.summary()
    assert report.diagnosis[0]["confidence"] == "likely"
    assert not TOKEN_CAUSES & set(report.causes)


def test_moved_from_v03_by_latest(bring_up: BringUp) -> None:
    def old(world: World) -> None:
        (world.folder / "VERSION").write_text("v0.3.3\n")

    summary = logs.gated_403(COMMUNITY_1)[1]
    scenario = v05.stack(
        sidecar=False,
        native=False,
        cache="absent",
        accepted=("pyannote/speaker-diarization-3.1", "pyannote/segmentation-3.0"),
        backend_log=v05.DENIED,
        prepare=old,
        log=v05.job(*v05.failed(summary), end="'error'"),
    )
    report = bring_up(scenario).report()
    assert report.causes == ["gated-not-accepted"] and report.subjects == [COMMUNITY_1], report.summary()
    assert "v0.3.3" in report.text_of("release-line") and "':latest' was pulled" in report.text_of("release-line")
    assert "cache-incomplete" not in report.causes


_SPLIT = """\
services:
  celery-worker-gpu-transcribe:
    image: davidamacey/opentranscribe-backend:v0.5.1
    network_mode: host
    env_file: .env
    volumes:
      - ./transcribe.log:/recorded.log:ro
  celery-worker-gpu-diarize:
    image: davidamacey/opentranscribe-backend:v0.5.1
    network_mode: service:diar-native
    env_file: .env
    volumes:
      - ./models/huggingface:/home/appuser/.cache/huggingface
      - ./models/torch:/home/appuser/.cache/torch
      - ./recorded.log:/recorded.log:ro
      - pipeline_scratch:/scratch/opentranscribe
  celery-worker:
    environment:
      - ENGINE_GPU_SPLIT=true
"""


def _split(*diarized: tuple[str, str, str], end: str = "'success'", **changes: Any) -> Scenario:
    """The profile gpu-split: one worker transcribes and forwards, the other diarizes."""
    forwarded = v05.job(end="'split_forwarded'")
    log = [line.replace("gpu_transcribe", "diarize_gpu") for line in v05.job(*diarized, end=end, start=10)]

    def write(world: World) -> None:
        (world.folder / "docker-compose.override.yml").write_text(_SPLIT)
        (world.folder / "transcribe.log").write_text("".join(f"{line}\n" for line in forwarded))

    return v05.stack(log=log, prepare=write, **changes)


def test_gpu_split(bring_up: BringUp) -> None:
    report = bring_up(_split(*v05.NATIVE)).report()
    healthy(report)
    workers = report.document["deployment"]["workers"]
    assert any("gpu-diarize" in name for name in workers) and not any("gpu-transcribe" in name for name in workers)
    assert {attempt["outcome"] for attempt in report.document["attempts"]} == {"succeeded"}


def test_gpu_split_and_gated(bring_up: BringUp) -> None:
    message = f"Diarize GPU task failed for file 0c1d: {logs.gated_403(COMMUNITY_1)[1]}"
    error = ("ERROR", "app.tasks.transcription.core", message)
    scenario = _split(
        error, end="'error'", accepted=(), cache="absent", env="ENGINE_DIARIZER_BACKEND=pyannote\n", backend_log=v05.DENIED
    )
    report = bring_up(scenario).report()
    assert report.causes == ["gated-not-accepted"], report.summary()
    assert "worker-down" not in report.causes


def test_lite(bring_up: BringUp) -> None:
    lite = """\
services:
  celery-worker:
    deploy:
      replicas: 0
  backend:
    image: davidamacey/opentranscribe-backend-lite:latest
    environment:
      - DEPLOYMENT_MODE=lite
  celery-cloud-asr-worker:
    image: davidamacey/opentranscribe-backend-lite:latest
    network_mode: host
    env_file: .env
    environment:
      - DEPLOYMENT_MODE=lite
"""

    def write(world: World) -> None:
        (world.folder / "docker-compose.override.yml").write_text(lite)
        image = "davidamacey/opentranscribe-backend"
        world.engine.docker("tag", f"{image}:v0.5.1", f"{image}-lite:latest")

    report = bring_up(v05.stack(sidecar=False, native=False, cache="none", prepare=write)).report()
    healthy(report)
    assert report.status("worker-running") == "skip" and "worker-down" not in report.warned_causes()


def test_redis_refuses(bring_up: BringUp) -> None:
    refused = "consumer: Cannot connect to redis://redis:6379/0: Error 111 connecting to redis:6379. Connection refused.."
    log = [
        v05.text(
            second,
            "ERROR",
            "celery.worker.consumer.consumer",
            f"{refused}\nTrying again in {second}.00 seconds... ({second}/100)",
        )
        for second in (2, 4, 6, 8)
    ]
    report = bring_up(v05.stack(log=log)).report()
    assert report.causes == ["broker-unreachable"], report.summary()
    assert "network-refused" not in report.causes
