"""``collect --encrypt-to`` with the real age: what is on the disk, who can read it, and what is refused."""

from __future__ import annotations

import io
import os
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from ot_doctor.sources import age, programs
from ot_doctor.sources.age import CannotEncrypt, encrypted, recipient_of
from tests.cli.test_commands import TOKEN, Doctor, Done, doctor, installed, refused  # noqa: F401
from tests.parts import ready_doctor
from tests.parts.engine import parts_folder

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
NOBODY = "age1" + "q" * 58
# The doctor with its programs in the folder of the first argument. Each file that it opens to write, and each program that it
# starts, is told in the file of the second.
CODE = """
import os, sys
folder, told = sys.argv.pop(1), os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def hear(event, arguments):
    if event == "open" and not isinstance(arguments[0], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        os.write(told, f"{arguments[0]}\\n".encode())
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
        os.write(told, f"started {arguments[0]} {arguments[3]}\\n".encode())
sys.addaudithook(hear)
from ot_doctor.sources import programs
programs._FOLDERS = (folder,)
from ot_doctor.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def programs_folder() -> str:
    """The folder of age and age-keygen. Where there is none: skipped, or failed if it must be."""
    folders = (str(parts_folder() / "root/usr/bin"), "/usr/bin", "/usr/local/bin")
    found = next((folder for folder in folders if os.path.exists(f"{folder}/age-keygen")), None)
    if found is None:
        if os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") == "1":
            pytest.fail("OT_DOCTOR_REQUIRE_ENGINE=1, but there is no age: run tests/parts/install.sh")
        pytest.skip("no age. On Debian and Ubuntu, this brings it: sudo apt-get install age")
    return found


@pytest.fixture(scope="module")
def key(programs_folder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key.txt"
    subprocess.run([f"{programs_folder}/age-keygen", "-o", path], check=True, capture_output=True)
    return path


def public(key: Path) -> str:
    return next(line for line in key.read_text().splitlines() if "public key" in line).rpartition(" ")[2]


def collected(doctor: Doctor, folder: str, *arguments: str) -> Done:  # noqa: F811
    command = (folder, str(doctor.home / "opened"), "collect", "--offline", "--no-docker", "--yes", *arguments)
    return ready_doctor.run_code(CODE, *command, cwd=doctor.cwd, env=doctor.environ)


def decrypted(path: Path, key: Path, folder: str) -> bytes:
    return subprocess.run([f"{folder}/age", "--decrypt", "-i", key, path], check=True, capture_output=True).stdout


@pytest.mark.slow
def test_only_the_owner_of_the_key_reads_it_and_the_plain_file_is_never_on_the_disk(
    installed: Doctor, programs_folder: str, key: Path  # noqa: F811
) -> None:
    before = set(installed.cwd.iterdir())
    done = collected(installed, programs_folder, "--encrypt-to", public(key))
    path = installed.cwd / "ot-doctor-report.zip.age"
    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    assert done.stderr.endswith("GitHub takes no file of that ending: attach it as ot-doctor-report.zip.age.txt.\n")
    assert f"\nEncrypted, so that only the owner of this key can read it: {public(key)}\n" in done.stderr
    assert set(installed.cwd.iterdir()) == before | {path} and path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(age.MAGIC) and b"PK\x03\x04" not in path.read_bytes()[:2000]
    told = (installed.home / "opened").read_text().splitlines()
    opened = [line for line in told if not line.startswith(("started ", "/dev/null"))]
    assert len(opened) == 1 and opened[0].startswith(f"{installed.cwd}/.ot-doctor-"), opened
    assert set(told) - {*opened, "/dev/null"} == {f"started {programs_folder}/age {{}}"}, "age alone, with no variable"
    with zipfile.ZipFile(io.BytesIO(decrypted(path, key, programs_folder))) as zipped:
        everything = b"".join(map(zipped.read, zipped.namelist()))
    assert b"env-lines" in everything and TOKEN.encode() not in everything
    assert "is encrypted. Decrypt it first: age --decrypt" in refused(installed("diagnose", path.name))


@pytest.mark.slow
def test_the_name_may_be_one_that_github_takes(installed: Doctor, programs_folder: str, key: Path) -> None:  # noqa: F811
    done = collected(installed, programs_folder, "--encrypt-to", public(key), "-o", "a.tar.gz.age.txt")
    assert done.returncode == 0 and "GitHub" not in done.stderr
    assert decrypted(installed.cwd / "a.tar.gz.age.txt", key, programs_folder).startswith(b"\x1f\x8b")
    done = collected(installed, programs_folder, "-o", "a.zip.age")
    assert "the name of an encrypted file: say for whom with --encrypt-to" in refused(done)


@pytest.mark.parametrize(
    "value",
    [
        "-o/etc/passwd", "--identity=x", "", " ", "age1", "age1x\n--decrypt", f"{NOBODY}\n", f"\n{NOBODY}", f"{NOBODY}\x00",
        NOBODY + "b", NOBODY.upper(), "age1yubikey1" + "q" * 58, "age1evil/../../bin/sh1qqqq", "ssh-ed25519 -o", "$(id)",
        f"{SSH_KEY}\nssh-rsa x", "github:ana", "/etc/passwd", "AGE-SECRET-KEY-1" + "Q" * 58,
    ],
)  # fmt: skip
def test_only_a_public_key_is_a_recipient(value: str) -> None:
    with pytest.raises(CannotEncrypt, match=r"^This is (no recipient of age|a secret key, which must .*)\. Give a"):
        recipient_of(value)


def test_what_is_a_recipient() -> None:
    assert recipient_of(NOBODY) == recipient_of(f" {NOBODY} ") == NOBODY
    assert recipient_of(SSH_KEY) == recipient_of(f"{SSH_KEY} ana@home --x") == SSH_KEY


def test_what_age_refuses_is_refused_in_its_words(programs_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_FOLDERS", (programs_folder,))
    with pytest.raises(CannotEncrypt, match=r"^age could not encrypt: malformed recipient .*\.$"):
        encrypted(b"", NOBODY)
    assert encrypted(b"x" * 3_000_000, SSH_KEY).startswith(age.MAGIC)


def script(folder: Path, text: str) -> str:
    program = folder / "age"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(folder)


def test_an_age_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_FOLDERS", (script(tmp_path, "/bin/sleep 60 & /bin/sleep 60"),))
    monkeypatch.setattr(age, "SECONDS", 0.3)
    begun = time.monotonic()
    with pytest.raises(CannotEncrypt, match=r"did not end within 0\.3 s\.$"):
        encrypted(b"x", NOBODY)
    assert time.monotonic() - begun < 3


def test_without_age_nothing_is_written_and_it_is_said_how_to_get_it(installed: Doctor, tmp_path: Path) -> None:  # noqa: F811
    before = set(installed.cwd.iterdir())
    said = refused(collected(installed, str(tmp_path / "empty"), "--encrypt-to", SSH_KEY))
    assert "The program age is not installed. Install it: 'sudo apt-get install -y age' on Debian" in said
    assert "This is no recipient of age." in refused(collected(installed, str(tmp_path), "--encrypt-to=-o/etc/passwd"))
    assert set(installed.cwd.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("end", ["echo 'age: error: no space' >&2; exit 1", "echo something else", "kill -9 $$"])
def test_an_age_that_fails_at_the_end_leaves_nothing(end: str, installed: Doctor, tmp_path: Path) -> None:  # noqa: F811
    """It takes the empty text by which a recipient is tried, and fails at the bundle."""
    folder = script(tmp_path, f'read -r first || {{ echo "{age.MAGIC.decode()}"; exit 0; }}; {end}')
    before = set(installed.cwd.iterdir())
    done = collected(installed, folder, "--encrypt-to", SSH_KEY)
    assert (done.returncode, done.stdout) == (2, "") and "Traceback" not in done.stderr
    assert "age could not encrypt: " in done.stderr and "Nothing was written." in done.stderr
    assert set(installed.cwd.iterdir()) == before
