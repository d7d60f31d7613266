"""What changes something in the engine, for ``ot-doctor fix`` and ``undo`` alone. Everything raises ``Unavailable``.

Folders of the host are worked on by a container of the worker's own image: no network, no rights but those that are named, and
nothing of the host but the one folder. It sees the same user ids as the worker does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ot_doctor.core.deadline import within
from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Engine, Worker
from ot_doctor.sources.docker.container_exec import talk_in
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.transport import NotDockers, an_object, objects_with_id, text_of

if TYPE_CHECKING:
    import docker

FOLDER = "/models"  # where the helper sees the host's folder
_ANSWER = 20.0  # seconds for what only looks
_STOPS = 60.0  # seconds that a container may take to stop
_LARGEST = 32 * 2**20  # bytes: the names of a hundred thousand files
_HELPER = "ot-doctor.helper"  # the label of our own containers: which folder each works on
_COMPOSE = "com.docker.compose."

Json = Mapping[str, Any]


@contextlib.contextmanager
def _engine(request: Request, engine: Engine, seconds: float, what: str = "It") -> Iterator[docker.APIClient]:
    """The engine's API, each answer within ``seconds``. ``what`` is missed where the engine knows no such thing."""
    from docker.errors import NotFound

    now = replace(request, started=time.monotonic(), timeout=3 * seconds)  # whoever was asked before took their time
    client = reconnect(engine, now)
    try:
        with asking(client, engine, now):
            client.api.timeout = seconds  # type: ignore[assignment]  # a float is as good
            yield client.api
    except NotFound as error:
        raise Unavailable(f"{what} is not there any more: {clipped(printable(str(error.explanation or error)), 200)}") from error
    finally:
        client.close()


# -- looking ---------------------------------------------------------------------------------------------------------


def container(request: Request, engine: Engine, name: str) -> Json:
    """All that the engine says of a container."""
    with _engine(request, engine, _ANSWER, name) as api:
        return an_object(api.inspect_container(name))


def image(request: Request, engine: Engine, name: str) -> Json:
    """All that the engine says of an image."""
    with _engine(request, engine, _ANSWER, f"The image {name}") as api:
        return an_object(api.inspect_image(name))  # type: ignore[no-untyped-call]


def containers_of(request: Request, engine: Engine, project: str, service: str) -> list[str]:
    """The ids of a Compose service's containers, running or not."""
    labels = [f"{_COMPOSE}project={project}", f"{_COMPOSE}service={service}", f"{_COMPOSE}oneoff=False"]
    with _engine(request, engine, _ANSWER) as api:
        return [text_of(one, "Id") for one in objects_with_id(api.containers(all=True, filters={"label": labels}))]


# -- containers ------------------------------------------------------------------------------------------------------


def unpause(request: Request, engine: Engine, name: str) -> None:
    with _engine(request, engine, _STOPS, name) as api:
        api.unpause(name)


def pause(request: Request, engine: Engine, name: str) -> None:
    with _engine(request, engine, _STOPS, name) as api:
        api.pause(name)


def restart(request: Request, engine: Engine, name: str) -> None:
    with _engine(request, engine, 3 * _STOPS, name) as api:
        api.restart(name)


def stop(request: Request, engine: Engine, name: str) -> None:
    with _engine(request, engine, 3 * _STOPS, name) as api:
        api.stop(name)


def remove_container(request: Request, engine: Engine, name: str) -> None:
    """One that never ran; its volumes stay."""
    with _engine(request, engine, _STOPS, name) as api:
        api.remove_container(name)


# -- folders ---------------------------------------------------------------------------------------------------------


def as_root(
    request: Request, worker: Worker, folder: str, command: Sequence[str], rights: Sequence[str], *, writes: bool,
    seconds: float = 600.0,
) -> str:  # fmt: skip
    """What the command prints, run as root in the worker's image, with a folder or volume of the host at ``FOLDER``.

    ``rights`` are the capabilities that it has: ``CHOWN``.
    """
    from docker.types import Mount

    made_of = text_of(container(request, worker.engine, worker.id), "Image")
    kind: Literal["bind", "volume"] = "bind" if folder.startswith("/") else "volume"
    bare = kind == "volume"  # else an empty volume takes the owner of the image's own folder
    with _engine(request, worker.engine, seconds, folder) as api:
        for left in api.containers(all=True, filters={"label": f"{_HELPER}={folder}"}):  # of a run that was cut off
            api.remove_container(text_of(left, "Id"), force=True)
        host = api.create_host_config(
            mounts=[Mount(FOLDER, folder, type=kind, read_only=not writes, no_copy=bare)], network_mode="none", read_only=True,
            cap_drop=["ALL"], cap_add=list(rights),
            security_opt=["no-new-privileges", *(["label=disable"] if worker.engine.selinux else [])],
        )  # fmt: skip
        if worker.own_users:
            host["UsernsMode"] = f"container:{worker.id}"
        made = api.create_container(
            made_of, list(command[1:]), entrypoint=[command[0]], user="0:0", host_config=host, labels={_HELPER: folder},
            healthcheck={"test": ["NONE"]}, working_dir="/",
        )  # fmt: skip
        name = text_of(made, "Id")
        try:
            # Not its log: that has no bytes but those of UTF-8, or is not kept.
            pieces = api.attach(name, stdout=True, stderr=True, stream=True, demux=True)
            api.start(name)
            output, errors = within(seconds, lambda: _both(pieces))
            code = an_object(api.wait(name, timeout=int(seconds))).get("StatusCode")
        except TimeoutError:
            raise Unavailable(f"'{command[0]}' did not end in {folder} within {seconds:.0f} s.") from None
        finally:
            api.remove_container(name, force=True, v=True)
    if code:
        said = clipped(printable(errors.decode("utf-8", "replace")).strip() or f"exit code {code}", 300)
        raise Unavailable(f"'{command[0]}' did not succeed in {folder}: {said}")
    return output.decode("utf-8", "surrogateescape")


def _both(pieces: Iterable[tuple[bytes | None, bytes | None]]) -> tuple[bytes, bytes]:
    """Standard output and standard error. Raises ``NotDockers`` beyond what a cache can bring about."""
    output, errors = bytearray(), bytearray()
    for out, err in pieces:
        output += out or b""
        errors += err or b""
        if len(output) + len(errors) > _LARGEST:
            raise NotDockers(f"a command printed more than {_LARGEST // 2**20} MB")
    return bytes(output), bytes(errors)


# -- commands in a worker --------------------------------------------------------------------------------------------


def python_in(
    request: Request, worker: Worker, script: str, arguments: Sequence[str], on_line: Callable[[str], None], seconds: float
) -> None:
    """Run a Python script in a worker, as its own user and with its own environment; ``on_line`` gets each line that it prints.

    An exec goes on when nobody listens any more. The script gets a line on its standard input, which is closed when this process
    ends, however it does: then the script must end, too.
    """
    shown = 0

    def tell(output: bytes) -> bool:
        nonlocal shown
        lines = _lines(output)[:-1]
        for line in lines[shown:]:
            on_line(line)
        shown = len(lines)
        return False

    now = replace(request, started=time.monotonic(), timeout=seconds)
    output, code = talk_in(now, worker, ["python3", "-c", script, *arguments], b"\n", seconds, tell)
    tell(output)
    if code:
        last = next((line for line in reversed(_lines(output)) if line.strip()), f"exit code {code}")
        raise Unavailable(f"It did not succeed in {worker.name}: {clipped(last, 300)}")


def _lines(output: bytes) -> list[str]:
    return [printable(line) for line in output.decode("utf-8", "replace").split("\n")]


# -- what Docker can make again --------------------------------------------------------------------------------------


def build_cache(request: Request, engine: Engine) -> int:
    """Bytes of the build cache that no build uses now."""
    with _engine(request, engine, _STOPS) as api:
        layers = an_object(api.df()).get("BuildCache") or []
        return sum(int(one.get("Size") or 0) for one in layers if not one.get("InUse") and not one.get("Shared"))


def prune_build_cache(request: Request, engine: Engine) -> None:
    with _engine(request, engine, 10 * _STOPS) as api:
        api.prune_builds()


def untagged_images(request: Request, engine: Engine) -> dict[str, int]:
    """Images without a name that no container uses, with their sizes in bytes."""
    with _engine(request, engine, _ANSWER) as api:
        images = objects_with_id(api.images(filters={"dangling": True}))
        used = {one.get("ImageID") for one in objects_with_id(api.containers(all=True))}
    return {text_of(one, "Id"): int(one.get("Size") or 0) for one in images if one.get("Id") not in used}


def remove_image(request: Request, engine: Engine, name: str) -> None:
    with _engine(request, engine, _STOPS, name) as api:
        api.remove_image(name)
