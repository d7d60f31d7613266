from __future__ import annotations

import csv
import shlex
from dataclasses import replace
from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Risk, Status
from ot_doctor.diagnosis.causes import explains
from ot_doctor.evidence import Denied, ModelCache, Mount
from ot_doctor_checks._remedies import own_cache
from ot_doctor_checks.cache_mounted import cache_mounted
from ot_doctor_checks.cache_permissions import cache_permissions
from tests.checks.evidence import ENGINE, MODELS, cache, deployment, env_file, everything_said, only, sed, worker, workers

HUB = f"{MODELS}/huggingface/hub"
INSIDE = "/home/appuser/.cache/huggingface"
ROOTS = Denied(HUB, f"{INSIDE}/hub", "write", "root (0)", "drwxr-xr-x")
CHOWN = (
    f"docker run --rm --pull never --network none --user 0:0 --entrypoint chown --mount type=bind,source={MODELS},target=/models "
    "davidamacey/opentranscribe-backend:v0.4.1 -hR 1000:1000 /models"
)


def judged(given: ModelCache) -> Finding:
    return only(cache_permissions, given, deployment(), workers(), env_file())


def denied(given: ModelCache, *paths: Denied) -> ModelCache:
    return replace(given, access=replace(given.access, denied=paths))


def read_only(given: ModelCache, *, by_mount: bool = True) -> ModelCache:
    mount = Mount("bind", f"{MODELS}/huggingface", INSIDE, not by_mount)
    return replace(given, root=replace(given.root, mount=mount, read_only=True))


def test_a_readable_and_writable_cache_passes() -> None:
    assert judged(cache()).status is Status.PASS
    assert judged(cache(False)).status is Status.PASS


def test_a_folder_of_root_fails_when_a_download_is_needed() -> None:
    finding = judged(denied(cache(False, writable=False), ROOTS))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.CACHE_PERMISSION, HUB)
    assert "root (0)" in finding.message
    assert finding.evidence[0].where == HUB
    assert finding.remedy[0].command == CHOWN
    assert finding.remedy[0].risk is Risk.CHANGES_FILES
    assert "your own user id does not help" in everything_said(finding)


def test_locks_of_root_fail_with_the_same_remedy() -> None:
    locks = Denied(f"{HUB}/.locks", f"{INSIDE}/hub/.locks", "write", "root (0)", "drwxr-xr-x")
    finding = judged(denied(cache(False, writable=False), locks))
    assert ".locks" in finding.message
    assert finding.remedy[0].command == CHOWN


def test_models_that_cannot_be_read_fail_even_when_they_are_complete() -> None:
    blob = Denied(f"{HUB}/models--x/blobs/abc", f"{INSIDE}/hub/models--x/blobs/abc", "read", "root (0)", "-rw-------")
    finding = judged(denied(cache(readable=False), blob))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_PERMISSION)
    assert blob.path in finding.message


def test_the_workers_own_files_without_permission_bits_get_them_back() -> None:
    own = Denied(HUB, f"{INSIDE}/hub", "enter", "appuser (1000)", "d---------")
    finding = judged(denied(cache(readable=False), own))
    assert any((step.command or "").endswith("-R u+rwX /models") for step in finding.remedy)


def test_a_complete_and_readable_cache_that_cannot_be_written_is_a_warning() -> None:
    finding = judged(denied(cache(writable=False), ROOTS))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.CACHE_PERMISSION)


def test_in_offline_mode_nothing_needs_to_be_written() -> None:
    assert judged(cache(writable=False, offline="HF_HUB_OFFLINE=1")).status is Status.PASS
    assert judged(cache(False, writable=False, offline="HF_HUB_OFFLINE=1")).status is Status.PASS


def test_a_read_only_mount_fails_when_a_download_is_needed_and_names_the_volume() -> None:
    finding = judged(read_only(cache(False, writable=False)))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_READONLY)
    assert finding.remedy[0].command == f"grep -nF {INSIDE} /srv/ot/docker-compose.yml"
    assert "':ro'" in everything_said(finding)
    assert "--force-recreate" in everything_said(finding)


def test_a_file_system_that_became_read_only_is_told_apart() -> None:
    finding = judged(read_only(cache(False, writable=False), by_mount=False))
    assert finding.cause is Cause.CACHE_READONLY
    assert finding.remedy[0].command == f"findmnt -T {HUB}"


def test_a_complete_read_only_cache_is_a_warning() -> None:
    finding = judged(read_only(cache(writable=False)))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.CACHE_READONLY)


def test_what_could_not_be_asked_is_unknown() -> None:
    for given in (cache(readable=None), cache(False, writable=None)):
        finding = judged(given)
        assert finding.status is Status.UNKNOWN
        assert "--no-exec" in everything_said(finding)


@pytest.mark.parametrize(
    "variable, root",
    [("HF_HOME", "/opt/hf/hub"), ("HF_HUB_CACHE", "/opt/hf"), ("TORCH_HOME", "/opt/hf/pyannote"), ("PYANNOTE_CACHE", "/opt/hf")],
)
@pytest.mark.parametrize("changes", [{"writable": False}, {"readable": False}])
def test_a_cache_inside_the_container_is_the_fault_of_the_variable_that_moved_it(
    variable: str, root: str, changes: dict[str, Any]
) -> None:
    given = cache(False, **changes)
    moved = replace(given.root, mount=None, path=None, container_path=root, set_by=variable)
    what = "write" if "writable" in changes else "read"
    given = denied(replace(given, root=moved), Denied("/", "/", what, "root (0)", "drwxr-xr-x"))
    env = env_file(f"A=1\n{variable}=/opt/hf\n")
    finding = only(cache_permissions, given, deployment(), workers(), env)
    where = only(cache_mounted, given, deployment(), workers(worker(env={variable: "/opt/hf"})), env)
    assert (finding.status, where.status, where.cause) == (Status.FAIL, Status.FAIL, Cause.CACHE_NOT_MOUNTED)
    for each in (finding, where):
        assert each.remedy[0].command == sed(f"2s/^[^#]*{variable}/# &/")
        assert "chown" not in everything_said(each) and MODELS not in everything_said(each)
    assert explains(Cause.CACHE_NOT_MOUNTED, Cause.CACHE_PERMISSION)


def test_a_cache_that_no_variable_moved_off_the_mount_gets_its_mount() -> None:
    given = denied(cache(False, writable=False), ROOTS)
    given = replace(given, root=replace(given.root, mount=None, path=None))
    assert "Add to the service's 'volumes:'" in judged(given).remedy[0].text


def test_no_folder_but_the_caches_own_is_given_away() -> None:
    given = denied(cache(False, writable=False), ROOTS)
    elsewhere = Mount("bind", "/data/hf", "/data", True)
    command = judged(replace(given, root=replace(given.root, mount=elsewhere, path="/data/hf/hub"))).remedy[0].command or ""
    assert "source=/data/hf,target=/models" in command and MODELS not in command
    whole = Mount("bind", "/", "/data", True)
    command = judged(replace(given, root=replace(given.root, mount=whole, path="/hf/hub"))).remedy[0].command or ""
    assert "source=/," not in command


def test_a_named_volume_is_mended_by_its_name() -> None:
    given = denied(cache(False, writable=False), ROOTS)
    volume = Mount("volume", "/var/lib/docker/volumes/ot/_data", INSIDE, True, "ot")
    given = replace(given, root=replace(given.root, mount=volume), models_dir=None)
    assert "--mount type=volume,source=ot,target=/models,volume-nocopy" in (judged(given).remedy[0].command or "")


def test_without_the_container_sudo_does_it() -> None:
    given = denied(cache(False, writable=False), ROOTS)
    finding = only(cache_permissions, given, deployment(), workers(worker("another-one")), env_file())
    assert finding.remedy[0].command == f"sudo chown -hR 1000:1000 {MODELS}"


def test_what_owner_and_mode_allow_already_is_not_mended_by_another_owner() -> None:
    labelled = Denied(HUB, f"{INSIDE}/hub", "enter", "appuser (1000)", "drwxr-xr-x", mode_allows=True)
    finding = judged(denied(cache(readable=False), labelled))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_PERMISSION)
    assert "SELinux or an ACL" in finding.message
    commands = [step.command for step in finding.remedy if step.command]
    assert commands == [
        f"ls -ldZ {HUB}; getfacl -p {HUB}",
        f"sudo chcon -Rt container_file_t {MODELS}",
        f"sudo setfacl -R -b {MODELS}",
    ]
    assert "':z'" in everything_said(finding) and "chown" not in everything_said(finding)


def test_a_chown_stays_where_it_helps_with_some_of_it() -> None:
    labelled = Denied(HUB, f"{INSIDE}/hub", "enter", "appuser (1000)", "drwxr-xr-x", mode_allows=True)
    finding = judged(denied(cache(False, writable=False), labelled, ROOTS))
    assert CHOWN in [step.command for step in finding.remedy]


def test_where_selinux_labels_containers_the_command_goes_without() -> None:
    labelling = worker(engine=replace(ENGINE, selinux=True))
    command = own_cache(deployment(), labelling, cache().access, MODELS).command or ""
    assert command == CHOWN.replace("--user", "--security-opt label=disable --user")


def test_podmans_own_command_is_printed_for_podman() -> None:
    access = cache().access
    assert own_cache(deployment(podman=True), worker(), access, MODELS).command == CHOWN.replace("docker run", "podman run")
    given = deployment(podman=True, docker_host="unix:///run/user/1000/podman/podman.sock")
    command = own_cache(given, worker(), access, MODELS).command
    assert command == CHOWN.replace("docker run", "podman --url unix:///run/user/1000/podman/podman.sock run")


@pytest.mark.parametrize("name", ["/srv/a:b", "/srv/a,b", '/srv/a"b', "/srv/$(touch x)", "/srv/it's", "/srv/a b", "/srv/-n"])
def test_odd_names_of_folders_are_one_word_of_the_command(name: str) -> None:
    command = own_cache(deployment(), worker(), cache().access, name).command or ""
    option = shlex.split(command)[shlex.split(command).index("--mount") + 1]
    assert next(csv.reader([option])) == ["type=bind", f"source={name}", "target=/models"]
