"""Settings that the running release ignores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Deployment, EnvFile, Unavailable, Worker, Workers
from ot_doctor.evidence.releases import ignored_settings as rules


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
            f"{rule.setting}={value} {rule.why}.",
            subject=rule.setting,
            evidence=[replace(seen, text=f"{rule.setting} is '{value}'")],
            remedy=[Step(f"Remove {rule.setting}; it changes nothing here.")],
        )
        for rule in rules(deployment.line)
        for value, seen in _set_on_purpose(rule.setting, worker, env)
        if value.lower() not in rule.harmless and (deployment.v0_1 or not rule.v0_1)
    ]
    yield from findings or [passed("All checked settings take effect in this release.")]


def _set_on_purpose(key: str, worker: Worker | None, env: EnvFile | Unavailable) -> Iterator[tuple[str, Seen]]:
    """The value and its place, unless it is empty or the image's own."""
    value = worker.setting(key) if worker else None
    entry = None if isinstance(env, Unavailable) else env.entry(key)
    if worker and value and worker.image_env_names:  # unread, the image may have set it
        if value != worker.image_env.get(key):
            yield value, Seen("container", worker.where, key)
    elif entry and isinstance(entry.value, str) and entry.value and not isinstance(env, Unavailable):
        yield entry.value, Seen(".env", env.where(entry.line), key)
