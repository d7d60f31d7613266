"""What goes wrong: on the network, in the cache, at the Hub. Each is a function that a case calls on its laboratory."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.parts import models
from tests.parts.hub import UNGATED, Account, Fault, Token

from . import xet
from .case import COMMUNITY, SEGMENTATION, TOKEN
from .lab import GROUP, HUB_NAMES, USER, Lab, _give, _mount

Prepare = Callable[[Lab], None]


def both(*steps: Prepare) -> Prepare:
    def prepare(lab: Lab) -> None:
        for step in steps:
            step(lab)

    return prepare


# -- at the Hub ------------------------------------------------------------------------------------


def grant(repo: str, state: str = "") -> Prepare:
    """The account has this repository no more accepted, but `pending`, `rejected`, or nothing."""

    def prepare(lab: Lab) -> None:
        one = lab.hub.repos[repo]
        one.accepted.clear()
        if state:
            getattr(one, state).add("ada")

    return prepare


def nothing_accepted(lab: Lab) -> None:
    for repo in lab.hub.repos.values():
        repo.accepted.clear()


def token(**changes: object) -> Prepare:
    def prepare(lab: Lab) -> None:
        lab.hub.add(Token(TOKEN, Account("ada"), **changes))  # type: ignore[arg-type]

    return prepare


def hub_fault(kind: str, seconds: float = 1.0, only: str | None = None) -> Prepare:
    def prepare(lab: Lab) -> None:
        lab.hub.fault = Fault(kind, seconds, only)  # type: ignore[arg-type]

    return prepare


def hub_answers(status: int, body: bytes) -> Prepare:
    def prepare(lab: Lab) -> None:
        lab.hub.failing = (status, body)

    return prepare


def without(repo: str) -> Prepare:
    def prepare(lab: Lab) -> None:
        del lab.hub.repos[repo]

    return prepare


def without_file(repo: str, name: str) -> Prepare:
    def prepare(lab: Lab) -> None:
        del lab.hub.repos[repo].files[name]

    return prepare


def file_is(repo: str, name: str, content: bytes | Callable[[bytes], bytes]) -> Prepare:
    """A file of a repository has other content: what the worker loads is what a broken copy in its cache would be."""

    def prepare(lab: Lab) -> None:
        files = lab.hub.repos[repo].files
        old = files[name]
        assert isinstance(old, bytes)
        files[name] = content if isinstance(content, bytes) else content(old)

    return prepare


def weights_are(content: bytes | Callable[[bytes], bytes]) -> Prepare:
    """Of the segmentation, in each repository that has one."""
    community = file_is(COMMUNITY, "segmentation/pytorch_model.bin", content)
    return both(community, file_is(SEGMENTATION, "pytorch_model.bin", content))


def weights_of_old_lightning(lab: Lab) -> None:
    files = lab.hub.repos[SEGMENTATION].files
    files["pytorch_model.bin"] = files["ListConfig.bin"]


# -- on the network --------------------------------------------------------------------------------


def _server(address: str, port: int, answer: Callable[[socket.socket], None]) -> None:
    listening = socket.create_server((address, port))

    def serve() -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def hub_at(address: str) -> Prepare:
    """The Hub's name leads elsewhere; nothing listens at 127.0.0.2, and there is no route to 203.0.113.7."""

    def prepare(lab: Lab) -> None:
        lab.hosts = dict.fromkeys(HUB_NAMES, address)

    return prepare


def large_files_at(address: str) -> Prepare:
    def prepare(lab: Lab) -> None:
        lab.hosts[HUB_NAMES[1]] = address

    return prepare


def connections_reset(lab: Lab) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    lab.hosts = dict.fromkeys(HUB_NAMES, "127.0.0.2")
    _server("127.0.0.2", 443, reset)


def connections_ignored(lab: Lab) -> None:
    """A listener whose queue is full: further connections are neither accepted nor refused."""
    lab.hosts = dict.fromkeys(HUB_NAMES, "127.0.0.2")
    listening = socket.socket()
    listening.bind(("127.0.0.2", 443))
    listening.listen(0)
    for _ in range(4):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.2", 443))
        _kept.append(waiting)
    _kept.append(listening)


_kept: list[socket.socket] = []


def no_name_server(lab: Lab) -> None:
    """The name server takes the questions and answers none."""
    lab.hosts = {}
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 53))
    _kept.append(silent)


def no_such_name(lab: Lab) -> None:
    """The name server answers that there is no such name."""
    lab.hosts = {}
    name_server_without_names(lab)


def name_server_without_names(lab: Lab) -> None:
    """For what is not in the hosts file."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def serve() -> None:
        while True:
            question, sender = server.recvfrom(512)
            server.sendto(question[:2] + b"\x81\x83" + question[4:6] + b"\0\0\0\0\0\0" + question[12:], sender)

    threading.Thread(target=serve, daemon=True).start()


def untrusted(lab: Lab) -> None:
    lab.trusted = False


def other_host(lab: Lab) -> None:
    lab.certificate_names = ("proxy.example.org",)


def proxy(answer: bytes | None = None) -> Prepare:
    """A proxy is set: one that answers this to everything, or none that listens."""

    def prepare(lab: Lab) -> None:
        lab.env |= {"HTTPS_PROXY": "http://127.0.0.1:3128", "HTTP_PROXY": "http://127.0.0.1:3128", "NO_PROXY": "redis"}
        if answer is not None:
            _server("127.0.0.1", 3128, _answering(answer))

    return prepare


def _answering(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        connection.close()

    return serve


# -- beside the cache ------------------------------------------------------------------------------


def scratch(options: str = "") -> Prepare:
    """The volume through which workers hand sound over: root's, or a file system of its own with these options."""

    def prepare(lab: Lab) -> None:
        path = lab.path("/scratch")
        path.mkdir()
        if options:
            _mount("-t", "tmpfs", "-o", f"uid={USER},gid={GROUP},mode=755,size=8m", "scratch", path)
        (path / "opentranscribe").mkdir()
        if options:
            _give(path)
            _mount("-o", f"remount,{options}", path)

    return prepare


def illegal_instruction(lab: Lab) -> None:
    """A program of one instruction that no processor has."""
    source = lab.folder / "ud2.s"
    source.write_text(".globl _start\n_start: ud2\n")
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", str(lab.path("/app/ud2")), str(source)], check=True)


def of_other_machine(lab: Lab) -> None:
    """A program that was built for another kind of processor."""
    illegal_instruction(lab)
    path = lab.path("/app/ud2")
    content = bytearray(path.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")
    path.write_bytes(content)


def model_denied(lab: Lab) -> None:
    """The folder of one model is root's alone."""
    snapshot = lab.path("/home/appuser/.cache/huggingface/hub/models--pyannote--segmentation-3.0/snapshots")
    snapshot.mkdir(parents=True)
    snapshot.chmod(0o700)


def in_xet(**faults: Any) -> Prepare:
    """Large files are in the Hub's Xet storage, where this goes wrong."""

    def prepare(lab: Lab) -> None:
        lab.hub.storage = xet.Storage(**faults)

    return prepare


def host_at(name: str, address: str) -> Prepare:
    def prepare(lab: Lab) -> None:
        lab.hosts[name] = address

    return prepare


# -- in the cache ----------------------------------------------------------------------------------


def cached(lab: Lab) -> list[Path]:
    """A complete cache of the release line, the worker's own, as a download from this Hub leaves it."""
    wanted = models.V04_MODELS if lab.run.newer else models.V03_MODELS
    folders = []
    for name in wanted:
        repo = lab.hub.repos[name]
        files = {file: repo.content(file) for file in repo.files if file not in UNGATED}
        folders.append(models.hub_repo(lab.cache, name, files, commit=repo.commit))
        (lab.cache / ".locks" / folders[-1].name).mkdir(parents=True)
    given(lab)
    return folders


def full_cache(lab: Lab) -> None:
    cached(lab)


def owned_by_root(inside: str, mode: int = 0o755) -> Prepare:
    """A folder that the engine made, as root, below the root of the cache."""

    def prepare(lab: Lab) -> None:
        path = lab.path(lab.root_of_cache_inside) / inside
        path.mkdir(parents=True, exist_ok=True)
        for one in (path, *path.rglob("*")):
            os.chown(one, 0, 0, follow_symlinks=False)
        path.chmod(mode)

    return prepare


def owned_by_user(inside: str) -> Prepare:
    """One folder back to the worker, without what is in it."""

    def prepare(lab: Lab) -> None:
        os.chown(lab.path(lab.root_of_cache_inside) / inside, USER, GROUP)

    return prepare


def closed(folder: Path) -> None:
    os.chown(folder, 0, 0)
    folder.chmod(0o700)


def read_only(lab: Lab) -> None:
    path = lab.path(lab.root_of_cache_inside)
    _mount("--bind", path, path)
    _mount("-o", "remount,bind,ro", path)


def small(size: str = "1m", inodes: int = 0, fill: bool = False) -> Prepare:
    """The cache is a file system of its own with little room."""

    def prepare(lab: Lab) -> None:
        path = lab.path(lab.root_of_cache_inside)
        options = f"size={size},uid={USER},gid={GROUP},mode=755" + (f",nr_inodes={inodes}" if inodes else "")
        _mount("-t", "tmpfs", "-o", options, "cache", path)
        if fill:
            subprocess.run(["dd", "if=/dev/zero", f"of={path}/other", "bs=4k"], check=False, capture_output=True)

    return prepare


def cached_but(change: Callable[[Path], object]) -> Prepare:
    """A cache whose first repository is damaged so."""

    def prepare(lab: Lab) -> None:
        change(cached(lab)[0])

    return prepare


def unreadable(name: str) -> Callable[[Path], object]:
    """The file itself is root's alone."""

    def change(repo: Path) -> None:
        blob = models.file_in(repo, name).resolve()
        os.chown(blob, 0, 0)
        blob.chmod(0o600)

    return change


def given(lab: Lab) -> None:
    _give(lab.path("/home/appuser"))
