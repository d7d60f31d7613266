"""Whether the running containers have the values that ``.env`` has now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ot_doctor.check import Cause, Confidence, Family, Finding, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import TOKEN_NAME, ComposeConfig, Deployment, EnvFile, Secret, Unavailable, Workers

from ._drift import SPEAKERS, Drift, drifts_of, edited_since, live, moved_cache, several_env_files
from ._remedies import recreate
from ._tokens import usable


@check(
    "env-current",
    title="The worker uses the current .env",
    family=Family.ENV,
    causes=(Cause.STALE_WORKER_ENV,),
    after=("env-readable",),
)
def env_current(
    env: EnvFile, workers: Workers, compose: ComposeConfig | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """A container keeps the environment that it was created with. Editing .env changes nothing until it is recreated.

    The settings that matter for diarization are compared value by value: what Compose would give each container now (.env, and
    the 'environment:' entries that override it), and what the container has. For MODEL_CACHE_DIR the mounts are compared. Secret
    values are compared but never shown.

    'docker compose restart', './opentr.sh restart-all' and starting a stopped container again all keep the old values;
    './opentr.sh restart' does not exist.

    To fix it, recreate the containers, and only them: 'docker compose up -d --no-deps --force-recreate --pull never --no-build'
    with the names of their services.
    """
    if env.problem is not None:
        yield skipped(f"{env.path} could not be read.")
        return
    drifts = [
        drift for worker in live(workers) for drift in (*drifts_of(worker, env, compose), *moved_cache(worker, env, deployment))
    ]
    worse = [d for d in drifts if d.key == TOKEN_NAME and usable(d.then) and not usable(d.now)]
    stale = [d for d in drifts if d not in worse]
    if worse:
        yield warned(
            f"The worker has a token, but {worse[0].where} has no usable one any more: the worker loses it at the next recreate.",
            cause=Cause.STALE_WORKER_ENV, subject=TOKEN_NAME, evidence=_evidence(worse, env),
            remedy=[Step(f"Write the token to {env.path} again before you recreate anything.")],
        )  # fmt: skip
    for key, group in _grouped(stale).items():
        names = _listed(d.worker.name for d in group)
        verb = "runs" if len({d.worker.name for d in group}) == 1 else "run"
        changed = f"{group[0].where} was changed after the container was created{_when(group, env)}"
        message = f"{names} still {verb} with an old value of {key}. {changed}."
        remedy = [recreate(deployment, workers, _services(group))]
        doubt = _doubt(group, compose)
        if doubt:
            yield warned(
                f"{message} Or {doubt} gives it the other value.",
                cause=Cause.STALE_WORKER_ENV, subject=key,
                evidence=_evidence(group, env), remedy=remedy, confidence=Confidence.POSSIBLE,
            )  # fmt: skip
            continue
        yield failed(
            Cause.STALE_WORKER_ENV, message, subject=key, expected="the values that Compose would give it now",
            evidence=_evidence(group, env), remedy=remedy,
        )  # fmt: skip
    unread = () if isinstance(compose, Unavailable) else compose.problems
    if not drifts and unread:
        command = None if isinstance(deployment, Unavailable) else deployment.compose("config --quiet")
        yield unknown(
            f"Whether the containers have what the Compose files give them is not known. {unread[0]}",
            remedy=[Step("See what Compose itself says of its files.", command=command)],
        )
    elif not drifts:
        names = _listed(worker.name for worker in live(workers))
        uses = "uses" if len(live(workers)) == 1 else "use"
        yield passed(f"{names} {uses} the current {env.path}." if names else "There is no Celery container yet.")


def _listed(names: Iterable[str]) -> str:
    """``a, b and c``."""
    *others, last = dict.fromkeys(names) or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _doubt(drifts: Iterable[Drift], compose: ComposeConfig | Unavailable) -> str:
    """What else may have given a container the value that it has; empty where nothing can have."""
    if any(several_env_files(drift.worker, compose) for drift in drifts):
        return "another env_file of the service"
    return "a Compose file that could not be read" if not isinstance(compose, Unavailable) and compose.problems else ""


def _grouped(drifts: Iterable[Drift]) -> dict[str, list[Drift]]:
    """The token and each speaker limit by themselves, as other findings follow from them; everything else together."""
    alone: dict[str, list[Drift]] = {}
    rest: list[Drift] = []
    for drift in drifts:
        if drift.key in (TOKEN_NAME, *SPEAKERS):
            alone.setdefault(drift.key, []).append(drift)
        else:
            rest.append(drift)
    return alone | ({", ".join(dict.fromkeys(d.key for d in rest)): rest} if rest else {})


def _services(drifts: Iterable[Drift]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(d.worker.compose.service for d in drifts if d.worker.compose.service)) or ("celery-worker",)


def _when(drifts: list[Drift], env: EnvFile) -> str:
    worker = drifts[0].worker
    if not edited_since(env, worker) or env.modified_at is None or worker.created_at is None:
        return ""
    return f" (created {worker.created_at:%Y-%m-%d %H:%M:%S} UTC, .env written {env.modified_at:%Y-%m-%d %H:%M:%S} UTC)"


def _evidence(drifts: Iterable[Drift], env: EnvFile) -> list[Seen]:
    seen = []
    for drift in drifts:
        source = ".env" if drift.where.startswith(str(env.path)) else "compose"
        seen.append(Seen(source, drift.where, f"{drift.key} is {_shown(drift.now)}"))
        seen.append(Seen("container", drift.worker.where, f"{drift.key} is {_shown(drift.then)}"))
    return list(dict.fromkeys(seen))


def _shown(value: str | Secret | None) -> str:
    """A value; a secret by its shape and fingerprint."""
    if value is None:
        return "not set"
    if not value:
        return "empty"
    if isinstance(value, Secret):
        return str(value)
    return f"'{value}'"
