"""A bundle of a scenario, examined as on another machine: it must say what the live run said."""

from __future__ import annotations

import json
import tempfile
import zipfile
from difflib import unified_diff
from pathlib import Path
from typing import Any

from tests.parts import ready_doctor
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, World

_OF_THE_RUN = ("started_at", "duration_ms", "recorded_at", "accessed", "hidden")  # no two runs have them in common
_REPORT = "ot-doctor-report/report.json"


def document_that_agrees(world: World, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    """What ``collect`` reports; ``diagnose`` with no Docker, no HOME and no PATH says the same of the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        done = ready_doctor.run("collect", "--yes", "-o", str(path), *arguments, cwd=cwd or world.folder, env=world.shell())
        assert done.returncode == 0 and done.stdout == f"{path}\n", done.stderr
        with zipfile.ZipFile(path) as bundle:
            members = {name: bundle.read(name) for name in bundle.namelist()}
        leaking = [name for name, data in members.items() for token in (TOKEN, UNKNOWN_TOKEN) if token[3:].encode() in data]
        assert not leaking, f"a token is in {leaking}"
        nobody = {"HOME": f"{folder}/nobody", "PATH": ""}
        again = ready_doctor.run("diagnose", str(path), "--format", "json", cwd=Path(folder), env=nobody)
        assert again.stderr == "" and again.stdout.startswith("{"), again.stderr
        document: dict[str, Any] = json.loads(members[_REPORT])
        live, recorded = stable(document), stable(json.loads(again.stdout))
        assert recorded == live, _difference(live, recorded)
        assert again.returncode == document["exit_code"]
        return document


def stable(document: dict[str, Any]) -> dict[str, Any]:
    """A JSON report without what is of the run alone."""
    content = {key: value for key, value in document.items() if key not in _OF_THE_RUN}
    content["checks"] = [{key: value for key, value in check.items() if key != "duration_ms"} for check in content["checks"]]
    return content


def _difference(live: dict[str, Any], recorded: dict[str, Any]) -> str:
    a, b = (json.dumps(content, indent=1, ensure_ascii=False).splitlines() for content in (live, recorded))
    return "\n".join(unified_diff(a, b, "live", "from the bundle", lineterm="", n=1))
