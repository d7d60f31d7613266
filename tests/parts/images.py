"""Images that play OpenTranscribe's. Nothing can be pulled in a test, so they are made of one static busybox.

What makes such an image OpenTranscribe's, as far as anybody outside can see, is its configuration: the user, the
variables of its release line and its name. That is copied from the releases; the programs inside are not.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

Line = Literal["v0.1", "v0.3", "v0.4", "v0.5", "unknown"]

BACKEND = "davidamacey/opentranscribe-backend"

#: The tags that `Engine.import_backends` makes, and the release line whose configuration each has.
BACKEND_TAGS: dict[str, Line] = {"v0.4.1": "v0.4", "v0.3.3": "v0.3", "v0.1.0": "v0.1", "latest": "v0.4", "v0.5.1": "v0.5"}

#: The image's own user. The group is a system group: `groupadd -r` gives it a number below 1000.
APPUSER_UID, APPUSER_GID = 1000, 998

#: A command that asks for more memory than any small limit allows, as process 1, so that the container itself dies.
EAT_MEMORY = "exec dd if=/dev/zero of=/dev/null bs=256M count=1"

#: Where the stand-in for Celery looks for the log that it is to print.
RECORDED_LOG = "/recorded.log"

_CELERY = f"""#!/bin/sh
# Plays the worker: prints a recorded log, then waits and goes at once when asked to.
[ -f {RECORDED_LOG} ] && cat {RECORDED_LOG} >&2
trap 'exit 0' TERM INT
while :; do sleep 3600 & wait $!; done
"""

_DIAR_SERVER = """#!/bin/sh
# Plays the native engine: ends with 8 where /models is empty, else answers on its port.
if [ -z "$(ls -A /models 2>/dev/null)" ]; then echo "ERROR diar_server: no models in /models" >&2; exit 8; fi
trap 'exit 0' TERM INT
echo "INFO diar_server: listening on 0.0.0.0:8701"
nc -ll -p 8701 -e /usr/local/bin/diar-answer &
wait $!
"""

_DIAR_ANSWER = """#!/bin/sh
# One answer: /healthz is 200 in every state of the models, /readyz only where their list is there.
read -r _ path _
while read -r line && [ "${#line}" -gt 1 ]; do :; done
if [ -f /models/diar-provision.json ]; then state=verified; else state=unverified; fi
code="200 OK"
[ "$path" = /readyz ] && [ $state != verified ] && code="503 Service Unavailable"
body="{\\"status\\": \\"ok\\", \\"models_state\\": \\"$state\\", \\"models_reason\\": \\"No provisioning marker.\\"}"
printf 'HTTP/1.1 %s\\r\\nContent-Type: application/json\\r\\nContent-Length: %s\\r\\n' "$code" "${#body}"
printf 'Connection: close\\r\\n\\r\\n%s' "$body"
"""


def backend_image_env(line: Line) -> dict[str, str]:
    """The variables in the image of a release line; "unknown" bears no mark of any line."""
    env = {
        "PATH": "/home/appuser/.local/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONUNBUFFERED": "1",
    }
    if line == "unknown":
        return env
    env["HF_HOME"] = "/home/appuser/.cache/huggingface"
    env["TORCH_HOME"] = "/home/appuser/.cache/torch"
    python = "python3.12" if line == "v0.1" else "python3.13"
    nvidia = f"/home/appuser/.local/lib/{python}/site-packages/nvidia"
    env["LD_LIBRARY_PATH"] = f"{nvidia}/cublas/lib:{nvidia}/cudnn/lib"
    if line == "v0.5":
        env |= {"APP_VERSION": "v0.5.1", "GIT_SHA": "1baf390e", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if line in ("v0.4", "v0.5"):
        env["PYTHONWARNINGS"] = "ignore::UserWarning:pyannote.audio.core.io"
    else:
        env["TRANSFORMERS_CACHE"] = "/home/appuser/.cache/huggingface/transformers"
    return env


def plain_rootfs(busybox: Path) -> bytes:
    """A tar of a file system with busybox and its links, as the public image of that name has it."""
    return _rootfs(busybox, backend=False)


def backend_rootfs(busybox: Path) -> bytes:
    """The same with OpenTranscribe's user, its home and cache folder, and a `celery` that plays the worker."""
    return _rootfs(busybox, backend=True)


def changes(
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    workdir: str | None = None,
    labels: Mapping[str, str] | None = None,
    exec_healthcheck: Sequence[str] | str | None = None,
    command: Sequence[str] | None = None,
) -> list[str]:
    """The configuration as `docker import --change` wants it: one Dockerfile line each."""
    lines = [f"ENV {name}={_quoted(value)}" for name, value in (env or {}).items()]
    lines += [f"LABEL {_quoted(name)}={_quoted(value)}" for name, value in (labels or {}).items()]
    if user:
        lines.append(f"USER {user}")
    if workdir:
        lines.append(f"WORKDIR {workdir}")
    if isinstance(exec_healthcheck, str):
        lines.append(f"HEALTHCHECK --interval=1s --retries=1 CMD {exec_healthcheck}")
    elif exec_healthcheck is not None:
        lines.append(f"HEALTHCHECK --interval=1s --retries=1 CMD {json.dumps(list(exec_healthcheck))}")
    if command is not None:
        lines.append(f"CMD {json.dumps(list(command))}")
    return lines


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _rootfs(busybox: Path, *, backend: bool) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "etc", "usr", "usr/bin", "usr/local", "usr/local/bin", "var", "home"):
            _folder(tar, folder)
        _folder(tar, "root", mode=0o700)
        _folder(tar, "tmp", mode=0o1777)
        put_file(tar, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for applet in _applets(busybox):
            put_link(tar, f"bin/{applet}", "busybox")
        put_link(tar, "usr/bin/env", "../../bin/busybox")
        passwd, group = "root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"
        if backend:
            passwd += f"appuser:x:{APPUSER_UID}:{APPUSER_GID}::/home/appuser:/bin/sh\n"
            group += f"video:x:44:appuser\nappuser:x:{APPUSER_GID}:\n"
            for folder in ("app", "home/appuser", "home/appuser/.cache"):
                _folder(tar, folder, owner=(APPUSER_UID, APPUSER_GID))
            for name, text in (("celery", _CELERY), ("diar-server", _DIAR_SERVER), ("diar-answer", _DIAR_ANSWER)):
                put_file(tar, f"usr/local/bin/{name}", text.encode(), mode=0o755)
            for folder in ("scratch", "scratch/opentranscribe", "models"):
                _folder(tar, folder, owner=(APPUSER_UID, APPUSER_GID))
        put_file(tar, "etc/passwd", passwd.encode())
        put_file(tar, "etc/group", group.encode())
    return buffer.getvalue()


def _applets(busybox: Path) -> list[str]:
    listed = subprocess.run([str(busybox), "--list"], check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split() if name != "busybox"]


def _folder(tar: tarfile.TarFile, name: str, *, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    info.uid, info.gid = owner
    tar.addfile(info)


def put_file(tar: tarfile.TarFile, name: str, content: bytes, *, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, len(content)
    tar.addfile(info, io.BytesIO(content))


def put_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)
