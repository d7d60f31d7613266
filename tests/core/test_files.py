"""A file of the user's that may be anything: nothing blocks, and nothing fills the memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ot_doctor.core.files import NotAFile, TooLarge, read_small
from ot_doctor.sources import stack


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "terminal").symlink_to("/dev/tty")
    begun = time.monotonic()
    for name in ("pipe", "zero", "terminal"):
        with pytest.raises(NotAFile, match="is not a regular file"):
            read_small(tmp_path / name, 10)
    assert time.monotonic() - begun < 1


def test_no_device_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    (tmp_path / "zero").symlink_to("/dev/zero")
    monkeypatch.setattr(os, "open", lambda path, *_: opened.append(path))
    with pytest.raises(NotAFile):
        read_small(tmp_path / "zero", 10)
    assert opened == []


def test_folders_loops_and_large_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(IsADirectoryError):
        read_small(tmp_path, 10)
    with pytest.raises(OSError, match="symbolic links"):
        read_small(tmp_path / "loop", 10)
    with pytest.raises(TooLarge):
        read_small(tmp_path / "large", 10)
    assert read_small(tmp_path / "large", 11)[0] == b"x" * 11


def test_a_version_that_is_a_pipe_tells_no_version(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "VERSION")
    assert stack._checkout_version(tmp_path) is None
    (tmp_path / "VERSION").unlink()
    (tmp_path / "VERSION").write_text("v0.4.1\n", encoding="utf-8")
    assert stack._checkout_version(tmp_path) == "v0.4.1"
