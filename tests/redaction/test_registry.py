"""The registry that a run carries: into its threads, and not into another run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ot_doctor.check import Cause, Check, Step, failed
from ot_doctor.core.deadline import start, within
from ot_doctor.evidence import Request
from ot_doctor.redaction.masking import redact
from ot_doctor.redaction.redactor import Redactor
from ot_doctor.redaction.registry import Registry, current, new_registry
from ot_doctor.redaction.secret import Secret
from ot_doctor.report.build import report_of
from ot_doctor.report.formats import render
from ot_doctor.report.redacted import redacted
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import examine, prepare
from tests.report.reports import report

PASSWORDS = ("Xq7vWz2LmR9x", "Bn4tYk8PdS3w")


def test_a_thread_takes_the_registry_along() -> None:
    seen: list[Registry] = []
    with new_registry() as ours:
        thread = threading.Thread(target=lambda: seen.append(current()))
        start(thread)
        thread.join()
        assert seen == [ours] and within(10, current) is ours
    assert current() is not ours


def test_fingerprints_say_nothing_outside_their_registry() -> None:
    shown = []
    for _ in range(2):
        with new_registry():
            shown.append(redact(str(Secret(PASSWORDS[0], "DB_PASSWORD"))))
            assert shown[-1] == redact(PASSWORDS[0])
    assert shown[0] != shown[1]
    with new_registry(b"salt"):
        first = redact(f"hf_{PASSWORDS[0]}")
    with new_registry(b"salt"):
        assert redact(f"hf_{PASSWORDS[0]}") == first


def run_on(folder: Path, password: str, checks_dir: Path) -> tuple[str, set[str]]:
    """The JSON report of a run by a program that uses the package, and what it registered."""
    folder.mkdir()
    (folder / "docker-compose.yml").write_text("services:\n  celery-worker:\n    env_file: .env\n")
    (folder / ".env").write_text(f"POSTGRES_PASSWORD={password}\n")
    with new_registry() as registry:
        request = Request(directory=folder, no_docker=True, offline=True, environ={})
        plan = Plan(request, select=("site-says",), checks_dirs=(checks_dir,))
        checks, store, notices = prepare(plan)
        text = render(report_of(examine(plan, checks, store, notices)), "json")
        return text, {name for name in PASSWORDS if registry.name_of(name)}


def test_two_runs_in_one_process_share_no_secret(tmp_path: Path) -> None:
    plug_ins = tmp_path / "checks"
    plug_ins.mkdir()
    (plug_ins / "says.py").write_text(
        "from ot_doctor.check import Family, check, warned\nfrom ot_doctor.evidence import EnvFile\n"
        "@check('site-says', title='T', family=Family.ENV)\ndef says(env: EnvFile):\n    'Why.'\n"
        f"    yield warned('{' '.join(PASSWORDS)}')\n"
    )
    for mine, other in (PASSWORDS, PASSWORDS[::-1]):
        text, registered = run_on(tmp_path / mine, mine, plug_ins)
        assert registered == {mine}, "the .env file is read in a thread of the run"
        assert mine not in text and other in text


def test_a_command_that_would_show_a_secret_is_left_out() -> None:
    Secret(PASSWORDS[0], "DB_PASSWORD")
    step = Step("Log in.", command=f"psql 'postgresql://ot:{PASSWORDS[0]}@db/ot'")
    found = failed(Cause.DISK_FULL, "no room", remedy=[step, Step("Look.", command="df /")])
    first, second = redacted(report({"env-lines": (found,)}), Redactor()).results[0].findings[0].remedy
    assert first.command is None and first.text == "Log in. (Its command is left out: it would show a secret.)"
    assert second.command == "df /"


@pytest.mark.parametrize("title", ["The disk has room", f"hf_{PASSWORDS[0]}{PASSWORDS[1]}Qw2"])
def test_the_title_of_a_check_is_redacted_and_an_innocent_check_is_the_same_object(title: str) -> None:
    check = Check("site-x", title, report().results[0].check.family, lambda: [], "Why.")
    before = report()
    before = type(before)(**{**vars(before), "results": (type(before.results[0])(check, before.results[0].findings, 0.0),)})
    after = redacted(before, Redactor()).results[0].check
    assert (after is check) == (title == "The disk has room") and PASSWORDS[0] not in after.title
