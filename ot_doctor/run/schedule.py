"""What makes a machine run the doctor again and again: files for systemd and launchd, a line for cron."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

NAME = "ot-doctor"


def systemd(command: Sequence[str], minutes: int) -> str:
    """A service and its timer. Their ``%`` is doubled: systemd would replace it."""
    words = " ".join(_systemd_word(word) for word in command)
    return f"""\
# /etc/systemd/system/{NAME}.service
[Unit]
Description=Examine OpenTranscribe's speaker diarization
After=docker.service

[Service]
Type=oneshot
ExecStart={words}
# 1 is a finding and 3 is something that could not be checked: neither is a fault of the unit.
SuccessExitStatus=1 3
TimeoutStartSec=300
Nice=10

# /etc/systemd/system/{NAME}.timer
[Unit]
Description=Examine OpenTranscribe's speaker diarization again and again

[Timer]
OnBootSec=5min
OnUnitActiveSec={minutes}min
RandomizedDelaySec=60
Persistent=true

[Install]
WantedBy=timers.target

# systemctl daemon-reload && systemctl enable --now {NAME}.timer
"""


def cron(command: Sequence[str], minutes: int) -> str:
    """A line for ``crontab -e``. cron takes a ``%`` for the end of the command.

    Raises ``ValueError`` for an interval that cron cannot keep: its steps start again with each hour and each day.
    """
    hours, rest = divmod(minutes, 60)
    if (hours == 0 and 60 % minutes) or (hours and (rest or 24 % hours)):
        raise ValueError("cron cannot keep this interval: use minutes that divide an hour, or hours that divide a day")
    hour = {1: "*", 24: "4"}.get(hours, f"*/{hours}")
    when = f"17 {hour} * * *" if hours else f"*/{minutes} * * * *"
    words = shlex.join(command).replace("%", "\\%")
    return f"# crontab -e\n{when} {words} >/dev/null\n"


def launchd(command: Sequence[str], minutes: int) -> str:
    """A property list for a user's own agents."""
    words = "".join(f"\n    <string>{escape(word)}</string>" for word in command)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ~/Library/LaunchAgents/{NAME}.plist; then: launchctl load -w ~/Library/LaunchAgents/{NAME}.plist -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{NAME}</string>
  <key>ProgramArguments</key>
  <array>{words}
  </array>
  <key>StartInterval</key>
  <integer>{minutes * 60}</integer>
  <key>ProcessType</key>
  <string>Background</string>
</dict>
</plist>
"""


SCHEDULERS: Mapping[str, Callable[[Sequence[str], int], str]] = {"systemd": systemd, "cron": cron, "launchd": launchd}


def _systemd_word(word: str) -> str:
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not set(word) & set(" \t\n\"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
