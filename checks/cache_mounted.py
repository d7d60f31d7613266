"""Whether downloaded models outlive the worker's container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Deployment, EnvFile, ModelCache, Mount, Unavailable, Workers

from ._cache_remedies import back_on_the_mount, mount_it
from ._cache_state import cache_worker, download_needed
from ._remedies import recreate


@check(
    "cache-mounted",
    title="Downloaded models outlive the worker's container",
    family=Family.CACHE,
    causes=(Cause.CACHE_NOT_MOUNTED,),
)
def cache_mounted(
    cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, env_file: EnvFile | Unavailable
) -> Iterator[Finding]:
    """Models in the container's own file system are lost with the container.

    The worker then downloads them again after every 'up' that recreates it, and
    fails if the Hub cannot be reached at that moment. Models that were copied
    to MODEL_CACHE_DIR are not seen at all.

    The folder where the release looks is compared with the container's mounts:
    a bind mount or a named volume is right, an anonymous volume or a tmpfs is
    not. HF_HOME, HF_HUB_CACHE, TORCH_HOME and PYANNOTE_CACHE can move the
    folder off the mount; the variable that did is named. If the worker cannot
    read or write the other folder, that is a failure.

    To fix it, remove that variable from the .env, or mount the folder, and
    recreate the worker. After a change of MODEL_CACHE_DIR recreate it as well.
    """
    mount = cache.root.mount
    if not cache.worker:
        yield _no_container(workers)
    elif mount is None or mount.kind == "tmpfs":
        yield _lost(cache, deployment, workers, env_file)
    elif mount.kind == "volume" and re.fullmatch(r"[0-9a-f]{64}", mount.name):
        yield warned(
            f"The models are in an anonymous volume ({mount.name[:12]}…), which is lost after 'docker compose down'.",
            cause=Cause.CACHE_NOT_MOUNTED,
            subject=cache.worker,
            expected="a folder under MODEL_CACHE_DIR, or a named volume",
            evidence=[_seen(cache, mount)],
            remedy=[mount_it(cache, deployment), recreate(deployment, workers)],
        )
    elif mount.kind == "bind" and cache.configured and not _within(mount.source, cache.configured) and _same_paths(workers):
        yield _elsewhere(cache, deployment, workers, mount)
    else:
        yield passed(f"The models are kept in {cache.root.path or mount.source}.", evidence=[_seen(cache, mount)])


def _no_container(workers: Workers | Unavailable) -> Finding:
    if isinstance(workers, Unavailable) and not workers.switched_off:
        hint = Step(workers.hint or "Run ot-doctor again when the Docker engine can be reached.", command=workers.command)
        return unknown(f"It is not known where the worker keeps its models: {workers.reason}", remedy=[hint])
    return skipped("No container was inspected, so the location of the models is unknown.")


def _lost(cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, env_file: EnvFile | Unavailable) -> Finding:
    root = cache.root
    kept = "in memory (tmpfs)" if root.mount else "inside the container"
    entry = env_file.entry(root.set_by) if root.set_by and isinstance(env_file, EnvFile) else None
    evidence = [_seen(cache, root.mount)]
    who = f"The worker keeps its models {kept}, in {root.container_path}"
    if root.set_by:
        worker = cache_worker(cache, workers)
        value = worker.setting(root.set_by) if worker else None
        evidence.append(Seen("container", f"the environment of {cache.worker}", f"{root.set_by}={value or '…'}"))
        who = f"{root.set_by}={value or '…'} makes the worker keep its models {kept}, in {root.container_path}"
    if entry and isinstance(env_file, EnvFile):
        evidence.append(Seen(".env", env_file.where(entry.line), f"{root.set_by}={entry.value}"))
    expected = "a folder under MODEL_CACHE_DIR, mounted into the worker"
    remedy = back_on_the_mount(cache, deployment, workers, env_file)
    breaks = _breaks(cache)
    if breaks:
        return failed(
            Cause.CACHE_NOT_MOUNTED, f"{who}, {breaks}.",
            subject=cache.worker, expected=expected, evidence=evidence, remedy=remedy,
        )  # fmt: skip
    return warned(
        f"{who}, and loses them when the container is recreated.",
        cause=Cause.CACHE_NOT_MOUNTED, subject=cache.worker, expected=expected, evidence=evidence, remedy=remedy,
    )  # fmt: skip


def _breaks(cache: ModelCache) -> str:
    """Why the next job fails there; empty where it does not."""
    if cache.access.readable is False:
        return f"where {cache.access.user} cannot read them"
    if download_needed(cache) and (cache.access.writable is False or cache.root.read_only):
        return f"where {cache.access.user} cannot store them"
    if cache.offline and not cache.complete:
        return f"where they are not, and {cache.offline} forbids to download them"
    return ""


def _elsewhere(cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, mount: Mount) -> Finding:
    message = f"MODEL_CACHE_DIR is {cache.configured}, but the container still uses {mount.source}."
    evidence = [_seen(cache, mount), Seen(".env", str(deployment.env_path), f"MODEL_CACHE_DIR is {cache.configured}")]
    remedy = [recreate(deployment, workers)]
    if cache.offline and not cache.complete:  # what is in the other folder would help now
        return failed(
            Cause.CACHE_NOT_MOUNTED, message, subject=cache.worker, expected=cache.configured, evidence=evidence, remedy=remedy
        )
    return warned(
        message, cause=Cause.CACHE_NOT_MOUNTED, subject=cache.worker, expected=cache.configured, evidence=evidence, remedy=remedy
    )


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))


def _same_paths(workers: Workers | Unavailable) -> bool:
    """An engine in a virtual machine shows the host's folders under paths of its own."""
    return isinstance(workers, Unavailable) or not workers.engine.in_vm


def _seen(cache: ModelCache, mount: Mount | None) -> Seen:
    text = f"no mount at {cache.root.container_path}"
    if mount:
        text = f"{mount.kind} {mount.name or mount.source} at {mount.destination}"
    return Seen("container", f"{cache.worker} Mounts", text)
