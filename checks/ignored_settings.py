"""Settings that the running release does not heed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Deployment, EnvFile, Unavailable, Worker, Workers
from ot_doctor.evidence.releases import ignored_settings as rules


@check("ignored-settings", title="No setting is one that the release ignores", family=Family.ENV)
def ignored_settings(env: EnvFile | Unavailable, workers: Workers | Unavailable, deployment: Deployment) -> Iterator[Finding]:
    """Some settings look as if they did something and do not, so that an edit changes nothing and looks like a fault.

    DIARIZATION_MODEL is in the template and no code reads it. ENABLE_DIARIZATION=false does not stop normal jobs. v0.1.0 has its
    speaker limits in the code. Other settings came with a later release than the one that runs, or went with an older one.

    The values come from the diarizing container, else from .env; the release from the container. Default values are not
    mentioned. Such a setting breaks nothing: it is a warning, mended by leaving the line out or by changing the release.
    """
    diarizers = () if isinstance(workers, Unavailable) else workers.diarizers
    if not diarizers and (isinstance(env, Unavailable) or env.problem is not None):
        yield skipped("there is neither a worker nor a readable .env to take the settings from")
        return
    worker = diarizers[0] if diarizers else None
    findings = [
        warned(
            f"{rule.setting}={value} {rule.why}",
            subject=rule.setting,
            evidence=[replace(seen, text=f"{rule.setting} is '{value}'")],
            remedy=[Step(f"Leave {rule.setting} out; it changes nothing here.")],
        )
        for rule in rules(deployment.line)
        for value, seen in _set_by_somebody(rule.setting, worker, env)
        if value.lower() not in rule.harmless and (deployment.v0_1 or not rule.v0_1)
    ]
    yield from findings or [passed("every setting that was looked at is one that the release heeds")]


def _set_by_somebody(key: str, worker: Worker | None, env: EnvFile | Unavailable) -> Iterator[tuple[str, Seen]]:
    """The value and its place, unless it is empty or the image's own."""
    value = worker.setting(key) if worker else None
    entry = None if isinstance(env, Unavailable) else env.entry(key)
    if worker and value:
        if value != worker.image_env.get(key):
            yield value, Seen("container", worker.where, key)
    elif entry and isinstance(entry.value, str) and entry.value and not isinstance(env, Unavailable):
        yield entry.value, Seen(".env", env.where(entry.line), key)
