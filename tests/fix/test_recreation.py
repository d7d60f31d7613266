"""What Compose would make otherwise, by what it and the engine say."""

from __future__ import annotations

from typing import Any

import pytest

from ot_doctor.evidence import EnvFile, Unavailable
from ot_doctor.fix.actions.recreation import differences
from tests.checks.evidence import OTHER_TOKEN, TOKEN, env_file

IMAGE = {"Id": "sha256:aaaabbbbccccdddd", "Config": {"Env": ["PATH=/bin"], "Cmd": ["celery"], "User": "appuser"}}
SERVICE: dict[str, Any] = {
    "image": "backend:v1", "environment": {"HUGGINGFACE_TOKEN": TOKEN, "BARE": None}, "command": None,
    "volumes": [
        {"type": "bind", "source": "/srv/ot/models", "target": "/m"}, {"type": "volume", "source": "audio", "target": "/scratch"},
        {"type": "tmpfs", "target": "/t"},
    ],
    "deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "device_ids": ["0"]}]}}},
    "secrets": [{"source": "s", "target": "s"}], "configs": [{"source": "c", "target": "/etc/c"}],
}  # fmt: skip
CONTAINER: dict[str, Any] = {
    "Image": IMAGE["Id"], "Config": {"Env": ["PATH=/bin", f"HUGGINGFACE_TOKEN={TOKEN}"], "Cmd": ["celery"], "User": "appuser"},
    "Mounts": [
        {"Type": "bind", "Source": "/srv/ot/models", "Destination": "/m", "RW": True},
        {"Type": "volume", "Name": "ot_audio", "Destination": "/scratch", "RW": True},
        {"Type": "volume", "Name": "f" * 64, "Destination": "/of-the-image", "RW": True},
        {"Type": "bind", "Source": "/x", "Destination": "/run/secrets/s", "RW": False},
        {"Type": "bind", "Source": "/x", "Destination": "/etc/c", "RW": False},
    ],
    "HostConfig": {"DeviceRequests": [{"DeviceIDs": ["0"], "Count": 0, "Capabilities": [["gpu"]]}]},
}  # fmt: skip


def found(service: dict[str, Any], container: dict[str, Any], env: EnvFile | Unavailable, in_vm: bool = False) -> list[str]:
    described = {"services": {"w": SERVICE | service}, "volumes": {"audio": {"name": "ot_audio"}}}
    seen = differences(described, "w", CONTAINER | container, IMAGE, env, in_vm)
    return [f"{'' if one.expected else '?'}{'!' if one.grave else ''}{one.text}" for one in seen]


def test_nothing_differs() -> None:
    assert found({}, {}, env_file()) == []


@pytest.mark.parametrize(
    "service, container, said",
    [
        ({"environment": {"HUGGINGFACE_TOKEN": OTHER_TOKEN}}, {}, "HUGGINGFACE_TOKEN: hf_…"),
        ({"environment": {}}, {}, "HUGGINGFACE_TOKEN: hf_…"),
        ({"environment": SERVICE["environment"] | {"DEVICE": "auto"}}, {}, "?DEVICE: not set becomes auto"),
        ({}, {"Image": "sha256:0000111122223333"}, "?!image backend:v1: 000011112222 becomes aaaabbbbcccc"),
        ({"volumes": SERVICE["volumes"][1:]}, {}, "?!mount /m: /srv/ot/models becomes nothing"),
        ({"volumes": [SERVICE["volumes"][0] | {"read_only": True}, *SERVICE["volumes"][1:]]}, {},
         "?!mount /m: /srv/ot/models becomes /srv/ot/models, read-only"),
        ({"deploy": {}}, {}, "?!GPUs: 0 becomes none"),
        ({"devices": ["/dev/kfd:/dev/kfd"]}, {}, "?!devices: none becomes /dev/kfd"),
        ({"user": "0:0"}, {}, "?user: appuser becomes 0:0"),
        ({"command": ["celery", "-c", "2"]}, {}, "?its command becomes another one"),
    ],
)  # fmt: skip
def test_what_differs_is_told(service: dict[str, Any], container: dict[str, Any], said: str) -> None:
    env = env_file(f"HUGGINGFACE_TOKEN={TOKEN}\n")
    told = found(service, container, env)
    assert len(told) == 1 and told[0].startswith(said)
    assert TOKEN[3:] not in told[0] and OTHER_TOKEN[3:] not in told[0]


def test_in_a_virtual_machine_the_paths_of_the_host_are_called_otherwise() -> None:
    mounts = [CONTAINER["Mounts"][0] | {"Source": "/host_mnt/srv/ot/models"}, *CONTAINER["Mounts"][1:]]
    assert found({}, {"Mounts": mounts}, Unavailable("none"), in_vm=True) == []
    assert found({}, {"Mounts": mounts}, Unavailable("none"))


def test_what_podman_sets_by_itself_is_no_difference() -> None:
    config = CONTAINER["Config"] | {"Env": [*CONTAINER["Config"]["Env"], "container=podman", "HOME=/", "TERM=xterm"]}
    assert found({}, {"Config": config}, env_file()) == []
