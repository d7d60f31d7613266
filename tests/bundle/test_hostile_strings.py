"""Names and texts that steer a terminal: from a bundle, from the command line, from the environment. No format shows them."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.bundle import Refused
from ot_doctor.bundle.codec import dump
from ot_doctor.bundle.manifest import EVIDENCE, MANIFEST
from ot_doctor.bundle.reading import Recording, _recording
from ot_doctor.check import Check
from ot_doctor.report.build import report_of
from ot_doctor.report.facts import facts_of
from ot_doctor.report.formats import FORMATS, render
from ot_doctor.run.plan import Plan, chosen
from ot_doctor.run.session import Examined, catalogue_of, examine
from tests.bundle.recordings import bundle_of, healthy
from tests.parts import ready_doctor

pytestmark = pytest.mark.slow

HOSTILE = "a\x1b[31mb\x1b]0;title\x07c\x9b31md\u202ee\u2066f\u200fg\x08h"
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")

Way = tuple[Any, ...]  # to a place in a JSON value


def strings(value: Any, way: Way = ()) -> Iterator[Way]:
    """Where each text of a JSON value stands, the names of mappings among them."""
    if isinstance(value, str):
        yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from strings(item, (*way, key))


def replaced(value: Any, way: Way, text: str) -> Any:
    """The value with ``text`` in front of the string at ``way``."""
    if not way:
        return f"{text}{value}"
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = replaced(value[way[0]], way[1:], text)
    return copy


def steers(name: str, shown: str) -> str:
    """What stands around the first thing in a document that steers a terminal, also once a reader took its escapes away."""
    texts = [shown]
    if name in ("json", "sarif"):
        content = json.loads(shown)
        texts += [str(text_at(content, way)) for way in strings(content)]
    for text in texts:
        if found := FORBIDDEN.search(text):
            return repr(text[max(0, found.start() - 80) : found.end() + 80])
    return ""


def text_at(value: Any, way: Way) -> Any:
    for key in way:
        value = value[key]
    return value


@pytest.fixture(scope="module")
def checks() -> Mapping[str, Check]:
    return chosen(catalogue_of(()), (), ())


@dataclass(frozen=True)
class Said:
    """What a run says: how it is made up, its texts apart; and those texts, always in the same order."""

    outline: str
    texts: tuple[str, ...]

    def shows(self, number: int) -> set[int]:
        """Which of the texts have the hostile one with this number."""
        return {place for place, text in enumerate(self.texts) if f"h<{number}>" in text}


def said_by(found: Examined) -> Said:
    findings = [(result.check.name, finding) for result in found.results for finding in result.findings]
    sections = facts_of(found.evidence, found.started_at).sections
    texts: list[str | None] = []
    for _, f in findings:
        texts += [f.message, f.subject, f.expected, *(text for seen in f.evidence for text in (seen.where, seen.text))]
        texts += [text for step in f.remedy for text in (step.text, step.command, step.url)]
    texts += [text for section in sections for fact in section.facts for text in fact]
    made = [(name, f.status, f.cause, len(f.evidence), len(f.remedy)) for name, f in findings]
    causes = [(root.cause, len(root.evidence), len(root.remedy), root.explains) for root in found.diagnosis]
    outline = repr((made, causes, [(section.title, len(section.facts)) for section in sections]))
    return Said(outline, tuple(text or "" for text in texts))


@pytest.mark.parametrize("member", [*EVIDENCE, MANIFEST])
def test_no_text_of_a_bundle_steers_a_terminal(member: str, checks: Mapping[str, Check]) -> None:
    """Each is tried by itself; those by which nothing but texts changes are shown together, as far as they are all shown then."""
    members = dict(bundle_of(healthy()).members)
    content = json.loads(members[member])
    ways = dict(enumerate(strings(content)))

    def read(*numbers: int) -> Recording:
        hostile = functools.reduce(lambda value, n: replaced(value, ways[n], f"{HOSTILE}<{n}>"), numbers, content)
        return _recording({**members, member: dump(hostile)})

    def examined(recording: Recording) -> Examined:
        store = recording.store()
        return examine(Plan(store.request), checks, store, ())

    def shown_as_alone(number: int, said: Said) -> bool:
        return said.outline == alone[number].outline and alone[number].shows(number) <= said.shows(number)

    as_it_is = read()
    usual = said_by(examined(as_it_is))
    alone: dict[int, Said] = {}
    for number, way in ways.items():
        try:
            recording = read(number)
        except Refused as error:  # a time, a fingerprint, a word of a closed list
            assert not FORBIDDEN.search(str(error)), (way, str(error))
            continue
        changed = (recording.manifest.request, recording.evidence) != (as_it_is.manifest.request, as_it_is.evidence)
        alone[number] = said_by(examined(recording)) if changed else usual
    assert alone or not ways
    waiting = set(alone)
    while waiting:
        alike = {number for number in waiting if alone[number].outline == alone[min(waiting)].outline}
        found = examined(read(*sorted(alike)))
        said = said_by(found)
        shown = {number for number in alike if shown_as_alone(number, said)}
        if not shown:
            shown = {min(alike)}
            found = examined(read(*shown))
        report = report_of(found)
        for name in FORMATS:
            wrong = steers(name, render(report, name))
            assert not wrong, ([ways[number] for number in sorted(shown)], name, wrong)
        waiting -= shown


def doctor(folder: Path, *arguments: str, **environ: str) -> str:
    """Both streams of a run that ended with some document."""
    usual = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "DOCKER_HOST": "unix:///nonexistent.sock"}
    done = ready_doctor.run(*arguments, cwd=folder, env={**usual, **environ}, timeout=60)
    assert done.returncode in (0, 1, 2, 3) and (done.stdout or done.stderr), done.stderr
    return done.stdout + done.stderr


FAILED_LOG = Path(__file__).parent.parent / "corpus" / "cases" / "p3-bad-token.log"


OUTSIDE: list[tuple[tuple[str, ...], dict[str, str]]] = [
    (("--logs", "{}.log", "--no-docker", "--offline"), {}),
    (("--logs", "{}.none"), {}),
    (("--offline",), {"DOCKER_HOST": "unix:///{}.sock"}),
    (("--offline",), {"DOCKER_HOST": "tcp://{}:1"}),
    (("--no-docker", "--timeout", "3"), {"HF_ENDPOINT": "http://127.0.0.1:1/{}"}),
    (("--no-docker", "--offline"), {"OT_DOCTOR_SELECT": "{}"}),
]


@pytest.mark.parametrize("number", range(len(OUTSIDE)))
def test_no_name_from_outside_steers_a_terminal(number: int, tmp_path: Path) -> None:
    hostile = HOSTILE.replace("\x08", "")
    (tmp_path / f"{hostile}.log").write_bytes(FAILED_LOG.read_bytes())
    (tmp_path / "docker-compose.yml").write_text("services:\n  celery-worker:\n    image: x\n")
    (tmp_path / ".env").write_text("HUGGINGFACE_TOKEN=\n")
    arguments = tuple(argument.format(hostile) for argument in OUTSIDE[number][0])
    environ = {name: value.format(hostile) for name, value in OUTSIDE[number][1].items()}
    written = {name: tmp_path / f"report{endings[0]}" for name, endings in FORMATS.items() if endings}
    outputs = [option for path in written.values() for option in ("--output", str(path))]
    shown = {"github": doctor(tmp_path, "--format", "github", *arguments, *outputs, **environ)}
    for name in FORMATS.keys() - shown.keys():
        # Wrong usage writes no file: then each format is asked for by itself.
        path = written.get(name, tmp_path / "none")
        said = path.read_text(encoding="utf-8") if path.exists() else doctor(tmp_path, "--format", name, *arguments, **environ)
        assert not steers(name, said), (arguments, environ, steers(name, said))
    assert not steers("github", shown["github"]), (arguments, environ)


def test_what_collect_prints_steers_no_terminal(tmp_path: Path) -> None:
    hostile = HOSTILE.replace("\x08", "")
    folder = tmp_path / hostile
    folder.mkdir()
    (folder / "docker-compose.yml").write_text("services:\n  celery-worker:\n    image: x\n")
    shown = doctor(folder, "collect", "--yes", "--offline", "--no-docker", "-o", f"{hostile}.zip")
    assert not FORBIDDEN.search(shown), shown
    assert [name for name in os.listdir(folder) if name.endswith(".zip")]
