"""A private Podman for the tests, with its service for Docker's clients: root's, or an ordinary user's (rootless).

It is the release's own, unpacked by tests/parts/install.sh. Its settings are where Podman looks for them by itself, in a copy of
/etc that it alone sees. ``podman`` on the search path of ``environment`` runs where the service runs, as the same user.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from . import images
from .engine import Engine, _unshare, parts_folder, why_not

#: The user of the rootless one, and the first of the many whom its containers can have; no user of the machine's has these ids.
USER, FIRST_OF_OTHERS = 6543, 700_000

_CONTAINERS = """\
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
seccomp_profile = "{parts}/usr/share/containers/seccomp.json"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
conmon_path = ["{parts}/usr/bin/conmon"]
helper_binaries_dir = ["{parts}/usr/lib/podman"]
[engine.runtimes]
crun = ["{parts}/usr/bin/crun"]
[network]
network_backend = "netavark"
"""
_STORAGE = """\
[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "{home}/storage"
rootless_storage_path = "{home}/storage"
"""
# The programs are mounted where any user may enter; a copy of /etc has a user, settings and libraries that the machine lacks.
_LAUNCH = """\
set -e
mount -t tmpfs tmpfs /run
mount --bind "$1" parts
mount --bind etc /etc
for hidden in /var/cache/ldconfig /sys/fs/cgroup/unified; do  # the cache is the machine's; crun takes no mixed cgroups
  if [ -d $hidden ]; then mount -t tmpfs tmpfs $hidden; fi
done
# Podman asks at each start which packages its programs are from, for longer than it works.
mount --bind /bin/false /usr/bin/dpkg-query
ldconfig -X
mkdir -p /run/podman
ln -s "$PWD/run/podman/podman.sock" /run/podman/podman.sock
parts/busybox ip link set lo up
shift
exec "$@"
"""


def why_no_podman() -> str | None:
    """Why no Podman can be started here, in words for a skipped test; None when it can."""
    if reason := why_not():
        return reason
    return None if (parts_folder() / "root/usr/bin/podman").exists() else "no Podman among the parts: run tests/parts/install.sh"


class Podman(Engine):
    """A running ``podman system service``, used as an ``Engine`` is."""

    def __init__(self, *, rootless: bool = False, deadline: float = 60.0) -> None:
        super().__init__(deadline=deadline)
        self.rootless = rootless

    def __enter__(self) -> Podman:
        self.start()
        return self

    @property
    def runtime(self) -> Path:
        """XDG_RUNTIME_DIR of its user."""
        return self.home / "run"

    @property
    def socket(self) -> Path:
        return self.runtime / "podman/podman.sock"

    @property
    def user_home(self) -> Path:
        """A folder of its user's, which can be mounted into its containers."""
        return self.home / "user"

    def on_host(self, user: int) -> int:
        """The id that a user, or a group, of a container has outside of it."""
        if not self.rootless:
            return user
        return FIRST_OF_OTHERS + user - 1 if user else USER

    def podman(self, *arguments: str, check: bool = True) -> str:
        """What ``podman ARGUMENTS`` prints, without the line's end."""
        return self.run("podman", *arguments, check=check).stdout.strip()

    def inside(self, *command: str) -> list[str]:
        """The command as the service's user starts it, where it sees the service's /etc and /run.

        It may read files of others: the folder of the tests need not be open to every user.
        """
        capable = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"] if self.rootless else []
        return [*self._enter(), "setpriv", *self._as_user()[1:-1], *capable, "--", *command]

    def import_backend(self, tag: str) -> None:
        """One backend image under its real name."""
        env = images.backend_image_env(images.BACKEND_TAGS[tag])
        lines = images.changes(env=env, user="appuser", workdir="/app", command=["celery"])
        self._import(f"{images.BACKEND}:{tag}", images.backend_rootfs(self._root / "busybox"), lines)

    def clear(self) -> None:
        self.podman("rm", "--all", "--force", "--volumes", "--time", "0")

    def start(self) -> None:
        super().start()
        given = [f"{name}={value}" for name, value in self._engine_environment().items()]
        kept = 'env ${CONTAINER_HOST+"CONTAINER_HOST=$CONTAINER_HOST"}'
        command = f"{shlex.join(['exec', *self._enter(), *self._as_user()])} {kept} {shlex.join(given)} podman \"$@\"\n"
        _script(self.home / "bin/podman", command)
        _script(self.home / "bin/sudo", 'exec "$@"\n')  # the tests are run by root
        (self.home / "bin/podman-compose").symlink_to(Path(sys.executable).with_name("podman-compose"))

    def _enter(self) -> list[str]:
        assert self._process is not None
        spaces = f"/proc/{self._process.pid}/ns"
        return ["nsenter", f"--mount={spaces}/mnt", f"--pid={spaces}/pid_for_children", "--"]

    def _import(self, tag: str, rootfs: bytes, lines: list[str]) -> str:
        options = [part for line in lines for part in ("--change", line)]
        return self.run("podman", "import", "--quiet", *options, "-", f"docker.io/{tag}", stdin=rootfs).stdout.strip()

    def _prepare_client(self) -> None:
        super()._prepare_client()
        home = self.home
        home.chmod(0o711)
        for folder in ("parts", "storage", "user", "run/podman"):
            (home / folder).mkdir(parents=True)
        self.runtime.chmod(0o700)
        shutil.copytree("/etc", home / "etc", symlinks=True, ignore_dangling_symlinks=True)
        settings = home / "etc/containers"
        settings.mkdir(exist_ok=True)
        (settings / "containers.conf").write_text(_CONTAINERS.format(parts=home / "parts"))
        (settings / "storage.conf").write_text(_STORAGE.format(home=home))
        (settings / "registries.conf").write_text('unqualified-search-registries = ["docker.io"]\n')
        (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
        libraries = [home / "parts" / path.relative_to(self._root) for path in self._root.glob("usr/lib/*-linux-gnu*")]
        for name, entry in (
            ("ld.so.conf", "\n".join(map(str, libraries))),
            ("passwd", f"pod:x:{USER}:{USER}::{self.user_home}:/bin/sh"),
            ("group", f"pod:x:{USER}:"),
            ("subuid", f"pod:{FIRST_OF_OTHERS}:65536"),
            ("subgid", f"pod:{FIRST_OF_OTHERS}:65536"),
        ):
            with (home / "etc" / name).open("a") as file:
                file.write(f"{entry}\n")
        if self.rootless:
            for folder in ("storage", "user", "run", "run/podman"):
                os.chown(home / folder, USER, USER)

    def _as_user(self) -> list[str]:
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"] if self.rootless else []

    def _engine_environment(self) -> dict[str, str]:
        parts = self.home / "parts"
        # The folder itself, too, for what is started before it is mounted.
        own = ":".join(f"{tree}/{folder}" for tree in (parts, self._root) for folder in ("usr/sbin", "usr/bin"))
        return {
            "PATH": f"{own}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.user_home), "TMPDIR": "/tmp",
            "XDG_RUNTIME_DIR": str(self.runtime),
        }  # fmt: skip

    def _command(self) -> list[str]:
        service = [*self._as_user(), "podman", "system", "service", "--time=0", self.host]
        launch = ["docker-init", "--", "sh", "-c", f"cd {self.home}\n{_LAUNCH}", "launch", str(self._root), *service]
        return ["setpriv", "--pdeathsig=KILL", *_unshare(*launch)]


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
