"""What is said in the place of a run that had to be ended: one document, as it was wanted, and one sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ot_doctor.core import supervisor

if TYPE_CHECKING:
    from ot_doctor.report.formats.text_lines import Style
    from ot_doctor.report.model import Report
    from ot_doctor.run.plan import Plan

_WHY = "OT-DOCTOR-WAS-GIVEN-UP"  # stands in a document that is kept for the words that are known only afterwards
_LOOK = ("format", "verbose", "quiet", "color", "ascii")
_PLAIN: dict[str, Any] = {"verbose": 0, "quiet": False, "color": "auto", "ascii": False, "output": ()}
_ADVICE = "Run ot-doctor again; give it more time with --timeout 120."


def remember(command: str, options: dict[str, Any], plan: Plan) -> None:
    """Tell the supervising process how the document of this command is wanted, and by when."""
    import json

    look = {name: options[name] for name in _LOOK if name in options}
    files = [str(path) for path in options.get("output", ())]
    more = {"command": command, "output": files, "redact": plan.redact, "fail_on": plan.fail_on}
    supervisor.shown_as(json.dumps({**look, **more}))
    supervisor.expect(plan.request.timeout)


def keep(report: Report, options: dict[str, Any], style: Style) -> None:
    """Give the supervising process the documents of a report that lacks only the checks of others, in case they end the run."""
    import json
    from dataclasses import replace

    report = replace(report, notices=(*report.notices, f"The run {_WHY}"))
    supervisor.keep(json.dumps(_documents(report, options, style)).encode())


def _documents(report: Report, options: dict[str, Any], style: Style) -> dict[str, Any]:
    """All that a run says at its end, and its exit code."""
    from ot_doctor.report.formats import format_of, render
    from ot_doctor.report.model import exit_code

    code = exit_code(report)
    if options["format"] == "nagios":
        from ot_doctor.report.formats import nagios

        code = nagios.exit_code(report)
    return {
        "format": options["format"],
        "stdout": render(report, options["format"], style),
        "files": {str(path): render(report, format_of(str(path)) or "text") for path in options["output"]},
        "summary": render(report, "markdown") if options["format"] == "github" else "",
        "code": code,
    }


def _say(documents: dict[str, Any]) -> int:
    """Standard output comes first: a file may lie where writing hangs."""
    from ot_doctor.cli.failure import summarise
    from ot_doctor.cli.output import write, write_files

    write(documents["stdout"], machine=documents["format"] != "text")
    if documents["summary"]:
        summarise(lambda: str(documents["summary"]))
    write_files({Path(path): text for path, text in documents["files"].items()})
    return int(documents["code"])


def get_ready() -> None:
    """Import what ``last_word`` needs, while there is time."""
    import importlib

    for name in ("ot_doctor.report.build", "ot_doctor.report.formats.json", "ot_doctor.report.formats.text"):
        importlib.import_module(name)


def last_word(stopped: supervisor.Stopped) -> int:
    """Write it. The exit code: 3, something could not be checked; 2 where a bundle was not written."""
    import json

    from ot_doctor.cli.failure import format_wanted
    from ot_doctor.cli.output import complain
    from ot_doctor.cli.show import style_of
    from ot_doctor.redaction.names import register_environment

    register_environment(os.environ)
    if stopped.interrupted:
        complain("interrupted")
        return 130
    if stopped.written:
        complain(f"What comes after the report {stopped.why}: a file of --output may be missing.")
        return 3
    sentence = f"The run {_why(stopped)}"
    told = json.loads(stopped.options) if stopped.options else {}
    options = {**_PLAIN, "command": _command(), "format": format_wanted(sys.argv[1:], None), **told}
    if options["command"] not in ("run", "diagnose"):
        complain(sentence)
        return 2 if options["command"] == "collect" else 3
    if options["format"] != "text":
        complain(sentence)
    if stopped.kept:  # names of checks and fixed words, which are the same in each format
        return _say(json.loads(stopped.kept.replace(_WHY.encode(), _why(stopped).encode("ascii", "replace"))))
    return _say(_documents(_report(sentence, options), options, style_of(options)))


def nothing_examined(sentence: str) -> int:
    """Write a document that says why, in the format that is wanted; as text it is that sentence. The exit code."""
    from ot_doctor.cli.failure import format_wanted
    from ot_doctor.cli.output import complain
    from ot_doctor.cli.show import style_of

    options = {**_PLAIN, "command": "run", "format": format_wanted(sys.argv[1:], None)}
    if options["format"] == "text":
        complain(sentence)
        return 3
    return _say(_documents(_report(sentence, options), options, style_of(options)))


def _why(stopped: supervisor.Stopped) -> str:
    from ot_doctor.redaction.masking import shown

    step = f" while {stopped.step}" if stopped.step else ""
    return shown(f"{stopped.why}{step}, and was given up. {stopped.advice or _ADVICE}")


def _command() -> str:
    """The command as the arguments tell it: ``ot-doctor --offline`` is ``run``."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    return first if first and not first.startswith("-") else "run"


def _report(sentence: str, options: dict[str, Any]) -> Report:
    from datetime import datetime, timezone

    from ot_doctor.redaction.redactor import Redactor
    from ot_doctor.report.model import Report
    from ot_doctor.report.redacted import redacted
    from ot_doctor.run.plan import current_user

    report = Report(
        started_at=datetime.now(timezone.utc), duration=0.0, results=(), diagnosis=(), notices=(sentence,),
        fail_on=options.get("fail_on", "fail"),
    )  # fmt: skip
    return redacted(report, Redactor(options.get("redact", "default"), *current_user(os.environ)))
