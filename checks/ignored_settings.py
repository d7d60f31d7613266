"""Settings that the running release ignores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import COMMUNITY_1, DIARIZATION_3_1, Deployment, EnvFile, ReleaseLine, Unavailable, Worker, Workers

OLD, NEW = (ReleaseLine.V0_3,), (ReleaseLine.V0_4, ReleaseLine.V0_5)
ANY = (*OLD, *NEW, ReleaseLine.UNKNOWN)


@dataclass(frozen=True)
class Ignored:
    """A setting, the releases that ignore it, and the values for which that makes no difference."""

    key: str
    lines: tuple[ReleaseLine, ...]
    why: str
    harmless: tuple[str, ...] = ()
    when: Callable[[Deployment], bool] = lambda deployment: True


_DEFAULT_MODELS = (COMMUNITY_1, DIARIZATION_3_1)
_YES = ("true", "1", "yes")
_OLDER = "has no effect before v0.4, and an older release is running"
_HARD_CODED = "is ignored by v0.1.0, which has fixed limits"
_NATIVE = "has little effect on the native diarizer of v0.5"
RULES = (
    Ignored("DIARIZATION_MODEL", OLD, f"has no effect: up to v0.3 {DIARIZATION_3_1} is always loaded", (DIARIZATION_3_1,)),
    Ignored("DIARIZATION_MODEL", NEW, f"has no effect: from v0.4 on {COMMUNITY_1} is always loaded", _DEFAULT_MODELS),
    Ignored("DIARIZATION_MODEL", (ReleaseLine.UNKNOWN,), "has no effect in any release", _DEFAULT_MODELS),
    Ignored("PYANNOTE_MODEL", ANY, "is only shown on an admin page; it does not choose the model", _DEFAULT_MODELS),
    Ignored("ENABLE_DIARIZATION", NEW, "does not stop the diarization of normal GPU jobs: user and file settings decide", _YES),
    Ignored("ENABLE_DIARIZATION", OLD, _OLDER, _YES),
    Ignored("DIARIZATION_BATCH_SIZE", OLD, _OLDER),
    Ignored("DIARIZATION_EMBEDDING_BATCH_SIZE", OLD, _OLDER),
    Ignored("GPU_WORKER_POOL", OLD, _OLDER),
    Ignored("ENGINE_DIARIZER_BACKEND", OLD, "has no effect before v0.5, and an older release is running"),
    Ignored("PYANNOTE_CACHE", NEW, "has no effect from v0.4 on: the models are in the Hugging Face cache"),
    Ignored("DIARIZER_ENGINE", NEW, "has no effect any more; v0.5 reads ENGINE_DIARIZER_BACKEND"),
    Ignored("MIN_SPEAKERS", OLD, _HARD_CODED, ("1",), lambda deployment: deployment.v0_1),
    Ignored("MAX_SPEAKERS", OLD, _HARD_CODED, ("20",), lambda deployment: deployment.v0_1),
    Ignored("NUM_SPEAKERS", OLD, "has no effect before v0.2, and v0.1.0 is running", (), lambda deployment: deployment.v0_1),
    Ignored("MIN_SPEAKERS", (ReleaseLine.V0_5,), _NATIVE, ("1",)),
    Ignored("MAX_SPEAKERS", (ReleaseLine.V0_5,), _NATIVE, ("20",)),
)


@check("ignored-settings", title="Every setting takes effect in this release", family=Family.ENV)
def ignored_settings(env: EnvFile | Unavailable, workers: Workers | Unavailable, deployment: Deployment) -> Iterator[Finding]:
    """Some settings look as if they had an effect but have none, so that an edit changes nothing.

    DIARIZATION_MODEL is in the template, but no code reads it. ENABLE_DIARIZATION=false does not stop normal jobs. v0.1.0 has
    fixed speaker limits. Other settings belong to a later or an older release than the one that is running.

    The values come from the diarizing container, else from .env; the release from the container. Default values are not
    mentioned. Such a setting breaks nothing, so it is a warning.

    To fix it, remove the line or change the release.
    """
    diarizers = () if isinstance(workers, Unavailable) else workers.diarizers
    if not diarizers and (isinstance(env, Unavailable) or env.problem is not None):
        yield skipped("There is no worker and no readable .env to take the settings from.")
        return
    worker = diarizers[0] if diarizers else None
    findings = [
        warned(
            f"{rule.key}={value} {rule.why}.",
            subject=rule.key,
            evidence=[replace(seen, text=f"{rule.key} is '{value}'")],
            remedy=[Step(f"Remove {rule.key}; it changes nothing here.")],
        )
        for rule in RULES
        for value, seen in _set_on_purpose(rule.key, worker, env)
        if deployment.line in rule.lines and rule.when(deployment) and value.lower() not in rule.harmless
    ]
    yield from findings or [passed("All checked settings take effect in this release.")]


def _set_on_purpose(key: str, worker: Worker | None, env: EnvFile | Unavailable) -> Iterator[tuple[str, Seen]]:
    """The value and its place, unless it is empty or the image's own."""
    value = worker.setting(key) if worker else None
    entry = None if isinstance(env, Unavailable) else env.entry(key)
    if worker and value:
        if value != worker.image_env.get(key):
            yield value, Seen("container", worker.where, key)
    elif entry and isinstance(entry.value, str) and entry.value and not isinstance(env, Unavailable):
        yield entry.value, Seen(".env", env.where(entry.line), key)
