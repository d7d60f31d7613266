from __future__ import annotations

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import EnvFile, EnvProblem, GpuGrant, NextRelease, ReleaseLine, Role, Unavailable, Workers
from ot_doctor_checks.next_settings import next_settings
from tests.checks.evidence import deployment, env_file, worker, workers

V0_5 = NextRelease(ReleaseLine.V0_5, "v0.5", asked=True)
KEYS = "REDIS_PASSWORD=a\nJWT_SECRET_KEY=b\nENCRYPTION_KEY=c\n"


NO_GPU = workers(worker(gpu=GpuGrant(False)))


def judge(
    env: EnvFile | Unavailable, line: ReleaseLine = ReleaseLine.V0_4, containers: Workers | Unavailable = NO_GPU
) -> list[Finding]:
    found: list[Finding] = next_settings(V0_5, env, deployment(line), containers)
    return found


def test_everything_is_there() -> None:
    assert [f.status for f in judge(env_file(KEYS))] == [Status.PASS]


def test_what_the_release_does_not_start_without_is_one_failure() -> None:
    (finding,) = judge(env_file("REDIS_PASSWORD=a\nJWT_SECRET_KEY=\n"))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.WORKER_DOWN)
    assert finding.subject == "JWT_SECRET_KEY and ENCRYPTION_KEY"
    assert len(finding.remedy) == 2
    assert "Put the ENCRYPTION_KEY that was used before" in finding.remedy[1].text


def test_what_the_shell_sets_is_not_missing() -> None:
    env = env_file("JWT_SECRET_KEY=b\nENCRYPTION_KEY=c\n", shell_wins={"REDIS_PASSWORD": "x"})
    assert [f.status for f in judge(env)] == [Status.PASS]


def test_settings_that_lose_their_effect_or_mean_something_else() -> None:
    found = judge(env_file(f"{KEYS}MAX_SPEAKERS=8\nDIAR_NATIVE_MODE=cuda\nPYANNOTE_CACHE=/x\n"), ReleaseLine.V0_3)
    assert [(f.status, f.subject) for f in found] == [
        (Status.WARN, "DIAR_NATIVE_MODE"), (Status.WARN, "PYANNOTE_CACHE"), (Status.WARN, "MAX_SPEAKERS")
    ]  # fmt: skip
    assert [f.subject for f in judge(env_file(f"{KEYS}PYANNOTE_CACHE=/x\n"))] == [None], "v0.4 ignores it already"


def test_a_missing_gpu_is_not_guessed() -> None:
    """Nor where it matters to nobody: a native engine runs with that setting."""
    engine = worker("diar-native", service="diar-native", role=Role.OTHER)
    backend = worker("backend", service="backend", role=Role.OTHER)
    known = (workers(backend), workers(worker(gpu=GpuGrant(False)), engine), workers(), Unavailable("no engine"))
    for containers in known:
        assert [f.status for f in judge(env_file(f"{KEYS}DIAR_NATIVE_MODE=cuda\n"), containers=containers)] == [Status.PASS]


def test_a_file_that_cannot_be_read_is_no_pass() -> None:
    assert [f.status for f in judge(env_file("", problem=EnvProblem.UNREADABLE))] == [Status.UNKNOWN]
    assert [f.status for f in judge(Unavailable("no installation"))] == [Status.UNKNOWN]
    assert [f.status for f in judge(Unavailable("off", switched_off=True))] == [Status.SKIP]
