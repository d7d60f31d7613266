"""A forwarded socket: what is asked of a machine where no answer comes, and where the socket here is put."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ot_doctor.sources.docker import forwarding
from ot_doctor.sources.ssh import address_of


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_why_no_answer_came(tmp_path: Path, let_others_in: Callable[[Path], None]) -> None:
    path = tmp_path / "a socket"
    let_others_in(tmp_path)

    def code(*whom: str) -> int:
        return subprocess.run([*whom, "/bin/sh", "-c", forwarding._LOOK, "look", path]).returncode

    assert code() == forwarding._ABSENT
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        path.chmod(0o600)
        nobody = ("setpriv", "--reuid=65534", "--clear-groups")
        assert (code(), code(*nobody)) == (forwarding._USABLE, forwarding._NOT_ALLOWED)


def test_the_socket_has_a_path_that_a_socket_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = forwarding._private_folder()
    try:
        assert folder.parent == Path("/tmp") and folder.stat().st_mode & 0o777 == 0o700
        assert not list(long.iterdir())
    finally:
        folder.rmdir()


def test_nothing_is_known_of_a_machine_that_was_not_tried() -> None:
    assert forwarding.trouble(address_of("ssh://srv"), {}, 1) is None
