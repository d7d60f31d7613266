"""Whether downloaded models outlive the worker's container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Deployment, EnvFile, ModelCache, Mount, Unavailable, Workers

from ._cache_state import cache_worker
from ._remedies import delete_lines, recreate


@check(
    "cache-mounted",
    title="Downloaded models outlive the worker's container",
    family=Family.CACHE,
    causes=(Cause.CACHE_NOT_MOUNTED,),
)
def cache_mounted(
    cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, env_file: EnvFile | Unavailable
) -> Iterator[Finding]:
    """Models that lie in the container's own layer are lost with the container.

    The worker then downloads them again after every 'up' that recreates it, and
    fails when the Hub cannot be reached just then. Models that somebody copied
    to MODEL_CACHE_DIR are not seen at all.

    The folder where the release looks is compared with the container's mounts:
    a bind mount or a named volume is right, an anonymous volume or a tmpfs is
    not. HF_HOME, HF_HUB_CACHE, TORCH_HOME and PYANNOTE_CACHE may move the
    folder off the mount; the one that did is named.

    To mend: remove that variable from the .env, or mount the folder, and
    recreate the worker. After a change of MODEL_CACHE_DIR recreate it as well.
    """
    mount = cache.root.mount
    if not cache.worker:
        yield _no_container(workers)
    elif mount is None or mount.kind == "tmpfs":
        yield _lost(cache, deployment, workers, env_file)
    elif mount.kind == "volume" and re.fullmatch(r"[0-9a-f]{64}", mount.name):
        yield warned(
            f"The models lie in an anonymous volume ({mount.name[:12]}…), which 'docker compose down' cuts off from the worker.",
            cause=Cause.CACHE_NOT_MOUNTED,
            subject=cache.worker,
            expected="a folder under MODEL_CACHE_DIR, or a named volume",
            evidence=[_seen(cache, mount)],
            remedy=[_mount_it(cache, deployment), recreate(deployment, workers)],
        )
    elif mount.kind == "bind" and cache.configured and not _within(mount.source, cache.configured) and _same_paths(workers):
        yield _elsewhere(cache, deployment, workers, mount)
    else:
        yield passed(f"The models are kept in {cache.root.path or mount.source}", evidence=[_seen(cache, mount)])


def _no_container(workers: Workers | Unavailable) -> Finding:
    if isinstance(workers, Unavailable) and not workers.switched_off:
        hint = Step(workers.hint or "Run ot-doctor again when the Docker engine can be reached.", command=workers.command)
        return unknown(f"Where the worker keeps its models is not known: {workers.reason}", remedy=[hint])
    return skipped("No container was looked at, and only its mounts tell where the models are kept.")


def _lost(cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, env_file: EnvFile | Unavailable) -> Finding:
    root = cache.root
    kept = "in memory (tmpfs)" if root.mount else "in the container itself"
    moved = f" {root.set_by} puts them there." if root.set_by else ""
    entry = env_file.entry(root.set_by) if root.set_by and isinstance(env_file, EnvFile) else None
    evidence = [_seen(cache, root.mount)]
    steps = []
    if root.set_by:
        worker = cache_worker(cache, workers)
        value = worker.setting(root.set_by) if worker else None
        evidence.append(Seen("container", f"{cache.worker} Config.Env", f"{root.set_by}={value or '…'}"))
    if entry and isinstance(env_file, EnvFile):
        where = env_file.where(entry.line)
        evidence.append(Seen(".env", where, f"{root.set_by}={entry.value}"))
        text = f"Delete {root.set_by}, line {entry.line} of {env_file.path}."
        steps.append(delete_lines(str(env_file.path), entry.lines, text))
    elif root.set_by:
        text = f"Remove {root.set_by} from the service's 'environment:' in {_files(deployment)}."
        steps.append(Step(text, risk=Risk.CHANGES_FILES))
    else:
        steps.append(_mount_it(cache, deployment))
    return warned(
        f"The models lie {kept}, at {root.container_path}, and are lost at every recreate.{moved}",
        cause=Cause.CACHE_NOT_MOUNTED,
        subject=cache.worker,
        expected="a folder under MODEL_CACHE_DIR, mounted into the worker",
        evidence=evidence,
        remedy=[*steps, recreate(deployment, workers)],
    )


def _elsewhere(cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, mount: Mount) -> Finding:
    message = f"The container still uses {mount.source}, and MODEL_CACHE_DIR is {cache.configured}."
    evidence = [_seen(cache, mount), Seen(".env", str(deployment.env_path), f"MODEL_CACHE_DIR is {cache.configured}")]
    remedy = [recreate(deployment, workers)]
    if cache.offline and not cache.complete:  # what is in the other folder would help now
        return failed(
            Cause.CACHE_NOT_MOUNTED, message, subject=cache.worker, expected=cache.configured, evidence=evidence, remedy=remedy
        )
    return warned(
        message, cause=Cause.CACHE_NOT_MOUNTED, subject=cache.worker, expected=cache.configured, evidence=evidence, remedy=remedy
    )


def _mount_it(cache: ModelCache, deployment: Deployment) -> Step:
    home = next((p for p in (".cache/huggingface", ".cache/torch") if f"/{p}" in cache.root.container_path), "")
    target = cache.root.container_path.partition(home)[0] + home if home else cache.root.container_path
    source = "${MODEL_CACHE_DIR:-./models}/" + PurePosixPath(target).name
    return Step(f"Add to the service's 'volumes:' in {_files(deployment)}:  - {source}:{target}", risk=Risk.CHANGES_FILES)


def _files(deployment: Deployment) -> str:
    return " or ".join(str(path) for path in deployment.compose_files) or "the Compose file"


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
