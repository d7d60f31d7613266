"""Steps that mend a model cache.

The files belong to the worker's user or to root, so the commands run as root in the worker's own image: no sudo, nothing to
download, and the same user ids as the worker's.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from shlex import quote

from ot_doctor.check import Risk, Step
from ot_doctor.evidence import CachedModel, Deployment, ModelCache, Worker

from ._remedies import as_models

_CONNECTED = "/tmp/pyannote-models"


def remove_model(deployment: Deployment, worker: Worker | None, cache: ModelCache, model: CachedModel) -> Step:
    """Remove one model's folder, so that the next job downloads it anew."""
    text = f"Remove the folder of {model.repo} from the cache, and nothing else."
    folder = PurePosixPath(model.path).name
    if cache.root.path is None and worker is not None:
        command = deployment.docker(f"exec --user 0:0 {quote(worker.name)} rm -rf {quote(model.container_path)}")
    elif worker is not None:
        command = _as_root(deployment, worker, str(PurePosixPath(model.path).parent), "rm", f"-rf {quote(f'/models/{folder}')}")
    else:
        command = f"sudo rm -rf {quote(model.path)}"
    return Step(text, command=command, risk=Risk.CHANGES_FILES)


def move_models(deployment: Deployment, worker: Worker | None, cache: ModelCache, moves: list[tuple[CachedModel, str]]) -> Step:
    """Move misplaced models where the release looks for them, and give them to the worker's user."""
    target = cache.root.path or ""
    base = _common_folder([target, *(path for _, path in moves)])
    inside = base if worker is None else "/models"
    owner = cache.access.uid if cache.access.uid is not None else 1000
    to = _below(target, base, inside)
    commands = [f"mkdir -p {quote(to)}"]
    commands += [f"rm -rf {quote(_below(model.path, base, inside))}" for model, _ in moves if model.present]
    commands += [f"mv {quote(_below(path, base, inside))} {quote(to)}" for _, path in moves]
    commands += [f"chown -R {owner}:{owner} {quote(to)}"]
    script = " && ".join(commands)
    arguments = f"-c {quote(script)}"
    command = f"sudo sh {arguments}" if worker is None else _as_root(deployment, worker, base, "sh", arguments)
    return Step(f"Move the models to {target}, where this release looks.", command=command, risk=Risk.CHANGES_FILES)


def copy_from_elsewhere(cache: ModelCache, models: list[CachedModel]) -> list[Step]:
    """Bring models to a machine that downloads nothing, with the links that the cache consists of."""
    folders = " ".join(quote(PurePosixPath(model.path).name) for model in models)
    downloads = " && ".join(f"hf download {quote(model.repo)} --cache-dir {_CONNECTED}" for model in models)
    archive = f"{_CONNECTED}.tar.gz"
    steps = [
        Step(
            "On a machine with internet access download the models (log in there first with 'hf auth login', as the "
            "account that accepted the agreements) and pack the whole folders: their files are links to 'blobs'.",
            command=f"{downloads} && tar -C {_CONNECTED} -czf {archive} {folders}",
            risk=Risk.CHANGES_FILES,
        )
    ]
    if cache.root.path:
        place = quote(cache.root.path)
        steps.append(
            Step(
                f"Bring {archive} here, to the same path, and unpack it where this release looks "
                "('rsync -a' of the folders does as well; a copy that follows or drops links does not).",
                command=f"sudo mkdir -p {place} && sudo tar -C {place} -xzf {archive}",
                risk=Risk.CHANGES_FILES,
            )
        )
    else:
        steps.append(Step(f"Unpack {archive} into {cache.root.container_path} of the worker."))
    return steps


def readable_for_owner(deployment: Deployment, worker: Worker | None, path: str) -> Step:
    """Give a folder's owner the permission bits that a copy lost."""
    text = "Give the owner back the right to read and to enter."
    if worker is None:
        return Step(text, command=f"sudo chmod -R u+rwX {quote(path)}", risk=Risk.CHANGES_FILES)
    return Step(text, command=_as_root(deployment, worker, path, "chmod", "-R u+rwX /models"), risk=Risk.CHANGES_FILES)


def folder_to_mend(cache: ModelCache) -> str | None:
    """The host's folder, or the volume's name, that holds the whole cache."""
    mount = cache.root.mount
    if cache.models_dir:
        return cache.models_dir
    if mount is None:
        return cache.root.path
    return mount.name if mount.kind == "volume" and mount.name else mount.source


def _as_root(deployment: Deployment, worker: Worker, folder: str, program: str, arguments: str) -> str:
    run = f"run --rm --network none --user 0:0 --entrypoint {program} {as_models(folder)} {quote(worker.image)}"
    return deployment.docker(f"{run} {arguments}")


def _common_folder(paths: list[str]) -> str:
    first, *others = [PurePosixPath(path).parts for path in paths]
    common = 0
    while all(len(parts) > common + 1 for parts in (first, *others)) and len({p[common] for p in (first, *others)}) == 1:
        common += 1
    return str(PurePosixPath(*first[:common]))


def _below(path: str, base: str, instead: str) -> str:
    return str(PurePosixPath(instead) / PurePosixPath(path).relative_to(base))
