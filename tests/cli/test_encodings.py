"""A machine format is UTF-8 and readable whatever the locale says, and text never fails."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import html5lib
import pytest
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from ot_doctor.report.formats import FORMATS
from tests.cli.test_commands import COMPOSE, SCRIPT, TOKEN

pytestmark = pytest.mark.slow

NAME = "né"
ENCODINGS: dict[str, dict[str, str]] = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "utf-16": {"PYTHONIOENCODING": "utf-16"},
    "posix": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "unknown locale": {"LC_ALL": "xx_YY.nonsense"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation in a folder whose name is not ASCII, with something wrong in it."""
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(COMPOSE)
    (folder / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nMIN_SPEAKERS=9\nMAX_SPEAKERS=2\n")
    return folder


def out(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    usual = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "OT_DOCTOR_OFFLINE": "1", "OT_DOCTOR_NO_DOCKER": "1"}
    command = [str(SCRIPT), *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**usual, **environ}, capture_output=True, stdin=subprocess.DEVNULL, timeout=60
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


def read(name: str, data: bytes) -> str:
    """What a reader of the format that knows nothing of ot-doctor sees in the bytes."""
    text = data.decode("utf-8")
    if name in ("json", "sarif"):
        return json.dumps(json.loads(data), ensure_ascii=False)
    if name == "junit":
        return ElementTree.tostring(ElementTree.fromstring(data), encoding="unicode")
    if name == "html":
        return "".join(html5lib.parse(data, namespaceHTMLElements=False).itertext())
    if name == "markdown":
        return str(MarkdownIt().render(text))
    if name == "prometheus":
        assert list(text_string_to_metric_families(text))
    return text


def pairs(rows: Iterable[Any], each: int) -> list[tuple[Any, str]]:
    """Each row with some of the encodings, each time the next ones: what writes the bytes is the same for all rows."""
    encodings = itertools.cycle(ENCODINGS)
    return [(row, next(encodings)) for row in rows for _ in range(each)]


@pytest.mark.parametrize(("name", "encoding"), pairs(sorted(FORMATS.keys() - {"text"}), 2))
def test_a_machine_format_is_utf_8_whatever_the_locale_says(name: str, encoding: str, folder: Path) -> None:
    done = out(folder, "--format", name, **ENCODINGS[encoding])
    assert (done.returncode, done.stderr) == (2 if name == "nagios" else 1, b"")
    shown = read(name, done.stdout)
    if name not in ("prometheus", "nagios") and encoding != "posix":  # there, names are bytes without a meaning
        assert NAME in shown


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"text"}))
def test_so_is_the_document_about_wrong_usage(name: str, folder: Path) -> None:
    done = out(folder, "--format", name, "--select", NAME, **ENCODINGS["ascii"])
    assert (done.returncode, done.stderr) == (3 if name == "nagios" else 2, b"")
    assert NAME in read(name, done.stdout)


CALLS: list[tuple[str, ...]] = [("--help",), ("list",), ("explain", "token-invalid"), ("--select", NAME)]


@pytest.mark.parametrize(("arguments", "encoding"), [*pairs([()], len(ENCODINGS)), *pairs(CALLS, 3)])
def test_text_follows_the_terminal_and_never_fails(arguments: tuple[str, ...], encoding: str, folder: Path) -> None:
    done = out(folder, *arguments, **ENCODINGS[encoding])
    assert done.returncode == {(): 1, ("--select", NAME): 2}.get(arguments, 0), done.stderr
    assert b"nternal error" not in done.stderr
    said = (done.stderr if arguments and arguments[-1] == NAME else done.stdout).decode(
        {"utf-16": "utf-16", "cp1252": "cp1252"}.get(encoding, "utf-8")
    )
    assert said.strip()
