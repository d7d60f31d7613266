"""What the schedulers make of what is printed for them: read by their own rules where their programs are here."""

from __future__ import annotations

import plistlib
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ot_doctor.run.schedule import cron, launchd, systemd

COMMAND = ["/opt/my tools/ot-doctor", "run", "--dir", "/srv/50% off", "--output", '/x/"$HOME".prom']


def test_launchd_gets_the_words_as_they_are() -> None:
    read = plistlib.loads(launchd([*COMMAND, "<&>"], 90).encode())
    assert read["ProgramArguments"] == [*COMMAND, "<&>"]
    assert (read["Label"], read["StartInterval"]) == ("ot-doctor", 5400)


@pytest.mark.parametrize(
    "minutes, when", [(5, "*/5 * * * *"), (60, "17 * * * *"), (360, "17 */6 * * *"), (1440, "17 4 * * *")]
)
def test_cron_gets_one_line(minutes: int, when: str) -> None:
    _, line = cron(COMMAND, minutes).splitlines()
    assert line.startswith(f"{when} ") and line.endswith(" >/dev/null")
    command = line.removeprefix(f"{when} ").removesuffix(" >/dev/null")
    assert "%" not in command.replace("\\%", "")
    assert shlex.split(command.replace("\\%", "%")) == COMMAND


@pytest.mark.parametrize("minutes", [7, 45, 61, 90, 300, 1439])
def test_an_interval_that_cron_cannot_keep_is_refused(minutes: int) -> None:
    with pytest.raises(ValueError, match="cron cannot keep"):
        cron(COMMAND, minutes)


def test_systemd_gets_the_words_by_its_own_quoting(tmp_path: Path) -> None:
    text = systemd(COMMAND, 30)
    assert 'ExecStart="/opt/my tools/ot-doctor" run --dir "/srv/50%% off" --output "/x/\\"$$HOME\\".prom"' in text
    assert "OnUnitActiveSec=30min" in text and "SuccessExitStatus=1 3" in text
    if (program := shutil.which("systemd-analyze")) is None:
        return  # the quoting above is all that can be looked at
    service = tmp_path / "ot-doctor.service"
    service.write_text(systemd([shutil.which("true") or "/bin/true"], 30).split("# /etc/systemd/system/ot-doctor.timer")[0])
    done = subprocess.run([program, "verify", str(service)], capture_output=True, text=True, timeout=60)
    assert "ot-doctor.service" not in done.stderr, done.stderr
