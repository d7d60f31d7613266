from __future__ import annotations

from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import Frontend, ServedSecret
from ot_doctor.redaction.secret import Secret
from ot_doctor_checks.browser_files import browser_files
from tests.checks.evidence import TOKEN, deployment, everything_said, workers

FOLDER = "/usr/share/nginx/html"


def judge(*secrets: ServedSecret, **changes: Any) -> list[Finding]:
    usual: dict[str, Any] = {"folder": FOLDER, "files": 7, "secrets": secrets, "env": {"NODE_ENV": "production"}}
    frontend = Frontend("opentranscribe-frontend", "frontend", **{**usual, **changes})
    return list(browser_files(frontend, workers(), deployment()))


def test_pages_without_a_secret() -> None:
    (finding,) = judge()
    assert finding.status is Status.PASS and "7 files in /usr/share/nginx/html" in finding.message


@pytest.mark.parametrize("name", ["HUGGINGFACE_TOKEN", "", "JWT_SECRET_KEY"])
def test_a_secret_in_a_file(name: str) -> None:
    (finding,) = judge(ServedSecret(f"{FOLDER}/assets/index.js", name))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.TOKEN_EXPOSED)
    assert finding.subject == f"opentranscribe-frontend:{FOLDER}/assets/index.js"
    said = everything_said(finding)
    assert (name or "a Hugging Face token") in said
    assert ("delete the exposed one" in said) is (name != "JWT_SECRET_KEY")


@pytest.mark.parametrize("name", ["VITE_API_KEY", "VAPID_PUBLIC_KEY", "RECAPTCHA_SITE_KEY"])
def test_what_is_meant_for_browsers_is_no_secret(name: str) -> None:
    (finding,) = judge(ServedSecret(f"{FOLDER}/index.js", name))
    assert finding.status is Status.PASS


def test_files_that_were_not_searched_do_not_pass() -> None:
    (finding,) = judge(files=0, folder="", not_searched="it has none of the usual folders (/app/dist)")
    assert finding.status is Status.SKIP
    (finding,) = judge(not_searched="x holds more than 48 MB")
    assert finding.status is Status.SKIP and finding.message.startswith("Some files")
    found = judge(ServedSecret(f"{FOLDER}/a.js", "HF_TOKEN"), not_searched="x holds more than 48 MB")
    assert [f.status for f in found] == [Status.FAIL, Status.SKIP]


def test_a_token_in_a_browsers_variable() -> None:
    (finding,) = judge(env={"VITE_HF_TOKEN": Secret(TOKEN, "VITE_HF_TOKEN")})
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.TOKEN_EXPOSED, "VITE_HF_TOKEN")
    assert "--no-build frontend" in everything_said(finding) and TOKEN not in everything_said(finding)


def test_a_token_that_comes_with_the_env_file_is_told_and_is_no_fault() -> None:
    env = {"HUGGINGFACE_TOKEN": Secret(TOKEN, "HUGGINGFACE_TOKEN")}
    (finding,) = judge(env=env)
    assert finding.status is Status.PASS and "has the token in HUGGINGFACE_TOKEN" in finding.message
    (finding,) = judge(env=env, not_searched="x holds more than 48 MB")
    assert finding.status is Status.SKIP


def test_the_templates_value_is_no_token() -> None:
    (finding,) = judge(env={"HUGGINGFACE_TOKEN": Secret("your_huggingface_token_here", "HUGGINGFACE_TOKEN")})
    assert finding.status is Status.PASS
