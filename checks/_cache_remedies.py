"""Steps that fix a model cache.

The files belong to the worker's user or to root, so the commands run as root in the worker's own image: no sudo, nothing to
download, and the same user ids as the worker's.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from shlex import quote

from ot_doctor.actions import Action, FetchModels, MoveCache, OpenCache, QuarantineModels
from ot_doctor.check import Risk, Step
from ot_doctor.evidence import CachedModel, Deployment, EnvFile, ModelCache, Unavailable, Worker, Workers

from ._remedies import as_root, comment_out, lines_of, recreate, run_again

_CONNECTED = "/tmp/pyannote-models"


def remove_model(deployment: Deployment, worker: Worker | None, cache: ModelCache, model: CachedModel) -> Step:
    """Remove one model's folder, so that the next job downloads it again."""
    text = f"Remove the folder of {model.repo} from the cache: {model.path}"
    folder = PurePosixPath(model.path).name
    action: Action | None = None
    if cache.root.path is None and worker is not None:
        command = deployment.docker(f"exec --user 0:0 {quote(worker.name)} rm -rf {quote(model.container_path)}")
    elif worker is not None:
        hub = str(PurePosixPath(model.path).parent)
        command = as_root(deployment, worker, hub, "rm", f"-rf {quote(f'/models/{folder}')}")
        action = QuarantineModels(hub, (folder,), worker.name)
    else:
        command = f"sudo rm -rf {quote(model.path)}"
    return Step(text, command=command, risk=Risk.CHANGES_FILES, action=action)


def move_models(deployment: Deployment, worker: Worker | None, cache: ModelCache, moves: list[tuple[CachedModel, str]]) -> Step:
    """Move misplaced models where the release looks for them, and give them to the worker's user."""
    target = cache.root.path or ""
    base = _common_folder([target, *(path for _, path in moves)])
    inside = base if worker is None else "/models"
    owner = cache.access.uid if cache.access.uid is not None else 1000
    to = _below(target, base, inside)
    commands = [f"mkdir -p {quote(to)}"]
    for model, path in moves:  # a second paste finds nothing left to move, and removes nothing
        here, there = (quote(_below(place, base, inside)) for place in (path, model.path))
        commands.append(f"if [ -d {here} ]; then rm -rf {there} && mv {here} {quote(to)}; fi")
    commands += [f"chown -hR {owner}:{owner} {quote(to)}"]
    script = " && ".join(commands)
    arguments = f"-c {quote(script)}"
    command = f"sudo sh {arguments}" if worker is None else as_root(deployment, worker, base, "sh", arguments)
    found = tuple(path for _, path in moves)
    action = MoveCache(found, target, worker.name, owner, owner) if worker and target else None
    text = f"Move the models to {target}, where this release looks."
    return Step(text, command=command, risk=Risk.CHANGES_FILES, action=action)


def download(worker: Worker | None, model: CachedModel) -> list[Step]:
    """With the next job, or now where a worker runs."""
    if worker is None or not worker.running:
        return [run_again()]
    text = "Or let 'ot-doctor fix --select cache-complete' download it now, with the worker's own libraries."
    return [run_again(), Step(text, risk=Risk.DOWNLOADS, action=FetchModels((model.repo,), worker.name))]


def copy_from_elsewhere(cache: ModelCache, models: list[CachedModel]) -> list[Step]:
    """Bring models to a machine that downloads nothing, with the links that the cache consists of."""
    folders = " ".join(quote(PurePosixPath(model.path).name) for model in models)
    downloads = " && ".join(f"hf download {quote(model.repo)} --cache-dir {_CONNECTED}" for model in models)
    archive = f"{_CONNECTED}.tar.gz"
    steps = [
        Step(
            "On a machine with internet access, log in with 'hf auth login' (as the account that accepted the terms), then "
            "download the models and pack the whole folders; their files are links to 'blobs'.",
            command=f"{downloads} && tar -C {_CONNECTED} -czf {archive} {folders}",
            risk=Risk.CHANGES_FILES,
        )
    ]
    if cache.root.path:
        place = quote(cache.root.path)
        steps.append(
            Step(
                f"Copy {archive} to this machine, to the same path, and unpack it into {cache.root.path} "
                "('rsync -a' of the folders works too; a copy that follows or drops links does not).",
                command=f"sudo mkdir -p {place} && sudo tar -C {place} -xzf {archive}",
                risk=Risk.CHANGES_FILES,
            )
        )
    else:
        steps.append(Step(f"Unpack {archive} into {cache.root.container_path} of the worker."))
    return steps


def readable_for_owner(deployment: Deployment, worker: Worker | None, path: str) -> Step:
    """Give a folder's owner the permission bits that a copy lost."""
    text = f"Let the owner of {path} read the files and enter the folders again."
    if worker is None:
        return Step(text, command=f"sudo chmod -R u+rwX {quote(path)}", risk=Risk.CHANGES_FILES)
    command = as_root(deployment, worker, path, "chmod", "-R u+rwX /models")
    return Step(text, command=command, risk=Risk.CHANGES_FILES, action=OpenCache(path, worker.name))


def folder_of(cache: ModelCache) -> str | None:
    """The host's folder, or the volume's name, that holds the whole cache; ``None`` where it is in the container alone."""
    mount, above = cache.root.mount, cache.models_dir
    if not cache.worker:  # no container: where .env puts it
        folder = above or cache.root.path
    elif mount is None or mount.kind == "tmpfs":
        return None
    elif mount.kind == "volume" and mount.name:
        return mount.name
    else:
        folder = above if above and PurePosixPath(mount.source).is_relative_to(above) else mount.source
    return None if folder == "/" else folder


def unmounted(cache: ModelCache) -> bool:
    """The worker's models are in no folder that outlives it: none of the host's, and no volume."""
    return bool(cache.worker) and (cache.root.mount is None or cache.root.mount.kind == "tmpfs")


def back_on_the_mount(
    cache: ModelCache, deployment: Deployment, workers: Workers | Unavailable, env_file: EnvFile | Unavailable
) -> list[Step]:
    """Put the cache where it is kept: take the variable away that moved it, or mount its folder."""
    variable = cache.root.set_by
    entry = env_file.entry(variable) if variable and isinstance(env_file, EnvFile) else None
    if entry and isinstance(env_file, EnvFile):
        step = comment_out(env_file, lines_of([entry]), f"Comment out {variable}, line {entry.line} of {env_file.path}.")
    elif variable:
        text = f"Remove {variable} from the service's 'environment:' in {_files(deployment)}."
        step = Step(text, risk=Risk.CHANGES_FILES)
    else:
        step = mount_it(cache, deployment)
    return [step, recreate(deployment, workers)]


def mount_it(cache: ModelCache, deployment: Deployment) -> Step:
    home = next((p for p in (".cache/huggingface", ".cache/torch") if f"/{p}" in cache.root.container_path), "")
    target = cache.root.container_path.partition(home)[0] + home if home else cache.root.container_path
    source = "${MODEL_CACHE_DIR:-./models}/" + PurePosixPath(target).name
    return Step(f"Add to the service's 'volumes:' in {_files(deployment)}:  - {source}:{target}", risk=Risk.CHANGES_FILES)


def _files(deployment: Deployment) -> str:
    return " or ".join(str(path) for path in deployment.compose_files) or "the Compose file"


def _common_folder(paths: list[str]) -> str:
    first, *others = [PurePosixPath(path).parts for path in paths]
    common = 0
    while all(len(parts) > common + 1 for parts in (first, *others)) and len({p[common] for p in (first, *others)}) == 1:
        common += 1
    return str(PurePosixPath(*first[:common]))


def _below(path: str, base: str, instead: str) -> str:
    return str(PurePosixPath(instead) / PurePosixPath(path).relative_to(base))
