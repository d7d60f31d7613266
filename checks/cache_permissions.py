"""Whether the worker's user can access the model cache."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Denied, Deployment, EnvFile, ModelCache, Unavailable, Worker, Workers

from ._cache_remedies import back_on_the_mount, folder_of, readable_for_owner, unmounted
from ._cache_state import cache_worker, download_needed
from ._remedies import own_cache, recreate, run_again


@check(
    "cache-permissions",
    title="The worker's user can access the model cache",
    family=Family.CACHE,
    causes=(Cause.CACHE_PERMISSION, Cause.CACHE_READONLY),
)
def cache_permissions(
    cache: ModelCache, deployment: Deployment, workers: Workers, env_file: EnvFile | Unavailable
) -> Iterator[Finding]:
    """The worker runs as user id 1000 and must be able to read or store its models.

    If it cannot, diarization fails, and the log often blames model terms that
    were not accepted, or the network. A folder that Docker created belongs to
    root; so does one that a root process left behind, and '.locks' in it is
    enough to stop a download.

    The container itself is asked ('test -r', 'test -w'). With --no-exec, or if
    it is not running, owner and mode of every folder on the way are checked.
    It does not matter who owns the files as long as the worker can use them,
    and a complete cache need not be writable.

    If owner and mode allow the access but the container still has none, an
    SELinux label or an access control list (ACL) forbids it, and changing the
    owner does not help.

    To fix it, give the folder to user id 1000 (not to your own), or make a
    read-only mount writable. If a variable such as HF_HOME moved the cache to
    a folder inside the container, remove that variable.
    """
    if not workers.diarizers:
        yield skipped("There is no worker to check permissions for.")
        return
    access, worker = cache.access, cache_worker(cache, workers)
    needed = download_needed(cache)
    back = back_on_the_mount(cache, deployment, workers, env_file) if unmounted(cache) else []
    if access.readable is False:
        yield failed(
            Cause.CACHE_PERMISSION,
            f"The worker's user {access.user} cannot read its models: {_first(cache, 'read', 'enter')}.",
            subject=_subject(cache),
            expected=f"files that {access.user} can read",
            evidence=_denied(cache, "read", "enter"),
            remedy=back or _allow(cache, deployment, worker, "read", "enter"),
        )
    elif needed and cache.root.read_only:
        yield failed(
            Cause.CACHE_READONLY,
            f"A model must be downloaded, but the cache is read-only: {cache.root.path or cache.root.container_path}.",
            subject=_subject(cache),
            expected="a cache that can be written while models are missing",
            evidence=[*_denied(cache, "write"), _read_only(cache)],
            remedy=back or _make_writable(cache, deployment, workers),
        )
    elif needed and access.writable is False:
        yield failed(
            Cause.CACHE_PERMISSION,
            f"A model must be downloaded, but the worker's user {access.user} cannot store it: "
            f"{_first(cache, 'write', 'enter')}.",
            subject=_subject(cache),
            expected=f"folders that {access.user} can write to",
            evidence=_denied(cache, "write", "enter"),
            remedy=back or _allow(cache, deployment, worker, "write", "enter"),
        )
    elif access.readable is None or (needed and access.writable is None):
        yield unknown(
            f"It is not known what the worker's user {access.user} can do in the model cache ({access.how}).",
            subject=_subject(cache),
            remedy=[Step("Start the worker and leave out --no-exec, so that the container itself can be asked.")],
        )
    elif access.writable is False and cache.offline is None:
        yield warned(
            f"The cache is complete and readable. {access.user} cannot write to it, so a model that a later release needs could "
            f"not be stored: {_first(cache, 'write', 'enter')}.",
            cause=Cause.CACHE_READONLY if cache.root.read_only else Cause.CACHE_PERMISSION,
            subject=_subject(cache),
            evidence=[_read_only(cache)] if cache.root.read_only else _denied(cache, "write", "enter")[:1],
        )
    else:
        uses = "can read and write" if access.writable else "can read"
        yield passed(
            f"The worker's user {access.user} {uses} the model cache ({access.how}).",
            evidence=[Seen("cache", _subject(cache), access.how)],
        )


def _allow(cache: ModelCache, deployment: Deployment, worker: Worker | None, *what: str) -> list[Step]:
    """What gives the worker's user access: another owner does not where owner and mode allow it already."""
    denied = [d for d in cache.access.denied if d.what in what]
    beyond = [d for d in denied if d.mode_allows]
    if not beyond:
        return _own(cache, deployment, worker)
    folder = folder_of(cache)
    place = quote(folder if folder and folder.startswith("/") else beyond[0].path)
    first = quote(beyond[0].path)
    steps = [
        Step(
            "Owner and mode allow it, so another rule forbids it: an SELinux label, or an access control list (a '+' after the "
            "mode). Show both.",
            command=f"ls -ldZ {first}; getfacl -p {first}",
        ),
        Step(
            "If it is SELinux ('getenforce' prints Enforcing), give the folder the label of containers' files. "
            "':z' after the volume in the Compose file does the same when the worker is recreated.",
            command=f"sudo chcon -Rt container_file_t {place}",
            risk=Risk.CHANGES_FILES,
        ),
        Step(
            "If it is an access control list, remove it, so that owner and mode decide.",
            command=f"sudo setfacl -R -b {place}",
            risk=Risk.CHANGES_FILES,
        ),
    ]
    return [*steps, *(_own(cache, deployment, worker) if len(beyond) < len(denied) else [run_again()])]


def _own(cache: ModelCache, deployment: Deployment, worker: Worker | None) -> list[Step]:
    folder = folder_of(cache)
    if folder is None:
        inside = quote(cache.root.container_path)
        text = f"Give {cache.root.container_path} in the container to the worker's user ({cache.access.user})."
        command = deployment.docker(f"exec --user 0:0 {quote(cache.worker)} chown -hR {cache.access.uid or 1000} {inside}")
        return [Step(text, command=command, risk=Risk.CHANGES_FILES), run_again()]
    steps = [own_cache(deployment, worker, cache.access, folder)]
    if any(d.owner.endswith(f"({cache.access.uid})") for d in cache.access.denied):
        steps.append(readable_for_owner(deployment, worker, folder))
    return [*steps, run_again()]


def _make_writable(cache: ModelCache, deployment: Deployment, workers: Workers) -> list[Step]:
    mount = cache.root.mount
    if mount is not None and not mount.writable:
        files = " ".join(quote(str(path)) for path in deployment.compose_files)
        find = f"grep -nF {quote(mount.destination)} {files}" if files else None
        return [
            Step(f"Find the line that mounts {mount.destination} in the Compose file.", command=find),
            Step("Remove ':ro' from the line (or 'read_only: true' from the entry).", risk=Risk.CHANGES_FILES),
            recreate(deployment, workers),
            run_again(),
        ]
    place = quote(cache.root.path or cache.root.container_path)
    return [
        Step(
            "Check how it is mounted; after a disk error the kernel makes a file system read-only.", command=f"findmnt -T {place}"
        ),
        Step("Mount it writable again, then restart the worker.", risk=Risk.RESTARTS),
        run_again(),
    ]


def _first(cache: ModelCache, *what: str) -> str:
    denied = next((d for d in cache.access.denied if d.what in what), None)
    return f"{denied.path} ({_owner_and_mode(denied)})" if denied else _subject(cache)


def _denied(cache: ModelCache, *what: str) -> list[Seen]:
    return [
        Seen("cache", d.path, f"{cache.access.user} cannot {d.what} it: {_owner_and_mode(d)}")
        for d in cache.access.denied
        if d.what in what
    ] or [Seen("cache", _subject(cache), cache.access.how)]


def _owner_and_mode(denied: Denied) -> str:
    seen = f"owner {denied.owner or 'not known'}, mode {denied.mode or 'not known'}"
    return f"{seen}, which allow it, so SELinux or an ACL forbids it" if denied.mode_allows else seen


def _read_only(cache: ModelCache) -> Seen:
    mount = cache.root.mount
    if mount is not None and not mount.writable:
        return Seen("container", f"{cache.worker} Mounts", f"{mount.destination} is mounted read-only from {mount.source}")
    return Seen("cache", cache.root.path or cache.root.container_path, "the file system is mounted read-only")


def _subject(cache: ModelCache) -> str:
    return cache.root.path or cache.root.container_path
