"""A machine format is UTF-8 and readable whatever the locale says, and text never fails."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import html5lib
import pytest
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from ot_doctor.report.formats import FORMATS
from tests.cli.test_commands import COMPOSE, ROOT, TOKEN

pytestmark = pytest.mark.slow

NAME = "né"
ENCODINGS: dict[str, dict[str, str]] = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
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


# The interpreter starts once for an encoding, and each run is a fork of it, with the streams' encoding.
RUNS = """
import os, sys
sys.path.append(sys.argv.pop(1))
from ot_doctor.cli.main import main
from tests.parts import ready_doctor
ready_doctor._warm_up()
runs = " ".join(sys.argv[2:]).split(" ; ")
for number, run in enumerate(runs):
    if not os.fork():
        for stream in (1, 2):
            os.dup2(os.open(f"{sys.argv[1]}/{number}.{stream}", os.O_CREAT | os.O_WRONLY), stream)
        sys.argv = ["ot-doctor", *run.split()]
        main()
    os.write(1, b"%d " % os.waitstatus_to_exitcode(os.wait()[1]))
"""
Call = tuple[str, ...]
Done = subprocess.CompletedProcess[bytes]


def out(folder: Path, calls: list[Call], **environ: str) -> list[Done]:
    usual = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "OT_DOCTOR_OFFLINE": "1", "OT_DOCTOR_NO_DOCKER": "1"}
    written = folder.parent / "written"
    written.mkdir()
    words = [word for call in calls for word in (";", *call)][1:]
    codes = subprocess.run(
        [sys.executable, "-c", RUNS, str(ROOT), str(written), *words], cwd=folder, env={**usual, **environ},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=100,
    ).stdout.split()  # fmt: skip
    streams = [[(written / f"{number}.{stream}").read_bytes() for stream in (1, 2)] for number in range(len(calls))]
    done = [Done(call, int(code), *both) for call, code, both in zip(calls, codes, streams, strict=True)]
    for one in done:
        assert b"Traceback" not in one.stderr, one
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


def parted(calls: list[Call], each: int) -> dict[str, list[Call]]:
    """Each call with some of the encodings, each time the next ones: what writes the bytes is the same for all calls."""
    encodings = itertools.cycle(ENCODINGS)
    found: dict[str, list[Call]] = {encoding: [] for encoding in ENCODINGS}
    for call in calls:
        for _ in range(each):
            found[next(encodings)].append(call)
    return found


MACHINES = sorted(FORMATS.keys() - {"text"})
DOCUMENTS = parted([("--format", name) for name in MACHINES], 2)
TEXTS = parted([("--help",), ("list",), ("explain", "token-invalid"), ("--select", NAME)], 3)
WRONG = [("--format", name, "--select", NAME) for name in MACHINES]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_documents_are_utf_8_and_text_follows_the_terminal(encoding: str, folder: Path) -> None:
    texts = [("-v",), *TEXTS[encoding]]
    calls = [*texts, *DOCUMENTS[encoding], *(WRONG if encoding == "ascii" else [])]
    for done in out(folder, calls, **ENCODINGS[encoding]):
        if done.args in texts:
            text_never_fails(done, encoding)
        elif done.args in WRONG:
            assert (done.returncode, done.stderr) == (3 if done.args[1] == "nagios" else 2, b"")
            assert NAME in read(done.args[1], done.stdout)
        else:
            a_machine_format_is_utf_8_whatever_the_locale_says(done, done.args[1], encoding)


def a_machine_format_is_utf_8_whatever_the_locale_says(done: Done, name: str, encoding: str) -> None:
    assert (done.returncode, done.stderr) == (2 if name == "nagios" else 1, b"")
    shown = read(name, done.stdout)
    if name not in ("prometheus", "nagios") and encoding != "posix":  # there, names are bytes without a meaning
        assert NAME in shown


def text_never_fails(done: Done, encoding: str) -> None:
    assert done.returncode == {("-v",): 1, ("--select", NAME): 2}.get(done.args, 0), done.stderr
    assert b"nternal error" not in done.stderr
    data = done.stderr if done.args[-1] == NAME else done.stdout
    said = data.decode({"utf-16": "utf-16", "cp1252": "cp1252", "latin-1": "latin-1"}.get(encoding, "utf-8"))
    assert said.strip() and (encoding != "latin-1" or "\\u" not in said)
    if encoding in ("ascii", "strict"):
        assert said.isascii()
