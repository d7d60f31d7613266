"""Each cause that is in the ``.env`` alone: found by the checks, fixed by the action that its remedy names, and gone.

The command that is printed beside the action, pasted twice, comes to the same bytes.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ot_doctor.actions import Risk
from ot_doctor.evidence import Request
from ot_doctor.fix.consent import Consent
from ot_doctor.fix.journal import Journal, stored
from ot_doctor.fix.loop import Examination, Fixing, root_of
from ot_doctor.fix.outcome import State
from ot_doctor.fix.takeback import take_back
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import examine, prepare
from ot_doctor.sources.store import Store
from tests.checks.test_remedies import BUSYBOX, tools
from tests.fix.site import OTHER, TOKEN, Script, site

NAME = "HUGGINGFACE_TOKEN"
COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n    env_file: .env\n"


def in_git(env: Path) -> None:
    subprocess.run(["git", "init", "-q", str(env.parent)], check=True)
    subprocess.run(["git", "-C", str(env.parent), "add", "-f", ".env"], check=True)


def others_read_it(env: Path) -> None:
    env.chmod(0o644)


@pytest.mark.parametrize(
    ("before", "cause", "after", "prepare_it"),
    [
        (f"{NAME}={TOKEN}\n{NAME}=\n", "env-shadowed", f"{NAME}={TOKEN}\n# {NAME}=\n", None),
        (f"{NAME}={TOKEN}\n{NAME}='your_token\nhere'\n", "env-shadowed", None, None),
        (f"{NAME}=\u201c{TOKEN}\u201d\n", "token-malformed", f"{NAME}={TOKEN}\n", None),
        (f"{NAME}={TOKEN}\u200b\n", "token-malformed", f"{NAME}={TOKEN}\n", None),
        (f"{NAME}={NAME}={TOKEN}\n", "token-malformed", f"{NAME}={TOKEN}\n", None),
        (f"{NAME}={TOKEN}\t# mine\n", "token-malformed", f"{NAME}={TOKEN}\n", None),
        (f"{NAME}={TOKEN}{TOKEN}\n", "token-malformed", f"{NAME}={TOKEN}\n", None),
        (f"HF_TOKEN={TOKEN}\n", "token-missing", f"{NAME}={TOKEN}\n", None),
        (f"HF_TOKEN={TOKEN}\n{NAME}=\n", "token-missing", f"{NAME}={TOKEN}\n# {NAME}=\n", None),
        (f"{NAME}={TOKEN}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\n", "speakers-config", None, None),
        (f"{NAME}={TOKEN}\nMAX_SPEAKERS=20\t# more\n", "speakers-config", f"{NAME}={TOKEN}\nMAX_SPEAKERS=20\n", None),
        (f"{NAME}={TOKEN}\nVITE_HF_TOKEN={TOKEN}\n", "token-exposed", f"{NAME}={TOKEN}\n# VITE_HF_TOKEN={TOKEN}\n", None),
        (f"set {NAME}={TOKEN}\n", "env-unreadable", f"{NAME}={TOKEN}\n", None),
        (f"{NAME}={TOKEN}\nA=\0b\n", "env-unreadable", f"{NAME}={TOKEN}\nA=b\n", None),
        (f"{NAME}={TOKEN}\n", "env-unreadable", f"{NAME}={TOKEN}\n", lambda env: env.write_text(env.read_text(), "utf-16")),
        (f"{NAME}={TOKEN}\n", "token-exposed", f"{NAME}={TOKEN}\n", others_read_it),
    ],
)  # fmt: skip
def test_found_fixed_gone_and_taken_back_and_the_printed_command_does_the_same(
    tmp_path: Path, before: str, cause: str, after: str | None, prepare_it: Callable[[Path], object] | None
) -> None:
    folder = tmp_path / "ot"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(COMPOSE)
    env = folder / ".env"
    env.write_text(before)
    env.chmod(0o600)
    if prepare_it:
        prepare_it(env)
    first = env.read_bytes(), env.stat().st_mode

    def request() -> Request:
        return Request(directory=folder, cwd=folder, no_docker=True, offline=True, started=time.monotonic())

    def look() -> Examination:
        plan = Plan(request())
        checks, store, notices = prepare(plan)
        return Examination(examine(plan, checks, store, notices), store)

    run = Fixing(
        look, lambda: Store(request()), lambda: Journal.begin(tmp_path / "s", str(folder)), Script(present=False),
        Consent(yes=True, allowed=frozenset({Risk.CHANGES_FILES})), lambda root: root.cause.value == cause,
        lambda found: [root for result in found.results for f in result.findings if (root := root_of(f, result.check.name))],
    )  # fmt: skip
    run.run(look())
    assert [(one.root.cause.value, one.state) for one in run.attended] == [(cause, State.GONE)], run.attended
    if after is not None:
        assert env.read_bytes() == after.encode()
    fixed = env.read_bytes(), env.stat().st_mode & 0o007
    (kept,) = stored(tmp_path / "s")
    take_back(kept, site(env), lambda entry: True)
    assert (env.read_bytes(), env.stat().st_mode) == first

    steps = run.attended[0].root.remedy
    printed = [step.command for step in steps if step.command and step.risk is Risk.CHANGES_FILES]
    for make in ("the system's", *(["busybox"] if BUSYBOX.exists() else [])):
        env.write_bytes(first[0])
        env.chmod(first[1])
        environ = tools(make, tmp_path / make)
        for command in (*printed, *printed):
            subprocess.run(["sh", "-c", command], check=True, env=environ, cwd="/")
            assert (env.read_bytes(), env.stat().st_mode & 0o007) == fixed, f"{command} does not do what the action does"


def test_a_file_that_git_tracks_is_untracked_and_the_token_is_asked_for(tmp_path: Path) -> None:
    """The token was seen by others, so untracking alone does not end it."""
    folder = tmp_path / "ot"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(COMPOSE)
    env = folder / ".env"
    env.write_text(f"{NAME}={OTHER}\n")
    env.chmod(0o600)
    in_git(env)
    plan = Plan(Request(directory=folder, cwd=folder, no_docker=True, offline=True))
    checks, store, notices = prepare(plan)
    (root,) = examine(plan, checks, store, notices).diagnosis
    names = [step.action.name for step in root.remedy if step.action]
    assert names == ["env.untrack", "env.put-token", "worker.recreate"]
