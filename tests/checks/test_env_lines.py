from __future__ import annotations

import subprocess
from pathlib import Path

from ot_doctor.check import Status
from ot_doctor.evidence import EnvProblem, OddLine, Reader, ReaderDifference
from ot_doctor_checks.env_lines import env_lines
from tests.checks.evidence import env_file, everything_said, only, statuses

BASH = Reader.BASH
CARRIAGE_RETURN = "keeps the carriage return at its end"


def test_plain_lines_pass() -> None:
    assert only(env_lines, env_file()).status is Status.PASS


def test_an_unreadable_file_is_skipped() -> None:
    assert only(env_lines, env_file("", problem=EnvProblem.FOLDER)).status is Status.SKIP


def test_a_harmful_line_warns_and_is_named() -> None:
    odd = OddLine(3, "MAX_SPEAKERS", "a comment that stayed in the value", harmful=True)
    finding = only(env_lines, env_file(odd_lines=(odd,)))
    assert (finding.status, finding.cause, finding.subject) == (Status.WARN, None, "MAX_SPEAKERS")
    assert "line 3 of /srv/ot/.env" in finding.message and "a comment that stayed" in finding.message and finding.remedy


def test_what_compose_copes_with_passes() -> None:
    odd = OddLine(2, "GPU_DEVICE_ID", "a ':' in place of '='", harmful=False)
    finding = only(env_lines, env_file(odd_lines=(odd,)))
    assert finding.status is Status.PASS and "GPU_DEVICE_ID: a ':'" in everything_said(finding)


def test_bash_warns_once_however_many_lines() -> None:
    lines = tuple(ReaderDifference(n, f"KEY_{n}", BASH, CARRIAGE_RETURN, True) for n in range(1, 41))
    finding = only(env_lines, env_file(differences=lines))
    assert finding.status is Status.WARN and finding.cause is None
    assert BASH.value in finding.message and "12, …" in finding.message and len(finding.evidence) == 12


def test_the_carriage_returns_can_be_taken_away(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\r\nB=2\r\n")
    finding = only(env_lines, env_file(path=path, differences=(ReaderDifference(1, "A", BASH, CARRIAGE_RETURN, True),)))
    subprocess.run(finding.remedy[0].command or "", shell=True, check=True)
    assert path.read_bytes() == b"A=1\nB=2\n"


def test_python_dotenv_alone_is_a_note() -> None:
    finding = only(env_lines, env_file(differences=(ReaderDifference(4, "A", Reader.PYTHON, "leaves the '$' as it is"),)))
    assert finding.status is Status.PASS and "python-dotenv" in finding.message


def test_different_findings_are_kept_apart() -> None:
    differences = (ReaderDifference(1, "A", BASH, "does not see the line"), ReaderDifference(2, "B", BASH, CARRIAGE_RETURN, True))
    odd = (OddLine(5, "C", "curly quotes", harmful=True),)
    assert statuses(env_lines(env_file(differences=differences, odd_lines=odd))) == [Status.WARN] * 3
