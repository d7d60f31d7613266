"""``collect``, ``diagnose`` and ``diff`` by the installed console script, as a user meets them."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import stat
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import TOKEN, Doctor, broken, doctor, installed  # noqa: F401
from tests.parts import ready_doctor

pytestmark = pytest.mark.slow


def collected(doctor: Doctor, name: str = "a.zip", *arguments: str) -> Path:  # noqa: F811
    done = doctor("collect", "--offline", "--yes", "-o", name, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{doctor.cwd / name}\n"
    return doctor.cwd / name


def stable(document: str) -> dict[str, Any]:
    """A JSON report without what changes from run to run."""
    content: dict[str, Any] = json.loads(document)
    of_the_run = ("started_at", "duration_ms", "recorded_at", "accessed", "hidden")
    content = {key: value for key, value in content.items() if key not in of_the_run}
    for check in content["checks"]:
        del check["duration_ms"]
    return content


def statuses(document: str) -> list[tuple[str, str]]:
    return [(check["name"], check["status"]) for check in json.loads(document)["checks"]]


def test_a_bundle_says_elsewhere_what_the_run_said(installed: Doctor, tmp_path: Path) -> None:  # noqa: F811
    broken(installed)
    bundle = collected(installed)
    live = installed("--offline", "--format", "json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environ = installed.environ | {"HOME": str(elsewhere), "PATH": ""}
    done = ready_doctor.run("diagnose", str(bundle), "--format", "json", cwd=elsewhere, env=environ)
    assert done.returncode == live.returncode == 1 and done.stderr == ""
    with zipfile.ZipFile(bundle) as zipped:
        assert stable(done.stdout) == stable(zipped.read("ot-doctor-report/report.json").decode())
    assert statuses(done.stdout) == statuses(live.stdout)
    assert json.loads(done.stdout)["recorded_at"]
    assert list(elsewhere.iterdir()) == []


def test_the_text_says_of_when_it_is(installed: Doctor) -> None:  # noqa: F811
    done = installed("diagnose", str(collected(installed)))
    assert done.returncode == 0 and done.stderr == ""
    assert "recorded 20" in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", ["x.zip", "x.ZIP", "x.tar.gz", "x.tgz"])
def test_the_ending_decides_and_only_the_owner_may_read_it(name: str, installed: Doctor) -> None:  # noqa: F811
    path = collected(installed, name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as zipped:
            names = zipped.namelist()
    else:
        with tarfile.open(path) as tarred:
            names = tarred.getnames()
    assert {name.split("/")[0] for name in names} == {"ot-doctor-report"}
    assert installed("diagnose", str(path)).returncode == 0


def test_nothing_secret_is_in_the_file_nor_on_the_screen(installed: Doctor) -> None:  # noqa: F811
    with (installed.cwd / ".env").open("a") as env:
        env.write("POSTGRES_PASSWORD=Tr0ub4dor&3xyz\nMINIO_URL=http://ana:Gheim7nis@minio:9000\n")
    done = installed("collect", "--offline", "--yes", "-o", "a.zip")
    with zipfile.ZipFile(installed.cwd / "a.zip") as zipped:
        everything = b"".join(zipped.read(name) for name in zipped.namelist()) + (done.stdout + done.stderr).encode()
    for secret in (TOKEN, TOKEN[3:], "Tr0ub4dor", "Gheim7nis"):
        assert secret.encode() not in everything
    assert b"POSTGRES_PASSWORD" in everything


def test_the_listing_is_shown_and_written_on_standard_error(installed: Doctor) -> None:  # noqa: F811
    done = installed("collect", "--offline", "--yes", "-o", "a.tar.gz")
    assert "would hold" in done.stderr and "evidence/env-file.json" in done.stderr and "report.md" in done.stderr
    assert "would replace the file" not in done.stderr
    assert "would replace the file that is there" in installed("collect", "--offline", "--yes", "-o", "a.tar.gz").stderr


def test_without_a_terminal_it_takes_a_yes(installed: Doctor) -> None:  # noqa: F811
    done = installed("collect", "--offline", "-o", "a.zip")
    assert done.returncode == 2 and done.stdout == ""
    assert "--yes" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (installed.cwd / "a.zip").exists()


def on_terminal(doctor: Doctor, answer: bytes, *arguments: str) -> tuple[int, bytes, bytes]:  # noqa: F811
    """The exit code, standard output and what the terminal showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        doctor.command(*arguments), cwd=doctor.cwd, env=doctor.environ, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    )
    os.close(theirs)
    shown, asked, until = b"", False, time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            shown += os.read(ours, 65536)
        except OSError:  # its end was closed
            break
        if b"[y/N]" in shown and not asked:
            asked = True
            os.write(ours, answer)
    out = process.communicate(timeout=60)[0]
    os.close(ours)
    return process.returncode, out, shown


def test_on_a_terminal_it_asks(installed: Doctor) -> None:  # noqa: F811
    path = installed.cwd / "a.zip"
    code, out, shown = on_terminal(installed, b"n\n", "collect", "--offline", "-o", "a.zip")
    assert (code, out) == (2, b"") and b"nothing was written" in shown and not path.exists()
    code, out, shown = on_terminal(installed, b"\n", "collect", "--offline", "-o", "a.zip")
    assert (code, out) == (2, b"") and not path.exists()
    code, out, shown = on_terminal(installed, b"y\n", "collect", "--offline", "-o", "a.zip")
    assert (code, out) == (0, f"{path}\n".encode()) and path.exists()
    assert shown.index(b"evidence/host.json") < shown.index(b"[y/N]")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a.rar", "must end in .zip or .tar.gz"), ("a", "must end in"), ("no/a.zip", "there is no folder"), ("f.zip", "a folder")],
)
def test_a_file_that_cannot_be_written_is_refused_at_once(name: str, reason: str, installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / "f.zip").mkdir()
    done = installed("collect", "--yes", "-o", name)
    assert done.returncode == 2 and reason in done.stderr and done.stdout == ""


def test_a_full_disk_leaves_the_old_file(installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / "a.zip").write_bytes(b"old")

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    done = subprocess.run(
        installed.command("collect", "--yes", "-o", "a.zip"), cwd=installed.cwd, env=installed.environ, preexec_fn=small,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == "" and "could not be written: " in done.stderr
    assert (installed.cwd / "a.zip").read_bytes() == b"old"
    assert sorted(path.name for path in installed.cwd.iterdir()) == [".env", "a.zip", "docker-compose.yml", "models"]


def test_a_bundle_that_holds_nothing_of_the_deployment_is_refused(installed: Doctor) -> None:  # noqa: F811
    path = collected(installed)
    with zipfile.ZipFile(path) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist() if not re.search("/(deployment|installation)", name)}
    with zipfile.ZipFile(path, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    done = installed("diagnose", str(path))
    assert done.returncode == 2 and "this bundle holds nothing about the deployment" in done.stderr


def test_no_installation_makes_no_bundle(doctor: Doctor) -> None:  # noqa: F811
    done = doctor("collect", "--offline", "--yes", "-o", "a.zip")
    assert done.returncode == 2 and not (doctor.cwd / "a.zip").exists()
    assert sorted(doctor.cwd.iterdir()) == []


def test_a_log_alone_can_be_collected(doctor: Doctor) -> None:  # noqa: F811
    line = "[2026-11-20 13:00:00,000: ERROR/MainProcess] OSError: [Errno 28] No space left on device\n"
    (doctor.cwd / "worker.log").write_text(line)
    live = doctor("--offline", "--logs", "worker.log", "--format", "json")
    path = collected(doctor, "a.zip", "--logs", "worker.log")
    again = doctor("diagnose", str(path), "--format", "json")
    assert stable(again.stdout) == stable(live.stdout) and again.returncode == live.returncode


@pytest.mark.parametrize("data", [b"", b"Hello", b"PK\x03\x04 and so on", b"\x1f\x8b\x08 and so on", b'{"schema": 1}'])
@pytest.mark.parametrize("command", ["diagnose", "diff"])
def test_what_is_no_bundle_is_one_sentence(command: str, data: bytes, doctor: Doctor) -> None:  # noqa: F811
    (doctor.cwd / "x.zip").write_bytes(data)
    done = doctor(command, "x.zip", *(["x.zip"] if command == "diff" else []))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("ot-doctor: x.zip cannot be ") and len(done.stderr.splitlines()) == 1


def test_a_refusal_is_a_document_where_one_is_wanted(doctor: Doctor) -> None:  # noqa: F811
    done = doctor("diagnose", "nowhere.zip", "--format", "json")
    assert done.returncode == 2 and "nowhere.zip cannot be read: No such file" in json.loads(done.stdout)["error"]


def test_checks_can_be_chosen_and_files_written(installed: Doctor) -> None:  # noqa: F811
    broken(installed)
    path = str(collected(installed))
    done = installed("diagnose", path, "--select", "env", "--format", "json", "--output", "r.md")
    assert {check["family"] for check in json.loads(done.stdout)["checks"]} == {"env"}
    assert (installed.cwd / "r.md").read_text()
    assert installed("diagnose", path, "--fail-on", "never").returncode in (0, 3)
    assert installed("diagnose", path, "--select", "nothing-like-it").returncode == 2


def test_a_bundle_that_somebody_changed_is_told(installed: Doctor) -> None:  # noqa: F811
    path = collected(installed)
    with zipfile.ZipFile(path) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist()}
    members["ot-doctor-report/report.json"] += b"\n"
    with zipfile.ZipFile(path, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    done = installed("diagnose", str(path))
    assert done.returncode == 0
    assert done.stderr == "ot-doctor: changed by somebody after the bundle was made: report.json\n"


def test_diff_of_two_bundles(installed: Doctor) -> None:  # noqa: F811
    a = collected(installed, "a.zip")
    broken(installed)
    b = collected(installed, "b.tar.gz")
    done = installed("diff", str(a), str(b))
    assert done.returncode == 1 and done.stderr == ""
    assert "speaker-limits: pass → fail" in done.stdout
    back = installed("diff", "b.tar.gz", "a.zip", "--ascii")
    assert back.returncode == 0 and "speaker-limits: fail -> pass" in back.stdout and "B is older than A" in back.stdout
    assert installed("diff", "a.zip", "a.zip").stdout.endswith("Nothing changed.\n")
    document = json.loads(installed("diff", "a.zip", "b.tar.gz", "--format", "json").stdout)
    assert document["schema"] == "ot-doctor/diff/1" and document["exit_code"] == 1


def test_diff_of_a_report_and_a_bundle(installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / "before.json").write_text(installed("--offline", "--format", "json").stdout)
    collected(installed, "after.zip")
    done = installed("diff", "before.json", "after.zip")
    assert done.returncode == 0 and "A report holds no settings" in done.stdout
    assert done.stdout.endswith("Nothing changed.\n")
