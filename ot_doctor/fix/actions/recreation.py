"""What Compose would make of a service now, against the container that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ot_doctor.evidence import EnvFile, Unavailable
from ot_doctor.redaction.names import keep

Json = Mapping[str, Any]
_OF_PODMAN = {"container", "HOME", "HOSTNAME", "TERM"}  # which it sets by itself in each container, and Docker in none


@dataclass(frozen=True)
class Deviation:
    """One thing that the new container would have otherwise. The text holds no secret."""

    text: str  # "HUGGINGFACE_TOKEN: empty becomes hf_…(37:3fa2)"
    expected: bool = False  # the .env says so
    grave: bool = False  # another program, or other files: never without somebody who sees it


def differences(
    described: Json, service: str, container: Json, image: Json, env: EnvFile | Unavailable, in_vm: bool
) -> list[Deviation]:
    """``described``: what ``docker compose config`` says; ``image``: the one that the service names now, by ``inspect``."""
    wanted = _map(described["services"].get(service))
    return [
        *_environment(wanted, container, image, env),
        *_image(wanted, container, image),
        *_mounts(described, wanted, container, in_vm),
        *_devices(wanted, container),
        *_process(wanted, container, image),
    ]


def _environment(wanted: Json, container: Json, image: Json, env: EnvFile | Unavailable) -> Iterator[Deviation]:
    old = _pairs(_map(container.get("Config")).get("Env"))
    new = _pairs(_map(image.get("Config")).get("Env"))
    for name, value in _map(wanted.get("environment")).items():
        if value is None:
            new.pop(name, None)  # a bare name that this shell does not have
        else:
            new[name] = str(value)
    in_file = set() if isinstance(env, Unavailable) else {entry.key for entry in env.entries}
    for name in sorted((old.keys() | new.keys()) - (_OF_PODMAN if "container" in old else set())):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield Deviation(f"{name}: {_shown(name, before)} becomes {_shown(name, after)}", expected=name in in_file)


def _image(wanted: Json, container: Json, image: Json) -> Iterator[Deviation]:
    before, after = str(container.get("Image")), str(image.get("Id"))
    if before != after:
        name = wanted.get("image") or "the service's image"
        yield Deviation(f"image {name}: {_short(before)} becomes {_short(after)}", grave=True)


def _mounts(described: Json, wanted: Json, container: Json, in_vm: bool) -> Iterator[Deviation]:
    def source(kind: str, path: str) -> str:
        return "" if in_vm and kind == "bind" else os.path.realpath(path) if kind == "bind" else path

    others = {_target("/", one) for one in map(_map, wanted.get("configs") or ())}
    others |= {_target("/run/secrets/", one) for one in map(_map, wanted.get("secrets") or ())}
    old: dict[str, tuple[str, str, bool]] = {}
    for mount in map(_map, container.get("Mounts") or ()):
        kind, target = str(mount.get("Type")), str(mount.get("Destination"))
        place = str(mount.get("Name") if kind == "volume" else mount.get("Source"))
        if kind != "tmpfs" and target not in others:
            old[target] = (kind, source(kind, place), mount.get("RW") is not False)
    volumes = _map(described.get("volumes"))
    new: dict[str, tuple[str, str, bool]] = {}
    for mount in map(_map, wanted.get("volumes") or ()):
        kind, target, place = str(mount.get("type")), str(mount.get("target")), str(mount.get("source") or "")
        if kind == "volume":
            place = str(_map(volumes.get(place)).get("name") or place)
        if kind != "tmpfs":
            new[target] = (kind, source(kind, place), not mount.get("read_only"))
    for target in sorted(old.keys() | new.keys()):
        before, after = old.get(target), new.get(target)
        anonymous = before and before[0] == "volume" and (after is None or not after[1])  # the image's own, or without a name
        if before != after and not anonymous:
            yield Deviation(f"mount {target}: {_mounted(before)} becomes {_mounted(after)}", grave=True)


def _devices(wanted: Json, container: Json) -> Iterator[Deviation]:
    host = _map(container.get("HostConfig"))
    reserved = _map(_map(_map(wanted.get("deploy")).get("resources")).get("reservations")).get("devices") or ()
    new = sorted(_gpu(_map(one).get("device_ids"), _map(one).get("count")) for one in (*reserved, *(wanted.get("gpus") or ())))
    old = sorted(_gpu(_map(one).get("DeviceIDs"), _map(one).get("Count")) for one in host.get("DeviceRequests") or ())
    if old != new:
        yield Deviation(f"GPUs: {', '.join(old) or 'none'} becomes {', '.join(new) or 'none'}", grave=True)
    paths = sorted(str(_map(one).get("PathOnHost")) for one in host.get("Devices") or ())
    named = sorted(
        str(one.get("source")) if isinstance(one, Mapping) else str(one).partition(":")[0] for one in wanted.get("devices") or ()
    )
    if paths != named:
        yield Deviation(f"devices: {', '.join(paths) or 'none'} becomes {', '.join(named) or 'none'}", grave=True)


def _process(wanted: Json, container: Json, image: Json) -> Iterator[Deviation]:
    had, has = _map(container.get("Config")), _map(image.get("Config"))
    user = str(wanted.get("user") or has.get("User") or "")
    if user != str(had.get("User") or ""):
        yield Deviation(f"user: {had.get('User') or 'root'} becomes {user or 'root'}")
    command = wanted.get("command") or (has.get("Cmd") if not wanted.get("entrypoint") else None) or []
    if list(command) != list(had.get("Cmd") or []):
        yield Deviation("its command becomes another one")


def _gpu(ids: Any, count: Any) -> str:
    return "+".join(map(str, ids)) if ids else "all" if count in (-1, "all", None, 0) else f"{count} of them"


def _target(folder: str, file: Json) -> str:
    """Where a config or a secret is seen in the container."""
    return os.path.join(folder, str(file.get("target") or file.get("source") or ""))


def _mounted(mount: tuple[str, str, bool] | None) -> str:
    return f"{mount[1] or mount[0]}{'' if mount[2] else ', read-only'}" if mount else "nothing"


def _shown(name: str, value: str | None) -> str:
    return "not set" if value is None else str(keep(name, value)) if value else "empty"


def _short(image: str) -> str:
    return image.rpartition(":")[2][:12]


def _pairs(entries: Any) -> dict[str, str]:
    pairs = (str(entry).partition("=") for entry in entries or ())
    return {name: value for name, _, value in pairs}


def _map(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}
