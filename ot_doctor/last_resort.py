"""What is said in the place of a run that had to be ended: one document, as it was wanted, and one sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ot_doctor import supervisor

if TYPE_CHECKING:
    from ot_doctor.examination import Plan
    from ot_doctor.report.model import Report

_LOOK = ("format", "verbose", "quiet", "color", "ascii")
_ADVICE = "Run ot-doctor again; give it more time with --timeout 120."


def remember(command: str, options: dict[str, Any], plan: Plan) -> None:
    """Tell the supervising process how the document of this command is wanted, and by when."""
    import json

    look = {name: options[name] for name in _LOOK if name in options}
    files = [str(path) for path in options.get("output", ())]
    more = {"command": command, "output": files, "redact": plan.redact, "fail_on": plan.fail_on}
    supervisor.shown_as(json.dumps({**look, **more}))
    supervisor.expect(plan.request.timeout)


def get_ready() -> None:
    """Import what ``last_word`` needs, while there is time."""
    import importlib

    for name in ("ot_doctor.examination", "ot_doctor.report.json", "ot_doctor.report.text"):
        importlib.import_module(name)


def last_word(stopped: supervisor.Stopped) -> int:
    """Write it. The exit code: 3, something could not be checked; 2 where a bundle was not written."""
    import json

    from ot_doctor.cli import _format_wanted, show
    from ot_doctor.secrets import meet_environment
    from ot_doctor.streams import complain

    meet_environment(os.environ)
    if stopped.interrupted:
        complain("interrupted")
        return 130
    if stopped.written:
        complain(f"What comes after the report {stopped.why}: a file of --output may be missing.")
        return 3
    sentence = sentence_of(stopped)
    options = json.loads(stopped.options) if stopped.options else {}
    command = options.get("command") or _command()
    if command in ("run", "diagnose"):
        files = tuple(map(Path, options.get("output", ())))
        options = {**_PLAIN, "format": _format_wanted(sys.argv[1:], ""), **options, "output": files}
        if options["format"] != "text":
            complain(sentence)
        return show(_report(sentence, options), options)
    complain(sentence)
    return 2 if command == "collect" else 3


_PLAIN: dict[str, Any] = {"verbose": 0, "quiet": False, "color": "auto", "ascii": False}


def sentence_of(stopped: supervisor.Stopped) -> str:
    step = f" while {stopped.step}" if stopped.step else ""
    return f"The run {stopped.why}{step}, and was given up: nothing is known. {stopped.advice or _ADVICE}"


def _command() -> str:
    """The command as the arguments tell it: ``ot-doctor --offline`` is ``run``."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    return first if first and not first.startswith("-") else "run"


def _report(sentence: str, options: dict[str, Any]) -> Report:
    from datetime import datetime, timezone

    from ot_doctor.examination import whose
    from ot_doctor.redaction import Redactor
    from ot_doctor.report.model import Report

    report = Report(
        started_at=datetime.now(timezone.utc), duration=0.0, results=(), diagnosis=(), notices=(sentence,),
        fail_on=options.get("fail_on", "fail"),
    )  # fmt: skip
    return Redactor(options.get("redact", "default"), *whose(os.environ)).report(report)
