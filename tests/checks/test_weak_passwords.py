from __future__ import annotations

import pytest

from ot_doctor.bundle.codec import decode, encode
from ot_doctor.check import Status
from ot_doctor.evidence import EnvFile, EnvProblem
from ot_doctor_checks.weak_passwords import SHOWN, weak_passwords
from tests.checks.evidence import env_file, everything_said, only, statuses


@pytest.mark.parametrize("value", ["letmein", "1234567", "changeme", "opentranscribe", "password", "a", "Sunshine"])
def test_a_weak_password_warns_without_its_value(value: str) -> None:
    finding = only(weak_passwords, env_file(f"MAX_SPEAKERS=20\nPOSTGRES_PASSWORD={value}\n"))
    assert (finding.status, finding.cause, finding.subject) == (Status.WARN, None, "POSTGRES_PASSWORD")
    assert "line 2 of /srv/ot/.env" in finding.message and finding.remedy
    said = everything_said(finding)
    assert said == everything_said(only(weak_passwords, env_file("MAX_SPEAKERS=20\nPOSTGRES_PASSWORD=x\n")))


@pytest.mark.parametrize(
    "line",
    [
        "POSTGRES_PASSWORD=f3a9c0d17be24a55", "POSTGRES_PASSWORD=correct-horse-battery", "POSTGRES_PASSWORD=", "MAX_SPEAKERS=20",
        "HUGGINGFACE_TOKEN=hf_short", "OPENAI_API_KEY=none", "MINIO_ROOT_USER=minio", "POSTGRES_USER=postgres", "MAX_TOKENS=4096",
    ],
)  # fmt: skip
def test_what_is_no_weak_password_passes(line: str) -> None:
    assert only(weak_passwords, env_file(f"{line}\n")).status is Status.PASS


def test_only_the_line_that_counts_is_judged() -> None:
    assert only(weak_passwords, env_file("SECRET_KEY=abc\nSECRET_KEY=f3a9c0d17be24a55\n")).status is Status.PASS


def test_very_many_are_counted() -> None:
    text = "".join(f"PASSWORD_{number}=pw{number}\n" for number in range(SHOWN + 3))
    findings = weak_passwords(env_file(text))
    assert len(findings) == SHOWN + 1 and "3 more" in findings[-1].message


def test_an_unreadable_file_is_skipped() -> None:
    assert only(weak_passwords, env_file("", problem=EnvProblem.FOLDER)).status is Status.SKIP


def test_a_recorded_file_is_judged_alike() -> None:
    recorded = decode(EnvFile, encode(env_file("POSTGRES_PASSWORD=letmein\nSECRET_KEY=f3a9c0d17be24a55\n")))
    assert statuses(weak_passwords(recorded)) == [Status.WARN]
