"""``ot-doctor fix --dry-run`` on a scenario, with everything allowed: it leaves every byte, id and event as it was."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.parts import ready_doctor
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, World

EVERYTHING = "changes-files,restarts,downloads,removes,interrupts"
# Not "mount": the engine mounts a volume for a moment where somebody reads from a container's archive.
CHANGES = (
    "create", "start", "restart", "die", "stop", "kill", "pause", "unpause", "destroy", "rename", "update", "commit",
    "pull", "import", "tag", "untag", "delete", "prune", "connect", "disconnect", "remove",
)  # fmt: skip
_LISTS = ("containers/json?all=1", "volumes", "networks", "images/json")
_TRIED: set[tuple[str, ...]] = set()
_LARGEST = 4 * 2**20  # bytes of a file that are read; its times and its inode tell of a larger one


def assert_dry(world: World, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    """What it says that it would do."""
    command = ("fix", "--dry-run", "--yes", "--allow", EVERYTHING, "--format", "json", *arguments)
    with nothing_changes(world):
        done = ready_doctor.run(*command, cwd=cwd or world.folder, env=world.shell())
    assert done.stdout.startswith("{") and "Traceback" not in done.stderr, done.stderr
    assert not [value for value in (TOKEN, UNKNOWN_TOKEN) if value[3:] in done.stdout + done.stderr], "a token was printed"
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["exit_code"] == done.returncode != 4, done.stdout
    if told["error"] is None:
        assert told["changed_nothing"] and told["run"] is None
        outcomes = {action["outcome"] for one in told["causes"] for action in one["actions"]}
        assert outcomes <= {"planned", "already", "refused", "by-hand"}, outcomes
    return told


def is_new(report: dict[str, Any]) -> bool:
    """Whether there is something to fix, and no dry run has been tried yet of these causes with these actions."""
    if report["fix"] is None:  # then a dry run is an examination and nothing else
        return False
    plan = (*(one["cause"] for one in report["diagnosis"]), *report["fix"]["would"])
    known = plan in _TRIED
    _TRIED.add(plan)
    return not known


@contextmanager
def nothing_changes(world: World) -> Iterator[None]:
    before, since = state(world), time.time()
    yield
    listed = {name for what in _LISTS for name in before[what]}
    # The engine may tell of the end of what an earlier test made only now.
    events = [f"{kind} {action} {name}" for kind, action, name in _events(world, since) if action != "destroy" or name in listed]
    assert events == [], f"something was done: {events}"
    assert state(world) == before, "something was changed"


def state(world: World) -> dict[str, Any]:
    """Every file of the installation and of the user's home, and every container, volume, network and image."""
    files = {str(path): _facts(path) for root in (world.folder, world.home) for path in sorted(root.rglob("*"))}
    listed = {what: sorted(_ids(world.engine.ask("GET", f"/{what}"))) for what in _LISTS}
    return {**files, **listed}


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    content = ""
    if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_size, *times, content


def _ids(listed: Any) -> Iterator[str]:
    listed = listed["Volumes"] or [] if isinstance(listed, dict) else listed
    for one in listed:
        yield str(one.get("Id") or one["Name"])


def _events(world: World, since: float) -> list[tuple[str, str, str]]:
    """What changed; not what the engine does by itself to a container that it starts again and again."""
    wanted = quote(json.dumps({"event": list(CHANGES)}))
    text = world.engine.answer("GET", f"/events?since={since:.9f}&until={time.time():.9f}&filters={wanted}")
    events = [json.loads(line) for line in text.splitlines() if line]
    restarting = {one["Id"] for one in world.engine.ask("GET", "/containers/json?all=1") if _is_restarted(world, one["Id"])}
    own = [event for event in events if not _belongs_to(event, restarting)]
    return [(event["Type"], event["Action"], event["Actor"]["ID"]) for event in own]


def _is_restarted(world: World, container: str) -> bool:
    policy = world.engine.ask("GET", f"/containers/{container}/json")["HostConfig"]["RestartPolicy"]["Name"]
    return policy not in ("", "no")


def _belongs_to(event: dict[str, Any], containers: set[str]) -> bool:
    actor = event["Actor"]
    own = event["Action"] in ("start", "die", "connect", "disconnect")
    return own and (actor["ID"] in containers or actor.get("Attributes", {}).get("container") in containers)
