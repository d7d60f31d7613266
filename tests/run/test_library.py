"""The library without the command line: no click, and nothing on standard output."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_CLICK = """
import sys

sys.modules["click"] = None  # importing it fails from now on

from pathlib import Path

from ot_doctor.check import Status
from ot_doctor.evidence import COMMUNITY_1, Deployment, EnvFile, Installation, ReleaseLine, Request, Unavailable
from ot_doctor.report.build import report_of
from ot_doctor.report.formats import FORMATS, render
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import checks_of, examine
from ot_doctor.sources.store import SOURCES, Store

planted = {kind: Unavailable("left out", switched_off=True) for kind in SOURCES}
planted[Installation] = Installation(Path("/srv/ot"), "--dir")
planted[EnvFile] = Unavailable("There is no .env.", hint="Copy .env.example to .env.")
plan = Plan(Request(), select=("env-readable",))
checks, notices = checks_of(plan)
found = examine(plan, checks, Store(plan.request, planted), notices)
(result,) = found.results
assert result.check.name == "env-readable" and result.status is not Status.PASS, result
for name in FORMATS:
    assert render(report_of(found), name)
assert not [name for name in sys.modules if name.startswith("ot_doctor.cli")]
sys.stderr.write(f"{result.status.value}: {result.findings[0].message}")
"""


def test_a_check_is_run_and_reported_on_where_there_is_no_click() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_CLICK], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr == "unknown: There is no .env."
