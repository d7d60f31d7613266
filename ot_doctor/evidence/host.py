"""This machine: free space, and the variables that bend network requests."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Purpose(enum.Enum):
    """What a file system is wanted for."""

    MODEL_CACHE = "the model cache"
    ENGINE_DATA = "the Docker engine's data"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Space:
    """Free space of the file system that a path lies on."""

    path: str
    purpose: Purpose
    total: int  # bytes
    free: int  # bytes, for unprivileged users
    inodes_total: int  # 0: the file system does not count them
    inodes_free: int
    read_only: bool = False


@dataclass(frozen=True)
class Host:
    spaces: tuple[Space, ...]
    doctor_network: Mapping[str, str] = field(default_factory=dict)  # proxy and CA variables of the doctor, credentials masked
    worker_elsewhere: str = ""  # "ssh://me@server": the worker's machine, where that is not the doctor's
    worker_network: Mapping[str, str] = field(default_factory=dict)  # the same of the worker's container
