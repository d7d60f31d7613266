"""What the worker's user may do in the cache."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from ot_doctor.evidence.deployment import Model
from ot_doctor.evidence.model_cache import CacheAccess, Denied
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.container_user import User
from ot_doctor.sources.model_cache.fs_view import CacheLook, Look, ModelLook

ASKED = "asked in the container"
WORKED_OUT = "worked out from owner and mode"
NOT_KNOWN = "not known"
UNKNOWN_ACCESS = CacheAccess(NOT_KNOWN, "", None, None, None)
_MOST_DENIED = 20
_NOT_MAPPED = 65534  # how the kernel shows an owner whom the user namespace does not have
_IMAGE_UIDS = {"appuser": 1000, "root": 0, "": 0}  # by the images of every release; Docker runs as root where no user is named

Rights = Callable[[Look, str], bool]


def image_user(worker: Worker) -> User | None:
    """The user by the container's configuration; ``None`` when only its own files could tell the number."""
    name, _, group = worker.user.partition(":")
    uid = int(name) if name.isdecimal() else _IMAGE_UIDS.get(name)
    if uid is None:
        return None
    # appuser's group is a system group whose number differs between builds, and is never 1000.
    gid = int(group) if group.isdecimal() else 0 if uid == 0 else -1
    return User("appuser" if name.isdecimal() and uid == 1000 else "root" if uid == 0 else name, uid, gid)


def shown_user(user: User) -> str:
    return f"{user.name} ({user.uid})" if user.name and not user.name.isdecimal() else str(user.uid)


@dataclass(frozen=True)
class Question:
    """What the answer is worked out from."""

    looks: Mapping[str, CacheLook]  # by root
    models: Mapping[str, tuple[Model, ...]]  # in the looks' order
    read_only: bool
    sure: bool  # nothing on the mounts was closed to whoever looked
    display_path: Callable[[str], str]  # the path to show
    same_user_ids: bool
    rootless: bool = False


def asked(question: Question, user: User) -> CacheAccess:
    """From the container's own answers."""
    return _judged(question, ASKED, user, lambda look, right: right in (look.rights or ""))


def worked_out(question: Question, user: User) -> CacheAccess:
    """From owner, group and mode, with the container's user ids being this machine's."""
    return _judged(question, WORKED_OUT, user, user.may)


def _judged(question: Question, how: str, user: User, may: Rights) -> CacheAccess:
    unreadable: dict[str, tuple[Look, str]] = {}
    unwritable: dict[str, tuple[Look, str]] = {}
    for root, cache in question.looks.items():
        for look, right in _reading(cache, question.models[root]):
            if look.there and not may(look, right):
                unreadable.setdefault(look.container_path, (look, "enter" if right == "x" else "read"))
        writing = _writing(cache, question.models[root])
        for look in islice(writing, 1) if question.read_only else writing:
            if look.there and (question.read_only or not may(look, "w")):
                unwritable.setdefault(look.container_path, (look, "write"))
    denied = {**unwritable, **unreadable}  # who cannot enter a folder need not read that he cannot write there
    entries = sorted(denied.values(), key=lambda item: (item[1] == "write", item[0].container_path))
    return CacheAccess(
        how=how,
        user=shown_user(user),
        uid=user.uid,
        readable=False if unreadable else True if question.sure else None,
        writable=False if denied or question.read_only else True if question.sure else None,
        denied=tuple(_denied(question, user, look, what) for look, what in entries[:_MOST_DENIED]),
    )


def _reading(cache: CacheLook, models: Iterable[Model]) -> Iterator[tuple[Look, str]]:
    for folder in cache.ancestors:
        yield folder, "x"
    for model in _decisive(cache, models):
        for folder in (model.folder, *model.parts):
            yield folder, "x"
            if folder.container_path.endswith("/snapshots"):
                yield folder, "r"  # the client lists it
        for file in (model.ref, *model.files):
            yield file, "r"


def _writing(cache: CacheLook, models: Iterable[Model]) -> Iterator[Look]:
    existing = [folder for folder in cache.ancestors if folder.there]
    if existing:
        yield existing[-1]  # the root, or the folder that it would be made in
    yield cache.locks
    for model in _decisive(cache, models):
        yield from (model.folder, *model.parts, *model.locks)


def _decisive(cache: CacheLook, models: Iterable[Model]) -> list[ModelLook]:
    """The models that are required; all of them where the release line is not known."""
    pairs = list(zip(models, cache.models, strict=True))
    return [look for model, look in pairs if model.required] or [look for _, look in pairs]


def _denied(question: Question, user: User, look: Look, what: str) -> Denied:
    path = question.display_path(look.container_path)
    allows = bool(look.mode) and not question.read_only and user.may(look, {"read": "r", "write": "w", "enter": "x"}[what])
    owner = _owner(look.uid, user, question.same_user_ids)
    unmapped = question.rootless and look.uid == _NOT_MAPPED
    return Denied(path, look.container_path, what, owner, look.mode, allows, unmapped)


def _owner(uid: int, user: User, same_user_ids: bool) -> str:
    if uid < 0:
        return ""
    if uid == user.uid:
        return shown_user(user)
    if uid == 0:
        return "root (0)"
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})" if same_user_ids else str(uid)
    except KeyError:
        return str(uid)
