"""Makes the corpus anew: `python -m tests.corpus.make [NAME…]`, as root. Without names, all of it.

With `--truth` the logs stay, and only what is said of them is written anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import venvs
from .case import Run
from .runs import RUNS
from .runs_engine import engine_versions, logs_of

CASES = Path(__file__).parent / "cases"
_PRIVATE = ("unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child", "--propagation", "private")

_TOOLS = ("redis-server", "unshare", "ip", "openssl", "ps", venvs.PYTHON)


def make_run(run: Run) -> None:
    if run.engine:
        (CASES / f"{run.name}.log").write_bytes(logs_of([run])[run.name])
        return
    for name in filter(None, (run.venv, run.over)):
        venvs.ensure(name)
    if run.venv.startswith("pyannote"):
        venvs.ensure_models()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [*_PRIVATE, sys.executable, "-m", "tests.corpus.lab", run.name, str(log)]
        subprocess.run(command, check=True, timeout=run.seconds * 2 + 60)
        # Celery's banner names the kernel of the machine that made the log: nobody's business.
        text = re.sub(rb"Linux-\S+-with-", b"Linux-6.1.0-x86_64-with-", log.read_bytes())
    (CASES / f"{run.name}.log").write_bytes(run.wrap(text) if run.wrap else text)


def describe(run: Run) -> None:
    """Write what is true of a log, and how it was made."""
    made = {"made": "composed", "reason": run.reason} if run.reason else {"made": "run"}
    made["command"] = f"python -m tests.corpus.make {run.name}"
    if not run.engine:
        made |= {"environment": run.venv, "in_front": run.over}
    if not run.engine and not run.command:
        made["pool"] = "threads" if run.threads else "prefork"
    truth = run.truth
    rows: dict[str, object] = {"outcome": truth.outcome, "cause": truth.cause, "subject": truth.subject, "also": list(truth.also)}
    if truth.why:
        rows["why"] = truth.why
    rows |= ({} if run.engine or run.command else {"release": run.release}) | made
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in rows.items()]
    lines += ["", "[versions]"]
    versions = engine_versions() if run.engine else venvs.versions(run.venv, run.over)
    lines += [f'"{package}" = "{version}"' for package, version in versions.items()]
    (CASES / f"{run.name}.toml").write_text("\n".join(lines) + "\n")


def main() -> int:
    only_truth = "--truth" in sys.argv
    wanted = [name for name in sys.argv[1:] if name != "--truth"]
    known = {case.name: case for case in RUNS}
    if unknown := set(wanted) - set(known):
        print(f"no such case: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if not only_truth and os.geteuid() != 0:
        print("namespaces and the worker's user need root", file=sys.stderr)
        return 2
    if missing := [tool for tool in _TOOLS if not only_truth and shutil.which(tool) is None]:
        print(f"not found: {', '.join(missing)}", file=sys.stderr)
        return 2
    CASES.mkdir(exist_ok=True)
    for name in wanted or known:
        print(name, file=sys.stderr, flush=True)
        if not only_truth:
            make_run(known[name])
        describe(known[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
