from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ot_doctor.check import Finding, Status
from ot_doctor.evidence import COMMUNITY_1, DIARIZATION_3_1, EnvProblem, ReleaseLine, Unavailable
from ot_doctor_checks.ignored_settings import ignored_settings
from tests.checks.evidence import deployment, env_file, only, worker, workers

V0_3, V0_4, V0_5, UNKNOWN = ReleaseLine.V0_3, ReleaseLine.V0_4, ReleaseLine.V0_5, ReleaseLine.UNKNOWN


def judge(line: ReleaseLine, text: str = "", env: Mapping[str, str] | None = None, **changes: Any) -> Finding:
    containers = workers(worker(env=env)) if env is not None else Unavailable("no engine")
    return only(ignored_settings, env_file(text), containers, deployment(line, **changes))


@pytest.mark.parametrize(
    "line, setting, said",
    [
        (V0_4, "DIARIZATION_MODEL=pyannote/other", f"from v0.4 on {COMMUNITY_1} is always loaded"),
        (V0_3, f"DIARIZATION_MODEL={COMMUNITY_1}", f"up to v0.3 {DIARIZATION_3_1} is always loaded"),
        (UNKNOWN, "DIARIZATION_MODEL=pyannote/other", "has no effect in any release"),
        (V0_4, "PYANNOTE_MODEL=x", "only shown on an admin page"),
        (V0_4, "ENABLE_DIARIZATION=false", "does not stop the diarization of normal GPU jobs"),
        (V0_3, "ENABLE_DIARIZATION=false", "no effect before v0.4"),
        (V0_3, "DIARIZATION_BATCH_SIZE=8", "no effect before v0.4"),
        (V0_3, "GPU_WORKER_POOL=threads", "no effect before v0.4"),
        (V0_3, "ENGINE_DIARIZER_BACKEND=native", "no effect before v0.5"),
        (V0_4, "PYANNOTE_CACHE=/x", "has no effect from v0.4 on"),
        (V0_5, "DIARIZER_ENGINE=native", "no effect any more"),
        (V0_5, "MAX_SPEAKERS=4", "little effect on the native diarizer"),
        (V0_5, "MIN_SPEAKERS=2", "little effect on the native diarizer"),
    ],
)
def test_an_ignored_setting_is_said_to_be_ignored(line: ReleaseLine, setting: str, said: str) -> None:
    key, _, value = setting.partition("=")
    for finding in (judge(line, f"{setting}\n"), judge(line, env={key: value})):
        assert (finding.status, finding.cause, finding.subject) == (Status.WARN, None, key)
        assert said in finding.message and value in finding.message and finding.remedy
    assert judge(line, f"{setting}\n").evidence[0].where == "/srv/ot/.env:1"


@pytest.mark.parametrize(
    "setting, said",
    [("MIN_SPEAKERS=2", "has fixed limits"), ("MAX_SPEAKERS=4", "has fixed limits"), ("NUM_SPEAKERS=2", "no effect before v0.2")],
)
def test_v01_ignores_the_speaker_limits(setting: str, said: str) -> None:
    assert said in judge(V0_3, f"{setting}\n", v0_1=True).message
    assert judge(V0_3, f"{setting}\n").status is Status.PASS


@pytest.mark.parametrize(
    "line, text",
    [
        (V0_4, f"DIARIZATION_MODEL={DIARIZATION_3_1}\nENABLE_DIARIZATION=True\nMAX_SPEAKERS=4\nDIARIZATION_BATCH_SIZE=8\n"),
        (V0_3, f"DIARIZATION_MODEL={DIARIZATION_3_1}\nPYANNOTE_CACHE=/x\nENABLE_DIARIZATION=\n"),
        (V0_5, "MIN_SPEAKERS=1\nMAX_SPEAKERS=20\n"),
        (UNKNOWN, "MAX_SPEAKERS=4\n"),
    ],
)
def test_defaults_and_heeded_settings_pass(line: ReleaseLine, text: str) -> None:
    assert judge(line, text).status is Status.PASS


def test_what_the_image_sets_is_not_mentioned() -> None:
    containers = workers(worker(env={"PYANNOTE_CACHE": "/x"}, image_env={"PYANNOTE_CACHE": "/x"}))
    assert only(ignored_settings, Unavailable("none"), containers, deployment()).status is Status.PASS


def test_nothing_to_look_at() -> None:
    finding = only(ignored_settings, env_file("", problem=EnvProblem.MISSING), Unavailable("none"), deployment())
    assert finding.status is Status.SKIP
